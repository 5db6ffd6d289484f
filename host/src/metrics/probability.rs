//! Figures of probabilities: how good they are by themselves, not only what they rank first.

use super::error::MetricError;

/// Ranges of confidence of a calibration.
pub const BINS: usize = 15;

/// Logits of a sample as probabilities, in f64: `exp(xᵢ − max x) / Σ`. NaN where a logit is.
pub fn softmax(logits: &[f32], out: &mut Vec<f64>) {
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(x.into()));
    out.clear();
    out.extend(logits.iter().map(|&x| (f64::from(x) - most).exp()));
    let sum: f64 = out.iter().sum();
    out.iter_mut().for_each(|p| *p /= sum);
}

/// A logit as a probability, in f64: `1 / (1 + exp(−x))`.
pub fn sigmoid(logit: f32) -> f64 {
    1.0 / (1.0 + (-f64::from(logit)).exp())
}

/// Where the right class stands among the scores `[classes]`: 0 for the first. Of equal scores the class of the lower
/// number comes first, as in the class that is predicted.
pub fn rank(label: usize, scores: &[f64]) -> usize {
    let own = scores.get(label).copied().unwrap_or(f64::NEG_INFINITY);
    let before = |(class, &score): (usize, &f64)| score > own || (score == own && class < label);
    scores.iter().enumerate().filter(|&sample| before(sample)).count()
}

/// The share of samples whose class is among the `k` highest of their scores `[samples, classes]`.
///
/// Equal scores are told apart by [`rank`]; scikit-learn prefers the higher class number there.
///
/// # Errors
/// [`MetricError::Lengths`], [`MetricError::Class`], [`MetricError::Empty`], [`MetricError::TopK`] or
/// [`MetricError::Value`].
pub fn top_k_accuracy(labels: &[u32], scores: &[f64], classes: usize, k: u32) -> Result<f64, MetricError> {
    if k == 0 || k as usize >= classes {
        return Err(MetricError::TopK { k, classes });
    }
    let mut found = 0u64;
    each(labels, scores, classes, f64::is_finite, "finite score", |label, scores| {
        found += u64::from(rank(label, scores) < k as usize);
    })?;
    Ok(found as f64 / labels.len() as f64)
}

/// The mean of `−ln p` of the right class, for probabilities `[samples, classes]`. Probabilities below 2.2e-16 count as
/// that, so that one sure mistake doesn't make it infinite, and above 1 − 2.2e-16 as that, both as scikit-learn's.
///
/// # Errors
/// As [`top_k_accuracy`], but for its `k`.
pub fn log_loss(labels: &[u32], probabilities: &[f64], classes: usize) -> Result<f64, MetricError> {
    let mut sum = 0.0;
    each(labels, probabilities, classes, is_probability, "probability", |label, p| sum += surprise(label, p))?;
    Ok(sum / labels.len() as f64)
}

/// `−ln p` of the right class.
pub(super) fn surprise(label: usize, probabilities: &[f64]) -> f64 {
    -probabilities[label].clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

/// e to the mean of `−ln p` of the right class: of a language model the number of words that it hesitates between.
///
/// # Errors
/// As [`log_loss`].
pub fn perplexity(labels: &[u32], probabilities: &[f64], classes: usize) -> Result<f64, MetricError> {
    log_loss(labels, probabilities, classes).map(f64::exp)
}

/// The mean over samples of `Σ (p − y)²` over classes, y being 1 for the right class and 0 elsewhere; of two classes half
/// of that, which is the squared error of the second one's probability (Brier, *Verification of Forecasts Expressed in
/// Terms of Probability*, 1950; the half as scikit-learn's).
///
/// # Errors
/// As [`log_loss`].
pub fn brier_score(labels: &[u32], probabilities: &[f64], classes: usize) -> Result<f64, MetricError> {
    let mut sum = 0.0;
    each(labels, probabilities, classes, is_probability, "probability", |label, p| sum += squares(label, p))?;
    Ok(sum / labels.len() as f64)
}

/// A sample's share of the Brier score.
pub(super) fn squares(label: usize, probabilities: &[f64]) -> f64 {
    let all = probabilities.iter().enumerate();
    let sum: f64 = all.map(|(class, p)| if class == label { (p - 1.0) * (p - 1.0) } else { p * p }).sum();
    if probabilities.len() == 2 { sum / 2.0 } else { sum }
}

pub(super) fn is_probability(p: f64) -> bool {
    (0.0..=1.0).contains(&p)
}

/// Calls `take` with each label and its row.
fn each(
    labels: &[u32],
    rows: &[f64],
    classes: usize,
    is_good: fn(f64) -> bool,
    what: &'static str,
    mut take: impl FnMut(usize, &[f64]),
) -> Result<(), MetricError> {
    if labels.is_empty() {
        return Err(MetricError::Empty);
    }
    if labels.len().checked_mul(classes) != Some(rows.len()) {
        return Err(MetricError::Lengths { labels: labels.len(), predictions: rows.len() / classes.max(1) });
    }
    for (sample, (&label, row)) in (0..).zip(labels.iter().zip(rows.chunks_exact(classes.max(1)))) {
        check(sample, label, row, is_good, what)?;
        take(label as usize, row);
    }
    Ok(())
}

/// Whether a sample's label and row are what they should be.
pub(super) fn check(
    sample: u64,
    label: u32,
    row: &[f64],
    is_good: fn(f64) -> bool,
    what: &'static str,
) -> Result<(), MetricError> {
    if label as usize >= row.len() {
        return Err(MetricError::Class { sample, class: label, classes: row.len() });
    }
    match row.iter().find(|value| !is_good(**value)) {
        Some(&value) => Err(MetricError::Value { sample, value, what }),
        None => Ok(()),
    }
}

/// How often the model is right when it is so and so sure: samples by the probability of the class they are taken for,
/// in equal ranges; a border belongs to the range below.
///
/// ```
/// use emberlite_host::metrics::Calibration;
///
/// let mut calibration = Calibration::new(10);
/// for (confidence, right) in [(0.95, true), (0.95, false), (0.55, true)] {
///     calibration.add(confidence, right)?;
/// }
/// // Two of three samples are 0.45 off, the third as much.
/// assert!((calibration.error()? - 0.45).abs() < 1e-12);
/// # Ok::<(), emberlite_host::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    bins: Vec<Sums>,
    samples: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sums {
    confidence: f64,
    right: u64,
    samples: u64,
}

/// One range of a calibration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationBin {
    /// The mean probability of its samples.
    pub confidence: f64,
    /// The share of them that are right.
    pub accuracy: f64,
    /// Their number, at least 1.
    pub samples: u64,
}

impl Calibration {
    /// Of so many ranges, at least 1.
    pub fn new(bins: usize) -> Self {
        Calibration { bins: vec![Sums::default(); bins.max(1)], samples: 0 }
    }

    /// Takes a sample: how sure the model was of what it said, and whether that was right.
    ///
    /// # Errors
    /// [`MetricError::Value`] for what is no probability; it isn't counted then.
    pub fn add(&mut self, confidence: f64, right: bool) -> Result<(), MetricError> {
        if !is_probability(confidence) {
            return Err(MetricError::Value { sample: self.samples, value: confidence, what: "probability" });
        }
        let count = self.bins.len();
        // The first border that isn't below it; borders are those of numpy's linspace.
        let range = (1..count).find(|&i| confidence <= i as f64 / count as f64).unwrap_or(count) - 1;
        let sums = &mut self.bins[range];
        (sums.confidence, sums.samples) = (sums.confidence + confidence, sums.samples + 1);
        sums.right += u64::from(right);
        self.samples += 1;
        Ok(())
    }

    /// The ranges with samples, from unsure to sure.
    pub fn bins(&self) -> impl Iterator<Item = CalibrationBin> {
        self.bins.iter().filter(|sums| sums.samples > 0).map(|sums| CalibrationBin {
            confidence: sums.confidence / sums.samples as f64,
            accuracy: sums.right as f64 / sums.samples as f64,
            samples: sums.samples,
        })
    }

    /// The expected calibration error: the mean over samples of |accuracy − confidence| of their range (Guo et al., *On
    /// Calibration of Modern Neural Networks*, 2017, eq. 3).
    ///
    /// # Errors
    /// [`MetricError::Empty`].
    pub fn error(&self) -> Result<f64, MetricError> {
        if self.samples == 0 {
            return Err(MetricError::Empty);
        }
        let off = |bin: CalibrationBin| bin.samples as f64 * (bin.accuracy - bin.confidence).abs();
        Ok(self.bins().map(off).sum::<f64>() / self.samples as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_logits() {
        let mut p = Vec::new();
        softmax(&[1000.0, 1000.0, -1000.0], &mut p);
        assert_eq!(p, [0.5, 0.5, 0.0]);
        assert_eq!((sigmoid(0.0), sigmoid(-1e4), sigmoid(1e4)), (0.5, 0.0, 1.0));
    }

    #[test]
    fn figures_by_hand() {
        let p = [0.5, 0.25, 0.25, 0.125, 0.75, 0.125];
        let ln2 = std::f64::consts::LN_2;
        // The right classes have 1/4 and 1/8: 2 and 3 bits, perplexity 2^2.5.
        assert!((log_loss(&[1, 2], &p, 3).unwrap() - 2.5 * ln2).abs() < 1e-15);
        assert!((perplexity(&[1, 2], &p, 3).unwrap() - 2f64.powf(2.5)).abs() < 1e-14);
        let brier = (0.25 + 0.5625 + 0.0625 + (0.015625 + 0.5625 + 0.765625)) / 2.0;
        assert_eq!(brier_score(&[1, 2], &p, 3), Ok(brier));
        assert_eq!(brier_score(&[1], &[0.25, 0.75], 2), Ok(0.0625));
        assert_eq!(top_k_accuracy(&[1, 2], &p, 3, 1), Ok(0.0));
        // Class 1 is second to class 0, and before class 2 with which it ties; class 2 is after 1 and tied 0.
        assert_eq!(top_k_accuracy(&[1, 2], &p, 3, 2), Ok(0.5));
    }

    #[test]
    fn a_sure_mistake_is_bounded() {
        assert_eq!(log_loss(&[0], &[0.0, 1.0], 2), Ok(-f64::EPSILON.ln()));
        assert_eq!(log_loss(&[1], &[0.0, 1.0], 2), Ok(-(1.0 - f64::EPSILON).ln()));
    }

    #[test]
    fn mistakes_are_errors() {
        assert_eq!(log_loss(&[], &[], 2), Err(MetricError::Empty));
        assert_eq!(log_loss(&[0], &[1.0], 0), Err(MetricError::Lengths { labels: 1, predictions: 1 }));
        assert_eq!(log_loss(&[0], &[1.0], 2), Err(MetricError::Lengths { labels: 1, predictions: 0 }));
        assert!(matches!(log_loss(&[0], &[1.5, 0.0], 2), Err(MetricError::Value { sample: 0, value: 1.5, .. })));
        assert!(matches!(top_k_accuracy(&[0], &[f64::NAN, 0.0], 2, 1), Err(MetricError::Value { .. })));
        assert!(matches!(brier_score(&[2], &[1.0, 0.0], 2), Err(MetricError::Class { class: 2, .. })));
        assert!(Calibration::new(0).add(f64::NAN, true).is_err());
        assert_eq!(Calibration::new(5).error(), Err(MetricError::Empty));
    }

    #[test]
    fn a_border_belongs_below() {
        let mut calibration = Calibration::new(4);
        for confidence in [0.0, 0.25, 0.2500001, 0.5, 1.0] {
            calibration.add(confidence, true).unwrap();
        }
        assert_eq!(calibration.bins().map(|bin| bin.samples).collect::<Vec<_>>(), [2, 2, 1]);
    }
}
