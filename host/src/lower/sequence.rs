//! What sequences need besides: `sequence_linear`, `sequence_layer_norm`, `transpose`, `last_position`.

use super::{NodeTensors, Value};
use burn_tensor::{Tensor, module};
use emberlite::op::{SequenceLayerNorm, SequenceLinear};

/// `y [batch, length, out] = x [batch, length, in] Wᵀ + b`: one matrix product for all positions.
pub(super) fn linear(a: &SequenceLinear, x: Value, parameters: &NodeTensors) -> Value {
    // The shape rule refuses anything else, here and below.
    let Value::Sequence(x) = x else { return x };
    let weight = parameters.weight().reshape([usize::from(a.outputs), x.dims()[2]]);
    Value::Sequence(last_linear(x, weight, parameters.bias.clone()))
}

/// `x [a, b, in]` with `W [out, in]` as PyTorch has it.
pub(super) fn last_linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    let [a, b, inputs] = x.dims();
    let outputs = weight.dims()[0];
    module::linear(x.reshape([a * b, inputs]), weight.transpose(), bias).reshape([a, b, outputs])
}

/// Normalises each position over its features.
pub(super) fn layer_norm(a: &SequenceLayerNorm, x: Value, parameters: &NodeTensors) -> Value {
    let Value::Sequence(x) = x else { return x };
    Value::Sequence(module::layer_norm(x, parameters.weight(), parameters.bias.clone(), a.epsilon.into()))
}

/// `[batch, a, b] -> [batch, b, a]`, `[batch, channels, height, width] -> [batch, height * width, channels]`.
pub(super) fn transpose(x: Value) -> Value {
    match x {
        Value::Sequence(x) => Value::Sequence(x.swap_dims(1, 2)),
        Value::Image(x) => Value::Sequence(x.flatten::<3>(2, 3).swap_dims(1, 2)),
        Value::Vector(x) => Value::Vector(x),
    }
}

/// `[batch, length, features] -> [batch, features]`.
pub(super) fn last_position(x: Value) -> Value {
    let Value::Sequence(x) = x else { return x };
    let [batch, length, features] = x.dims();
    Value::Vector(x.narrow(1, length - 1, 1).reshape([batch, features]))
}
