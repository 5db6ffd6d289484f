//! Powers of a fraction for bias corrections and decaying rates, in integers for both formats.
//!
//! `beta^t` by repeated squaring with a 64-bit mantissa. In f32 the error of t products reaches t/2 units in the last place,
//! and `1 - beta^t` magnifies it; here t of 10^6 costs less than 2^-40. It runs once a step, in at most 64 multiplications.

use crate::number::Rate;

/// `mantissa / 2^(64 + exponent)`, the mantissa's highest bit set; or zero.
#[derive(Clone, Copy)]
pub(super) struct Power {
    mantissa: u64,
    exponent: i32,
}

/// Beyond this exponent a power is taken for zero.
const VANISHED: i32 = 1 << 12;

/// The upper half of a product, at most 3 below the exact one.
const fn high(a: u64, b: u64) -> u64 {
    const LOW: u64 = u32::MAX as u64;
    (a >> 32) * (b >> 32) + (((a >> 32) * (b & LOW)) >> 32) + (((a & LOW) * (b >> 32)) >> 32)
}

impl Power {
    const ONE: Power = Power { mantissa: 1 << 63, exponent: -1 };
    const ZERO: Power = Power { mantissa: 0, exponent: 0 };

    /// `base^n` for a base in `[0, 1]`; a subnormal base counts as 0.
    pub(super) const fn new(base: f32, n: u32) -> Power {
        let bits = base.to_bits();
        let power = (bits >> 23) as i32;
        let mut square = if power == 0 {
            Power::ZERO
        } else {
            Power { mantissa: ((bits & 0x7f_ffff | 0x80_0000) as u64) << 40, exponent: 126 - power }
        };
        let mut product = Power::ONE;
        let mut n = n;
        while n > 0 {
            if n & 1 == 1 {
                product = product.times(square);
            }
            square = square.times(square);
            n >>= 1;
        }
        product
    }

    const fn times(self, other: Power) -> Power {
        let mantissa = high(self.mantissa, other.mantissa);
        let exponent = self.exponent + other.exponent;
        if mantissa == 0 || exponent > VANISHED {
            return Power::ZERO;
        }
        // A product of two mantissas in [1/2, 1) is in [1/4, 1).
        let up = mantissa.leading_zeros();
        Power { mantissa: mantissa << up, exponent: exponent + up as i32 }
    }

    /// As f32, within half a unit in the last place.
    pub(super) const fn real(self) -> f32 {
        float(self.mantissa, 64 + self.exponent)
    }

    /// As a rate.
    pub(super) const fn rate(self) -> Rate {
        Rate::from_parts(self.mantissa, 64 + self.exponent)
    }

    /// `1 - self` with 64 fraction bits, for a power below 1.
    pub(super) const fn complement(self) -> u64 {
        let value = match self.exponent {
            0..64 => self.mantissa >> self.exponent,
            _ => 0,
        };
        // 2^64 - value; for 0 the nearest that fits.
        if value == 0 { u64::MAX } else { value.wrapping_neg() }
    }
}

/// `mantissa / 2^exponent` rounded half up to f32, zero below its normal numbers.
pub(super) const fn float(mantissa: u64, exponent: i32) -> f32 {
    let length = 64 - mantissa.leading_zeros() as i32;
    let power = length - 1 - exponent;
    if mantissa == 0 || power < -126 || power > 126 {
        return 0.0;
    }
    let shift = length - 24;
    let significand = if shift > 0 { ((mantissa >> (shift - 1)) + 1) >> 1 } else { mantissa << -shift };
    // The significand's highest bit carries one into the exponent's field.
    f32::from_bits((((power + 126) as u32) << 23) + significand as u32)
}

/// The square root of a number of at least 2^30, rounded: in `[2^15, 2^16]`, within 2^-16 (relatively).
pub(super) const fn root(x: u32) -> u32 {
    let (mut rest, mut root, mut bit) = (x, 0u32, 1u32 << 30);
    while bit != 0 {
        if rest >= root + bit {
            rest -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    // rest = x - root^2; above root it is nearer to (root + 1)^2.
    root + (rest > root) as u32
}

/// `1 / x` for `x` with 64 fraction bits; 2^64 for 0.
pub(super) const fn inverse_rate(x: u64) -> Rate {
    let up = x.leading_zeros() & 63;
    // x = short / 2^(32 + up), so 1/x = (2^64 / short) / 2^(32 - up).
    let short = x << up >> 32;
    Rate::from_parts(u64::MAX / if short == 0 { 1 } else { short }, 32 - up as i32)
}

/// `1 / sqrt(x)` for `x` with 64 fraction bits; within 2^-14.
pub(super) const fn inverse_root_rate(x: u64) -> Rate {
    let up = x.leading_zeros() & 62;
    // x = short / 2^(32 + up), so sqrt(x) = root / 2^(16 + up/2) and 1/sqrt(x) = (2^32 / root) / 2^(16 - up/2).
    let root = root((x << up >> 32) as u32);
    Rate::from_parts((u32::MAX / if root == 0 { 1 } else { root }) as u64, 16 - up as i32 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `base^n` in f64 through logarithms of exact arguments is off by n ulps; repeated multiplication in f64 by n/2: both
    /// are below 1e-10 for the n here, and ours must agree within an f32's half unit plus that.
    #[test]
    fn powers_and_complements_match_f64() {
        for base in [0.9f32, 0.999, 0.5, 0.1, 0.999_999, 1.0e-3] {
            let mut exact = 1.0f64;
            for n in 1..3000u32 {
                exact *= f64::from(base);
                let power = Power::new(base, n);
                if exact > 1e-37 {
                    assert!((f64::from(power.real()) / exact - 1.0).abs() <= 6.0e-8, "{base}^{n}");
                    assert!((f64::from(power.rate().real()) / exact - 1.0).abs() <= libm::exp2(-15.0));
                }
                let left = 1.0 - exact;
                let got = power.complement() as f64 * libm::exp2(-64.0);
                assert!((got / left - 1.0).abs() <= 1e-9, "1 - {base}^{n}: {got}, not {left}");
                for (rate, real) in [
                    (inverse_rate(power.complement()), 1.0 / left),
                    (inverse_root_rate(power.complement()), 1.0 / libm::sqrt(left)),
                ] {
                    assert!((f64::from(rate.real()) / real - 1.0).abs() <= libm::exp2(-14.0), "{base}^{n}");
                }
            }
        }
        assert_eq!(Power::new(0.999, 4_000_000_000).complement(), u64::MAX);
        assert_eq!(Power::new(0.0, 1).real(), 0.0);
        assert_eq!(Power::new(0.3, 0).real(), 1.0);
        assert_eq!(Power::new(1.0, 12345).real(), 1.0);
    }

    #[test]
    fn root_is_the_nearest() {
        let mut x = 1u32 << 30;
        while x < u32::MAX - 99_991 {
            let real = libm::sqrt(f64::from(x));
            assert!((f64::from(root(x)) - real).abs() <= 0.5, "root of {x}");
            x += 99_991;
        }
        assert_eq!(root(u32::MAX), 65536);
    }
}
