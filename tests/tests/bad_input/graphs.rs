//! Graphs: whatever numbers a text or a file holds, the planner plans or refuses, in words.

use emberlite::executor::Everything;
use emberlite::graph::{Graph, Node, Shape, Source, Update};
use emberlite::learner::{Engine, Status};
use emberlite::loss::{Loss, Target};
use emberlite::number::random::Key;
use emberlite::number::{F32, Fixed16, Format, Number};
use emberlite::op::*;
use emberlite::optimizer::Optimizer;
use emberlite::plan::{Training, plan};
use emberlite_tests::oracle::{Case, Choices, Machine, generate};

const SIZES: [u16; 12] = [1, 1, 2, 3, 4, 16, 255, 256, 4096, 32768, 65535, 0];
const BYTES: [u8; 8] = [1, 1, 2, 3, 16, 128, 255, 0];
const REALS: [f32; 8] = [0.5, 0.1, 0.0, 1.0, -1.0, f32::NAN, f32::INFINITY, 1e-45];

fn pair(choices: &mut Choices) -> [u8; 2] {
    [choices.pick(&BYTES), choices.pick(&BYTES)]
}

fn shape(choices: &mut Choices) -> Shape {
    let dims = [choices.pick(&SIZES), choices.pick(&SIZES), choices.pick(&SIZES), 2];
    Shape::new(&dims[..choices.pick(&[1, 2, 3, 1, 2, 3, 0, 4])])
}

fn node(choices: &mut Choices) -> Node {
    let rank = choices.pick(&[1, 2, 2, 1, 0, 9]);
    let op = match choices.below(10) {
        0 | 1 => Op::Linear(Linear { outputs: choices.pick(&SIZES), bias: choices.one_in(2) }),
        2 | 3 => Op::Conv(Conv {
            rank,
            channels: choices.pick(&SIZES),
            kernel: pair(choices),
            stride: pair(choices),
            padding: pair(choices),
            groups: choices.pick(&SIZES),
            bias: choices.one_in(2),
        }),
        4 => Op::Pool(Pool {
            kind: choices.pick(&[PoolKind::Max, PoolKind::Average]),
            rank,
            window: pair(choices),
            stride: pair(choices),
            padding: pair(choices),
            floor: choices.one_in(2),
        }),
        5 => Op::Flatten,
        6 => Op::Add,
        7 => choices.pick(&[
            Op::LayerNorm(LayerNorm { epsilon: 1e-5 }),
            Op::BatchNorm(BatchNorm { epsilon: 1e-5, momentum: 0.1 }),
            Op::GlobalAveragePool(GlobalAveragePool),
        ]),
        8 => Op::Dropout(Dropout { rate: choices.pick(&REALS) }),
        _ => Op::Activation(Activation {
            kind: choices.pick(&[ActivationKind::Relu, ActivationKind::LeakyRelu, ActivationKind::Tanh]),
            slope: choices.pick(&REALS),
        }),
    };
    let source = |choices: &mut Choices| match choices.below(8) {
        0 => Source::Input,
        1 => Source::Node(choices.pick(&[0, 1, 2, 255])),
        _ => Source::Previous,
    };
    let update = choices.pick(&[Update::Full, Update::Frozen, Update::BiasOnly]);
    Node { op, inputs: [source(choices), source(choices)], update }
}

#[test]
fn any_graph_is_planned_or_refused() {
    let [mut planned, mut refused] = [0; 2];
    for seed in 0..60_000 {
        let key = Key::new(seed, 61, 0);
        let list: Vec<u32> = (0..90).map(|i| key.at(i)).collect();
        let choices = &mut Choices::new(&list);
        let input = shape(choices);
        let nodes: Vec<Node> = (0..choices.below(6)).map(|_| node(choices)).collect();
        let format = choices.pick(&[Format::F32, Format::Fixed16]);
        let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1)).batch(choices.pick(&[1, 2]));
        let training = if choices.one_in(3) { None } else { Some(&training) };
        match plan::<6>(&Graph::new(format, input, &nodes), training) {
            Ok(plan) => {
                planned += 1;
                let s = plan.summary;
                assert_eq!(u64::from(s.words) * 4, u64::from(s.arena_bytes()), "seed {seed}");
                let parts = [s.parameter_bytes, s.state_bytes, s.gradient_bytes, s.working_bytes].map(u64::from);
                assert_eq!(parts.iter().sum::<u64>(), u64::from(s.arena_bytes()), "seed {seed}");
            }
            Err(error) => {
                refused += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    assert!(planned > 1000 && refused > 1000, "{planned} planned, {refused} refused");
}

/// Each tensor is within its limit, all of them together are not: no sum may go over the end of its type.
#[test]
fn a_model_beyond_any_memory_is_refused() {
    let wide = |outputs| Node::new(Op::Linear(Linear { outputs, bias: true }));
    let nodes: Vec<Node> = (0..200).map(|i| wide(if i % 2 == 0 { 65535 } else { 256 })).collect();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.1)).batch(2);
    for training in [Some(&training), None] {
        for format in [Format::F32, Format::Fixed16] {
            let graph = Graph::new(format, Shape::d1(256), &nodes);
            let Err(error) = plan::<200>(&graph, training).map(Box::new) else { panic!("planned") };
            assert!(error.to_string().contains("too large"), "{error}");
        }
    }
}

fn case(seed: u32, format: Format) -> Case {
    let key = Key::new(seed, 31, 0);
    let decisions: Vec<u32> = (0..20 + key.at(1000) % 80).map(|i| key.at(i) % 5040).collect();
    generate(&mut Choices::new(&decisions), format)
}

/// Runs one graph with the plan of another with as many nodes; whether there was one to try.
fn mismatched<N: Number>(seed: u32) -> bool {
    let planned = case(seed, N::FORMAT);
    let others = (seed + 1..seed + 200).map(|seed| case(seed, N::FORMAT));
    let Some(run) = others.into_iter().find(|other| other.nodes.len() == planned.nodes.len()) else { return false };
    let machine = Machine::<N>::new(planned.graph(), Some(&planned.training)).expect("a valid case");
    let summary = machine.plan().summary;
    let (mut arena, mut status) = (vec![0; summary.words as usize], Status::EMPTY);
    let engine = Engine::new(run.graph(), machine.plan(), Some(&run.training), &mut arena, &mut status);
    let mut engine: Engine<N, Everything> = engine.expect("as large as the plan says");
    if engine.initialize(3).is_err() {
        return false;
    }
    let values = vec![N::from_f32(0.5, 8); summary.outputs as usize];
    let target = if run.training.loss.takes_class() { Target::Class(0) } else { Target::Values(&values) };
    for t in 0..3 {
        let input: Vec<N::Value> = (0..summary.inputs).map(|i| N::from_f32((i + t) as f32 * 0.1, 8)).collect();
        // Right or wrong, it comes to an end.
        let _ = engine.predict(&input);
        let _ = engine.train_step(&input, target);
    }
    true
}

#[test]
fn a_plan_of_another_graph_is_no_panic() {
    let tried = (0..1500).filter(|&seed| mismatched::<F32>(seed) | mismatched::<Fixed16>(seed)).count();
    assert!(tried > 500, "{tried}");
}
