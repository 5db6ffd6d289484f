//! Losses: the value, and its gradient to the network's output.
//!
//! A loss sees one sample. [`Loss`] is the registration: its formulas are in `float.rs` (f32, after PyTorch's
//! `reduction="mean"`) and in `fixed.rs` (integer only). The gradient of a fixed-point loss is scaled anew at each step:
//! its fraction bits are chosen so that the largest element fills 14 bits, and every earlier layer inherits that scale. It
//! is loss scaling by a power of two, without a hyperparameter.

mod exponential;
mod fixed;
mod float;

use crate::number::{Format, Number};

/// What training makes small. Formulas are for an output `x [n]`.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Loss {
    /// `ln Σ_i exp(x_i) - x_label`, the label being a class; the softmax is part of the loss, the network ends in logits.
    SoftmaxCrossEntropy,
    /// `mean_i max(x_i, 0) - x_i t_i + ln(1 + exp(-|x_i|))` for targets in `[0, 1]`; the sigmoid is part of the loss.
    BinaryCrossEntropy,
    /// `mean_i (x_i - t_i)²`.
    MeanSquaredError,
    /// `mean_i` of `d²/2` where `|d| < delta` and `delta (|d| - delta/2)` elsewhere, `d = x_i - t_i`.
    Huber {
        /// Where the parabola becomes a line; positive.
        delta: f32,
    },
}

/// What an output is compared with.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Target<'a, N: Number> {
    /// The index of the right class.
    Class(u16),
    /// One value for each output, with the output's fraction bits.
    Values(&'a [N::Value]),
}

/// Which loss, without its attributes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "each kind is documented at its loss")]
pub enum LossKind {
    SoftmaxCrossEntropy,
    BinaryCrossEntropy,
    MeanSquaredError,
    Huber,
}

/// A set of losses, so that only what a model uses is linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LossSet(u32);

impl LossSet {
    /// No loss.
    pub const NONE: LossSet = LossSet(0);
    /// Every loss, for models unknown at compile time.
    pub const ALL: LossSet = LossSet(u32::MAX);

    /// With this loss added.
    pub const fn with(self, loss: &Loss) -> LossSet {
        LossSet(self.0 | 1 << loss.kind() as u32)
    }
    /// Whether this loss is in the set.
    #[inline(always)]
    pub const fn has(self, loss: &Loss) -> bool {
        self.has_kind(loss.kind())
    }
    #[inline(always)]
    const fn has_kind(self, kind: LossKind) -> bool {
        self.0 >> kind as u32 & 1 == 1
    }
}

impl Loss {
    /// Which loss.
    #[inline(always)]
    pub const fn kind(&self) -> LossKind {
        match self {
            Loss::SoftmaxCrossEntropy => LossKind::SoftmaxCrossEntropy,
            Loss::BinaryCrossEntropy => LossKind::BinaryCrossEntropy,
            Loss::MeanSquaredError => LossKind::MeanSquaredError,
            Loss::Huber { .. } => LossKind::Huber,
        }
    }

    /// The name used in `model.toml`, in files and in messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Loss::SoftmaxCrossEntropy => "softmax_cross_entropy",
            Loss::BinaryCrossEntropy => "binary_cross_entropy",
            Loss::MeanSquaredError => "mean_squared_error",
            Loss::Huber { .. } => "huber",
        }
    }

    /// Whether the format has this loss.
    pub const fn exists_in(&self, format: Format) -> bool {
        match format {
            Format::F32 => true,
            Format::Fixed16 => match self {
                Loss::SoftmaxCrossEntropy | Loss::MeanSquaredError => true,
                Loss::BinaryCrossEntropy | Loss::Huber { .. } => false,
            },
        }
    }

    /// Whether the target is a class; values otherwise.
    pub const fn takes_class(&self) -> bool {
        match self {
            Loss::SoftmaxCrossEntropy => true,
            Loss::BinaryCrossEntropy | Loss::MeanSquaredError | Loss::Huber { .. } => false,
        }
    }

    /// Checks the attributes; the error says what is asked of them.
    pub const fn check(&self) -> Result<(), &'static str> {
        match self {
            // The bits of positive finite numbers; compared as integers, so that no device links float comparison for it.
            Loss::Huber { delta } if !matches!(delta.to_bits(), 1..=0x7f7f_ffff) => {
                Err("the delta of a Huber loss must be positive and finite")
            }
            _ => Ok(()),
        }
    }

    /// The loss of one sample.
    ///
    /// `frac` are the fraction bits of the output and of value targets. Values are compared over the shorter of output
    /// and target. A class out of range, the wrong kind of target and a loss not in `linked` give 0; whoever takes targets
    /// from outside refuses those before.
    #[inline]
    pub fn value<N: Number>(&self, linked: LossSet, output: &[N::Value], target: Target<'_, N>, frac: i32) -> N::Loss {
        let zero = N::Loss::default();
        match (N::FORMAT, target) {
            (Format::F32, Target::Class(label)) => match (self, N::floats(output)) {
                (Loss::SoftmaxCrossEntropy, Some(x)) if linked.has_kind(LossKind::SoftmaxCrossEntropy) => {
                    N::loss_from_f32(float::softmax_value(x, label))
                }
                _ => zero,
            },
            (Format::F32, Target::Values(target)) => match (N::floats(output), N::floats(target)) {
                (Some(x), Some(t)) => N::loss_from_f32(self.float_value(linked, x, t)),
                _ => zero,
            },
            (Format::Fixed16, Target::Class(label)) => match (self, N::fixed(output)) {
                (Loss::SoftmaxCrossEntropy, Some(x)) if linked.has_kind(LossKind::SoftmaxCrossEntropy) => {
                    N::loss_from_fixed(fixed::softmax_value(x, label, frac))
                }
                _ => zero,
            },
            (Format::Fixed16, Target::Values(target)) => match (self, N::fixed(output), N::fixed(target)) {
                (Loss::MeanSquaredError, Some(x), Some(t)) if linked.has_kind(LossKind::MeanSquaredError) => {
                    N::loss_from_fixed(fixed::squared_value(x, t, frac))
                }
                _ => zero,
            },
        }
    }

    /// The loss of one sample, and its gradient to the output divided by `batch`, written to `dy` (as long as `output`).
    ///
    /// Returns the loss (not divided) and the fraction bits of `dy`. In f32 `dy` is the gradient times `1 / batch`. In
    /// fixed point `batch` is a power of two and goes into the fraction bits: before that they are chosen so that the
    /// largest element of `dy` is in `[2^13, 2^14)`, but at most 24, and 14 where every element is zero.
    ///
    /// Where [`Loss::value`] gives 0 for want of a target, so does the gradient.
    #[inline]
    pub fn backward<N: Number>(
        &self,
        linked: LossSet,
        output: &[N::Value],
        target: Target<'_, N>,
        frac: i32,
        batch: u32,
        dy: &mut [N::Value],
    ) -> (N::Loss, i32) {
        let batch = batch.max(1);
        match N::FORMAT {
            Format::F32 => {
                if let (Some(x), Some(dy)) = (N::floats(output), N::floats_mut(dy)) {
                    let loss = match target {
                        Target::Class(label)
                            if linked.has_kind(LossKind::SoftmaxCrossEntropy) && self.takes_class() =>
                        {
                            float::softmax_backward(x, label, batch, dy)
                        }
                        Target::Values(target) => {
                            let target = N::floats(target).unwrap_or_default();
                            self.float_backward(linked, x, target, batch, dy)
                        }
                        Target::Class(_) => float::nothing(dy),
                    };
                    return (N::loss_from_f32(loss), 0);
                }
            }
            Format::Fixed16 => {
                if let (Some(x), Some(dy)) = (N::fixed(output), N::fixed_mut(dy)) {
                    let (loss, bits) = match (self, target) {
                        (Loss::SoftmaxCrossEntropy, Target::Class(label))
                            if linked.has_kind(LossKind::SoftmaxCrossEntropy) =>
                        {
                            fixed::softmax_backward(x, label, frac, dy)
                        }
                        (Loss::MeanSquaredError, Target::Values(target))
                            if linked.has_kind(LossKind::MeanSquaredError) =>
                        {
                            fixed::squared_backward(x, N::fixed(target).unwrap_or_default(), frac, dy)
                        }
                        _ => fixed::nothing(dy),
                    };
                    return (N::loss_from_fixed(loss), bits + 31 - batch.leading_zeros() as i32);
                }
            }
        }
        (N::Loss::default(), 0)
    }

    #[inline(always)]
    fn float_value(&self, linked: LossSet, x: &[f32], t: &[f32]) -> f32 {
        match *self {
            Loss::BinaryCrossEntropy if linked.has_kind(LossKind::BinaryCrossEntropy) => {
                float::mean(x, t, float::binary_value)
            }
            Loss::MeanSquaredError if linked.has_kind(LossKind::MeanSquaredError) => {
                float::mean(x, t, float::squared_value)
            }
            Loss::Huber { delta } if linked.has_kind(LossKind::Huber) => {
                float::mean(x, t, |x, t| float::huber_value(x, t, delta))
            }
            _ => 0.0,
        }
    }

    #[inline(always)]
    fn float_backward(&self, linked: LossSet, x: &[f32], t: &[f32], batch: u32, dy: &mut [f32]) -> f32 {
        match *self {
            Loss::BinaryCrossEntropy if linked.has_kind(LossKind::BinaryCrossEntropy) => {
                float::mean_backward(x, t, batch, dy, float::binary_value, float::binary_slope)
            }
            Loss::MeanSquaredError if linked.has_kind(LossKind::MeanSquaredError) => {
                float::mean_backward(x, t, batch, dy, float::squared_value, float::squared_slope)
            }
            Loss::Huber { delta } if linked.has_kind(LossKind::Huber) => {
                let value = |x, t| float::huber_value(x, t, delta);
                float::mean_backward(x, t, batch, dy, value, |x, t| float::huber_slope(x, t, delta))
            }
            _ => float::nothing(dy),
        }
    }
}

#[cfg(test)]
mod tests;
