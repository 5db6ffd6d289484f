//! bf16 against PyTorch's autocast: outputs and every gradient, from committed vectors.
//!
//! `u = 2^-8` bounds the relative error of a rounding to bf16's 8 bits. **One operation**: both multiply bf16 numbers exactly,
//! add up in f32, and round the sum; the file has the bound of that for each number (`cases/half.py`). **Networks**: an error is a
//! sum of many roundings that know nothing of each other. Ours has at most twice as many of the same size as PyTorch's (a
//! bias that is added to a rounded product, scores that are rounded before the softmax), so its root mean square is at most
//! `√2` times PyTorch's but for chance, over 20 numbers and more; allowed are twice, and a rounding for tensors where PyTorch's
//! is nearly exact. No single number may be off by more than eight times PyTorch's largest error and eight roundings.

use super::check::random_parameters;
use super::vectors::{Vectors, numbers, read};
use super::{Lowered, Mode, Precision, Tensors, upload};
use crate::Parameters;
use crate::layout::{Piece, Start, pieces};
use burn_tensor::{DType, Device};
use emberlite::graph::*;
use emberlite::image::Kind;
use emberlite::number::Format;
use std::collections::BTreeMap;

const U: f64 = 1.0 / 256.0;

/// The nodes of a case.
fn nodes(name: &str) -> Vec<Node> {
    match name {
        "linear" => vec![linear(7)],
        "linear_no_bias" => vec![linear(5).no_bias()],
        "conv1d" => vec![conv1d(4, 3).stride(2).padding(1)],
        "conv2d" => vec![conv2d(4, 3).padding(1)],
        "conv2d_groups" => vec![conv2d_with(6, [3, 2], [2, 1], [0, 0]).groups(2).no_bias()],
        "conv_transpose2d" => vec![conv_transpose2d(2, 3).stride(2).padding(1)],
        "sequence_linear" => vec![sequence_linear(5)],
        "attention" => vec![attention(2)],
        "attention_causal" => vec![causal_attention(3)],
        "lstm" => vec![lstm(5).bidirectional()],
        "gru" => vec![gru(5).last()],
        "perceptron" => vec![linear(12), relu(), linear(8), tanh(), linear(5)],
        "convolutional" => vec![
            conv2d(6, 3).padding(1).no_bias(),
            batch_norm(),
            relu(),
            max_pool2d(2),
            conv2d(8, 3),
            silu(),
            average_pool2d(2),
            flatten(),
            layer_norm(),
            linear(5),
        ],
        "block" => vec![
            sequence_layer_norm(),
            causal_attention(2),
            Node::new(emberlite::op::Op::Add).from_input(),
            sequence_layer_norm(),
            sequence_linear(16),
            gelu(),
            sequence_linear(8),
            add(2),
        ],
        other => panic!("the file has a case {other}, which isn't built here"),
    }
}

fn of_nodes(lowered: &Lowered<'_>) -> Vec<Vec<Piece>> {
    let both = lowered.graph().nodes.iter().zip(lowered.layers());
    both.map(|(node, layer)| pieces(&node.op, layer.input, &layer.facts)).collect()
}

/// The case's parameters; running statistics as they start.
fn parameters(v: &Vectors, name: &str, lowered: &Lowered<'_>) -> Parameters {
    let mut packed: BTreeMap<(u8, u8), (Kind, Vec<f32>)> = BTreeMap::new();
    for (node, pieces) in of_nodes(lowered).into_iter().enumerate() {
        for piece in pieces {
            let values = match (piece.kind, piece.start) {
                (Kind::RunningMean | Kind::RunningVariance, Start::Constant(value)) => vec![value; piece.len()],
                _ => v.single(&format!("{name}/parameter/{node}.{}", piece.name)),
            };
            packed.entry((node as u8, piece.kind as u8)).or_insert((piece.kind, Vec::new())).1.extend(values);
        }
    }
    let mut parameters = Parameters::new();
    for ((node, _), (kind, values)) in packed {
        parameters.set(node, kind, values);
    }
    parameters
}

/// Results by PyTorch's names: `y`, `dx`, `d/NODE.NAME`.
fn results(v: &Vectors, name: &str, precision: Precision) -> BTreeMap<String, Vec<f32>> {
    let nodes = nodes(name);
    let dims: Vec<u16> = v.shape(&format!("{name}/x"))[1..].iter().map(|&dim| dim as u16).collect();
    let graph = Graph::new(Format::F32, Shape::new(&dims), &nodes);
    let lowered = Lowered::new(graph).unwrap().in_precision(precision);
    let tensors = Tensors::upload(&lowered, &parameters(v, name, &lowered), &Device::flex()).unwrap();
    let x = v.tensor(&format!("{name}/x")).autodiff().require_grad();
    let (y, _) = lowered.forward(&tensors, x.clone(), Mode::Train { seed: 0, first_sample: 0 });
    let dy = upload(v.single(&format!("{name}/dy")), &Device::flex()).reshape(y.dims());
    let gradients = (y.clone() * dy).sum().backward();
    let mut found = BTreeMap::from([("y".to_string(), numbers(y))]);
    found.insert("dx".into(), numbers(x.grad(&gradients).unwrap()));
    for (node, pieces) in of_nodes(&lowered).into_iter().enumerate() {
        let mut rest: BTreeMap<u8, Vec<f32>> = BTreeMap::new();
        for slot in lowered.slots().iter().filter(|slot| usize::from(slot.node) == node && slot.trained) {
            let leaf = tensors.tensor(slot);
            let gradient = leaf.grad(&gradients).unwrap();
            // What steps the f32 weights is f32 itself.
            assert_eq!(gradient.dtype(), DType::F32, "{name}: the gradient of node {node}");
            rest.insert(slot.kind as u8, numbers(gradient));
        }
        for piece in pieces.iter().filter(|piece| matches!(piece.kind, Kind::Weight | Kind::Bias)) {
            let values = rest.get_mut(&(piece.kind as u8)).unwrap();
            found.insert(format!("d/{node}.{}", piece.name), values.drain(..piece.len()).collect());
        }
    }
    found
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |m, v| m.max(v.abs()))
}

fn root_mean_square(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    (values.map(|v| v * v).sum::<f64>() / count).sqrt()
}

/// Whether a result is near enough to PyTorch's.
fn check(v: &Vectors, name: &str, ours: &[f32]) -> Result<(), String> {
    let of = |field: &str| v.tensors.get(&format!("{name}{field}")).map(|(_, values)| values.as_slice());
    let (torch, truth) = (of("").unwrap(), of(".f64").unwrap());
    assert_eq!(ours.len(), truth.len(), "{name}");
    let ours: Vec<f64> = ours.iter().map(|&v| v.into()).collect();
    if let Some(bounds) = of(".bound") {
        let mut all = ours.iter().zip(torch).zip(bounds);
        return match all.find(|((a, b), bound)| (**a - **b).abs() > **bound) {
            None => Ok(()),
            Some(((a, b), bound)) => Err(format!("{name}: {a}, PyTorch has {b}, allowed {bound}")),
        };
    }
    let errors = |values: &[f64]| values.iter().zip(truth).map(|(a, b)| a - b).collect::<Vec<f64>>();
    let (our_errors, their_errors) = (errors(&ours), errors(torch));
    let [a, b, size] = [&our_errors[..], &their_errors, truth].map(|v| root_mean_square(v.iter().copied()));
    println!("{name}: root mean square {size:.3}, errors {a:.2e}, PyTorch's {b:.2e}");
    if a > 2.0 * b + U * size {
        return Err(format!("{name}: errors of {a}, PyTorch's are of {b}"));
    }
    let [a, b, size] = [&our_errors[..], &their_errors, truth].map(|v| largest(v.iter().copied()));
    if a > 8.0 * (b + U * size) {
        return Err(format!("{name}: off by {a}, PyTorch by {b}"));
    }
    Ok(())
}

#[test]
fn outputs_and_gradients_are_autocasts() {
    let v = read("half");
    let mut wrong = Vec::new();
    for name in v.lines.keys() {
        let found = results(&v, name, Precision::Bf16);
        let theirs = v.tensors.keys().filter(|key| {
            let result = key.strip_prefix(&format!("{name}/")).unwrap_or_default();
            v.tensors.contains_key(&format!("{key}.f64")) && !result.is_empty()
        });
        assert_eq!(theirs.count(), found.len(), "{name}: PyTorch has other results than {:?}", found.keys());
        for (key, values) in &found {
            wrong.extend(check(&v, &format!("{name}/{key}"), values).err());
        }
    }
    assert!(v.lines.len() >= 14 && wrong.is_empty(), "{wrong:#?}");
}

/// f32 would be nearer to the truth than PyTorch's bf16: this is how it is known that bf16 was computed at all.
#[test]
fn products_are_rounded_to_bf16() {
    let v = read("half");
    // The truth of a single operation is that of rounded operands: a test below looks at what those give.
    let networks: Vec<&String> =
        v.lines.keys().filter(|name| !v.tensors.contains_key(&format!("{name}/y.bound"))).collect();
    assert!(networks.len() >= 7);
    for name in networks {
        let truth = &v.tensors[&format!("{name}/y.f64")].1;
        let off = |precision| {
            let y = &results(&v, name, precision)["y"];
            root_mean_square(y.iter().zip(truth).map(|(a, b)| f64::from(*a) - b))
                / root_mean_square(truth.iter().copied())
        };
        // A rounding to 8 bits is off by about a third of the largest error, `u`; networks have several.
        let (half, single) = (off(Precision::Bf16), off(Precision::F32));
        assert!(half > U / 10.0, "{name}: {half}");
        assert!(single < half / 1000.0, "{name}: {single} in f32, {half} in bf16");
    }
}

/// Whether every number of what `nodes` give is one of bf16: the lower half of its bits is zero.
fn gives_bf16(input: &[u16], nodes: &[Node], mode: Mode) -> bool {
    let lowered = Lowered::new(Graph::new(Format::F32, Shape::new(input), nodes)).unwrap();
    let lowered = lowered.in_precision(Precision::Bf16);
    let tensors = Tensors::upload(&lowered, &random_parameters(&lowered), &Device::flex()).unwrap();
    let size: usize = input.iter().map(|&dim| usize::from(dim)).product();
    let x = upload(super::check::numbers(1, 4 * size), &Device::flex()).reshape([4, size]);
    let (y, statistics) = lowered.forward(&tensors, x, mode);
    // What steps on from batch to batch is f32.
    let f32s = statistics.iter().all(|s| [s.mean.dtype(), s.variance.dtype()] == [DType::F32; 2]);
    assert!(f32s && y.dtype() == DType::F32);
    numbers(y).iter().all(|v| v.to_bits() & 0xffff == 0)
}

/// The lists of autocast: what comes out of a product is bf16 and stays so through what moves, chooses or averages numbers;
/// what exponentiates or normalises, and a residual sum with f32, is f32.
#[test]
fn results_are_bf16_or_f32_as_autocasts_lists_say() {
    let image = |node: Node| vec![conv2d(4, 3).no_bias(), node];
    let sequence = |node: Node| vec![sequence_linear(6), node];
    let train = Mode::Train { seed: 3, first_sample: 0 };
    let halves = [
        (&[2, 6, 6][..], image(relu())),
        (&[2, 6, 6], image(leaky_relu(0.1))),
        (&[2, 6, 6], image(sigmoid())),
        (&[2, 6, 6], image(batch_norm())),
        (&[2, 6, 6], image(max_pool2d(2))),
        (&[2, 6, 6], image(average_pool2d(2))),
        (&[2, 6, 6], image(global_average_pool())),
        (&[2, 6, 6], image(dropout(0.3))),
        (&[2, 6, 6], image(upsample_bilinear2d(2))),
        (&[2, 6, 6], image(transpose())),
        (&[2, 6, 6], image(conv_transpose2d(2, 3))),
        (&[5, 6], sequence(gelu())),
        (&[5, 6], sequence(last_position())),
        (&[5, 6], sequence(attention(2))),
        (&[5, 6], vec![sequence_linear(6), sequence_linear(6), add(0)]),
        (&[6], vec![linear(6), relu(), linear(3), concat(1)]),
    ];
    for (input, nodes) in halves {
        for mode in [Mode::Predict, train] {
            assert!(gives_bf16(input, &nodes, mode), "{nodes:?} {mode:?}");
        }
    }
    let wholes = [
        (&[2, 6, 6][..], image(group_norm(2))),
        (&[5, 6], sequence(sequence_layer_norm())),
        (&[5, 6], sequence(softmax())),
        (&[5, 6], sequence(positional_encoding())),
        (&[5, 6], sequence(lstm(3))),
        (&[5, 6], vec![sequence_linear(6), Node::new(emberlite::op::Op::Add).from_input()]),
        (&[5, 6], vec![sequence_linear(6), concat(0).from_input()]),
        (&[6], vec![linear(6), layer_norm()]),
    ];
    for (input, nodes) in wholes {
        for mode in [Mode::Predict, train] {
            assert!(!gives_bf16(input, &nodes, mode), "{nodes:?} {mode:?}");
        }
    }
}

/// The runner sees what is wrong: a bias that is left out, and one number off by a fifth of the largest.
#[test]
fn a_wrong_result_is_seen() {
    let v = read("half");
    for name in ["linear", "block"] {
        let name = format!("{name}/y");
        let mut y = v.single(&name);
        assert_eq!(check(&v, &name, &y), Ok(()));
        y[3] += y.iter().fold(0.0f32, |m, v| m.max(v.abs())) / 5.0;
        assert!(check(&v, &name, &y).is_err(), "{name}");
    }
    let bias = v.single("linear/parameter/0.bias");
    let y: Vec<f32> = v.single("linear/y").iter().zip(bias.iter().cycle()).map(|(y, b)| y - b).collect();
    assert!(check(&v, "linear/y", &y).is_err());
}
