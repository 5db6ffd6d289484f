//! Layers: `const` constructors of [`Node`], the words that a model is written in.

use super::Node;
use crate::op::{
    Activation, ActivationKind, BatchNorm, Conv, Dropout, GlobalAveragePool, LayerNorm, Linear, Op, Pool, PoolKind,
};

/// `y = W x + b` with `outputs` rows.
pub const fn linear(outputs: u16) -> Node {
    Node::new(Op::Linear(Linear { outputs, bias: true }))
}
/// A convolution over a sequence `[channels, length]`, stride 1, no padding.
pub const fn conv1d(channels: u16, kernel: u8) -> Node {
    conv(1, channels, [1, kernel])
}
/// A convolution over an image `[channels, height, width]` with a square kernel, stride 1, no padding.
pub const fn conv2d(channels: u16, kernel: u8) -> Node {
    conv(2, channels, [kernel, kernel])
}
/// A convolution over an image with a kernel of any height and width.
pub const fn conv2d_with(channels: u16, kernel: [u8; 2], stride: [u8; 2], padding: [u8; 2]) -> Node {
    Node::new(Op::Conv(Conv { rank: 2, channels, kernel, stride, padding, groups: 1, bias: true }))
}
const fn conv(rank: u8, channels: u16, kernel: [u8; 2]) -> Node {
    Node::new(Op::Conv(Conv { rank, channels, kernel, stride: [1, 1], padding: [0, 0], groups: 1, bias: true }))
}
/// The largest of every `window` values of a sequence; stride = window.
pub const fn max_pool1d(window: u8) -> Node {
    pool(PoolKind::Max, 1, window)
}
/// The largest value of every `window x window` square; stride = window.
pub const fn max_pool2d(window: u8) -> Node {
    pool(PoolKind::Max, 2, window)
}
/// The mean of every `window` values of a sequence; stride = window.
pub const fn average_pool1d(window: u8) -> Node {
    pool(PoolKind::Average, 1, window)
}
/// The mean of every `window x window` square; stride = window.
pub const fn average_pool2d(window: u8) -> Node {
    pool(PoolKind::Average, 2, window)
}
const fn pool(kind: PoolKind, rank: u8, window: u8) -> Node {
    let window = [if rank == 1 { 1 } else { window }, window];
    Node::new(Op::Pool(Pool { kind, rank, window, stride: window, padding: [0, 0], floor: false }))
}
/// The mean of each channel.
pub const fn global_average_pool() -> Node {
    Node::new(Op::GlobalAveragePool(GlobalAveragePool))
}
/// `max(x, 0)`.
pub const fn relu() -> Node {
    activation(ActivationKind::Relu, 0.0)
}
/// `min(max(x, 0), 6)`.
pub const fn relu6() -> Node {
    activation(ActivationKind::Relu6, 0.0)
}
/// `x` above zero, `slope * x` below.
pub const fn leaky_relu(slope: f32) -> Node {
    activation(ActivationKind::LeakyRelu, slope)
}
/// `1 / (1 + e^-x)`.
pub const fn sigmoid() -> Node {
    activation(ActivationKind::Sigmoid, 0.0)
}
/// The hyperbolic tangent.
pub const fn tanh() -> Node {
    activation(ActivationKind::Tanh, 0.0)
}
const fn activation(kind: ActivationKind, slope: f32) -> Node {
    Node::new(Op::Activation(Activation { kind, slope }))
}
/// The same values as a vector.
pub const fn flatten() -> Node {
    Node::new(Op::Flatten)
}
/// The sum of the node before and of node `index` (a residual connection).
pub const fn add(index: u8) -> Node {
    Node::new(Op::Add).from(index)
}
/// Zeroes elements with probability `rate` while training.
pub const fn dropout(rate: f32) -> Node {
    Node::new(Op::Dropout(Dropout { rate }))
}
/// Normalises the sample; epsilon 1e-5.
pub const fn layer_norm() -> Node {
    Node::new(Op::LayerNorm(LayerNorm { epsilon: 1e-5 }))
}
/// Normalises each channel; epsilon 1e-5, momentum 0.1.
pub const fn batch_norm() -> Node {
    Node::new(Op::BatchNorm(BatchNorm { epsilon: 1e-5, momentum: 0.1 }))
}
