//! Counts of right and predicted classes, and all that follows from them.

use super::error::MetricError;
use super::name::{Average, Beta};

/// Classes up to which every pair is counted; above, only sums, as a table of a vocabulary would fill the memory.
pub const MOST_PAIRED: usize = 1000;

/// How often each class occurs, is predicted and is predicted rightly; and, up to [`MOST_PAIRED`] classes, which is taken
/// for which. Memory: `24 classes + 8 classes²` bytes.
///
/// Where a figure would divide by nothing it is 0, as scikit-learn's `zero_division=0`: the precision of a class that is
/// never predicted, the recall of one that never occurs, and their F. A macro mean is over the classes that occur or are
/// predicted, as scikit-learn's without `labels`.
///
/// ```
/// use emberlite_host::metrics::{Average, ConfusionMatrix};
///
/// let matrix = ConfusionMatrix::new(3, &[0, 0, 1, 1, 2, 2], &[0, 1, 1, 1, 2, 0])?;
/// assert_eq!(matrix.row(0), Some(&[1, 1, 0][..]));
/// assert_eq!(matrix.accuracy()?, 4.0 / 6.0);
/// // Precisions 1/2, 2/3 and 1/1.
/// assert!((matrix.precision(Average::Macro)? - 13.0 / 18.0).abs() < 1e-15);
/// assert_eq!(matrix.recall(Average::Class(1))?, 1.0);
/// # Ok::<(), emberlite_host::metrics::MetricError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfusionMatrix {
    right: Vec<u64>,
    support: Vec<u64>,
    predicted: Vec<u64>,
    /// `[right class][predicted class]`, or empty.
    pairs: Vec<u64>,
    samples: u64,
}

impl ConfusionMatrix {
    /// Counts samples: their classes and what they are taken for, `[samples]` each.
    ///
    /// # Errors
    /// [`MetricError::Lengths`] or [`MetricError::Class`].
    pub fn new(classes: usize, labels: &[u32], predicted: &[u32]) -> Result<Self, MetricError> {
        if labels.len() != predicted.len() {
            return Err(MetricError::Lengths { labels: labels.len(), predictions: predicted.len() });
        }
        let mut matrix = Self::empty(classes);
        for (&label, &predicted) in labels.iter().zip(predicted) {
            matrix.add(label, predicted)?;
        }
        Ok(matrix)
    }

    /// Without samples.
    pub fn empty(classes: usize) -> Self {
        let sums = vec![0; classes];
        let pairs = if classes <= MOST_PAIRED { vec![0; classes * classes] } else { Vec::new() };
        ConfusionMatrix { right: sums.clone(), support: sums.clone(), predicted: sums, pairs, samples: 0 }
    }

    /// Counts one sample.
    ///
    /// # Errors
    /// [`MetricError::Class`]; it isn't counted then.
    pub fn add(&mut self, label: u32, predicted: u32) -> Result<(), MetricError> {
        let classes = self.classes();
        let wrong = |class| MetricError::Class { sample: self.samples, class, classes };
        let (row, column) = (label as usize, predicted as usize);
        let Some(support) = self.support.get_mut(row) else { return Err(wrong(label)) };
        let Some(said) = self.predicted.get_mut(column) else { return Err(wrong(predicted)) };
        (*support, *said) = (*support + 1, *said + 1);
        if row == column {
            self.right[row] += 1;
        }
        if let Some(pair) = self.pairs.get_mut(row * classes + column) {
            *pair += 1;
        }
        self.samples += 1;
        Ok(())
    }

    /// The number of classes.
    pub fn classes(&self) -> usize {
        self.support.len()
    }

    /// The number of samples.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Samples of a class; 0 of one that there isn't.
    pub fn support(&self, class: usize) -> u64 {
        self.support.get(class).copied().unwrap_or(0)
    }

    /// What the samples of a class are taken for, a count a class; none above [`MOST_PAIRED`] classes.
    pub fn row(&self, class: usize) -> Option<&[u64]> {
        let classes = self.classes();
        self.pairs.get(class.checked_mul(classes)?..)?.get(..classes).filter(|_| class < classes)
    }

    /// Every row; empty above [`MOST_PAIRED`] classes.
    pub fn rows(&self) -> impl Iterator<Item = &[u64]> {
        (0..self.classes()).filter_map(|class| self.row(class))
    }

    /// The share of right classes.
    ///
    /// # Errors
    /// [`MetricError::Empty`].
    pub fn accuracy(&self) -> Result<f64, MetricError> {
        Ok(self.right.iter().sum::<u64>() as f64 / self.some()?)
    }

    /// The mean recall of the classes that occur.
    ///
    /// # Errors
    /// [`MetricError::Empty`].
    pub fn balanced_accuracy(&self) -> Result<f64, MetricError> {
        self.some()?;
        let seen = (0..self.classes()).filter(|&class| self.support[class] > 0);
        let (sum, count) = seen.fold((0.0, 0.0), |(sum, count), c| (sum + self.recall_of(c), count + 1.0));
        Ok(sum / count)
    }

    /// Of the samples taken for a class, the share that are of it: `TP / (TP + FP)`.
    ///
    /// # Errors
    /// [`MetricError::Empty`]; [`MetricError::NotBinary`] or [`MetricError::Class`] where the average doesn't fit.
    pub fn precision(&self, average: Average) -> Result<f64, MetricError> {
        self.average(average, |class| ratio(self.right[class] as f64, self.predicted[class] as f64))
    }

    /// Of a class's samples, the share that are found: `TP / (TP + FN)`.
    ///
    /// # Errors
    /// As [`Self::precision`].
    pub fn recall(&self, average: Average) -> Result<f64, MetricError> {
        self.average(average, |class| self.recall_of(class))
    }

    /// `(1 + β²) TP / ((1 + β²) TP + FP + β² FN)`, the harmonic mean of precision and recall with weights 1 and β²
    /// (van Rijsbergen, *Information Retrieval*, 2nd ed., chapter 7).
    ///
    /// # Errors
    /// As [`Self::precision`].
    pub fn f_beta(&self, beta: Beta, average: Average) -> Result<f64, MetricError> {
        let square = beta.value() * beta.value();
        self.average(average, |class| {
            let right = (1.0 + square) * self.right[class] as f64;
            // FP + β² FN + (1 + β²) TP: all that are said to be, and β² times all that are.
            ratio(right, self.predicted[class] as f64 + square * self.support[class] as f64)
        })
    }

    /// [`Self::f_beta`] with β 1: `2 TP / (2 TP + FP + FN)`.
    ///
    /// # Errors
    /// As [`Self::precision`].
    pub fn f1(&self, average: Average) -> Result<f64, MetricError> {
        self.f_beta(Beta::ONE, average)
    }

    /// The correlation of right and predicted classes, −1 to 1; 0 where all are of one class or all taken for one
    /// (Gorodkin, *Comparing two K-category assignments by a K-category correlation coefficient*, 2004, eq. 8).
    ///
    /// # Errors
    /// [`MetricError::Empty`].
    pub fn matthews(&self) -> Result<f64, MetricError> {
        let samples = self.some()?;
        let [right, chance, support, predicted] = self.products();
        let spread = (samples * samples - support) * (samples * samples - predicted);
        Ok(ratio(right * samples - chance, spread.sqrt()))
    }

    /// How much more often right than chance would be, of what could be (Cohen, *A Coefficient of Agreement for Nominal
    /// Scales*, 1960); 0 where chance is always right.
    ///
    /// # Errors
    /// [`MetricError::Empty`].
    pub fn kappa(&self) -> Result<f64, MetricError> {
        let samples = self.some()?;
        let [right, chance, ..] = self.products();
        Ok(ratio(right * samples - chance, samples * samples - chance))
    }

    /// Right ones; and the sums over classes of support times predicted, support squared and predicted squared.
    fn products(&self) -> [f64; 4] {
        let right = self.right.iter().sum::<u64>() as f64;
        let sum = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(&a, &b)| a as f64 * b as f64).sum::<f64>();
        let (support, predicted) = (&self.support, &self.predicted);
        [right, sum(support, predicted), sum(support, support), sum(predicted, predicted)]
    }

    fn recall_of(&self, class: usize) -> f64 {
        ratio(self.right[class] as f64, self.support[class] as f64)
    }

    fn average(&self, average: Average, figure: impl Fn(usize) -> f64) -> Result<f64, MetricError> {
        let samples = self.some()?;
        let classes = self.classes();
        match average {
            Average::Binary if classes != 2 => Err(MetricError::NotBinary { classes }),
            Average::Binary => Ok(figure(1)),
            Average::Class(class) if (class as usize) < classes => Ok(figure(class as usize)),
            Average::Class(class) => Err(MetricError::Class { sample: self.samples, class, classes }),
            // Every sample is of one class and taken for one: what is wrongly said of one is missed of another, so that
            // precision, recall and any F of all together are the share of right ones.
            Average::Micro => self.accuracy(),
            Average::Macro => {
                let there = (0..classes).filter(|&c| self.support[c] > 0 || self.predicted[c] > 0);
                let (sum, count) = there.fold((0.0, 0.0), |(sum, count), c| (sum + figure(c), count + 1.0));
                Ok(sum / count)
            }
            Average::Weighted => Ok((0..classes).map(|c| figure(c) * self.support[c] as f64).sum::<f64>() / samples),
        }
    }

    fn some(&self) -> Result<f64, MetricError> {
        if self.samples == 0 { Err(MetricError::Empty) } else { Ok(self.samples as f64) }
    }
}

/// `a / b`, 0 where there is nothing to divide by.
fn ratio(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        // Two classes: TP 3, FP 1, FN 2, TN 4.
        let labels = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0];
        let predicted = [1, 1, 1, 0, 0, 1, 0, 0, 0, 0];
        let m = ConfusionMatrix::new(2, &labels, &predicted).unwrap();
        assert_eq!((m.precision(Average::Binary), m.recall(Average::Binary)), (Ok(0.75), Ok(0.6)));
        assert_eq!(m.f1(Average::Binary), Ok(6.0 / 9.0));
        assert_eq!(m.f_beta(Beta::new(2.0).unwrap(), Average::Binary), Ok(15.0 / 24.0));
        // Of the first class: TP 4, FP 2, FN 1.
        assert_eq!(m.precision(Average::Class(0)), Ok(4.0 / 6.0));
        assert_eq!(m.recall(Average::Macro), Ok((0.8 + 0.6) / 2.0));
        // (TP TN − FP FN) / √((TP + FP)(TP + FN)(TN + FP)(TN + FN)).
        assert!((m.matthews().unwrap() - 10.0 / (4.0f64 * 5.0 * 5.0 * 6.0).sqrt()).abs() < 1e-15);
        // Agreement 0.7, by chance 0.5 · 0.4 + 0.5 · 0.6.
        assert!((m.kappa().unwrap() - 0.4).abs() < 1e-15);
    }

    #[test]
    fn classes_that_never_occur_and_are_never_said_count_nothing() {
        // Class 1 is missed, class 2 said wrongly, class 3 neither there nor said.
        let m = ConfusionMatrix::new(4, &[0, 0, 1], &[0, 2, 0]).unwrap();
        assert_eq!(m.recall(Average::Macro), Ok(0.5 / 3.0));
        assert_eq!(m.precision(Average::Macro), Ok(0.5 / 3.0));
        assert_eq!(m.balanced_accuracy(), Ok(0.25));
        assert_eq!((m.f1(Average::Class(1)), m.f1(Average::Class(3))), (Ok(0.0), Ok(0.0)));
        assert_eq!(m.f1(Average::Micro), m.accuracy());
    }

    #[test]
    fn one_class_alone_has_no_correlation() {
        let m = ConfusionMatrix::new(2, &[1, 1], &[1, 1]).unwrap();
        assert_eq!((m.matthews(), m.kappa(), m.accuracy()), (Ok(0.0), Ok(0.0), Ok(1.0)));
    }

    #[test]
    fn mistakes_are_errors() {
        assert_eq!(ConfusionMatrix::empty(3).accuracy(), Err(MetricError::Empty));
        assert_eq!(ConfusionMatrix::empty(0).f1(Average::Macro), Err(MetricError::Empty));
        let lengths = MetricError::Lengths { labels: 1, predictions: 0 };
        assert_eq!(ConfusionMatrix::new(2, &[0], &[]), Err(lengths));
        let mut m = ConfusionMatrix::new(2, &[0], &[0]).unwrap();
        let before = m.clone();
        assert_eq!(m.add(2, 0), Err(MetricError::Class { sample: 1, class: 2, classes: 2 }));
        assert_eq!(m.add(0, 7), Err(MetricError::Class { sample: 1, class: 7, classes: 2 }));
        assert_eq!(m, before);
    }

    #[test]
    fn a_vocabulary_is_counted_in_sums() {
        let mut m = ConfusionMatrix::empty(50_000);
        m.add(49_999, 49_999).unwrap();
        m.add(1, 49_999).unwrap();
        assert_eq!((m.row(1), m.rows().count(), m.accuracy()), (None, 0, Ok(0.5)));
        assert_eq!(m.precision(Average::Class(49_999)), Ok(0.5));
    }
}
