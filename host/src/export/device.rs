//! Raw numbers as a device reads and normalises them.

use emberlite::learner::Normalisation;
use emberlite::number::{F32, Fixed16, Number};

use crate::data::whole;

/// A number format with its way from raw numbers to inputs.
pub trait Device: Number {
    /// One raw sample as the device reads it; `Err` is the index of a number that it can't.
    fn raw(values: &[f32], frac: i32, normalised: bool) -> Result<Vec<Self::Value>, usize>;
    /// Applies the file's constants to a raw sample, in place.
    fn normalise(normalisation: &Normalisation<'_, Self>, values: &mut [Self::Value]);
}

impl Device for F32 {
    fn raw(values: &[f32], _frac: i32, _normalised: bool) -> Result<Vec<f32>, usize> {
        Ok(values.to_vec())
    }
    fn normalise(normalisation: &Normalisation<'_, F32>, values: &mut [f32]) {
        normalisation.apply(values);
    }
}

impl Device for Fixed16 {
    /// With normalisation constants raw numbers are a sensor's integers; without, real numbers at the input's scale.
    fn raw(values: &[f32], frac: i32, normalised: bool) -> Result<Vec<i16>, usize> {
        if !normalised {
            return Ok(values.iter().map(|&x| Fixed16::from_f32(x, frac)).collect());
        }
        values.iter().enumerate().map(|(index, &x)| whole(x).ok_or(index)).collect()
    }
    fn normalise(normalisation: &Normalisation<'_, Fixed16>, values: &mut [i16]) {
        normalisation.apply(values);
    }
}
