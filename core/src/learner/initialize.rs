//! Initial parameters for training from scratch on the device.

use super::engine::Engine;
use super::report::{LearnError, Progress};
use crate::executor::{self, Linked};
use crate::math;
use crate::number::{Number, random::Key};
use crate::op::Initial;

/// Fixed point without a calibrated file: fraction bits of values, weights, biases and errors.
const DEFAULT_SCALES: [i8; 4] = [10, 13, 10, 0];

impl<'a, 'w: 'a, N: Number, L: Linked> Engine<'a, 'w, N, L> {
    /// Fills every parameter as PyTorch does by default: weights and biases of linear layers and convolutions uniform
    /// in `±1/sqrt(fan_in)`, normalisations 1 and 0, running statistics 0 and 1. Optimizer state and counters are zero.
    ///
    /// The numbers come from `seed` by counter, not from PyTorch's generator. Refused with
    /// [`LearnError::NoParameters`] if any parameter is frozen: those only come from a file.
    pub fn initialize(&mut self, seed: u32) -> Result<(), LearnError> {
        for step in self.plan.steps {
            let frozen = |p: &crate::plan::Parameter| p.len > 0 && !p.region.is_some();
            if step.parameters.iter().any(frozen) || step.running.iter().any(frozen) {
                return Err(LearnError::NoParameters);
            }
        }
        self.arena.fill(0);
        for word in self.arena.get_mut(self.plan.summary.scales.range()).unwrap_or_default() {
            *word = u32::from_le_bytes(DEFAULT_SCALES.map(|s| s as u8));
        }
        for (i, (node, step)) in self.graph.nodes.iter().zip(self.plan.steps).enumerate() {
            let bound = match node.op.initial() {
                Initial::Uniform { rows } => {
                    let fan_in = step.parameters[0].len / u32::from(rows).max(1);
                    Some(1.0 / math::sqrt(fan_in.max(1) as f32))
                }
                Initial::Identity => None,
            };
            for (k, p) in step.parameters.iter().enumerate() {
                let key = Key::new(seed, 0, i as u32).tensor(k as u32);
                let frac = i32::from(if k == 0 { DEFAULT_SCALES[1] } else { DEFAULT_SCALES[2] });
                let words = self.arena.get_mut(p.region.range()).unwrap_or_default();
                for (j, v) in N::view_mut(words).iter_mut().enumerate().take(p.len as usize) {
                    let real = match (bound, k) {
                        (Some(bound), _) => (key.uniform(j as u32) * 2.0 - 1.0) * bound,
                        (None, 0) => 1.0,
                        (None, _) => 0.0,
                    };
                    *v = N::from_f32(real, frac);
                }
            }
            let words = self.arena.get_mut(step.running[1].region.range()).unwrap_or_default();
            N::view_mut(words).fill(N::from_f32(1.0, 0));
        }
        executor::measure_bounds::<N, L>(&self.context(), self.arena);
        self.status.progress = Progress::default();
        self.status.ready = true;
        Ok(())
    }
}
