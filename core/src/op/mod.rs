//! Operations: one file each, with its attributes, shape rule, costs, what it keeps for the backward pass, forward,
//! backward to the input, backward to the parameters, and its tests.
//!
//! [`Op`] is the registration: an operation is one file here, its kind in `kind.rs`, and one line in each `match` of this
//! file and of `run.rs`. None of them has a wildcard, so a forgotten line doesn't compile. The `const` half here
//! ([`Op::facts`]) is all that the planner knows of an operation; the run-time half in `run.rs` works on slices that the
//! executor cuts from the arena. No room above names a single operation to decide what it needs.

mod activation;
mod add;
mod conv;
mod conv_slide;
mod dropout;
mod error;
mod facts;
#[cfg(feature = "host")]
mod host;
mod io;
mod kind;
mod linear;
#[cfg(not(feature = "host"))]
mod no_host;
mod norm;
mod pool;
mod run;

pub use activation::{Activation, ActivationKind};
pub use conv::Conv;
pub use dropout::Dropout;
pub use error::OpError;
pub use facts::{Facts, Initial, Keep};
#[cfg(feature = "host")]
pub use host::*;
pub use io::{Backward, Bounded, Elementwise, Forward, NodeScales, ParameterGradient, Parameters};
pub use kind::{OpKind, OpSet};
pub use linear::Linear;
#[cfg(not(feature = "host"))]
pub use no_host::HostOp;
pub use norm::{BatchNorm, LayerNorm};
pub use pool::{GlobalAveragePool, Pool, PoolKind};

use crate::number::Format;
use crate::shape::Shape;

/// What a node computes, with its attributes.
#[derive(Clone, Copy, PartialEq, Debug)]
#[allow(missing_docs, reason = "each variant is documented at its attribute type")]
pub enum Op {
    Linear(Linear),
    Conv(Conv),
    Pool(Pool),
    GlobalAveragePool(GlobalAveragePool),
    Activation(Activation),
    /// The same values seen as a vector; costs nothing.
    Flatten,
    /// The sum of two tensors of one shape (a residual connection).
    Add,
    Dropout(Dropout),
    LayerNorm(LayerNorm),
    BatchNorm(BatchNorm),
    /// What the host alone computes; the planner refuses it. Without the feature `host` there is no such operation.
    Host(HostOp),
}

impl Op {
    /// The name used in `model.toml`, in the graph's text and in messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Op::Linear(_) => "linear",
            Op::Conv(c) => c.name(),
            Op::Pool(p) => p.name(),
            Op::GlobalAveragePool(_) => "global_average_pool",
            Op::Activation(a) => a.name(),
            Op::Flatten => "flatten",
            Op::Add => "add",
            Op::Dropout(_) => "dropout",
            Op::LayerNorm(_) => "layer_norm",
            Op::BatchNorm(_) => "batch_norm",
            Op::Host(op) => op.name(),
        }
    }

    /// How many inputs the operation has.
    pub const fn inputs(&self) -> usize {
        match self {
            Op::Add => 2,
            Op::Linear(_)
            | Op::Conv(_)
            | Op::Pool(_)
            | Op::GlobalAveragePool(_)
            | Op::Activation(_)
            | Op::Flatten
            | Op::Dropout(_)
            | Op::LayerNorm(_)
            | Op::BatchNorm(_) => 1,
            Op::Host(op) => op.inputs(),
        }
    }

    /// Whether the format has this operation; what isn't there is refused by name at planning.
    pub const fn exists_in(&self, format: Format) -> bool {
        let fixed16 = match self {
            Op::Linear(_) | Op::Conv(_) | Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Flatten | Op::Add => true,
            Op::Activation(a) => matches!(a.kind, ActivationKind::Relu),
            Op::Dropout(_) | Op::LayerNorm(_) | Op::BatchNorm(_) => false,
            // No format has it, but that is not what is wrong: the planner says so before it asks for formats.
            Op::Host(_) => false,
        };
        match format {
            Format::F32 => true,
            Format::Fixed16 => fixed16,
        }
    }

    /// Shapes, costs and needs for inputs of shapes `x` and, for two inputs, `x2`.
    pub const fn facts(&self, x: Shape, x2: Shape) -> Result<Facts, OpError> {
        match self {
            Op::Linear(a) => a.facts(x),
            Op::Conv(a) => a.facts(x),
            Op::Pool(a) => a.facts(x),
            Op::GlobalAveragePool(a) => a.facts(x),
            Op::Activation(a) => a.facts(x),
            Op::Flatten => Ok(Facts::alias(x.flat())),
            Op::Add => add::facts(x, x2),
            Op::Dropout(a) => a.facts(x),
            Op::LayerNorm(a) => a.facts(x),
            Op::BatchNorm(a) => a.facts(x),
            Op::Host(op) => op.facts(x, x2),
        }
    }

    /// Whether learning can change this operation's parameters where its input has shape `x`.
    pub const fn check_trained(&self, x: Shape) -> Result<(), OpError> {
        match self {
            Op::BatchNorm(_) if x.positions() < 2 => Err(OpError::OnePosition { got: x }),
            Op::Linear(_) | Op::Conv(_) | Op::LayerNorm(_) | Op::BatchNorm(_) => Ok(()),
            Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Activation(_) | Op::Flatten | Op::Add | Op::Dropout(_) => {
                Ok(())
            }
            Op::Host(_) => Ok(()),
        }
    }

    /// What parameters are before the first step; without meaning for an operation that has none.
    pub const fn initial(&self) -> Initial {
        match self {
            Op::Linear(a) => Initial::Uniform { rows: a.outputs },
            Op::Conv(a) => Initial::Uniform { rows: a.channels },
            Op::LayerNorm(_) | Op::BatchNorm(_) => Initial::Identity,
            Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Activation(_) | Op::Flatten | Op::Add | Op::Dropout(_) => {
                Initial::Identity
            }
            Op::Host(_) => Initial::Identity,
        }
    }

    /// The dimensions of the weight as PyTorch has them, and how many there are; 0 for an operation without one. What the
    /// host alone has is packed into one dimension.
    pub fn weight_dims(&self, input: Shape) -> ([u32; 4], usize) {
        match self {
            Op::Linear(a) => ([u32::from(a.outputs), input.elements(), 1, 1], 2),
            Op::Conv(a) => a.weight_dims(input),
            Op::LayerNorm(_) => norm::sample_dims(input),
            Op::BatchNorm(_) => ([u32::from(input.planes().0), 1, 1, 1], 1),
            Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Activation(_) | Op::Flatten | Op::Add | Op::Dropout(_) => {
                ([1; 4], 0)
            }
            Op::Host(op) => packed(op.lens(input)[0]),
        }
    }

    /// The dimensions of the bias, likewise.
    pub fn bias_dims(&self, input: Shape) -> ([u32; 4], usize) {
        match self {
            Op::Linear(a) => ([u32::from(a.outputs), 1, 1, 1], 1),
            Op::Conv(a) => ([u32::from(a.channels), 1, 1, 1], 1),
            Op::LayerNorm(_) | Op::BatchNorm(_) => self.weight_dims(input),
            Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Activation(_) | Op::Flatten | Op::Add | Op::Dropout(_) => {
                ([1; 4], 0)
            }
            Op::Host(op) => packed(op.lens(input)[1]),
        }
    }
}

/// Dimensions of a tensor of `len` elements.
const fn packed(len: u32) -> ([u32; 4], usize) {
    ([len, 1, 1, 1], if len == 0 { 0 } else { 1 })
}
