//! What the executor hands to an operation: slices cut from the arena, shapes and scales.

use crate::number::{Number, random::Key};
use crate::shape::Shape;

/// Fraction bits of the tensors around one node; f32 ignores them.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct NodeScales {
    /// First input.
    pub x: i32,
    /// Second input.
    pub x2: i32,
    /// Weight.
    pub weight: i32,
    /// Bias.
    pub bias: i32,
    /// Output.
    pub y: i32,
    /// Error at the output.
    pub dy: i32,
    /// Error at the input that is being computed.
    pub dx: i32,
}

/// A node's parameters; empty where it has none.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a, N: Number> {
    /// Row-major, as PyTorch lays them out.
    pub weight: &'a [N::Value],
    /// One per output row or channel.
    pub bias: &'a [N::Value],
}

/// Everything a forward pass of one node touches.
#[derive(Debug)]
pub struct Forward<'a, N: Number> {
    /// The first input.
    pub x: &'a [N::Value],
    /// The second input, or empty.
    pub x2: &'a [N::Value],
    /// Weight and bias.
    pub parameters: Parameters<'a, N>,
    /// Running mean and variance; empty but for batch norm.
    pub running: [&'a [N::Value]; 2],
    /// The output.
    pub y: &'a mut [N::Value],
    /// What the backward pass will need; empty where nothing will be asked of this node.
    pub saved: &'a mut [u32],
    /// Scratch values.
    pub scratch: &'a mut [N::Value],
    /// Shape of the first input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// Fraction bits.
    pub scales: NodeScales,
    /// Whether this is a training step of a node that isn't frozen (statistics are taken from the sample).
    pub training: bool,
}

/// What an elementwise operation touches; it works in place.
#[derive(Debug)]
pub struct Elementwise<'a, N: Number> {
    /// Forward: the input, to become the output. Backward: the error at the output, to become that at the input.
    pub values: &'a mut [N::Value],
    /// Backward: the output kept from the forward pass, or empty where `mask` serves.
    pub y: &'a [N::Value],
    /// One bit per element, lowest first: written forward, read backward; empty where it isn't needed.
    pub mask: &'a mut [u32],
    /// Random numbers of this node in this step.
    pub key: Key,
    /// Whether this is a training step.
    pub training: bool,
}

/// Everything a backward pass of one node touches.
#[derive(Debug)]
pub struct Backward<'a, N: Number> {
    /// The first input as kept; empty where the operation doesn't need it.
    pub x: &'a [N::Value],
    /// Weight and bias before the update.
    pub parameters: Parameters<'a, N>,
    /// Running mean and variance, or empty.
    pub running: [&'a [N::Value]; 2],
    /// The error at the output.
    pub dy: &'a [N::Value],
    /// The error at the input; empty in the parameter pass.
    pub dx: &'a mut [N::Value],
    /// Whether `dx` already holds an error to add to.
    pub accumulate: bool,
    /// As written by the forward pass.
    pub saved: &'a [u32],
    /// Scratch: values in the error pass, gradient elements in the parameter pass.
    pub scratch: &'a mut [u32],
    /// Shape of the first input.
    pub input: Shape,
    /// Shape of the output.
    pub output: Shape,
    /// Fraction bits.
    pub scales: NodeScales,
    /// Whether the forward pass took its statistics from the sample.
    pub training: bool,
}

/// What is known of a node once the error at its output is: enough to bound what its backward pass will compute. f32.
#[derive(Debug)]
pub struct Bounded<'a, N: Number> {
    /// The largest magnitude of a weight or bias, or more.
    pub weight: f32,
    /// The first input where the weight's gradient needs it; else empty.
    pub x: &'a [N::Value],
    /// The output where the backward pass reads it; else empty.
    pub y: &'a [N::Value],
    /// As written by the forward pass.
    pub saved: &'a [u32],
    /// Shape of the output.
    pub output: Shape,
}

/// Where parameter gradients go: into an accumulator, or straight into the weights.
///
/// Gradients come in rows, so that no operation needs room for a whole gradient. `parameter` is 0 for the weight and
/// 1 for the bias; `at` is the index of the row's first element.
pub trait ParameterGradient<N: Number> {
    /// Whether that parameter is trained; an operation may skip the work if not.
    fn wants(&self, parameter: usize) -> bool;
    /// The outer product: row `r` is `values[i] * factors[r]`; `frac` are the fraction bits of those products.
    fn product_rows(&mut self, parameter: usize, values: &[N::Value], factors: &[N::Value], frac: i32);
    /// The row `values`, with `frac` fraction bits.
    fn value_row(&mut self, parameter: usize, at: usize, values: &[N::Value], frac: i32);
    /// A row that is a gradient already.
    fn row(&mut self, parameter: usize, at: usize, gradient: &[N::Gradient]);
}
