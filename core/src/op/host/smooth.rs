//! `gelu`, `gelu_tanh`, `silu`, `hard_swish`: activation functions that the device doesn't have yet.

use super::{Facts, OpError, Shape};

/// A function of each element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Smooth {
    /// `x Φ(x)`, Φ the normal distribution's: PyTorch's `nn.GELU()`.
    Gelu,
    /// `x (1 + tanh(sqrt(2/π) (x + 0.044715 x³))) / 2`: PyTorch's `nn.GELU(approximate="tanh")`.
    GeluTanh,
    /// `x / (1 + e^-x)`, also called swish.
    Silu,
    /// `x min(max(x + 3, 0), 6) / 6`.
    HardSwish,
}

impl Smooth {
    /// The operation's name.
    pub const fn name(self) -> &'static str {
        match self {
            Smooth::Gelu => "gelu",
            Smooth::GeluTanh => "gelu_tanh",
            Smooth::Silu => "silu",
            Smooth::HardSwish => "hard_swish",
        }
    }
}

pub(super) const fn facts(x: Shape) -> Result<Facts, OpError> {
    Ok(super::facts(x, [0; 2], 0))
}
