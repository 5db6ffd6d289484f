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

#[cfg(test)]
mod tests {
    use super::*;
    use burn_tensor::Device;

    /// The core's and PyTorch's values: at a kink the error takes the side below 0 and is cut off at 6.
    #[test]
    fn kinks_cut_as_in_the_core() {
        let x = [-1.0, -0.0, 0.0, 5.5, 6.0, 7.0];
        let relu = ([0.0, 0.0, 0.0, 5.5, 6.0, 7.0], [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let relu6 = ([0.0, 0.0, 0.0, 5.5, 6.0, 6.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
        let leaky = ([-0.25, 0.0, 0.0, 5.5, 6.0, 7.0], [0.25, 0.25, 0.25, 1.0, 1.0, 1.0]);
        for (kind, (values, slopes)) in
            [(ActivationKind::Relu, relu), (ActivationKind::Relu6, relu6), (ActivationKind::LeakyRelu, leaky)]
        {
            let x = Tensor::<1>::from_data(x, &Device::flex()).autodiff().require_grad();
            let y = Activation { kind, slope: 0.25 }.of(x.clone());
            let gradient = x.grad(&y.clone().sum().backward()).unwrap();
            assert_eq!(y.without_autodiff().into_data().iter::<f32>().collect::<Vec<_>>(), values, "{kind:?}");
            assert_eq!(gradient.into_data().iter::<f32>().collect::<Vec<_>>(), slopes, "{kind:?}");
        }
    }
}
