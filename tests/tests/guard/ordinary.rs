//! What the guard costs where nothing is wrong: how often ordinary networks have their bounds measured anew.

use emberlite::graph::*;
use emberlite::learner::Outcome;
use emberlite::loss::Loss;
use emberlite::number::random::Key;
use emberlite::number::{F32, Format};
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use emberlite_tests::oracle::{Goal, Machine};

/// Trains on samples whose class lifts a tenth of their elements; returns how often bounds were measured anew. Bounds only grow but for
/// that.
fn measured(nodes: &[Node], input: Shape, optimizer: Optimizer, steps: u32) -> u32 {
    let graph = Graph::new(Format::F32, input, nodes);
    let training = Training::new(Loss::SoftmaxCrossEntropy, optimizer);
    let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid graph");
    machine.engine().initialize(1).expect("nothing is frozen");
    let bounds = |machine: &Machine<F32>| -> Vec<f32> {
        let words = machine.plan().steps.iter().filter(|s| s.bounds.is_some()).map(|s| s.bounds.range().start);
        words.map(|at| f32::from_bits(machine.arena[at])).collect()
    };
    let (mut count, mut before) = (0, bounds(&machine));
    let mut right = 0;
    for t in 0..steps {
        let key = Key::new(5, t, 0);
        let label = key.at(0) % 10;
        let n = input.elements();
        let x = |j: u32| key.uniform(j + 1) * 2.0 - 1.0 + if j * 10 / n == label { 1.0 } else { 0.0 };
        let x: Vec<f32> = (0..n).map(x).collect();
        let report =
            machine.engine().train_step(&x, Goal::Class(label as u16).target::<F32>()).expect("a valid sample");
        assert_eq!(report.outcome, Outcome::Updated);
        right += u32::from(t >= steps / 2 && report.class == label as u16);
        let after = bounds(&machine);
        count += u32::from(after.iter().zip(&before).any(|(after, before)| after < before));
        before = after;
    }
    // Guesses would be right in a twentieth. The deepest starts slowly where roots are a little too large.
    assert!(right > steps / 5, "it doesn't learn: {right} of the last {} right", steps / 2);
    count
}

#[test]
fn bounds_of_ordinary_networks_last_for_many_steps() {
    let small = [linear(32), relu(), linear(10)];
    let convolutional =
        [conv2d(8, 3), relu(), max_pool2d(2), conv2d(16, 3), relu(), max_pool2d(2).floor(), flatten(), linear(10)];
    let deep = [linear(32), relu(), linear(32), relu(), linear(32), relu(), linear(32), relu(), linear(10)];
    let normed = [linear(32), layer_norm(), relu(), linear(32), layer_norm(), relu(), linear(10)];
    let cases: [(&str, &[Node], Shape, Optimizer); 8] = [
        ("64-32-10, sgd", &small, Shape::d1(64), Optimizer::sgd(0.05)),
        ("64-32-10, momentum", &small, Shape::d1(64), Optimizer::momentum(0.01, 0.9)),
        ("64-32-10, adam", &small, Shape::d1(64), Optimizer::adam(0.001)),
        ("64-32-10, rmsprop", &small, Shape::d1(64), Optimizer::rms_prop(0.001)),
        ("784-32-10, sgd", &small, Shape::d1(784), Optimizer::sgd(0.01)),
        ("convolutional, sgd", &convolutional, Shape::d3(1, 16, 16), Optimizer::sgd(0.02)),
        ("four hidden layers, sgd", &deep, Shape::d1(64), Optimizer::sgd(0.05)),
        ("layer norms, adam", &normed, Shape::d1(64), Optimizer::adam(0.001)),
    ];
    for (name, nodes, input, optimizer) in cases {
        let steps = 1500;
        let count = measured(nodes, input, optimizer, steps);
        println!("{name}: bounds measured {count} times in {steps} steps");
        // Each layer multiplies what the bounds before it lost, so depth tells.
        let seldom = if nodes.len() > 8 { 10 } else { 100 };
        assert!(count * seldom < steps, "{name}: {count} times in {steps} steps");
    }
}
