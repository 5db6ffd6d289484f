//! `~normalisation`, the tensor of what a device does to a reading: f32 `[2, channels]`, means and one over each deviation,
//! or `[5, channels]` with what gaps are filled with and where readings are clipped.
//!
//! What comes from a file is checked as it is read: with a scale of 0 every reading is the same, with one below 0 a
//! channel stands on its head, and every figure of the model looks as if it had learnt badly.

use emberlite::image::{Image, Kind, MODEL};
use thiserror::Error;

use crate::data::{Repair, Standardise};

/// Why the constants of a file can't be used.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum NormalisationError {
    /// The tensor has another shape than `[2, channels]` or `[5, channels]`, or another type than f32.
    #[error("tensor `~normalisation`: expected f32 numbers in 2 or 5 rows, found shape {found:?}; make the file anew")]
    Shape {
        /// The tensor's shape.
        found: Vec<u32>,
    },
    /// A mean isn't finite.
    #[error(
        "tensor `~normalisation`: channel {channel} has the mean {value}, expected a finite number; make the file anew"
    )]
    Mean {
        /// The channel, from 0.
        channel: usize,
        /// What stands there.
        value: f32,
    },
    /// One over a deviation is 0, negative or not finite.
    #[error(
        "tensor `~normalisation`: channel {channel} has 1/deviation {value}, expected a finite number above 0; make the file \
         anew"
    )]
    Scale {
        /// The channel, from 0.
        channel: usize,
        /// What stands there.
        value: f32,
    },
    /// Readings can't be both above the lower limit and below the upper one.
    #[error("tensor `~normalisation`: channel {channel} is clipped from {low} to {high}; make the file anew")]
    Limits {
        /// The channel, from 0.
        channel: usize,
        /// The lower limit.
        low: f32,
        /// The upper limit.
        high: f32,
    },
}

/// The normalisation constants of an f32 file; none where it has none.
///
/// # Errors
/// [`NormalisationError`]: a seal says that a file is as it was written, not that what was written makes sense.
pub fn standardise(image: &Image<'_>) -> Result<Option<Standardise>, NormalisationError> {
    let Some(tensor) = image.tensor(MODEL, Kind::Normalisation) else { return Ok(None) };
    let rows = tensor.dims().first().map_or(0, |&rows| rows as usize);
    match tensor.as_f32() {
        Some(numbers) if matches!((tensor.dims(), rows), ([_, _], 2 | 5)) => from_numbers(numbers, rows).map(Some),
        _ => Err(NormalisationError::Shape { found: tensor.dims().to_vec() }),
    }
}

/// The tensor's numbers, in 2 rows, or in 5 where something is filled or clipped.
pub(crate) fn normalisation(standardise: &Standardise) -> Vec<f32> {
    let Standardise { mean, inverse_std, repair } = standardise;
    let fill = repair.iter().map(|repair| repair.fill.unwrap_or(f32::NAN));
    let low = repair.iter().map(|repair| repair.low.unwrap_or(f32::NEG_INFINITY));
    let high = repair.iter().map(|repair| repair.high.unwrap_or(f32::INFINITY));
    mean.iter().chain(inverse_std).copied().chain(fill).chain(low).chain(high).collect()
}

/// The constants of 2 or 5 rows of numbers. In the rows of fills and limits what isn't finite says that there is none.
pub(super) fn from_numbers(numbers: &[f32], rows: usize) -> Result<Standardise, NormalisationError> {
    let channels = numbers.len().checked_div(rows).unwrap_or(0);
    let mut rows = numbers.chunks_exact(channels.max(1));
    let mut row = || rows.next().unwrap_or_default();
    let (mean, inverse_std, fill, low, high) = (row(), row(), row(), row(), row());
    if let Some((channel, &value)) = mean.iter().enumerate().find(|(_, mean)| !mean.is_finite()) {
        return Err(NormalisationError::Mean { channel, value });
    }
    if let Some((channel, &value)) = inverse_std.iter().enumerate().find(|&(_, &x)| !(x.is_finite() && x > 0.0)) {
        return Err(NormalisationError::Scale { channel, value });
    }
    let finite = |&x: &f32| x.is_finite().then_some(x);
    let mut repair = Vec::new();
    for (channel, ((fill, low), high)) in fill.iter().zip(low).zip(high).enumerate() {
        let own = Repair { fill: finite(fill), low: finite(low), high: finite(high) };
        if !own.is_possible() {
            return Err(NormalisationError::Limits { channel, low: *low, high: *high });
        }
        repair.push(own);
    }
    Ok(Standardise { mean: mean.to_vec(), inverse_std: inverse_std.to_vec(), repair })
}
