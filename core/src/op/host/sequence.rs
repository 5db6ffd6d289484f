//! What sequences need besides: `sequence_linear`, `sequence_layer_norm`, `transpose`, `last_position`.

use super::{Facts, OpError, Shape, attempt, dimension, facts, length_features};

/// `y = W x + b` at every position: PyTorch's `nn.Linear` of a tensor with more than one dimension, which works on the last.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SequenceLinear {
    /// Features of a position at the output.
    pub outputs: u16,
    /// Whether there is a bias.
    pub bias: bool,
}

impl SequenceLinear {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        let (length, features) = attempt!(length_features(x));
        if self.outputs == 0 {
            return Err(OpError::Attribute("outputs must be at least 1"));
        }
        let weight = features * self.outputs as u32;
        let bias = if self.bias { self.outputs as u32 } else { 0 };
        Ok(facts(Shape::d2(length as u16, self.outputs), [weight, bias], weight as u64 * length as u64))
    }
}

/// Normalises each position over its features: PyTorch's `nn.LayerNorm(features)`, weight and bias `[features]`.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct SequenceLayerNorm {
    /// Added to the variance; PyTorch's default is 1e-5.
    pub epsilon: f32,
}

impl SequenceLayerNorm {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        let (_, features) = attempt!(length_features(x));
        if !(self.epsilon > 0.0 && self.epsilon < 1.0) {
            return Err(OpError::Attribute("epsilon must be in (0, 1)"));
        }
        Ok(facts(x, [features; 2], 0))
    }
}

pub(super) const fn transpose(x: Shape) -> Result<Facts, OpError> {
    let output = match x.dims() {
        [a, b] => Shape::d2(*b, *a),
        [c, h, w] => Shape::d2(attempt!(dimension(*h as u32 * *w as u32)), *c),
        _ => return Err(OpError::Rank { needed: 2, got: x }),
    };
    Ok(facts(output, [0; 2], 0))
}

pub(super) const fn last_position(x: Shape) -> Result<Facts, OpError> {
    let (_, features) = attempt!(length_features(x));
    Ok(facts(Shape::d1(features as u16), [0; 2], 0))
}
