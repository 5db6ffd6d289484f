//! The optimizers on a device's tensors.
//!
//! The framework has optimizers of its own, but clips the norm of each tensor by itself, takes decay for a part of some
//! rules only and has no penalties. These are the core's formulas in the core's order (`core/src/optimizer/float.rs`),
//! so that a model trained here goes on training on the device under the same rule, and its state can go with it.

use super::settings::{HostOptimizer, HostSettings, PlateauState};
use super::{fused, host_rules, subnormal};
use crate::lower::{Lowered, Slot, Tensors, sum};
use burn_tensor::{Device, Gradients, Tensor};
use emberlite::image::Kind;
use emberlite::number::F32;
use emberlite::optimizer::{Clip, Optimizer, Penalty};
use emberlite::plan::Training;

/// An optimizer at work: its state, one tensor for each slot of the rule and each trained parameter.
#[derive(Clone, Debug)]
pub(crate) struct Stepper {
    training: Training,
    host: HostSettings,
    slots: Vec<Slot>,
    /// What each slot's learning rate is multiplied by.
    scales: Vec<f32>,
    /// As many as `slots`, each with as many as the rule needs.
    pub state: Vec<Vec<Tensor<1>>>,
    /// Updates made.
    pub updates: u32,
    /// Updates of the whole run, which some schedules stretch over.
    total: u32,
    /// What a schedule that follows a figure has come to.
    pub plateau: PlateauState,
    /// Nadam's product of the first so many momenta.
    momenta: (u32, f64),
}

/// The numbers of one update.
pub(super) struct Moment {
    /// The scheduled learning rate.
    pub rate: f32,
    /// What divides it: Adam's `1 - beta1^t`, Adagrad's `1 + (t - 1) learning_rate_decay`.
    pub divisor: f32,
    /// Adam's `1 / sqrt(1 - beta2^t)`.
    pub root_factor: f32,
    /// Nadam's factors of the gradient and of the mean.
    pub look_ahead: [f32; 2],
}

/// The number of values that an optimizer keeps for each weight.
pub(crate) fn state_slots(training: &Training, host: &HostSettings) -> usize {
    host.optimizer.as_ref().map_or(training.optimizer.state_slots(), HostOptimizer::state_slots)
}

impl Stepper {
    /// With all state zero; `total` is the number of updates of the run.
    pub fn new(training: &Training, host: &HostSettings, lowered: &Lowered<'_>, device: &Device, total: u32) -> Self {
        let slots: Vec<Slot> = lowered.slots().iter().copied().filter(|slot| slot.trained).collect();
        let device = device.clone().without_autodiff();
        let zeros = |slot: &Slot| vec![Tensor::zeros([slot.len], &device); state_slots(training, host)];
        let state = slots.iter().map(zeros).collect();
        let scale = |slot: &Slot| host.learning_rate_scales.get(usize::from(slot.node)).copied().unwrap_or(1.0);
        let scales = slots.iter().map(scale).collect();
        let (training, host, plateau) = (*training, host.clone(), PlateauState::default());
        Stepper { training, host, slots, scales, state, updates: 0, total, plateau, momenta: (0, 1.0) }
    }

    /// The trained parameters, in the order of `state`.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The learning rate before its schedule.
    pub fn base(&self) -> f32 {
        self.host.optimizer.as_ref().map_or(self.training.optimizer.learning_rate(), HostOptimizer::learning_rate)
    }

    /// The learning rate of the last update.
    pub fn last_rate(&self) -> f32 {
        self.rate(self.updates.saturating_sub(1))
    }

    /// The learning rate of the update after so many.
    fn rate(&self, updates: u32) -> f32 {
        match &self.host.schedule {
            Some(schedule) => schedule.rate(self.base(), updates, self.total, self.plateau.factor),
            None => self.training.schedule.rate::<F32>(self.base(), updates).real(),
        }
    }

    /// Takes the gradient of each trained parameter, in their order; one that the loss doesn't depend on is zero.
    pub fn gradients(&self, tensors: &Tensors, gradients: &mut Gradients) -> Vec<Tensor<1>> {
        let gradient = |slot: &Slot| {
            let leaf = tensors.tensor(slot);
            leaf.grad_remove(gradients).unwrap_or_else(|| leaf.without_autodiff().zeros_like())
        };
        self.slots.iter().map(gradient).collect()
    }

    /// Steps every trained parameter by its gradient, in the order of [`Stepper::slots`].
    pub fn step(&mut self, tensors: &mut Tensors, mut gs: Vec<Tensor<1>>) {
        let moment = self.moment();
        match self.training.clip {
            Clip::None => {}
            Clip::Value(limit) => gs = gs.into_iter().map(|g| g.clamp(-limit, limit)).collect(),
            Clip::GlobalNorm(limit) => gs = clip_global_norm(gs, limit),
        }
        let decay = match (&self.host.optimizer, &self.training.optimizer) {
            (Some(optimizer), _) => optimizer.coupled_decay(),
            (None, Optimizer::AdamW { .. }) => 0.0,
            (None, optimizer) => optimizer.weight_decay(),
        };
        for (((slot, scale), g), state) in self.slots.iter().zip(&self.scales).zip(gs).zip(&mut self.state) {
            let moment = Moment { rate: moment.rate * scale, ..moment };
            let w = tensors.take(slot).without_autodiff();
            let spared = slot.kind == Kind::Bias && !self.host.penalise_biases;
            let penalty = if spared { Penalty::NONE } else { self.training.penalty };
            let g = penalised(penalty, decay, g, &w);
            let w = match &self.host.optimizer {
                None if fused::has(&self.training.optimizer, &w) => {
                    fused::step(&self.training.optimizer, &moment, w, state, g)
                }
                other => {
                    let w = match other {
                        Some(optimizer) => host_rules::rule(optimizer, &moment, w, state, g),
                        None => rule(&self.training.optimizer, &moment, w, state, g),
                    };
                    state.iter_mut().for_each(|state| *state = subnormal::without(state.clone()));
                    subnormal::without(w)
                }
            };
            tensors.replace(slot, w);
        }
        self.updates += 1;
    }

    fn moment(&mut self) -> Moment {
        let t = self.updates + 1;
        // As the core: powers exact to f32, by f64 here.
        let left = |beta: f32| 1.0 - f64::from(beta).powf(t.into());
        let both = |beta1, beta2| (left(beta1) as f32, 1.0 / (left(beta2) as f32).sqrt());
        let mut look_ahead = [0.0; 2];
        let (divisor, root_factor) = match (self.host.optimizer, self.training.optimizer) {
            (Some(HostOptimizer::Nadam { beta1, beta2, .. }), _) => {
                look_ahead = host_rules::nadam(&mut self.momenta, beta1, t);
                both(beta1, beta2)
            }
            (Some(HostOptimizer::Lamb { beta1, beta2, .. } | HostOptimizer::Adamax { beta1, beta2, .. }), _)
            | (None, Optimizer::Adam { beta1, beta2, .. } | Optimizer::AdamW { beta1, beta2, .. }) => {
                both(beta1, beta2)
            }
            (None, Optimizer::AdaGrad { learning_rate_decay, .. }) => (1.0 + (t - 1) as f32 * learning_rate_decay, 1.0),
            _ => (1.0, 1.0),
        };
        Moment { rate: self.rate(self.updates), divisor, root_factor, look_ahead }
    }
}

/// Scales all gradients so that the root of their common sum of squares is at most `limit`, without reading it back.
fn clip_global_norm(gradients: Vec<Tensor<1>>, limit: f32) -> Vec<Tensor<1>> {
    let squares = gradients.iter().map(|g| sum(g.clone() * g.clone()));
    let Some(sum) = squares.reduce(|a, b| a + b) else { return gradients };
    let factor = (sum.sqrt() + 1e-6).recip().mul_scalar(limit).clamp_max(1.0);
    gradients.into_iter().map(|g| g * factor.clone()).collect()
}

/// Adds L1, L2 and weight decay that isn't decoupled.
fn penalised(penalty: Penalty, decay: f32, g: Tensor<1>, w: &Tensor<1>) -> Tensor<1> {
    let (l1, l2) = (penalty.l1, penalty.l2 + decay);
    let g = if l1 == 0.0 { g } else { g + w.clone().sign().mul_scalar(l1) };
    if l2 == 0.0 { g } else { g + w.clone().mul_scalar(l2) }
}

/// The new weight; `state` is replaced.
pub(super) fn rule(
    optimizer: &Optimizer,
    moment: &Moment,
    w: Tensor<1>,
    state: &mut [Tensor<1>],
    g: Tensor<1>,
) -> Tensor<1> {
    let rate = moment.rate;
    let old = |state: &[Tensor<1>], slot: usize| state[slot].clone();
    match *optimizer {
        Optimizer::Sgd { .. } if optimizer.state_slots() == 0 => w - g.mul_scalar(rate),
        Optimizer::Sgd { momentum, nesterov, .. } => {
            let v = old(state, 0).mul_scalar(momentum) + g.clone();
            state[0] = v.clone();
            if nesterov { w - (g + v.mul_scalar(momentum)).mul_scalar(rate) } else { w - v.mul_scalar(rate) }
        }
        Optimizer::RmsProp { alpha, epsilon, momentum, centered, .. } => {
            let s = old(state, 0).mul_scalar(alpha) + g.clone().mul_scalar(1.0 - alpha) * g.clone();
            state[0] = s.clone();
            if centered {
                let mean = old(state, 1);
                let mean = mean.clone() + (g.clone() - mean).mul_scalar(1.0 - alpha);
                state[1] = mean.clone();
                let variance = (s - mean.clone() * mean).clamp_min(0.0);
                w - g.mul_scalar(rate) / (variance.sqrt() + epsilon)
            } else if momentum == 0.0 {
                w - g.mul_scalar(rate) / (s.sqrt() + epsilon)
            } else {
                let v = old(state, 1).mul_scalar(momentum) + g / (s.sqrt() + epsilon);
                state[1] = v.clone();
                w - v.mul_scalar(rate)
            }
        }
        Optimizer::AdaGrad { epsilon, initial, .. } => {
            let s = old(state, 0) + g.clone() * g.clone();
            state[0] = s.clone();
            w - g.mul_scalar(rate / moment.divisor) / ((s + initial).sqrt() + epsilon)
        }
        Optimizer::Adam { beta1, beta2, epsilon, .. } => adam(moment, [beta1, beta2, epsilon], w, state, g),
        Optimizer::AdamW { beta1, beta2, epsilon, weight_decay, .. } => {
            adam(moment, [beta1, beta2, epsilon], w.mul_scalar(1.0 - rate * weight_decay), state, g)
        }
    }
}

fn adam(
    moment: &Moment,
    [beta1, beta2, epsilon]: [f32; 3],
    w: Tensor<1>,
    state: &mut [Tensor<1>],
    g: Tensor<1>,
) -> Tensor<1> {
    let m = state[0].clone();
    let m = m.clone() + (g.clone() - m).mul_scalar(1.0 - beta1);
    let v = state[1].clone().mul_scalar(beta2) + g.clone().mul_scalar(1.0 - beta2) * g;
    (state[0], state[1]) = (m.clone(), v.clone());
    w - m.mul_scalar(moment.rate / moment.divisor) / (v.sqrt().mul_scalar(moment.root_factor) + epsilon)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Parameters;
    use crate::lower::upload;
    use emberlite::graph::{Graph, Shape, linear};
    use emberlite::loss::Loss;
    use emberlite::number::Format;
    use emberlite::number::random::Key;
    use emberlite::optimizer::{Corrections, Decay, OptimizerSet, Schedule, StepSettings, norm_factor};

    const STEPS: u32 = 6;
    const WEIGHTS: usize = 12;
    const BIASES: usize = 3;

    fn numbers(tensor: u32, len: usize) -> Vec<f32> {
        let key = Key::new(3, 1, tensor);
        (0..len as u32).map(|i| key.uniform(i) * 2.0 - 1.0).collect()
    }

    fn close(what: &str, ours: &[f32], core: &[f32]) {
        assert_eq!(ours.len(), core.len(), "{what}");
        for (i, (a, b)) in ours.iter().zip(core).enumerate() {
            // A step has at most 12 roundings, each relative to numbers below 4, and Adam's quotient of gradients above
            // 1e-3 magnifies them by less than 4; STEPS of them.
            let tolerance = 12.0 * 4.0 * 4.0 * STEPS as f32 * f32::EPSILON;
            assert!((a - b).abs() <= tolerance, "{what}[{i}]: {a}, the core has {b}");
        }
    }

    /// Steps a linear layer with made-up gradients, here and by the core's row function.
    fn agrees(training: Training) {
        let what = format!("{:?} {:?} {:?}", training.optimizer, training.clip, training.penalty);
        let nodes = [linear(BIASES as u16)];
        let lowered = Lowered::new(Graph::new(Format::F32, Shape::d1(4), &nodes)).unwrap();
        let device = Device::flex();
        let mut parameters = Parameters::new();
        let (mut weight, mut bias) = (numbers(0, WEIGHTS), numbers(1, BIASES));
        // A zero has no sign.
        weight[5] = 0.0;
        parameters.set(0, Kind::Weight, weight.clone());
        parameters.set(0, Kind::Bias, bias.clone());
        let mut tensors = Tensors::upload(&lowered, &parameters, &device).unwrap();
        let mut stepper = Stepper::new(&training, &HostSettings::default(), &lowered, &device, STEPS);
        let slots = training.optimizer.state_slots();
        let mut states = [[vec![0.0; WEIGHTS], vec![0.0; WEIGHTS]], [vec![0.0; BIASES], vec![0.0; BIASES]]];
        for t in 0..STEPS {
            let gradients = [numbers(10 + t, WEIGHTS), numbers(20 + t, BIASES)];
            // The gradient of a sum of products with constants are those constants.
            let [w, b] = [Kind::Weight, Kind::Bias].map(|kind| {
                let slot = lowered.slots().iter().find(|slot| slot.kind == kind).unwrap();
                (tensors.tensor(slot) * upload(gradients[usize::from(kind == Kind::Bias)].clone(), &device)).sum()
            });
            let gradients_of = stepper.gradients(&tensors, &mut (w + b).backward());
            stepper.step(&mut tensors, gradients_of);

            let squares: f32 = gradients.iter().flatten().map(|g| g * g).sum();
            let scale = if let Clip::GlobalNorm(limit) = training.clip { norm_factor(squares, limit) } else { 1.0 };
            let settings = StepSettings {
                rate: training.schedule.rate::<F32>(training.optimizer.learning_rate(), t),
                penalty: training.penalty,
                clip_value: training.clip.value(),
                scale,
                corrections: Corrections::at::<F32>(OptimizerSet::ALL, &training.optimizer, t + 1),
                frac: 0,
                key: Key::new(0, 0, 0),
                first: 0,
            };
            for ((values, gradient), [a, b]) in [&mut weight, &mut bias].into_iter().zip(&gradients).zip(&mut states) {
                let state = [&mut a[..], &mut b[..]];
                training.optimizer.step_row::<F32>(OptimizerSet::ALL, values, state, gradient, &settings);
            }
        }
        let after = tensors.download(&lowered).unwrap();
        close(&what, after.get(0, Kind::Weight).unwrap(), &weight);
        close(&what, after.get(0, Kind::Bias).unwrap(), &bias);
        for (ours, core) in stepper.state.iter().zip(&states) {
            assert_eq!(ours.len(), slots, "{what}");
            for (ours, core) in ours.iter().zip(core) {
                close(&format!("state of {what}"), &crate::lower::download(ours.clone()).unwrap(), core);
            }
        }
    }

    #[test]
    fn biases_can_be_spared_the_penalty_but_not_the_decay() {
        let nodes = [linear(BIASES as u16)];
        let lowered = Lowered::new(Graph::new(Format::F32, Shape::d1(4), &nodes)).unwrap();
        let device = Device::flex();
        let decay = Optimizer::Sgd { learning_rate: 0.5, momentum: 0.0, nesterov: false, weight_decay: 0.25 };
        // Without a gradient a step multiplies by 1 - 0.5 * (l2 + weight_decay): all exact in f32.
        for (optimizer, spare, weight, bias) in [
            (Optimizer::sgd(0.5), false, 0.75, 0.75),
            (Optimizer::sgd(0.5), true, 0.75, 1.0),
            (decay, true, 0.625, 0.875),
        ] {
            let training = Training::new(Loss::MeanSquaredError, optimizer).penalty(0.0, 0.5);
            let host = HostSettings { penalise_biases: !spare, ..HostSettings::default() };
            let mut parameters = Parameters::new();
            parameters.set(0, Kind::Weight, vec![1.0; WEIGHTS]);
            parameters.set(0, Kind::Bias, vec![1.0; BIASES]);
            let mut tensors = Tensors::upload(&lowered, &parameters, &device).unwrap();
            let mut stepper = Stepper::new(&training, &host, &lowered, &device, 1);
            let nothing = lowered.slots().iter().map(|slot| tensors.tensor(slot).sum().mul_scalar(0.0));
            let gradients = nothing.reduce(|a, b| a + b).unwrap();
            let gradients = stepper.gradients(&tensors, &mut gradients.backward());
            stepper.step(&mut tensors, gradients);
            let after = tensors.download(&lowered).unwrap();
            assert_eq!(after.get(0, Kind::Weight).unwrap(), [weight; WEIGHTS]);
            assert_eq!(after.get(0, Kind::Bias).unwrap(), [bias; BIASES]);
        }
    }

    fn optimizers() -> Vec<Optimizer> {
        let (learning_rate, weight_decay, epsilon) = (0.1, 0.05, 1e-6);
        vec![
            Optimizer::sgd(0.1),
            Optimizer::momentum(0.1, 0.9),
            Optimizer::nesterov(0.1, 0.9),
            Optimizer::Sgd { learning_rate, momentum: 0.5, nesterov: true, weight_decay },
            Optimizer::rms_prop(0.1),
            Optimizer::RmsProp { learning_rate, alpha: 0.9, epsilon, momentum: 0.5, centered: false, weight_decay },
            // The variance of few gradients may be nearly zero; this epsilon bounds what that magnifies.
            Optimizer::RmsProp { learning_rate, alpha: 0.5, epsilon: 0.5, momentum: 0.0, centered: true, weight_decay },
            Optimizer::ada_grad(0.1),
            Optimizer::AdaGrad { learning_rate, epsilon, weight_decay, learning_rate_decay: 0.1, initial: 0.2 },
            Optimizer::adam(0.1),
            Optimizer::Adam { learning_rate, beta1: 0.8, beta2: 0.9, epsilon, weight_decay },
            Optimizer::adam_w(0.1),
        ]
    }

    #[test]
    fn every_rule_is_the_cores() {
        let mut kinds = std::collections::BTreeSet::new();
        for optimizer in optimizers() {
            kinds.insert(optimizer.kind());
            agrees(Training::new(Loss::MeanSquaredError, optimizer));
        }
        assert_eq!(kinds.len(), 7);
    }

    #[test]
    fn schedules_penalties_and_clipping_are_the_cores() {
        for optimizer in optimizers() {
            let training = Training::new(Loss::MeanSquaredError, optimizer);
            let schedule = Schedule::new(Decay::Exponential { gamma: 0.8 }).warmed_up(2, 0.25);
            agrees(Training { schedule, ..training });
            agrees(Training { penalty: Penalty { l1: 0.02, l2: 0.3 }, ..training });
            agrees(training.clip(Clip::Value(0.4)));
            for limit in [0.5, 100.0] {
                agrees(training.clip(Clip::GlobalNorm(limit)).penalty(0.01, 0.0));
            }
        }
    }
}
