//! `relu`, `relu6`, `leaky_relu`, `sigmoid`, `tanh`.

use super::Value;
use super::value::Elementwise;
use burn_tensor::{Tensor, activation};
use emberlite::op::{Activation, ActivationKind};

/// Element by element.
pub(super) fn forward(attributes: &Activation, x: Value) -> Value {
    x.map(attributes)
}

impl Elementwise for Activation {
    fn of<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self.kind {
            ActivationKind::Relu => activation::relu(x),
            // The framework's own lets the error through at exactly 0 and 6, the core and PyTorch don't.
            ActivationKind::Relu6 => {
                let y = activation::relu(x);
                let above = y.clone().greater_equal_elem(6.0);
                y.mask_fill(above, 6.0)
            }
            // The same at exactly 0.
            ActivationKind::LeakyRelu => {
                let below = x.clone().lower_equal_elem(0.0);
                let scaled = x.clone().mul_scalar(self.slope);
                x.mask_where(below, scaled)
            }
            ActivationKind::Sigmoid => activation::sigmoid(x),
            ActivationKind::Tanh => activation::tanh(x),
        }
    }
}
