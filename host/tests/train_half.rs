//! Training in bf16 with f32 weights, on the CPU: it learns what f32 learns, loses no small update, and is resumed to the bit.

mod cli_common;
mod train_common;

use cli_common::{Folder, done, emberlite, small};
use emberlite::graph::*;
use emberlite::image::Kind;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use emberlite_host::Parameters;
use emberlite_host::data::{CsvSpec, Dataset, Labels, csv, split};
use emberlite_host::train::*;
use serde_json::Value;
use std::fs;
use std::path::Path;
use train_common::{folder, waves};

fn half() -> HostSettings {
    HostSettings { precision: Precision::Bf16, ..HostSettings::default() }
}

/// A weight at 1 that each update moves by `2^-12`: Huber's gradient far from the target is delta, here `2^-4`, and the rate
/// is `2^-8`. The number before 1 in bf16 is `1 - 2^-8`, so a bf16 weight would round each of these updates away; the f32
/// weight is `1 - 16 * 2^-12` after 16 of them, with no rounding at all.
#[test]
fn updates_below_the_resolution_of_bf16_add_up() {
    let nodes = [linear(1).no_bias()];
    let graph = Graph::new(Format::F32, Shape::d1(1), &nodes);
    let (delta, rate, updates) = (2f32.powi(-4), 2f32.powi(-8), 16);
    let training = Training::new(Loss::Huber { delta }, Optimizer::sgd(rate)).batch(1);
    let set = Dataset::new(vec![1.0], vec![1], Labels::Value(vec![-3.0])).unwrap();
    let mut initial = Parameters::new();
    initial.set(0, Kind::Weight, vec![1.0]);
    let mut silent = Silent;
    let job = Job::new(graph, &training, &set, &mut silent);
    let job = Job { host: half(), epochs: updates, device: DeviceChoice::Cpu, initial: Some(&initial), ..job };
    let trained = train(job).unwrap();
    assert_eq!(trained.parameters.get(0, Kind::Weight).unwrap(), [1.0 - 16.0 * 2f32.powi(-12)]);
    // And it was bf16 that the outputs were: 1 or 1 - 2^-8, so that the losses, delta (output + 3 - delta / 2), are
    // multiples of 2^-12. In f32 they would go down by 2^-16 each time.
    assert!(trained.history.iter().all(|epoch| (epoch.train_loss * 4096.0).fract() == 0.0), "{:?}", trained.history);
}

/// Digits: training and validation part, pixels in 0..1, of the shape that the graph takes.
fn digits(shape: &[usize]) -> (Dataset, Dataset) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../data/digits.csv");
    let mut set = csv::read(path, &CsvSpec::class("digit").groups(["writer"])).unwrap();
    set.features.iter_mut().for_each(|v| *v /= 16.0);
    let (train, validation) = split::stratified(&set, 0.8, 1).unwrap().of(&set);
    (train.reshape(shape).unwrap(), validation.reshape(shape).unwrap())
}

/// What PyTorch's autocast makes of the same networks on the same digits, by `tests/reference/make_half.py`: a single training
/// ends higher or lower than that in f32 by chance, so the mean over seeds is compared. Means over n of our trainings and N of
/// theirs differ by a deviation of `s sqrt(1/n + 1/N)`, where s is that of one training; four of these are allowed.
#[test]
fn bf16_learns_digits_as_well_as_f32_and_as_autocast() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/reference/vectors/half_training.json");
    let theirs: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let perceptron = [linear(32), relu(), linear(10)];
    let convolutional =
        [conv2d(8, 3), batch_norm(), relu(), max_pool2d(2), conv2d(16, 3), relu(), flatten(), linear(10)];
    const SEEDS: u64 = 8;
    for (name, nodes, shape, epochs) in
        [("perceptron", &perceptron[..], &[64][..], 10), ("convolutional", &convolutional, &[1, 8, 8], 3)]
    {
        let (train_set, validation) = digits(shape);
        let dims: Vec<u16> = shape.iter().map(|&dim| dim as u16).collect();
        let graph = Graph::new(Format::F32, Shape::new(&dims), nodes);
        let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(32);
        let run = |host, seed| {
            let mut silent = Silent;
            let job = Job::new(graph, &training, &train_set, &mut silent);
            let job = Job { host, epochs, seed, validation: Some(&validation), device: DeviceChoice::Cpu, ..job };
            let trained = train(job).unwrap();
            let best = &trained.history[trained.best_epoch as usize - 1];
            let last = trained.history.last().unwrap().train_loss;
            (best.validation_accuracy.unwrap(), best.validation_loss.unwrap(), last, trained.parameters)
        };
        let mut sums = [0.0; 3];
        for seed in 0..SEEDS {
            let (wide, narrow) = (run(HostSettings::default(), seed), run(half(), seed));
            assert_ne!(wide.3, narrow.3, "bf16 wasn't used");
            let differences = [narrow.0 - wide.0, (narrow.1 / wide.1).ln(), (narrow.2 / wide.2).ln()];
            sums.iter_mut().zip(differences).for_each(|(sum, difference)| *sum += difference);
        }
        for (figure, sum) in ["accuracy", "validation_loss", "train_loss"].into_iter().zip(sums) {
            let number = |key: &str| theirs[name][figure][key].as_f64().unwrap();
            let off = sum / SEEDS as f64 - number("mean");
            let chance = (1.0 / SEEDS as f64 + 1.0 / theirs["seeds"].as_f64().unwrap()).sqrt() * number("deviation");
            println!("{name}, {figure}: {off:.4} from autocast, deviation {chance:.4}");
            assert!(off.abs() <= 4.0 * chance, "{name}, {figure}: {off} from autocast, deviation {chance}");
        }
    }
}

const NODES: [Node; 9] = [
    conv1d(5, 3),
    batch_norm(),
    relu(),
    dropout(0.25),
    transpose(),
    attention(1),
    lstm(4).last(),
    linear(6),
    linear(2),
];

fn run(host: HostSettings, epochs: u32, dir: Option<&Path>) -> Result<Trained, TrainError> {
    let (train_set, validation) = (waves(70, 1), waves(30, 2));
    let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.01)).batch(16);
    let mut silent = Silent;
    let graph = Graph::new(Format::F32, Shape::d2(2, 12), &NODES);
    let job = Job::new(graph, &training, &train_set, &mut silent);
    // Within an epoch too: five updates each.
    let checkpoint = dir.map(|dir| Checkpoint { every_steps: Some(2), ..Checkpoint::new(dir) });
    let (resume, device) = (dir.is_some_and(|dir| dir.join("checkpoint.safetensors").exists()), DeviceChoice::Cpu);
    train(Job { host, epochs, seed: 3, validation: Some(&validation), device, checkpoint, resume, ..job })
}

#[test]
fn a_resumed_run_gives_the_bits_of_an_uninterrupted_one() {
    let settings = HostSettings { ema: Some(Ema { decay: 0.9 }), ..half() };
    let whole = run(settings.clone(), 4, None).unwrap();
    let dir = folder("half-resume");
    let losses = |trained: &Trained| -> Vec<_> {
        trained.history.iter().map(|epoch| (epoch.train_loss, epoch.validation_loss)).collect()
    };
    // Cut short by updates: in the second epoch, at the end of the third, then to the end.
    for (updates, epochs) in [(Some(7), 4), (None, 3), (None, 4)] {
        let part = run(HostSettings { max_steps: updates, ..settings.clone() }, epochs, Some(&dir)).unwrap();
        if updates.is_none() {
            assert_eq!(losses(&part), losses(&whole)[..epochs as usize]);
        }
    }
    let resumed = run(settings, 4, Some(&dir)).unwrap();
    assert_eq!(losses(&resumed), losses(&whole));
    assert_eq!(resumed.parameters, whole.parameters);
}

#[test]
fn a_checkpoint_names_its_precision_and_goes_on_in_no_other() {
    let dir = folder("half-identity");
    run(half(), 1, Some(&dir)).unwrap();
    let bytes = fs::read(dir.join("checkpoint.safetensors")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains(r#"[\"precision\",\"bf16\"]"#), "{}", &text[..2000.min(text.len())]);
    // What is kept is f32, every tensor.
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert!(file.len() > 10 && file.iter().all(|(_, tensor)| tensor.dtype() == safetensors::Dtype::F32));
    let error = run(HostSettings::default(), 2, Some(&dir)).unwrap_err().to_string();
    assert!(error.contains("a change of precision (bf16, now f32); undo the change"), "{error}");
    fs::remove_dir_all(&dir).unwrap();
    run(HostSettings::default(), 1, Some(&dir)).unwrap();
    let error = run(half(), 2, Some(&dir)).unwrap_err().to_string();
    assert!(error.contains("a change of precision (f32, now bf16); undo the change"), "{error}");
}

#[test]
fn the_program_takes_a_precision_and_says_so() {
    let folder = Folder::new();
    folder.write("rows.csv", cli_common::ROWS);
    let model = folder.write("model.toml", small("f32"));
    let train = |run: &str, model: &str, more: &[&str]| {
        let (run, out) = (folder.path(run), folder.path(&format!("{run}.safetensors")));
        let arguments = ["train", "--quiet", "--model", model, "--run", &run, "--out", &out];
        emberlite(&[&arguments[..], more].concat())
    };
    let started = |run: &str| -> Value {
        let metrics = String::from_utf8(folder.read(&format!("{run}/metrics.jsonl"))).unwrap();
        serde_json::from_str(metrics.lines().next().unwrap()).unwrap()
    };
    assert_eq!(train("wide", &model, &[]).status, 0);
    assert_eq!(train("half", &model, &["--precision", "bf16"]).status, 0);
    assert_eq!((started("wide").get("precision"), started("half")["precision"].as_str()), (None, Some("bf16")));
    let report = String::from_utf8(folder.read("half/report.json")).unwrap();
    assert!(report.contains("products in bf16, weights in f32") && report.contains("thread"), "{report}");
    // The description says the same, and the option the other way round: to the bit.
    let written = small("f32").replace("batch = 4", "batch = 4\nprecision = \"bf16\"");
    let written = folder.write("half.toml", written);
    assert_eq!(train("written", &written, &[]).status, 0);
    assert_eq!(train("back", &written, &["--precision", "f32"]).status, 0);
    assert_eq!(folder.read("half.safetensors"), folder.read("written.safetensors"));
    assert_eq!(folder.read("wide.safetensors"), folder.read("back.safetensors"));
    assert_ne!(folder.read("wide.safetensors"), folder.read("half.safetensors"));
    let answer = train("none", &model, &["--precision", "fp16"]);
    assert!(answer.status == 2 && answer.error.contains("`fp16` is no precision; there are: f32, bf16"), "{answer:?}");
    let line = done(&["devices"]).lines().next().unwrap().to_string();
    assert!(line.starts_with("cpu ") && line.ends_with("; f32, bf16 (slower)"), "{line}");
}

/// A device that can't be had is refused before anything is written; which precision it lacks is tested where there is one.
#[test]
fn a_refused_device_leaves_nothing_behind() {
    let folder = Folder::new();
    folder.write("rows.csv", cli_common::ROWS);
    let model = folder.write("model.toml", small("f32"));
    let run = folder.path("run");
    let answer = emberlite(&["train", "--model", &model, "--run", &run, "--device", "vulkan:9", "--precision", "bf16"]);
    assert!(answer.status == 1 && answer.error.contains("device `vulkan:9`: "), "{answer:?}");
    assert_eq!(folder.names(), ["model.toml", "rows.csv"]);
}
