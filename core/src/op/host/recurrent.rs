//! `lstm` and `gru`.

use super::{Facts, OpError, Shape, attempt, dimension, facts, length_features};

/// Which recurrence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RecurrentKind {
    /// Long short-term memory: gates input, forget, cell, output, in PyTorch's order.
    Lstm,
    /// Gated recurrent unit: gates reset, update, new, in PyTorch's order; the reset gate acts on `W_hn h + b_hn`.
    Gru,
}

impl RecurrentKind {
    /// The operation's name.
    pub const fn name(self) -> &'static str {
        match self {
            RecurrentKind::Lstm => "lstm",
            RecurrentKind::Gru => "gru",
        }
    }
    /// Gates: 4 or 3.
    pub const fn gates(self) -> u32 {
        match self {
            RecurrentKind::Lstm => 4,
            RecurrentKind::Gru => 3,
        }
    }
}

/// One recurrent layer over `[length, features]`, as PyTorch's `nn.LSTM` and `nn.GRU` with `batch_first` and one layer; starts
/// from zero states. The output is that of every position, `[length, hidden]`, or the last state, `[hidden]`; with both
/// directions they lie side by side, the forward one first, so `hidden` is doubled.
///
/// Weight: `weight_ih_l0 [gates hidden, features]`, `weight_hh_l0 [gates hidden, hidden]`, then those of the reverse direction;
/// bias: `bias_ih_l0 [gates hidden]`, `bias_hh_l0`, likewise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recurrent {
    /// LSTM or GRU.
    pub kind: RecurrentKind,
    /// Numbers of the state in one direction.
    pub hidden: u16,
    /// Reads the sequence in both directions.
    pub bidirectional: bool,
    /// Gives the last state alone instead of every position's: of the reverse direction that at the first position.
    pub last: bool,
    /// Whether there are biases.
    pub bias: bool,
}

impl Recurrent {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        let (length, features) = attempt!(length_features(x));
        if self.hidden == 0 {
            return Err(OpError::Attribute("hidden must be at least 1"));
        }
        let (hidden, directions) = (self.hidden as u32, if self.bidirectional { 2 } else { 1 });
        let rows = directions * self.kind.gates() * hidden;
        let weight = rows.saturating_mul(features + hidden);
        let width = attempt!(dimension(directions * hidden));
        let output = if self.last { Shape::d1(width) } else { Shape::d2(length as u16, width) };
        Ok(facts(output, [weight, if self.bias { 2 * rows } else { 0 }], weight as u64 * length as u64))
    }
}
