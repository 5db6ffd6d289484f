//! What transformers need, over rows of features: layer norm, softmax, embedding.
//!
//! The loops are structures with a [`WithSimd`], so that they are compiled once for each kind of processor and take its
//! widest vectors. Nothing is reordered or contracted for that: the bits are the same for each.

use super::maths::{exp, largest, sum};
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

/// Rows of a part that has a gradient of its own.
const PART: usize = 64;
/// Rows of a thread's part elsewhere.
const ROWS: usize = 16;

/// What a layer norm has and keeps.
pub(super) struct Norm<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub epsilon: f32,
}

impl Norm<'_> {
    /// Normalises each row of `x`; keeps `1 / deviation` and `mean` of each.
    pub fn forward(&self, x: &[f32], y: &mut [f32], kept: &mut [[f32; 2]]) {
        let len = ROWS * self.weight.len();
        let parts = x.par_chunks(len).zip(y.par_chunks_mut(len)).zip(kept.par_chunks_mut(ROWS));
        parts.for_each(|((x, y), kept)| AutoArch::new().dispatch(NormRows { norm: self, x, y, kept }));
    }
}

struct NormRows<'a> {
    norm: &'a Norm<'a>,
    x: &'a [f32],
    y: &'a mut [f32],
    kept: &'a mut [[f32; 2]],
}

impl WithSimd for NormRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Norm { weight: w, bias: b, epsilon } = *self.norm;
        let width = w.len();
        for ((x, y), kept) in self.x.chunks_exact(width).zip(self.y.chunks_exact_mut(width)).zip(self.kept) {
            let mean = sum([x], |[x]| x) / width as f32;
            let variance = sum([x], |[x]| (x - mean) * (x - mean)) / width as f32;
            let inverse = 1.0 / (variance + epsilon).sqrt();
            *kept = [inverse, mean];
            for (((y, x), w), b) in y.iter_mut().zip(x).zip(w).zip(b) {
                *y = (x - mean) * inverse * w + b;
            }
        }
    }
}

/// The error of the rows in place of that of the normalised ones, and the gradients of weight and bias, one after the
/// other: summed over rows within parts of [`PART`], and over parts in order.
pub(super) fn layer_norm_back(x: &[f32], w: &[f32], kept: &[[f32; 2]], dy: &mut [f32]) -> Vec<f32> {
    let width = w.len();
    let mut partial = vec![0.0; kept.len().div_ceil(PART) * 2 * width];
    let parts = dy.par_chunks_mut(PART * width).zip(x.par_chunks(PART * width)).zip(kept.par_chunks(PART));
    parts.zip(partial.par_chunks_exact_mut(2 * width)).for_each(|(((dy, x), kept), partial)| {
        AutoArch::new().dispatch(NormBack { x, w, kept, dy, partial });
    });
    fold(partial, 2 * width)
}

struct NormBack<'a> {
    x: &'a [f32],
    w: &'a [f32],
    kept: &'a [[f32; 2]],
    dy: &'a mut [f32],
    partial: &'a mut [f32],
}

impl WithSimd for NormBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let (w, width) = (self.w, self.w.len());
        let (dw, db) = self.partial.split_at_mut(width);
        let rows = self.dy.chunks_exact_mut(width).zip(self.x.chunks_exact(width)).zip(self.kept);
        for ((dy, x), &[inverse, mean]) in rows {
            for (((dw, db), x), dy) in dw.iter_mut().zip(&mut *db).zip(x).zip(&*dy) {
                *dw += dy * (x - mean) * inverse;
                *db += dy;
            }
            // With g = dy w and z the normalised row: dx = inverse (g - mean(g) - z mean(g z)).
            let of_g = sum([dy, w], |[dy, w]| dy * w) / width as f32;
            let of_gz = sum([dy, w, x], |[dy, w, x]| dy * w * (x - mean)) * inverse / width as f32;
            for ((dy, x), w) in dy.iter_mut().zip(x).zip(w) {
                *dy = inverse * (*dy * w - of_g - (x - mean) * inverse * of_gz);
            }
        }
    }
}

/// The sum of parts of `len`, in order.
pub(super) fn fold(mut parts: Vec<f32>, len: usize) -> Vec<f32> {
    let (first, rest) = parts.split_at_mut(len);
    for part in rest.chunks_exact(len) {
        first.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
    parts.truncate(len);
    parts
}

/// Rows of the table `[vocabulary, features]`; an id outside takes the nearest, as `lower/embedding.rs`.
pub(super) fn embedding([vocabulary, features]: [usize; 2], ids: &[f32], table: &[f32], y: &mut [f32]) {
    for (y, &id) in y.chunks_exact_mut(features).zip(ids) {
        let row = (id.max(0.0) as usize).min(vocabulary - 1);
        y.copy_from_slice(&table[row * features..(row + 1) * features]);
    }
}

/// The gradient of the table: rows added in the order of the tokens.
pub(super) fn embedding_back([vocabulary, features]: [usize; 2], ids: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut table = vec![0.0; vocabulary * features];
    for (dy, &id) in dy.chunks_exact(features).zip(ids) {
        let row = (id.max(0.0) as usize).min(vocabulary - 1);
        table[row * features..(row + 1) * features].iter_mut().zip(dy).for_each(|(g, dy)| *g += dy);
    }
    table
}

/// What a row sees of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    /// From a row to the next.
    pub stride: usize,
    /// Elements that the first row sees.
    pub first: usize,
    /// How many more each row sees than the one before.
    pub more: usize,
    /// What elements are multiplied with first.
    pub scale: f32,
}

impl Sight {
    /// Of all of a row.
    pub const fn whole(width: usize) -> Sight {
        Sight { stride: width, first: width, more: 0, scale: 1.0 }
    }

    /// Elements of row `i`: those that it sees, and the end of the last vector of them.
    fn ends(&self, i: usize) -> [usize; 2] {
        let seen = self.first + i * self.more;
        [seen, seen.next_multiple_of(16).min(self.stride)]
    }
}

/// `x_j` to `e^(scale x_j) / Σ_k e^(scale x_k)`, over the elements that a row sees, and 0 beyond. The largest is subtracted
/// first, so that nothing overflows.
pub(super) fn softmax(rows: &mut [f32], sight: Sight) {
    AutoArch::new().dispatch(Softmax { rows, sight });
}

struct Softmax<'a> {
    rows: &'a mut [f32],
    sight: Sight,
}

impl WithSimd for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let scale = self.sight.scale;
        for (i, row) in self.rows.chunks_exact_mut(self.sight.stride).enumerate() {
            let [seen, end] = self.sight.ends(i);
            let (row, beyond) = row.split_at_mut(end);
            // Whole vectors: what isn't seen has a share of 0.
            row[seen..].fill(f32::NEG_INFINITY);
            beyond.fill(0.0);
            let largest = largest(row);
            row.iter_mut().for_each(|v| *v = exp((*v - largest) * scale));
            let factor = 1.0 / sum([row], |[v]| v);
            row.iter_mut().for_each(|v| *v *= factor);
        }
    }
}

/// The error of rows from that of their shares `p`, in its place.
pub(super) fn softmax_back(p: &[f32], dy: &mut [f32], sight: Sight) {
    AutoArch::new().dispatch(SoftmaxBack { p, dy, sight });
}

struct SoftmaxBack<'a> {
    p: &'a [f32],
    dy: &'a mut [f32],
    sight: Sight,
}

impl WithSimd for SoftmaxBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let Sight { stride, scale, .. } = self.sight;
        for (i, (dy, p)) in self.dy.chunks_exact_mut(stride).zip(self.p.chunks_exact(stride)).enumerate() {
            let [seen, end] = self.sight.ends(i);
            let ((dy, beyond), p) = (dy.split_at_mut(end), &p[..end]);
            dy[seen..].fill(0.0);
            beyond.fill(0.0);
            let mean = sum([dy, p], |[dy, p]| dy * p);
            dy.iter_mut().zip(p).for_each(|(dy, p)| *dy = p * (*dy - mean) * scale);
        }
    }
}
