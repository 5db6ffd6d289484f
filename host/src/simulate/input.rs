//! From raw samples to what the device's model takes: the same numbers, by the same code.

use emberlite::image::Image;
use emberlite::learner::Normalisation;

use super::SimulateError;
use crate::data::Dataset;
use crate::export::Device;

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
