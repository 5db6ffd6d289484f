//! The run-time half of every operation. Only kinds in `linked` are compiled in; others do nothing.
//!
//! The last arm of each `match` names those that have nothing to do there, and with them those that aren't linked.

use super::{Backward, Bounded, Elementwise, Forward, Op, OpKind, OpSet, ParameterGradient, add, linear, pool};
use crate::number::Number;
use crate::shape::Shape;

impl Op {
    /// Computes the output.
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
            Op::Linear(_) | Op::Conv(_) | Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Add => {}
            Op::LayerNorm(_) | Op::BatchNorm(_) => {}
            Op::Activation(_) | Op::Dropout(_) | Op::Flatten | Op::Host(_) => {}
        }
    }

    /// Computes an elementwise operation in place on `io.values`, which holds the input.
    #[inline(always)]
    pub fn forward_in_place<N: Number>(&self, linked: OpSet, io: Elementwise<'_, N>) {
        match self {
            Op::Activation(a) => a.forward(linked, io),
            Op::Dropout(a) if linked.has_kind(OpKind::Dropout) => a.apply(io),
            Op::Dropout(_) | Op::Linear(_) | Op::Conv(_) | Op::Pool(_) | Op::GlobalAveragePool(_) => {}
            Op::Flatten | Op::Add | Op::LayerNorm(_) | Op::BatchNorm(_) | Op::Host(_) => {}
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
            Op::Linear(_) | Op::Conv(_) | Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Flatten | Op::Add => {}
            Op::Activation(_) | Op::Dropout(_) | Op::LayerNorm(_) | Op::BatchNorm(_) | Op::Host(_) => {}
        }
    }

    /// Turns the error at an elementwise operation's output (`io.values`) into the error at its input, in place.
    #[inline(always)]
    pub fn backward_in_place<N: Number>(&self, linked: OpSet, io: Elementwise<'_, N>) {
        match self {
            Op::Activation(a) => a.backward(linked, io),
            Op::Dropout(a) if linked.has_kind(OpKind::Dropout) => a.apply(io),
            Op::Dropout(_) | Op::Linear(_) | Op::Conv(_) | Op::Pool(_) | Op::GlobalAveragePool(_) => {}
            Op::Flatten | Op::Add | Op::LayerNorm(_) | Op::BatchNorm(_) | Op::Host(_) => {}
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
            Op::Linear(_) | Op::Conv(_) | Op::LayerNorm(_) | Op::BatchNorm(_) | Op::Host(_) => {}
            Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Activation(_) | Op::Flatten | Op::Add | Op::Dropout(_) => {}
        }
    }

    /// How many times larger than an element of the error at the output one at an input can be; infinite if the backward
    /// pass would read a number that isn't finite, or where nothing is known.
    #[inline(always)]
    pub fn gain<N: Number>(&self, linked: OpSet, at: Bounded<'_, N>) -> f32 {
        match self {
            Op::Linear(a) if linked.has_kind(OpKind::Linear) => a.gain(&at),
            Op::Conv(a) if linked.has_kind(OpKind::Conv) => a.gain(&at),
            Op::Pool(a) if linked.has_pool() => a.gain(),
            Op::Dropout(a) if linked.has_kind(OpKind::Dropout) => a.gain(),
            Op::LayerNorm(a) if linked.has_kind(OpKind::LayerNorm) => a.gain(&at),
            Op::BatchNorm(a) if linked.has_kind(OpKind::BatchNorm) => a.gain(&at),
            Op::Activation(a) => a.gain(linked, &at),
            // A share of the error, or the error itself.
            Op::GlobalAveragePool(_) | Op::Flatten | Op::Add => 1.0,
            Op::Linear(_) | Op::Conv(_) | Op::Pool(_) | Op::Dropout(_) | Op::LayerNorm(_) | Op::BatchNorm(_) => {
                f32::INFINITY
            }
            Op::Host(_) => f32::INFINITY,
        }
    }

    /// A bound on the magnitude of every element of the parameters' gradients where elements of the error at the output
    /// are at most `error`; infinite where nothing is known.
    #[inline(always)]
    pub fn gradient_bound<N: Number>(&self, linked: OpSet, at: Bounded<'_, N>, error: f32) -> f32 {
        match self {
            Op::Linear(_) if linked.has_kind(OpKind::Linear) => linear::gradient_bound(&at, error),
            Op::Conv(_) if linked.has_kind(OpKind::Conv) => linear::gradient_bound(&at, error),
            Op::LayerNorm(a) if linked.has_kind(OpKind::LayerNorm) => a.gradient_bound(&at, error),
            Op::BatchNorm(a) if linked.has_kind(OpKind::BatchNorm) => a.gradient_bound(&at, error),
            Op::Linear(_) | Op::Conv(_) | Op::LayerNorm(_) | Op::BatchNorm(_) | Op::Host(_) => f32::INFINITY,
            // No parameters.
            Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Activation(_) | Op::Flatten | Op::Add | Op::Dropout(_) => 0.0,
        }
    }

    /// Whether the statistics that a training step took from the sample (`saved`) may be learnt from.
    #[inline(always)]
    pub fn statistics_are_finite(&self, linked: OpSet, saved: &[u32]) -> bool {
        match self {
            Op::BatchNorm(_) if linked.has_kind(OpKind::BatchNorm) => super::BatchNorm::is_finite(saved),
            Op::BatchNorm(_) | Op::Linear(_) | Op::Conv(_) | Op::Pool(_) | Op::GlobalAveragePool(_) => true,
            Op::Activation(_) | Op::Flatten | Op::Add | Op::Dropout(_) | Op::LayerNorm(_) | Op::Host(_) => true,
        }
    }

    /// Moves the running mean and variance to those of a sample of shape `input`.
    #[inline(always)]
    pub fn move_statistics<N: Number>(
        &self,
        linked: OpSet,
        running: [&mut [N::Value]; 2],
        saved: &[u32],
        input: Shape,
    ) {
        match self {
            Op::BatchNorm(a) if linked.has_kind(OpKind::BatchNorm) => a.move_statistics::<N>(running, saved, input),
            Op::BatchNorm(_) | Op::Linear(_) | Op::Conv(_) | Op::Pool(_) | Op::GlobalAveragePool(_) => {}
            Op::Activation(_) | Op::Flatten | Op::Add | Op::Dropout(_) | Op::LayerNorm(_) | Op::Host(_) => {}
        }
    }
}

/// What the executor needn't look for where it is in no linked operation. A test holds both against every operation.
impl OpSet {
    /// Whether any operation in the set keeps running statistics.
    #[inline(always)]
    pub const fn has_statistics(self) -> bool {
        self.has_kind(OpKind::BatchNorm)
    }
    /// Whether any operation in the set has two inputs.
    #[inline(always)]
    pub const fn has_second_input(self) -> bool {
        self.has_kind(OpKind::Add)
    }
}
