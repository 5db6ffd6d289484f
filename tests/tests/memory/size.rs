//! How large the arena is: against the sum of what must be live, and for what costs nothing.

use emberlite::graph::*;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::Optimizer;
use emberlite::plan::{Summary, Training, plan};
use emberlite_tests::oracle::NODES;

use crate::case;

const CROSS_ENTROPY: Loss = Loss::SoftmaxCrossEntropy;

fn summary(nodes: &[Node], input: Shape, format: Format, training: &Training) -> Summary {
    plan::<NODES>(&Graph::new(format, input, nodes), Some(training)).expect("a valid graph").summary
}

/// The arena beyond what must be live, in thousandths of the latter.
fn excess(summary: &Summary) -> u32 {
    (summary.words - summary.live_words) * 1000 / summary.live_words
}

#[test]
fn arenas_of_random_graphs_are_within_a_twentieth_of_what_must_be_live() {
    let total = 6000;
    let mut wide = Vec::new();
    for seed in 0..total {
        let case = case(seed, [Format::F32, Format::Fixed16][seed as usize % 2]);
        let summary = summary(&case.nodes, case.input, case.format, &case.training);
        assert!(summary.words >= summary.live_words);
        if excess(&summary) > 50 {
            wide.push((seed, summary.words, summary.live_words));
        }
    }
    println!("{} of {total} beyond a twentieth: seed, words, live words: {wide:?}", wide.len());
    assert!(wide.len() * 1000 <= total as usize * 3, "{} of {total}: {wide:?}", wide.len());
}

/// The networks that are measured against others: no word more than must be live, and these sizes.
#[test]
fn arenas_of_the_measured_networks() {
    let sgd = Training::new(CROSS_ENTROPY, Optimizer::sgd(0.1));
    let adam = Training::new(CROSS_ENTROPY, Optimizer::adam(0.001));
    let mlp = [linear(32), relu(), linear(10)];
    let cnn =
        [conv2d(8, 3), relu(), max_pool2d(2), conv2d(16, 3), relu(), max_pool2d(2).floor(), flatten(), linear(10)];
    let cases: [(&str, &[Node], Shape, &Training); 5] = [
        ("64-32-10, sgd", &mlp, Shape::d1(64), &sgd),
        ("64-32-10, adam", &mlp, Shape::d1(64), &adam),
        ("784-32-10, sgd", &mlp, Shape::d1(784), &sgd),
        ("784-32-10, adam", &mlp, Shape::d1(784), &adam),
        ("convolutional, sgd", &cnn, Shape::d3(1, 16, 16), &sgd),
    ];
    for (name, nodes, input, training) in cases {
        let s = summary(nodes, input, Format::F32, training);
        println!("{name}: {} bytes, {} working, live {}", s.arena_bytes(), s.working_bytes, s.live_words * 4);
        assert_eq!(s.words, s.live_words, "{name}");
        assert_eq!(s.gradient_bytes, 0, "{name}: a step at batch 1 needs no gradient buffer");
        // Beyond what is live while working: parameters, their state, and two words of bounds a layer.
        let layers = nodes.iter().filter(|n| matches!(n.op.name(), "linear" | "conv2d")).count() as u32;
        let slots = training.optimizer.state_slots() as u32;
        assert_eq!(s.persistent_words, s.trainable * (1 + slots) + 2 * layers, "{name}");
    }
}

#[test]
fn gradients_are_stored_only_where_they_must_be_whole() {
    let nodes = [linear(8), relu(), linear(3)];
    let plain = Training::new(CROSS_ENTROPY, Optimizer::sgd(0.1));
    let input = Shape::d1(5);
    let norm = emberlite::optimizer::Clip::GlobalNorm(1.0);
    for format in [Format::F32, Format::Fixed16] {
        let bytes = |training: &Training| summary(&nodes, input, format, training).gradient_bytes;
        let all = 4 * (5 * 8 + 8 + 8 * 3 + 3);
        assert_eq!(bytes(&plain), 0);
        assert_eq!(bytes(&plain.clip(emberlite::optimizer::Clip::Value(1.0))), 0);
        assert_eq!(bytes(&plain.batch(2)), all);
        if format == Format::F32 {
            assert_eq!(bytes(&plain.clip(norm)), all);
        }
    }
}

/// A frozen prefix has no parameter, state, gradient, error or kept value in RAM: only where its tensors lie in the file.
/// A longer one of the same width takes exactly that and nothing else.
#[test]
fn a_frozen_prefix_costs_nothing() {
    let training = Training::new(CROSS_ENTROPY, Optimizer::adam(0.01)).batch(4);
    let suffix = [linear(12), relu(), linear(3)];
    for format in [Format::F32, Format::Fixed16] {
        let with = |layers: usize| {
            let mut nodes = Vec::new();
            for _ in 0..layers {
                nodes.extend([linear(40).frozen(), relu()]);
            }
            nodes.extend(suffix);
            summary(&nodes, Shape::d1(40), format, &training)
        };
        let (none, one) = (with(0), with(2));
        for layers in [3, 6, 10] {
            let more = with(layers);
            assert_eq!(more.working_bytes, one.working_bytes, "{layers} frozen layers");
            assert_eq!(more.state_bytes, none.state_bytes);
            assert_eq!(more.gradient_bytes, none.gradient_bytes);
            // Two words a layer: where weight and bias lie in the file; and the scales of its values.
            let scales = if format == Format::Fixed16 { 2 } else { 0 };
            assert_eq!(more.persistent_words - none.persistent_words, (2 + scales) * layers as u32);
        }
        // Its output must be kept for the first trained layer, as the caller keeps the input of the suffix alone; while it
        // runs, two values of its own width lie beside each other.
        let width = format.words(40) * 4;
        assert!(one.working_bytes <= (none.working_bytes + width).max(2 * width));
    }
}

#[test]
fn a_bias_alone_keeps_no_input() {
    let training = Training::new(CROSS_ENTROPY, Optimizer::sgd(0.1));
    let nodes = |update: Update| [Node { update, ..linear(60) }, linear(3).bias_only()];
    let full = summary(&nodes(Update::Full), Shape::d1(50), Format::F32, &training);
    let bias = summary(&nodes(Update::BiasOnly), Shape::d1(50), Format::F32, &training);
    assert_eq!(bias.trainable, 63);
    assert_eq!(full.working_bytes, bias.working_bytes, "neither keeps the first layer's output");
    assert!(bias.words < 63 + 8 + 2 * 63);
}

/// What a mini-batch makes of running statistics needs a place until it is accepted; one sample needs none.
#[test]
fn running_statistics_are_staged_only_for_a_mini_batch() {
    let nodes = [conv1d(6, 3), batch_norm(), flatten(), linear(3)];
    let frozen = [conv1d(6, 3), batch_norm().frozen(), flatten(), linear(3)];
    let plain = Training::new(CROSS_ENTROPY, Optimizer::sgd(0.1));
    let of = |nodes: &[Node], training: &Training| summary(nodes, Shape::d2(2, 10), Format::F32, training);
    let weights = 6 * 2 * 3 + 6 + 6 * 8 * 3 + 3;
    let norm = emberlite::optimizer::Clip::GlobalNorm(1.0);
    assert_eq!(of(&nodes, &plain).gradient_bytes, 0);
    assert_eq!(of(&nodes, &plain.clip(norm)).gradient_bytes, 4 * (weights + 2 * 6));
    // Mean and variance of six channels.
    assert_eq!(of(&nodes, &plain.batch(3)).gradient_bytes, 4 * (weights + 2 * 6 + 2 * 6));
    assert_eq!(of(&frozen, &plain.batch(3)).gradient_bytes, 4 * weights);
}
