//! `embedding`: a row of a table for each token.

use super::{NodeTensors, Value};
use burn_tensor::module;
use emberlite::op::Embedding;

/// `x [batch, length]`, token ids as real numbers, to `[batch, length, features]`.
///
/// An id outside the vocabulary takes the nearest row: data are checked when a set is opened, and a device can't raise.
pub(super) fn forward(a: &Embedding, x: Value, parameters: &NodeTensors) -> Value {
    let last = f32::from(a.vocabulary.saturating_sub(1));
    let ids = x.flat().clamp(0.0, last).int();
    let table = parameters.weight().reshape([usize::from(a.vocabulary), usize::from(a.features)]);
    Value::Sequence(module::embedding(table, ids))
}
