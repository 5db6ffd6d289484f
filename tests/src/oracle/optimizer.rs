//! Optimizers of real numbers, one element at a time.

use emberlite::optimizer::{Clip, Optimizer};
use emberlite::plan::Training;

use super::real::Real;

/// What all elements of a step share.
pub struct Step<T> {
    optimizer: Optimizer,
    rate: T,
    /// The limit of each element of the gradient.
    limit: Option<T>,
    l1: T,
    decay: T,
    /// From the clipping of the global norm.
    scale: T,
    /// Updates including this one.
    t: u32,
}

impl<T: Real> Step<T> {
    /// The step that follows `updates` updates, gradients having that sum of squares (needed for the global norm only).
    pub fn new(training: &Training, rate: T, updates: u32, squares: T) -> Step<T> {
        let optimizer = training.optimizer;
        let coupled = if let Optimizer::AdamW { .. } = optimizer { 0.0 } else { optimizer.weight_decay() };
        let scale = match training.clip {
            Clip::GlobalNorm(limit) => {
                let factor = T::of(limit.into()) / (squares.sqrt() + T::of(1e-6));
                if factor > T::one() { T::one() } else { factor }
            }
            _ => T::one(),
        };
        Step {
            optimizer,
            rate,
            limit: if let Clip::Value(limit) = training.clip { Some(T::of(limit.into())) } else { None },
            l1: T::of(training.penalty.l1.into()),
            decay: T::of(training.penalty.l2.into()) + T::of(coupled.into()),
            scale,
            t: updates + 1,
        }
    }

    /// The new weight for the gradient `x * factor`, and the new state in its slots.
    pub fn apply(&self, w: T, state: &mut [T], x: T, factor: T) -> T {
        let factor = factor * self.scale;
        let plain = matches!(self.optimizer, Optimizer::Sgd { momentum: 0.0, .. });
        let adjusted = self.limit.is_some() || self.l1 != T::zero() || self.decay != T::zero();
        if plain && !adjusted {
            // The rate goes to the shared factor first, and a factor of 0 leaves the weight alone.
            let c = self.rate * factor;
            return if c == T::zero() { w } else { w - c * x };
        }
        let g = if adjusted { self.adjust(x * factor, w) } else { x * factor };
        self.rule(w, state, g)
    }

    fn adjust(&self, g: T, w: T) -> T {
        let g = match self.limit {
            Some(limit) if g > limit => limit,
            Some(limit) if g < -limit => -limit,
            _ => g,
        };
        let g = if w > T::zero() {
            g + self.l1
        } else if w < T::zero() {
            g - self.l1
        } else {
            g
        };
        g + self.decay * w
    }

    fn rule(&self, w: T, state: &mut [T], g: T) -> T {
        let of = |real: f32| T::of(real.into());
        let rate = self.rate;
        match self.optimizer {
            Optimizer::Sgd { momentum: 0.0, .. } => w - rate * g,
            Optimizer::Sgd { momentum, nesterov, .. } => {
                state[0] = of(momentum) * state[0] + g;
                w - rate * if nesterov { g + of(momentum) * state[0] } else { state[0] }
            }
            Optimizer::RmsProp { alpha, epsilon, momentum, centered, .. } => {
                state[0] = state[0] * of(alpha) + (T::one() - of(alpha)) * g * g;
                if centered {
                    state[1] = state[1] + (T::one() - of(alpha)) * (g - state[1]);
                    let variance = state[0] - state[1] * state[1];
                    let variance = if variance < T::zero() { T::zero() } else { variance };
                    w - rate * g / (variance.sqrt() + of(epsilon))
                } else if momentum == 0.0 {
                    w - rate * g / (state[0].sqrt() + of(epsilon))
                } else {
                    state[1] = of(momentum) * state[1] + g / (state[0].sqrt() + of(epsilon));
                    w - rate * state[1]
                }
            }
            Optimizer::AdaGrad { epsilon, learning_rate_decay, initial, .. } => {
                state[0] = state[0] + g * g;
                let rate = rate / (T::one() + T::of((self.t - 1).into()) * of(learning_rate_decay));
                w - rate * g / ((state[0] + of(initial)).sqrt() + of(epsilon))
            }
            Optimizer::Adam { beta1, beta2, epsilon, .. } => self.adam(w, state, g, [beta1, beta2, epsilon]),
            Optimizer::AdamW { beta1, beta2, epsilon, weight_decay, .. } => {
                let keep = T::one() - rate * of(weight_decay);
                self.adam(w * keep, state, g, [beta1, beta2, epsilon])
            }
        }
    }

    fn adam(&self, w: T, state: &mut [T], g: T, [beta1, beta2, epsilon]: [f32; 3]) -> T {
        let of = |real: f32| T::of(real.into());
        // The library computes powers exactly and rounds once, so f64 is precise enough to round to the same f32.
        let gone = |beta: f32| T::of(1.0 - f64::from(beta).powi(self.t as i32));
        state[0] = state[0] + (T::one() - of(beta1)) * (g - state[0]);
        state[1] = state[1] * of(beta2) + (T::one() - of(beta2)) * g * g;
        let root = gone(beta2).sqrt();
        w - self.rate * root / gone(beta1) * state[0] / (state[1].sqrt() + of(epsilon) * root)
    }
}
