//! Ranges of hyperparameters, decided on the bits, and their integer forms.
//!
//! The bits of non-negative floats are ordered as the floats are. Comparing them as integers keeps float comparison out of
//! a fixed-point program, where it would be a library routine.

use crate::number::round_shift;

const ONE: u32 = 0x3f80_0000;
const INFINITY: u32 = 0x7f80_0000;

/// Zero. Negative zero is in none of the ranges here: a test that ignores the sign bit is turned back into a float
/// comparison by the compiler.
#[inline(always)]
pub(super) const fn is_zero(real: f32) -> bool {
    real.to_bits() == 0
}
/// In `[0, infinity)`.
pub(super) const fn is_not_negative(real: f32) -> bool {
    real.to_bits() < INFINITY
}
/// In `(0, infinity)`.
pub(super) const fn is_positive(real: f32) -> bool {
    is_not_negative(real) && !is_zero(real)
}
/// In `[0, 1)`.
pub(super) const fn is_fraction(real: f32) -> bool {
    real.to_bits() < ONE
}
/// In `[0, 1]`.
pub(super) const fn is_share(real: f32) -> bool {
    real.to_bits() <= ONE
}
/// Positive infinity.
#[inline(always)]
pub(super) const fn is_infinite(real: f32) -> bool {
    real.to_bits() == INFINITY
}

/// A non-negative float as an integer with `frac` fraction bits, rounded half up, saturated; subnormals are 0.
pub(super) const fn integer(real: f32, frac: i32) -> i64 {
    let power = (real.to_bits() >> 23) as i32;
    if power == 0 {
        return 0;
    }
    let significand = (real.to_bits() & 0x7f_ffff | 0x80_0000) as i64;
    round_shift(significand, 150 - power - frac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_integers() {
        assert!(is_fraction(0.0) && !is_fraction(-0.0) && is_fraction(0.999_999_94) && !is_fraction(1.0));
        assert!(is_share(1.0) && !is_share(1.000_000_1) && !is_share(f32::NAN) && !is_share(-0.5));
        assert!(is_positive(1e-45) && !is_positive(0.0) && !is_positive(f32::INFINITY) && !is_positive(f32::NAN));
        assert!(is_not_negative(0.0) && is_not_negative(f32::MAX) && !is_not_negative(-1e-30));
        assert_eq!(integer(1.0, 24), 1 << 24);
        assert_eq!(integer(0.75, 1), 2);
        assert_eq!(integer(0.5, 0), 1);
        assert_eq!(integer(1e-9, 20), 0);
        assert_eq!(integer(f32::INFINITY, 24), i64::MAX);
    }
}
