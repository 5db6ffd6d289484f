//! `gelu`, `gelu_tanh`, `silu`, `hard_swish`.

use super::Value;
use super::value::Elementwise;
use burn_tensor::{Tensor, activation};
use emberlite::op::Smooth;

/// Element by element.
pub(super) fn forward(kind: &Smooth, x: Value) -> Value {
    x.map(kind)
}

impl Elementwise for Smooth {
    fn of<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Smooth::Gelu => activation::gelu(x),
            // The framework's own takes a power where a product does.
            Smooth::GeluTanh => {
                const ROOT: f32 = 0.797_884_6;
                let square = x.clone() * x.clone();
                let inner = (square * (ROOT * 0.044_715) + ROOT) * x.clone();
                x * (inner.tanh() + 1.0) * 0.5
            }
            Smooth::Silu => activation::silu(x),
            // As `relu6` is built, so that the error at the kinks is PyTorch's.
            Smooth::HardSwish => {
                // The kink is where `x` is 3: just below, `x + 3` may already round to 6.
                let above = x.clone().greater_equal_elem(3.0);
                let inner = activation::relu(x.clone() + 3.0);
                x * inner.mask_fill(above, 6.0) / 6.0
            }
        }
    }
}
