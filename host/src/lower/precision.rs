//! In which numbers the products of a model are computed: f32, or bf16 with f32 master weights.
//!
//! bf16 has the range of f32 and 8 bits of significand: a rounding is off by at most `2^-8` of the number. What is kept from
//! step to step stays f32 (weights, optimizer state, averages, running statistics, checkpoints), and so does what sums or
//! exponentiates much (losses, softmax, norms). The framework has no autocast, so the casts stand here, operation by operation,
//! as the lists of PyTorch's `torch.autocast` have them ([`Numbers::of`]). A cast's way back casts the gradient, so gradients
//! of weights come out as f32. There is no loss scaling: bf16 reaches as far down as f32 does.
//!
//! Results stay bf16 on their way to the next operation, as in PyTorch: that halves what a GPU moves and keeps for the way
//! back. The CPU's framework computes bf16 by converting to f32 and back, operation by operation, which is slower than f32;
//! the faster way of the CPU (`fast`) has f32 only. It is there so that a bf16 run can be tried and tested anywhere.

use burn_tensor::{Device, FloatDType, Tensor};
use emberlite::op::{Activation, ActivationKind, HostOp, Op, Pool, PoolKind};
use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// The numbers of matrix products and convolutions: `precision` in `[training]`.
///
/// With [`Bf16`](Precision::Bf16) `linear`, `conv`, `conv_transpose`, `attention`, `sequence_linear` and the products of `lstm` and
/// `gru` take inputs and weights rounded to bf16 and round their result to it; all else is computed in f32 (see the table in
/// the repository's `host/src/lower/precision.rs`, which follows `torch.autocast`). Weights, optimizer state, averages,
/// checkpoints and losses are f32. Lightning calls this `bf16-mixed`, Keras `mixed_bfloat16`.
///
/// The validation during a run is computed in it too; files hold f32, and `emberlite evaluate` computes in f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Everything in f32.
    #[default]
    F32,
    /// Products in bf16, with f32 master weights. Not every device has it; one without it is refused.
    Bf16,
}

impl Precision {
    /// Every precision.
    pub const ALL: [Precision; 2] = [Precision::F32, Precision::Bf16];

    /// The name used in settings.
    pub const fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    /// Whether it is what goes without saying.
    pub(crate) fn is_f32(&self) -> bool {
        *self == Precision::F32
    }

    /// Whether a device computes in it, by what its driver says.
    pub(crate) fn is_on(self, device: &Device) -> bool {
        self == Precision::F32 || device.supports_dtype(FloatDType::BF16)
    }

    pub(super) const fn dtype(self) -> FloatDType {
        match self {
            Precision::F32 => FloatDType::F32,
            Precision::Bf16 => FloatDType::BF16,
        }
    }

    /// An operand of a product.
    pub(super) fn of<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        x.cast(self.dtype())
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Precision::ALL.into_iter().find(|precision| precision.name() == text);
        found.ok_or_else(|| format!("`{text}` is no precision; there are: f32, bf16"))
    }
}

/// A tensor in f32.
pub(super) fn single<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.cast(FloatDType::F32)
}

/// In which numbers an operation is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbers {
    /// In the run's precision, as is the result.
    Product,
    /// In f32, as is the result: PyTorch's list of what needs the range and the bits.
    Single,
    /// In f32, and the result in the numbers of the input: what PyTorch computes within one rounding.
    Back,
    /// In the numbers of the input, of two the wider: what moves or chooses numbers, and a sum.
    Own,
}

impl Numbers {
    pub fn of(op: &Op) -> Numbers {
        match op {
            Op::Linear(_) | Op::Conv(_) => Numbers::Product,
            Op::Pool(Pool { kind: PoolKind::Max, .. }) => Numbers::Own,
            Op::Pool(_) | Op::GlobalAveragePool(_) => Numbers::Back,
            Op::Activation(Activation { kind: ActivationKind::Relu | ActivationKind::Relu6, .. }) => Numbers::Own,
            // A factor that isn't a bf16 number must not be rounded before the product is.
            Op::Activation(_) | Op::Dropout(_) => Numbers::Back,
            Op::Flatten | Op::Add => Numbers::Own,
            Op::LayerNorm(_) => Numbers::Single,
            // Statistics in f32, as everywhere; PyTorch hands on bf16.
            Op::BatchNorm(_) => Numbers::Back,
            Op::Host(op) => match op {
                HostOp::Attention(_) | HostOp::ConvTranspose(_) | HostOp::SequenceLinear(_) => Numbers::Product,
                // Its products are cast one by one; states and gates stay f32.
                HostOp::Recurrent(_) => Numbers::Single,
                HostOp::Embedding(_) | HostOp::PositionalEncoding(_) => Numbers::Single,
                HostOp::GroupNorm(_) | HostOp::SequenceLayerNorm(_) | HostOp::Softmax => Numbers::Single,
                HostOp::Smooth(_) | HostOp::Upsample(_) => Numbers::Back,
                HostOp::Concat(_) | HostOp::LastPosition | HostOp::Transpose => Numbers::Own,
            },
        }
    }
}
