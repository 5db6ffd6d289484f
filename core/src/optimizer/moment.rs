//! Adam's moments in fixed point.
//!
//! The mean of gradients m has the gradients' 24 fraction bits. It is rounded stochastically: to nearest, a mean below
//! five units would never fall to 0 (0.9 * 4 = 3.6 is rounded to 4) while the root below it does, and their ratio would
//! move the weight of a dead unit by a full step for ever.
//!
//! The mean of squares v needs range: a gradient of 2^-24 adds 2^-58 to it, one of 2^7 up to 2^14. So its word is a small
//! unsigned float, `mantissa * 2^(exponent - 72)` with a 26-bit mantissa and a 6-bit exponent, gradually down to 0; zero is
//! the word 0. (Tried before: the root of v in a 32-bit integer. Decay by 0.9995 a step then stands still below 1000
//! units, and 1000 units are 4e-6 even at a range of only ±8.) Against f64 on 2000 steps of random gradients of one size
//! between 2^-20 and 2^5 the root is within 2^-14.

use super::power::root;
use super::range::integer;
use crate::number::random::mix;

/// `m + (g - m) * share`, `share` with 30 fraction bits, rounded stochastically with 32 random bits.
#[inline(always)]
pub(super) fn mean(m: i32, g: i32, share: i64, random: u32) -> i32 {
    // The same bits also round the weight; one more mixing makes them independent of that.
    let random = i64::from(mix(random ^ 0x5bd1_e995) >> 2);
    let change = ((i64::from(g) - i64::from(m)) * share + random) >> 30;
    // Between m and g, so no sum leaves i32.
    (i64::from(m) + change) as i32
}

/// The factors of the mean of squares.
#[derive(Clone, Copy)]
pub(super) struct Squares {
    /// `beta2` with 32 fraction bits.
    keep: u32,
    /// `1 - beta2` is `share / 2^(32 + down)`, its highest bit set.
    share: u32,
    down: i32,
}

/// Exponent of a unit: v is counted in `2^-72`.
const UNIT: i32 = 72;
const MANTISSA_BITS: i32 = 26;

impl Squares {
    pub(super) fn new(beta2: f32) -> Squares {
        let keep = integer(beta2, 32).clamp(0, u32::MAX as i64);
        let share = (1i64 << 32) - keep; // in [1, 2^32]
        let down = share.leading_zeros() as i32 - 32;
        let share = if down < 0 { u32::MAX } else { (share as u32) << (down & 31) };
        Squares { keep: keep as u32, share, down: down.max(0) }
    }

    /// `beta2 * v + (1 - beta2) * g²` as a word.
    #[inline(always)]
    pub(super) fn update(&self, word: u32, g: i32) -> u32 {
        let (mantissa, exponent) = (word & ((1 << MANTISSA_BITS) - 1), (word >> MANTISSA_BITS) as i32);
        // Both terms as a 32-bit number times a power of two, in units of 2^-72.
        let old = high(mantissa << (32 - MANTISSA_BITS), self.keep);
        let old_exponent = exponent - (32 - MANTISSA_BITS);
        let size = g.unsigned_abs();
        let length = 32 - size.leading_zeros() as i32;
        // The highest 16 bits of |g|: its square fits 32 and is within 2^-15.
        let short = if length > 16 { size >> (length - 16) } else { size << (16 - length) };
        let new = high(short * short, self.share);
        let new_exponent = 2 * (length - 16) + (UNIT - 48) - self.down;
        if old == 0 {
            return pack(new, new_exponent);
        }
        if new == 0 {
            return pack(old, old_exponent);
        }
        let common = old_exponent.max(new_exponent) + 1;
        pack(shifted(old, common - old_exponent) + shifted(new, common - new_exponent), common)
    }
}

#[inline(always)]
fn high(a: u32, b: u32) -> u32 {
    ((u64::from(a) * u64::from(b)) >> 32) as u32
}

#[inline(always)]
fn shifted(value: u32, down: i32) -> u32 {
    if down >= 32 { 0 } else { value >> down }
}

/// `value * 2^exponent` units as a word, rounded half up.
#[inline(always)]
fn pack(value: u32, exponent: i32) -> u32 {
    let up = value.leading_zeros() as i32;
    // So far down that the mantissa has its 26 bits, or further where the exponent would fall below 0.
    let down = (32 - MANTISSA_BITS - up).max(-exponent);
    let mantissa = if down > 31 {
        0
    } else if down > 0 {
        ((value >> (down - 1)) + 1) >> 1
    } else {
        value << -down
    };
    let exponent = exponent + down;
    // Rounding may fill the mantissa; one more exponent then.
    let full = mantissa >> MANTISSA_BITS;
    let (mantissa, exponent) = (mantissa >> full, exponent + full as i32);
    // Squares are at most 2^14 = 2^86 units, so the exponent is at most 61.
    if mantissa == 0 { 0 } else { (exponent as u32) << MANTISSA_BITS | mantissa }
}

/// The root of v as `root / 2^exponent`, the root in `[2^15, 2^16]`; `(0, 0)` for 0.
#[inline(always)]
pub(super) fn root_of(word: u32) -> (u32, i32) {
    let (mantissa, exponent) = (word & ((1 << MANTISSA_BITS) - 1), (word >> MANTISSA_BITS) as i32);
    if mantissa == 0 {
        return (0, 0);
    }
    let up = mantissa.leading_zeros() as i32;
    // The exponent must be even to be halved.
    let up = up - ((exponent - up) & 1);
    (root(mantissa << up), (UNIT + up - exponent) >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::number::random::Key;

    fn real(word: u32) -> f64 {
        let (root, exponent) = root_of(word);
        f64::from(root) * libm::exp2(-f64::from(exponent))
    }

    #[test]
    fn mean_of_squares_follows_f64() {
        let mut worst = 0.0f64;
        for size in 0..26 {
            for beta2 in [0.999f32, 0.99, 0.9, 0.5, 0.0, 0.999_9] {
                let squares = Squares::new(beta2);
                let key = Key::new(size, 0, beta2.to_bits());
                let (mut word, mut exact) = (0, 0.0f64);
                for t in 0..2000 {
                    // Uniform in ±2^(29 - size): reals from 2^5 down to 2^-20.
                    let g = (key.at(t) as i32) >> (2 + size);
                    word = squares.update(word, g);
                    let g = f64::from(g) / f64::from(1 << 24);
                    exact = f64::from(beta2) * exact + (1.0 - f64::from(beta2)) * g * g;
                    if exact > 0.0 {
                        worst = worst.max((real(word) / libm::sqrt(exact) - 1.0).abs());
                    }
                }
            }
        }
        assert!(worst <= libm::exp2(-14.0), "{worst:e}");
    }

    #[test]
    fn squares_rise_and_fall_over_the_whole_range() {
        let squares = Squares::new(0.999);
        let mut word = 0;
        for _ in 0..20_000 {
            word = squares.update(word, i32::MIN);
        }
        assert!((real(word) / 128.0 - 1.0).abs() <= libm::exp2(-13.0), "{}", real(word));
        for _ in 0..60_000 {
            word = squares.update(word, 0);
        }
        // 0.999^60000 = 2^-86.6 of 2^14: at the end of the range, where it stops below 500 units of 2^-72.
        assert!(real(word) < 1e-9, "{}", real(word));
        // Each second gradient of one unit, the least there is.
        for t in 0..20_000 {
            word = squares.update(word, t & 1);
        }
        assert!((real(word) * f64::from(1 << 24) / libm::sqrt(0.5) - 1.0).abs() <= 1e-3, "{}", real(word));
    }

    #[test]
    fn mean_is_unbiased_and_dies() {
        let share = integer(0.1, 30);
        let key = Key::new(3, 1, 4);
        let (mut m, mut sum) = (0i32, 0i64);
        for t in 0..20_000 {
            m = mean(m, 3, share, key.at(t));
            sum += i64::from(m);
        }
        // A mean of 3 with deviation about 1 and a memory of 10 steps: 2000 independent draws, five deviations.
        assert!((sum as f64 / 20_000.0 - 3.0).abs() < 5.0 / libm::sqrt(2000.0), "{sum}");
        for t in 0..300 {
            m = mean(m, 0, share, key.at(t));
        }
        assert_eq!(m, 0);
        assert_eq!(mean(i32::MIN, i32::MAX, 1 << 30, u32::MAX), i32::MAX);
    }
}
