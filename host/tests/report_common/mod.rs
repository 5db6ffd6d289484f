//! Reports like real ones.

use emberlite_host::report::{
    BeforeAfter, CalibrationRange, Confusion, CurvePoint, Curves, DemoReport, DemoRun, DeviceMemory, Example,
    FileFacts, Judged, LayerFacts, Look, ModelFacts, Pairs, Parity, PartFacts, Score, TrainingReport,
};
use emberlite_host::train::EpochRecord;

const EXERCISES: [&str; 7] =
    ["pendulum", "abduction", "forward elevation", "internal rotation", "external rotation", "trapezius", "row"];

fn pairs(all: &[(&str, &str)]) -> Pairs {
    all.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

/// A number in 0..1 that looks like noise.
fn noise(at: u32) -> f64 {
    let mixed = at.wrapping_mul(0x9e37_79b9).rotate_left(13).wrapping_mul(0x85eb_ca6b);
    f64::from(mixed >> 8) / f64::from(1u32 << 24)
}

fn epoch(epoch: u32) -> EpochRecord {
    let t = f64::from(epoch);
    let falling = 1.9 * (-t / 7.0).exp();
    let wobble = 0.04 * (noise(epoch) - 0.5);
    let validation_loss = 0.21 + falling + 0.000_35 * t * t + wobble;
    EpochRecord {
        epoch,
        step: epoch * 92,
        train_loss: 0.05 + falling + 0.02 * noise(epoch + 100),
        train_accuracy: Some(1.0 - 0.42 * (-t / 6.0).exp() - 0.015 - 0.008 * noise(epoch + 7)),
        validation_loss: Some(validation_loss),
        validation_accuracy: Some(1.0 - 0.46 * (-t / 6.0).exp() - 0.055 - wobble / 2.0),
        validation_metrics: [("f1_macro".to_string(), 0.9 - falling / 5.0), ("log_loss".to_string(), validation_loss)]
            .into(),
        learning_rate: (0.002 * 0.5 * (1.0 + (t / 40.0 * std::f64::consts::PI).cos())) as f32,
        seconds: 1.83 + 0.1 * noise(epoch + 3),
        samples_per_second: 1590.0 + 40.0 * noise(epoch + 5),
    }
}

fn confusion(of: &str, classes: &[&str], right: f64) -> Confusion {
    let count = |i: usize, j: usize| {
        let sample = noise((i * 31 + j * 7) as u32);
        if i == j {
            (118.0 * right + 14.0 * sample) as u32
        } else {
            ((118.0 - 118.0 * right) * sample * sample / 2.0) as u32
        }
    };
    Confusion {
        of: of.into(),
        counts: (0..classes.len()).map(|i| (0..classes.len()).map(|j| count(i, j)).collect()).collect(),
        classes: classes.iter().map(|name| name.to_string()).collect(),
    }
}

fn part(name: &str, scale: u64) -> PartFacts {
    let class_counts: Vec<u64> = [13, 12, 12, 14, 13, 9, 11].iter().map(|n| n * scale).collect();
    PartFacts { name: name.into(), samples: class_counts.iter().sum(), class_counts }
}

fn layer(operation: &str, output: &str, parameters: u64, macs: u64, update: &str) -> LayerFacts {
    let (operation, output, update) = (operation.into(), output.into(), update.into());
    LayerFacts { name: String::new(), operation, output, parameters, macs, update }
}

/// A PNG of one grey pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==";

/// What the test set says of it.
fn judged() -> Judged {
    let range = |i: u32| {
        let confidence = (f64::from(i) + 0.5) / 15.0;
        CalibrationRange { confidence, accuracy: confidence.powf(1.3), samples: 4 + u64::from(i * i) }
    };
    let wave = |channel: u32| (0..25).map(|i| ((i + channel * 4) as f32 / 4.0).sin() + noise(i) as f32).collect();
    let looks = [
        Look::Trace((0..6).map(wave).collect()),
        Look::Picture { width: 1, height: 1, png: PIXEL.into() },
        Look::Row(pairs(&[("bill_length_mm", "39.1"), ("island", "Torgersen")])),
        Look::Text("a < b & c".into()),
        Look::None,
    ];
    let example = |(i, look): (usize, Look)| Example {
        sample: 17 * i as u64,
        right: EXERCISES[i].into(),
        predicted: EXERCISES[i + 1].into(),
        confidence: Some(0.99 - 0.07 * i as f64),
        look,
    };
    let metrics = [("f1_macro", 0.951), ("roc_auc_ovr", 0.993), ("log_loss", 0.187), ("of_the_future", 3.0)];
    Judged {
        of: "test set, host (f32)".into(),
        metrics: metrics.map(|(name, value)| (name.to_string(), value)).to_vec(),
        calibration: (2..15).map(range).collect(),
        curves: Some(Curves {
            positive: "row".into(),
            share: 0.3,
            roc: vec![(0.0, 0.4), (0.1, 0.8), (0.4, 0.95), (1.0, 1.0)],
            precision_recall: vec![(0.4, 1.0), (0.8, 0.9), (0.95, 0.7), (1.0, 0.3)],
        }),
        predictions: (0..60).map(|i| (f64::from(i), f64::from(i) + 9.0 * noise(i))).collect(),
        residuals: Vec::new(),
        examples: looks.into_iter().enumerate().map(example).collect(),
        mistakes: 40,
    }
}

/// A training run of the exercises.
pub fn training() -> TrainingReport {
    let model = ModelFacts {
        format: "f32".into(),
        training: true,
        layers: vec![
            LayerFacts { name: "first".into(), ..layer("conv1d", "24 x 25", 744, 18_000, "bias") },
            layer("relu", "24 x 25", 0, 0, "-"),
            layer("conv1d", "32 x 13", 3_872, 49_920, "full"),
            layer("relu", "32 x 13", 0, 0, "-"),
            layer("max_pool1d", "32 x 6", 0, 0, "-"),
            layer("flatten", "192", 0, 0, "-"),
            layer("linear", "16", 3_088, 3_072, "full"),
            layer("relu", "16", 0, 0, "-"),
            layer("linear", "7", 119, 112, "full"),
        ],
        parameters: 7_823,
        trainable: 7_103,
        parameter_bytes: 28_412,
        state_bytes: 0,
        gradient_bytes: 0,
        working_bytes: 9_860,
        arena_bytes: 38_288,
        ram_budget_bytes: Some(48 * 1024),
        file_bytes: 34_816,
        flash_budget_bytes: Some(256 * 1024),
        macs_predict: 71_104,
        macs_step: 198_512,
        board: "m4f".into(),
    };
    let score = |runner: &str, accuracy, loss| Score {
        runner: runner.into(),
        set: "test".into(),
        samples: 848,
        accuracy: Some(accuracy),
        loss: Some(loss),
        loss_name: String::new(),
    };
    TrainingReport {
        name: "watch".into(),
        description: "Seven shoulder exercises from the six channels of a watch, two seconds at a time.".into(),
        scores: vec![
            score("host (f32)", 809.0 / 848.0, 0.1874),
            score("device arithmetic (f32)", 808.0 / 848.0, 0.1876),
        ],
        agreement: Some(847.0 / 848.0),
        history: (1..=36).map(epoch).collect(),
        best_epoch: 24,
        stopped_early: true,
        seconds: Some(66.2),
        trained_on: "CPU, 2 threads".into(),
        confusion: confusion("test set, device arithmetic (f32)", &EXERCISES, 0.94),
        judged: judged(),
        parts: vec![part("train", 35), part("validation", 9), part("test", 10)],
        data: pairs(&[
            ("files", "watch/right_*.csv (70 recordings)"),
            ("a sample", "6 channels x 25 values, 2 s at 12.5 Hz"),
            ("split", "by person, so that no one is in two parts"),
            ("normalisation", "mean and deviation of each channel, from the training part"),
        ]),
        model,
        settings: pairs(&[
            ("loss", "softmax cross-entropy"),
            ("optimizer", "adam, learning rate 0.002, weight decay 0.0001"),
            ("schedule", "cosine over 40 epochs"),
            ("batch", "32"),
            ("early stopping", "validation_loss, patience 12"),
        ]),
        device_settings: pairs(&[("optimizer", "SGD"), ("learning rate", "0.01"), ("batch", "1")]),
        command: "emberlite train --model watch/model.toml --out watch.safetensors --report watch.html --seed 1".into(),
        seeds: pairs(&[("run", "1"), ("split", "7")]),
        files: vec![FileFacts {
            name: "watch.safetensors".into(),
            bytes: 34_816,
            hash: "sha256 5f2b9c0e7d1a4e6f8b3c2d1e0f9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a".into(),
        }],
        versions: pairs(&[("emberlite", "0.1.0"), ("rustc", "1.95.0"), ("machine", "x86-64 Linux, 2 cores")]),
    }
}

fn run(from: &str, to: &str, seed: u32) -> DemoRun {
    let n = |k| noise(seed * 17 + k + u32::from(from == "left") * 101);
    let (new_before, new_after) = (0.19 + 0.14 * n(1), 0.81 + 0.1 * n(2));
    let (first_before, first_after) = (0.93 + 0.03 * n(3), 0.3 + 0.15 * n(4));
    let samples =
        |before, after, samples| BeforeAfter { before: Some(before), after: Some(after), samples: Some(samples) };
    let point = |i: u32| {
        let t = f64::from(i) / 15.0;
        let gained = 1.0 - (-t * 3.5).exp();
        CurvePoint {
            step: u64::from(i) * 270,
            loss: (i > 0).then(|| 3.1 * (-t * 2.6).exp() + 0.28 + 0.25 * n(i + 50)),
            new: Some(new_before + (new_after - new_before) * gained / 0.97 + 0.02 * (n(i + 20) - 0.5)),
            first: Some(first_before + (first_after - first_before) * gained / 0.97 + 0.03 * (n(i + 90) - 0.5)),
        }
    };
    DemoRun {
        from: from.into(),
        to: to.into(),
        seed: seed.into(),
        new: samples(new_before, new_after, 1_310),
        first: samples(first_before, first_after, 1_296),
        steps: 4_050,
        skipped: u64::from(seed == 2) * 3,
        seconds: Some(212.0 + 9.0 * n(5)),
        parity: Some(Parity { identical: true, bytes: 32_768, different: Some(0) }),
        curve: (0..=15).map(point).collect(),
    }
}

/// The demonstration: a watch that changes wrists.
pub fn demo() -> DemoReport {
    let both = [("right", "left"), ("left", "right")];
    DemoReport {
        title: "A watch changes wrists".into(),
        description: "A model that knows seven exercises from one wrist learns the other one on the microcontroller \
                      itself, one labelled window at a time, in 64 KiB of RAM."
            .into(),
        domain: "wrist".into(),
        device: "STM32F401RE (Cortex-M4F, 64 KiB RAM, 256 KiB flash), emulated by QEMU".into(),
        model: "conv1d, 7,823 parameters, f32".into(),
        chance: Some(1.0 / 7.0),
        runs: both.into_iter().flat_map(|(from, to)| (1..=3).map(move |seed| run(from, to, seed))).collect(),
        memory: DeviceMemory {
            arena_bytes: Some(38_288),
            static_bytes: Some(44_904),
            stack_bytes: Some(3_416),
            stack_reserved_bytes: Some(16_384),
            ram_bytes: Some(65_536),
            flash_used_bytes: Some(118_204),
            model_bytes: Some(34_816),
            flash_bytes: Some(262_144),
        },
        costs: pairs(&[("instructions a step", "1,204,511"), ("a step at 84 MHz", "about 19 ms")]),
        confusion_before: confusion("right → left, seed 1", &EXERCISES, 0.3),
        confusion_after: confusion("right → left, seed 1", &EXERCISES, 0.86),
        settings: pairs(&[
            ("optimizer", "sgd"),
            ("learning rate", "0.01"),
            ("batch", "1"),
            ("passes", "15 over 270 windows"),
        ]),
        reproduce: vec!["cargo xtask demo watch".into(), "emberlite report demo.json --out demo.html".into()],
        notes: vec![
            "The device learns from the first 20 % of each recording and is judged on the rest.".into(),
            "Seconds are those of the chip's clock, counted by the emulator.".into(),
        ],
        files: vec![FileFacts {
            name: "right.safetensors".into(),
            bytes: 34_816,
            hash: "layout 4be1a7d0c8e0f311".into(),
        }],
        versions: pairs(&[("emberlite", "0.1.0"), ("QEMU", "7.2.22")]),
    }
}
