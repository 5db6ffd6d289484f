//! The GPU's code against the CPU's, on whatever adapter there is; a software one such as Mesa's lavapipe will do.
#![cfg(feature = "wgpu")]

use emberlite::graph::*;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Clip, Optimizer};
use emberlite::plan::Training;
use emberlite_host::data::{Dataset, Labels, random};
use emberlite_host::train::*;

fn number(i: usize) -> f32 {
    (random::hash(9, i as u64) % 2000) as f32 / 1000.0 - 1.0
}

/// Trains on the CPU and on the adapter; false where there is none.
fn agrees(graph: Graph<'_>, training: &Training, set: &Dataset) -> bool {
    let run = |device| {
        let mut silent = Silent;
        train(Job { epochs: 3, seed: 5, device, ..Job::new(graph, training, set, &mut silent) })
    };
    let gpu = match run(DeviceChoice::Wgpu) {
        Ok(trained) => trained,
        Err(error @ TrainError::Device { .. }) => {
            eprintln!("skipped: {error}");
            return false;
        }
        Err(error) => panic!("{error}"),
    };
    let cpu = run(DeviceChoice::Cpu).unwrap();
    // Sums of at most 100 products in another order, and the shading language's exp and division are within 4 units in the
    // last place: 2 * 104 * 2^-24 relative to magnitudes of at most 8, in each of 12 updates. The rates are so low that
    // an update magnifies the parameters' difference by less than 2 in all.
    let tolerance = 2.0 * 104.0 * 8.0 * 12.0 * 2.0 * f64::from(f32::EPSILON) / 2.0;
    for (a, b) in cpu.history.iter().zip(&gpu.history) {
        assert!(
            (a.train_loss - b.train_loss).abs() <= tolerance,
            "epoch {}: {} and {}",
            a.epoch,
            a.train_loss,
            b.train_loss
        );
    }
    assert!(cpu.history[2].train_loss < cpu.history[0].train_loss - 10.0 * tolerance, "the case shows nothing");
    for ((node, kind, a), (_, _, b)) in cpu.parameters.iter().zip(gpu.parameters.iter()) {
        for (a, b) in a.iter().zip(b) {
            assert!(f64::from((a - b).abs()) <= tolerance, "node {node} {kind:?}: {a} and {b}");
        }
    }
    true
}

fn classes(shape: &[usize], samples: usize) -> Dataset {
    let size: usize = shape.iter().product();
    let features: Vec<f32> = (0..samples * size).map(number).collect();
    // Something to learn: whether the sample's first half is larger than its second.
    let half = |x: &[f32]| u32::from(x[..size / 2].iter().sum::<f32>() > x[size / 2..].iter().sum());
    let ids = features.chunks(size).map(half).collect();
    Dataset::new(features, shape.to_vec(), Labels::Class { ids, names: vec!["a".into(), "b".into()] }).unwrap()
}

#[test]
fn an_mlp_with_every_kind_of_vector_operation() {
    let nodes = [linear(8), layer_norm(), tanh(), linear(8), add(2), leaky_relu(0.1), dropout(0.2), linear(2)];
    let graph = Graph::new(Format::F32, Shape::d1(6), &nodes);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::momentum(0.02, 0.5)).batch(8);
    agrees(graph, &training.clip(Clip::GlobalNorm(0.5)), &classes(&[6], 32));
}

#[test]
fn a_convolutional_network_over_images() {
    let nodes = [
        conv2d(4, 3).padding(1),
        batch_norm(),
        relu(),
        max_pool2d(2),
        conv2d(4, 3).groups(2),
        sigmoid(),
        global_average_pool(),
        linear(2),
    ];
    let graph = Graph::new(Format::F32, Shape::d3(2, 6, 6), &nodes);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.05)).batch(8).penalty(1e-3, 1e-3);
    agrees(graph, &training, &classes(&[2, 6, 6], 32));
}

#[test]
fn a_convolutional_network_over_sequences_predicts_values() {
    let nodes = [conv1d(4, 3).stride(2).padding(1), relu6(), average_pool1d(2), flatten(), linear(1)];
    let graph = Graph::new(Format::F32, Shape::d2(2, 12), &nodes);
    let training = Training::new(Loss::Huber { delta: 0.5 }, Optimizer::ada_grad(0.02)).batch(8);
    let features: Vec<f32> = (0..32 * 24).map(number).collect();
    let labels = Labels::Value(features.chunks(24).map(|x| x[..12].iter().sum()).collect());
    agrees(graph, &training, &Dataset::new(features, vec![2, 12], labels).unwrap());
}
