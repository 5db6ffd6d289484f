//! The host's own schedules, optimizers, losses and averages against PyTorch: `tests/reference/make_training.py`.

use super::average::Average;
use super::batches::Target;
use super::objective::Objective;
use super::optimizer::Stepper;
use super::settings::{Course, Ema, HostOptimizer, HostSchedule, HostSettings, Plateau, PlateauState};
use crate::Parameters;
use crate::lower::{Lowered, Tensors, download, upload};
use burn_tensor::{Device, Tensor, TensorData};
use emberlite::graph::{Graph, Shape, linear};
use emberlite::image::Kind;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use serde_json::Value;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/reference/vectors/training.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|x| x as f32).collect()
}

fn rows(value: &Value) -> Vec<Vec<f32>> {
    value.as_array().unwrap().iter().map(singles).collect()
}

fn close(what: &str, ours: &[f32], theirs: &[f64], tolerance: f64) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((f64::from(*a) - b).abs() <= tolerance, "{what}[{i}]: {a}, not {b}");
    }
}

/// Ours is the formula rounded once, theirs is in f64 with up to 60 products: half a unit of 0.1 and little more.
const RATE: f64 = 0.1 * 1.01 / (1u64 << 24) as f64;

#[test]
fn schedules_are_pytorchs() {
    let vectors = vectors();
    let (base, minimum) = (vectors["base"].as_f64().unwrap() as f32, vectors["minimum"].as_f64().unwrap() as f32);
    let courses = [
        ("linear", Course::Linear { steps: Some(40), minimum }),
        ("polynomial", Course::Polynomial { steps: Some(40), power: 2.0, minimum: 0.0 }),
        ("cosine", Course::Cosine { steps: Some(40), minimum }),
        ("cosine_restarts_2", Course::CosineRestarts { period: 7, growth: 2, minimum }),
        ("cosine_restarts_1", Course::CosineRestarts { period: 5, growth: 1, minimum }),
        ("one_cycle", Course::OneCycle { steps: None, rise: 0.3, division: 25.0, final_division: 1e4 }),
    ];
    for (name, course) in courses {
        let schedule = HostSchedule::new(course);
        assert_eq!(schedule.check(), Ok(()));
        let theirs = numbers(&vectors["schedules"][name]);
        let ours: Vec<f32> = (0..theirs.len() as u32).map(|step| schedule.rate(base, step, 60, 1.0)).collect();
        close(name, &ours, &theirs, RATE);
    }
}

#[test]
fn a_warm_up_comes_before_and_left_out_steps_are_the_rest() {
    let schedule = HostSchedule::new(Course::Linear { steps: None, minimum: 0.0 }).warmed_up(4, 0.5);
    let rates: Vec<f32> = (0..14).map(|step| schedule.rate(1.0, step, 12, 1.0)).collect();
    let by_hand = [0.5, 0.625, 0.75, 0.875, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0, 0.0];
    assert_eq!(rates, by_hand);
}

#[test]
fn a_plateau_is_pytorchs() {
    let vectors = vectors();
    let base = vectors["base"].as_f64().unwrap() as f32;
    let cases = vectors["plateaus"].as_array().unwrap();
    assert_eq!(cases.len(), 3);
    for case in cases {
        let number = |key: &str| case[key].as_f64().unwrap();
        let plateau = Plateau {
            monitor: None,
            factor: 0.5,
            patience: number("patience") as u32,
            threshold: number("threshold"),
            cooldown: number("cooldown") as u32,
            minimum: number("minimum") as f32,
        };
        let schedule = HostSchedule::new(Course::Plateau(plateau.clone()));
        let mut state = PlateauState::default();
        let rates = numbers(&case["figures"]).into_iter().map(|figure| {
            state.see(&plateau, case["mode"] == "max", Some(figure), base);
            schedule.rate(base, 0, 1, state.factor)
        });
        close("plateau", &rates.collect::<Vec<_>>(), &numbers(&case["rates"]), RATE);
    }
}

#[test]
fn optimizers_are_pytorchs_and_their_papers() {
    let vectors = vectors();
    let v = &vectors["optimizers"];
    let (learning_rate, beta1, beta2, epsilon, weight_decay, rho) = (0.05, 0.9, 0.99, 1e-6, 0.02, 0.9);
    let rules = [
        HostOptimizer::Nadam { learning_rate, beta1, beta2, epsilon, weight_decay },
        HostOptimizer::Adamax { learning_rate, beta1, beta2, epsilon, weight_decay },
        HostOptimizer::Adadelta { learning_rate, rho, epsilon, weight_decay },
        HostOptimizer::Lion { learning_rate, beta1, beta2, weight_decay },
        HostOptimizer::Lamb { learning_rate, beta1, beta2, epsilon, weight_decay },
    ];
    let nodes = [linear(3).no_bias()];
    let lowered = Lowered::new(Graph::new(Format::F32, Shape::d1(4), &nodes)).unwrap();
    let device = Device::flex();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.1));
    for rule in rules {
        let host = HostSettings { optimizer: Some(rule), ..HostSettings::default() };
        host.check(&training, 1).unwrap();
        let mut parameters = Parameters::new();
        parameters.set(0, Kind::Weight, singles(&v["initial"]));
        let mut tensors = Tensors::upload(&lowered, &parameters, &device).unwrap();
        let mut stepper = Stepper::new(&training, &host, &lowered, &device, 10);
        let mut seen = Vec::new();
        for gradient in rows(&v["gradients"]) {
            stepper.step(&mut tensors, vec![upload(gradient, &device)]);
            seen.push(download(tensors.tensor(&stepper.slots()[0])).unwrap());
        }
        for (at, theirs) in v["steps"].as_array().unwrap().iter().zip(v[rule.name()].as_array().unwrap()) {
            // A step has at most 20 roundings of numbers below 2, and quotients by roots of squares above 1e-3 magnify
            // them by less than 8; ten of them, at a rate of 0.05.
            let tolerance = 10.0 * 20.0 * 2.0 * 8.0 * 0.05 * f64::from(f32::EPSILON);
            close(rule.name(), &seen[at.as_u64().unwrap() as usize - 1], &numbers(theirs), tolerance);
        }
    }
}

#[test]
fn label_smoothing_and_class_weights_are_pytorchs() {
    let vectors = vectors();
    let v = &vectors["losses"];
    let device = Device::flex();
    let logits = rows(&v["logits"]);
    let (samples, classes) = (logits.len(), logits[0].len());
    let ids: Vec<i32> = numbers(&v["labels"]).into_iter().map(|id| id as i32).collect();
    let weights = singles(&v["weights"]);
    let cases = v["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let (weighted, shared) = (case["weighted"] == true, case["target"] == "shares");
        let host = HostSettings {
            label_smoothing: case["smoothing"].as_f64().unwrap() as f32,
            class_weights: weighted.then(|| weights.clone()),
            ..HostSettings::default()
        };
        let objective = Objective::new(Loss::SoftmaxCrossEntropy, &host, classes, &device);
        let labels = Tensor::from_data(TensorData::new(ids.clone(), [samples, 1]), &device);
        let (target, weight) = if shared {
            let shares: Vec<f32> = rows(&v["shares"]).concat();
            let shares = Tensor::from_data(TensorData::new(shares, [samples, classes]), &device);
            (Target::Shares(shares, Box::new(labels)), samples as f64)
        } else {
            (Target::Class(labels), ids.iter().map(|&id| objective.weight(id)).sum())
        };
        let x = Tensor::<2>::from_data(TensorData::new(logits.concat(), [samples, classes]), &device);
        let x = x.autodiff().require_grad();
        let value = objective.mean(x.clone(), &target, weight);
        let gradient: Vec<f32> = x.grad(&value.backward()).unwrap().into_data().iter::<f32>().collect();
        let value: f32 = value.without_autodiff().into_scalar();
        let what = case.to_string();
        // Sums of 24 terms below 16, each with at most 8 roundings.
        let tolerance = 24.0 * 16.0 * 8.0 * f64::from(f32::EPSILON) / 2.0;
        close(&what, &[value], &[case["loss"].as_f64().unwrap()], tolerance);
        let theirs: Vec<f64> = case["gradient"].as_array().unwrap().iter().flat_map(numbers).collect();
        close(&what, &gradient, &theirs, tolerance);
        // The sum over the batch is the mean times the weight.
        let sum: f32 = objective.sum(x, &target, weight).without_autodiff().into_scalar();
        close(&what, &[sum], &[case["loss"].as_f64().unwrap() * weight], tolerance * weight);
    }
}

/// Keras's `BinaryCrossentropy(label_smoothing)` and weights by class: by hand at logit ln 3, where p = 3/4.
#[test]
fn a_single_output_is_smoothed_and_weighted_too() {
    let device = Device::flex();
    let host = HostSettings { label_smoothing: 0.5, class_weights: Some(vec![1.0, 3.0]), ..HostSettings::default() };
    let objective = Objective::new(Loss::BinaryCrossEntropy, &host, 1, &device);
    let output = Tensor::<2>::from_data([[3f32.ln()], [3f32.ln()]], &device);
    let ids = Tensor::from_data([[0], [1]], &device);
    let target = Target::Marks(Tensor::from_data([[0.0], [1.0]], &device), Box::new(ids));
    let weight = objective.weight(0) + objective.weight(1);
    let value: f32 = objective.mean(output, &target, weight).into_scalar();
    // Targets 1/4 and 3/4: -(t ln 3/4 + (1 - t) ln 1/4).
    let of = |t: f64| -(t * 0.75f64.ln() + (1.0 - t) * 0.25f64.ln());
    close("binary", &[value], &[(of(0.25) + 3.0 * of(0.75)) / 4.0], 1e-6);
}

#[test]
fn the_moving_average_is_pytorchs() {
    let vectors = vectors();
    let v = &vectors["average"];
    let nodes = [linear(1).no_bias()];
    let lowered = Lowered::new(Graph::new(Format::F32, Shape::d1(5), &nodes)).unwrap();
    let device = Device::flex();
    let mut average = Average::new(Ema { decay: v["decay"].as_f64().unwrap() as f32 });
    for (weights, theirs) in rows(&v["weights"]).into_iter().zip(v["averages"].as_array().unwrap()) {
        let mut parameters = Parameters::new();
        parameters.set(0, Kind::Weight, weights);
        let tensors = Tensors::upload(&lowered, &parameters, &device).unwrap();
        average.update(&tensors, lowered.slots());
        let ours = average.applied(&tensors, lowered.slots()).download(&lowered).unwrap();
        // Three roundings a step of numbers below 2, eight steps; 1 - decay is rounded by half a unit of 1.
        let tolerance = 8.0 * 4.0 * 2.0 * f64::from(f32::EPSILON) / 2.0;
        close("average", ours.get(0, Kind::Weight).unwrap(), &numbers(theirs), tolerance);
    }
}

#[test]
fn a_layers_learning_rate_is_scaled() {
    let nodes = [linear(2).no_bias(), linear(2).no_bias()];
    let lowered = Lowered::new(Graph::new(Format::F32, Shape::d1(2), &nodes)).unwrap();
    let device = Device::flex();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.5));
    let host = HostSettings { learning_rate_scales: vec![0.25, 1.0], ..HostSettings::default() };
    let mut parameters = Parameters::new();
    for node in 0..2 {
        parameters.set(node, Kind::Weight, vec![1.0; 4]);
    }
    let mut tensors = Tensors::upload(&lowered, &parameters, &device).unwrap();
    let mut stepper = Stepper::new(&training, &host, &lowered, &device, 1);
    stepper.step(&mut tensors, vec![upload(vec![1.0; 4], &device), upload(vec![1.0; 4], &device)]);
    let after = tensors.download(&lowered).unwrap();
    assert_eq!(after.get(0, Kind::Weight), Some(&[0.875; 4][..]));
    assert_eq!(after.get(1, Kind::Weight), Some(&[0.5; 4][..]));
}
