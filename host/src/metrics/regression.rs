//! Figures of predicted numbers.

use super::error::MetricError;

/// Sums of errors, sample by sample in the order they come; 48 bytes for any number of samples.
///
/// ```
/// use emberlite_host::metrics::Errors;
///
/// let errors = Errors::new(&[3.0, -0.5, 2.0, 7.0], &[2.5, 0.0, 2.0, 8.0])?;
/// assert_eq!((errors.mse()?, errors.mae()?), (0.375, 0.5));
/// // The targets' squares around their mean, 2.875, sum to 29.1875; the errors' to 1.5.
/// assert_eq!(errors.r2()?, 1.0 - 1.5 / 29.1875);
/// # Ok::<(), emberlite_host::metrics::MetricError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Errors {
    samples: u64,
    squares: f64,
    absolute: f64,
    mean: f64,
    /// Squares of targets around their mean so far.
    spread: f64,
}

impl Errors {
    /// Of targets and predictions, `[samples]` each.
    ///
    /// # Errors
    /// [`MetricError::Lengths`] or [`MetricError::Value`].
    pub fn new(targets: &[f64], predictions: &[f64]) -> Result<Self, MetricError> {
        if targets.len() != predictions.len() {
            return Err(MetricError::Lengths { labels: targets.len(), predictions: predictions.len() });
        }
        let mut errors = Errors::default();
        targets.iter().zip(predictions).try_for_each(|(&target, &prediction)| errors.add(target, prediction))?;
        Ok(errors)
    }

    /// Takes a sample.
    ///
    /// # Errors
    /// [`MetricError::Value`] for what isn't finite; it isn't counted then.
    pub fn add(&mut self, target: f64, prediction: f64) -> Result<(), MetricError> {
        if let Some(value) = [target, prediction].into_iter().find(|value| !value.is_finite()) {
            return Err(MetricError::Value { sample: self.samples, value, what: "finite number" });
        }
        self.samples += 1;
        let error = target - prediction;
        self.squares += error * error;
        self.absolute += error.abs();
        // Welford, Note on a Method for Calculating Corrected Sums of Squares and Products, 1962: no difference of two
        // large sums, so that targets far from zero lose nothing.
        let off = target - self.mean;
        self.mean += off / self.samples as f64;
        self.spread += off * (target - self.mean);
        Ok(())
    }

    /// The mean squared error.
    ///
    /// # Errors
    /// [`MetricError::Empty`].
    pub fn mse(&self) -> Result<f64, MetricError> {
        self.mean_of(self.squares)
    }

    /// The root of the mean squared error, in the unit of the target.
    ///
    /// # Errors
    /// [`MetricError::Empty`].
    pub fn rmse(&self) -> Result<f64, MetricError> {
        self.mse().map(f64::sqrt)
    }

    /// The mean absolute error, in the unit of the target.
    ///
    /// # Errors
    /// [`MetricError::Empty`].
    pub fn mae(&self) -> Result<f64, MetricError> {
        self.mean_of(self.absolute)
    }

    /// The share of the targets' variance that is explained, `1 − Σ(y − ŷ)² / Σ(y − ȳ)²`: 1 is perfect, 0 as good as
    /// the mean, negative worse. Where all targets are the same it is 1 if they are met exactly, else 0, as
    /// scikit-learn's.
    ///
    /// # Errors
    /// [`MetricError::TooFew`] below two samples.
    pub fn r2(&self) -> Result<f64, MetricError> {
        if self.samples < 2 {
            return Err(MetricError::TooFew { samples: self.samples, needed: 2 });
        }
        Ok(match (self.squares == 0.0, self.spread == 0.0) {
            (true, _) => 1.0,
            (false, true) => 0.0,
            _ => 1.0 - self.squares / self.spread,
        })
    }

    /// The number of samples.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    fn mean_of(&self, sum: f64) -> Result<f64, MetricError> {
        if self.samples == 0 { Err(MetricError::Empty) } else { Ok(sum / self.samples as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_targets() {
        assert_eq!(Errors::new(&[2.0, 2.0], &[2.0, 2.0]).unwrap().r2(), Ok(1.0));
        assert_eq!(Errors::new(&[2.0, 2.0], &[2.0, 3.0]).unwrap().r2(), Ok(0.0));
    }

    #[test]
    fn targets_far_from_zero_lose_nothing() {
        // Around 1e9 the squares, 1e18, have steps of 128: their difference would be noise.
        let targets: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 2)).collect();
        let predictions: Vec<f64> = targets.iter().map(|t| t + 0.25).collect();
        // Variance 1/4, squared error 1/16.
        let r2 = Errors::new(&targets, &predictions).unwrap().r2().unwrap();
        assert!((r2 - 0.75).abs() < 1e-6, "{r2}");
    }

    #[test]
    fn mistakes_are_errors() {
        assert_eq!(Errors::default().mse(), Err(MetricError::Empty));
        assert_eq!(Errors::new(&[1.0], &[1.0]).unwrap().r2(), Err(MetricError::TooFew { samples: 1, needed: 2 }));
        assert_eq!(Errors::new(&[1.0], &[]), Err(MetricError::Lengths { labels: 1, predictions: 0 }));
        assert!(matches!(Errors::new(&[1.0], &[f64::INFINITY]), Err(MetricError::Value { .. })));
    }
}
