//! A node's tensors as PyTorch has them: names within the module, shapes, and what they are before the first step.
//!
//! A node holds one weight and one bias. Where PyTorch's module has several, they are packed one after the other in the
//! order of this list, so cutting a node's tensors by it gives a state dict, and the other way round.

use emberlite::graph::Shape;
use emberlite::image::Kind;
use emberlite::op::{Facts, HostOp, Op};

/// One tensor of PyTorch's module, part of a node's weight or bias.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Which of the node's tensors it is in.
    pub kind: Kind,
    /// Its name within the module: `weight`, `in_proj_bias`, `weight_hh_l0_reverse`.
    pub name: &'static str,
    /// Its shape.
    pub dims: Vec<usize>,
    /// What it is before the first step.
    pub start: Start,
}

/// What a tensor is before the first step: PyTorch's defaults, from a counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Uniform in `±bound`.
    Uniform {
        /// The largest magnitude.
        bound: f32,
    },
    /// About normal, mean 0.
    Normal {
        /// The standard deviation.
        deviation: f32,
    },
    /// Everywhere the same.
    Constant(f32),
}

impl Piece {
    fn new(kind: Kind, name: &'static str, dims: &[u32], start: Start) -> Piece {
        Piece { kind, name, dims: dims.iter().map(|&dim| dim as usize).collect(), start }
    }

    /// Elements.
    pub fn len(&self) -> usize {
        self.dims.iter().product()
    }

    /// Whether it has no elements; a model's tensors have some.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The tensors of a node whose first input has shape `input`, in the order in which they are packed.
pub fn pieces(op: &Op, input: Shape, facts: &Facts) -> Vec<Piece> {
    let [weight, bias, mean, variance] = facts.parameters;
    let dims = |(dims, rank): ([u32; 4], usize)| dims[..rank].to_vec();
    let mut pieces = match op {
        Op::Host(op) => host(op, input),
        _ => {
            let (one, zero) = (Start::Constant(1.0), Start::Constant(0.0));
            let starts = match op {
                Op::Linear(a) => [uniform(weight / u32::from(a.outputs).max(1)); 2],
                Op::Conv(a) => [uniform(weight / u32::from(a.channels).max(1)); 2],
                _ => [one, zero],
            };
            vec![
                Piece::new(Kind::Weight, "weight", &dims(op.weight_dims(input)), starts[0]),
                Piece::new(Kind::Bias, "bias", &dims(op.bias_dims(input)), starts[1]),
                Piece::new(Kind::RunningMean, "running_mean", &[mean], zero),
                Piece::new(Kind::RunningVariance, "running_var", &[variance], one),
            ]
        }
    };
    let there = |kind| match kind {
        Kind::Weight => weight > 0,
        Kind::Bias => bias > 0,
        Kind::RunningMean => mean > 0,
        _ => variance > 0,
    };
    pieces.retain(|piece| there(piece.kind));
    pieces
}

/// `±1/sqrt(fan_in)`: what PyTorch's `kaiming_uniform_(a=sqrt(5))` comes to. The core's square root, as the device takes.
fn uniform(fan_in: u32) -> Start {
    Start::Uniform { bound: 1.0 / emberlite::math::sqrt(fan_in.max(1) as f32) }
}

fn host(op: &HostOp, input: Shape) -> Vec<Piece> {
    let (one, zero) = (Start::Constant(1.0), Start::Constant(0.0));
    let weight = |dims: &[u32], start| Piece::new(Kind::Weight, "weight", dims, start);
    let bias = |dims: &[u32], start| Piece::new(Kind::Bias, "bias", dims, start);
    let dim = |index: usize| input.dims().get(index).copied().map_or(1, u32::from);
    match op {
        HostOp::Attention(_) => {
            let d = dim(1);
            // Xavier's bound for a matrix of 3d rows and d columns.
            let xavier = Start::Uniform { bound: emberlite::math::sqrt(6.0 / (4 * d).max(1) as f32) };
            vec![
                Piece::new(Kind::Weight, "in_proj_weight", &[3 * d, d], xavier),
                Piece::new(Kind::Weight, "out_proj.weight", &[d, d], uniform(d)),
                Piece::new(Kind::Bias, "in_proj_bias", &[3 * d], zero),
                Piece::new(Kind::Bias, "out_proj.bias", &[d], zero),
            ]
        }
        HostOp::ConvTranspose(a) => {
            let (inputs, outputs) = (u32::from(input.planes().0), u32::from(a.channels));
            let [kh, kw] = a.kernel.map(u32::from);
            // PyTorch takes the fan-in of the weight as it lies: of the outputs.
            let start = uniform(outputs * kh * kw);
            let dims = if a.rank == 1 { vec![inputs, outputs, kw] } else { vec![inputs, outputs, kh, kw] };
            vec![weight(&dims, start), bias(&[outputs], start)]
        }
        HostOp::Embedding(a) => {
            vec![weight(&[a.vocabulary.into(), a.features.into()], Start::Normal { deviation: 1.0 })]
        }
        HostOp::GroupNorm(_) => vec![weight(&[dim(0)], one), bias(&[dim(0)], zero)],
        // Small beside an embedding's 1, as GPT-2 and BERT start it; an `nn.Embedding` would start at 1.
        HostOp::PositionalEncoding(_) => vec![weight(&[dim(0), dim(1)], Start::Normal { deviation: 0.02 })],
        HostOp::Recurrent(a) => {
            let (hidden, rows) = (u32::from(a.hidden), a.kind.gates() * u32::from(a.hidden));
            let start = uniform(hidden);
            let new = |kind, name, dims: &[u32]| Piece::new(kind, name, dims, start);
            let mut pieces = vec![
                new(Kind::Weight, "weight_ih_l0", &[rows, dim(1)]),
                new(Kind::Weight, "weight_hh_l0", &[rows, hidden]),
            ];
            if a.bidirectional {
                pieces.push(new(Kind::Weight, "weight_ih_l0_reverse", &[rows, dim(1)]));
                pieces.push(new(Kind::Weight, "weight_hh_l0_reverse", &[rows, hidden]));
            }
            pieces.push(new(Kind::Bias, "bias_ih_l0", &[rows]));
            pieces.push(new(Kind::Bias, "bias_hh_l0", &[rows]));
            if a.bidirectional {
                pieces.push(new(Kind::Bias, "bias_ih_l0_reverse", &[rows]));
                pieces.push(new(Kind::Bias, "bias_hh_l0_reverse", &[rows]));
            }
            pieces
        }
        HostOp::SequenceLayerNorm(_) => vec![weight(&[dim(1)], one), bias(&[dim(1)], zero)],
        HostOp::SequenceLinear(a) => {
            let start = uniform(dim(1));
            vec![weight(&[a.outputs.into(), dim(1)], start), bias(&[a.outputs.into()], start)]
        }
        HostOp::Concat(_)
        | HostOp::LastPosition
        | HostOp::Smooth(_)
        | HostOp::Softmax
        | HostOp::Transpose
        | HostOp::Upsample(_) => Vec::new(),
    }
}
