//! The f32 paths of convolutions with stride 1 and windows of 3 or 5 columns: sums rest in the result.

use super::conv::Sizes;
use crate::kernel;

/// The forward pass of one group. `x` are its input planes, `w` and `b` its filters, `y` its output planes.
pub(super) fn forward<const K: usize>(x: &[f32], w: &[f32], b: &[f32], y: &mut [f32], s: &Sizes) {
    let plane = s.output_plane.max(1);
    for (o, y) in y.chunks_exact_mut(plane).enumerate() {
        y.fill(b.get(o).copied().unwrap_or(0.0));
    }
    let padding = s.g.padding[0];
    let mut at = 0;
    for planes in y.chunks_mut(plane.saturating_mul(4).max(1)) {
        for (i, x) in x.chunks_exact(s.input_plane.max(1)).enumerate() {
            for ky in 0..s.g.window[0] {
                // Result row r uses source row r + ky - padding.
                let rows = Rows { width: s.g.output[1], skip: padding.saturating_sub(ky) };
                let source = Rows { width: s.g.input[1], skip: ky.saturating_sub(padding) };
                let w = w.get(at + i * s.window + ky * K..).unwrap_or_default();
                pass::<K, false>(planes, plane, rows, w, s.filter, x, source, s.g.padding[1]);
            }
        }
        at += 4 * s.filter;
    }
}

/// The error at the input of one group, written to `dx`.
pub(super) fn backward_input<const K: usize>(dy: &[f32], w: &[f32], dx: &mut [f32], s: &Sizes) {
    let plane = s.input_plane.max(1);
    dx.fill(0.0);
    let Some(left) = (K - 1).checked_sub(s.g.padding[1]) else { return };
    let padding = s.g.padding[0];
    let mut at = 0;
    for planes in dx.chunks_mut(plane.saturating_mul(4).max(1)) {
        for (o, dy) in dy.chunks_exact(s.output_plane.max(1)).enumerate() {
            for ky in 0..s.g.window[0] {
                // Result row r uses source row r + padding - ky.
                let rows = Rows { width: s.g.input[1], skip: ky.saturating_sub(padding) };
                let source = Rows { width: s.g.output[1], skip: padding.saturating_sub(ky) };
                let w = w.get(o * s.filter + at + ky * K..).unwrap_or_default();
                pass::<K, true>(planes, plane, rows, w, s.window, dy, source, left);
            }
        }
        at += 4 * s.window;
    }
}

/// Which rows of a plane take part: all from `skip` on, as long as both sides have rows.
struct Rows {
    width: usize,
    skip: usize,
}

impl Rows {
    fn start(&self) -> usize {
        self.width * self.skip
    }
}

/// One window row over the rows of up to four result planes; weights of neighbouring planes are `stride` apart.
#[inline(always)]
#[allow(
    clippy::too_many_arguments,
    reason = "one loop in two directions; a struct would be filled in its two calls only"
)]
fn pass<const K: usize, const REVERSED: bool>(
    planes: &mut [f32],
    plane: usize,
    rows: Rows,
    w: &[f32],
    stride: usize,
    x: &[f32],
    source: Rows,
    left: usize,
) {
    let weights = |r: usize| w.get(r * stride..).and_then(|w| w.first_chunk::<K>()).copied().unwrap_or([0.0; K]);
    let x = x.get(source.start()..).unwrap_or_default();
    let mut each = planes.chunks_exact_mut(plane);
    match (each.next(), each.next(), each.next(), each.next()) {
        (Some(a), Some(b), Some(c), Some(d)) => {
            let w = [weights(0), weights(1), weights(2), weights(3)];
            let planes = [a, b, c, d].map(|plane| from(plane, rows.start()));
            kernel::slide4::<K, REVERSED>(planes, rows.width, &w, x, source.width, left);
        }
        (a, b, c, _) => {
            for (r, plane) in [a, b, c].into_iter().flatten().enumerate() {
                let w = weights(r);
                let y = from(plane, rows.start()).chunks_exact_mut(rows.width.max(1));
                for (x, y) in x.chunks_exact(source.width.max(1)).zip(y) {
                    kernel::slide1::<K, REVERSED>(y, &w, x, left);
                }
            }
        }
    }
}

/// What follows the first `at` elements.
fn from<T>(values: &mut [T], at: usize) -> &mut [T] {
    values.get_mut(at..).unwrap_or_default()
}
