//! Fixed point: `i16` values with a power-of-two scale per tensor, integer instructions only.
//!
//! Rounding, everywhere the same: a right shift by `n` adds `2^(n-1)` first, so halves go up (towards +inf). The one
//! exception is the weight update ([`Number::descend`]), where round-to-nearest would swallow every step below half a
//! unit: it adds uniform random bits instead, `(G*M + r) >> f` with r in `[0, 2^f)`, whose expectation is exact.
//! All results saturate. Accumulators are `i64`: a product has 30 bits, so 2^33 of them fit and no kernel needs a
//! limit on its length. (An `i32` accumulator needs headroom bits in every tensor; it is a later kernel's matter.)

use super::{Format, Number, Rate, random::Key};

/// Fraction bits of parameter gradients and optimizer state: range ±128, resolution 6e-8.
pub const GRADIENT_FRAC: i32 = 24;
/// Fraction bits of a reported loss.
pub const LOSS_FRAC: i32 = 16;

/// The 16-bit fixed-point format.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Fixed16;

/// `value / 2^shift` rounded half up; a negative shift multiplies, saturating.
#[inline(always)]
pub const fn round_shift(value: i64, shift: i32) -> i64 {
    if shift > 0 {
        if shift > 62 {
            return 0;
        }
        (value >> (shift - 1)).wrapping_add(1) >> 1
    } else {
        let up = if shift < -62 { 62 } else { -shift as u32 };
        let result = value.wrapping_shl(up);
        if result >> up == value {
            result
        } else if value < 0 {
            i64::MIN
        } else {
            i64::MAX
        }
    }
}

/// Clamps to the range of `i16`.
#[inline(always)]
pub const fn saturate16(value: i64) -> i16 {
    if value > i16::MAX as i64 {
        i16::MAX
    } else if value < i16::MIN as i64 {
        i16::MIN
    } else {
        value as i16
    }
}

/// A value among sums that have `shift` fraction bits more. It stays far enough from the end of `i64` that no sum of
/// products can go over it, whatever scales a file holds.
#[inline(always)]
const fn aligned(value: i16, shift: i32) -> i64 {
    const MOST: i64 = 1 << 61;
    let value = round_shift(value as i64, -shift);
    if value > MOST {
        MOST
    } else if value < -MOST {
        -MOST
    } else {
        value
    }
}

#[inline(always)]
const fn saturate32(value: i64) -> i32 {
    if value > i32::MAX as i64 {
        i32::MAX
    } else if value < i32::MIN as i64 {
        i32::MIN
    } else {
        value as i32
    }
}

impl Number for Fixed16 {
    type Value = i16;
    type Accumulator = i64;
    type Gradient = i32;
    type Loss = i32;
    type LossSum = i64;

    const FORMAT: Format = Format::Fixed16;
    const ZERO: i64 = 0;

    #[inline(always)]
    fn start(bias: i16, shift: i32) -> i64 {
        aligned(bias, shift)
    }
    #[inline(always)]
    fn mac(sum: i64, a: i16, b: i16) -> i64 {
        sum + (a as i32 * b as i32) as i64
    }
    #[inline(always)]
    fn add(sum: i64, a: i16, shift: i32) -> i64 {
        sum + aligned(a, shift)
    }
    #[inline(always)]
    fn finish(sum: i64, shift: i32) -> i16 {
        saturate16(round_shift(sum, shift))
    }
    #[inline(always)]
    fn divide(sum: i64, n: u32) -> i64 {
        // Floor division of (sum + n/2): halves go up. `n` is at least 1; `max` shows the compiler so.
        let n = (n as i64).max(1);
        (sum + n / 2).div_euclid(n)
    }
    #[inline(always)]
    fn add_values(old: i16, new: i16) -> i16 {
        old.saturating_add(new)
    }
    #[inline(always)]
    fn gradient(sum: i64, frac: i32) -> i32 {
        saturate32(round_shift(sum, frac - GRADIENT_FRAC))
    }
    #[inline(always)]
    fn gradient_product(a: i16, b: i16, frac: i32) -> i32 {
        Self::gradient((a as i32 * b as i32) as i64, frac)
    }
    #[inline(always)]
    fn add_gradients(old: i32, new: i32) -> i32 {
        old.saturating_add(new)
    }
    #[inline(always)]
    fn descend(w: i16, g: i32, rate: Rate, frac: i32, key: Key, index: u32) -> i16 {
        // Step in units of w's last place: rate * g * 2^(frac - GRADIENT_FRAC), with rate = mantissa / 2^exponent.
        let product = g as i64 * rate.mantissa() as i64;
        let shift = rate.exponent() + GRADIENT_FRAC - frac;
        let step = if shift <= 0 {
            round_shift(product, shift)
        } else {
            // Below 2^-32 of a unit nothing is left to round; the floor there is part of the contract.
            let (product, shift) = if shift > 32 { (product >> (shift - 32).min(62), 32) } else { (product, shift) };
            let random = (key.at(index) >> (32 - shift)) as i64;
            (product + random) >> shift
        };
        saturate16((w as i64).saturating_sub(step))
    }
    #[inline(always)]
    fn is_finite(_value: i16) -> bool {
        true
    }
    fn to_f32(value: i16, frac: i32) -> f32 {
        value as f32 * power_of_two(-frac)
    }
    fn from_f32(real: f32, frac: i32) -> i16 {
        // `as` saturates and takes NaN to 0; halves go up as everywhere in this format.
        libm::floorf(real * power_of_two(frac) + 0.5) as i16
    }
    #[inline(always)]
    fn add_loss(sum: i64, loss: i32) -> i64 {
        sum.saturating_add(i64::from(loss))
    }
    #[inline(always)]
    fn mean_loss(sum: i64, count: u32) -> i32 {
        saturate32(sum / i64::from(count).max(1))
    }
    #[inline(always)]
    fn loss_is_finite(_loss: i32) -> bool {
        true
    }
    fn loss_bits(loss: i32) -> u32 {
        loss as u32
    }
    fn loss_to_f32(loss: i32) -> f32 {
        loss as f32 * power_of_two(-LOSS_FRAC)
    }
    #[inline(always)]
    fn floats(_values: &[i16]) -> Option<&[f32]> {
        None
    }
    #[inline(always)]
    fn floats_mut(_values: &mut [i16]) -> Option<&mut [f32]> {
        None
    }
    #[inline(always)]
    fn gradient_floats_mut(_values: &mut [i32]) -> Option<&mut [f32]> {
        None
    }
    #[inline(always)]
    fn sum_floats_mut(_sums: &mut [i64]) -> Option<&mut [f32]> {
        None
    }
    #[inline(always)]
    fn view(words: &[u32]) -> &[i16] {
        bytemuck::must_cast_slice(words)
    }
    #[inline(always)]
    fn view_mut(words: &mut [u32]) -> &mut [i16] {
        bytemuck::must_cast_slice_mut(words)
    }

    #[inline(always)]
    fn gradient_floats(_values: &[i32]) -> Option<&[f32]> {
        None
    }
    #[inline(always)]
    fn fixed(values: &[i16]) -> Option<&[i16]> {
        Some(values)
    }
    #[inline(always)]
    fn fixed_mut(values: &mut [i16]) -> Option<&mut [i16]> {
        Some(values)
    }
    #[inline(always)]
    fn gradient_fixed(values: &[i32]) -> Option<&[i32]> {
        Some(values)
    }
    #[inline(always)]
    fn gradient_fixed_mut(values: &mut [i32]) -> Option<&mut [i32]> {
        Some(values)
    }
    #[inline(always)]
    fn loss_from_f32(_loss: f32) -> i32 {
        0
    }
    #[inline(always)]
    fn loss_from_fixed(loss: i32) -> i32 {
        loss
    }
}

fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent.clamp(-126, 127) + 127) as u32) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_up() {
        assert_eq!(round_shift(3, 1), 2);
        assert_eq!(round_shift(-3, 1), -1);
        assert_eq!(round_shift(5, 2), 1);
        assert_eq!(round_shift(6, 2), 2);
        assert_eq!(round_shift(-6, 2), -1);
        assert_eq!(round_shift(3, -2), 12);
        assert_eq!(round_shift(i64::MAX / 2, -3), i64::MAX);
        assert_eq!(Fixed16::divide(-5, 2), -2);
        assert_eq!(Fixed16::divide(5, 2), 3);
    }

    #[test]
    fn no_scale_overflows_a_sum() {
        // An overflow would panic here; beyond 46 bits the two terms outweigh the product, and their sign remains.
        for shift in [-300, -62, 0, 46, 47, 61, 62, 63, 300] {
            for value in [i16::MIN, -1, 1, i16::MAX] {
                let sum = Fixed16::add(Fixed16::mac(Fixed16::start(value, shift), value, value), value, shift);
                assert!(shift < 47 || sum.signum() == i64::from(value.signum()), "{value} at {shift}: {sum}");
            }
        }
    }

    #[test]
    fn an_update_below_one_unit_is_right_on_average() {
        // rate 2^-7, gradient 1.0, w with 4 fraction bits: the step is 2^-7 * 16 = 1/8 of a unit.
        let rate = Rate::new(1.0 / 128.0);
        let sum: i64 = (0..8000)
            .map(|i| Fixed16::descend(100, 1 << GRADIENT_FRAC, rate, 4, Key::new(7, 0, 0), i) as i64 - 100)
            .sum();
        // 8000 draws of a Bernoulli(1/8): mean -1000, standard deviation 29.6; five of them are allowed.
        assert!((sum + 1000).abs() < 148, "{sum}");
    }
}
