//! All figures of a set at once, sample by sample: what an evaluation keeps instead of the outputs.

use super::confusion::ConfusionMatrix;
use super::error::MetricError;
use super::name::{Mean, Metric, Needs};
use super::probability::{BINS, Calibration, check, is_probability, rank, squares, surprise};
use super::ranking::{EXACT, Ranking};
use super::regression::Errors;

/// Classes up to which each may be ranked against the rest.
const MOST_RANKED: usize = 1000;

/// Counts samples and tells metrics of them.
///
/// Memory doesn't grow with the samples, but for areas under curves: their scores are kept exactly up to 4 million of
/// them, in buckets beyond (see [`Ranking`]).
///
/// ```
/// use emberlite_host::metrics::{Metric, Needs, Tally};
///
/// let mut tally = Tally::new(Needs::Probabilities, 2, &[Metric::RocAuc]);
/// for (label, p) in [(0, 0.1), (0, 0.6), (1, 0.4), (1, 0.8)] {
///     tally.add(label, &[1.0 - p, p])?;
/// }
/// assert_eq!(tally.metric(Metric::Accuracy)?, 0.5);
/// assert_eq!(tally.metric(Metric::RocAuc)?, 0.75);
/// # Ok::<(), emberlite_host::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tally {
    kind: Needs,
    confusion: ConfusionMatrix,
    /// How often the right class stands at each rank.
    ranks: Vec<u64>,
    surprise: f64,
    squares: f64,
    calibration: Calibration,
    /// Each class against the rest, of two only the second; empty where none was asked for.
    rankings: Vec<Ranking>,
    errors: Errors,
}

impl Tally {
    /// For a model that gives `kind`, with so many classes (0 where numbers are predicted). Rankings are kept only for
    /// metrics among `wanted` that take them; everything else is always there.
    pub fn new(kind: Needs, classes: usize, wanted: &[Metric]) -> Self {
        let classes = if kind == Needs::Values { 0 } else { classes };
        let single = wanted.iter().any(|m| m.ranks());
        let ranked = match classes {
            _ if kind == Needs::Classes || !single => 0..0,
            2 => 1..2,
            classes if classes <= MOST_RANKED => 0..classes as u32,
            _ => 0..0,
        };
        let budget = EXACT / ranked.len().max(1);
        Tally {
            kind,
            confusion: ConfusionMatrix::empty(classes),
            ranks: if kind == Needs::Classes { Vec::new() } else { vec![0; classes] },
            surprise: 0.0,
            squares: 0.0,
            calibration: Calibration::new(BINS),
            rankings: ranked.map(|class| Ranking::with_budget(budget, class)).collect(),
            errors: Errors::default(),
        }
    }

    /// Takes a sample of a class with its scores or probabilities `[classes]`; the first of the highest is what it is
    /// taken for, which is returned. Of two classes: the second where its score is above the first's.
    ///
    /// # Errors
    /// [`MetricError::Class`], [`MetricError::Lengths`], [`MetricError::Value`] or [`MetricError::Needs`]; it isn't
    /// counted then.
    pub fn add(&mut self, label: u32, scores: &[f64]) -> Result<u32, MetricError> {
        let first = |best: usize, class: usize| if scores[class] > scores[best] { class } else { best };
        let predicted = (0..scores.len()).fold(0, first) as u32;
        self.add_as(label, predicted, scores).map(|()| predicted)
    }

    /// The same where it is known already what the sample is taken for: logits may differ that give the same probability.
    ///
    /// # Errors
    /// As [`Self::add`].
    pub fn add_as(&mut self, label: u32, predicted: u32, scores: &[f64]) -> Result<(), MetricError> {
        let (sample, classes) = (self.samples(), self.confusion.classes());
        match self.kind {
            Needs::Scores => check(sample, label, scores, f64::is_finite, "finite score")?,
            Needs::Probabilities => check(sample, label, scores, is_probability, "probability")?,
            found => return Err(MetricError::Needs { needs: Needs::Scores, found }),
        }
        if scores.len() != classes {
            return Err(MetricError::Lengths { labels: classes, predictions: scores.len() });
        }
        self.confusion.add(label, predicted)?;
        self.ranks[rank(label as usize, scores)] += 1;
        if self.kind == Needs::Probabilities {
            self.surprise += surprise(label as usize, scores);
            self.squares += squares(label as usize, scores);
            self.calibration.add(scores[predicted as usize], predicted == label)?;
        }
        match self.rankings.as_mut_slice() {
            [second] if classes == 2 => second.add(label == 1, scores[1])?,
            rankings => {
                for ((class, ranking), &score) in (0..).zip(rankings).zip(scores) {
                    ranking.add(label == class, score)?;
                }
            }
        }
        Ok(())
    }

    /// Takes a sample of which only the class is known that it is taken for.
    ///
    /// # Errors
    /// [`MetricError::Class`]; [`MetricError::Needs`] if the model gives more, or numbers.
    pub fn add_class(&mut self, label: u32, predicted: u32) -> Result<(), MetricError> {
        if self.kind != Needs::Classes {
            return Err(MetricError::Needs { needs: Needs::Classes, found: self.kind });
        }
        self.confusion.add(label, predicted)
    }

    /// Takes a sample whose number is predicted.
    ///
    /// # Errors
    /// [`MetricError::Value`], or [`MetricError::Needs`] if there are classes.
    pub fn add_value(&mut self, target: f64, prediction: f64) -> Result<(), MetricError> {
        if self.kind != Needs::Values {
            return Err(MetricError::Needs { needs: Needs::Values, found: self.kind });
        }
        self.errors.add(target, prediction)
    }

    /// The number of samples.
    pub fn samples(&self) -> u64 {
        if self.kind == Needs::Values { self.errors.samples() } else { self.confusion.samples() }
    }

    /// What the model gives.
    pub fn kind(&self) -> Needs {
        self.kind
    }

    /// A metric of all samples so far.
    ///
    /// # Errors
    /// [`MetricError`]: what the metric's own function says, [`MetricError::Needs`] if the model doesn't give what it
    /// takes, [`MetricError::NotCounted`] for an area that wasn't among those wanted.
    pub fn metric(&self, metric: Metric) -> Result<f64, MetricError> {
        let classes = self.confusion.classes();
        metric.check(self.kind, classes)?;
        if self.samples() == 0 {
            return Err(MetricError::Empty);
        }
        let mean = |sum: f64| sum / self.samples() as f64;
        match metric {
            Metric::Accuracy => self.confusion.accuracy(),
            Metric::BalancedAccuracy => self.confusion.balanced_accuracy(),
            Metric::TopK(k) => Ok(mean(self.ranks.iter().take(k as usize).sum::<u64>() as f64)),
            Metric::Precision(average) => self.confusion.precision(average),
            Metric::Recall(average) => self.confusion.recall(average),
            Metric::F(beta, average) => self.confusion.f_beta(beta, average),
            Metric::Matthews => self.confusion.matthews(),
            Metric::Kappa => self.confusion.kappa(),
            Metric::RocAuc => self.binary()?.roc_auc(),
            Metric::AveragePrecision => self.binary()?.average_precision(),
            Metric::RocAucOvr(by) => self.one_against_rest(by, Ranking::roc_auc),
            Metric::AveragePrecisionOvr(by) => self.one_against_rest(by, Ranking::average_precision),
            Metric::LogLoss => Ok(mean(self.surprise)),
            Metric::Perplexity => Ok(mean(self.surprise).exp()),
            Metric::Brier => Ok(mean(self.squares)),
            Metric::CalibrationError => self.calibration.error(),
            Metric::Mse => self.errors.mse(),
            Metric::Rmse => self.errors.rmse(),
            Metric::Mae => self.errors.mae(),
            Metric::R2 => self.errors.r2(),
        }
    }

    /// Which class was taken for which; of no classes where numbers are predicted.
    pub fn confusion(&self) -> &ConfusionMatrix {
        &self.confusion
    }

    /// How often the model is right when it is so and so sure; without probabilities none.
    pub fn calibration(&self) -> Option<&Calibration> {
        (self.kind == Needs::Probabilities).then_some(&self.calibration)
    }

    /// Each class against the rest, of two classes the second alone; empty unless a metric that takes them was wanted.
    pub fn rankings(&self) -> &[Ranking] {
        &self.rankings
    }

    fn binary(&self) -> Result<&Ranking, MetricError> {
        self.rankings.first().ok_or(MetricError::NotCounted)
    }

    fn one_against_rest(
        &self,
        by: Mean,
        area: impl Fn(&Ranking) -> Result<f64, MetricError>,
    ) -> Result<f64, MetricError> {
        let classes = self.confusion.classes();
        if classes > MOST_RANKED {
            return Err(MetricError::TooManyClasses { classes, most: MOST_RANKED });
        }
        if self.rankings.is_empty() {
            return Err(MetricError::NotCounted);
        }
        let (mut sum, mut weights) = (0.0, 0.0);
        for ranking in &self.rankings {
            let weight = if by == Mean::Macro { 1.0 } else { ranking.positives() as f64 };
            sum += weight * area(ranking)?;
            weights += weight;
        }
        Ok(sum / weights)
    }
}

#[cfg(test)]
mod tests {
    use super::super::name::Average;
    use super::*;

    #[test]
    fn ties_go_to_the_first_class_everywhere() {
        let mut tally = Tally::new(Needs::Probabilities, 2, &[]);
        assert_eq!(tally.add(0, &[0.5, 0.5]), Ok(0));
        let mut tally = Tally::new(Needs::Scores, 3, &[]);
        assert_eq!(tally.add(2, &[1.0, 7.0, 7.0]), Ok(1));
        assert_eq!(tally.metric(Metric::TopK(2)), Ok(1.0));
        assert_eq!(tally.metric(Metric::TopK(1)), Ok(0.0));
    }

    #[test]
    fn what_is_wrong_is_told_and_not_counted() {
        let mut tally = Tally::new(Needs::Probabilities, 2, &[Metric::RocAuc]);
        assert!(matches!(tally.add(0, &[f64::NAN, 0.5]), Err(MetricError::Value { .. })));
        assert!(matches!(tally.add(0, &[0.25, 0.25, 0.5]), Err(MetricError::Lengths { .. })));
        assert!(matches!(tally.add(5, &[0.5, 0.5]), Err(MetricError::Class { class: 5, .. })));
        assert!(matches!(tally.add_value(0.5, 0.5), Err(MetricError::Needs { .. })));
        assert!(matches!(tally.add_class(0, 0), Err(MetricError::Needs { .. })));
        assert_eq!((tally.samples(), tally.metric(Metric::RocAuc)), (0, Err(MetricError::Empty)));
        tally.add(1, &[0.25, 0.75]).unwrap();
        assert_eq!(tally.metric(Metric::RocAuc), Err(MetricError::OneClass { class: 1, all: true }));
        assert_eq!(
            tally.metric(Metric::Mse),
            Err(MetricError::Needs { needs: Needs::Values, found: Needs::Probabilities })
        );
        let mut unasked = Tally::new(Needs::Probabilities, 2, &[Metric::Accuracy]);
        unasked.add(1, &[0.25, 0.75]).unwrap();
        assert_eq!(unasked.metric(Metric::RocAuc), Err(MetricError::NotCounted));
    }

    #[test]
    fn an_absent_class_is_named() {
        let mut tally = Tally::new(Needs::Probabilities, 3, &[Metric::RocAucOvr(Mean::Macro)]);
        tally.add(0, &[0.5, 0.25, 0.25]).unwrap();
        tally.add(1, &[0.5, 0.25, 0.25]).unwrap();
        let error = tally.metric(Metric::RocAucOvr(Mean::Macro)).unwrap_err();
        assert_eq!(error, MetricError::OneClass { class: 2, all: false });
        assert!(error.to_string().starts_with("class 2 has no sample;"), "{error}");
    }

    #[test]
    fn a_vocabulary_takes_little_memory() {
        let mut tally = Tally::new(Needs::Probabilities, 60_000, &[Metric::RocAucOvr(Mean::Macro)]);
        let even = vec![1.0 / 60_000.0; 60_000];
        tally.add(5, &even).unwrap();
        assert!((tally.metric(Metric::Perplexity).unwrap() / 60_000.0 - 1.0).abs() < 1e-12);
        assert_eq!(tally.metric(Metric::TopK(5)), Ok(0.0));
        assert_eq!(tally.metric(Metric::TopK(6)), Ok(1.0));
        assert_eq!(tally.metric(Metric::F(super::super::Beta::ONE, Average::Micro)), Ok(0.0));
        let many = MetricError::TooManyClasses { classes: 60_000, most: MOST_RANKED };
        assert_eq!(tally.metric(Metric::RocAucOvr(Mean::Macro)), Err(many));
    }
}
