//! From raw samples to what the device's model takes: the same numbers, by the same code.

use emberlite::image::Image;
use emberlite::learner::Normalisation;
use emberlite::number::{F32, Fixed16, Number};

use super::SimulateError;
use crate::data::Dataset;

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
        let whole = |(index, &x): (usize, &f32)| {
            let near = x.round();
            // Scaled decimals come out next to the whole number that they stand for.
            let is_whole = (x - near).abs() <= 1e-3 && (-32768.0..=32767.0).contains(&near);
            if is_whole { Ok(near as i16) } else { Err(index) }
        };
        values.iter().enumerate().map(whole).collect()
    }
    fn normalise(normalisation: &Normalisation<'_, Fixed16>, values: &mut [i16]) {
        normalisation.apply(values);
    }
}

/// Every sample of a set as the model takes it, one after the other.
pub(super) fn inputs<N: Device>(
    set: &Dataset,
    frac: i32,
    normalisation: Option<&Normalisation<'_, N>>,
) -> Result<Vec<N::Value>, SimulateError> {
    let mut inputs = Vec::with_capacity(set.features.len());
    for index in 0..set.len() {
        let sample = set.sample(index);
        let mut values = N::raw(sample, frac, normalisation.is_some()).map_err(|at| SimulateError::NotWhole {
            sample: index,
            value: sample.get(at).copied().unwrap_or_default(),
        })?;
        if let Some(normalisation) = normalisation {
            N::normalise(normalisation, &mut values);
        }
        inputs.append(&mut values);
    }
    Ok(inputs)
}

/// The class names in a file's metadata; none in the raw profile and in a device's own checkpoints.
pub fn classes_of(image: &Image<'_>) -> Vec<String> {
    let metadata = crate::export::metadata(image);
    let classes = metadata.iter().find(|(key, _)| key == "classes");
    classes.and_then(|(_, text)| serde_json::from_str(text).ok()).unwrap_or_default()
}
