//! Whole networks: what training makes of them is what PyTorch makes of them, and every gradient is a slope.
//!
//! The final weights are compared with PyTorch's float64 run. No theory bounds the rounding of fifty steps usefully,
//! so the vectors carry a measured `spread`: how far the final weights move if every step of the float64 run is
//! disturbed by as much as float32 rounding does (see `tests/reference/README.md`). The largest of eight such runs,
//! doubled for the tail that eight draws don't show, is the bound; training moved the weights at least 500 times as
//! far, and PyTorch's own float32 must be inside.

mod machine;
mod slopes;
mod updates;

use emberlite::graph::{
    Node, Shape, add, conv1d, conv2d, flatten, global_average_pool, layer_norm, linear, max_pool2d, relu,
};
use emberlite::image::Kind;
use emberlite::loss::{Loss, Target};
use emberlite::optimizer::{Clip, Optimizer};
use emberlite::plan::Training;
use emberlite_tests::reference::{Case, UNIT, Vectors, Verdict};
use machine::{Loaded, Machine};

/// A network as we write it, and for each of torch's layer names the node it is.
fn network(name: &str) -> (Vec<Node>, &'static [(&'static str, u8)]) {
    match name {
        "mlp_sgd" | "mlp_adam" | "mlp_momentum_clip" => (vec![linear(32), relu(), linear(10)], &[("0", 0), ("2", 2)]),
        "cnn_sgd" => {
            let nodes = vec![
                conv2d(8, 3).padding(1),
                relu(),
                max_pool2d(2),
                conv2d(16, 3).padding(1),
                relu(),
                max_pool2d(2),
                flatten(),
                linear(10),
            ];
            (nodes, &[("0", 0), ("3", 3), ("7", 7)])
        }
        "residual_sgd" => {
            let nodes = vec![
                conv1d(8, 3).padding(1),
                relu(),
                conv1d(8, 3).padding(1),
                add(1),
                layer_norm(),
                relu(),
                global_average_pool(),
                linear(5),
            ];
            (nodes, &[("stem", 0), ("body", 2), ("norm", 4), ("head", 7)])
        }
        other => panic!("no network {other} here"),
    }
}

/// The training settings of a case.
fn training(case: &Case<'_>) -> Training {
    let rate = case.number("lr");
    let optimizer = match case.text("rule") {
        "adam" => Optimizer::Adam {
            learning_rate: rate,
            beta1: case.number("beta1"),
            beta2: case.number("beta2"),
            epsilon: case.number("eps"),
            weight_decay: 0.0,
        },
        _ => Optimizer::momentum(rate, case.get("momentum").map_or(0.0, |_| case.number("momentum"))),
    };
    let clip = case.get("clip").map_or(Clip::None, |_| Clip::GlobalNorm(case.number("clip")));
    Training::new(Loss::SoftmaxCrossEntropy, optimizer).batch(case.number("batch") as u32).clip(clip)
}

/// The node and kind of one of torch's names.
fn locate(name: &str, names: &[(&str, u8)]) -> (u8, Kind) {
    let (layer, tensor) = name.split_once('.').unwrap();
    let (_, node) = names.iter().find(|(known, _)| *known == layer).unwrap_or_else(|| panic!("no node for {name}"));
    (*node, if tensor == "weight" { Kind::Weight } else { Kind::Bias })
}

/// The initial parameters of a case.
fn initial(case: &Case<'_>, names: &[(&str, u8)]) -> Vec<Loaded> {
    let tensor = |name: &str| {
        let (node, kind) = locate(name, names);
        (node, kind, case.f32(&format!("initial/{name}")))
    };
    case.below("initial").into_iter().map(tensor).collect()
}

#[test]
#[cfg_attr(feature = "micromath", ignore = "what it is compared with has exact roots")]
fn training_ends_where_pytorchs_does() {
    let (vectors, mut verdict) = (Vectors::open("networks"), Verdict::default());
    for case in vectors.cases() {
        let (nodes, names) = network(case.name());
        let tensors = initial(&case, names);
        let mut machine = Machine::new(Shape::new(&case.sizes("input")), &nodes, training(&case), &tensors);

        let (x, label) = (case.f32("x"), case.f64("label"));
        let samples: Vec<&[f32]> = x.chunks(x.len() / label.len()).collect();
        let (steps, batch) = (case.number("steps") as usize, case.number("batch") as usize);
        let mut losses = Vec::new();
        for step in 0..steps {
            let mut loss = 0.0;
            for i in (step * batch..(step + 1) * batch).map(|i| i % samples.len()) {
                loss += f64::from(machine.train(samples[i], Target::Class(label[i] as u16)));
            }
            losses.push((loss / batch as f64) as f32);
        }

        for name in case.below("final") {
            let (node, kind) = locate(name, names);
            let (field, what) = (format!("final/{name}"), format!("{} {name}", case.name()));
            let (truth, start) = (case.truth(&field), case.f32(&format!("initial/{name}")));
            let spread = 2.0 * case.f64(&format!("spread/{name}"))[0];
            let moved = truth.iter().zip(start).map(|(w, w0)| (w - f64::from(w0)).abs()).fold(0.0, f64::max);
            assert!(
                spread < moved / 500.0,
                "{what}: a bound of {spread:.1e} says little where training moved {moved:.1e}"
            );
            verdict.compare(&what, &machine.trained(node, kind), truth, &vec![spread; truth.len()]);
            verdict.compare(&format!("torch's {what}"), &case.f32(&field), truth, &vec![spread; truth.len()]);
        }
        // The loss itself is rounded too: its sum of n exponentials by about n units, 16 for the few classes here.
        let spread = 2.0 * case.f64("spread/loss")[0];
        let bound: Vec<f64> = case.truth("loss").iter().map(|loss| spread + 16.0 * UNIT * (1.0 + loss)).collect();
        verdict.compare(&format!("{} losses", case.name()), &losses, case.truth("loss"), &bound);
    }
    verdict.close(20_000);
}

/// A wrong rule must not pass for a right one: plain descent instead of momentum ends elsewhere.
#[test]
fn another_rule_ends_elsewhere() {
    let vectors = Vectors::open("networks");
    let case = vectors.case("mlp_sgd");
    let (nodes, names) = network(case.name());
    let tensors = initial(&case, names);
    // One percent more learning rate than the vectors'.
    let wrong = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(case.number("lr") * 1.01));
    let mut machine = Machine::new(Shape::d1(64), &nodes, wrong, &tensors);
    let (x, label) = (case.f32("x"), case.f64("label"));
    for (x, label) in x.chunks(64).zip(label) {
        machine.train(x, Target::Class(*label as u16));
    }
    let mut verdict = Verdict::default();
    for name in case.below("final") {
        let (node, kind) = locate(name, names);
        let truth = case.truth(&format!("final/{name}"));
        let bound = vec![2.0 * case.f64(&format!("spread/{name}"))[0]; truth.len()];
        verdict.compare(name, &machine.trained(node, kind), truth, &bound);
    }
    assert_eq!(verdict.failures(), 4, "every tensor must be outside");
}

/// Batch norm's statistics move with the accepted step: PyTorch's `running_mean` and `running_var`.
///
/// `(1 - m) old + m new`: `new` is a mean (n + 1 units) or an unbiased variance (n + 7 and the mean's error squared,
/// see `reference_ops/bounds.rs`), then four more roundings.
#[test]
fn running_statistics_move_as_pytorchs() {
    let (vectors, mut verdict) = (Vectors::open("operations"), Verdict::default());
    for case in vectors.cases().filter(|case| case.text("op") == "batchnorm" && case.flag("training")) {
        let tensors: Vec<Loaded> = [
            (Kind::Weight, "weight"),
            (Kind::Bias, "bias"),
            (Kind::RunningMean, "running_mean"),
            (Kind::RunningVariance, "running_var"),
        ]
        .map(|(kind, field)| (0, kind, case.f32(field)))
        .to_vec();
        let node = emberlite::graph::batch_norm();
        let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.01));
        let mut machine = Machine::new(Shape::new(&case.sizes("input")), &[node], training, &tensors);
        let before = machine.trained(0, Kind::RunningMean);
        assert_eq!(before, case.f32("running_mean"));
        machine.evaluate(&case.f32("x"), Target::Values(&case.f32("dy")));
        assert_eq!(before, machine.trained(0, Kind::RunningMean), "{}: evaluation moves statistics", case.name());
        machine.train(&case.f32("x"), Target::Values(&case.f32("dy")));
        let channels = before.len();
        let n = case.f64("x").len() / channels;
        let mut bounds = [Vec::new(), Vec::new()];
        for x in case.f64("x").chunks(n) {
            let size = x.iter().map(|x| x.abs()).sum::<f64>() / n as f64;
            let mean = x.iter().sum::<f64>() / n as f64;
            let variance = x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1) as f64;
            bounds[0].push((n as f64 + 6.0) * UNIT * size);
            let shift = (n as f64 + 1.0) * UNIT * size;
            bounds[1].push((n as f64 + 12.0) * UNIT * variance + 2.0 * shift * shift);
        }
        for ((kind, field), bound) in
            [(Kind::RunningMean, "running_mean"), (Kind::RunningVariance, "running_var")].into_iter().zip(bounds)
        {
            let old = case.f64(field).iter();
            let bound: Vec<f64> = bound.iter().zip(old).map(|(new, old)| 0.1 * new + 4.0 * UNIT * old.abs()).collect();
            let field = format!("{field}_after");
            let what = format!("{} {field}", case.name());
            verdict.compare(&what, &machine.trained(0, kind), case.truth(&field), &bound);
        }
    }
    verdict.close(18);
}
