//! Runs one operation as the executor does: scratch, kept values and saved words exactly as its facts ask for.

use emberlite::graph::Shape;
use emberlite::number::{F32, random::Key};
use emberlite::op::{
    Activation, ActivationKind, Backward, BatchNorm, Conv, Dropout, Elementwise, Facts, Forward, GlobalAveragePool,
    LayerNorm, Linear, NodeScales, Op, OpSet, ParameterGradient, Parameters, Pool, PoolKind,
};
use emberlite_tests::reference::Case;

/// An operation, its shapes and its inputs.
#[derive(Clone)]
pub struct Node {
    pub op: Op,
    pub input: Shape,
    pub facts: Facts,
    pub x: Vec<f32>,
    pub x2: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub running: [Vec<f32>; 2],
    pub training: bool,
}

/// What a forward and a backward pass give; empty where the operation has no such thing.
#[derive(Default)]
pub struct Gradients {
    pub dx: Vec<f32>,
    pub dweight: Vec<f32>,
    pub dbias: Vec<f32>,
}

/// The operation that a case describes, or `None` where we don't offer it.
pub fn op_of(case: &Case<'_>) -> Option<Op> {
    // A sequence is an image of height 1.
    let pair = |key: &str, fill: u8| match case.sizes(key)[..] {
        [width] => [fill, width as u8],
        [height, width] => [height as u8, width as u8],
        ref other => panic!("{}: {key} has {} entries", case.name(), other.len()),
    };
    let activation =
        |kind| Op::Activation(Activation { kind, slope: case.get("slope").map_or(0.0, |_| case.number("slope")) });
    let pool = |kind, rank| {
        Op::Pool(Pool {
            kind,
            rank,
            window: pair("kernel", 1),
            stride: pair("stride", 1),
            padding: pair("padding", 0),
            floor: true,
        })
    };
    let counted = || case.flag("count_include_pad");
    Some(match case.text("op") {
        "linear" => Op::Linear(Linear { outputs: case.sizes("output")[0], bias: case.flag("bias") }),
        name @ ("conv1d" | "conv2d") => Op::Conv(Conv {
            rank: if name == "conv1d" { 1 } else { 2 },
            channels: case.sizes("output")[0],
            kernel: pair("kernel", 1),
            stride: pair("stride", 1),
            padding: pair("padding", 0),
            groups: case.sizes("groups")[0],
            bias: case.flag("bias"),
        }),
        "maxpool1d" => pool(PoolKind::Max, 1),
        "maxpool2d" => pool(PoolKind::Max, 2),
        "avgpool1d" if counted() => pool(PoolKind::Average, 1),
        "avgpool2d" if counted() => pool(PoolKind::Average, 2),
        "avgpool1d" | "avgpool2d" => return None,
        "avgpool_global" => Op::GlobalAveragePool(GlobalAveragePool),
        "relu" => activation(ActivationKind::Relu),
        "relu6" => activation(ActivationKind::Relu6),
        "leaky_relu" => activation(ActivationKind::LeakyRelu),
        "sigmoid" => activation(ActivationKind::Sigmoid),
        "tanh" => activation(ActivationKind::Tanh),
        "flatten" => Op::Flatten,
        "add" => Op::Add,
        "dropout" => Op::Dropout(Dropout { rate: case.number("p") }),
        "layernorm" => Op::LayerNorm(LayerNorm { epsilon: case.number("epsilon") }),
        "batchnorm" => Op::BatchNorm(BatchNorm { epsilon: case.number("epsilon"), momentum: case.number("momentum") }),
        other => panic!("{}: no operation {other} here; add it to drive.rs", case.name()),
    })
}

/// A tensor of the case as f32s, or nothing where it has none.
fn optional(case: &Case<'_>, field: &str) -> Vec<f32> {
    if case.has(field) { case.f32(field) } else { Vec::new() }
}

impl Node {
    /// The node that a case describes; checks the output's shape and the parameters' sizes against torch's.
    pub fn of(case: &Case<'_>) -> Option<Node> {
        let (op, input) = (op_of(case)?, Shape::new(&case.sizes("input")));
        let second = if op.inputs() == 2 { input } else { Shape::d1(1) };
        let facts = op.facts(input, second).unwrap_or_else(|error| panic!("{}: {error}", case.name()));
        assert_eq!(facts.output.dims(), case.sizes("output"), "{}: output shape", case.name());
        let node = Node {
            op,
            input,
            facts,
            x: case.f32("x"),
            x2: optional(case, "x2"),
            weight: optional(case, "weight"),
            bias: optional(case, "bias"),
            running: ["running_mean", "running_var"].map(|field| optional(case, field)),
            training: case.get("training").is_none_or(|value| value == "1"),
        };
        let sizes = [node.weight.len(), node.bias.len(), node.running[0].len(), node.running[1].len()];
        assert_eq!(facts.parameters.map(|n| n as usize), sizes, "{}: parameter sizes", case.name());
        Some(node)
    }

    fn key() -> Key {
        Key::new(7, 0, 0)
    }

    fn parameters(&self) -> Parameters<'_, F32> {
        Parameters { weight: &self.weight, bias: &self.bias }
    }

    fn running(&self) -> [&[f32]; 2] {
        self.running.each_ref().map(Vec::as_slice)
    }

    /// The output.
    pub fn forward(&self) -> Vec<f32> {
        self.forward_and_keep().0
    }

    /// The output, the mask of an elementwise operation, and the words that the operation saved.
    fn forward_and_keep(&self) -> (Vec<f32>, Vec<u32>, Vec<u32>) {
        let linked = OpSet::NONE.with(&self.op);
        let mut mask = vec![0; self.x.len().div_ceil(32)];
        let mut saved = vec![0; self.facts.keep.words as usize];
        let mut y = vec![0.0; self.facts.output.elements() as usize];
        if self.facts.alias {
            y.copy_from_slice(&self.x);
        } else if self.facts.elementwise {
            y.copy_from_slice(&self.x);
            let io = Elementwise::<F32> {
                values: &mut y,
                y: &[],
                mask: &mut mask,
                key: Node::key(),
                training: self.training,
            };
            self.op.forward_in_place(linked, io);
        } else {
            // Poisoned, so that reading what wasn't written shows.
            let mut scratch = vec![f32::NAN; self.facts.scratch_forward as usize];
            y.fill(f32::NAN);
            self.op.forward(
                linked,
                Forward::<F32> {
                    x: &self.x,
                    x2: &self.x2,
                    parameters: self.parameters(),
                    running: self.running(),
                    y: &mut y,
                    saved: &mut saved,
                    scratch: &mut scratch,
                    input: self.input,
                    output: self.facts.output,
                    scales: NodeScales::default(),
                    training: self.training,
                },
            );
        }
        (y, mask, saved)
    }

    /// Every gradient of `Σ dy y`. `before` is what the input's error holds already, or empty for nothing;
    /// `from_output` lets an activation see its output instead of the mask.
    pub fn backward(&self, dy: &[f32], before: &[f32], from_output: bool) -> Gradients {
        let linked = OpSet::NONE.with(&self.op);
        let (y, mut mask, saved) = self.forward_and_keep();
        let keep = self.facts.keep;
        let mut dy = dy.to_vec();
        if self.facts.elementwise {
            let by_output = keep.output || from_output;
            let (y, mask): (&[f32], &mut [u32]) = if by_output { (&y, &mut []) } else { (&[], &mut mask) };
            let io = Elementwise::<F32> { values: &mut dy, y, mask, key: Node::key(), training: self.training };
            self.op.backward_in_place(linked, io);
        }
        let accumulate = !before.is_empty();
        let mut dx = if accumulate { before.to_vec() } else { vec![f32::NAN; self.x.len()] };
        let nan = f32::NAN.to_bits();
        let mut scratch = vec![nan; self.facts.scratch_error as usize];
        let io = Backward::<F32> {
            x: if keep.input_for_error { &self.x } else { &[] },
            parameters: self.parameters(),
            running: self.running(),
            dy: &dy,
            dx: &mut dx,
            accumulate,
            saved: &saved,
            scratch: &mut scratch,
            input: self.input,
            output: self.facts.output,
            scales: NodeScales::default(),
            training: self.training,
        };
        self.op.backward_input(linked, io);

        let mut scratch = vec![nan; self.facts.scratch_gradient as usize];
        let io = Backward::<F32> {
            x: if keep.input_for_parameters { &self.x } else { &[] },
            parameters: self.parameters(),
            running: self.running(),
            dy: &dy,
            dx: &mut [],
            accumulate: false,
            saved: &saved,
            scratch: &mut scratch,
            input: self.input,
            output: self.facts.output,
            scales: NodeScales::default(),
            training: self.training,
        };
        let mut sink = Collected { gradients: [vec![f32::NAN; self.weight.len()], vec![f32::NAN; self.bias.len()]] };
        self.op.backward_parameters(linked, io, &mut sink);
        let [dweight, dbias] = sink.gradients;
        Gradients { dx, dweight, dbias }
    }
}

/// A sink that keeps whole gradients and refuses to be given an element twice.
struct Collected {
    gradients: [Vec<f32>; 2],
}

impl Collected {
    fn put(&mut self, parameter: usize, at: usize, values: impl Iterator<Item = f32>) {
        for (index, value) in values.enumerate() {
            let place = &mut self.gradients[parameter][at + index];
            assert!(place.is_nan(), "parameter {parameter} element {} is given twice", at + index);
            *place = value;
        }
    }
}

impl ParameterGradient<F32> for Collected {
    fn wants(&self, parameter: usize) -> bool {
        !self.gradients[parameter].is_empty()
    }
    fn product_rows(&mut self, parameter: usize, values: &[f32], factors: &[f32], _: i32) {
        for (row, factor) in factors.iter().enumerate() {
            self.put(parameter, row * values.len(), values.iter().map(|value| value * factor));
        }
    }
    fn value_row(&mut self, parameter: usize, at: usize, values: &[f32], _: i32) {
        self.put(parameter, at, values.iter().copied());
    }
    fn row(&mut self, parameter: usize, at: usize, gradient: &[f32]) {
        self.put(parameter, at, gradient.iter().copied());
    }
}
