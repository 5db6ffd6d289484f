//! What is the same for all rows of one tensor in one step.

use super::power::{Power, float, inverse_rate, inverse_root_rate};
use super::range::{is_not_negative, is_zero};
use super::{Optimizer, OptimizerSet};
use crate::math;
use crate::number::{Format, Number, Rate, random::Key};

/// One step's settings for one tensor.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct StepSettings {
    /// The learning rate of this step, as scheduled.
    pub rate: Rate,
    /// Penalties on the weights' size.
    pub penalty: Penalty,
    /// Gradient elements are clamped to `±clip_value`; infinity leaves them.
    pub clip_value: f32,
    /// The gradient is multiplied by it first (from a clipped global norm); f32 only, 1 elsewhere.
    pub scale: f32,
    /// What depends on the number of the step alone.
    pub corrections: Corrections,
    /// Fraction bits of the weights.
    pub frac: i32,
    /// Random numbers of this tensor in this step, for stochastic rounding.
    pub key: Key,
    /// The index of the row's first element in its tensor.
    pub first: u32,
}

/// Penalties: the loss gains `l1 * Σ|w| + l2 / 2 * Σ w²`, so the gradient gains `l1 * sign(w) + l2 * w`, sign(0) being 0.
///
/// They join the gradient after clipping, where PyTorch adds its weight decay, and `l2` is the same as that decay for every
/// optimizer but AdamW. f32 only.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Penalty {
    /// Weight of the sum of absolute values.
    pub l1: f32,
    /// Weight of half the sum of squares.
    pub l2: f32,
}

impl Penalty {
    /// No penalty.
    pub const NONE: Penalty = Penalty { l1: 0.0, l2: 0.0 };

    /// Checks the weights and that the format has penalties; the error says what is asked of them.
    pub const fn check_in(&self, format: Format) -> Result<(), &'static str> {
        if !is_not_negative(self.l1) || !is_not_negative(self.l2) {
            return Err("l1 and l2 must be finite and not negative");
        }
        if matches!(format, Format::Fixed16) && !(is_zero(self.l1) && is_zero(self.l2)) {
            return Err("fixed16 has no penalties: set l1 and l2 to 0 or use f32");
        }
        Ok(())
    }
}

/// What an optimizer's step depends on through its number alone; made once a step.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Corrections {
    /// f32: what divides the learning rate. Adam's `1 - beta1^t`, Adagrad's `1 + (t - 1) * learning_rate_decay`.
    pub(super) divisor: f32,
    /// f32: what divides the root of Adam's second moment, `sqrt(1 - beta2^t)`.
    pub(super) root: f32,
    /// Fixed point: `1 / (1 - beta1^t)`, within 2^-15.
    pub(super) rate_factor: Rate,
    /// Fixed point: `1 / sqrt(1 - beta2^t)`, within 2^-14.
    pub(super) root_rate: Rate,
}

impl Corrections {
    /// For optimizers that need none.
    pub const NONE: Corrections =
        Corrections { divisor: 1.0, root: 1.0, rate_factor: Rate::ZERO, root_rate: Rate::ZERO };

    /// For update number `t`, counted from 1 (0 counts as 1).
    ///
    /// `beta^t` is an integer power with 64 bits, so the f32 forms are within two units in the last place for any t.
    #[inline]
    pub fn at<N: Number>(linked: OptimizerSet, optimizer: &Optimizer, t: u32) -> Corrections {
        let t = t.max(1);
        if !linked.has(optimizer) {
            return Corrections::NONE;
        }
        match *optimizer {
            Optimizer::Adam { beta1, beta2, .. } | Optimizer::AdamW { beta1, beta2, .. } => {
                Corrections::of_moments(N::FORMAT, Power::new(beta1, t).complement(), Power::new(beta2, t).complement())
            }
            Optimizer::AdaGrad { learning_rate_decay, .. } if matches!(N::FORMAT, Format::F32) => {
                Corrections { divisor: 1.0 + (t - 1) as f32 * learning_rate_decay, ..Corrections::NONE }
            }
            _ => Corrections::NONE,
        }
    }

    /// From `1 - beta1^t` and `1 - beta2^t` with 64 fraction bits.
    #[inline(always)]
    fn of_moments(format: Format, first: u64, second: u64) -> Corrections {
        match format {
            Format::F32 => {
                Corrections { divisor: float(first, 64), root: math::sqrt(float(second, 64)), ..Corrections::NONE }
            }
            Format::Fixed16 => Corrections {
                rate_factor: inverse_rate(first),
                root_rate: inverse_root_rate(second),
                ..Corrections::NONE
            },
        }
    }
}
