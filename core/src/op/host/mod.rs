//! Operations of the host alone: what large models need and the device executor doesn't have yet.
//!
//! The device meets them as one variant, [`Op::Host`](super::Op::Host). Without the feature `host` that variant has no
//! values, so the arms for it are dead code and firmware pays nothing; with it, the planner refuses each by name. Here
//! are shape rules, costs, and how parameters are packed; the host's lowering computes. Sequences of these operations are
//! `[length, features]`, as PyTorch has them with `batch_first`; `transpose` leads to and from `[channels, length]`.
//!
//! A node has one weight and one bias, as everywhere. Where PyTorch has several, they are packed one after the other,
//! in the order that each attribute type states.

mod attention;
mod concat;
mod conv_transpose;
mod embedding;
mod group_norm;
mod position;
mod recurrent;
mod sequence;
mod smooth;
mod softmax;
mod upsample;

pub use attention::Attention;
pub use concat::Concat;
pub use conv_transpose::ConvTranspose;
pub use embedding::Embedding;
pub use group_norm::GroupNorm;
pub use position::PositionalEncoding;
pub use recurrent::{Recurrent, RecurrentKind};
pub use sequence::{SequenceLayerNorm, SequenceLinear};
pub use smooth::Smooth;
pub use upsample::{Upsample, UpsampleMode};

use super::{Facts, OpError};
use crate::shape::Shape;

/// An operation that the host alone computes.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs, reason = "each variant is documented at its attribute type")]
pub enum HostOp {
    Attention(Attention),
    Concat(Concat),
    ConvTranspose(ConvTranspose),
    Embedding(Embedding),
    GroupNorm(GroupNorm),
    /// The features of the last position: `[length, features] -> [features]`.
    LastPosition,
    PositionalEncoding(PositionalEncoding),
    Recurrent(Recurrent),
    SequenceLayerNorm(SequenceLayerNorm),
    SequenceLinear(SequenceLinear),
    Smooth(Smooth),
    /// `e^x / Σ e^x` over the last dimension.
    Softmax,
    /// `[a, b] -> [b, a]`; an image `[channels, height, width]` becomes a sequence `[height * width, channels]`.
    Transpose,
    Upsample(Upsample),
}

impl HostOp {
    /// The name used in `model.toml`, in the graph's text and in messages.
    pub const fn name(&self) -> &'static str {
        match self {
            HostOp::Attention(_) => "attention",
            HostOp::Concat(_) => "concat",
            HostOp::ConvTranspose(a) => a.name(),
            HostOp::Embedding(_) => "embedding",
            HostOp::GroupNorm(_) => "group_norm",
            HostOp::LastPosition => "last_position",
            HostOp::PositionalEncoding(a) => a.name(),
            HostOp::Recurrent(a) => a.kind.name(),
            HostOp::SequenceLayerNorm(_) => "sequence_layer_norm",
            HostOp::SequenceLinear(_) => "sequence_linear",
            HostOp::Smooth(a) => a.name(),
            HostOp::Softmax => "softmax",
            HostOp::Transpose => "transpose",
            HostOp::Upsample(a) => a.name(),
        }
    }

    /// How many inputs the operation has.
    pub const fn inputs(&self) -> usize {
        match self {
            HostOp::Concat(_) => 2,
            _ => 1,
        }
    }

    /// Output shape, parameter counts and MACs for inputs of shapes `x` and, for two inputs, `x2`.
    pub const fn facts(&self, x: Shape, x2: Shape) -> Result<Facts, OpError> {
        match self {
            HostOp::Attention(a) => a.facts(x),
            HostOp::Concat(a) => a.facts(x, x2),
            HostOp::ConvTranspose(a) => a.facts(x),
            HostOp::Embedding(a) => a.facts(x),
            HostOp::GroupNorm(a) => a.facts(x),
            HostOp::LastPosition => sequence::last_position(x),
            HostOp::PositionalEncoding(a) => a.facts(x),
            HostOp::Recurrent(a) => a.facts(x),
            HostOp::SequenceLayerNorm(a) => a.facts(x),
            HostOp::SequenceLinear(a) => a.facts(x),
            HostOp::Smooth(_) => smooth::facts(x),
            HostOp::Softmax => softmax::facts(x),
            HostOp::Transpose => sequence::transpose(x),
            HostOp::Upsample(a) => a.facts(x),
        }
    }

    /// Elements of weight and bias, packed; 0 where the input has the wrong shape.
    pub(super) const fn lens(&self, x: Shape) -> [u32; 2] {
        match self.facts(x, x) {
            Ok(facts) => [facts.parameters[0], facts.parameters[1]],
            Err(_) => [0; 2],
        }
    }

    /// Sets the stride of a transposed convolution; whether there is one to set.
    pub(crate) const fn set_stride(&mut self, stride: u8) -> bool {
        match self {
            HostOp::ConvTranspose(c) => c.stride = [if c.rank == 1 { 1 } else { stride }, stride],
            _ => return false,
        }
        true
    }
    /// Sets the padding of a transposed convolution; whether there is one to set.
    pub(crate) const fn set_padding(&mut self, padding: u8) -> bool {
        match self {
            HostOp::ConvTranspose(c) => c.padding = [if c.rank == 1 { 0 } else { padding }, padding],
            _ => return false,
        }
        true
    }
    /// Leaves out the bias; whether there is one to leave out.
    pub(crate) const fn clear_bias(&mut self) -> bool {
        match self {
            HostOp::ConvTranspose(c) => c.bias = false,
            HostOp::SequenceLinear(l) => l.bias = false,
            HostOp::Recurrent(r) => r.bias = false,
            HostOp::Attention(a) => a.bias = false,
            _ => return false,
        }
        true
    }
    /// Sets epsilon of a normalisation; whether there is one to set.
    pub(crate) const fn set_epsilon(&mut self, value: f32) -> bool {
        match self {
            HostOp::GroupNorm(n) => n.epsilon = value,
            HostOp::SequenceLayerNorm(n) => n.epsilon = value,
            _ => return false,
        }
        true
    }
}

/// Facts of an operation that has an output, parameters and MACs, and nothing that a device's plan would ask.
const fn facts(output: Shape, parameters: [u32; 2], macs: u64) -> Facts {
    let mut facts = Facts::plain(output);
    facts.parameters = [parameters[0], parameters[1], 0, 0];
    facts.macs = if macs > u32::MAX as u64 { u32::MAX } else { macs as u32 };
    facts
}

/// `length` and `features` of a sequence.
const fn length_features(x: Shape) -> Result<(u32, u32), OpError> {
    match x.dims() {
        [length, features] => Ok((*length as u32, *features as u32)),
        _ => Err(OpError::Rank { needed: 2, got: x }),
    }
}

/// A size that must fit a dimension.
const fn dimension(size: u32) -> Result<u16, OpError> {
    if size == 0 || size > 65535 { Err(OpError::TooLarge) } else { Ok(size as u16) }
}

/// `a? `, which `const` functions don't have.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(error) => return Err(error),
        }
    };
}
use attempt;

#[cfg(feature = "defmt")]
impl defmt::Format for HostOp {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{}", self.name());
    }
}
