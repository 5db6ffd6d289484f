//! `linear`: one matrix product a batch.

use super::{NodeTensors, Value};
use burn_tensor::module;
use emberlite::op::Linear;

/// `y [batch, out] = x [batch, in] Wᵀ + b` with `W [out, in]`.
pub(super) fn forward(attributes: &Linear, x: Value, parameters: &NodeTensors) -> Value {
    let x = x.flat();
    let (outputs, inputs) = (usize::from(attributes.outputs), x.dims()[1]);
    let weight = parameters.weight().reshape([outputs, inputs]).transpose();
    Value::Vector(module::linear(x, weight, parameters.bias.clone()))
}
