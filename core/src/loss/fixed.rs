//! Losses in 16-bit fixed point, integer instructions only.

use super::exponential::{EXP_FRAC, exp_negative, ln_of_sum};
use crate::number::{LOSS_FRAC, round_shift, saturate16};

/// The most fraction bits that a gradient gets: those of a parameter gradient, which could show no more.
const MOST_BITS: i32 = crate::number::GRADIENT_FRAC;
/// Bits that the largest element of a gradient uses, without its sign.
const USED_BITS: i32 = 14;

/// The gradient and loss of a target that can't be used.
pub(super) fn nothing(dy: &mut [i16]) -> (i32, i32) {
    dy.fill(0);
    (0, USED_BITS)
}

fn saturate32(value: i64) -> i32 {
    value.clamp(i32::MIN as i64, i32::MAX as i64) as i32
}

/// How far to shift integers with `frac` fraction bits, the largest being `largest`, and the fraction bits after it.
fn scale(largest: u64, frac: i32) -> (i32, i32) {
    if largest == 0 {
        return (frac - USED_BITS, USED_BITS);
    }
    let mut shift = 64 - largest.leading_zeros() as i32 - USED_BITS;
    // Rounding may carry into the next bit.
    if shift > 0 && round_shift(largest as i64, shift) >= 1 << USED_BITS {
        shift += 1;
    }
    let shift = shift.max(frac - MOST_BITS);
    (shift, frac - shift)
}

/// What the passes over the outputs of a softmax share.
struct Softmax {
    max: i16,
    sum: u64,
    /// Fraction bits of the output.
    frac: i32,
}

impl Softmax {
    fn new(x: &[i16], frac: i32) -> Softmax {
        let max = x.iter().copied().max().unwrap_or_default();
        let mut softmax = Softmax { max, sum: 0, frac };
        softmax.sum = x.iter().map(|&x| u64::from(softmax.exp(x))).sum();
        softmax
    }

    /// `max - x`, at most 2^16.
    fn below(&self, x: i16) -> u32 {
        (i32::from(self.max) - i32::from(x)) as u32
    }

    fn exp(&self, x: i16) -> u32 {
        exp_negative(self.below(x), self.frac)
    }

    fn loss(&self, right: i16) -> i32 {
        let below = round_shift(i64::from(self.below(right)), self.frac - LOSS_FRAC);
        saturate32(below.saturating_add(i64::from(ln_of_sum(self.sum))))
    }

    /// `1 / sum` as a factor in `(2^30, 2^31]` and the shift that follows, so that a probability costs no division.
    fn share(&self) -> (u64, i32) {
        // The largest element alone brings 2^30 to the sum; at most 2^16 elements make 2^46.
        let whole = 63 - self.sum.max(1 << EXP_FRAC).leading_zeros();
        let top = if whole > 31 { self.sum >> (whole - 31) } else { self.sum << (31 - whole) };
        // p = e / sum = e * (2^62 / top) / 2^62 / 2^(whole - 31), with 30 fraction bits as e has.
        ((1u64 << 62) / top.max(1 << 31), whole as i32 + 1)
    }
}

/// `ln Σ exp(x_i) - x_label` with [`LOSS_FRAC`] fraction bits, within 2^-15 of the real one; 0 for a label out of range.
pub(super) fn softmax_value(x: &[i16], label: u16, frac: i32) -> i32 {
    match x.get(usize::from(label)) {
        Some(&right) => Softmax::new(x, frac).loss(right),
        None => 0,
    }
}

/// `dy = p - onehot`; returns the loss and the fraction bits of `dy`.
///
/// With n outputs a probability is within (n + 2) 2^-29 of the real one: 2^-29 from its exponential, n times that from the
/// sum's (of which one is exact), 2^-29 from the reciprocal and the rounding; to that comes the rounding of `dy` to its
/// own last place. The exponentials are computed twice, which is
/// cheaper than memory for them.
#[inline(never)]
pub(super) fn softmax_backward(x: &[i16], label: u16, frac: i32, dy: &mut [i16]) -> (i32, i32) {
    let label = usize::from(label);
    let Some(&right) = x.get(label) else { return nothing(dy) };
    let softmax = Softmax::new(x, frac);
    let (share, down) = softmax.share();
    let probability = |x: i16| round_shift((u64::from(softmax.exp(x)) * share) as i64, down);
    // |p_label - 1| is the sum of all other p, so none of those is larger.
    let largest = ((1i64 << EXP_FRAC) - probability(right)).max(0);
    let (shift, bits) = scale(largest as u64, EXP_FRAC as i32);
    for (i, (dy, &x)) in dy.iter_mut().zip(x).enumerate() {
        let p = if i == label { -largest } else { probability(x) };
        *dy = saturate16(round_shift(p, shift));
    }
    (softmax.loss(right), bits)
}

/// `mean (x_i - t_i)²` with [`LOSS_FRAC`] fraction bits: rounded once or twice, saturated.
pub(super) fn squared_value(x: &[i16], t: &[i16], frac: i32) -> i32 {
    let n = x.len().min(t.len()).max(1) as u64;
    let square = |(&x, &t): (&i16, &i16)| {
        let d = u64::from(x.abs_diff(t));
        d * d
    };
    let sum: u64 = x.iter().zip(t).map(square).sum();
    // Bits that the quotient would lose are shifted in before the division.
    let shift = 2 * frac - LOSS_FRAC;
    let (before, after) = if shift < 0 { (shift, 0) } else { (0, shift) };
    let sum = round_shift(sum as i64, before) as u64;
    saturate32(round_shift(((sum + n / 2) / n) as i64, after))
}

/// `dy = 2 (x - t) / n`; returns the loss and the fraction bits of `dy`, which is within 2^-17 of the real one (relatively)
/// before its rounding.
#[inline(never)]
pub(super) fn squared_backward(x: &[i16], t: &[i16], frac: i32, dy: &mut [i16]) -> (i32, i32) {
    if t.len() < x.len() {
        return nothing(dy);
    }
    let n = x.len().max(1) as u32;
    // 1/n = inverse / 2^(16 + log), inverse in [2^16, 2^17) and exact for a power of two.
    let log = 32 - (n - 1).leading_zeros();
    let inverse = (((1u64 << (16 + log)) + u64::from(n / 2)) / u64::from(n)) as i64;
    let slope = |x: i16, t: i16| (i64::from(x) - i64::from(t)) * inverse;
    let largest = x.iter().zip(t).map(|(&x, &t)| slope(x, t).unsigned_abs()).max().unwrap_or_default();
    let (shift, bits) = scale(largest, frac - 1 + 16 + log as i32);
    for (dy, (&x, &t)) in dy.iter_mut().zip(x.iter().zip(t)) {
        *dy = saturate16(round_shift(slope(x, t), shift));
    }
    (squared_value(x, t, frac), bits)
}
