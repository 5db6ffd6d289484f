//! `conv_transpose1d` and `conv_transpose2d`.

use super::{NodeTensors, Value};
use burn_tensor::module;
use burn_tensor::ops::ConvTransposeOptions;
use emberlite::graph::Shape;
use emberlite::op::ConvTranspose;

/// `x [batch, in, (h,) w]` with `W [in, out, (kh,) kw]`.
pub(super) fn forward(a: &ConvTranspose, x: Value, input: Shape, parameters: &NodeTensors) -> Value {
    let [kh, kw] = a.kernel.map(usize::from);
    let ([sh, sw], [ph, pw]) = (a.stride.map(usize::from), a.padding.map(usize::from));
    let end = usize::from(a.output_padding);
    let (inputs, outputs) = (usize::from(input.planes().0), usize::from(a.channels));
    let (weight, bias) = (parameters.weight(), parameters.bias.clone());
    match x {
        Value::Sequence(x) => {
            let options = ConvTransposeOptions::new([sw], [pw], [end], [1], 1);
            Value::Sequence(module::conv_transpose1d(x, weight.reshape([inputs, outputs, kw]), bias, options))
        }
        Value::Image(x) => {
            let options = ConvTransposeOptions::new([sh, sw], [ph, pw], [end, end], [1, 1], 1);
            Value::Image(module::conv_transpose2d(x, weight.reshape([inputs, outputs, kh, kw]), bias, options))
        }
        // The shape rule refuses vectors.
        Value::Vector(x) => Value::Vector(x),
    }
}
