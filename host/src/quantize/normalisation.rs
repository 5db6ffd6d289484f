//! Normalisation constants for raw integers.

use super::QuantizeError;
use crate::data::Standardise;

/// Bits of a multiplier: relative error 2^-24, far below what 16 bits show, and a product with 17 bits fits 64 by far.
const BITS: i32 = 24;

/// `[3, channels]` as in [`Kind::NormalisationFixed`](emberlite::image::Kind::NormalisationFixed): offsets, multipliers,
/// shifts, so that `((raw - offset) * multiplier) >> shift` is `(raw - mean) * inverse_std` with `input_frac` fraction bits.
///
/// The offset is the nearest integer to the mean, which is all that integers allow: the normalised value is off by up to
/// `inverse_std / 2`. Let raw units be fine against the deviation (milli-g, not g): at a deviation of 100 units that is
/// 0.005 of it.
///
/// # Errors
/// [`QuantizeError::Normalisation`] for constants that aren't finite, a mean beyond 16 bits, or a factor that no shift up
/// to 62 can express.
pub fn normalisation_fixed(standardise: &Standardise, input_frac: i8) -> Result<Vec<i32>, QuantizeError> {
    let channels = standardise.channels();
    let mut table = vec![0; 3 * channels];
    for (channel, (&mean, &inverse_std)) in standardise.mean.iter().zip(&standardise.inverse_std).enumerate() {
        let refused = || QuantizeError::Normalisation { channel, mean, inverse_std };
        if !mean.is_finite() || mean.abs() > 32768.0 || !inverse_std.is_finite() || inverse_std <= 0.0 {
            return Err(refused());
        }
        let factor = f64::from(inverse_std) * f64::from(input_frac).exp2();
        let shift = BITS - 1 - factor.log2().floor() as i32;
        // A factor of 2^16 or more saturates at every raw value but the offset itself: nothing is measured then.
        if !(BITS - 16..=62).contains(&shift) {
            return Err(refused());
        }
        table[channel] = mean.round() as i32;
        table[channels + channel] = (factor * f64::from(shift).exp2()).round() as i32;
        table[2 * channels + channel] = shift;
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use emberlite::number::round_shift;

    #[test]
    fn integers_follow_the_real_formula() {
        let standardise = Standardise { mean: vec![37.6, -1000.0, 0.0], inverse_std: vec![0.0123, 1.0, 3e-5] };
        for frac in [6i8, 12, 15] {
            let table = normalisation_fixed(&standardise, frac).unwrap();
            for channel in 0..3 {
                let [offset, multiplier, shift] = [0, 1, 2].map(|row| table[row * 3 + channel]);
                for raw in (-32768i64..32768).step_by(97) {
                    let got = round_shift((raw - i64::from(offset)) * i64::from(multiplier), shift);
                    let (mean, scale) = (standardise.mean[channel], f64::from(standardise.inverse_std[channel]));
                    let one = f64::from(frac).exp2();
                    let real = (raw as f64 - f64::from(mean)) * scale * one;
                    // Rounding, the integer offset, and 2^-24 of the value (at most 2^16 raw units).
                    let bound = 0.5 + 0.5 * scale * one + real.abs() * (-24f64).exp2() + 1e-6;
                    assert!((got as f64 - real).abs() <= bound, "{frac} {channel} {raw}: {got} {real}");
                }
            }
        }
    }

    #[test]
    fn what_integers_cannot_do_is_refused() {
        for (mean, inverse_std) in
            [(f32::NAN, 1.0), (0.0, f32::INFINITY), (0.0, 0.0), (0.0, -1.0), (4e4, 1.0), (0.0, 1e9), (0.0, 1e-20)]
        {
            let standardise = Standardise { mean: vec![mean], inverse_std: vec![inverse_std] };
            assert!(normalisation_fixed(&standardise, 12).is_err(), "{mean} {inverse_std}");
        }
    }
}
