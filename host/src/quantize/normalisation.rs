//! Normalisation constants for raw integers.

use super::QuantizeError;
use crate::data::Standardise;

/// Bits of an f32's significand, and so of a multiplier.
const BITS: i32 = 24;

/// `[4, channels]`, or `[6, channels]` with limits, as in [`Kind::NormalisationFixed`](emberlite::image::Kind::NormalisationFixed): low and high halves
/// of the offsets, multipliers, shifts, so that `(raw * multiplier + offset) >> shift` is `(raw - mean) * inverse_std`
/// with `input_frac` fraction bits.
///
/// Exactly that, rounded once, halves up: `inverse_std * 2^input_frac` is the multiplier (the 24 bits of the
/// significand) over `2^shift` without a rest. `raw * multiplier` is a whole number, so cutting the offset `-mean *
/// multiplier` down to one changes no result either: for a whole `n` and a real `r`, `floor((n + r) / 2^k) = floor((n +
/// floor(r)) / 2^k)`. Whatever mean and deviation are in raw units, the result is within half a unit of the input's
/// last place.
///
/// Products stay below `2^15 * 2^24` and so do offsets, far from the ends of 64 bits.
///
/// # Errors
/// [`QuantizeError::Normalisation`] for constants that aren't finite, a mean beyond 16 bits, or a factor that no shift
/// of 8 to 62 can express.
pub fn normalisation_fixed(standardise: &Standardise, input_frac: i8) -> Result<Vec<i32>, QuantizeError> {
    let channels = standardise.channels();
    let mut table = vec![0; 4 * channels];
    // Limits beyond what a raw value can be are none; the fit made them whole.
    let limit = |limit: Option<f32>, none: i16| limit.map_or(i32::from(none), |limit| limit.round() as i32);
    table.extend(standardise.repair.iter().map(|repair| limit(repair.low, i16::MIN)));
    table.extend(standardise.repair.iter().map(|repair| limit(repair.high, i16::MAX)));
    for (channel, (&mean, &inverse_std)) in standardise.mean.iter().zip(&standardise.inverse_std).enumerate() {
        let refused = || QuantizeError::Normalisation { channel, mean, inverse_std };
        if !mean.is_finite() || mean.abs() > 32768.0 || !inverse_std.is_normal() || inverse_std < 0.0 {
            return Err(refused());
        }
        let (significand, exponent) = parts(inverse_std);
        let shift = -exponent - i32::from(input_frac);
        // A factor of 2^16 or more saturates at every raw value but one: nothing is measured then.
        if !(BITS - 16..=62).contains(&shift) {
            return Err(refused());
        }
        // 24 by 24 bits are exact in f64.
        let offset = (-f64::from(mean) * f64::from(significand)).floor() as i64;
        let words = [offset as i32, (offset >> 32) as i32, significand, shift];
        for (row, word) in words.into_iter().enumerate() {
            table[row * channels + channel] = word;
        }
    }
    Ok(table)
}

/// A positive normal number as `significand * 2^exponent` with 24 bits.
fn parts(x: f32) -> (i32, i32) {
    let (fraction, exponent) = (x.to_bits() & 0x7f_ffff, x.to_bits() >> 23);
    ((fraction | 1 << (BITS - 1)) as i32, exponent as i32 - 127 - (BITS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use emberlite::learner::Normalisation;
    use emberlite::number::Fixed16;

    /// The nearest whole number, halves up, to `(raw - mean) * inverse_std * 2^frac`, in whole numbers throughout.
    fn exact(raw: i16, mean: f32, inverse_std: f32, frac: i32) -> i128 {
        // Bits behind the point of a mean: enough for all that are tried below.
        const POINT: i32 = 40;
        let mean = (f64::from(mean) * f64::from(POINT).exp2()) as i128;
        let (significand, exponent) = parts(inverse_std);
        let shift = (POINT - exponent - frac) as u32;
        let value = ((i128::from(raw) << POINT) - mean) * i128::from(significand);
        ((value + (1 << (shift - 1))) >> shift).clamp(i16::MIN.into(), i16::MAX.into())
    }

    /// Every raw value: the result is the real formula's, rounded once, so it is off by half a unit at most.
    #[test]
    fn every_raw_value_is_the_real_formula_rounded_once() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        for (mean, deviation) in [
            (37.6f32, 81.0f32),
            // A small deviation: half a raw unit of the mean would be a sixth of it.
            (0.5, 3.0),
            (-1000.3, 3.0),
            (12345.679, 0.7),
            (-32768.0, 20000.0),
            (32767.9, 1.0),
            (0.0, 1.0 / 3.0),
            (-0.001, 700.0),
        ] {
            let standardise = Standardise::new(vec![mean], vec![1.0 / deviation]);
            for frac in [6i8, 12, 13] {
                let table = normalisation_fixed(&standardise, frac).unwrap();
                let mut values = all.clone();
                Normalisation::<Fixed16>::new(&table, 1).unwrap().apply(&mut values);
                for (&raw, &got) in all.iter().zip(&values) {
                    let expected = exact(raw, mean, 1.0 / deviation, frac.into());
                    assert_eq!(i128::from(got), expected, "mean {mean}, deviation {deviation}, frac {frac}, raw {raw}");
                }
            }
        }
    }

    #[test]
    fn a_fraction_of_the_mean_counts() {
        // (raw - 0.5) / 2 with 4 fraction bits: 8 raw - 4.
        let standardise = Standardise::new(vec![0.5, 0.0], vec![0.5, 1.0]);
        let table = normalisation_fixed(&standardise, 4).unwrap();
        let mut values = [0i16, 1, 3, 0, 1, 3];
        Normalisation::<Fixed16>::new(&table, 2).unwrap().apply(&mut values);
        assert_eq!(values, [-4, 4, 20, 0, 16, 48]);
    }

    #[test]
    fn what_integers_cannot_do_is_refused() {
        for (mean, inverse_std) in [
            (f32::NAN, 1.0),
            (0.0, f32::INFINITY),
            (0.0, f32::NAN),
            (0.0, 0.0),
            (0.0, -1.0),
            (4e4, 1.0),
            // 2^16 and 2^-51 with 12 fraction bits.
            (0.0, 16.0),
            (0.0, 2f32.powi(-52)),
            (0.0, f32::MIN_POSITIVE / 2.0),
        ] {
            let standardise = Standardise::new(vec![mean], vec![inverse_std]);
            assert!(normalisation_fixed(&standardise, 12).is_err(), "{mean} {inverse_std}");
        }
        // The ends of what is accepted.
        for inverse_std in [15.99, 2f32.powi(-51)] {
            let standardise = Standardise::new(vec![32768.0], vec![inverse_std]);
            assert!(normalisation_fixed(&standardise, 12).is_ok(), "{inverse_std}");
        }
    }
}
