//! A static model links only what it uses, and that changes nothing: it learns the same bits as with everything linked.

use emberlite::executor::{Everything, Linked};
use emberlite::graph::*;
use emberlite::learner::{Engine, Learner, Model, Status};
use emberlite::loss::{Loss, LossSet};
use emberlite::model;
use emberlite::number::Number;
use emberlite::number::random::Key;
use emberlite::op::OpSet;
use emberlite::optimizer::{Clip, Optimizer, OptimizerSet};
use emberlite::plan::Training;
use emberlite_tests::oracle::Goal;

const CROSS_ENTROPY: Loss = Loss::SoftmaxCrossEntropy;

model! {
    struct Dense {
        format: F32,
        input: [6],
        layers: [linear(9), relu(), linear(3)],
        output: [3],
        training: Training::new(CROSS_ENTROPY, Optimizer::sgd(0.1)),
    }
}
model! {
    struct Image {
        format: F32,
        input: [2, 8, 8],
        layers: [
            conv2d(5, 3).padding(1), batch_norm(), leaky_relu(0.1), max_pool2d(2), conv2d(4, 3).padding(1), relu6(),
            average_pool2d(2), flatten(), dropout(0.3), linear(3),
        ],
        output: [3],
        training: Training::new(CROSS_ENTROPY, Optimizer::adam(0.01)).batch(2).clip(Clip::GlobalNorm(1.0)),
    }
}
model! {
    struct Sequence {
        format: F32,
        input: [3, 12],
        layers: [conv1d(6, 3), layer_norm(), tanh(), global_average_pool(), linear(4)],
        output: [4],
        training: Training::new(Loss::Huber { delta: 0.5 }, Optimizer::adam_w(0.01)),
    }
}
model! {
    struct Residual {
        format: F32,
        input: [7],
        layers: [linear(7), sigmoid(), linear(7), add(1), linear(2)],
        output: [2],
        training: Training::new(Loss::BinaryCrossEntropy, Optimizer::rms_prop(0.01)).clip(Clip::Value(0.1)),
    }
}
model! {
    struct Regression {
        format: F32,
        input: [5],
        layers: [linear(6), relu(), linear(2)],
        output: [2],
        training: Training::new(Loss::MeanSquaredError, Optimizer::ada_grad(0.05)).penalty(0.001, 0.01),
    }
}
model! {
    struct Ahead {
        format: F32,
        input: [5],
        layers: [linear(6), tanh(), linear(2)],
        output: [2],
        training: Training::new(Loss::MeanSquaredError, Optimizer::nesterov(0.05, 0.9)),
    }
}
model! {
    struct FixedImage {
        format: Fixed16,
        input: [2, 6, 6],
        layers: [conv2d(4, 3), relu(), max_pool2d(2), flatten(), linear(3)],
        output: [3],
        training: Training::new(CROSS_ENTROPY, Optimizer::momentum(0.05, 0.9)),
    }
}
model! {
    struct FixedSequence {
        format: Fixed16,
        input: [4, 8],
        layers: [average_pool1d(2), conv1d(4, 1), add(0), global_average_pool(), linear(2)],
        output: [2],
        training: Training::new(Loss::MeanSquaredError, Optimizer::adam(0.01)),
    }
}
model! {
    struct FixedDense {
        format: Fixed16,
        input: [6],
        layers: [linear(8), relu(), linear(3)],
        output: [3],
        training: Training::new(CROSS_ENTROPY, Optimizer::sgd(0.1)),
    }
}

/// What eight samples leave in the arena, and the losses on the way.
fn learn<M: Model, L: Linked>() -> (Vec<u32>, Vec<f32>) {
    let (mut arena, mut status) = (vec![0; M::PLAN.summary.words as usize], Status::EMPTY);
    let mut engine: Engine<M::Number, L> =
        Engine::new(M::GRAPH, M::PLAN, M::TRAINING, &mut arena, &mut status).expect("as large as planned");
    engine.initialize(5).expect("nothing is frozen");
    let mut losses = Vec::new();
    for t in 0..8 {
        let key = Key::new(9, t, 0);
        let value = |j: u32| M::Number::from_f32(key.uniform(j) * 2.0 - 1.0, 10);
        let input: Vec<_> = (0..M::PLAN.summary.inputs).map(value).collect();
        let goal = match M::TRAINING {
            Some(training) if training.loss.takes_class() => Goal::Class((t % M::PLAN.summary.outputs) as u16),
            _ => Goal::Values((0..M::PLAN.summary.outputs).map(|j| M::Number::from_f32(key.uniform(j), 10)).collect()),
        };
        let target = goal.target::<M::Number>();
        let before = engine.evaluate(&input, target).expect("a valid sample");
        let report = engine.train_step(&input, target).expect("a valid sample");
        losses.extend([before.loss, report.loss].map(M::Number::loss_to_f32));
    }
    arena.truncate(M::PLAN.summary.persistent_words as usize);
    (arena, losses)
}

fn all_operations() -> [Node; 16] {
    [
        linear(1),
        conv1d(1, 1),
        max_pool1d(1),
        average_pool2d(1),
        global_average_pool(),
        flatten(),
        add(0),
        dropout(0.5),
        layer_norm(),
        batch_norm(),
        relu(),
        relu6(),
        leaky_relu(0.1),
        sigmoid(),
        tanh(),
        conv2d(1, 1),
    ]
}

fn check<M: Model>(name: &str) {
    assert_eq!(learn::<M, M>(), learn::<M, Everything>(), "{name}");
    // Exactly what it names, and nothing else.
    for node in all_operations() {
        let used = M::GRAPH.nodes.iter().any(|n| n.op.kind() == node.op.kind());
        assert_eq!(M::OPS.has(&node.op), used, "{name}: {}", node.op.name());
    }
    let training = M::TRAINING.expect("all of these train");
    for loss in [CROSS_ENTROPY, Loss::BinaryCrossEntropy, Loss::MeanSquaredError, Loss::Huber { delta: 1.0 }] {
        assert_eq!(M::LOSSES.has(&loss), loss.kind() == training.loss.kind(), "{name}: {}", loss.name());
    }
    for optimizer in [
        Optimizer::sgd(0.1),
        Optimizer::momentum(0.1, 0.9),
        Optimizer::nesterov(0.1, 0.9),
        Optimizer::rms_prop(0.1),
        Optimizer::ada_grad(0.1),
        Optimizer::adam(0.1),
        Optimizer::adam_w(0.1),
    ] {
        let used = optimizer.kind() == training.optimizer.kind();
        assert_eq!(M::OPTIMIZERS.has(&optimizer), used, "{name}: {}", optimizer.name());
    }
}

#[test]
fn a_model_learns_the_same_with_what_it_uses_as_with_everything() {
    check::<Dense>("Dense");
    check::<Image>("Image");
    check::<Sequence>("Sequence");
    check::<Residual>("Residual");
    check::<Regression>("Regression");
    check::<Ahead>("Ahead");
    check::<FixedImage>("FixedImage");
    check::<FixedSequence>("FixedSequence");
    check::<FixedDense>("FixedDense");
}

/// Without the operation that it uses a model learns something else: the comparison above isn't empty.
#[test]
fn what_is_not_linked_is_not_there() {
    struct Nothing;
    impl Linked for Nothing {
        const OPS: OpSet = OpSet::NONE;
        const LOSSES: LossSet = LossSet::NONE;
        const OPTIMIZERS: OptimizerSet = OptimizerSet::NONE;
    }
    assert_ne!(learn::<Dense, Nothing>(), learn::<Dense, Dense>());
    assert_ne!(learn::<FixedImage, Nothing>(), learn::<FixedImage, FixedImage>());
}

#[test]
fn a_learner_is_its_engine() {
    let mut learner = Learner::<Dense>::new();
    learner.initialize(5).expect("nothing is frozen");
    let (mut arena, mut status) = (vec![0; Dense::PLAN.summary.words as usize], Status::EMPTY);
    let mut engine: Engine<emberlite::number::F32, Dense> =
        Engine::new(Dense::GRAPH, Dense::PLAN, Dense::TRAINING, &mut arena, &mut status).expect("as large as planned");
    engine.initialize(5).expect("nothing is frozen");
    let x = [0.5, -1.0, 0.25, 0.0, 2.0, -0.125];
    for label in 0..3 {
        let report = learner.train_step(&x.into(), label);
        assert_eq!(report, engine.train_step(&x, emberlite::loss::Target::Class(label)));
    }
    for node in [0, 2] {
        for index in [0, 1] {
            assert!(!engine.parameter(node, index).is_empty());
            assert_eq!(learner.parameter(node, index), engine.parameter(node, index));
        }
    }
    assert_eq!(learner.predict(&x.into()).expect("finite").as_slice(), engine.predict(&x).expect("finite"));
    assert_eq!(learner.progress(), engine.progress());
}
