//! The rules in 16-bit fixed point, integer instructions only.
//!
//! A step is rounded to the weight's last place stochastically, whatever the rule: [`Number::descend`].

use super::moment::{Squares, mean, root_of};
use super::range::{integer, is_infinite};
use super::{Optimizer, OptimizerKind, OptimizerSet, StepSettings};
use crate::number::{Fixed16, GRADIENT_FRAC, Number, Rate, round_shift};

/// One row's step, from gradients with 24 fraction bits.
#[inline(always)]
pub(super) fn step(
    optimizer: &Optimizer,
    linked: OptimizerSet,
    w: &mut [i16],
    [a, b]: [&mut [i32]; 2],
    gradient: impl Iterator<Item = i32>,
    step: &StepSettings,
) {
    let limit = limit(step);
    let gradient = gradient.map(|g| g.min(limit).max(-limit));
    let indices = core::iter::successors(Some(step.first), |i| Some(i.wrapping_add(1)));
    match *optimizer {
        Optimizer::Sgd { .. }
            if linked.has_kind(OptimizerKind::Descent) && optimizer.kind() == OptimizerKind::Descent =>
        {
            for ((w, g), i) in w.iter_mut().zip(gradient).zip(indices) {
                *w = Fixed16::descend(*w, g, step.rate, step.frac, step.key, i);
            }
        }
        Optimizer::Sgd { momentum, .. }
            if linked.has_kind(OptimizerKind::Momentum) && optimizer.kind() == OptimizerKind::Momentum =>
        {
            let momentum = integer(momentum, 30);
            for (((w, v), g), i) in w.iter_mut().zip(a).zip(gradient).zip(indices) {
                let sum = round_shift(i64::from(*v) * momentum, 30) + i64::from(g);
                *v = sum.clamp(i32::MIN as i64, i32::MAX as i64) as i32;
                *w = Fixed16::descend(*w, *v, step.rate, step.frac, step.key, i);
            }
        }
        Optimizer::Adam { beta1, beta2, epsilon, .. } if linked.has_kind(OptimizerKind::Adam) => {
            let share = (1 << 30) - integer(beta1, 30);
            let squares = Squares::new(beta2);
            let ratio = Ratio { root_rate: step.corrections.root_rate, epsilon: Rate::new(epsilon) };
            let rate = step.rate.times(step.corrections.rate_factor);
            for ((((w, m), v), g), i) in w.iter_mut().zip(a).zip(b).zip(gradient).zip(indices) {
                *m = mean(*m, g, share, step.key.at(i));
                let word = squares.update(*v as u32, g);
                *v = word as i32;
                let (quotient, bits) = ratio.of(*m, word);
                // `descend` takes its gradient for one with 24 fraction bits.
                *w = Fixed16::descend(*w, quotient, rate, step.frac + GRADIENT_FRAC - bits, step.key, i);
            }
        }
        _ => {}
    }
}

/// One row's step from the gradients `x[i] * factor`, products with `frac` fraction bits.
#[inline(always)]
#[allow(clippy::too_many_arguments, reason = "as the function it serves")]
pub(super) fn step_product(
    optimizer: &Optimizer,
    linked: OptimizerSet,
    w: &mut [i16],
    state: [&mut [i32]; 2],
    x: &[i16],
    factor: i16,
    frac: i32,
    settings: &StepSettings,
) {
    if linked.has_kind(OptimizerKind::Descent)
        && optimizer.kind() == OptimizerKind::Descent
        && is_infinite(settings.clip_value)
    {
        descend(w, x, factor, frac, settings);
    } else {
        let gradient = x.iter().map(|&x| Fixed16::gradient_product(x, factor, frac));
        step(optimizer, linked, w, state, gradient, settings);
    }
}

/// 2^32 divided by the golden ratio, odd.
const GOLDEN: u32 = 0x9e37_79b9;

/// `w -= rate * factor * x`, 32-bit arithmetic throughout: `(c * x + random) >> shift` with the shared factor c rounded to
/// 15 bits.
///
/// The random numbers of a row are a hash of its place plus multiples of the golden ratio (a Weyl sequence, randomly
/// shifted: Cranley and Patterson, 1976), cut to the bits in use. Each is uniform and, from step to step, independent,
/// which is all that unbiased rounding asks for; within the row they are spread more evenly than independent ones. Two
/// instructions an element, where a hash costs eleven: 11 in all on Cortex-M4, about 23 on Cortex-M0.
#[inline(never)]
fn descend(w: &mut [i16], x: &[i16], factor: i16, frac: i32, step: &StepSettings) {
    let c = step.rate.mantissa() * i32::from(factor);
    if c == 0 {
        return; // as in f32: a row of zero errors
    }
    let drop = (17 - c.unsigned_abs().leading_zeros() as i32).max(0);
    // A unit of `c * x` is 2^-shift of the weight's; the sum below fits 32 bits with c of 2^15 and a shift of 30. Beyond, c
    // loses bits: of a step below 2^-k units only 15 - k bits are right. At the other end one of 2^16 - 1 units saturates.
    let shift = step.rate.exponent() - drop + frac - step.frac;
    let c = match drop + (shift - 30).max(0) + shift.min(0) {
        32.. => 0,
        down @ 1..32 => ((c >> (down - 1)) + 1) >> 1,
        up @ -15..=0 if c.unsigned_abs() <= 0xffff => c << -up,
        _ => 0xffff * c.signum(),
    };
    let c = c.clamp(-0xffff, 0xffff);
    let shift = shift.clamp(0, 30) as u32;
    let mask = (1 << shift) - 1;
    let stride = (GOLDEN >> 1 >> (31 - shift)) | 1;
    let mut random = step.key.at(step.first) & mask;
    for (w, &x) in w.iter_mut().zip(x) {
        let new = i32::from(*w) - ((c * i32::from(x) + random as i32) >> shift);
        *w = match new as i16 {
            same if i32::from(same) == new => same,
            _ if new < 0 => i16::MIN,
            _ => i16::MAX,
        };
        random = (random + stride) & mask;
    }
}

/// The clipping limit with 24 fraction bits.
fn limit(step: &StepSettings) -> i32 {
    integer(step.clip_value, GRADIENT_FRAC).clamp(0, i32::MAX as i64) as i32
}

/// Adam's direction.
struct Ratio {
    /// `1 / sqrt(1 - beta2^t)`.
    root_rate: Rate,
    epsilon: Rate,
}

impl Ratio {
    /// `m / (root(v) / sqrt(1 - beta2^t) + epsilon)` as a quotient below 2^18 in size and its fraction bits; within 2^-13.
    ///
    /// Relative errors: the root 2^-16 (and its moment's), its rate 2^-14, the denominator's rounding to 16 bits 2^-16,
    /// the quotient's 2^-15, epsilon 2^-15 of its part.
    #[inline(always)]
    fn of(&self, m: i32, word: u32) -> (i32, i32) {
        let size = m.unsigned_abs();
        if size == 0 {
            return (0, 0);
        }
        let (root, bits) = root_of(word);
        // A product of 17 and 16 bits, and epsilon brought to its fraction bits.
        let (root, bits) = match root {
            0 => (0, self.epsilon.exponent()),
            _ => (u64::from(root) * self.root_rate.mantissa() as u64, bits + self.root_rate.exponent()),
        };
        let epsilon = round_shift(i64::from(self.epsilon.mantissa()), self.epsilon.exponent() - bits) as u64;
        let sum = root + epsilon;
        // The denominator with 16 bits: divisor / 2^bits.
        let down = 48 - sum.leading_zeros() as i32;
        let divisor = (round_shift(sum as i64, down) as u32).max(1);
        let bits = bits - down;
        let up = size.leading_zeros();
        let quotient = ((size << up) / divisor) as i32;
        (if m < 0 { -quotient } else { quotient }, GRADIENT_FRAC + up as i32 - bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::random::Key;
    use crate::optimizer::Corrections;

    #[test]
    fn adams_direction_follows_f64() {
        let key = Key::new(9, 9, 9);
        let mut worst = 0.0f64;
        for case in 0..60_000u32 {
            let epsilon = [1e-8f32, 1e-8, 1e-3, 1e-12, 1.0][case as usize % 5];
            let m = (key.at(2 * case) as i32) >> (key.at(case) % 31);
            let g = ((key.at(2 * case + 1) as i32) >> (key.at(case + 7) % 31)).max(1);
            let word = Squares::new(0.0).update(0, g);
            let (root, bits) = root_of(word);
            let root = f64::from(root) * libm::exp2(-f64::from(bits));
            let t = case % 3000 + 1;
            let corrections = Corrections::at::<Fixed16>(OptimizerSet::ALL, &Optimizer::adam(0.0), t);
            let ratio = Ratio { root_rate: corrections.root_rate, epsilon: Rate::new(epsilon) };
            let (quotient, bits) = ratio.of(m, word);
            let correction = libm::sqrt(1.0 - libm::pow(f64::from(0.999f32), f64::from(t)));
            let exact = f64::from(m) / f64::from(1 << 24) / (root / correction + f64::from(epsilon));
            let got = f64::from(quotient) * libm::exp2(-f64::from(bits));
            assert!(quotient.unsigned_abs() < 1 << 18);
            if m != 0 {
                worst = worst.max((got / exact - 1.0).abs());
            } else {
                assert_eq!(quotient, 0);
            }
        }
        assert!(worst <= libm::exp2(-13.0), "{worst:e}");
    }
}
