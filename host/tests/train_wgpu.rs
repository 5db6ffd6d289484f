//! The GPU's code against the CPU's, on whatever adapter there is; a software one such as Mesa's lavapipe will do.
//!
//! **How far the two may be apart.** With `u = 2^-24`, a sum of `n` terms in any order is off by `c sqrt(n) u` times
//! the sum of their magnitudes, but for a probability of `2 exp(-c^2 / 2)` (Higham and Mary, "A new approach to
//! probabilistic rounding error analysis", theorem 2.4, to first order), and an operation of the shading language
//! (`exp`, `tanh`, a division, a root) by at most 8 `u`. The sums of a network, forward and back, have
//! [`Case::roundings`] terms in all, so losses and gradients of two devices differ by
//! `e = 2 c sqrt(roundings) u magnitude`, where [`Case::magnitude`] bounds a sum's magnitudes. An update brings
//! [`Case::step`] times `e` into the parameters, `n` updates as much as the root of `n`. What learning makes of a
//! difference is measured on the CPU, from parameters moved by a little, up or down at random as roundings do. On
//! lavapipe the two differ by 3e-8, a hundredth of the bound and less.
#![cfg(feature = "wgpu")]

use emberlite::graph::*;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Clip, Optimizer};
use emberlite::plan::Training;
use emberlite_host::Parameters;
use emberlite_host::data::{Dataset, Labels, random};
use emberlite_host::train::*;

/// Half a unit in the last place of a number at 1.
const U: f64 = f32::EPSILON as f64 / 2.0;
/// `c`: fails by chance once in 100,000.
const SURE: f64 = 5.0;
const EPOCHS: u32 = 3;

struct Case<'a> {
    graph: Graph<'a>,
    training: Training,
    set: Dataset,
    /// Terms of each layer's longest sum and 8 for its operation, forward and back, added up.
    roundings: u32,
    /// Above the sum of magnitudes in any sum.
    magnitude: f64,
    /// What an update makes of a gradient's difference, at most.
    step: f64,
}

/// A number for the losses and one for the parameters.
struct Pair {
    losses: f64,
    parameters: f64,
}

impl Case<'_> {
    fn train(
        &self,
        training: &Training,
        devices: impl Into<Devices>,
        initial: Option<&Parameters>,
    ) -> Result<Trained, TrainError> {
        let mut silent = Silent;
        let Devices { first: device, replicas } = devices.into();
        let job = Job::new(self.graph, training, &self.set, &mut silent);
        train(Job { epochs: EPOCHS, seed: 5, device, replicas, initial, ..job })
    }

    fn cpu(&self, training: &Training, initial: Option<&Parameters>) -> Trained {
        self.train(training, DeviceChoice::Cpu, initial).unwrap()
    }

    /// How far another device may be from the CPU.
    fn tolerance(&self) -> Pair {
        let updates = EPOCHS * self.set.len().div_ceil(self.training.batch as usize) as u32;
        let gradients = 2.0 * SURE * f64::from(self.roundings).sqrt() * U * self.magnitude;
        let moved = f64::from(updates).sqrt() * self.step * gradients;
        let Pair { losses, parameters } = self.magnification();
        Pair { losses: gradients + losses * moved, parameters: parameters * moved }
    }

    /// By how much learning magnifies a difference of parameters.
    fn magnification(&self) -> Pair {
        // So low a rate changes nothing: these are the initial parameters.
        let still = Training { optimizer: Optimizer::sgd(f32::MIN_POSITIVE), ..self.training };
        let initial = self.cpu(&still, None).parameters;
        // Far above rounding, far below what bends a loss.
        let step = 2f32.powi(-10);
        let mut moved = Parameters::new();
        for (node, kind, values) in initial.iter() {
            let sign = |i: usize| if random::hash(3, i as u64).is_multiple_of(2) { step } else { -step };
            moved.set(node, kind, values.iter().enumerate().map(|(i, x)| x + sign(i)).collect());
        }
        let [a, b] = [&initial, &moved].map(|start| self.cpu(&self.training, Some(start)));
        let Pair { losses, parameters } = difference(&a, &b);
        Pair { losses: losses / f64::from(step), parameters: parameters / f64::from(step) }
    }

    /// Trains on the CPU and on the adapter, and compares; says so where there is no adapter.
    fn agrees(&self) {
        self.agrees_on(DeviceChoice::Wgpu(None).into());
    }

    fn agrees_on(&self, devices: Devices) {
        let gpu = match self.train(&self.training, devices, None) {
            Ok(trained) => trained,
            Err(error @ TrainError::Device { .. }) => return eprintln!("skipped: {error}"),
            Err(error) => panic!("{error}"),
        };
        let within = |what: &str, found: &Pair, allowed: &Pair| {
            println!("{what}: losses differ by {:.1e}, allowed {:.1e}", found.losses, allowed.losses);
            println!("{what}: parameters differ by {:.1e}, allowed {:.1e}", found.parameters, allowed.parameters);
            found.losses <= allowed.losses && found.parameters <= allowed.parameters
        };
        let allowed = self.tolerance();
        assert!(within("GPU and CPU", &difference(&self.cpu(&self.training, None), &gpu), &allowed), "the two differ");
        // What the bound can tell apart: a rate that is off by a half.
        let mut wrong = self.training;
        match &mut wrong.optimizer {
            Optimizer::Sgd { learning_rate, .. } | Optimizer::AdaGrad { learning_rate, .. } => *learning_rate *= 1.5,
            other => panic!("{other:?}"),
        }
        assert!(
            !within("a control that must differ", &difference(&self.cpu(&wrong, None), &gpu), &allowed),
            "the case shows nothing"
        );
    }
}

/// How far two runs are apart.
fn difference(a: &Trained, b: &Trained) -> Pair {
    let losses = a.history.iter().zip(&b.history).map(|(a, b)| (a.train_loss - b.train_loss).abs());
    let tensors = a.parameters.iter().zip(b.parameters.iter());
    let parameters = tensors.flat_map(|((.., a), (.., b))| a.iter().zip(b));
    let parameters = parameters.map(|(a, b)| f64::from((a - b).abs()));
    Pair { losses: largest(losses), parameters: largest(parameters) }
}

/// The largest difference; one that isn't a number is larger than any.
fn largest(differences: impl Iterator<Item = f64>) -> f64 {
    differences.fold(0.0, |most, d| if d <= most || most.is_nan() { most } else { d })
}

fn number(i: usize) -> f32 {
    (random::hash(9, i as u64) % 2000) as f32 / 1000.0 - 1.0
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
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::momentum(0.02, 0.5)).batch(8);
    Case {
        graph: Graph::new(Format::F32, Shape::d1(6), &nodes),
        training: training.clip(Clip::GlobalNorm(0.5)),
        set: classes(&[6], 32),
        // Sums over at most 8 inputs, outputs or samples, twice in the norm: 9 each way of 9 and 8, 18 and 8 in the
        // norm, the loss and the division by the batch. The length of all 170 gradients: half as many, being a root.
        roundings: 2 * (9 * (9 + 8) + 18) + 85,
        // Weights of at most 1/sqrt(inputs) and what is within ±2 behind a norm: sqrt(8) * 2.
        magnitude: 6.0,
        // The rate, and what momentum adds up to.
        step: 0.02 / (1.0 - 0.5),
    }
    .agrees();
}

/// Two GPUs, or one that two threads share.
#[test]
fn several_devices_come_to_what_one_comes_to() {
    let nodes = [linear(8), relu(), linear(2)];
    Case {
        graph: Graph::new(Format::F32, Shape::d1(6), &nodes),
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.05)).batch(8),
        set: classes(&[6], 32),
        // As above: three layers and the loss each way, sums over at most 8; two devices' gradients and a division.
        roundings: 2 * 4 * (9 + 8) + 4,
        magnitude: 6.0,
        step: 0.05,
    }
    .agrees_on("wgpu,wgpu".parse().unwrap());
}

/// WGSL has no bf16: the device says so by its name, before the first step. One that has it must learn as f32 does.
#[test]
fn bf16_is_refused_by_name_or_trains() {
    let nodes = [linear(8), relu(), linear(2)];
    let graph = Graph::new(Format::F32, Shape::d1(6), &nodes);
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.05)).batch(8);
    let set = classes(&[6], 32);
    let run = |precision| {
        let mut silent = Silent;
        let host = HostSettings { precision, ..HostSettings::default() };
        let job = Job::new(graph, &training, &set, &mut silent);
        train(Job { host, epochs: EPOCHS, seed: 5, device: DeviceChoice::Wgpu(None), ..job })
    };
    let wide = match run(Precision::F32) {
        Ok(trained) => trained,
        Err(error @ TrainError::Device { .. }) => return eprintln!("skipped: {error}"),
        Err(error) => panic!("{error}"),
    };
    let found = devices().into_iter().filter(|device| device.choice.starts_with("wgpu:"));
    let has = found.flat_map(|device| device.precisions).any(|precision| precision == Precision::Bf16);
    match run(Precision::Bf16) {
        Ok(narrow) => {
            assert!(has, "a device that isn't listed with bf16 trained in it");
            // Two layers of 2^-8 a rounding, each of at most eight on the way there and back, and a loss of about 0.7.
            let allowed = 16.0 / 256.0 * 0.7;
            let apart = difference(&wide, &narrow).losses;
            assert!(apart > 0.0 && apart <= allowed, "losses differ by {apart}");
        }
        Err(error) => {
            let said = error.to_string();
            assert!(
                said.starts_with("device `wgpu`: precision = \"bf16\" needs a device that computes in bf16, and "),
                "{said}"
            );
            assert!(said.contains("doesn't; give precision = \"f32\", or choose a device"), "{said}");
        }
    }
}

#[test]
fn a_convolutional_network_over_images() {
    let nodes = [
        conv2d(4, 3).padding(1),
        batch_norm(),
        relu(),
        max_pool2d(2),
        conv2d(4, 2).groups(2),
        sigmoid(),
        global_average_pool(),
        linear(2),
    ];
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.05)).batch(4).penalty(1e-3, 1e-3);
    Case {
        graph: Graph::new(Format::F32, Shape::d3(2, 4, 4), &nodes),
        training,
        set: classes(&[2, 4, 4], 16),
        // Forward: 18 terms of the first convolution, twice 4 * 16 of the norm, 8 of the second convolution, 4 of the
        // linear layer. Back: the same, and 4 * 16 places in the first convolution's gradient. 8 for each of 9
        // operations.
        roundings: 2 * (18 + 128 + 8 + 4 + 9 * 8) + 64,
        // Behind the norm about ±3, means of magnitudes elsewhere.
        magnitude: 3.0,
        step: 0.05,
    }
    .agrees();
}

#[test]
fn a_convolutional_network_over_sequences_predicts_values() {
    let nodes = [conv1d(4, 3).stride(2).padding(1), relu6(), average_pool1d(2), flatten(), linear(1)];
    let features: Vec<f32> = (0..32 * 24).map(number).collect();
    let labels = Labels::Value(features.chunks(24).map(|x| x[..12].iter().sum()).collect());
    // An epsilon so large that a step is a smooth function of a small gradient; else its sign alone would decide.
    let optimizer = Optimizer::AdaGrad {
        learning_rate: 0.02,
        epsilon: 0.1,
        weight_decay: 0.0,
        learning_rate_decay: 0.0,
        initial: 0.0,
    };
    Case {
        graph: Graph::new(Format::F32, Shape::d2(2, 12), &nodes),
        training: Training::new(Loss::Huber { delta: 0.5 }, optimizer).batch(8),
        set: Dataset::new(features, vec![2, 12], labels).unwrap(),
        // Forward: 6 terms of the convolution, 2 of the pool, 12 of the linear layer. Back: the same, and 8 * 6 places
        // in the convolution's gradient. 8 for each of 7 operations.
        roundings: 2 * (6 + 2 + 12 + 7 * 8) + 48,
        // Targets of up to 12 times 1.
        magnitude: 12.0,
        // The rate over the epsilon.
        step: 0.02 / 0.1,
    }
    .agrees();
}
