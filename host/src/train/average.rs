//! The moving average of the weights.

use super::settings::Ema;
use super::subnormal;
use crate::lower::{Slot, Tensors};
use burn_tensor::Tensor;

/// An average at work; see [`Ema`].
#[derive(Clone, Debug)]
pub(crate) struct Average {
    decay: f32,
    /// One a trained parameter, in order; empty before the first update.
    pub tensors: Vec<Tensor<1>>,
}

impl Average {
    /// Before the first update.
    pub fn new(ema: Ema) -> Self {
        Average { decay: ema.decay, tensors: Vec::new() }
    }

    /// Takes the weights after an update.
    pub fn update(&mut self, tensors: &Tensors, slots: &[Slot]) {
        let weights = slots.iter().map(|slot| tensors.tensor(slot).without_autodiff());
        if self.tensors.is_empty() {
            self.tensors = weights.collect();
            return;
        }
        let rate = 1.0 - self.decay;
        for (average, w) in self.tensors.iter_mut().zip(weights) {
            // As `lerp`: exact where nothing changes.
            *average = subnormal::without(average.clone() + (w - average.clone()).mul_scalar(rate));
        }
    }

    /// All parameters with the averages in place of the trained ones.
    pub fn applied(&self, tensors: &Tensors, slots: &[Slot]) -> Tensors {
        let mut applied = tensors.clone();
        for (slot, average) in slots.iter().zip(&self.tensors) {
            applied.replace(slot, average.clone());
        }
        applied.constant()
    }
}
