//! Loops of convolutions whose window size is known when they are compiled.
//!
//! The usual windows are short (3, 5, 3x3), and a general loop over nine elements spends more on its set-up than on its
//! products: on Cortex-M4 about 8 instructions per MAC, against about 2.5 here.

use super::slide::{first, next};
use crate::number::Number;

/// Part of a weight gradient, for four error planes and `K` neighbouring window columns at once: `sums[k][r] += Σ_j Σ_i
/// errors[r][j][i] * x[j][i + k - left]`, rows j and then columns i ascending, with zeros beyond both ends of a row of
/// `x`.
///
/// Rows are `width` and `x_width` elements long and follow each other; there are as many as every plane has. The window
/// slides along `x`, so that every input is loaded once for `4 K` products. Adding the product of a zero changes no bit
/// of a finite sum, so the result is that of leaving those elements out.
#[inline]
pub fn correlate_rows<N: Number, const K: usize>(
    mut sums: [[N::Accumulator; 4]; K],
    x: &[N::Value],
    x_width: usize,
    left: usize,
    errors: [&[N::Value]; 4],
    width: usize,
) -> [[N::Accumulator; 4]; K] {
    let [a, b, c, d] = errors.map(|errors| errors.chunks_exact(width.max(1)));
    for ((((x, a), b), c), d) in x.chunks_exact(x_width.max(1)).zip(a).zip(b).zip(c).zip(d) {
        sums = row::<N, K>(sums, x, left, [a, b, c, d]);
    }
    sums
}

#[inline(always)]
fn row<N: Number, const K: usize>(
    mut sums: [[N::Accumulator; 4]; K],
    x: &[N::Value],
    left: usize,
    errors: [&[N::Value]; 4],
) -> [[N::Accumulator; 4]; K] {
    let mut x = x.iter();
    let mut window: [N::Value; K] = first(&mut x, left);
    let [a, b, c, d] = errors;
    for (((&a, &b), &c), &d) in a.iter().zip(b).zip(c).zip(d) {
        window = next(window, &mut x);
        for (sums, &x) in sums.iter_mut().zip(&window) {
            *sums = [N::mac(sums[0], a, x), N::mac(sums[1], b, x), N::mac(sums[2], c, x), N::mac(sums[3], d, x)];
        }
    }
    sums
}

/// Four sums `Σ_o Σ_k w[o, r, k] * patch[o, k]`, in that order, over windows of `K` elements: `w` starts at the first
/// of the four rows, and the next `o` is `stride` elements on; `patch` is `[o, K]`.
#[inline]
pub fn gather_products<N: Number, const K: usize>(
    w: &[N::Value],
    stride: usize,
    patch: &[N::Value],
) -> [N::Accumulator; 4] {
    let [mut s0, mut s1, mut s2, mut s3] = [N::ZERO; 4];
    let mut w = w;
    for patch in patch.as_chunks::<K>().0 {
        let rows = w.get(..4 * K).unwrap_or_default().as_chunks::<K>().0;
        let [a, b, c, d] = rows else { break };
        for ((((&x, &a), &b), &c), &d) in patch.iter().zip(a).zip(b).zip(c).zip(d) {
            s0 = N::mac(s0, a, x);
            s1 = N::mac(s1, b, x);
            s2 = N::mac(s2, c, x);
            s3 = N::mac(s3, d, x);
        }
        w = w.get(stride..).unwrap_or_default();
    }
    [s0, s1, s2, s3]
}
