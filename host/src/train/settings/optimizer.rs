//! Update rules that the host has besides the device's.

/// A rule with its hyperparameters. `g` is the gradient, `w` the weight, `r` the scheduled learning rate, `t` the update's
/// number from 1. Penalties and, where it isn't decoupled, weight decay are added to `g`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HostOptimizer {
    /// Dozat, "Incorporating Nesterov momentum into Adam" (2016), as PyTorch's `NAdam`: Adam that looks ahead.
    Nadam {
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
    /// Chen et al., "Symbolic discovery of optimization algorithms" (2023), algorithm 2:
    /// `u = sign(beta1 m + (1 - beta1) g); w = w (1 - r weight_decay) - r u; m = beta2 m + (1 - beta2) g`. One slot.
    Lion {
        /// Step size, before its schedule; a tenth of Adam's.
        learning_rate: f32,
        /// Share of the memory in a step, in `[0, 1)`.
        beta1: f32,
        /// Memory of the mean, in `[0, 1)`.
        beta2: f32,
        /// Pull towards 0, beside the gradient.
        weight_decay: f32,
    },
    /// You et al., "Large batch optimization for deep learning" (2020), algorithm 2: Adam's step `u` with `weight_decay w`
    /// added, times `|w| / |u|` over each tensor (1 where either is 0). For batches of thousands.
    Lamb {
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
    /// Zeiler, "ADADELTA" (2012), as PyTorch's `Adadelta`: `s = rho s + (1 - rho) g²;
    /// d = g sqrt(a + epsilon) / sqrt(s + epsilon); a = rho a + (1 - rho) d²; w -= r d`.
    Adadelta {
        /// Step size, before its schedule; 1 in the paper.
        learning_rate: f32,
        /// Memory of the squares, in `[0, 1)`.
        rho: f32,
        /// Added below the roots; positive.
        epsilon: f32,
        /// Pull towards 0, through the gradient.
        weight_decay: f32,
    },
    /// Kingma and Ba, "Adam", algorithm 2, as PyTorch's `Adamax`: `m = beta1 m + (1 - beta1) g;
    /// u = max(beta2 u, |g| + epsilon); w -= r / (1 - beta1^t) m / u`.
    Adamax {
        /// Step size, before its schedule.
        learning_rate: f32,
        /// Memory of the mean, in `[0, 1)`.
        beta1: f32,
        /// Memory of the largest gradient, in `[0, 1)`.
        beta2: f32,
        /// Added to the gradient's size; positive.
        epsilon: f32,
        /// Pull towards 0, through the gradient.
        weight_decay: f32,
    },
}

impl HostOptimizer {
    /// The name used in settings.
    pub const fn name(&self) -> &'static str {
        match self {
            HostOptimizer::Nadam { .. } => "nadam",
            HostOptimizer::Lion { .. } => "lion",
            HostOptimizer::Lamb { .. } => "lamb",
            HostOptimizer::Adadelta { .. } => "adadelta",
            HostOptimizer::Adamax { .. } => "adamax",
        }
    }

    /// The step size before its schedule.
    pub const fn learning_rate(&self) -> f32 {
        match *self {
            HostOptimizer::Nadam { learning_rate, .. }
            | HostOptimizer::Lion { learning_rate, .. }
            | HostOptimizer::Lamb { learning_rate, .. }
            | HostOptimizer::Adadelta { learning_rate, .. }
            | HostOptimizer::Adamax { learning_rate, .. } => learning_rate,
        }
    }

    /// Numbers kept for each weight.
    pub const fn state_slots(&self) -> usize {
        if matches!(self, HostOptimizer::Lion { .. }) { 1 } else { 2 }
    }

    /// Decay that is added to the gradient; 0 where it is decoupled.
    pub(in crate::train) const fn coupled_decay(&self) -> f32 {
        match *self {
            HostOptimizer::Nadam { weight_decay, .. }
            | HostOptimizer::Adadelta { weight_decay, .. }
            | HostOptimizer::Adamax { weight_decay, .. } => weight_decay,
            HostOptimizer::Lion { .. } | HostOptimizer::Lamb { .. } => 0.0,
        }
    }

    /// Every hyperparameter by its name in settings.
    pub fn attributes(&self) -> Vec<(&'static str, f32)> {
        match *self {
            HostOptimizer::Nadam { learning_rate, beta1, beta2, epsilon, weight_decay }
            | HostOptimizer::Lamb { learning_rate, beta1, beta2, epsilon, weight_decay }
            | HostOptimizer::Adamax { learning_rate, beta1, beta2, epsilon, weight_decay } => vec![
                ("learning_rate", learning_rate),
                ("beta1", beta1),
                ("beta2", beta2),
                ("epsilon", epsilon),
                ("weight_decay", weight_decay),
            ],
            HostOptimizer::Lion { learning_rate, beta1, beta2, weight_decay } => vec![
                ("learning_rate", learning_rate),
                ("beta1", beta1),
                ("beta2", beta2),
                ("weight_decay", weight_decay),
            ],
            HostOptimizer::Adadelta { learning_rate, rho, epsilon, weight_decay } => vec![
                ("learning_rate", learning_rate),
                ("rho", rho),
                ("epsilon", epsilon),
                ("weight_decay", weight_decay),
            ],
        }
    }

    /// Checks the hyperparameters; the error says what is asked of them.
    ///
    /// # Errors
    /// One sentence.
    pub fn check(&self) -> Result<(), &'static str> {
        for (name, value) in self.attributes() {
            match name {
                "learning_rate" if !(value.is_finite() && value >= 0.0) => {
                    return Err("the learning rate must be finite and not negative");
                }
                "weight_decay" if !(value.is_finite() && value >= 0.0) => {
                    return Err("weight_decay must be finite and not negative");
                }
                "epsilon" if !(value.is_finite() && value > 0.0) => return Err("epsilon must be positive and finite"),
                "beta1" | "beta2" | "rho" if !(0.0..1.0).contains(&value) => {
                    return Err("beta1, beta2 and rho must be in [0, 1)");
                }
                _ => {}
            }
        }
        Ok(())
    }
}
