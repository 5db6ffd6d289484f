//! One node of the graph.

use crate::op::Op;

/// Where a node's input comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// The output of the node before, or the graph's input for the first node.
    Previous,
    /// The graph's input.
    Input,
    /// The output of the node with this index.
    Node(u8),
}

impl Source {
    /// The value that node `index` reads through this source: 0 is the graph's input, `k + 1` the output of node `k`.
    pub const fn value(self, index: usize) -> usize {
        match self {
            Source::Previous => index,
            Source::Input => 0,
            Source::Node(k) => k as usize + 1,
        }
    }
}

/// Which of a node's parameters learning may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Update {
    /// None: they stay in flash.
    Frozen,
    /// The bias alone: the weight stays in flash and the layer's input needn't be kept.
    BiasOnly,
    /// All.
    Full,
}

impl Update {
    /// The name used in `model.toml`, in the graph's text and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Update::Frozen => "frozen",
            Update::BiasOnly => "bias",
            Update::Full => "full",
        }
    }
}

/// One node: an operation, its inputs and its update rule.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Node {
    /// What is computed.
    pub op: Op,
    /// The inputs; operations with one input ignore the second.
    pub inputs: [Source; 2],
    /// What learning may change.
    pub update: Update,
}

impl Node {
    /// A node that reads the one before it and learns fully.
    pub const fn new(op: Op) -> Node {
        Node { op, inputs: [Source::Previous, Source::Input], update: Update::Full }
    }
    /// Reads the output of node `index` instead of the one before; for `add`, as its second input.
    pub const fn from(mut self, index: u8) -> Node {
        self.inputs[self.op.inputs() - 1] = Source::Node(index);
        self
    }
    /// Reads the graph's input instead of the node before; for `add`, as its second input.
    pub const fn from_input(mut self) -> Node {
        self.inputs[self.op.inputs() - 1] = Source::Input;
        self
    }
    /// Keeps every parameter as it is.
    pub const fn frozen(mut self) -> Node {
        self.update = Update::Frozen;
        self
    }
    /// Trains the bias alone.
    pub const fn bias_only(mut self) -> Node {
        self.update = Update::BiasOnly;
        self
    }
    /// Sets the stride of a convolution or pooling, in both dimensions.
    pub const fn stride(mut self, stride: u8) -> Node {
        match &mut self.op {
            Op::Conv(c) => c.stride = [if c.rank == 1 { 1 } else { stride }, stride],
            Op::Pool(p) => p.stride = [if p.rank == 1 { 1 } else { stride }, stride],
            Op::Host(op) => assert!(op.set_stride(stride), "only a convolution or a pooling layer has a stride"),
            _ => panic!("only a convolution or a pooling layer has a stride"),
        }
        self
    }
    /// Sets the zero padding of a convolution or pooling, in both dimensions.
    pub const fn padding(mut self, padding: u8) -> Node {
        match &mut self.op {
            Op::Conv(c) => c.padding = [if c.rank == 1 { 0 } else { padding }, padding],
            Op::Pool(p) => p.padding = [if p.rank == 1 { 0 } else { padding }, padding],
            Op::Host(op) => assert!(op.set_padding(padding), "only a convolution or a pooling layer has padding"),
            _ => panic!("only a convolution or a pooling layer has padding"),
        }
        self
    }
    /// Sets the groups of a convolution.
    pub const fn groups(mut self, groups: u16) -> Node {
        match &mut self.op {
            Op::Conv(c) => c.groups = groups,
            _ => panic!("only a convolution has groups"),
        }
        self
    }
    /// Leaves out the bias of a linear layer or a convolution.
    pub const fn no_bias(mut self) -> Node {
        match &mut self.op {
            Op::Linear(l) => l.bias = false,
            Op::Conv(c) => c.bias = false,
            Op::Host(op) => assert!(op.clear_bias(), "only a linear layer or a convolution can go without a bias"),
            _ => panic!("only a linear layer or a convolution can go without a bias"),
        }
        self
    }
    /// Lets a pooling layer drop the end of an input that its windows don't cover exactly, as PyTorch does.
    pub const fn floor(mut self) -> Node {
        match &mut self.op {
            Op::Pool(p) => p.floor = true,
            _ => panic!("only a pooling layer can drop the end of its input"),
        }
        self
    }
    /// Sets epsilon of a normalisation.
    pub const fn epsilon(mut self, value: f32) -> Node {
        match &mut self.op {
            Op::LayerNorm(n) => n.epsilon = value,
            Op::BatchNorm(n) => n.epsilon = value,
            Op::Host(op) => assert!(op.set_epsilon(value), "only a normalisation has an epsilon"),
            _ => panic!("only a normalisation has an epsilon"),
        }
        self
    }
}
