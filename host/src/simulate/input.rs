//! From raw samples to what the device's model takes: the same numbers, by the same code.

use emberlite::image::Image;
use emberlite::learner::Normalisation;

use super::SimulateError;
use crate::data::Dataset;
use crate::export::Device;
use crate::spec::Stored;

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

/// What a file's metadata says of classes and categories; nothing in the raw profile and in a device's own checkpoints.
pub fn stored(image: &Image<'_>) -> Stored {
    let metadata = crate::export::metadata(image);
    let text = |wanted: &str| metadata.iter().find(|(key, _)| key == wanted).map(|(_, text)| text);
    Stored {
        classes: text("classes").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        encoder: text("inputs").and_then(|text| serde_json::from_str(text).ok()),
    }
}
