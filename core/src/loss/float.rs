//! Losses in f32, in the order of PyTorch's formulas. Sums run in ascending order.

use crate::math;

/// The gradient and loss of a target that can't be used.
pub(super) fn nothing(dy: &mut [f32]) -> f32 {
    dy.fill(0.0);
    0.0
}

fn maximum(x: &[f32]) -> f32 {
    // A NaN is passed over here and reaches loss and gradient through the sum.
    x.iter().fold(f32::NEG_INFINITY, |best, &x| if x > best { x } else { best })
}

/// `ln Σ exp(x_i - max) - (x_label - max)`, i ascending; 0 for a label out of range.
pub(super) fn softmax_value(x: &[f32], label: u16) -> f32 {
    let Some(&right) = x.get(usize::from(label)) else { return 0.0 };
    let max = maximum(x);
    let sum = x.iter().fold(0.0, |sum, &x| sum + math::exp(x - max));
    math::ln(sum) - (right - max)
}

/// `dy_i = (p_i - [i = label]) / batch` with `p_i = exp(x_i - max) / Σ`; returns the loss.
///
/// One exponential and one multiplication an output, two divisions in all; `dy` holds the exponentials in between.
#[inline(never)]
pub(super) fn softmax_backward(x: &[f32], label: u16, batch: u32, dy: &mut [f32]) -> f32 {
    let label = usize::from(label);
    let Some(&right) = x.get(label) else { return nothing(dy) };
    let max = maximum(x);
    let mut sum = 0.0;
    for (dy, &x) in dy.iter_mut().zip(x) {
        *dy = math::exp(x - max);
        sum += *dy;
    }
    let (share, scale) = (1.0 / sum, 1.0 / batch as f32);
    for (i, dy) in dy.iter_mut().enumerate() {
        let p = *dy * share;
        *dy = (if i == label { p - 1.0 } else { p }) * scale;
    }
    math::ln(sum) - (right - max)
}

/// The mean of `value(x_i, t_i)`.
pub(super) fn mean(x: &[f32], t: &[f32], value: impl Fn(f32, f32) -> f32) -> f32 {
    let sum = x.iter().zip(t).fold(0.0, |sum, (&x, &t)| sum + value(x, t));
    sum / x.len().min(t.len()).max(1) as f32
}

/// `dy_i = slope(x_i, t_i) / n / batch`, and the mean of `value(x_i, t_i)`.
#[inline(always)]
pub(super) fn mean_backward(
    x: &[f32],
    t: &[f32],
    batch: u32,
    dy: &mut [f32],
    value: impl Fn(f32, f32) -> f32,
    slope: impl Fn(f32, f32) -> f32,
) -> f32 {
    if t.len() < x.len() {
        return nothing(dy);
    }
    let (share, scale) = (1.0 / x.len().max(1) as f32, 1.0 / batch as f32);
    for (dy, (&x, &t)) in dy.iter_mut().zip(x.iter().zip(t)) {
        *dy = slope(x, t) * share * scale;
    }
    mean(x, t, value)
}

/// `max(x, 0) - x t + ln(1 + exp(-|x|))`: no exponential of a positive number, so no overflow.
pub(super) fn binary_value(x: f32, t: f32) -> f32 {
    let positive = if x < 0.0 { 0.0 } else { x };
    positive - x * t + math::ln_1p(math::exp(-x.abs()))
}
/// `sigmoid(x) - t`.
pub(super) fn binary_slope(x: f32, t: f32) -> f32 {
    math::sigmoid(x) - t
}

/// `(x - t)²`.
pub(super) fn squared_value(x: f32, t: f32) -> f32 {
    (x - t) * (x - t)
}
/// `2 (x - t)`.
pub(super) fn squared_slope(x: f32, t: f32) -> f32 {
    2.0 * (x - t)
}

/// `d²/2` below `delta`, `delta (|d| - delta/2)` from there on.
pub(super) fn huber_value(x: f32, t: f32, delta: f32) -> f32 {
    let d = (x - t).abs();
    if d < delta { 0.5 * d * d } else { delta * (d - 0.5 * delta) }
}
/// `d` clamped to `±delta`.
pub(super) fn huber_slope(x: f32, t: f32, delta: f32) -> f32 {
    let d = x - t;
    if d <= -delta {
        -delta
    } else if d >= delta {
        delta
    } else {
        d
    }
}
