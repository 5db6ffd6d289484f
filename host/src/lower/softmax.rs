//! `softmax` over the last dimension.

use super::Value;
use super::value::Elementwise;
use burn_tensor::{Tensor, activation};

/// `e^x / Σ e^x`.
pub(super) fn forward(x: Value) -> Value {
    x.map(&Softmax)
}

struct Softmax;

impl Elementwise for Softmax {
    fn of<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        activation::softmax(x, D - 1)
    }
}
