//! Gathering the neighbourhood of one position of a convolution into a row, so that the dense kernels do the rest.

use crate::number::Number;

/// The geometry of a two-dimensional window; one-dimensional windows have height 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Input height and width.
    pub input: [usize; 2],
    /// Output height and width.
    pub output: [usize; 2],
    /// Window height and width.
    pub window: [usize; 2],
    /// Step between windows.
    pub stride: [usize; 2],
    /// Zeros before the first row and column.
    pub padding: [usize; 2],
}

/// Copies the window of output position `(oy, ox)` from the planes `x` (`[channels, h, w]`) to `patch`
/// (`[channels, kh, kw]`), zeros where it hangs over the edge.
#[inline]
pub fn gather<N: Number>(x: &[N::Value], g: &Geometry, oy: usize, ox: usize, patch: &mut [N::Value]) {
    let [height, width] = g.input;
    let top = (oy * g.stride[0]) as isize - g.padding[0] as isize;
    let left = (ox * g.stride[1]) as isize - g.padding[1] as isize;
    let whole = left >= 0 && left as usize + g.window[1] <= width;
    let mut rows = patch.chunks_exact_mut(g.window[1].max(1));
    for plane in x.chunks_exact((height * width).max(1)) {
        for ky in 0..g.window[0] {
            let Some(target) = rows.next() else { return };
            let iy = top + ky as isize;
            let row = if iy < 0 || iy as usize >= height {
                &[]
            } else {
                plane.get(iy as usize * width..(iy as usize + 1) * width).unwrap_or_default()
            };
            if whole && !row.is_empty() {
                for (target, &x) in target.iter_mut().zip(row.get(left as usize..).unwrap_or_default()) {
                    *target = x;
                }
            } else {
                for (kx, target) in target.iter_mut().enumerate() {
                    // A negative index wraps to one that no row has.
                    *target = row.get((left + kx as isize) as usize).copied().unwrap_or_default();
                }
            }
        }
    }
}

/// The transposed neighbourhood: for input position `(iy, ix)`, `patch[c, ky, kx]` is the error `dy[c, oy, ox]` of the
/// output that used this input with window element `(ky, kx)`, or zero where there is none.
#[inline]
pub fn gather_transposed<N: Number>(dy: &[N::Value], g: &Geometry, iy: usize, ix: usize, patch: &mut [N::Value]) {
    let [height, width] = g.output;
    let mut rows = patch.chunks_exact_mut(g.window[1].max(1));
    for plane in dy.chunks_exact((height * width).max(1)) {
        for ky in 0..g.window[0] {
            let Some(target) = rows.next() else { return };
            let row = match source(iy + g.padding[0], ky, g.stride[0], height) {
                Some(oy) => plane.get(oy * width..(oy + 1) * width).unwrap_or_default(),
                None => &[],
            };
            for (kx, target) in target.iter_mut().enumerate() {
                *target = match source(ix + g.padding[1], kx, g.stride[1], width) {
                    Some(ox) => row.get(ox).copied().unwrap_or_default(),
                    None => N::Value::default(),
                };
            }
        }
    }
}

/// The output index whose window element `k` lies on padded input index `i`, if there is one below `len`.
#[inline(always)]
fn source(i: usize, k: usize, stride: usize, len: usize) -> Option<usize> {
    let distance = i.checked_sub(k)?;
    if stride <= 1 {
        return (distance < len).then_some(distance);
    }
    let index = distance / stride;
    (index * stride == distance && index < len).then_some(index)
}
