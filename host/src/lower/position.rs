//! `positional_encoding` and `positional_embedding`: where in the sequence a position is.

use super::{NodeTensors, Value};
use burn_tensor::{Device, Tensor, TensorData};
use emberlite::op::PositionalEncoding;

/// `x [batch, length, features]` plus the same `[length, features]` for every sample.
pub(super) fn forward(a: &PositionalEncoding, x: Value, parameters: &NodeTensors) -> Value {
    // The shape rule refuses anything else.
    let Value::Sequence(x) = x else { return x };
    let [_, length, features] = x.dims();
    let table = if a.learned {
        parameters.weight().reshape([1, length, features])
    } else {
        waves(length, features, &x.device().without_autodiff())
    };
    Value::Sequence(x + table)
}

/// What a fixed encoding adds, `[1, length, features]`.
fn waves(length: usize, features: usize, device: &Device) -> Tensor<3> {
    Tensor::from_data(TensorData::new(table(length, features), [1, length, features]), device)
}

/// `[length, features]`: sines and cosines, computed in f64 and rounded once.
pub(super) fn table(length: usize, features: usize) -> Vec<f32> {
    let wave = |position: usize, feature: usize| {
        let rate = 10_000f64.powf(-((feature / 2 * 2) as f64) / features as f64);
        let angle = position as f64 * rate;
        (if feature.is_multiple_of(2) { angle.sin() } else { angle.cos() }) as f32
    };
    (0..length).flat_map(|p| (0..features).map(move |f| wave(p, f))).collect()
}
