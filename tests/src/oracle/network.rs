//! The oracle of real numbers: forward, backward and update of a whole graph.

use emberlite::graph::{Graph, Shape, Update};
use emberlite::learner::Outcome;
use emberlite::number::F32;
use emberlite::number::random::Key;
use emberlite::op::{Activation, ActivationKind, BatchNorm, Op, PoolKind};
use emberlite::plan::Training;

use super::generate::Goal;
use super::loss::loss;
use super::norm::{Group, statistics};
use super::optimizer::Step;
use super::real::Real;
use super::wiring::{Wire, read, shapes, sizes, windows, wires};

/// A model with its parameters, optimizer state and counters.
#[derive(Clone)]
pub struct Network<'a, T> {
    graph: Graph<'a>,
    training: &'a Training,
    shapes: Vec<Shape>,
    /// Weight, bias, running mean and running variance of every node.
    pub parameters: Vec<[Vec<T>; 4]>,
    /// State of weight and bias of every node, two slots each; empty where a parameter isn't trained.
    pub state: Vec<[[Vec<T>; 2]; 2]>,
    gradients: Vec<[Vec<T>; 2]>,
    /// What the mini-batch makes of running mean and variance, of every node.
    statistics: Vec<[Vec<T>; 2]>,
    samples: u32,
    updates: u32,
    pending: u32,
}

/// What a training step did.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Stepped<T> {
    /// The loss before the step.
    pub loss: T,
    /// The class with the largest output before the step, the first of equal ones.
    pub class: usize,
    /// Whether parameters were updated, the gradient was added to a mini-batch, or nothing changed.
    pub outcome: Outcome,
}

/// A gradient: whole, or rows `x * dy[row]`.
enum Gradient<T> {
    Whole(Vec<T>),
    Outer { x: Vec<T>, dy: Vec<T> },
}

impl<T: Real> Gradient<T> {
    /// Pairs of a value and the factor that it is to be multiplied with.
    fn products(&self) -> Vec<(T, T)> {
        match self {
            Gradient::Whole(g) => g.iter().map(|&g| (g, T::one())).collect(),
            Gradient::Outer { x, dy } => dy.iter().flat_map(|&dy| x.iter().map(move |&x| (x, dy))).collect(),
        }
    }
}

/// Whether parameter `k` (0 weight, 1 bias) is trained.
pub fn learns(update: Update, k: usize) -> bool {
    match update {
        Update::Frozen => false,
        Update::BiasOnly => k == 1,
        Update::Full => true,
    }
}

impl<'a, T: Real> Network<'a, T> {
    /// A network with these parameters, empty state and no steps made.
    pub fn new(graph: Graph<'a>, training: &'a Training, parameters: &[[Vec<f32>; 4]]) -> Network<'a, T> {
        let convert = |p: &[Vec<f32>; 4]| p.clone().map(|v| v.iter().map(|&v| T::of(v.into())).collect::<Vec<T>>());
        let parameters: Vec<_> = parameters.iter().map(convert).collect();
        let zeros = |node: usize, k: usize, there: bool| {
            let trained = learns(graph.nodes[node].update, k) && there;
            vec![T::zero(); if trained { parameters[node][k].len() } else { 0 }]
        };
        let slots = training.optimizer.state_slots();
        let nodes = 0..graph.nodes.len();
        let state = nodes.clone().map(|i| [0, 1].map(|k| [0, 1].map(|slot| zeros(i, k, slot < slots)))).collect();
        let gradients = nodes.map(|i| [0, 1].map(|k| zeros(i, k, true))).collect();
        let (shapes, statistics) = (shapes(&graph), vec![[vec![], vec![]]; graph.nodes.len()]);
        let [samples, updates, pending] = [0; 3];
        Network { graph, training, shapes, parameters, state, gradients, statistics, samples, updates, pending }
    }

    fn trained(&self, i: usize) -> bool {
        (0..2).any(|k| learns(self.graph.nodes[i].update, k) && !self.parameters[i][k].is_empty())
    }

    /// For every value whether an error must reach it: something at or before its node is trained.
    fn needs(&self) -> Vec<bool> {
        let mut needs = vec![false];
        for (i, node) in self.graph.nodes.iter().enumerate() {
            let before = (0..node.op.inputs()).any(|k| needs[read(&self.graph, i, k)]);
            needs.push(before || self.trained(i));
        }
        needs
    }

    /// All values: the input, then every node's output.
    pub fn forward(&self, input: &[T], training: bool) -> Vec<Vec<T>> {
        let mut values = vec![input.to_vec()];
        for i in 0..self.graph.nodes.len() {
            let y = self.forward_node(i, &values, training);
            values.push(y);
        }
        values
    }

    fn forward_node(&self, i: usize, values: &[Vec<T>], training: bool) -> Vec<T> {
        let node = &self.graph.nodes[i];
        let x = &values[read(&self.graph, i, 0)];
        let (input, output) = (self.shapes[read(&self.graph, i, 0)], self.shapes[i + 1]);
        let [w, b, ..] = &self.parameters[i];
        match &node.op {
            Op::Linear(_) | Op::Conv(_) => {
                let positions = output.positions() as usize;
                let start = |o: usize| b.get(o / positions).copied().unwrap_or(T::zero());
                let mut y: Vec<T> = (0..output.elements() as usize).map(start).collect();
                for wire in wires(&node.op, input, output) {
                    y[wire.output] = y[wire.output] + w[wire.weight] * x[wire.input];
                }
                y
            }
            Op::Pool(pool) => {
                let area = T::of((pool.window[0] as u32 * pool.window[1] as u32).into());
                let of_window = |window: &Vec<usize>| match pool.kind {
                    PoolKind::Max => x[largest(x, window)],
                    PoolKind::Average => window.iter().fold(T::zero(), |sum, &i| sum + x[i]) / area,
                };
                windows(pool, input, output).iter().map(of_window).collect()
            }
            Op::GlobalAveragePool(_) => {
                let positions = input.positions() as usize;
                let mean = |x: &[T]| x.iter().fold(T::zero(), |sum, &x| sum + x) / T::of(positions as f64);
                x.chunks(positions).map(mean).collect()
            }
            Op::Activation(a) => x.iter().map(|&x| activation(a, x)).collect(),
            Op::Flatten => x.clone(),
            Op::Add => x.iter().zip(&values[read(&self.graph, i, 1)]).map(|(&a, &b)| a + b).collect(),
            Op::Dropout(_) if !training => x.clone(),
            Op::Dropout(a) => self.dropout(i, a.rate, x),
            Op::LayerNorm(a) => Group::new(x, statistics(x), a.epsilon).forward(|i| w[i], |i| b[i]),
            Op::BatchNorm(a) => {
                let channels = self.channels(i, a, x, training);
                channels.iter().enumerate().flat_map(|(c, group)| group.forward(|_| w[c], |_| b[c])).collect()
            }
            Op::Host(op) => unreachable!("the planner refuses {}", op.name()),
        }
    }

    fn dropout(&self, i: usize, rate: f32, x: &[T]) -> Vec<T> {
        let key = Key::new(self.training.seed, self.samples, i as u32);
        let scale = T::one() / (T::one() - T::of(rate.into()));
        let keep = |(j, &x): (usize, &T)| if key.uniform(j as u32) >= rate { x * scale } else { T::zero() };
        x.iter().enumerate().map(keep).collect()
    }

    /// The channels of a batch norm with their statistics: the sample's where it trains, else the running ones.
    fn channels<'x>(&self, i: usize, norm: &BatchNorm, x: &'x [T], training: bool) -> Vec<Group<'x, T>> {
        let [_, _, mean, variance] = &self.parameters[i];
        let of_sample = training && self.trained(i);
        let positions = self.shapes[i + 1].positions() as usize;
        let group = |(c, x): (usize, &'x [T])| {
            let statistics = if of_sample { statistics(x) } else { (mean[c], variance[c]) };
            Group::new(x, statistics, norm.epsilon)
        };
        x.chunks(positions).enumerate().map(group).collect()
    }

    /// The loss of one sample, and the gradient of every trained parameter.
    pub fn gradients(&self, input: &[T], goal: &Goal<T>) -> (T, Vec<[Vec<T>; 2]>) {
        let values = self.forward(input, true);
        let (loss, dy) = loss(&self.training.loss, &values[values.len() - 1], goal, 1);
        let whole = |g: Gradient<T>| g.products().iter().map(|&(x, factor)| x * factor).collect();
        (loss, self.backward(&values, dy).into_iter().map(|pair| pair.map(whole)).collect())
    }

    fn backward(&self, values: &[Vec<T>], output_error: Vec<T>) -> Vec<[Gradient<T>; 2]> {
        let n = self.graph.nodes.len();
        let needs = self.needs();
        let mut errors: Vec<Option<Vec<T>>> = vec![None; n + 1];
        errors[n] = Some(output_error);
        let mut gradients: Vec<[Gradient<T>; 2]> =
            (0..n).map(|_| [Gradient::Whole(vec![]), Gradient::Whole(vec![])]).collect();
        for i in (0..n).rev() {
            if !needs[i + 1] {
                continue;
            }
            let dy = errors[i + 1].take().expect("every value is read by a later node");
            // The second input first, as documented at `add`.
            for k in (0..self.graph.nodes[i].op.inputs()).rev() {
                let value = read(&self.graph, i, k);
                if value > 0 && needs[value] {
                    let there = errors[value].take();
                    errors[value] = Some(self.input_error(i, values, &dy, there));
                }
            }
            for (k, gradient) in gradients[i].iter_mut().enumerate() {
                if learns(self.graph.nodes[i].update, k) && !self.parameters[i][k].is_empty() {
                    *gradient = self.parameter_gradient(i, k, values, &dy);
                }
            }
        }
        gradients
    }

    /// The error at node `i`'s input, added to what other readers of that value gave.
    fn input_error(&self, i: usize, values: &[Vec<T>], dy: &[T], there: Option<Vec<T>>) -> Vec<T> {
        let node = &self.graph.nodes[i];
        let value = read(&self.graph, i, 0);
        let (x, y) = (&values[value], &values[i + 1]);
        let (input, output) = (self.shapes[value], self.shapes[i + 1]);
        let w = &self.parameters[i][0];
        let new = match &node.op {
            Op::Pool(pool) => {
                // Overlapping windows add to what is there one by one.
                let mut dx = there.unwrap_or(vec![T::zero(); x.len()]);
                let area = T::of((pool.window[0] as u32 * pool.window[1] as u32).into());
                for (window, &dy) in windows(pool, input, output).iter().zip(dy) {
                    match pool.kind {
                        PoolKind::Max => {
                            let i = largest(x, window);
                            dx[i] = dx[i] + dy;
                        }
                        PoolKind::Average => window.iter().for_each(|&i| dx[i] = dx[i] + dy / area),
                    }
                }
                return dx;
            }
            Op::Linear(_) | Op::Conv(_) => {
                let mut wires = wires(&node.op, input, output);
                wires.sort_by_key(|wire| wire.weight);
                let mut dx = vec![T::zero(); x.len()];
                for wire in wires {
                    dx[wire.input] = dx[wire.input] + w[wire.weight] * dy[wire.output];
                }
                dx
            }
            Op::GlobalAveragePool(_) => {
                let positions = input.positions() as usize;
                (0..x.len()).map(|i| dy[i / positions] / T::of(positions as f64)).collect()
            }
            Op::Activation(a) => (0..x.len()).map(|i| activation_error(a, x[i], y[i], dy[i])).collect(),
            Op::Flatten | Op::Add => dy.to_vec(),
            Op::Dropout(a) => self.dropout(i, a.rate, dy),
            Op::LayerNorm(a) => Group::new(x, statistics(x), a.epsilon).layer_error(dy, w),
            Op::BatchNorm(a) => {
                let positions = input.positions() as usize;
                let channels = self.channels(i, a, x, true);
                let of_channel = |(c, group): (usize, &Group<T>)| {
                    let dy = &dy[c * positions..(c + 1) * positions];
                    if self.trained(i) {
                        group.batch_error(dy, w[c])
                    } else {
                        dy.iter().map(|&dy| w[c] * group.deviation * dy).collect()
                    }
                };
                channels.iter().enumerate().flat_map(of_channel).collect()
            }
            Op::Host(op) => unreachable!("the planner refuses {}", op.name()),
        };
        match there {
            Some(there) => there.iter().zip(new).map(|(&old, new)| old + new).collect(),
            None => new,
        }
    }

    fn parameter_gradient(&self, i: usize, k: usize, values: &[Vec<T>], dy: &[T]) -> Gradient<T> {
        let node = &self.graph.nodes[i];
        let value = read(&self.graph, i, 0);
        let (x, input, output) = (&values[value], self.shapes[value], self.shapes[i + 1]);
        let mut sums = vec![T::zero(); self.parameters[i][k].len()];
        match &node.op {
            Op::Linear(_) if k == 0 => return Gradient::Outer { x: x.clone(), dy: dy.to_vec() },
            Op::Linear(_) => sums.copy_from_slice(dy),
            Op::Conv(_) if k == 0 => {
                for Wire { output, weight, input } in wires(&node.op, input, output) {
                    sums[weight] = sums[weight] + dy[output] * x[input];
                }
            }
            Op::Conv(_) => {
                let positions = output.positions() as usize;
                dy.iter().enumerate().for_each(|(p, &dy)| sums[p / positions] = sums[p / positions] + dy);
            }
            Op::LayerNorm(a) => {
                let group = Group::new(x, statistics(x), a.epsilon);
                for (j, sum) in sums.iter_mut().enumerate() {
                    *sum = if k == 0 { dy[j] * group.normal(j) } else { dy[j] };
                }
            }
            Op::BatchNorm(a) => {
                let (_, h, width) = sizes(input);
                for (c, group) in self.channels(i, a, x, true).iter().enumerate() {
                    for p in 0..h * width {
                        let dy = dy[c * h * width + p];
                        sums[c] = sums[c] + if k == 0 { dy * group.normal(p) } else { dy };
                    }
                }
            }
            _ => {}
        }
        Gradient::Whole(sums)
    }

    /// One training step on one sample. If anything that it computes for keeps isn't finite, nothing changes, but that
    /// the mini-batch is lost.
    pub fn train_step(&mut self, input: &[T], goal: &Goal<T>) -> Stepped<T> {
        let mut next = self.clone();
        let stepped = next.try_step(input, goal);
        let finite = |values: &Vec<T>| values.iter().all(|v| v.wide().is_finite());
        let state = || next.state.iter().flatten().flatten();
        if stepped.loss.wide().is_finite()
            && next.parameters.iter().flatten().chain(next.statistics.iter().flatten()).chain(state()).all(finite)
        {
            *self = next;
            return stepped;
        }
        self.gradients.iter_mut().flatten().flatten().for_each(|g| *g = T::zero());
        self.samples -= self.pending;
        self.pending = 0;
        Stepped { outcome: Outcome::Skipped, ..stepped }
    }

    fn try_step(&mut self, input: &[T], goal: &Goal<T>) -> Stepped<T> {
        let batch = self.training.batch;
        let values = self.forward(input, true);
        let output = &values[values.len() - 1];
        let class = largest(output, &Vec::from_iter(0..output.len()));
        let (loss, dy) = loss(&self.training.loss, output, goal, batch);
        let gradients = self.backward(&values, dy);
        if self.pending == 0 {
            self.statistics =
                self.parameters.iter().map(|[_, _, mean, variance]| [mean.clone(), variance.clone()]).collect();
        }
        self.pending += 1;
        let full = self.pending == batch;
        if self.training.needs_gradient_buffer() {
            for (sums, gradients) in self.gradients.iter_mut().zip(&gradients) {
                for (sum, gradient) in sums.iter_mut().zip(gradients) {
                    for (sum, (x, factor)) in sum.iter_mut().zip(gradient.products()) {
                        *sum = *sum + x * factor;
                    }
                }
            }
            if full {
                let empty = self.gradients.iter().map(|pair| pair.clone().map(|g| vec![T::zero(); g.len()])).collect();
                let sums = std::mem::replace(&mut self.gradients, empty);
                self.update(sums.into_iter().map(|pair| pair.map(Gradient::Whole)).collect());
            }
        } else {
            self.update(gradients);
        }
        self.move_statistics(&values);
        self.samples += 1;
        if full {
            self.pending = 0;
            self.updates += 1;
            for ([_, _, mean, variance], new) in self.parameters.iter_mut().zip(self.statistics.clone()) {
                [*mean, *variance] = new;
            }
        }
        Stepped { loss, class, outcome: if full { Outcome::Updated } else { Outcome::Accumulated } }
    }

    fn update(&mut self, gradients: Vec<[Gradient<T>; 2]>) {
        let squares =
            gradients.iter().flatten().flat_map(Gradient::products).fold(T::zero(), |sum, (x, _)| sum + x * x);
        let training = self.training;
        let rate = training.schedule.rate::<F32>(training.optimizer.learning_rate(), self.updates).real();
        let step = Step::new(training, T::of(rate.into()), self.updates, squares);
        for (i, pair) in gradients.iter().enumerate() {
            for (k, gradient) in pair.iter().enumerate() {
                let [s0, s1] = &mut self.state[i][k];
                for (j, (x, factor)) in gradient.products().into_iter().enumerate() {
                    let mut state: Vec<T> = s0.get(j).into_iter().chain(s1.get(j)).copied().collect();
                    let w = &mut self.parameters[i][k][j];
                    *w = step.apply(*w, &mut state, x, factor);
                    for (slot, new) in [&mut *s0, &mut *s1].into_iter().zip(state) {
                        slot[j] = new;
                    }
                }
            }
        }
    }

    /// Moves the mini-batch's statistics of batch norms that train to those of the sample.
    fn move_statistics(&mut self, values: &[Vec<T>]) {
        for (i, node) in self.graph.nodes.iter().enumerate() {
            let Op::BatchNorm(norm) = &node.op else { continue };
            if !self.trained(i) {
                continue;
            }
            let (momentum, positions) = (T::of(norm.momentum.into()), self.shapes[i + 1].positions() as usize);
            let unbiased = T::of(positions as f64) / T::of(positions as f64 - 1.0);
            for (c, x) in values[read(&self.graph, i, 0)].chunks(positions).enumerate() {
                let (mean, variance) = statistics(x);
                let [m, v] = &mut self.statistics[i];
                m[c] = (T::one() - momentum) * m[c] + momentum * mean;
                v[c] = (T::one() - momentum) * v[c] + momentum * (variance * unbiased);
            }
        }
    }
}

/// The first of the largest elements of a window.
fn largest<T: Real>(x: &[T], window: &[usize]) -> usize {
    window.iter().fold(window[0], |best, &i| if x[i] > x[best] { i } else { best })
}

fn activation<T: Real>(a: &Activation, x: T) -> T {
    let (zero, six) = (T::zero(), T::of(6.0));
    match a.kind {
        ActivationKind::Relu if x > zero => x,
        ActivationKind::Relu => zero,
        ActivationKind::Relu6 if x < zero => zero,
        ActivationKind::Relu6 if x > six => six,
        ActivationKind::Relu6 => x,
        ActivationKind::LeakyRelu if x > zero => x,
        ActivationKind::LeakyRelu => T::of(a.slope.into()) * x,
        ActivationKind::Sigmoid => x.sigmoid(),
        ActivationKind::Tanh => x.tanh(),
    }
}

fn activation_error<T: Real>(a: &Activation, x: T, y: T, dy: T) -> T {
    let zero = T::zero();
    match a.kind {
        ActivationKind::Relu if x > zero => dy,
        ActivationKind::Relu6 if x > zero && x < T::of(6.0) => dy,
        ActivationKind::Relu | ActivationKind::Relu6 => zero,
        ActivationKind::LeakyRelu if x > zero => dy,
        ActivationKind::LeakyRelu => dy * T::of(a.slope.into()),
        ActivationKind::Sigmoid => dy * (y * (T::one() - y)),
        ActivationKind::Tanh => dy * (T::one() - y * y),
    }
}
