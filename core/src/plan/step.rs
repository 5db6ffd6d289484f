//! The plan's data: where everything lies and what it costs.

use crate::shape::Shape;

/// A piece of the arena, in 32-bit words. Length 0 means that there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Region {
    /// First word.
    pub at: u32,
    /// Words.
    pub len: u32,
}

impl Region {
    /// No memory.
    pub const NONE: Region = Region { at: 0, len: 0 };

    /// The index range; an empty region gives `0..0`, which overlaps nothing.
    #[inline(always)]
    pub const fn range(self) -> core::ops::Range<usize> {
        if self.len == 0 { 0..0 } else { self.at as usize..(self.at + self.len) as usize }
    }
    /// Whether there is any memory.
    pub const fn is_some(self) -> bool {
        self.len > 0
    }
}

/// Where a node reads a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The caller's input.
    Input,
    /// The arena.
    Arena(Region),
    /// Nowhere: the node has no such input.
    None,
}

/// One parameter tensor of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// Elements; 0 where the node has no such parameter.
    pub len: u32,
    /// In RAM if it is trained; otherwise it is read from the file in flash.
    pub region: Region,
    /// The word that holds where in the file it lies, if it is read from there.
    pub offset: Region,
    /// Optimizer state.
    pub state: [Region; 2],
    /// The accumulated gradient; of a running statistic, what the unfinished mini-batch has made of it so far.
    pub gradient: Region,
}

impl Parameter {
    /// No such parameter.
    pub const NONE: Parameter = Parameter {
        len: 0,
        region: Region::NONE,
        offset: Region::NONE,
        state: [Region::NONE; 2],
        gradient: Region::NONE,
    };
}

/// How a node gives an error to one of its inputs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dx {
    /// Nobody needs it.
    None,
    /// Writes it.
    Write(Region),
    /// Adds it to what another consumer wrote before.
    Accumulate(Region),
    /// It is the memory of the error at the output.
    Shared,
}

/// The errors around a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Errors {
    /// At the output; none if nothing at or before this node is trained.
    pub dy: Region,
    /// At the inputs.
    pub dx: [Dx; 2],
}

/// Everything that the executor needs to know of one node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// Shape of the first input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// The inputs.
    pub x: [Place; 2],
    /// The output.
    pub y: Place,
    /// The input's memory becomes the output's (elementwise operations and `flatten`).
    pub in_place: bool,
    /// Elementwise operation; where not `in_place`, the input is copied to the output first.
    pub elementwise: bool,
    /// The node's backward reads its output instead of a mask or besides.
    pub reads_output: bool,
    /// The error at the input is computed from the input too, which was kept.
    pub reads_input: bool,
    /// Mask bits, argmax bytes, or statistics for the backward pass.
    pub saved: Region,
    /// Scratch of the forward pass.
    pub scratch_forward: Region,
    /// Scratch of the backward pass.
    pub scratch_backward: Region,
    /// Weight and bias.
    pub parameters: [Parameter; 2],
    /// Running mean and variance.
    pub running: [Parameter; 2],
    /// Two words for the bounds of weights and optimizer state that keep every step finite; f32 only.
    pub bounds: Region,
    /// Errors.
    pub errors: Errors,
    /// Whether any parameter of this node is trained.
    pub trained: bool,
    /// How many nodes read the output.
    pub consumers: u16,
    /// Fixed point: the values whose scale applies to first input, second input and output.
    pub scales: [u8; 3],
}

/// Totals of a plan. Bytes unless said otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// How many steps are in use.
    pub nodes: u32,
    /// Elements of the input.
    pub inputs: u32,
    /// Elements of the output.
    pub outputs: u32,
    /// The output's place.
    pub output: Place,
    /// The error at the output, where training starts backwards.
    pub output_error: Region,
    /// The value whose scale is the output's.
    pub output_scale: u8,
    /// Where the scales of a fixed-point model lie, one word a value.
    pub scales: Region,
    /// The whole arena, in words.
    pub words: u32,
    /// Words in front of the arena that persist from step to step.
    pub persistent_words: u32,
    /// Words that lie in the arena at the worst moment whatever the placement: persistent and live ones.
    pub live_words: u32,
    /// Trainable parameters (elements).
    pub trainable: u32,
    /// All parameters (elements), running statistics not counted.
    pub parameters: u32,
    /// Parameters in the arena.
    pub parameter_bytes: u32,
    /// Optimizer state in the arena.
    pub state_bytes: u32,
    /// Accumulated gradients in the arena, and the running statistics of a mini-batch until it is accepted.
    pub gradient_bytes: u32,
    /// Activations, errors and scratch at the worst moment.
    pub working_bytes: u32,
    /// Parameters in the file: what flash must hold besides the program.
    pub flash_bytes: u32,
    /// Multiply-accumulates of a prediction.
    pub macs_forward: u64,
    /// Multiply-accumulates of a training step: forward, errors and gradients.
    pub macs_training: u64,
    /// Bytes read and written by a prediction: parameters, inputs and outputs of every node.
    pub bytes_moved: u64,
}

impl Summary {
    /// The arena in bytes: what must be in RAM besides the stack.
    pub const fn arena_bytes(&self) -> u32 {
        self.words * 4
    }
}

/// A plan for up to `N` nodes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan<const N: usize> {
    /// One per node, in order; those beyond `summary.nodes` are unused.
    pub steps: [Step; N],
    /// Totals.
    pub summary: Summary,
}

impl<const N: usize> Plan<N> {
    /// The plan as the executor sees it.
    pub const fn view(&self) -> PlanView<'_> {
        PlanView { steps: self.steps.split_at(self.summary.nodes as usize).0, summary: &self.summary }
    }
    /// The arena in words.
    pub const fn words(&self) -> usize {
        self.summary.words as usize
    }
}

/// A borrowed plan of any size.
#[derive(Clone, Copy, Debug)]
pub struct PlanView<'a> {
    /// One per node, in order.
    pub steps: &'a [Step],
    /// Totals.
    pub summary: &'a Summary,
}
