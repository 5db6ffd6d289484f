//! Running metrics over evaluated samples.

use super::report::Evaluation;
use crate::number::Number;

/// Accuracy, confusion matrix and mean loss of a classifier with `CLASSES` classes; `4 CLASSES² + 12` bytes or so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Metrics<N: Number, const CLASSES: usize> {
    confusion: [[u32; CLASSES]; CLASSES],
    loss: N::LossSum,
    count: u32,
    correct: u32,
}

impl<N: Number, const CLASSES: usize> Default for Metrics<N, CLASSES> {
    fn default() -> Self {
        Metrics { confusion: [[0; CLASSES]; CLASSES], loss: N::LossSum::default(), count: 0, correct: 0 }
    }
}

impl<N: Number, const CLASSES: usize> Metrics<N, CLASSES> {
    /// Empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a sample of class `label`. A label that isn't a class counts as wrong and stays out of the matrix.
    pub fn add(&mut self, label: u16, evaluation: &Evaluation<N::Loss>) {
        self.count = self.count.saturating_add(1);
        self.correct = self.correct.saturating_add((label == evaluation.class) as u32);
        self.loss = N::add_loss(self.loss, evaluation.loss);
        let row = self.confusion.get_mut(label as usize);
        if let Some(cell) = row.and_then(|row| row.get_mut(evaluation.class as usize)) {
            *cell = cell.saturating_add(1);
        }
    }

    /// Samples added.
    pub const fn count(&self) -> u32 {
        self.count
    }
    /// Samples whose class was right.
    pub const fn correct(&self) -> u32 {
        self.correct
    }
    /// Right samples in thousandths of all, rounded down; integer, for devices without floating point.
    pub fn accuracy_per_mille(&self) -> u32 {
        (u64::from(self.correct) * 1000 / u64::from(self.count).max(1)) as u32
    }
    /// Right samples as a fraction of all; 0 for none.
    pub fn accuracy(&self) -> f32 {
        self.correct as f32 / self.count.max(1) as f32
    }
    /// The mean loss; 0 for none.
    pub fn loss(&self) -> N::Loss {
        N::mean_loss(self.loss, self.count)
    }
    /// `confusion()[label][predicted]` counts samples.
    pub const fn confusion(&self) -> &[[u32; CLASSES]; CLASSES] {
        &self.confusion
    }
}
