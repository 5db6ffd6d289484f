//! What an epoch has come to: sums over its updates, and what the device hasn't been asked for yet.

use super::error::TrainError;
use super::group::Group;
use super::run::failed;
use burn_tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The epoch at hand.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Within {
    /// Updates made in it; 0 between epochs.
    pub step: u32,
    pub sums: Sums,
    /// Wall time so far.
    pub seconds: f64,
}

/// Sums over the samples of an epoch so far, in their order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    loss: f64,
    weight: f64,
    correct: f64,
    samples: f64,
    has_classes: bool,
}

/// Losses and counts of batches that haven't been read yet.
#[derive(Default)]
pub(super) struct Unread {
    /// The update, from 1, that each batch belongs to.
    of: Vec<u32>,
    losses: Vec<Tensor<1>>,
    weights: Vec<f64>,
    correct: Vec<Tensor<1>>,
    samples: f64,
}

/// The same, read: for each batch its update, the sum of its losses and its weight.
pub(crate) struct Figures {
    batches: Vec<(u32, f64, f64)>,
    correct: f64,
    samples: f64,
    has_classes: bool,
}

impl Unread {
    /// Takes the mean loss of a batch and how many of its samples are right.
    pub fn push(&mut self, step: u32, loss: Tensor<1>, weight: f64, correct: Option<Tensor<1>>, samples: usize) {
        self.of.push(step);
        self.losses.push(loss);
        self.weights.push(weight);
        self.correct.extend(correct);
        self.samples += samples as f64;
    }

    /// A batch of which this rank has no sample.
    pub fn nothing(&mut self, step: u32, device: &Device) {
        self.push(step, Tensor::zeros([1], device), 0.0, None, 0);
    }

    /// The updates that it spans.
    pub fn steps(&self) -> u32 {
        match (self.of.first(), self.of.last()) {
            (Some(first), Some(last)) => last - first + 1,
            _ => 0,
        }
    }

    /// Waits for the device; with other ranks, adds theirs. `saved` is the last checkpoint, for the error.
    pub fn read(self, group: Option<&dyn Group>, epoch: u32, saved: Option<&Path>) -> Result<Figures, TrainError> {
        let Unread { of, losses, weights, correct, samples } = self;
        let read = |tensors: Vec<Tensor<1>>| -> Result<Vec<f64>, TrainError> {
            if tensors.is_empty() {
                return Ok(Vec::new());
            }
            let data = Tensor::cat(tensors, 0).try_into_data().map_err(|e| failed(epoch, e))?;
            Ok(data.iter::<f32>().map(f64::from).collect())
        };
        let has_classes = !correct.is_empty();
        let losses = read(losses)?;
        let right: f64 = read(correct)?.iter().sum();
        // A batch without weight has a loss of 0, or one that is no number.
        let mut all: Vec<f64> = losses.iter().zip(&weights).map(|(loss, weight)| loss * weight).collect();
        all.extend(weights);
        all.extend([right, samples, f64::from(u8::from(has_classes))]);
        if let Some(group) = group {
            group.sum64(&mut all).map_err(|error| error.at(epoch, saved.map(Path::to_path_buf)))?;
        }
        let count = of.len();
        let batches = of.into_iter().enumerate().map(|(i, step)| (step, all[i], all[count + i])).collect();
        let [correct, samples, classes] = [0, 1, 2].map(|i| all[2 * count + i]);
        Ok(Figures { batches, correct, samples, has_classes: classes > 0.0 })
    }
}

impl Sums {
    /// Adds what was read; gives the first update whose loss isn't a number, and then adds nothing more.
    pub fn add(&mut self, figures: Figures) -> Option<u32> {
        for (step, loss, weight) in figures.batches {
            if !loss.is_finite() {
                return Some(step);
            }
            self.loss += loss;
            self.weight += weight;
        }
        self.correct += figures.correct;
        self.samples += figures.samples;
        self.has_classes |= figures.has_classes;
        None
    }

    /// The mean loss.
    pub fn mean(&self) -> f64 {
        self.loss / self.weight
    }

    /// The share of right classes.
    pub fn accuracy(&self) -> Option<f64> {
        self.has_classes.then(|| self.correct / self.samples)
    }
}
