//! `concat`: two values side by side.

use super::Value;
use burn_tensor::Tensor;
use emberlite::op::Concat;

/// The first, then the second, along a dimension of the sample.
pub(super) fn forward(attributes: &Concat, a: Value, b: Value) -> Value {
    // The batch is the tensors' first dimension.
    let axis = usize::from(attributes.axis) + 1;
    match Value::alike(a, b) {
        (Value::Sequence(a), Value::Sequence(b)) => Value::Sequence(Tensor::cat(vec![a, b], axis)),
        (Value::Image(a), Value::Image(b)) => Value::Image(Tensor::cat(vec![a, b], axis)),
        // The shape rule has checked that the ranks are the same.
        (a, b) => Value::Vector(Tensor::cat(vec![a.flat(), b.flat()], axis)),
    }
}
