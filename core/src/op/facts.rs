//! What an operation tells the planner about one node.

use crate::shape::Shape;

/// What must survive from the forward pass to the backward pass of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Keep {
    /// The input, to compute parameter gradients.
    pub input_for_parameters: bool,
    /// The input, to compute the error at the input.
    pub input_for_error: bool,
    /// The output.
    pub output: bool,
    /// One bit per element, or the output where that is kept anyway.
    pub mask_or_output: bool,
    /// Words of its own (argmax bytes, mean and deviation).
    pub words: u32,
    /// Those words are read once more when the step is accepted: running statistics follow them.
    pub words_until_end: bool,
    /// Where none of the node's parameters is trained, neither its input nor its words are needed.
    pub only_if_trained: bool,
}

impl Keep {
    /// Nothing.
    pub const NOTHING: Keep = Keep {
        input_for_parameters: false,
        input_for_error: false,
        output: false,
        mask_or_output: false,
        words: 0,
        words_until_end: false,
        only_if_trained: false,
    };
}

/// Shape, costs and needs of one node.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Facts {
    /// The output's shape.
    pub output: Shape,
    /// Elements of weight, bias, running mean and running variance.
    pub parameters: [u32; 4],
    /// Multiply-accumulates of the forward pass; the error and the gradient each cost the same again.
    pub macs: u32,
    /// Works in place on its input: output shape = input shape, element by element.
    pub elementwise: bool,
    /// The output is the input's memory under another shape.
    pub alias: bool,
    /// In fixed point the output has the scale of the first input: its values are some of the input's, or zero.
    pub same_scale: bool,
    /// The error at the first input has as many elements as that at the output and can be computed in its place.
    pub passes_error: bool,
    /// What the backward pass needs.
    pub keep: Keep,
    /// Values of scratch in the forward pass.
    pub scratch_forward: u32,
    /// Values of scratch to compute the error at the input.
    pub scratch_error: u32,
    /// Gradient elements (words) of scratch to compute parameter gradients.
    pub scratch_gradient: u32,
}

impl Facts {
    /// An operation with no parameters that keeps nothing.
    pub const fn plain(output: Shape) -> Facts {
        Facts {
            output,
            parameters: [0; 4],
            macs: 0,
            elementwise: false,
            alias: false,
            same_scale: false,
            passes_error: false,
            keep: Keep::NOTHING,
            scratch_forward: 0,
            scratch_error: 0,
            scratch_gradient: 0,
        }
    }
    /// An elementwise operation.
    pub const fn elementwise(shape: Shape, keep: Keep) -> Facts {
        let mut facts = Facts::plain(shape);
        facts.elementwise = true;
        facts.same_scale = true;
        facts.passes_error = true;
        facts.keep = keep;
        facts
    }
    /// Another shape for the same memory.
    pub const fn alias(shape: Shape) -> Facts {
        let mut facts = Facts::plain(shape);
        facts.alias = true;
        facts.same_scale = true;
        facts.passes_error = true;
        facts
    }
    /// Words of the larger backward scratch, as if values were words: a bound for size checks.
    pub const fn scratch_backward_words(&self) -> u32 {
        if self.scratch_error > self.scratch_gradient { self.scratch_error } else { self.scratch_gradient }
    }
}

/// Parameters before the first step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Initial {
    /// Weight and bias uniform in `±1/sqrt(fan_in)`, where `fan_in` is the weight's elements divided by `rows`.
    Uniform {
        /// Output rows or channels.
        rows: u16,
    },
    /// Weight 1 and bias 0: the output is what is normalised.
    Identity,
}
