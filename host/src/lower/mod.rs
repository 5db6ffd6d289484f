//! Lowering: a [`Graph`] as a forward function of the tensor framework, a batch at a time.
//!
//! The graph's nodes are walked in order, as on the device; what differs is that a value holds a whole batch (its first
//! dimension) and that the framework records the way back. One file an operation, named like the core's, so that a test
//! can compare the two folders. Parameters lie on the device flat and in PyTorch's order ([`Tensors`]); an operation
//! gives them their shape, which costs no copy, and the optimizers needn't know shapes at all.
//!
//! In which numbers each operation computes, f32 or bf16, says `precision`.
//!
//! The host trains in f32 whatever the graph's number format; rounding to the format comes later. Where the framework's
//! gradient at a kink differs from the core's and PyTorch's (`relu6`, `leaky_relu`), the operation's file builds it anew.
//!
//! Nothing here panics on a graph that [`Lowered::new`] accepted: the planner has checked every shape.

mod activation;
mod add;
mod attention;
#[cfg(test)]
mod check;
mod concat;
mod conv;
mod conv_transpose;
mod dropout;
mod embedding;
mod fast;
mod group_norm;
#[cfg(test)]
mod half;
mod held;
mod linear;
mod norm;
mod pass;
mod pool;
mod position;
mod precision;
mod recurrent;
mod sequence;
mod smooth;
mod softmax;
mod sum;
mod tensors;
#[cfg(test)]
mod tests;
mod upsample;
mod value;
#[cfg(test)]
mod vectors;

pub(crate) use held::Held;
pub(crate) use norm::Statistics;
pub use precision::Precision;
pub(crate) use sum::{mean, sum};
pub use tensors::ParameterError;
pub(crate) use tensors::{NodeTensors, Tensors, download, upload};

use crate::layout::{Layer, infer};
use burn_tensor::{FloatDType, Tensor};
use emberlite::graph::{Graph, Node, Shape, Update};
use emberlite::image::Kind;
use emberlite::number::Format;
use emberlite::op::{HostOp, Op};
use emberlite::plan::PlanError;
use precision::Numbers;
use value::Value;

/// One parameter tensor of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// The node it belongs to.
    pub node: u8,
    /// Weight, bias, running mean or running variance.
    pub kind: Kind,
    /// Elements.
    pub len: usize,
    /// Whether the node's update rule lets learning change it.
    pub trained: bool,
}

/// What a forward pass is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A prediction: running statistics, no dropout.
    Predict,
    /// A training step: statistics of the batch, dropout with the numbers of these samples.
    Train {
        /// The seed of dropout.
        seed: u32,
        /// The samples trained on before this batch: the counter behind dropout.
        first_sample: u32,
    },
}

/// A graph with everything that its forward function needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Lowered<'a> {
    graph: Graph<'a>,
    /// One a node, in order.
    layers: Vec<Layer>,
    /// The last node that reads each value: value 0 is the graph's input, `k + 1` the output of node `k`.
    last_reader: Vec<usize>,
    slots: Vec<Slot>,
    /// The graph's steps on a CPU, if each of its operations has one.
    fast: Option<fast::Fast>,
    precision: Precision,
}

impl<'a> Lowered<'a> {
    /// Checks the graph and works out its shapes.
    pub fn new(graph: Graph<'a>) -> Result<Self, PlanError> {
        // In f32 every operation exists; a fixed-point graph is trained in f32 first.
        let graph = Graph { format: Format::F32, ..graph };
        let layers = infer(&graph)?;
        let mut last_reader = vec![0; graph.nodes.len() + 1];
        let mut slots = Vec::new();
        for (i, (node, layer)) in graph.nodes.iter().zip(&layers).enumerate() {
            for source in &node.inputs[..node.op.inputs()] {
                last_reader[source.value(i)] = i;
            }
            let [weight, bias, mean, variance] = layer.facts.parameters.map(|len| len as usize);
            let (full, not_frozen) = (node.update == Update::Full, node.update != Update::Frozen);
            for (kind, len, trained) in [
                (Kind::Weight, weight, full),
                (Kind::Bias, bias, not_frozen),
                (Kind::RunningMean, mean, false),
                (Kind::RunningVariance, variance, false),
            ] {
                if len > 0 {
                    slots.push(Slot { node: i as u8, kind, len, trained });
                }
            }
        }
        let shapes: Vec<[Shape; 2]> = layers.iter().map(|layer| [layer.input, layer.facts.output]).collect();
        let fast = fast::Fast::new(&graph, &shapes, &slots);
        Ok(Lowered { graph, layers, last_reader, slots, fast, precision: Precision::F32 })
    }

    /// The same with products in another precision; the CPU's own way computes in f32 only.
    pub fn in_precision(self, precision: Precision) -> Self {
        let fast = if precision == Precision::F32 { self.fast } else { None };
        Lowered { precision, fast, ..self }
    }

    /// The graph, in f32.
    pub fn graph(&self) -> &Graph<'a> {
        &self.graph
    }

    /// Every parameter tensor, in the order of nodes and kinds.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Shapes and costs of every node, in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The shape of one sample's output.
    pub fn output(&self) -> Shape {
        self.layers.last().map_or(self.graph.input, |layer| layer.facts.output)
    }

    /// Numbers of one sample that its most demanding operation holds when it is predicted: what it reads and gives, and of
    /// attention the projections and every head's scores.
    pub fn widest(&self) -> usize {
        let of = |(node, layer): (&Node, &Layer)| {
            let (x, y) = (layer.input.elements() as usize, layer.facts.output.elements() as usize);
            match node.op {
                Op::Host(HostOp::Attention(a)) => {
                    let length = usize::from(layer.input.dims()[0]);
                    5 * x + usize::from(a.heads) * length * length
                }
                _ => x + y,
            }
        };
        self.graph.nodes.iter().zip(&self.layers).map(of).max().unwrap_or(0)
    }

    /// The rows of the smallest embedding that reads the model's input: what samples must be below, in whole numbers.
    pub fn vocabulary(&self) -> Option<u16> {
        let rows = self.graph.nodes.iter().enumerate().filter_map(|(i, node)| match node.op {
            Op::Host(HostOp::Embedding(a)) if node.inputs[0].value(i) == 0 => Some(a.vocabulary),
            _ => None,
        });
        rows.min()
    }

    /// The first batch norm whose training statistics come from `samples` values a channel times its positions, where
    /// that is a single value.
    pub fn single_value_norm(&self, samples: usize) -> Option<u8> {
        let nodes = self.graph.nodes.iter().zip(&self.layers).enumerate();
        let mut norms = nodes.filter(|(_, (node, _))| matches!(node.op, Op::BatchNorm(_)) && trained(node));
        let single = norms.find(|(_, (_, layer))| samples as u64 * u64::from(layer.input.positions()) < 2);
        single.map(|(node, _)| node as u8)
    }

    /// The output `[batch, outputs]` for an input `[batch, inputs]`, and the running statistics that a training step
    /// moves to, an operation of the framework at a time. [`Lowered::predict`] and [`Lowered::pass`] take the faster way
    /// where there is one.
    pub fn forward(&self, tensors: &Tensors, input: Tensor<2>, mode: Mode) -> (Tensor<2>, Vec<Statistics>) {
        let mut values = vec![None; self.graph.nodes.len() + 1];
        values[0] = Some(Value::shaped(input, self.graph.input));
        let mut statistics = Vec::new();
        for (i, (node, Layer { input, facts })) in self.graph.nodes.iter().zip(&self.layers).enumerate() {
            let numbers = Numbers::of(&node.op);
            let operands;
            let parameters = match (numbers, self.precision) {
                (Numbers::Product, Precision::Bf16) => {
                    operands = tensors.nodes[i].operands(self.precision);
                    &operands
                }
                _ => &tensors.nodes[i],
            };
            let x = self.read(&mut values, i, 0);
            let was = x.dtype();
            let x = match numbers {
                Numbers::Product => x.cast(self.precision.dtype()),
                Numbers::Single | Numbers::Back => x.cast(FloatDType::F32),
                Numbers::Own => x,
            };
            let y = match &node.op {
                Op::Linear(a) => linear::forward(a, x, parameters),
                Op::Conv(a) => conv::forward(a, x, *input, parameters),
                Op::Pool(a) => pool::forward(a, x),
                Op::GlobalAveragePool(_) => pool::global(x),
                Op::Activation(a) => activation::forward(a, x),
                Op::Flatten => Value::Vector(x.flat()),
                Op::Add => add::forward(x, self.read(&mut values, i, 1)),
                Op::Dropout(a) => dropout::forward(a, x, mode, i as u32),
                Op::LayerNorm(a) => norm::layer(a, x, facts.output, parameters),
                Op::BatchNorm(a) if mode == Mode::Predict || !trained(node) => norm::predict(a, x, parameters),
                Op::BatchNorm(a) => {
                    let (y, new) = norm::train(a, x, i as u8, parameters);
                    statistics.push(new);
                    y
                }
                Op::Host(HostOp::Attention(a)) => attention::forward(a, x, mode, parameters),
                Op::Host(HostOp::Concat(a)) => concat::forward(a, x, self.read(&mut values, i, 1)),
                Op::Host(HostOp::ConvTranspose(a)) => conv_transpose::forward(a, x, *input, parameters),
                Op::Host(HostOp::Embedding(a)) => embedding::forward(a, x, parameters),
                Op::Host(HostOp::GroupNorm(a)) => group_norm::forward(a, x, parameters),
                Op::Host(HostOp::LastPosition) => sequence::last_position(x),
                Op::Host(HostOp::PositionalEncoding(a)) => position::forward(a, x, parameters),
                Op::Host(HostOp::Recurrent(a)) => recurrent::forward(a, x, parameters, self.precision),
                Op::Host(HostOp::SequenceLayerNorm(a)) => sequence::layer_norm(a, x, parameters),
                Op::Host(HostOp::SequenceLinear(a)) => sequence::linear(a, x, parameters),
                Op::Host(HostOp::Smooth(a)) => smooth::forward(a, x),
                Op::Host(HostOp::Softmax) => softmax::forward(x),
                Op::Host(HostOp::Transpose) => sequence::transpose(x),
                Op::Host(HostOp::Upsample(a)) => upsample::forward(a, x),
            };
            values[i + 1] = Some(if numbers == Numbers::Back { y.cast(was) } else { y });
        }
        let output = values.pop().flatten().expect("the last node has computed its output").flat();
        // Losses are f32.
        (output.cast(FloatDType::F32), statistics)
    }

    /// Input `index` of node `i`: moved out if nobody reads it later, so that the framework may work in its memory.
    fn read(&self, values: &mut [Option<Value>], i: usize, index: usize) -> Value {
        let source = self.graph.nodes[i].inputs[index].value(i);
        let again =
            index == 0 && self.graph.nodes[i].op.inputs() == 2 && self.graph.nodes[i].inputs[1].value(i) == source;
        let value =
            if self.last_reader[source] == i && !again { values[source].take() } else { values[source].clone() };
        value.expect("the planner has checked that inputs come from earlier nodes")
    }
}

/// Whether learning may change anything of a node.
fn trained(node: &Node) -> bool {
    node.update != Update::Frozen
}
