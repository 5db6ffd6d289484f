//! A non-negative real factor (a learning rate) that both number formats can multiply by.

/// A factor in `[0, 2^16)`: as f32, and as `mantissa / 2^exponent` with a 15-bit mantissa for integer-only code.
///
/// Made in `const` code from an f32, so a device without floating point links none. The integer form is within
/// 2^-15 of the real one, relatively.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Rate {
    bits: u32,
    mantissa: i32,
    exponent: i32,
}

impl Rate {
    /// Zero.
    pub const ZERO: Rate = Rate { bits: 0, mantissa: 0, exponent: 0 };

    /// From an f32; a negative or non-finite number gives [`Rate::ZERO`] (the planner refuses those before).
    pub const fn new(real: f32) -> Rate {
        Rate::from_bits(real.to_bits())
    }

    /// From the bits of an f32, with integer operations only.
    pub const fn from_bits(bits: u32) -> Rate {
        let power = (bits >> 23) as i32 & 0x1ff; // includes the sign bit
        if power == 0 || power >= 0xff {
            return Rate::ZERO;
        }
        // real = 1.f * 2^(power-127); keep 15 bits: mantissa in [2^14, 2^15], rounded half up.
        let significand = (bits & 0x7f_ffff) as i32 | 0x80_0000;
        Rate { bits, mantissa: (significand + 0x100) >> 9, exponent: 14 - (power - 127) }
    }

    /// `mantissa / 2^exponent` for any mantissa, rounded half up to 15 bits; zero below 2^-126 and above 2^127.
    ///
    /// Integer operations only; the real form is exactly the integer one.
    pub const fn from_parts(mantissa: u64, exponent: i32) -> Rate {
        let bits = 64 - mantissa.leading_zeros() as i32;
        let power = bits - 1 - exponent;
        if mantissa == 0 || power < -126 || power > 126 {
            return Rate::ZERO;
        }
        let shift = bits - 15;
        let short = if shift > 0 { ((mantissa >> (shift - 1)) + 1) >> 1 } else { mantissa << -shift };
        // `short` is in [2^14, 2^15]; adding it to the exponent's field carries the one case of 2^15 correctly.
        let real = (((power + 126) as u32) << 23) + ((short as u32) << 9);
        Rate { bits: real, mantissa: short as i32, exponent: exponent - shift }
    }

    /// The integer-only product of two factors; its real form follows the integer one.
    pub const fn times(self, other: Rate) -> Rate {
        Rate::from_parts(self.mantissa as u64 * other.mantissa as u64, self.exponent + other.exponent)
    }

    /// The factor as f32.
    pub const fn real(self) -> f32 {
        f32::from_bits(self.bits)
    }
    /// The 15-bit mantissa.
    pub const fn mantissa(self) -> i32 {
        self.mantissa
    }
    /// The factor is `mantissa / 2^exponent`.
    pub const fn exponent(self) -> i32 {
        self.exponent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_form_is_within_two_to_minus_fifteen() {
        for real in [0.01f32, 1.0, 0.999, 3.0e-5, 0.1, 12.5, 1.0e-8] {
            let rate = Rate::new(real);
            let again = f64::from(rate.mantissa()) * f64::powi(2.0, -rate.exponent());
            assert!((again / f64::from(real) - 1.0).abs() <= f64::powi(2.0, -15), "{real} became {again}");
        }
        assert_eq!(Rate::new(-1.0), Rate::ZERO);
        assert_eq!(Rate::new(f32::NAN), Rate::ZERO);
    }

    #[test]
    fn parts_and_products_keep_both_forms_equal() {
        for (mantissa, exponent) in [(1u64, 0), (3, 70), (u64::MAX, 64), ((1 << 40) - 1, 20), (12345, -3), (32767, 15)]
        {
            let rate = Rate::from_parts(mantissa, exponent);
            let real = f64::from(rate.mantissa()) * f64::powi(2.0, -rate.exponent());
            assert_eq!(real, f64::from(rate.real()));
            assert!((real / (mantissa as f64 * f64::powi(2.0, -exponent)) - 1.0).abs() <= f64::powi(2.0, -15));
        }
        let rate = Rate::new(0.1).times(Rate::new(0.5));
        assert!((f64::from(rate.real()) / 0.05 - 1.0).abs() <= f64::powi(2.0, -14));
        assert_eq!(Rate::from_parts(1, 127), Rate::ZERO);
        assert_eq!(Rate::ZERO.times(rate), Rate::ZERO);
    }
}
