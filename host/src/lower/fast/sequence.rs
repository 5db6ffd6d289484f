//! What transformers need, over rows of features: layer norm, GELU and its like, embedding.

use super::maths::{erf, exp, sum};
use emberlite::op::Smooth;
use rayon::prelude::*;

/// Rows of a part that has a gradient of its own.
const PART: usize = 64;

/// Normalises each row of `width` numbers; keeps `1 / deviation` and `mean` of each in `kept`.
pub(super) fn layer_norm(x: &[f32], w: &[f32], b: &[f32], epsilon: f32, y: &mut [f32], kept: &mut [[f32; 2]]) {
    let width = w.len();
    let rows = x.par_chunks_exact(width).zip(y.par_chunks_exact_mut(width)).zip(kept);
    rows.with_min_len(16).for_each(|((x, y), kept)| {
        let mean = sum(width, |i| x[i]) / width as f32;
        let variance = sum(width, |i| (x[i] - mean) * (x[i] - mean)) / width as f32;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        *kept = [inverse, mean];
        for (((y, x), w), b) in y.iter_mut().zip(x).zip(w).zip(b) {
            *y = (x - mean) * inverse * w + b;
        }
    });
}

/// The error of the rows in place of that of the normalised ones, and the gradients of weight and bias, one after the
/// other: summed over rows within parts of [`PART`], and over parts in order.
pub(super) fn layer_norm_back(x: &[f32], w: &[f32], kept: &[[f32; 2]], dy: &mut [f32]) -> Vec<f32> {
    let width = w.len();
    let mut partial = vec![0.0; kept.len().div_ceil(PART) * 2 * width];
    let parts = dy.par_chunks_mut(PART * width).zip(x.par_chunks(PART * width)).zip(kept.par_chunks(PART));
    parts.zip(partial.par_chunks_exact_mut(2 * width)).for_each(|(((dy, x), kept), partial)| {
        let (dw, db) = partial.split_at_mut(width);
        let rows = dy.chunks_exact_mut(width).zip(x.chunks_exact(width)).zip(kept);
        for ((dy, x), &[inverse, mean]) in rows {
            for (((dw, db), x), dy) in dw.iter_mut().zip(&mut *db).zip(x).zip(&*dy) {
                *dw += dy * (x - mean) * inverse;
                *db += dy;
            }
            // With g = dy w and z the normalised row: dx = inverse (g - mean(g) - z mean(g z)).
            let of_g = sum(width, |i| dy[i] * w[i]) / width as f32;
            let of_gz = sum(width, |i| dy[i] * w[i] * (x[i] - mean)) * inverse / width as f32;
            for ((dy, x), w) in dy.iter_mut().zip(x).zip(w) {
                *dy = inverse * (*dy * w - of_g - (x - mean) * inverse * of_gz);
            }
        }
    });
    fold(partial, 2 * width)
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

/// Shares `e^(scale x) / Σ e^(scale x)` of a row in its place. The largest is subtracted first, so that nothing overflows.
pub(super) fn softmax(row: &mut [f32], scale: f32) {
    let largest = row.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    row.iter_mut().for_each(|v| *v = exp((*v - largest) * scale));
    let factor = 1.0 / sum(row.len(), |j| row[j]);
    row.iter_mut().for_each(|v| *v *= factor);
}

/// The error of a row from that of its shares `p`, in its place.
pub(super) fn softmax_back(p: &[f32], dy: &mut [f32], scale: f32) {
    let mean = sum(p.len(), |j| dy[j] * p[j]);
    dy.iter_mut().zip(p).for_each(|(dy, p)| *dy = p * (*dy - mean) * scale);
}

/// Elements of a thread's part.
const ELEMENTS: usize = 1 << 14;

/// `y = f(x)`.
pub(super) fn smooth(kind: Smooth, x: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(ELEMENTS).zip(x.par_chunks(ELEMENTS)).for_each(|(y, x)| {
        let pairs = y.iter_mut().zip(x);
        match kind {
            Smooth::Gelu => pairs.for_each(|(y, &x)| *y = x * normal(x).0),
            Smooth::GeluTanh => pairs.for_each(|(y, &x)| *y = x * by_tanh(x).0),
            Smooth::Silu => pairs.for_each(|(y, &x)| *y = x / (1.0 + exp(-x))),
            Smooth::HardSwish => pairs.for_each(|(y, &x)| *y = x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        }
    });
}

/// The error of `x` in place of that of `y`.
pub(super) fn smooth_back(kind: Smooth, x: &[f32], dy: &mut [f32]) {
    dy.par_chunks_mut(ELEMENTS).zip(x.par_chunks(ELEMENTS)).for_each(|(dy, x)| {
        let pairs = dy.iter_mut().zip(x);
        match kind {
            Smooth::Gelu => pairs.for_each(|(d, &x)| {
                let (share, density) = normal(x);
                *d *= share + x * density;
            }),
            Smooth::GeluTanh => pairs.for_each(|(d, &x)| {
                let (share, slope) = by_tanh(x);
                *d *= share + x * slope;
            }),
            Smooth::Silu => pairs.for_each(|(d, &x)| {
                let s = 1.0 / (1.0 + exp(-x));
                *d *= s * (1.0 + x * (1.0 - s));
            }),
            Smooth::HardSwish => pairs.for_each(|(d, &x)| {
                // PyTorch's sides at the kinks.
                let slope = if x <= -3.0 { 0.0 } else { x / 3.0 + 0.5 };
                *d *= if x >= 3.0 { 1.0 } else { slope };
            }),
        }
    });
}

/// The normal distribution's function and density.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let gauss = exp(-0.5 * x * x);
    (0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2, gauss), gauss * 0.398_942_3)
}

/// `(1 + tanh u) / 2` and its slope, `u = sqrt(2/π) (x + 0.044715 x³)`.
#[inline(always)]
fn by_tanh(x: f32) -> (f32, f32) {
    const FACTOR: f32 = 0.797_884_6;
    let square = x * x;
    let u = FACTOR * x * (1.0 + 0.044_715 * square);
    // (1 + tanh u) / 2 = 1 / (1 + e^(-2u)).
    let share = 1.0 / (1.0 + exp(-2.0 * u));
    (share, 2.0 * share * (1.0 - share) * FACTOR * (1.0 + 3.0 * 0.044_715 * square))
}
