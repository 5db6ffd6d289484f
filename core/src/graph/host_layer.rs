//! Layers that the host alone computes, as [`layer`](super::layer) has them for both.

use super::Node;
use crate::op::{
    Attention, Concat, ConvTranspose, Embedding, GroupNorm, HostOp, Op, PositionalEncoding, Recurrent, RecurrentKind,
    SequenceLayerNorm, SequenceLinear, Smooth, Upsample, UpsampleMode,
};

const fn host(op: HostOp) -> Node {
    Node::new(Op::Host(op))
}

/// Multi-head self-attention over `[length, features]`.
pub const fn attention(heads: u16) -> Node {
    host(HostOp::Attention(Attention { heads, causal: false, bias: true }))
}
/// The same where a position sees itself and those before it alone.
pub const fn causal_attention(heads: u16) -> Node {
    host(HostOp::Attention(Attention { heads, causal: true, bias: true }))
}
/// The output before and that of node `index`, side by side along the first dimension of a sample.
pub const fn concat(index: u8) -> Node {
    host(HostOp::Concat(Concat { axis: 0 })).from(index)
}
/// A transposed convolution over a sequence `[channels, length]`, stride 1, no padding.
pub const fn conv_transpose1d(channels: u16, kernel: u8) -> Node {
    conv_transpose(1, channels, [1, kernel])
}
/// A transposed convolution over an image with a square kernel, stride 1, no padding.
pub const fn conv_transpose2d(channels: u16, kernel: u8) -> Node {
    conv_transpose(2, channels, [kernel, kernel])
}
const fn conv_transpose(rank: u8, channels: u16, kernel: [u8; 2]) -> Node {
    let (stride, padding, output_padding) = ([1, 1], [0, 0], 0);
    host(HostOp::ConvTranspose(ConvTranspose { rank, channels, kernel, stride, padding, output_padding, bias: true }))
}
/// A row of a table `[vocabulary, features]` for each token.
pub const fn embedding(vocabulary: u16, features: u16) -> Node {
    host(HostOp::Embedding(Embedding { vocabulary, features }))
}
/// Normalises each group of channels; epsilon 1e-5.
pub const fn group_norm(groups: u16) -> Node {
    host(HostOp::GroupNorm(GroupNorm { groups, epsilon: 1e-5 }))
}
/// The features of the last position.
pub const fn last_position() -> Node {
    host(HostOp::LastPosition)
}
/// Adds sine and cosine of the position.
pub const fn positional_encoding() -> Node {
    host(HostOp::PositionalEncoding(PositionalEncoding { learned: false }))
}
/// Adds a learned row for each position.
pub const fn positional_embedding() -> Node {
    host(HostOp::PositionalEncoding(PositionalEncoding { learned: true }))
}
/// Long short-term memory in one direction, every position's output.
pub const fn lstm(hidden: u16) -> Node {
    recurrent(RecurrentKind::Lstm, hidden)
}
/// Gated recurrent unit in one direction, every position's output.
pub const fn gru(hidden: u16) -> Node {
    recurrent(RecurrentKind::Gru, hidden)
}
const fn recurrent(kind: RecurrentKind, hidden: u16) -> Node {
    host(HostOp::Recurrent(Recurrent { kind, hidden, bidirectional: false, last: false, bias: true }))
}
/// Normalises each position over its features; epsilon 1e-5.
pub const fn sequence_layer_norm() -> Node {
    host(HostOp::SequenceLayerNorm(SequenceLayerNorm { epsilon: 1e-5 }))
}
/// `y = W x + b` at every position.
pub const fn sequence_linear(outputs: u16) -> Node {
    host(HostOp::SequenceLinear(SequenceLinear { outputs, bias: true }))
}
/// `x Φ(x)`.
pub const fn gelu() -> Node {
    host(HostOp::Smooth(Smooth::Gelu))
}
/// The approximation of [`gelu`] by a hyperbolic tangent.
pub const fn gelu_tanh() -> Node {
    host(HostOp::Smooth(Smooth::GeluTanh))
}
/// `x / (1 + e^-x)`.
pub const fn silu() -> Node {
    host(HostOp::Smooth(Smooth::Silu))
}
/// `x min(max(x + 3, 0), 6) / 6`.
pub const fn hard_swish() -> Node {
    host(HostOp::Smooth(Smooth::HardSwish))
}
/// Shares that sum to one over the last dimension.
pub const fn softmax() -> Node {
    host(HostOp::Softmax)
}
/// `[a, b] -> [b, a]`; an image becomes a sequence `[height * width, channels]`.
pub const fn transpose() -> Node {
    host(HostOp::Transpose)
}
/// Repeats every value of a sequence `[channels, length]`.
pub const fn upsample_nearest1d(factor: u16) -> Node {
    upsample(1, factor, UpsampleMode::Nearest)
}
/// Repeats every value of an image in both dimensions.
pub const fn upsample_nearest2d(factor: u16) -> Node {
    upsample(2, factor, UpsampleMode::Nearest)
}
/// Interpolates an image.
pub const fn upsample_bilinear2d(factor: u16) -> Node {
    upsample(2, factor, UpsampleMode::Bilinear)
}
const fn upsample(rank: u8, factor: u16, mode: UpsampleMode) -> Node {
    host(HostOp::Upsample(Upsample { rank, factor, mode }))
}

impl Node {
    /// Lets a recurrent layer read the sequence in both directions.
    pub const fn bidirectional(mut self) -> Node {
        match &mut self.op {
            Op::Host(HostOp::Recurrent(r)) => r.bidirectional = true,
            _ => panic!("only a recurrent layer has directions"),
        }
        self
    }
    /// Lets a recurrent layer give its last state alone.
    pub const fn last(mut self) -> Node {
        match &mut self.op {
            Op::Host(HostOp::Recurrent(r)) => r.last = true,
            _ => panic!("only a recurrent layer has a last state"),
        }
        self
    }
    /// Sets what a transposed convolution adds at the end of each dimension.
    pub const fn output_padding(mut self, size: u16) -> Node {
        match &mut self.op {
            Op::Host(HostOp::ConvTranspose(c)) => c.output_padding = size,
            _ => panic!("only a transposed convolution has output padding"),
        }
        self
    }
    /// Sets the dimension along which two tensors are put side by side.
    pub const fn axis(mut self, axis: u16) -> Node {
        match &mut self.op {
            Op::Host(HostOp::Concat(c)) => c.axis = axis,
            _ => panic!("only a concat has an axis"),
        }
        self
    }
}
