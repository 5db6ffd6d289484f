//! What the batched path does with a graph, step by step; worked out once.
//!
//! Images and sequences `[channels, places]` are turned to `[places, channels]` in front of the first operation that needs
//! it and back in front of the first that needs that, so a chain of convolutions and poolings is turned once. A
//! convolution takes the `relu` and the max pooling that alone read it into its own step.

use super::attention::Heads;
use super::conv::Convolution;
use super::dense::Dense;
use super::memory::Memory;
use super::window::Window;
use crate::lower::Slot;
use crate::lower::position::table;
use emberlite::graph::{Graph, Shape};
use emberlite::image::Kind;
use emberlite::op::{Activation, ActivationKind, HostOp, Op, PoolKind, Smooth};

/// What a step computes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Work {
    Convolution(Convolution),
    Dense(Dense),
    MaxPool(Window),
    AveragePool(Window),
    /// The mean of each channel; channels come last.
    GlobalAverage,
    Activation(Activation),
    /// The share that is dropped.
    Dropout(f32),
    Add,
    Attention(Heads),
    /// Rows of the vocabulary, and features.
    Embedding([usize; 2]),
    /// Features of a row, and epsilon.
    LayerNorm(usize, f32),
    /// Features of the last position.
    Last(usize),
    /// Adds the weight `[length, features]`, or a table of that number.
    Position(Option<usize>),
    Smooth(Smooth),
    /// Elements of a row.
    Softmax(usize),
    /// `[channels, places]` of each sample as `[places, channels]`; the number of channels.
    ChannelsLast(usize),
    /// The other way; the number of channels.
    ChannelsFirst(usize),
}

/// One step. Values are known by the number of their buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub work: Work,
    /// The node whose parameters it has.
    pub node: usize,
    pub inputs: [usize; 2],
    pub output: usize,
    /// Whether learning may change its weight and its bias.
    pub trained: [bool; 2],
    pub has_bias: bool,
}

/// A graph as steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fast {
    pub(super) steps: Vec<Step>,
    /// Elements of one sample in each buffer.
    pub(super) lens: Vec<usize>,
    /// What passes have left.
    pub(super) memory: Memory,
    /// What fixed encodings of positions add.
    pub(super) tables: Vec<Vec<f32>>,
    /// Whether a buffer depends on a parameter that is trained.
    pub(super) learns: Vec<bool>,
    /// The buffer of the graph's output.
    pub(super) output: usize,
}

/// How a buffer's sample lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// One channel or one place: both at once.
    Either,
    ChannelsFirst,
    ChannelsLast,
}

struct Planner<'a> {
    graph: &'a Graph<'a>,
    shapes: &'a [[Shape; 2]],
    slots: &'a [Slot],
    /// The buffer of each value of the graph.
    buffers: Vec<Option<usize>>,
    orders: Vec<Order>,
    /// How many nodes read each value.
    readers: Vec<usize>,
    /// Nodes that a step before has taken in.
    taken: Vec<bool>,
    fast: Fast,
}

impl Fast {
    /// The steps of a graph, or `None` if one of its operations has none.
    pub fn new(graph: &Graph<'_>, shapes: &[[Shape; 2]], slots: &[Slot]) -> Option<Fast> {
        let mut readers = vec![0; graph.nodes.len() + 1];
        for (i, node) in graph.nodes.iter().enumerate() {
            node.inputs[..node.op.inputs()].iter().for_each(|source| readers[source.value(i)] += 1);
        }
        let buffers = vec![None; graph.nodes.len() + 1];
        let fast = Fast::default();
        let taken = vec![false; graph.nodes.len()];
        let mut planner = Planner { graph, shapes, slots, buffers, orders: Vec::new(), readers, taken, fast };
        let input = planner.buffer(graph.input, Order::ChannelsFirst, false);
        planner.buffers[0] = Some(input);
        for node in 0..graph.nodes.len() {
            planner.node(node)?;
        }
        let last = planner.buffers[graph.nodes.len()]?;
        let shape = shapes.last().map_or(graph.input, |[_, output]| *output);
        planner.fast.output = planner.as_order(last, shape, Order::ChannelsFirst);
        Some(planner.fast)
    }
}

impl Planner<'_> {
    fn buffer(&mut self, shape: Shape, order: Order, learns: bool) -> usize {
        let (channels, ..) = shape.planes();
        let either = channels == 1 || shape.positions() == 1;
        self.orders.push(if either { Order::Either } else { order });
        self.fast.lens.push(shape.elements() as usize);
        self.fast.learns.push(learns);
        self.fast.lens.len() - 1
    }

    /// The same values in an order.
    fn as_order(&mut self, buffer: usize, shape: Shape, order: Order) -> usize {
        if self.orders[buffer] == Order::Either || self.orders[buffer] == order {
            return buffer;
        }
        let channels = usize::from(shape.planes().0);
        let last = order == Order::ChannelsLast;
        let work = if last { Work::ChannelsLast(channels) } else { Work::ChannelsFirst(channels) };
        let learns = self.fast.learns[buffer];
        let output = self.buffer(shape, order, learns);
        let (inputs, trained) = ([buffer; 2], [false; 2]);
        self.fast.steps.push(Step { work, node: 0, inputs, output, trained, has_bias: false });
        output
    }

    fn has(&self, node: usize, kind: Kind) -> Option<bool> {
        let mut slots = self.slots.iter().filter(|slot| usize::from(slot.node) == node);
        slots.find(|slot| slot.kind == kind).map(|slot| slot.trained)
    }

    /// The one node that reads the output of `node`, if it is one.
    fn only_reader(&self, node: usize) -> Option<usize> {
        let reads = |&i: &usize| {
            let reader = &self.graph.nodes[i];
            reader.op.inputs() == 1 && reader.inputs[0].value(i) == node + 1
        };
        (self.readers[node + 1] == 1).then(|| (node + 1..self.graph.nodes.len()).find(reads)).flatten()
    }

    fn is_relu(&self, node: usize) -> bool {
        matches!(self.graph.nodes[node].op, Op::Activation(Activation { kind: ActivationKind::Relu, .. }))
    }

    fn take(&mut self, node: usize) -> usize {
        self.taken[node] = true;
        node
    }

    fn node(&mut self, node: usize) -> Option<()> {
        if self.taken[node] {
            return Some(());
        }
        let source = |index: usize| self.graph.nodes[node].inputs[index].value(node);
        let [input, mut shape] = self.shapes[node];
        let mut inputs = [self.buffers[source(0)]?; 2];
        let mut last = node;
        let mut order = Order::ChannelsLast;
        let work = match &self.graph.nodes[node].op {
            Op::Conv(a) => {
                if a.groups != 1 {
                    return None;
                }
                inputs[0] = self.as_order(inputs[0], input, order);
                let window = Window::of_conv(a, input, shape);
                let mut conv = Convolution { window, channels: a.channels.into(), relu: false, pool: None };
                if !conv.supported() {
                    return None;
                }
                if let Some(reader) = self.only_reader(last).filter(|&reader| self.is_relu(reader)) {
                    (conv.relu, last) = (true, self.take(reader));
                }
                if let Some(reader) = self.only_reader(last)
                    && let Op::Pool(a) = &self.graph.nodes[reader].op
                    && a.kind == PoolKind::Max
                {
                    let [before, after] = self.shapes[reader];
                    (conv.pool, last, shape) = (Some(Window::of_pool(a, before, after)), self.take(reader), after);
                }
                Work::Convolution(conv)
            }
            Op::Linear(a) => {
                inputs[0] = self.as_order(inputs[0], input, Order::ChannelsFirst);
                let mut dense = Dense { inputs: input.elements() as usize, outputs: a.outputs.into(), relu: false };
                if let Some(reader) = self.only_reader(last).filter(|&reader| self.is_relu(reader)) {
                    (dense.relu, last) = (true, self.take(reader));
                }
                Work::Dense(dense)
            }
            Op::Pool(a) => {
                inputs[0] = self.as_order(inputs[0], input, order);
                let window = Window::of_pool(a, input, shape);
                if a.kind == PoolKind::Max { Work::MaxPool(window) } else { Work::AveragePool(window) }
            }
            Op::GlobalAveragePool(_) => {
                inputs[0] = self.as_order(inputs[0], input, order);
                Work::GlobalAverage
            }
            Op::Activation(a) => {
                order = self.orders[inputs[0]];
                Work::Activation(*a)
            }
            Op::Flatten => {
                // The same elements in PyTorch's order.
                self.buffers[node + 1] = Some(self.as_order(inputs[0], input, Order::ChannelsFirst));
                return Some(());
            }
            Op::Add => {
                // In the order of either, whichever it is.
                let other = self.buffers[source(1)]?;
                order = match self.orders[inputs[0]] {
                    Order::Either => self.orders[other],
                    known => known,
                };
                inputs = [self.as_order(inputs[0], input, order), self.as_order(other, input, order)];
                Work::Add
            }
            Op::LayerNorm(a) => {
                order = Order::ChannelsFirst;
                inputs[0] = self.as_order(inputs[0], input, order);
                Work::LayerNorm(input.elements() as usize, a.epsilon)
            }
            Op::Host(HostOp::Smooth(kind)) => {
                order = self.orders[inputs[0]];
                Work::Smooth(*kind)
            }
            Op::Host(op) => {
                order = Order::ChannelsFirst;
                inputs[0] = self.as_order(inputs[0], input, order);
                let mut work = self.host(op, input)?;
                if let Work::Dense(dense) = &mut work
                    && let Some(reader) = self.only_reader(last).filter(|&reader| self.is_relu(reader))
                {
                    (dense.relu, last) = (true, self.take(reader));
                }
                work
            }
            Op::Dropout(a) => {
                order = Order::ChannelsFirst;
                inputs[0] = self.as_order(inputs[0], input, order);
                Work::Dropout(a.rate)
            }
            _ => return None,
        };
        let output = self.step(node, work, inputs, shape, order);
        self.buffers[last + 1] = Some(output);
        Some(())
    }

    /// An operation of the host's own, over values as they lie: sequences are `[length, features]`.
    fn host(&mut self, op: &HostOp, input: Shape) -> Option<Work> {
        let dims = input.dims();
        let features = usize::from(*dims.last()?);
        let length = usize::from(dims[0]);
        Some(match op {
            HostOp::Attention(a) => {
                let (heads, causal) = (a.heads.into(), a.causal);
                Work::Attention(Heads { length, features, heads, causal })
            }
            HostOp::Embedding(a) => Work::Embedding([a.vocabulary, a.features].map(usize::from)),
            HostOp::LastPosition => Work::Last(features),
            HostOp::PositionalEncoding(a) if a.learned => Work::Position(None),
            HostOp::PositionalEncoding(_) => {
                self.fast.tables.push(table(length, features));
                Work::Position(Some(self.fast.tables.len() - 1))
            }
            HostOp::SequenceLayerNorm(a) => Work::LayerNorm(features, a.epsilon),
            HostOp::SequenceLinear(a) => {
                Work::Dense(Dense { inputs: features, outputs: a.outputs.into(), relu: false })
            }
            HostOp::Softmax => Work::Softmax(features),
            HostOp::Transpose => Work::ChannelsLast(length),
            _ => return None,
        })
    }

    /// Adds a step with the parameters of `node`; returns its output.
    fn step(&mut self, node: usize, work: Work, inputs: [usize; 2], shape: Shape, order: Order) -> usize {
        let bias = self.has(node, Kind::Bias);
        let trained = [self.has(node, Kind::Weight) == Some(true), bias == Some(true)];
        let two = matches!(work, Work::Add);
        let learns = trained != [false; 2] || self.fast.learns[inputs[0]] || (two && self.fast.learns[inputs[1]]);
        let output = self.buffer(shape, order, learns);
        self.fast.steps.push(Step { work, node, inputs, output, trained, has_bias: bias.is_some() });
        output
    }
}
