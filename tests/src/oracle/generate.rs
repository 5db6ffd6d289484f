//! Random models: chains and residual graphs of all operations, with all update rules and settings.

use emberlite::graph::*;
use emberlite::loss::{Loss, Target};
use emberlite::number::random::Key;
use emberlite::number::{Format, Number};
use emberlite::op::{BatchNorm, Op};
use emberlite::optimizer::{Clip, Decay, Optimizer, Schedule};
use emberlite::plan::Training;

use super::choices::Choices;
use super::file::{Numbers, parameter_lens};
use super::wiring::{read, shapes};

/// A model, how it learns, and where its numbers come from.
#[derive(Clone, Debug)]
pub struct Case {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The input's shape.
    pub input: Shape,
    /// The number format.
    pub format: Format,
    /// How it learns.
    pub training: Training,
}

/// What an output is compared with.
#[derive(Clone, Debug)]
pub enum Goal<T> {
    /// A class.
    Class(u16),
    /// One value for each output.
    Values(Vec<T>),
}

/// One training sample.
#[derive(Clone, Debug)]
pub struct Sample<T> {
    /// The input.
    pub input: Vec<T>,
    /// What it is to give.
    pub goal: Goal<T>,
}

impl<V> Goal<V> {
    /// The goal as the library takes it.
    pub fn target<N: Number<Value = V>>(&self) -> Target<'_, N> {
        match self {
            Goal::Class(label) => Target::Class(*label),
            Goal::Values(values) => Target::Values(values),
        }
    }
    /// The same goal with other numbers.
    pub fn map<T>(&self, convert: impl Fn(&V) -> T) -> Goal<T> {
        match self {
            Goal::Class(label) => Goal::Class(*label),
            Goal::Values(values) => Goal::Values(values.iter().map(convert).collect()),
        }
    }
}

impl Case {
    /// The graph.
    pub fn graph(&self) -> Graph<'_> {
        Graph::new(self.format, self.input, &self.nodes)
    }

    /// Parameters as a host might have trained them: weights uniform in `±1.5/sqrt(fan_in)`, norms' around 1, variances
    /// in `[0.2, 2)`.
    pub fn numbers(&self, seed: u32) -> Numbers<f32> {
        let of_node = |(i, lens): (usize, [usize; 4])| {
            let norm = matches!(self.nodes[i].op, Op::LayerNorm(_) | Op::BatchNorm(_));
            let rows = if lens[1] > 0 { lens[1] } else { 1 };
            let bound = 1.5 / (lens[0] as f32 / rows as f32).max(1.0).sqrt();
            [0, 1, 2, 3].map(|k| {
                let key = Key::new(seed, 1, i as u32).tensor(k as u32);
                let real = |j: usize| {
                    let u = key.uniform(j as u32);
                    match k {
                        0 if norm => 0.5 + u,
                        3 => 0.2 + 1.8 * u,
                        _ => (2.0 * u - 1.0) * bound,
                    }
                };
                (0..lens[k]).map(real).collect()
            })
        };
        parameter_lens(&self.graph()).into_iter().enumerate().map(of_node).collect()
    }

    /// The scales of a fixed-point model, odd ones on purpose: neither errors nor sums may rely on ordinary ones.
    pub fn scales(&self, seed: u32) -> Vec<[i8; 4]> {
        let of_value = |value: u32| {
            let key = Key::new(seed, 2, value);
            [8 + key.at(0) % 5, 10 + key.at(1) % 5, 7 + key.at(2) % 7, key.at(3) % 5].map(|s| s as i8)
        };
        let scales = (0..=self.nodes.len() as u32).map(of_value);
        scales.map(|[value, weight, bias, error]| [value, weight, bias, error - 2]).collect()
    }

    /// Sample number `index`: inputs in `[-2, 2)`, an eighth of them 0.
    pub fn sample(&self, seed: u32, index: u32) -> Sample<f32> {
        let (inputs, targets) = (Key::new(seed, 3, index), Key::new(seed, 4, index));
        let input = |j: u32| if inputs.at(j) % 8 == 0 { 0.0 } else { inputs.uniform(j) * 4.0 - 2.0 };
        let outputs = shapes(&self.graph())[self.nodes.len()].elements();
        let goal = match self.training.loss {
            Loss::SoftmaxCrossEntropy => Goal::Class((targets.at(0) % outputs) as u16),
            Loss::BinaryCrossEntropy => Goal::Values((0..outputs).map(|j| targets.uniform(j)).collect()),
            _ => Goal::Values((0..outputs).map(|j| targets.uniform(j) * 2.0 - 1.0).collect()),
        };
        Sample { input: (0..self.input.elements()).map(input).collect(), goal }
    }
}

/// A case from decisions. Every list gives a valid one, and a shorter or smaller list a simpler one.
pub fn generate(choices: &mut Choices, format: Format) -> Case {
    let size = |choices: &mut Choices, most: usize| 1 + choices.below(most) as u16;
    let input = match choices.below(3) {
        0 => Shape::d1(size(choices, 12)),
        1 => Shape::d2(size(choices, 6), size(choices, 12)),
        _ => Shape::d3(size(choices, 5), size(choices, 7), size(choices, 7)),
    };
    let training = settings(choices, format);
    let mut case = Case { nodes: Vec::new(), input, format, training };
    for _ in 0..choices.below(9) {
        let node = node(choices, &case);
        case.nodes.push(node);
    }
    finish(choices, &mut case);
    case
}

fn settings(choices: &mut Choices, format: Format) -> Training {
    let float = format == Format::F32;
    let rate = choices.pick(&[0.1, 0.01, 0.3]);
    let optimizers = [
        Optimizer::sgd(rate),
        Optimizer::momentum(rate, 0.9),
        Optimizer::adam(0.1 * rate),
        Optimizer::nesterov(rate, 0.8),
        Optimizer::rms_prop(0.1 * rate),
        Optimizer::RmsProp {
            learning_rate: 0.1 * rate,
            alpha: 0.9,
            epsilon: 1e-6,
            momentum: 0.7,
            centered: false,
            weight_decay: 0.1,
        },
        Optimizer::RmsProp {
            learning_rate: 0.1 * rate,
            alpha: 0.9,
            epsilon: 1e-3,
            momentum: 0.0,
            centered: true,
            weight_decay: 0.0,
        },
        Optimizer::ada_grad(rate),
        Optimizer::AdaGrad {
            learning_rate: rate,
            epsilon: 1e-6,
            weight_decay: 0.1,
            learning_rate_decay: 0.5,
            initial: 0.1,
        },
        Optimizer::Adam { learning_rate: rate, beta1: 0.8, beta2: 0.95, epsilon: 1e-5, weight_decay: 0.1 },
        Optimizer::adam_w(rate),
        Optimizer::Sgd { learning_rate: rate, momentum: 0.0, nesterov: false, weight_decay: 0.1 },
    ];
    let optimizer = choices.pick(if float { &optimizers } else { &optimizers[..3] });
    let losses =
        [Loss::SoftmaxCrossEntropy, Loss::MeanSquaredError, Loss::BinaryCrossEntropy, Loss::Huber { delta: 0.5 }];
    let loss = choices.pick(if float { &losses } else { &losses[..2] });
    let decays = [
        Decay::Constant,
        Decay::Exponential { gamma: 0.5 },
        Decay::Step { every: 2, gamma: 0.1 },
        Decay::Cosine { steps: 3, minimum: 0.001 },
    ];
    let mut schedule = Schedule::new(choices.pick(if float { &decays } else { &decays[..3] }));
    if choices.one_in(4) {
        schedule = schedule.warmed_up(2, 0.5);
    }
    let clips = [Clip::None, Clip::None, Clip::Value(0.05), Clip::GlobalNorm(0.5)];
    let clip = choices.pick(if float { &clips } else { &clips[..3] });
    let batch = choices.pick(&[1, 1, 2, 4, 3][..if float { 5 } else { 4 }]);
    let mut training = Training::new(loss, optimizer).schedule(schedule).clip(clip).batch(batch);
    if float && choices.one_in(4) {
        training = training.penalty(choices.pick(&[0.01, 0.0]), choices.pick(&[0.1, 0.0]));
    }
    training.seed(choices.below(1000) as u32)
}

fn update(choices: &mut Choices) -> Update {
    choices.pick(&[Update::Full, Update::Full, Update::Full, Update::BiasOnly, Update::Frozen])
}

/// A node that fits what is there.
fn node(choices: &mut Choices, case: &Case) -> Node {
    let shapes = shapes(&case.graph());
    let last = case.nodes.len();
    let value = if choices.one_in(4) { choices.below(last + 1) } else { last };
    let x = shapes[value];
    let float = case.format == Format::F32;
    let c = x.planes().0;
    let common = |choices: &mut Choices| match choices.below(if float { 9 } else { 3 }) {
        0 => relu(),
        1 => flatten(),
        2 => add(0),
        3 => tanh(),
        4 => dropout(0.4),
        5 => layer_norm(),
        6 => leaky_relu(0.1),
        7 => relu6(),
        _ => sigmoid(),
    };
    let mut node = match (x.rank(), choices.below(if float { 10 } else { 8 })) {
        (_, 5..=8) => common(choices),
        (_, 9) if x.positions() > 1 || choices.one_in(2) => {
            Node::new(Op::BatchNorm(BatchNorm { epsilon: 1e-3, momentum: choices.pick(&[0.1, 1.0, 0.3]) }))
        }
        (_, 9) => layer_norm(),
        (1, _) => linear(1 + choices.below(9) as u16),
        (_, 0..=2) => convolution(choices, x),
        (_, 3) => pooling(choices, x),
        _ if choices.one_in(3) => global_average_pool(),
        _ => pooling(choices, x),
    };
    node = with_source(choices, node, value, last);
    if let Op::Add = node.op {
        // Any value of the same shape, most often this one itself or an early one; in either place.
        let same: Vec<usize> = (0..=last).filter(|&v| shapes[v] == x).collect();
        let second = choices.pick(&same);
        node.inputs[1] = source(second, last);
        if choices.one_in(2) {
            node.inputs.swap(0, 1);
        }
    }
    if (matches!(node.op, Op::Linear(_) | Op::Conv(_))) && choices.one_in(4) {
        node = node.no_bias();
    }
    let node = Node { update: update(choices), ..node };
    let fits = node.op.facts(x, x).is_ok_and(|facts| facts.output.elements() <= 400);
    // A batch norm of single positions can't train.
    match node.op {
        _ if !fits => with_source(choices, relu(), value, last),
        Op::BatchNorm(_) if x.positions() < 2 => node.frozen(),
        Op::Linear(a) if node.update == Update::BiasOnly && !a.bias => node.frozen(),
        Op::Conv(a) if node.update == Update::BiasOnly && !a.bias => node.frozen(),
        _ if c == 0 => relu(),
        _ => node,
    }
}

fn source(value: usize, last: usize) -> Source {
    match value {
        _ if value == last => Source::Previous,
        0 => Source::Input,
        _ => Source::Node(value as u8 - 1),
    }
}

fn with_source(choices: &mut Choices, mut node: Node, value: usize, last: usize) -> Node {
    node.inputs[0] = source(value, last);
    // Both ways to say "the one before".
    if value == last && value > 0 && choices.one_in(2) {
        node.inputs[0] = Source::Node(value as u8 - 1);
    }
    node
}

fn convolution(choices: &mut Choices, x: Shape) -> Node {
    let c = x.planes().0;
    let kernel = [1 + choices.below(3) as u8, 1 + choices.below(3) as u8];
    let divisors: Vec<u16> = (1..=c).filter(|g| c.is_multiple_of(*g)).collect();
    let groups = choices.pick(&divisors);
    let channels = groups * (1 + choices.below(if groups == 1 { 9 } else { 5 }) as u16);
    let [stride, padding] = [choices.pick(&[1, 2, 1, 3]), choices.pick(&[0, 1, 1, 2])];
    match x.rank() {
        2 => conv1d(channels, kernel[1]).stride(stride).padding(padding).groups(groups),
        _ => conv2d_with(channels, kernel, [stride, 1 + choices.below(2) as u8], [padding, choices.below(3) as u8])
            .groups(groups),
    }
}

fn pooling(choices: &mut Choices, x: Shape) -> Node {
    let window = 1 + choices.below(3) as u8;
    let node = match (x.rank(), choices.below(2)) {
        (2, 0) => max_pool1d(window),
        (2, _) => average_pool1d(window),
        (_, 0) => max_pool2d(window),
        (_, _) => average_pool2d(window),
    };
    let node = if choices.one_in(2) { node.stride(1 + choices.below(3) as u8) } else { node };
    if window >= 2 && choices.one_in(3) { node.padding(1).floor() } else { node.floor() }
}

/// Gives the case an output that its loss takes and something to train, and drops what nobody reads.
fn finish(choices: &mut Choices, case: &mut Case) {
    let output = shapes(&case.graph())[case.nodes.len()];
    let classes = case.training.loss.takes_class();
    if case.nodes.is_empty() || (classes && (output.rank() > 1 || output.elements() < 2)) {
        if output.rank() > 1 {
            case.nodes.push(flatten());
        }
        let head = linear(2 + choices.below(4) as u16);
        case.nodes.push(Node { update: update(choices), ..head });
    }
    prune(&mut case.nodes);
    let lens = parameter_lens(&case.graph());
    let trains = |node: &Node, lens: &[usize; 4]| match node.update {
        Update::Frozen => false,
        Update::BiasOnly => lens[1] > 0,
        Update::Full => lens[0] > 0,
    };
    if case.nodes.iter().zip(&lens).any(|(node, lens)| trains(node, lens)) {
        return;
    }
    let graph = case.graph();
    let shapes = shapes(&graph);
    let trainable = |i: usize| {
        lens[i][0] > 0 && !(matches!(case.nodes[i].op, Op::BatchNorm(_)) && shapes[read(&graph, i, 0)].positions() < 2)
    };
    match (0..case.nodes.len()).find(|&i| trainable(i)) {
        Some(i) => case.nodes[i].update = Update::Full,
        None => {
            if shapes[case.nodes.len()].rank() > 1 {
                case.nodes.push(flatten());
            }
            case.nodes.push(linear(3));
        }
    }
}

/// Drops nodes whose output nobody reads, but for the last.
fn prune(nodes: &mut Vec<Node>) {
    let values = |nodes: &[Node], i: usize| {
        let node = nodes[i];
        (0..node.op.inputs()).map(move |k| node.inputs[k].value(i)).collect::<Vec<_>>()
    };
    loop {
        let read: Vec<usize> = (0..nodes.len()).flat_map(|i| values(nodes, i)).collect();
        let Some(dead) = (0..nodes.len().saturating_sub(1)).find(|i| !read.contains(&(i + 1))) else { return };
        let sources: Vec<Vec<usize>> = (0..nodes.len()).map(|i| values(nodes, i)).collect();
        for (i, values) in sources.iter().enumerate().skip(dead + 1) {
            for (k, &value) in values.iter().enumerate() {
                let value = if value > dead + 1 { value - 1 } else { value };
                nodes[i].inputs[k] = source(value, i - 1);
            }
        }
        nodes.remove(dead);
    }
}
