//! `conv1d` and `conv2d`.

use super::{NodeTensors, Value};
use burn_tensor::module;
use burn_tensor::ops::ConvOptions;
use emberlite::graph::Shape;
use emberlite::op::Conv;

/// `x [batch, in, (h,) w]` with `W [out, in/groups, (kh,) kw]`; stride, zero padding and groups as the core has them.
pub(super) fn forward(a: &Conv, x: Value, input: Shape, parameters: &NodeTensors) -> Value {
    let [kh, kw] = a.kernel.map(usize::from);
    let ([sh, sw], [ph, pw]) = (a.stride.map(usize::from), a.padding.map(usize::from));
    let groups = usize::from(a.groups);
    let (outputs, inputs) = (usize::from(a.channels), usize::from(input.planes().0) / groups);
    let (weight, bias) = (parameters.weight(), parameters.bias.clone());
    match x {
        Value::Sequence(x) => {
            let options = ConvOptions::new([sw], [pw], [1], groups);
            Value::Sequence(module::conv1d(x, weight.reshape([outputs, inputs, kw]), bias, options))
        }
        Value::Image(x) => {
            let options = ConvOptions::new([sh, sw], [ph, pw], [1, 1], groups);
            Value::Image(module::conv2d(x, weight.reshape([outputs, inputs, kh, kw]), bias, options))
        }
        // The planner refuses a convolution over vectors.
        Value::Vector(x) => Value::Vector(x),
    }
}
