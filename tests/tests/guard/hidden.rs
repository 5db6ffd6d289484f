//! Numbers that aren't finite and that the output doesn't show: a rectifier turns NaN to 0, a maximum passes it over.

use emberlite::graph::*;
use emberlite::learner::Outcome;
use emberlite::loss::Loss;
use emberlite::number::{F32, Format};
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use emberlite_tests::oracle::{Goal, Machine, float_bytes, write_file};

use crate::finite;

/// Trains the nodes behind a first layer with these weights; whether all stays finite, and the outcome.
fn outcome(nodes: &[Node], input: Shape, x: &[f32], first: &[f32], batch: u32) -> (Outcome, bool) {
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(1e-3)).batch(batch);
    let graph = Graph::new(Format::F32, input, nodes);
    let lens = emberlite_tests::oracle::parameter_lens(&graph);
    let numbers: Vec<[Vec<f32>; 4]> = lens
        .iter()
        .enumerate()
        .map(|(i, lens)| {
            let value = |j: usize| if i == 0 { first[j % first.len()] } else { 0.5 };
            [0, 1, 2, 3].map(|k| (0..lens[k]).map(|j| if k == 0 { value(j) } else { k as f32 / 4.0 }).collect())
        })
        .collect();
    let file = write_file(graph, &float_bytes(&numbers), &[]);
    let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid graph");
    machine.engine().load(file.bytes()).expect("finite numbers");
    let outputs = machine.plan().summary.outputs as usize;
    let goal = Goal::Values(vec![0.0; outputs]);
    let before = machine.learnt();
    let mut last = Outcome::Accumulated;
    for _ in 0..batch {
        last = machine.engine().train_step(x, goal.target::<F32>()).expect("a valid sample").outcome;
        if last == Outcome::Skipped {
            assert_eq!(machine.learnt(), before);
            break;
        }
    }
    (last, finite(&machine))
}

/// Rows `[+w, -w]` and `[-w, +w]` of two inputs 1e6 give one infinity less another: NaN.
const OVERFLOW: [f32; 4] = [3e38, -3e38, 3e38, -3e38];
const X: [f32; 2] = [1e6, 1e6];

#[test]
fn layer_norm_before_a_rectifier() {
    let nodes = [linear(2), layer_norm(), relu(), linear(1)];
    assert_eq!(outcome(&nodes, Shape::d1(2), &X, &OVERFLOW, 1), (Outcome::Skipped, true));
    assert_eq!(outcome(&nodes, Shape::d1(2), &X, &OVERFLOW, 2), (Outcome::Skipped, true));
}

#[test]
fn layer_norm_whose_variance_overflows() {
    // ±3e38: the mean is 0 and the variance beyond f32. Huber's loss leaves a small error, and what a root makes of the
    // infinite variance decides how large it is behind the norm.
    let nodes = [linear(2), layer_norm(), linear(1)];
    let graph = Graph::new(Format::F32, Shape::d1(2), &nodes);
    let numbers = vec![
        [vec![3e32, 0.0, 0.0, -3e32], vec![0.0; 2], vec![], vec![]],
        [vec![1.0; 2], vec![0.0; 2], vec![], vec![]],
        [vec![1.0, 0.0], vec![0.0], vec![], vec![]],
    ];
    let file = write_file(graph, &float_bytes(&numbers), &[]);
    for batch in [1, 2] {
        let training = Training::new(Loss::Huber { delta: 5.0 }, Optimizer::sgd(1e-3)).batch(batch);
        let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid graph");
        machine.engine().load(file.bytes()).expect("finite numbers");
        for _ in 0..10 * batch {
            let report = machine.engine().train_step(&X, Goal::Values(vec![0.0]).target::<F32>());
            assert!(finite(&machine), "{report:?}");
        }
    }
}

#[test]
fn sigmoid_and_tanh_before_a_rectifier() {
    for squash in [sigmoid(), tanh()] {
        let nodes = [linear(2), squash, relu(), linear(1)];
        assert_eq!(outcome(&nodes, Shape::d1(2), &X, &OVERFLOW, 1), (Outcome::Skipped, true));
    }
}

#[test]
fn tanh_before_a_maximum_that_passes_over_nan() {
    // A kernel of two: the sums at the three positions are 1e5, NaN and NaN; the maximum starts with the first.
    let x = [0.0, 1e-30, 1e6, 1e6];
    let nodes = [conv1d(1, 2).no_bias(), tanh(), max_pool1d(3), flatten(), linear(1)];
    assert_eq!(outcome(&nodes, Shape::d2(1, 4), &x, &[3e38, -3e38], 1), (Outcome::Skipped, true));
}

#[test]
fn batch_norm_whose_variance_overflows() {
    // Channels around ±1e25: the variance is 1e50, the deviation's inverse 0, and the output finite.
    let nodes = [conv1d(1, 1), batch_norm(), relu(), flatten(), linear(1)];
    let x = [1.0, -1.0, 2.0, 5.0];
    for batch in [1, 2] {
        assert_eq!(outcome(&nodes, Shape::d2(1, 4), &x, &[1e25], batch), (Outcome::Skipped, true));
    }
}

#[test]
fn frozen_batch_norm_lets_no_infinity_into_the_error() {
    // Its input is infinite, the rectifier hides it, and the error behind it is 0: nothing to learn, and no NaN.
    let nodes = [conv1d(1, 1), Node { update: Update::Frozen, ..batch_norm() }, relu(), flatten(), linear(1)];
    let (outcome, finite) = outcome(&nodes, Shape::d2(1, 2), &[-1e6, -1e6], &[3e38], 1);
    assert!(finite, "{outcome:?}");
}
