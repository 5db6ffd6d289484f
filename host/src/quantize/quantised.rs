//! What quantising makes.

use crate::Parameters;
use emberlite::graph::{Graph, Node, Shape};
use emberlite::image::Kind;
use emberlite::number::{Fixed16, Format, Number};

/// A model in 16-bit fixed point: everything that a file needs but its normalisation, which
/// [`normalisation_fixed`](super::normalisation_fixed) makes.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantised {
    /// Shape of one input sample.
    pub input: Shape,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Fraction bits of value, weight, bias and error: of the graph's input, then of each node, `[nodes + 1]`. As core's
    /// executor reads them, and as [`Kind::Scales`] holds them. An error's are relative to those that the loss chooses in
    /// each step. Nodes that share memory with their input (elementwise, `flatten`, max pooling) share its entries.
    pub scales: Vec<[i8; 4]>,
    /// Weights and biases in the order of nodes, weight before bias.
    pub tensors: Vec<Tensor>,
}

/// One parameter tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The node.
    pub node: u8,
    /// [`Kind::Weight`] or [`Kind::Bias`].
    pub kind: Kind,
    /// Fraction bits.
    pub frac: i8,
    /// Row-major in PyTorch's layout; `real = value / 2^frac`, rounded to the nearest.
    pub values: Vec<i16>,
}

impl Quantised {
    /// The graph, in fixed point.
    pub fn graph(&self) -> Graph<'_> {
        Graph::new(Format::Fixed16, self.input, &self.nodes)
    }

    /// One tensor, if the node has it.
    pub fn tensor(&self, node: u8, kind: Kind) -> Option<&Tensor> {
        self.tensors.iter().find(|t| t.node == node && t.kind == kind)
    }

    /// Fraction bits of the input; feed [`normalisation_fixed`](super::normalisation_fixed) with them.
    pub fn input_frac(&self) -> i8 {
        self.scales.first().map_or(0, |s| s[0])
    }

    /// Fraction bits of the output.
    pub fn output_frac(&self) -> i8 {
        self.scales.last().map_or(0, |s| s[0])
    }

    /// A normalised sample as the model takes it: rounded to the nearest, saturated.
    pub fn sample(&self, features: &[f32]) -> Vec<i16> {
        to_fixed(features, self.input_frac())
    }

    /// The parameters as real numbers again: what the model computes with, for comparison in f32.
    pub fn parameters(&self) -> Parameters {
        let mut parameters = Parameters::new();
        for t in &self.tensors {
            let real = t.values.iter().map(|&v| Fixed16::to_f32(v, t.frac.into())).collect();
            parameters.set(t.node, t.kind, real);
        }
        parameters
    }
}

/// Rounds to the nearest, saturating.
pub(super) fn to_fixed(values: &[f32], frac: i8) -> Vec<i16> {
    values.iter().map(|&v| Fixed16::from_f32(v, frac.into())).collect()
}
