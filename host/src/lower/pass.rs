//! A pass through a graph by whichever way is fastest: the CPU's own (`fast`), or the framework's.

use super::fast::{Fast, Tape};
use super::{Lowered, Mode, Statistics, Tensors};
use burn_tensor::{Device, ExecutionError, Gradients, Tensor};

/// A training pass: what lies between the output and the gradients of the parameters.
#[derive(Debug)]
pub(crate) struct Pass {
    /// The output `[batch, outputs]`, which records a gradient.
    pub output: Tensor<2>,
    /// What running statistics move to.
    pub statistics: Vec<Statistics>,
    tape: Option<Tape>,
}

impl Lowered<'_> {
    /// The way of the CPU, if the input lies there and the graph has one.
    fn fast_on(&self, input: &Tensor<2>) -> Option<&Fast> {
        let fast = self.fast.as_ref()?;
        (input.device().without_autodiff() == Device::flex()).then_some(fast)
    }

    /// The output `[batch, outputs]` of a prediction.
    ///
    /// # Errors
    /// The framework's, if it failed to compute what is read.
    pub fn predict(&self, tensors: &Tensors, input: Tensor<2>) -> Result<Tensor<2>, ExecutionError> {
        match self.fast_on(&input) {
            Some(fast) => Ok(fast.forward(tensors, input, Mode::Predict)?.output()),
            None => Ok(self.forward(tensors, input, Mode::Predict).0),
        }
    }

    /// The forward half of a training step. Compute a loss from its output, take that one's gradients, and hand them to
    /// [`Pass::finish`].
    ///
    /// # Errors
    /// As [`Lowered::predict`].
    pub fn pass(&self, tensors: &Tensors, input: Tensor<2>, mode: Mode) -> Result<Pass, ExecutionError> {
        match self.fast_on(&input) {
            Some(fast) => {
                let tape = fast.forward(tensors, input, mode)?;
                Ok(Pass { output: tape.output(), statistics: Vec::new(), tape: Some(tape) })
            }
            None => {
                let (output, statistics) = self.forward(tensors, input, mode);
                Ok(Pass { output, statistics, tape: None })
            }
        }
    }
}

impl Pass {
    /// The backward half: takes the gradients of the loss to every trained parameter, and returns what running
    /// statistics move to.
    ///
    /// # Errors
    /// As [`Lowered::predict`].
    pub fn finish(
        self,
        lowered: &Lowered<'_>,
        tensors: &Tensors,
        gradients: &mut Gradients,
    ) -> Result<Vec<Statistics>, ExecutionError> {
        if let (Some(tape), Some(fast)) = (self.tape, &lowered.fast) {
            drop(self.output);
            tape.backward(fast, tensors, &lowered.slots, gradients)?;
        }
        Ok(self.statistics)
    }
}
