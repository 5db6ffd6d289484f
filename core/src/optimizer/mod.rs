//! Optimizers: how a gradient changes weights.
//!
//! A tensor is updated row by row ([`Optimizer::step_row`]), so that a row of an outer product can be consumed without a
//! gradient buffer ([`Optimizer::step_product_row`]); every element is touched once, whatever the rule. State lies beside
//! the weights, one word for each element and slot, and starts as zeros. f32 formulas and their order are those of
//! PyTorch's single-tensor code (`float.rs`); fixed point uses integer instructions only (`fixed.rs`).

mod clip;
mod fixed;
mod float;
mod moment;
mod power;
mod range;
mod rows;
mod schedule;
mod settings;

pub use clip::{Clip, norm_factor};
pub use schedule::{Decay, Schedule};
pub use settings::{Corrections, Penalty, StepSettings};

use crate::number::{Format, Number};
use range::{is_fraction, is_not_negative, is_positive, is_zero};

/// A rule with its hyperparameters. `g` is the gradient, `w` the weight, `weight_decay` adds `weight_decay * w` to `g`
/// (but for [`Optimizer::AdamW`]).
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Optimizer {
    /// `w -= learning_rate * g`; with momentum `v = momentum * v + g; w -= learning_rate * v`; Nesterov's steps by
    /// `g + momentum * v`. No state without momentum, else one slot: v.
    Sgd {
        /// Step size, before its schedule.
        learning_rate: f32,
        /// In `[0, 1)`; 0 is plain descent.
        momentum: f32,
        /// Nesterov's variant; needs a momentum.
        nesterov: bool,
        /// Pull towards 0.
        weight_decay: f32,
    },
    /// `s = alpha * s + (1 - alpha) g²; w -= learning_rate * g / (sqrt(s) + epsilon)`. Slots: s, then the mean gradient
    /// (centered, whose square is taken from s) or the velocity (momentum).
    RmsProp {
        /// Step size, before its schedule.
        learning_rate: f32,
        /// Memory of the squares, in `[0, 1)`.
        alpha: f32,
        /// Added to the root; positive.
        epsilon: f32,
        /// In `[0, 1)`; not together with `centered`.
        momentum: f32,
        /// Divides by the deviation instead of the root mean square.
        centered: bool,
        /// Pull towards 0.
        weight_decay: f32,
    },
    /// `s += g²; w -= learning_rate / (1 + (t - 1) learning_rate_decay) * g / (sqrt(initial + s) + epsilon)`, t counted
    /// from 1. One slot: s.
    AdaGrad {
        /// Step size, before its schedule.
        learning_rate: f32,
        /// Added to the root; positive.
        epsilon: f32,
        /// Pull towards 0.
        weight_decay: f32,
        /// How fast the step size falls by itself.
        learning_rate_decay: f32,
        /// Where the sum of squares starts; kept apart from s, so that state always starts as zeros.
        initial: f32,
    },
    /// Kingma and Ba, "Adam", algorithm 1: `m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g²;
    /// w -= learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)`. Slots: m, v.
    Adam {
        /// Step size, before its schedule.
        learning_rate: f32,
        /// Memory of the mean, in `[0, 1)`.
        beta1: f32,
        /// Memory of the squares, in `[0, 1)`.
        beta2: f32,
        /// Added to the root; positive.
        epsilon: f32,
        /// Pull towards 0, through the gradient.
        weight_decay: f32,
    },
    /// Loshchilov and Hutter, "Decoupled weight decay regularization": `w *= 1 - learning_rate * weight_decay`, then as
    /// Adam without decay. Slots: m, v.
    AdamW {
        /// Step size, before its schedule.
        learning_rate: f32,
        /// Memory of the mean, in `[0, 1)`.
        beta1: f32,
        /// Memory of the squares, in `[0, 1)`.
        beta2: f32,
        /// Added to the root; positive.
        epsilon: f32,
        /// Pull towards 0, beside the gradient.
        weight_decay: f32,
    },
}

/// What kind of update rule: the part of an [`Optimizer`] that decides which code runs it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OptimizerKind {
    /// Plain gradient descent.
    Descent,
    /// Gradient descent with momentum.
    Momentum,
    /// Gradient descent with Nesterov's momentum.
    Nesterov,
    /// RMSprop, with all its options.
    RmsProp,
    /// Adagrad, with all its options.
    AdaGrad,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    AdamW,
}

impl OptimizerKind {
    /// Every kind, in the order of their numbers.
    pub const ALL: [OptimizerKind; 7] = [
        OptimizerKind::Descent,
        OptimizerKind::Momentum,
        OptimizerKind::Nesterov,
        OptimizerKind::RmsProp,
        OptimizerKind::AdaGrad,
        OptimizerKind::Adam,
        OptimizerKind::AdamW,
    ];

    /// Whether its state means the same as the other's: one can go on from where the other stopped.
    pub const fn shares_state_with(self, other: OptimizerKind) -> bool {
        match self {
            OptimizerKind::Descent => false,
            OptimizerKind::Momentum | OptimizerKind::Nesterov => {
                matches!(other, OptimizerKind::Momentum | OptimizerKind::Nesterov)
            }
            OptimizerKind::RmsProp => matches!(other, OptimizerKind::RmsProp),
            OptimizerKind::AdaGrad => matches!(other, OptimizerKind::AdaGrad),
            OptimizerKind::Adam | OptimizerKind::AdamW => matches!(other, OptimizerKind::Adam | OptimizerKind::AdamW),
        }
    }

    /// The name in messages.
    pub const fn name(self) -> &'static str {
        match self {
            OptimizerKind::Descent => "sgd",
            OptimizerKind::Momentum => "sgd with momentum",
            OptimizerKind::Nesterov => "sgd with nesterov",
            OptimizerKind::RmsProp => "rmsprop",
            OptimizerKind::AdaGrad => "adagrad",
            OptimizerKind::Adam => "adam",
            OptimizerKind::AdamW => "adamw",
        }
    }
}

/// A set of optimizer kinds, so that only what is used is linked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OptimizerSet(u32);

impl OptimizerSet {
    /// No optimizer.
    pub const NONE: OptimizerSet = OptimizerSet(0);
    /// Every optimizer, for settings unknown at compile time.
    pub const ALL: OptimizerSet = OptimizerSet(u32::MAX);

    /// With this optimizer's kind added.
    pub const fn with(self, optimizer: &Optimizer) -> OptimizerSet {
        OptimizerSet(self.0 | 1 << optimizer.kind() as u32)
    }
    /// Whether this optimizer's kind is in the set.
    #[inline(always)]
    pub const fn has(self, optimizer: &Optimizer) -> bool {
        self.has_kind(optimizer.kind())
    }
    /// Whether any optimizer in the set keeps state: without one the code that hands it on isn't linked.
    #[inline(always)]
    pub const fn has_state(self) -> bool {
        self.0 & !(1 << OptimizerKind::Descent as u32) != 0
    }
    #[inline(always)]
    const fn has_kind(self, kind: OptimizerKind) -> bool {
        self.0 >> kind as u32 & 1 == 1
    }
}

impl Optimizer {
    /// Plain gradient descent.
    pub const fn sgd(learning_rate: f32) -> Optimizer {
        Optimizer::momentum(learning_rate, 0.0)
    }
    /// Gradient descent with momentum.
    pub const fn momentum(learning_rate: f32, momentum: f32) -> Optimizer {
        Optimizer::Sgd { learning_rate, momentum, nesterov: false, weight_decay: 0.0 }
    }
    /// Gradient descent with Nesterov's momentum.
    pub const fn nesterov(learning_rate: f32, momentum: f32) -> Optimizer {
        Optimizer::Sgd { learning_rate, momentum, nesterov: true, weight_decay: 0.0 }
    }
    /// RMSprop with PyTorch's defaults.
    pub const fn rms_prop(learning_rate: f32) -> Optimizer {
        let (alpha, epsilon) = (0.99, 1e-8);
        Optimizer::RmsProp { learning_rate, alpha, epsilon, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
    /// Adagrad with PyTorch's defaults.
    pub const fn ada_grad(learning_rate: f32) -> Optimizer {
        Optimizer::AdaGrad { learning_rate, epsilon: 1e-10, weight_decay: 0.0, learning_rate_decay: 0.0, initial: 0.0 }
    }
    /// Adam with PyTorch's defaults.
    pub const fn adam(learning_rate: f32) -> Optimizer {
        Optimizer::Adam { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
    /// AdamW with PyTorch's defaults; its weight decay is 0.01.
    pub const fn adam_w(learning_rate: f32) -> Optimizer {
        Optimizer::AdamW { learning_rate, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.01 }
    }

    /// The kind of update rule.
    #[inline(always)]
    pub const fn kind(&self) -> OptimizerKind {
        match *self {
            Optimizer::Sgd { momentum, .. } if is_zero(momentum) => OptimizerKind::Descent,
            Optimizer::Sgd { nesterov: false, .. } => OptimizerKind::Momentum,
            Optimizer::Sgd { nesterov: true, .. } => OptimizerKind::Nesterov,
            Optimizer::RmsProp { .. } => OptimizerKind::RmsProp,
            Optimizer::AdaGrad { .. } => OptimizerKind::AdaGrad,
            Optimizer::Adam { .. } => OptimizerKind::Adam,
            Optimizer::AdamW { .. } => OptimizerKind::AdamW,
        }
    }

    /// The name used in `model.toml`, in files and in messages.
    pub const fn name(&self) -> &'static str {
        match self {
            Optimizer::Sgd { .. } => "sgd",
            Optimizer::RmsProp { .. } => "rmsprop",
            Optimizer::AdaGrad { .. } => "adagrad",
            Optimizer::Adam { .. } => "adam",
            Optimizer::AdamW { .. } => "adamw",
        }
    }

    /// Whether the format has this kind of optimizer; see [`Optimizer::check_in`] for its limits there.
    pub const fn exists_in(&self, format: Format) -> bool {
        match format {
            Format::F32 => true,
            Format::Fixed16 => {
                matches!(self.kind(), OptimizerKind::Descent | OptimizerKind::Momentum | OptimizerKind::Adam)
            }
        }
    }

    /// Checks the hyperparameters; the error says what is asked of them.
    pub const fn check(&self) -> Result<(), &'static str> {
        if !is_not_negative(self.learning_rate()) {
            return Err("the learning rate must be finite and not negative");
        }
        if !is_not_negative(self.weight_decay()) {
            return Err("weight_decay must be finite and not negative");
        }
        match *self {
            Optimizer::Sgd { momentum, .. } | Optimizer::RmsProp { momentum, .. } if !is_fraction(momentum) => {
                Err("momentum must be in [0, 1)")
            }
            Optimizer::Sgd { momentum, nesterov: true, .. } if is_zero(momentum) => {
                Err("Nesterov's variant needs a momentum")
            }
            Optimizer::RmsProp { alpha, .. } if !is_fraction(alpha) => Err("alpha must be in [0, 1)"),
            Optimizer::RmsProp { momentum, centered: true, .. } if !is_zero(momentum) => {
                Err("RMSprop is either centered or has a momentum: both would need a third state slot")
            }
            Optimizer::AdaGrad { initial, .. } if !is_not_negative(initial) => {
                Err("initial must be finite and not negative")
            }
            Optimizer::AdaGrad { learning_rate_decay, .. } if !is_not_negative(learning_rate_decay) => {
                Err("learning_rate_decay must be finite and not negative")
            }
            Optimizer::Adam { beta1, beta2, .. } | Optimizer::AdamW { beta1, beta2, .. }
                if !is_fraction(beta1) || !is_fraction(beta2) =>
            {
                Err("beta1 and beta2 must be in [0, 1)")
            }
            Optimizer::RmsProp { epsilon, .. }
            | Optimizer::AdaGrad { epsilon, .. }
            | Optimizer::Adam { epsilon, .. }
            | Optimizer::AdamW { epsilon, .. }
                if !is_positive(epsilon) =>
            {
                Err("epsilon must be positive and finite")
            }
            _ => Ok(()),
        }
    }

    /// [`Optimizer::check`], and that the format has the rule with these hyperparameters.
    pub const fn check_in(&self, format: Format) -> Result<(), &'static str> {
        if let Err(e) = self.check() {
            return Err(e);
        }
        if !self.exists_in(format) {
            return Err("fixed16 has sgd (without nesterov) and adam only");
        }
        if matches!(format, Format::Fixed16) && !is_zero(self.weight_decay()) {
            return Err("fixed16 has no weight decay: set it to 0 or use f32");
        }
        Ok(())
    }

    /// State slots for each trained element, one word each: 0, 1 or 2.
    pub const fn state_slots(&self) -> usize {
        match *self {
            Optimizer::RmsProp { momentum, centered, .. } if centered || !is_zero(momentum) => 2,
            _ => match self.kind() {
                OptimizerKind::Descent => 0,
                OptimizerKind::Momentum | OptimizerKind::Nesterov | OptimizerKind::RmsProp | OptimizerKind::AdaGrad => {
                    1
                }
                OptimizerKind::Adam | OptimizerKind::AdamW => 2,
            },
        }
    }

    /// The state slot that holds squares, which no run leaves negative.
    pub const fn slot_of_squares(&self) -> Option<usize> {
        match self.kind() {
            OptimizerKind::Descent | OptimizerKind::Momentum | OptimizerKind::Nesterov => None,
            OptimizerKind::RmsProp | OptimizerKind::AdaGrad => Some(0),
            OptimizerKind::Adam | OptimizerKind::AdamW => Some(1),
        }
    }

    /// The step size before its schedule.
    pub const fn learning_rate(&self) -> f32 {
        match *self {
            Optimizer::Sgd { learning_rate, .. }
            | Optimizer::RmsProp { learning_rate, .. }
            | Optimizer::AdaGrad { learning_rate, .. }
            | Optimizer::Adam { learning_rate, .. }
            | Optimizer::AdamW { learning_rate, .. } => learning_rate,
        }
    }

    /// The pull towards 0.
    pub const fn weight_decay(&self) -> f32 {
        match *self {
            Optimizer::Sgd { weight_decay, .. }
            | Optimizer::RmsProp { weight_decay, .. }
            | Optimizer::AdaGrad { weight_decay, .. }
            | Optimizer::Adam { weight_decay, .. }
            | Optimizer::AdamW { weight_decay, .. } => weight_decay,
        }
    }

    /// Updates one row of weights in place. `gradient` is as long as `weights`, and so is `state[s]` for each of the
    /// [`Optimizer::state_slots`]; further slots are empty. Kinds not in `linked` leave everything as it is.
    #[inline]
    pub fn step_row<N: Number>(
        &self,
        linked: OptimizerSet,
        weights: &mut [N::Value],
        state: [&mut [N::Gradient]; 2],
        gradient: &[N::Gradient],
        step: &StepSettings,
    ) {
        match N::FORMAT {
            Format::F32 => {
                if let (Some(w), Some(x), Some(state)) =
                    (N::floats_mut(weights), N::gradient_floats(gradient), floats::<N>(state))
                {
                    float::step(self, linked, w, state, x, 1.0, step);
                }
            }
            Format::Fixed16 => {
                if let (Some(w), Some(g), Some(state)) =
                    (N::fixed_mut(weights), N::gradient_fixed(gradient), integers::<N>(state))
                {
                    fixed::step(self, linked, w, state, g.iter().copied(), step);
                }
            }
        }
    }

    /// [`Optimizer::step_row`] for the gradient `values[i] * factor`, without a buffer for it; `frac` are the fraction bits
    /// of that product.
    ///
    /// Plain descent takes `learning_rate * factor` first and then one product an element; a row whose factor is 0 (the
    /// error behind an inactive ReLU) costs nothing. In fixed point that shared factor is rounded to 15 bits, and the
    /// product is not rounded to a gradient in between, so the bits differ from those of [`Optimizer::step_row`].
    #[inline]
    #[allow(clippy::too_many_arguments, reason = "all slices of one row; a struct would be filled in one place only")]
    pub fn step_product_row<N: Number>(
        &self,
        linked: OptimizerSet,
        weights: &mut [N::Value],
        state: [&mut [N::Gradient]; 2],
        values: &[N::Value],
        factor: N::Value,
        frac: i32,
        step: &StepSettings,
    ) {
        match N::FORMAT {
            Format::F32 => {
                if let (Some(w), Some(x), Some([factor]), Some(state)) =
                    (N::floats_mut(weights), N::floats(values), N::floats(&[factor]), floats::<N>(state))
                {
                    float::step(self, linked, w, state, x, *factor, step);
                }
            }
            Format::Fixed16 => {
                if let (Some(w), Some(x), Some([factor]), Some(state)) =
                    (N::fixed_mut(weights), N::fixed(values), N::fixed(&[factor]), integers::<N>(state))
                {
                    fixed::step_product(self, linked, w, state, x, *factor, frac, step);
                }
            }
        }
    }
}

#[inline(always)]
fn floats<N: Number>([a, b]: [&mut [N::Gradient]; 2]) -> Option<[&mut [f32]; 2]> {
    Some([N::gradient_floats_mut(a)?, N::gradient_floats_mut(b)?])
}

#[inline(always)]
fn integers<N: Number>([a, b]: [&mut [N::Gradient]; 2]) -> Option<[&mut [i32]; 2]> {
    Some([N::gradient_fixed_mut(a)?, N::gradient_fixed_mut(b)?])
}

#[cfg(test)]
mod tests;
