//! The oracle of 16-bit fixed point: exact sums, rounded where the documentation says so.
//!
//! `real = value / 2^frac`. A right shift by n rounds halves up, `floor((v + 2^(n-1)) / 2^n)`; results saturate.

use emberlite::graph::{Graph, Shape};
use emberlite::learner::Outcome;
use emberlite::loss::LossSet;
use emberlite::number::random::Key;
use emberlite::number::{Fixed16, GRADIENT_FRAC, Rate};
use emberlite::op::{Op, PoolKind};
use emberlite::optimizer::{Clip, Corrections, Optimizer, OptimizerSet, StepSettings};
use emberlite::plan::Training;

use super::generate::Goal;
use super::network::{Stepped, learns};
use super::wiring::{read, shapes, windows, wires};

/// Fraction bits that a mean gets while it is divided.
const GUARD: i32 = 8;

/// A model with its parameters, optimizer state, scales and counters.
#[derive(Clone)]
pub struct FixedNetwork<'a> {
    graph: Graph<'a>,
    training: &'a Training,
    shapes: Vec<Shape>,
    /// Weight and bias of every node; the rest is empty.
    pub parameters: Vec<[Vec<i16>; 4]>,
    /// State of weight and bias of every node, two slots each; empty where a parameter isn't trained.
    pub state: Vec<[[Vec<i32>; 2]; 2]>,
    gradients: Vec<[Vec<i32>; 2]>,
    /// For the input and each node: fraction bits of value, weight, bias, and of the error beyond the output's.
    scales: Vec<[i8; 4]>,
    updates: u32,
    pending: u32,
}

/// `value / 2^shift`, halves up.
fn round(value: i128, shift: i32) -> i128 {
    match shift {
        ..=0 => value << -shift,
        _ => (value + (1 << (shift - 1))).div_euclid(1 << shift),
    }
}

fn to16(value: i128) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

fn to32(value: i128) -> i32 {
    value.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// `sum / n`, halves up.
fn divide(sum: i128, n: usize) -> i128 {
    (sum + n as i128 / 2).div_euclid(n as i128)
}

/// One parameter's gradient: rows `x * dy[row]` of products with `frac` fraction bits, or whole.
enum Gradient {
    Whole(Vec<i32>),
    Outer { x: Vec<i16>, dy: Vec<i16>, frac: i32 },
}

/// A sum with `frac` fraction bits as a gradient.
fn gradient(sum: i128, frac: i32) -> i32 {
    to32(round(sum, frac - GRADIENT_FRAC))
}

impl Gradient {
    fn whole(&self) -> Vec<i32> {
        match self {
            Gradient::Whole(g) => g.clone(),
            Gradient::Outer { x, dy, frac } => {
                let row = |dy: i16| x.iter().map(move |&x| gradient(i128::from(x) * i128::from(dy), *frac));
                dy.iter().flat_map(|&dy| row(dy)).collect()
            }
        }
    }
}

impl<'a> FixedNetwork<'a> {
    /// A network with these parameters and scales, empty state and no steps made.
    pub fn new(
        graph: Graph<'a>,
        training: &'a Training,
        parameters: &[[Vec<i16>; 4]],
        scales: &[[i8; 4]],
    ) -> FixedNetwork<'a> {
        let zeros = |node: usize, k: usize, there: bool| {
            let trained = learns(graph.nodes[node].update, k) && there;
            vec![0; if trained { parameters[node][k].len() } else { 0 }]
        };
        let slots = training.optimizer.state_slots();
        let nodes = 0..graph.nodes.len();
        let state = nodes.clone().map(|i| [0, 1].map(|k| [0, 1].map(|slot| zeros(i, k, slot < slots)))).collect();
        let gradients = nodes.map(|i| [0, 1].map(|k| zeros(i, k, true))).collect();
        let (parameters, scales, shapes) = (parameters.to_vec(), scales.to_vec(), shapes(&graph));
        FixedNetwork { graph, training, shapes, parameters, state, gradients, scales, updates: 0, pending: 0 }
    }

    /// The scales of a value: of the one that an operation which keeps its input's scale took it from.
    fn scales_of(&self, value: usize) -> [i32; 4] {
        let Some(i) = value.checked_sub(1) else { return self.scales[0].map(i32::from) };
        let keeps = match &self.graph.nodes[i].op {
            Op::Flatten | Op::Activation(_) | Op::Dropout(_) => true,
            Op::Pool(pool) => pool.kind == PoolKind::Max,
            _ => false,
        };
        if keeps { self.scales_of(read(&self.graph, i, 0)) } else { self.scales[value].map(i32::from) }
    }

    /// The fraction bits of the output.
    pub fn output_frac(&self) -> i32 {
        self.scales_of(self.graph.nodes.len())[0]
    }

    /// Fraction bits of weight and bias of a node.
    fn own(&self, i: usize) -> [i32; 2] {
        let [_, weight, bias, _] = self.scales[i + 1];
        [weight.into(), bias.into()]
    }

    /// All values: the input, then every node's output.
    pub fn forward(&self, input: &[i16]) -> Vec<Vec<i16>> {
        let mut values = vec![input.to_vec()];
        for i in 0..self.graph.nodes.len() {
            let y = self.forward_node(i, &values);
            values.push(y);
        }
        values
    }

    fn forward_node(&self, i: usize, values: &[Vec<i16>]) -> Vec<i16> {
        let node = &self.graph.nodes[i];
        let value = read(&self.graph, i, 0);
        let (x, input, output) = (&values[value], self.shapes[value], self.shapes[i + 1]);
        let [x_frac, ..] = self.scales_of(value);
        let [y_frac, ..] = self.scales_of(i + 1);
        let [w, b, ..] = &self.parameters[i];
        match &node.op {
            Op::Linear(_) | Op::Conv(_) => {
                let [weight_frac, bias_frac] = self.own(i);
                let sum_frac = x_frac + weight_frac;
                let positions = output.positions() as usize;
                let start = |o: usize| b.get(o / positions).map_or(0, |&b| round(b.into(), bias_frac - sum_frac));
                let mut sums: Vec<i128> = (0..output.elements() as usize).map(start).collect();
                for wire in wires(&node.op, input, output) {
                    sums[wire.output] += i128::from(w[wire.weight]) * i128::from(x[wire.input]);
                }
                sums.iter().map(|&sum| to16(round(sum, sum_frac - y_frac))).collect()
            }
            Op::Pool(pool) => {
                let area = pool.window[0] as usize * pool.window[1] as usize;
                let of_window = |window: &Vec<usize>| match pool.kind {
                    PoolKind::Max => x[largest(x, window)],
                    PoolKind::Average => mean(window.iter().map(|&i| x[i]), area, x_frac - y_frac),
                };
                windows(pool, input, output).iter().map(of_window).collect()
            }
            Op::GlobalAveragePool(_) => {
                let positions = input.positions() as usize;
                x.chunks(positions).map(|x| mean(x.iter().copied(), positions, x_frac - y_frac)).collect()
            }
            Op::Activation(_) => x.iter().map(|&x| x.max(0)).collect(),
            Op::Add => {
                let second = read(&self.graph, i, 1);
                let [x2_frac, ..] = self.scales_of(second);
                let fine = x_frac.max(x2_frac);
                let aligned = |v: i16, frac: i32| round(v.into(), frac - fine);
                let sum = |(&a, &b): (&i16, &i16)| aligned(a, x_frac) + aligned(b, x2_frac);
                x.iter().zip(&values[second]).map(|pair| to16(round(sum(pair), fine - y_frac))).collect()
            }
            _ => x.clone(),
        }
    }

    /// For every value whether an error must reach it.
    fn needs(&self) -> Vec<bool> {
        let mut needs = vec![false];
        for (i, node) in self.graph.nodes.iter().enumerate() {
            let before = (0..node.op.inputs()).any(|k| needs[read(&self.graph, i, k)]);
            let trained = (0..2).any(|k| learns(node.update, k) && !self.parameters[i][k].is_empty());
            needs.push(before || trained);
        }
        needs
    }

    fn backward(&self, values: &[Vec<i16>], output_error: Vec<i16>, error_frac: i32) -> Vec<[Gradient; 2]> {
        let n = self.graph.nodes.len();
        let needs = self.needs();
        let mut errors: Vec<Option<Vec<i16>>> = vec![None; n + 1];
        errors[n] = Some(output_error);
        // The loss chose the scale of the error at the output; every other's is relative to it.
        let base = error_frac - self.scales_of(n)[3];
        let mut gradients: Vec<[Gradient; 2]> =
            (0..n).map(|_| [Gradient::Whole(vec![]), Gradient::Whole(vec![])]).collect();
        for i in (0..n).rev() {
            if !needs[i + 1] {
                continue;
            }
            let dy = errors[i + 1].take().expect("every value is read by a later node");
            for k in (0..self.graph.nodes[i].op.inputs()).rev() {
                let value = read(&self.graph, i, k);
                if value > 0 && needs[value] {
                    let there = errors[value].take();
                    errors[value] = Some(self.input_error(i, value, values, &dy, there));
                }
            }
            let dy_frac = base + self.scales_of(i + 1)[3];
            for (k, gradient) in gradients[i].iter_mut().enumerate() {
                if learns(self.graph.nodes[i].update, k) && !self.parameters[i][k].is_empty() {
                    *gradient = self.parameter_gradient(i, k, values, &dy, dy_frac);
                }
            }
        }
        gradients
    }

    /// The error at a value that node `i` reads, added to what other readers of that value gave.
    fn input_error(
        &self,
        i: usize,
        value: usize,
        values: &[Vec<i16>],
        dy: &[i16],
        there: Option<Vec<i16>>,
    ) -> Vec<i16> {
        let node = &self.graph.nodes[i];
        let (input, output) = (self.shapes[value], self.shapes[i + 1]);
        let (x, w) = (&values[value], &self.parameters[i][0]);
        let down = self.scales_of(i + 1)[3] - self.scales_of(value)[3];
        let mut dx = there.unwrap_or(vec![0; x.len()]);
        let mut add = |i: usize, sum: i128, shift: i32| dx[i] = dx[i].saturating_add(to16(round(sum, shift)));
        match &node.op {
            Op::Linear(_) | Op::Conv(_) => {
                let mut sums = vec![0i128; x.len()];
                for wire in wires(&node.op, input, output) {
                    sums[wire.input] += i128::from(w[wire.weight]) * i128::from(dy[wire.output]);
                }
                let [weight_frac, _] = self.own(i);
                sums.iter().enumerate().for_each(|(i, &sum)| add(i, sum, weight_frac + down));
            }
            Op::Pool(pool) => {
                let area = pool.window[0] as usize * pool.window[1] as usize;
                for (window, &dy) in windows(pool, input, output).iter().zip(dy) {
                    match pool.kind {
                        PoolKind::Max => add(largest(x, window), dy.into(), down),
                        PoolKind::Average => {
                            let share = divide(i128::from(dy) << GUARD, area);
                            window.iter().for_each(|&i| add(i, share, down + GUARD));
                        }
                    }
                }
            }
            Op::GlobalAveragePool(_) => {
                let positions = input.positions() as usize;
                let share = |i: usize| divide(i128::from(dy[i / positions]) << GUARD, positions);
                (0..x.len()).for_each(|i| add(i, share(i), down + GUARD));
            }
            Op::Activation(_) => {
                let gate = |i: usize| if x[i] > 0 { dy[i] } else { 0 };
                (0..x.len()).for_each(|i| add(i, gate(i).into(), down));
            }
            _ => dy.iter().enumerate().for_each(|(i, &dy)| add(i, dy.into(), down)),
        }
        dx
    }

    fn parameter_gradient(&self, i: usize, k: usize, values: &[Vec<i16>], dy: &[i16], dy_frac: i32) -> Gradient {
        let node = &self.graph.nodes[i];
        let value = read(&self.graph, i, 0);
        let (x, input, output) = (&values[value], self.shapes[value], self.shapes[i + 1]);
        let product_frac = self.scales_of(value)[0] + dy_frac;
        if k == 0 && matches!(node.op, Op::Linear(_)) {
            return Gradient::Outer { x: x.clone(), dy: dy.to_vec(), frac: product_frac };
        }
        let mut sums = vec![0i128; self.parameters[i][k].len()];
        if k == 0 {
            for wire in wires(&node.op, input, output) {
                sums[wire.weight] += i128::from(dy[wire.output]) * i128::from(x[wire.input]);
            }
        } else {
            let positions = output.positions() as usize;
            dy.iter().enumerate().for_each(|(p, &dy)| sums[p / positions] += i128::from(dy));
        }
        let frac = if k == 0 { product_frac } else { dy_frac };
        Gradient::Whole(sums.iter().map(|&sum| gradient(sum, frac)).collect())
    }

    /// One training step on one sample; the loss has 16 fraction bits.
    pub fn train_step(&mut self, input: &[i16], goal: &Goal<i16>) -> Stepped<i32> {
        let training = self.training;
        let values = self.forward(input);
        let output = &values[values.len() - 1];
        let class = largest(output, &Vec::from_iter(0..output.len()));
        let mut dy = vec![0; output.len()];
        let (target, frac) = (goal.target::<Fixed16>(), self.output_frac());
        let (loss, error_frac) =
            training.loss.backward::<Fixed16>(LossSet::ALL, output, target, frac, training.batch, &mut dy);
        let gradients = self.backward(&values, dy, error_frac);
        self.pending += 1;
        let full = self.pending == training.batch;
        if training.needs_gradient_buffer() {
            for (sum, new) in self.gradients.iter_mut().flatten().zip(gradients.iter().flatten()) {
                sum.iter_mut().zip(new.whole()).for_each(|(sum, g)| *sum = sum.saturating_add(g));
            }
            if full {
                let empty = self.gradients.iter().map(|pair| pair.clone().map(|g| vec![0; g.len()])).collect();
                let sums = std::mem::replace(&mut self.gradients, empty);
                self.update(sums.into_iter().map(|pair| pair.map(Gradient::Whole)).collect());
            }
        } else {
            self.update(gradients);
        }
        if full {
            self.pending = 0;
            self.updates += 1;
        }
        Stepped { loss, class, outcome: if full { Outcome::Updated } else { Outcome::Accumulated } }
    }

    fn update(&mut self, gradients: Vec<[Gradient; 2]>) {
        let training = self.training;
        let (optimizer, clip) = (&training.optimizer, training.clip);
        for (i, pair) in gradients.iter().enumerate() {
            for (k, gradient) in pair.iter().enumerate() {
                let step = StepSettings {
                    rate: training.schedule.rate::<Fixed16>(optimizer.learning_rate(), self.updates),
                    penalty: training.penalty,
                    clip_value: clip.value(),
                    scale: 1.0,
                    corrections: Corrections::at::<Fixed16>(OptimizerSet::ALL, optimizer, self.updates + 1),
                    frac: self.own(i)[k],
                    key: Key::new(training.seed, self.updates, i as u32).tensor(k as u32),
                    first: 0,
                };
                let (w, [s0, s1]) = (&mut self.parameters[i][k], &mut self.state[i][k]);
                match (optimizer, gradient) {
                    // The one rule that doesn't pass through a gradient; taken from the library.
                    (Optimizer::Sgd { momentum: 0.0, .. }, Gradient::Outer { x, dy, frac }) if clip == Clip::None => {
                        let none: [&mut [i32]; 2] = [&mut [], &mut []];
                        optimizer.step_product_rows::<Fixed16>(OptimizerSet::ALL, w, none, x, dy, *frac, &step);
                    }
                    (Optimizer::Sgd { momentum, .. }, _) => {
                        for (j, (w, g)) in w.iter_mut().zip(gradient.whole()).enumerate() {
                            let mut g = clipped(g, clip);
                            if let Some(v) = s0.get_mut(j) {
                                let momentum = (f64::from(*momentum) * f64::from(1 << 30) + 0.5).floor() as i128;
                                *v = to32(round(i128::from(*v) * momentum, 30) + i128::from(g));
                                g = *v;
                            }
                            *w = descend(*w, g, step.rate, step.frac, step.key.at(j as u32));
                        }
                    }
                    _ => optimizer.step_row::<Fixed16>(OptimizerSet::ALL, w, [s0, s1], &gradient.whole(), &step),
                }
            }
        }
    }
}

/// `w - rate * g`, rounded stochastically with 32 random bits.
fn descend(w: i16, g: i32, rate: Rate, frac: i32, random: u32) -> i16 {
    let product = i128::from(g) * i128::from(rate.mantissa());
    let shift = rate.exponent() + GRADIENT_FRAC - frac;
    let step = if shift <= 0 {
        round(product, shift)
    } else {
        // Below 2^-32 of a unit the product is rounded down.
        let product = product >> (shift - 32).max(0);
        let shift = shift.min(32);
        (product + i128::from(random >> (32 - shift))) >> shift
    };
    to16(i128::from(w) - step)
}

fn clipped(g: i32, clip: Clip) -> i32 {
    match clip {
        Clip::Value(limit) => {
            let limit =
                (f64::from(limit) * f64::from(1 << GRADIENT_FRAC) + 0.5).floor().min(f64::from(i32::MAX)) as i32;
            g.clamp(-limit, limit)
        }
        // Symmetric, so that a gradient and its negative are treated alike.
        _ => g.max(-i32::MAX),
    }
}

fn mean(x: impl Iterator<Item = i16>, n: usize, down: i32) -> i16 {
    to16(round(divide(x.map(|x| i128::from(x) << GUARD).sum(), n), GUARD + down))
}

/// The first of the largest elements of a window.
fn largest(x: &[i16], window: &[usize]) -> usize {
    window.iter().fold(window[0], |best, &i| if x[i] > x[best] { i } else { best })
}
