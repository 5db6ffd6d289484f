//! `max_pool`, `average_pool` (1d and 2d) and `global_average_pool`.

use super::Value;
use burn_tensor::module;
use burn_tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use emberlite::op::{Pool, PoolKind};

/// Windows that the input doesn't fill are dropped at its end; an average counts padding as zeros.
pub(super) fn forward(a: &Pool, x: Value) -> Value {
    let window = a.window.map(usize::from);
    let (stride, padding) = (a.stride.map(usize::from), a.padding.map(usize::from));
    let last = |[_, width]: [usize; 2]| [width];
    match (a.kind, x) {
        (PoolKind::Max, Value::Sequence(x)) => {
            Value::Sequence(module::max_pool1d(x, maximum(last(window), last(stride), last(padding))))
        }
        (PoolKind::Max, Value::Image(x)) => Value::Image(module::max_pool2d(x, maximum(window, stride, padding))),
        (PoolKind::Average, Value::Sequence(x)) => {
            Value::Sequence(module::avg_pool1d(x, average(last(window), last(stride), last(padding))))
        }
        (PoolKind::Average, Value::Image(x)) => Value::Image(module::avg_pool2d(x, average(window, stride, padding))),
        // The planner refuses pooling over vectors.
        (_, Value::Vector(x)) => Value::Vector(x),
    }
}

fn maximum<const N: usize>(window: [usize; N], stride: [usize; N], padding: [usize; N]) -> MaxPoolOptions<N> {
    MaxPoolOptions::new(window).with_stride(stride).with_padding(padding)
}

fn average<const N: usize>(window: [usize; N], stride: [usize; N], padding: [usize; N]) -> AvgPoolOptions<N> {
    AvgPoolOptions::new(window).with_stride(stride).with_padding(padding).with_count_include_pad(true)
}

/// The mean of each channel: `[batch, c, …] -> [batch, c]`.
pub(super) fn global(x: Value) -> Value {
    Value::Vector(match x {
        Value::Vector(x) => x,
        Value::Sequence(x) => x.mean_dim(2).squeeze_dim(2),
        Value::Image(x) => x.flatten::<3>(2, 3).mean_dim(2).squeeze_dim(2),
    })
}
