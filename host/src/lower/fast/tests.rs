//! The batched path against the framework's, which other tests compare with the core and with PyTorch.

use crate::lower::check::{numbers, random_parameters};
use crate::lower::{Lowered, Mode, Tensors};
use burn_tensor::{Device, Tensor, TensorData};
use emberlite::graph::*;
use emberlite::number::Format;

const MODE: Mode = Mode::Train { seed: 17, first_sample: 40 };

/// Output, and gradients of every trained slot, of the mean of squares.
fn outcome(lowered: &Lowered<'_>, x: &[f32], batch: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
    let device = Device::flex();
    let tensors = Tensors::upload(lowered, &random_parameters(lowered), &device).unwrap();
    let x = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [batch, x.len() / batch]), &device);
    let pass = lowered.pass(&tensors, x, MODE).unwrap();
    let output = pass.output.clone();
    let mut gradients = (output.clone() * output.clone()).mean().backward();
    pass.finish(lowered, &tensors, &mut gradients).unwrap();
    let list = |t: Tensor<1>| t.without_autodiff().into_data().iter::<f32>().collect::<Vec<_>>();
    let trained = lowered.slots().iter().filter(|slot| slot.trained);
    let found = trained.map(|slot| list(tensors.tensor(slot).grad_remove(&mut gradients).unwrap())).collect();
    (list(output.flatten(0, 1)), found)
}

fn graph<'a>(input: Shape, nodes: &'a [Node]) -> Lowered<'a> {
    Lowered::new(Graph::new(Format::F32, input, nodes)).unwrap()
}

/// Both ways agree, for one sample and for more than there are groups.
fn agrees(input: Shape, nodes: &[Node]) {
    agrees_on(input, nodes, 1.0, |_| 1.0, 0.0);
}

/// The same of operations that amplify an error so many times, over numbers `v` in ±1 as `scale(v) v + shift`.
fn agrees_on(input: Shape, nodes: &[Node], amplification: f32, scale: impl Fn(f32) -> f32, shift: f32) {
    let lowered = graph(input, nodes);
    assert!(lowered.fast.is_some(), "{nodes:?} has no steps");
    let plain = Lowered { fast: None, ..lowered.clone() };
    for batch in [1, 3, 70] {
        let mut x = numbers(9, batch * input.elements() as usize);
        x.iter_mut().for_each(|v| *v = *v * scale(*v) + shift);
        if lowered.vocabulary().is_some() {
            x.iter_mut().for_each(|v| *v = v.round());
        }
        let (ours, theirs) = (outcome(&lowered, &x, batch), outcome(&plain, &x, batch));
        let all = std::iter::once((&ours.0, &theirs.0)).chain(ours.1.iter().zip(&theirs.1));
        for (what, (ours, theirs)) in all.enumerate() {
            assert_eq!(ours.len(), theirs.len());
            // Sums of products in another order; the bound is derived in `check.rs`, here with every sum of at most the
            // graph's elements, 2 γ of the largest magnitude there, doubled for the second pass through the network.
            let largest = theirs.iter().fold(0.0f32, |m, v| m.max(v.abs())).max(1e-2);
            let elements: u32 = lowered.layers.iter().map(|l| l.input.elements() + l.facts.output.elements()).sum();
            let tolerance = 4.0 * (elements as f32) * f32::EPSILON * largest * amplification;
            for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
                assert!((a - b).abs() <= tolerance, "{nodes:?} batch {batch}, {what}[{i}]: {a}, not {b} ({tolerance})");
            }
        }
    }
}

const IMAGE: Shape = Shape::d3(3, 9, 7);
const SEQUENCE: Shape = Shape::d2(3, 11);

#[test]
fn convolutions() {
    agrees(IMAGE, &[conv2d(5, 3)]);
    agrees(IMAGE, &[conv2d(5, 3).padding(1), relu(), conv2d(17, 3).padding(2), relu(), max_pool2d(2).floor()]);
    agrees(IMAGE, &[conv2d(4, 3).stride(2).padding(1), conv2d_with(6, [3, 2], [2, 1], [1, 0]), relu(), conv2d(2, 1)]);
    agrees(
        IMAGE,
        &[conv2d(4, 3), max_pool2d(3).stride(2).padding(1).floor(), conv2d(4, 2).no_bias(), flatten(), linear(3)],
    );
    agrees(SEQUENCE, &[conv1d(4, 3).padding(1), relu(), max_pool1d(2).floor(), conv1d(16, 2), flatten(), linear(5)]);
}

#[test]
fn linear_layers() {
    agrees(Shape::d1(7), &[linear(5), relu(), linear(3).no_bias()]);
    agrees(Shape::d1(48), &[linear(32), relu(), linear(100), relu(), linear(10)]);
    agrees(Shape::d1(20), &[linear(5), sigmoid(), linear(6), tanh(), linear(4), leaky_relu(0.1), linear(2), relu6()]);
}

#[test]
fn pooling_and_the_rest() {
    agrees(IMAGE, &[conv2d(4, 3), average_pool2d(2).floor(), global_average_pool(), linear(3)]);
    agrees(IMAGE, &[conv2d(4, 3), max_pool2d(3).stride(1), leaky_relu(0.2), flatten(), dropout(0.4), linear(3)]);
    agrees(IMAGE, &[relu(), conv2d(4, 3), dropout(0.4), conv2d(3, 2)]);
    agrees(IMAGE, &[conv2d(3, 3).padding(1), relu(), conv2d(3, 3).padding(1), add(0), relu(), global_average_pool()]);
    agrees(Shape::d1(6), &[linear(6), relu(), linear(6), add(1), linear(2)]);
}

#[test]
fn update_rules() {
    agrees(Shape::d1(7), &[linear(5), linear(4).frozen(), linear(4).bias_only(), linear(3)]);
    agrees(Shape::d1(7), &[linear(5).frozen(), relu(), linear(4).bias_only(), linear(3).frozen()]);
    agrees(IMAGE, &[conv2d(5, 3).frozen(), relu(), conv2d(5, 3).bias_only(), relu(), conv2d(3, 2)]);
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let nodes = [conv2d(8, 3).padding(1), relu(), max_pool2d(2).floor(), conv2d(16, 3), relu(), flatten(), linear(10)];
    let lowered = graph(IMAGE, &nodes);
    assert_eq!(lowered.fast.as_ref().map(|fast| fast.steps.len()), Some(5), "turn, two convolutions, turn, linear");
    let x = numbers(9, 70 * IMAGE.elements() as usize);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let [one, three] = [1, 3].map(|threads| pool(threads).install(|| outcome(&lowered, &x, 70)));
    assert_eq!(one, three);
}

#[test]
fn a_prediction_keeps_its_output_alone() {
    let nodes = [
        sequence_linear(8),
        attention(2),
        add(0),
        sequence_layer_norm(),
        sequence_linear(6),
        gelu(),
        flatten(),
        linear(3),
    ];
    let lowered = graph(Shape::d2(5, 4), &nodes);
    let fast = lowered.fast.as_ref().unwrap();
    let device = Device::flex();
    let tensors = Tensors::upload(&lowered, &random_parameters(&lowered), &device).unwrap();
    let x = || Tensor::<2>::from_data(TensorData::new(numbers(9, 2 * 20), [2, 20]), &device);
    let train = fast.forward(&tensors, x(), Mode::Train { seed: 1, first_sample: 0 }).unwrap();
    let predict = fast.forward(&tensors, x(), Mode::Predict).unwrap();
    assert_eq!(predict.output().into_data(), train.output().without_autodiff().into_data());
    assert_eq!((train.kept.len(), predict.kept.len(), predict.parameters.len()), (fast.steps.len(), 0, 0));
    let held = predict.values.iter().enumerate().filter(|(_, values)| !values.is_empty());
    assert_eq!(held.map(|(buffer, _)| buffer).collect::<Vec<_>>(), [fast.output]);
}

#[test]
fn what_has_no_steps_goes_the_frameworks_way() {
    assert!(graph(IMAGE, &[conv2d(3, 3).groups(3)]).fast.is_none());
    assert!(graph(IMAGE, &[conv2d(3, 1).padding(1)]).fast.is_none());
    assert!(graph(IMAGE, &[batch_norm()]).fast.is_none());
    assert!(graph(Shape::d2(4, 3), &[lstm(4)]).fast.is_none());
}

// Norms divide by a deviation above 0.4 here, which makes of an error e one of at most e (1 + |x̂|)/d, typically 5 e, as
// `lower/tests.rs` says; there and back.
const NORM: f32 = 5.0;

#[test]
fn layer_norms() {
    let of = |input, nodes: &[Node]| agrees_on(input, nodes, NORM, |_| 1.0, 0.0);
    of(Shape::d1(9), &[linear(8), layer_norm(), linear(3)]);
    of(IMAGE, &[conv2d(4, 3), layer_norm().epsilon(1e-3), conv2d(2, 2)]);
    for features in [5, 16, 37] {
        of(Shape::d2(4, features), &[sequence_linear(features), sequence_layer_norm(), sequence_linear(3)]);
        of(Shape::d2(1, features), &[sequence_layer_norm().bias_only(), sequence_linear(3)]);
    }
    of(Shape::d2(3, 6), &[sequence_linear(7), sequence_layer_norm().frozen(), sequence_linear(3)]);
}

#[test]
fn layers_over_positions() {
    agrees(Shape::d2(5, 7), &[sequence_linear(20), relu(), sequence_linear(16).no_bias(), last_position(), linear(3)]);
    agrees(Shape::d2(1, 3), &[sequence_linear(1), sequence_linear(4), transpose(), sequence_linear(2)]);
    agrees(IMAGE, &[conv2d(4, 3), transpose(), sequence_linear(5), flatten(), linear(3)]);
    agrees(Shape::d2(6, 5), &[sequence_linear(4), transpose(), conv1d(3, 3), relu(), transpose(), sequence_linear(2)]);
    agrees(Shape::d2(5, 7), &[positional_encoding(), sequence_linear(4), positional_encoding(), sequence_linear(3)]);
    agrees(Shape::d2(5, 7), &[positional_embedding(), sequence_linear(4), positional_embedding().frozen()]);
}

#[test]
fn smooth_activations() {
    // Slopes are within ±1.13 and change by less than 1 a unit; the inputs are within ±12, where a difference of the
    // functions' own, some 1e-7 of what they are multiplied with, shows.
    for activation in [gelu(), gelu_tanh(), silu(), hard_swish()] {
        for scale in [1.0, 12.0] {
            agrees_on(Shape::d1(37), &[linear(33), activation, linear(3)], scale, |_| scale, 0.0);
            agrees_on(IMAGE, &[conv2d(4, 3), activation, conv2d(3, 2)], scale, |_| scale, 0.0);
        }
    }
}

#[test]
fn softmaxes() {
    // An error e of the logits becomes at most 2 e of each share.
    for input in [Shape::d1(19), Shape::d2(3, 16), Shape::d2(4, 1)] {
        agrees_on(input, &[positional(input), softmax(), flatten(), linear(3)], 2.0, |_| 4.0, 0.0);
    }
    agrees_on(IMAGE, &[conv2d(4, 3), softmax(), conv2d(3, 2)], 2.0, |_| 4.0, 0.0);
}

/// A layer that learns in front of something.
fn positional(input: Shape) -> Node {
    if input.rank() == 2 { positional_embedding() } else { linear(input.elements() as u16) }
}

#[test]
fn embeddings() {
    // Tokens from 0 to 8, several of them equal and some never there.
    for nodes in [&[embedding(9, 5)][..], &[embedding(300, 16), positional_embedding(), sequence_linear(4)]] {
        agrees_on(Shape::d1(11), nodes, 1.0, |_| 4.0, 4.0);
    }
    agrees_on(Shape::d1(1), &[embedding(9, 3).frozen(), sequence_linear(2)], 1.0, |_| 4.0, 4.0);
}

#[test]
fn attentions() {
    // Shares as above; scores of ±2 here, so that products of shares and values stay within four times the sums.
    let of = |input, nodes: &[Node]| agrees_on(input, nodes, 4.0, |_| 1.0, 0.0);
    for attention in [attention, causal_attention] {
        of(Shape::d2(7, 6), &[attention(2)]);
        of(Shape::d2(17, 20), &[positional_embedding(), attention(1).no_bias(), sequence_linear(3)]);
        of(Shape::d2(33, 32), &[sequence_linear(32), attention(2), sequence_linear(2)]);
        of(Shape::d2(1, 4), &[positional_embedding(), attention(4), sequence_linear(3)]);
        of(Shape::d2(5, 4), &[positional_embedding(), attention(2).frozen(), attention(2).bias_only()]);
        // More positions than are computed together.
        of(Shape::d2(70, 8), &[positional_embedding(), attention(2)]);
        of(Shape::d2(129, 6), &[positional_embedding(), attention(3), last_position()]);
    }
}

/// A block as GPT-2 has it.
fn transformer() -> Vec<Node> {
    vec![
        embedding(9, 12),
        positional_embedding(),
        dropout(0.2),
        sequence_layer_norm(),
        causal_attention(3),
        add(2),
        sequence_layer_norm(),
        sequence_linear(24),
        gelu_tanh(),
        sequence_linear(12),
        add(5),
        sequence_layer_norm(),
        sequence_linear(9).no_bias(),
    ]
}

#[test]
fn transformers() {
    // Three norms one after the other.
    agrees_on(Shape::d1(10), &transformer(), NORM * NORM * NORM, |_| 4.0, 4.0);
}

#[test]
fn bits_of_a_transformer_do_not_depend_on_the_number_of_threads() {
    let nodes = transformer();
    let lowered = graph(Shape::d1(40), &nodes);
    let x: Vec<f32> = numbers(9, 70 * 40).iter().map(|v| (v * 4.0 + 4.0).round()).collect();
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let [one, three] = [1, 3].map(|threads| pool(threads).install(|| outcome(&lowered, &x, 70)));
    assert!(one.0.iter().all(|v| v.is_finite()));
    assert_eq!(one, three);
}

/// Scores up to some 1e7: without the largest subtracted, their powers would overflow.
#[test]
fn large_numbers_stay_numbers() {
    let input = Shape::d2(17, 8);
    for attention in [attention(2), causal_attention(2)] {
        let nodes = [positional_embedding(), attention, softmax(), gelu(), sequence_linear(2)];
        let lowered = graph(input, &nodes);
        let x: Vec<f32> = numbers(9, 3 * 17 * 8).iter().map(|v| v * 1e4).collect();
        let (output, gradients) = outcome(&lowered, &x, 3);
        assert!(output.iter().chain(gradients.iter().flatten()).all(|v| v.is_finite()));
    }
}
