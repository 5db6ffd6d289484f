//! Samples ranked by a score: the ROC and precision-recall curves of one class against the rest, and their areas.
//!
//! Exact as long as the scores fit a budget of memory. Beyond it scores are put into buckets whose borders are floating
//! point numbers of 8 bits of precision; samples of one bucket then count as ties, and [`Ranking::uncertainty`] says how
//! much an area may be off for it. (Reservoirs and sketches were considered: they are off by chance, this by a known bound,
//! and the order of samples doesn't matter.)

use super::error::MetricError;
use std::collections::BTreeMap;

/// Scores that are kept exactly, unless said otherwise: 32 MiB.
pub const EXACT: usize = 1 << 22;

/// Positive and negative samples with their scores. Equal scores are ties, in any order.
///
/// ```
/// use emberlite_host::metrics::Ranking;
///
/// let mut ranking = Ranking::new();
/// for (positive, score) in [(false, 0.1), (false, 0.4), (true, 0.35), (true, 0.8)] {
///     ranking.add(positive, score)?;
/// }
/// // Of the four pairs of a positive and a negative three are in order.
/// assert_eq!(ranking.roc_auc()?, 0.75);
/// // Half of the positives at precision 1, the other half at 2/3.
/// assert!((ranking.average_precision()? - 5.0 / 6.0).abs() < 1e-15);
/// # Ok::<(), emberlite_host::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ranking {
    kept: Kept,
    most: usize,
    class: u32,
    samples: u64,
}

#[derive(Clone, Debug)]
enum Kept {
    Exact {
        positive: Vec<f64>,
        negative: Vec<f64>,
    },
    /// By the bucket's order: negatives and positives in it, and one of its scores.
    Buckets(BTreeMap<u64, Tied>),
}

/// Samples of one score, or of one bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Tied {
    score: f64,
    negative: u64,
    positive: u64,
}

/// A point of the curves: what is told when every sample of at least this score is taken for positive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// The least score that counts as positive.
    pub score: f64,
    /// Of the negatives, the share that counts as positive: the ROC curve's x.
    pub false_positive_rate: f64,
    /// Of the positives, the share that does, which is the recall: the ROC curve's y, the precision-recall curve's x.
    pub recall: f64,
    /// Of those that do, the share that is positive.
    pub precision: f64,
}

impl Default for Ranking {
    fn default() -> Self {
        Self::new()
    }
}

impl Ranking {
    /// Without samples, exact for up to [`EXACT`] of them.
    pub fn new() -> Self {
        Self::with_budget(EXACT, 1)
    }

    /// Exact for so many samples, 8 bytes each; beyond at most 2 MB. `class` is named in errors.
    pub fn with_budget(samples: usize, class: u32) -> Self {
        let kept = Kept::Exact { positive: Vec::new(), negative: Vec::new() };
        Ranking { kept, most: samples, class, samples: 0 }
    }

    /// Takes a sample.
    ///
    /// # Errors
    /// [`MetricError::Value`] for a score that isn't finite; it isn't counted then.
    pub fn add(&mut self, positive: bool, score: f64) -> Result<(), MetricError> {
        if !score.is_finite() {
            return Err(MetricError::Value { sample: self.samples, value: score, what: "finite score" });
        }
        self.samples += 1;
        match &mut self.kept {
            Kept::Exact { positive: p, negative: n } => {
                let kept = if positive { &mut *p } else { &mut *n };
                // −0 and 0 are one score.
                kept.push(score + 0.0);
                if p.len() + n.len() > self.most {
                    let mut buckets = BTreeMap::new();
                    p.iter().for_each(|&score| put(&mut buckets, true, score));
                    n.iter().for_each(|&score| put(&mut buckets, false, score));
                    self.kept = Kept::Buckets(buckets);
                }
            }
            Kept::Buckets(buckets) => put(buckets, positive, score),
        }
        Ok(())
    }

    /// The area under the ROC curve: the share of pairs of a positive and a negative in which the positive has the higher
    /// score, ties as half a pair. Counted in whole numbers and divided once.
    ///
    /// # Errors
    /// [`MetricError::OneClass`] without positives or without negatives, [`MetricError::Empty`] without samples.
    pub fn roc_auc(&self) -> Result<f64, MetricError> {
        let tied = self.tied();
        let (positive, negative) = self.totals(&tied)?;
        let (mut twice, mut below) = (0u128, 0u128);
        for group in tied.iter().rev() {
            twice += u128::from(group.positive) * (2 * below + u128::from(group.negative));
            below += u128::from(group.negative);
        }
        Ok(twice as f64 / (2.0 * positive * negative))
    }

    /// The area under the precision-recall curve as steps, `Σ (Rₙ − Rₙ₋₁) Pₙ` from the highest score down; unlike the
    /// trapezoids it doesn't promise what no threshold gives (Davis and Goadrich, *The Relationship Between
    /// Precision-Recall and ROC Curves*, 2006).
    ///
    /// # Errors
    /// As [`Self::roc_auc`], but negatives may be missing: it is 1 then.
    pub fn average_precision(&self) -> Result<f64, MetricError> {
        let tied = self.tied();
        let positive = match self.totals(&tied) {
            Ok((positive, _)) => positive,
            Err(MetricError::OneClass { all: true, .. }) => return Ok(1.0),
            Err(error) => return Err(error),
        };
        let (mut area, mut found, mut said) = (0.0, 0u64, 0u64);
        for group in &tied {
            (found, said) = (found + group.positive, said + group.positive + group.negative);
            area += group.positive as f64 * (found as f64 / said as f64);
        }
        Ok(area / positive)
    }

    /// By how much [`Self::roc_auc`] may be off because scores were put into buckets; 0 while it is exact. Half of all
    /// pairs that lie in one bucket.
    pub fn uncertainty(&self) -> f64 {
        let Kept::Buckets(_) = self.kept else { return 0.0 };
        let tied = self.tied();
        let Ok((positive, negative)) = self.totals(&tied) else { return 0.0 };
        tied.iter().map(|t| t.positive as f64 * t.negative as f64).sum::<f64>() / (2.0 * positive * negative)
    }

    /// Points of the curves from the highest score down, at most about `most` of them, the first and last always among
    /// them.
    ///
    /// # Errors
    /// As [`Self::roc_auc`].
    pub fn thresholds(&self, most: usize) -> Result<Vec<Threshold>, MetricError> {
        let tied = self.tied();
        let (positive, negative) = self.totals(&tied)?;
        let every = tied.len().div_ceil(most.max(2)).max(1);
        let (mut found, mut wrong) = (0u64, 0u64);
        let mut points = Vec::new();
        for (index, group) in tied.iter().enumerate() {
            (found, wrong) = (found + group.positive, wrong + group.negative);
            if index == 0 || index + 1 == tied.len() || index % every == 0 {
                points.push(Threshold {
                    score: group.score,
                    false_positive_rate: wrong as f64 / negative,
                    recall: found as f64 / positive,
                    precision: found as f64 / (found + wrong) as f64,
                });
            }
        }
        Ok(points)
    }

    /// Positives, and whether there are any samples, for weights.
    pub(super) fn positives(&self) -> u64 {
        match &self.kept {
            Kept::Exact { positive, .. } => positive.len() as u64,
            Kept::Buckets(buckets) => buckets.values().map(|tied| tied.positive).sum(),
        }
    }

    /// Groups of equal score, the highest first.
    fn tied(&self) -> Vec<Tied> {
        match &self.kept {
            Kept::Buckets(buckets) => buckets.values().rev().copied().collect(),
            Kept::Exact { positive, negative } => {
                let sorted = |scores: &[f64]| {
                    let mut scores = scores.to_vec();
                    scores.sort_by(|a, b| b.total_cmp(a));
                    scores
                };
                let (positive, negative) = (sorted(positive), sorted(negative));
                let (mut p, mut n) = (positive.iter().copied().peekable(), negative.iter().copied().peekable());
                let mut groups = Vec::new();
                while let Some(score) = [p.peek(), n.peek()].into_iter().flatten().copied().reduce(f64::max) {
                    let mut group = Tied { score, ..Tied::default() };
                    while p.next_if(|&next| next == score).is_some() {
                        group.positive += 1;
                    }
                    while n.next_if(|&next| next == score).is_some() {
                        group.negative += 1;
                    }
                    groups.push(group);
                }
                groups
            }
        }
    }

    fn totals(&self, tied: &[Tied]) -> Result<(f64, f64), MetricError> {
        let sum = |count: fn(&Tied) -> u64| tied.iter().map(count).sum::<u64>();
        let class = self.class;
        match (sum(|t| t.positive), sum(|t| t.negative)) {
            (0, 0) => Err(MetricError::Empty),
            (0, _) => Err(MetricError::OneClass { class, all: false }),
            (_, 0) => Err(MetricError::OneClass { class, all: true }),
            (positive, negative) => Ok((positive as f64, negative as f64)),
        }
    }
}

/// Puts a score into its bucket. Probabilities crowd at 0 and 1, so those go by their log odds.
fn put(buckets: &mut BTreeMap<u64, Tied>, positive: bool, score: f64) {
    let spread = if score > 0.0 && score < 1.0 { (score / (1.0 - score)).ln() } else { score };
    // 0 and 1 themselves, and what isn't a probability, lie outside of the log odds' range.
    let place = match score {
        s if s <= 0.0 => s - 1000.0,
        s if s >= 1.0 => s + 1000.0,
        _ => spread,
    };
    let bits = (place as f32 + 0.0).to_bits();
    // Ordered as the numbers are: sign, 8 bits of exponent, 7 of fraction.
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    let tied = buckets.entry(u64::from(ordered >> 16)).or_insert(Tied { score, ..Tied::default() });
    tied.score = tied.score.min(score);
    if positive {
        tied.positive += 1;
    } else {
        tied.negative += 1;
    }
}

/// The area under the ROC curve of binary labels `[samples]` and scores `[samples]`; see [`Ranking::roc_auc`].
///
/// # Errors
/// Those of [`Ranking::roc_auc`] and [`Ranking::add`], and [`MetricError::Lengths`].
pub fn roc_auc(positive: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    ranked(positive, scores)?.roc_auc()
}

/// The area under the steps of the precision-recall curve; see [`Ranking::average_precision`].
///
/// # Errors
/// Those of [`Ranking::average_precision`] and [`Ranking::add`], and [`MetricError::Lengths`].
pub fn average_precision(positive: &[bool], scores: &[f64]) -> Result<f64, MetricError> {
    ranked(positive, scores)?.average_precision()
}

fn ranked(positive: &[bool], scores: &[f64]) -> Result<Ranking, MetricError> {
    if positive.len() != scores.len() {
        return Err(MetricError::Lengths { labels: positive.len(), predictions: scores.len() });
    }
    let mut ranking = Ranking::with_budget(usize::MAX, 1);
    positive.iter().zip(scores).try_for_each(|(&positive, &score)| ranking.add(positive, score))?;
    Ok(ranking)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_by_hand() {
        // All tied: half of each pair. Perfectly wrong: none.
        assert_eq!(roc_auc(&[true, false, false], &[0.5, 0.5, 0.5]), Ok(0.5));
        assert_eq!(roc_auc(&[true, false], &[-0.0, 0.0]), Ok(0.5));
        assert_eq!(roc_auc(&[true, false], &[0.0, 1.0]), Ok(0.0));
        // One tie among four pairs: (2 + 1 + 1/2) / 4.
        assert_eq!(roc_auc(&[true, true, false, false], &[0.9, 0.5, 0.5, 0.1]), Ok(3.5 / 4.0));
        // Precision 1 up to recall 1/2, then 2/3 as the tie comes at once.
        let area = average_precision(&[true, true, false, false], &[0.9, 0.5, 0.5, 0.1]).unwrap();
        assert!((area - (0.5 + 0.5 * 2.0 / 3.0)).abs() < 1e-15);
        assert_eq!(average_precision(&[true, true], &[0.1, 0.2]), Ok(1.0));
    }

    #[test]
    fn one_class_has_no_area() {
        assert_eq!(roc_auc(&[true, true], &[0.1, 0.2]), Err(MetricError::OneClass { class: 1, all: true }));
        assert_eq!(average_precision(&[false], &[0.1]), Err(MetricError::OneClass { class: 1, all: false }));
        assert_eq!(roc_auc(&[], &[]), Err(MetricError::Empty));
        assert!(matches!(roc_auc(&[true, false], &[0.1, f64::NAN]), Err(MetricError::Value { sample: 1, .. })));
        assert_eq!(roc_auc(&[true], &[]), Err(MetricError::Lengths { labels: 1, predictions: 0 }));
    }

    /// Random numbers from 0 to 1.
    fn uniform(index: u64) -> f64 {
        crate::data::random::hash(7, index) as f64 / u64::MAX as f64
    }

    #[test]
    fn buckets_are_off_by_less_than_they_say() {
        let (mut exact, mut few) = (Ranking::new(), Ranking::with_budget(100, 1));
        for i in 0..20_000 {
            let positive = i % 3 == 0;
            // Logits of overlapping classes, up to probabilities that are 1 in all but 1e-13.
            let z = 60.0 * (uniform(2 * i) - 0.5) + if positive { 5.0 } else { 0.0 };
            let score = 1.0 / (1.0 + (-z).exp());
            exact.add(positive, score).unwrap();
            few.add(positive, score).unwrap();
        }
        let (a, b) = (exact.roc_auc().unwrap(), few.roc_auc().unwrap());
        assert!(exact.uncertainty() == 0.0 && few.uncertainty() > 0.0 && few.uncertainty() < 0.005);
        assert!(a != b && (a - b).abs() <= few.uncertainty(), "{a} {b} {}", few.uncertainty());
        assert!((exact.average_precision().unwrap() - few.average_precision().unwrap()).abs() < 0.005);
        assert_eq!(exact.positives(), few.positives());
    }

    #[test]
    fn buckets_keep_the_order_of_any_scores() {
        let scores = [-1e300, -5.0, -1e-300, 0.0, 1e-300, 1e-9, 0.2, 0.5, 0.9, 1.0 - 1e-12, 1.0, 1.5, 2e5, 1e300];
        let mut ranking = Ranking::with_budget(0, 1);
        for (i, &score) in scores.iter().enumerate() {
            ranking.add(i >= 7, score).unwrap();
        }
        assert_eq!(ranking.roc_auc(), Ok(1.0));
    }

    #[test]
    fn curves_are_few_points_and_end_at_one() {
        let mut ranking = Ranking::new();
        (0..10_000).for_each(|i| ranking.add(uniform(i) < uniform(i + 100_000), uniform(i + 100_000)).unwrap());
        let points = ranking.thresholds(200).unwrap();
        assert!((150..=203).contains(&points.len()), "{}", points.len());
        let last = points.last().unwrap();
        assert_eq!((last.false_positive_rate, last.recall), (1.0, 1.0));
        assert!(points.is_sorted_by(|a, b| a.recall <= b.recall && a.score > b.score));
    }
}
