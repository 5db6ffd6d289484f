//! Operations: one file each, with its attributes, shape rule, costs, what it keeps for the backward pass, forward,
//! backward to the input, backward to the parameters, and its tests.
//!
//! [`Op`] is the registration: an operation is one file here and one line in each `match` of this file. The `const`
//! half ([`Op::facts`]) is all that the planner knows of an operation; the run-time half works on slices that the
//! executor cuts from the arena.

mod activation;
mod add;
mod conv;
mod conv_slide;
mod dropout;
mod error;
mod facts;
mod io;
mod kind;
mod linear;
mod norm;
mod pool;

pub use activation::{Activation, ActivationKind};
pub use conv::Conv;
pub use dropout::Dropout;
pub use error::OpError;
pub use facts::{Facts, Keep};
pub use io::{Backward, Elementwise, Forward, NodeScales, ParameterGradient, Parameters};
pub use kind::{OpKind, OpSet};
pub use linear::Linear;
pub use norm::{BatchNorm, LayerNorm};
pub use pool::{GlobalAveragePool, Pool, PoolKind};

use crate::graph::Shape;
use crate::number::{Format, Number};

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
        }
    }

    /// How many inputs the operation has.
    pub const fn inputs(&self) -> usize {
        match self {
            Op::Add => 2,
            _ => 1,
        }
    }

    /// Whether the format has this operation; what isn't there is refused by name at planning.
    pub const fn exists_in(&self, format: Format) -> bool {
        match (format, self) {
            (Format::F32, _) => true,
            (Format::Fixed16, Op::Activation(a)) => matches!(a.kind, ActivationKind::Relu),
            (Format::Fixed16, Op::Dropout(_) | Op::LayerNorm(_) | Op::BatchNorm(_)) => false,
            (Format::Fixed16, _) => true,
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
            Op::Flatten => Ok(Facts::alias(Shape::new(&[if x.elements() > 65535 { 0 } else { x.elements() as u16 }]))),
            Op::Add => add::facts(x, x2),
            Op::Dropout(a) => a.facts(x),
            Op::LayerNorm(a) => a.facts(x),
            Op::BatchNorm(a) => a.facts(x),
        }
    }

    /// The dimensions of the weight as PyTorch has them, and how many there are; 0 for an operation without one.
    pub fn weight_dims(&self, input: Shape) -> ([u32; 4], usize) {
        let channels = u32::from(input.planes().0);
        match self {
            Op::Linear(a) => ([u32::from(a.outputs), input.elements(), 1, 1], 2),
            Op::Conv(c) => {
                let (out, inputs) =
                    (u32::from(c.channels), channels.checked_div(u32::from(c.groups)).unwrap_or_default());
                let [kh, kw] = c.kernel.map(u32::from);
                if c.rank == 1 { ([out, inputs, kw, 1], 3) } else { ([out, inputs, kh, kw], 4) }
            }
            Op::LayerNorm(_) => {
                let mut dims = [1; 4];
                for (to, &from) in dims.iter_mut().zip(input.dims()) {
                    *to = u32::from(from);
                }
                (dims, input.rank() as usize)
            }
            Op::BatchNorm(_) => ([channels, 1, 1, 1], 1),
            _ => ([1; 4], 0),
        }
    }

    /// Computes the output. Only kinds in `linked` are compiled in; others leave the output as it is.
    #[inline(always)]
    pub fn forward<N: Number>(&self, linked: OpSet, io: Forward<'_, N>) {
        match self {
            Op::Linear(_) if linked.has_kind(OpKind::Linear) => linear::forward(io),
            Op::Conv(a) if linked.has_kind(OpKind::Conv) => a.forward(io),
            Op::Pool(a) if linked.has_pool() => a.forward(linked, io),
            Op::GlobalAveragePool(_) if linked.has_kind(OpKind::GlobalAveragePool) => pool::global_forward(io),
            Op::Add if linked.has_kind(OpKind::Add) => add::forward(io),
            Op::LayerNorm(a) if linked.has_kind(OpKind::LayerNorm) => a.forward(io),
            Op::BatchNorm(a) if linked.has_kind(OpKind::BatchNorm) => a.forward(io),
            _ => {}
        }
    }

    /// Computes an elementwise operation in place on `io.values`, which holds the input.
    #[inline(always)]
    pub fn forward_in_place<N: Number>(&self, linked: OpSet, io: Elementwise<'_, N>) {
        match self {
            Op::Activation(a) => a.forward(linked, io),
            Op::Dropout(a) if linked.has_kind(OpKind::Dropout) => a.apply(io),
            _ => {}
        }
    }

    /// The error at the input from the error at the output, written to or added to `io.dx`.
    #[inline(always)]
    pub fn backward_input<N: Number>(&self, linked: OpSet, io: Backward<'_, N>) {
        match self {
            Op::Linear(_) if linked.has_kind(OpKind::Linear) => linear::backward_input(io),
            Op::Conv(a) if linked.has_kind(OpKind::Conv) => a.backward_input(io),
            Op::Pool(a) if linked.has_pool() => a.backward_input(linked, io),
            Op::GlobalAveragePool(_) if linked.has_kind(OpKind::GlobalAveragePool) => pool::global_backward(io),
            Op::Flatten | Op::Add | Op::Activation(_) | Op::Dropout(_) if linked.has(self) => add::pass_error(io),
            Op::LayerNorm(a) if linked.has_kind(OpKind::LayerNorm) => a.backward_input(io),
            Op::BatchNorm(a) if linked.has_kind(OpKind::BatchNorm) => a.backward_input(io),
            _ => {}
        }
    }

    /// Turns the error at an elementwise operation's output (`io.values`) into the error at its input, in place.
    #[inline(always)]
    pub fn backward_in_place<N: Number>(&self, linked: OpSet, io: Elementwise<'_, N>) {
        match self {
            Op::Activation(a) => a.backward(linked, io),
            Op::Dropout(a) if linked.has_kind(OpKind::Dropout) => a.apply(io),
            _ => {}
        }
    }

    /// Hands the gradient of every parameter, row by row, to `sink`.
    #[inline(always)]
    pub fn backward_parameters<N: Number, S: ParameterGradient<N>>(
        &self,
        linked: OpSet,
        io: Backward<'_, N>,
        sink: &mut S,
    ) {
        match self {
            Op::Linear(_) if linked.has_kind(OpKind::Linear) => linear::backward_parameters(io, sink),
            Op::Conv(a) if linked.has_kind(OpKind::Conv) => a.backward_parameters(io, sink),
            Op::LayerNorm(a) if linked.has_kind(OpKind::LayerNorm) => a.backward_parameters(io, sink),
            Op::BatchNorm(a) if linked.has_kind(OpKind::BatchNorm) => a.backward_parameters(io, sink),
            _ => {}
        }
    }
}
