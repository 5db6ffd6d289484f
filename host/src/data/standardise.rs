//! The constants of each channel, the same numbers on host and device: what fills a gap, where readings are clipped, what is
//! subtracted and what the rest is multiplied by.

use super::clean::Scaling;
use super::dataset::Dataset;
use super::error::DataError;
use super::statistics::{quantile, sorted};
use serde::{Deserialize, Serialize};

/// The fitted constants: `y = (x - mean) * inverse_std` per channel, in f32, one subtraction, then one multiplication; before
/// that, where [`Repair`] says so, a NaN is filled and anything else clipped.
///
/// A channel is the first axis of a sample: `[features]` has one constant a feature, `[channels, length]` and
/// `[channels, height, width]` one a channel. A channel that doesn't vary gets the factor 1. Multiplying by the inverse
/// is part of the contract: a division would round differently, and cost 14 cycles on a Cortex-M4 instead of 1. Other
/// [`Scaling`]s have the same form: `mean` is the smallest number or the median then, `inverse_std` one over the range or
/// the interquartile range.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standardise {
    /// `[channels]`, in the unit of the channel.
    pub mean: Vec<f32>,
    /// `[channels]`, 1 over the standard deviation.
    pub inverse_std: Vec<f32>,
    /// `[channels]`, or empty where nothing is filled or clipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repair: Vec<Repair>,
}

/// What happens to a reading before it is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Repair {
    /// What a missing reading (NaN) becomes; it isn't clipped. None: it stays, and a model refuses it.
    pub fill: Option<f32>,
    /// Readings below become this.
    pub low: Option<f32>,
    /// Readings above become this.
    pub high: Option<f32>,
}

impl Repair {
    /// The reading that a model's scaling takes; the same comparisons as in the device's code.
    pub fn apply(&self, x: f32) -> f32 {
        if x.is_nan() {
            return self.fill.unwrap_or(x);
        }
        if let Some(low) = self.low.filter(|&low| x < low) {
            return low;
        }
        self.high.filter(|&high| x > high).unwrap_or(x)
    }

    /// Whether every reading stays as it is.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the numbers are finite and the limits in their order; they may come from a file.
    pub(crate) fn is_possible(&self) -> bool {
        self.is_finite() && !self.low.zip(self.high).is_some_and(|(low, high)| low > high)
    }

    fn is_finite(&self) -> bool {
        [self.fill, self.low, self.high].into_iter().flatten().all(f32::is_finite)
    }
}

impl Standardise {
    /// Constants without gaps or limits.
    pub fn new(mean: Vec<f32>, inverse_std: Vec<f32>) -> Self {
        Self { mean, inverse_std, repair: Vec::new() }
    }

    /// Fits mean and (population) standard deviation. Give the training part only: constants fitted on all data carry
    /// knowledge of the rest into the training. Two passes in f64, in the order of the samples.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for an empty set or numbers that aren't finite.
    pub fn fit(train: &Dataset) -> Result<Self, DataError> {
        let channels = train.shape.first().copied().unwrap_or(0);
        Self::fit_channels(train, &vec![Scaling::Standardise; channels], Vec::new())
    }

    /// Fits the scaling of each channel, `scaling [channels]`, to what `repair` (`[channels]` or empty) makes of the numbers.
    ///
    /// # Errors
    /// As [`Standardise::fit`]; also for lists of another length.
    pub fn fit_channels(train: &Dataset, scaling: &[Scaling], repair: Vec<Repair>) -> Result<Self, DataError> {
        let channels = train.shape.first().copied().unwrap_or(0);
        if train.is_empty() || channels == 0 {
            return Err(mismatch("set to fit on", "at least one sample".into(), "none".into()));
        }
        if scaling.len() != channels || !repair.is_empty() && repair.len() != channels {
            return Err(mismatch("rules", format!("{channels} channels"), scaling.len().to_string()));
        }
        let inner = train.sample_len() / channels;
        let count = (train.len() * inner) as f64;
        let nothing = Repair::default();
        let repaired = |channel: usize, x: f32| repair.get(channel).unwrap_or(&nothing).apply(x);
        let mut mean = vec![0f64; channels];
        each(&train.features, inner, channels, |channel, x| mean[channel] += f64::from(repaired(channel, x)));
        mean.iter_mut().for_each(|sum| *sum /= count);
        // The sums say it as well: a single number that isn't finite makes its mean so.
        if let Some(channel) = mean.iter().position(|mean| !mean.is_finite()) {
            let help = format!("channel {channel} has a number that isn't");
            return Err(mismatch("set to fit on", "finite numbers".into(), help));
        }
        let mut variance = vec![0f64; channels];
        each(&train.features, inner, channels, |channel, x| {
            variance[channel] += (f64::from(repaired(channel, x)) - mean[channel]).powi(2)
        });
        let mut fitted = Self { repair: repair.clone(), ..Self::default() };
        for (channel, scaling) in scaling.iter().enumerate() {
            let numbers = || {
                let planes = train.features.chunks(inner).skip(channel).step_by(channels);
                sorted(planes.flatten().map(|&x| repaired(channel, x)))
            };
            let (offset, factor) = match *scaling {
                Scaling::None => (0.0, 1.0),
                Scaling::Standardise => {
                    let deviation = (variance[channel] / count).sqrt();
                    (mean[channel] as f32, inverse(deviation, mean[channel]))
                }
                Scaling::MinMax { low, high } => {
                    let numbers = numbers();
                    let ends = numbers.first().copied().zip(numbers.last().copied()).unwrap_or_default();
                    let (least, most) = (f64::from(ends.0), f64::from(ends.1));
                    // A column that doesn't vary becomes the range's low end.
                    let factor = inverse(most - least, least.abs().max(most.abs()));
                    let factor = if most > least { factor * (high - low) } else { factor };
                    ((least - f64::from(low) / f64::from(factor)) as f32, factor)
                }
                Scaling::Robust => {
                    let numbers = numbers();
                    let at = |share| quantile(&numbers, share).unwrap_or_default();
                    (at(0.5) as f32, inverse(at(0.75) - at(0.25), at(0.5)))
                }
            };
            fitted.mean.push(offset);
            fitted.inverse_std.push(factor);
        }
        fitted.check(channels)?;
        Ok(fitted)
    }

    /// Fills, clips and scales every sample in place.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if the set has another number of channels.
    pub fn apply(&self, set: &mut Dataset) -> Result<(), DataError> {
        let channels = set.shape.first().copied().unwrap_or(0);
        let inner = set.sample_len() / channels.max(1);
        self.apply_to(&mut set.features, channels, inner)
    }

    /// The same for samples `[samples, channels, inner]` one after the other, such as a batch.
    ///
    /// # Errors
    /// As [`Standardise::apply`].
    pub fn apply_to(&self, features: &mut [f32], channels: usize, inner: usize) -> Result<(), DataError> {
        self.check(channels)?;
        for (index, values) in features.chunks_mut(inner.max(1)).enumerate() {
            let (mean, inverse_std) = (self.mean[index % channels], self.inverse_std[index % channels]);
            if let Some(repair) = self.repair.get(index % channels) {
                values.iter_mut().for_each(|x| *x = repair.apply(*x));
            }
            values.iter_mut().for_each(|x| *x = (*x - mean) * inverse_std);
        }
        Ok(())
    }

    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Whether the constants fit `channels` channels and are finite; they may come from a file.
    fn check(&self, channels: usize) -> Result<(), DataError> {
        let repaired = self.repair.is_empty() || self.repair.len() == channels;
        if channels == 0 || self.mean.len() != channels || self.inverse_std.len() != channels || !repaired {
            let found = format!("{} and {}", self.mean.len(), self.inverse_std.len());
            return Err(mismatch("mean and inverse_std", format!("{channels} channels"), found));
        }
        if !self.repair.iter().all(Repair::is_finite) {
            return Err(mismatch("fill values and limits", "finite numbers".into(), "others".into()));
        }
        match self.mean.iter().chain(&self.inverse_std).find(|value| !value.is_finite()) {
            Some(value) => Err(mismatch("mean and inverse_std", "finite numbers".into(), value.to_string())),
            None => Ok(()),
        }
    }
}

/// Calls `visit` with channel and value, in the order of the numbers.
fn each(features: &[f32], inner: usize, channels: usize, mut visit: impl FnMut(usize, f32)) {
    for (index, values) in features.chunks(inner).enumerate() {
        values.iter().for_each(|&x| visit(index % channels, x));
    }
}

/// 1/std, or 1 where the spread is below what f32 resolves at the mean: dividing by it would only blow up rounding.
fn inverse(std: f64, mean: f64) -> f32 {
    let resolved = (mean.abs() * f64::from(f32::EPSILON)).max(f64::from(f32::MIN_POSITIVE));
    if std > resolved { (1.0 / std) as f32 } else { 1.0 }
}

fn mismatch(what: &str, expected: String, found: String) -> DataError {
    let help = "fit on the training part of the same kind of data";
    DataError::Mismatch { what: what.into(), expected, found, help }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Labels;

    fn set(features: &[f32], shape: &[usize]) -> Dataset {
        Dataset::new(features.to_vec(), shape.to_vec(), Labels::None).unwrap()
    }

    #[test]
    fn each_channel_has_its_own_constants() {
        // Channel 0: 1 3 5 7, mean 4, variance (9+1+1+9)/4 = 5. Channel 1: always 10.
        let mut train = set(&[1.0, 3.0, 10.0, 10.0, 5.0, 7.0, 10.0, 10.0], &[2, 2]);
        let fitted = Standardise::fit(&train).unwrap();
        assert_eq!(fitted.mean, [4.0, 10.0]);
        assert_eq!(fitted.inverse_std, [(1.0 / 5f64.sqrt()) as f32, 1.0]);
        fitted.apply(&mut train).unwrap();
        let scale = fitted.inverse_std[0];
        assert_eq!(train.features, [-3.0 * scale, -scale, 0.0, 0.0, scale, 3.0 * scale, 0.0, 0.0]);
        assert!(fitted.apply(&mut set(&[1.0; 3], &[3])).is_err());
    }

    #[test]
    fn spread_below_the_resolution_counts_as_constant() {
        let fitted = Standardise::fit(&set(&[16777216.0, 16777218.0], &[1])).unwrap();
        assert_eq!(fitted.inverse_std, [1.0]);
        let fitted = Standardise::fit(&set(&[3.4e38, -3.4e38, 1e-45, -1e-45], &[2])).unwrap();
        assert!(fitted.inverse_std.iter().all(|value| value.is_finite()));
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        assert!(Standardise::fit(&set(&[], &[2])).is_err());
        assert!(Standardise::fit(&set(&[f32::NAN, 1.0], &[2])).is_err());
        let broken = Standardise::new(vec![0.0], vec![f32::INFINITY]);
        assert!(broken.apply(&mut set(&[1.0], &[1])).is_err());
    }

    #[test]
    fn text_keeps_every_bit() {
        let fitted = Standardise::new(vec![0.1, f32::MIN_POSITIVE], vec![1.0 / 3.0, f32::MAX]);
        let text = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<Standardise>(&text).unwrap(), fitted);
    }
}
