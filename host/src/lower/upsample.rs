//! `upsample_nearest1d`, `upsample_nearest2d`, `upsample_bilinear2d`.
//!
//! Bilinear as two matrix products, over rows and over columns: the framework's interpolation has no way back everywhere.

use super::Value;
use burn_tensor::{Device, Tensor, TensorData};
use emberlite::op::{Upsample, UpsampleMode};

/// `x [batch, channels, (h,) w]`, every spatial dimension `factor` times as large.
pub(super) fn forward(a: &Upsample, x: Value) -> Value {
    let factor = usize::from(a.factor);
    match x {
        Value::Sequence(x) => {
            let [batch, channels, w] = x.dims();
            let x = x.reshape([batch, channels, w, 1]).repeat_dim(3, factor);
            Value::Sequence(x.reshape([batch, channels, w * factor]))
        }
        Value::Image(x) if a.mode == UpsampleMode::Nearest => {
            let [batch, channels, h, w] = x.dims();
            let x = x.reshape([batch * channels, h, 1, w, 1]).repeat_dim(2, factor).repeat_dim(4, factor);
            Value::Image(x.reshape([batch, channels, h * factor, w * factor]))
        }
        Value::Image(x) => {
            let [_, _, h, w] = x.dims();
            let device = x.device().without_autodiff();
            Value::Image(between(h, factor, &device).matmul(x).matmul(between(w, factor, &device).transpose()))
        }
        // The shape rule refuses vectors.
        Value::Vector(x) => Value::Vector(x),
    }
}

/// `[1, 1, factor * size, size]`: how much of each old value is in each new one. The place of new value `i` among the old
/// ones is `(i + 1/2) / factor - 1/2`, at least 0, and behind the last value is the last value.
fn between(size: usize, factor: usize, device: &Device) -> Tensor<4> {
    let mut shares = vec![0.0f32; size * factor * size];
    for (i, row) in shares.chunks_exact_mut(size).enumerate() {
        let place = ((i as f32 + 0.5) / factor as f32 - 0.5).max(0.0);
        let below = (place as usize).min(size - 1);
        let share = place - below as f32;
        row[below] += 1.0 - share;
        row[(below + 1).min(size - 1)] += share;
    }
    Tensor::from_data(TensorData::new(shares, [1, 1, size * factor, size]), device)
}
