//! Settings and data as people write them, for the page of a run.

use emberlite::loss::Loss;
use emberlite::optimizer::{Clip, Decay, Optimizer, Schedule};
use emberlite::plan::Training;

use crate::data::Rule;
use crate::report::Pairs;
use crate::spec::{DataSpec, EarlyStopping, Files, Part};
use crate::train::{HostSchedule, HostSettings};

/// The settings of a run; what is switched off is left out.
pub(super) fn host(training: &Training, host: &HostSettings, epochs: u32, stopping: Option<&EarlyStopping>) -> Pairs {
    let mut pairs = device(training);
    let mut replace = |name: &str, value: String| {
        if let Some(pair) = pairs.iter_mut().find(|(other, _)| other == name) {
            pair.1 = value;
        }
    };
    if let Some(optimizer) = &host.optimizer {
        let attributes = optimizer.attributes().into_iter().filter(|(name, _)| *name != "learning_rate");
        let attributes = attributes.map(|(name, value)| format!("{} {}", name.replace('_', " "), number(value)));
        replace("optimizer", joined([optimizer.name().to_string()].into_iter().chain(attributes)));
        replace("learning rate", schedule(optimizer.learning_rate(), &training.schedule));
    }
    if let Some(HostSchedule { course, warmup, start }) = &host.schedule {
        let rate = host.optimizer.map_or(training.optimizer.learning_rate(), |optimizer| optimizer.learning_rate());
        let warmed = (*warmup > 0).then(|| format!("warmed up over {warmup} updates from {} of it", number(*start)));
        replace("learning rate", joined([Some(number(rate)), Some(course.words()), warmed].into_iter().flatten()));
    }
    pairs.push(("epochs".into(), epochs.to_string()));
    pairs.extend(stopping.map(|stopping| ("early stopping".into(), early_stopping(stopping))));
    let usual = HostSettings::default();
    let mut more: Vec<(&str, String)> = Vec::new();
    if host.accumulate > 1 {
        more.push(("accumulation", format!("{} batches an update", host.accumulate)));
    }
    if host.precision != usual.precision {
        more.push(("precision", format!("products in {}, weights in f32", host.precision)));
    }
    if host.label_smoothing > 0.0 {
        more.push(("label smoothing", number(host.label_smoothing)));
    }
    if let Some(weights) = &host.class_weights {
        more.push(("class weights", joined(weights.iter().map(|weight| number(*weight)))));
    }
    if let Some(ema) = host.ema {
        more.push(("averaged weights", format!("{} of the average kept by each update", number(ema.decay))));
    }
    if host.sampling != usual.sampling {
        more.push(("order of samples", host.sampling.name().replace('_', " ")));
    }
    if host.learning_rate_scales.iter().any(|scale| *scale != 1.0) {
        let scales = host.learning_rate_scales.iter().map(|scale| number(*scale));
        more.push(("learning rates of the layers", format!("times {}", joined(scales))));
    }
    more.extend(host.steps_per_epoch.map(|steps| ("updates an epoch", format!("at most {steps}"))));
    more.extend(host.max_steps.map(|steps| ("updates", format!("at most {steps}"))));
    pairs.extend(more.into_iter().map(|(name, value)| (name.to_string(), value)));
    pairs
}

/// Where samples come from and how they are divided.
pub(super) fn data(data: &DataSpec) -> Pairs {
    let mut pairs = vec![("files", files(&data.files))];
    if data.scale != 1.0 {
        pairs.push(("scale", format!("every number times {}", number(data.scale))));
    }
    if let Some(window) = &data.window {
        pairs.push(("windows", format!("{} rows, one every {}", window.length, window.stride)));
    }
    pairs.extend(data.validation.as_ref().map(|held| ("validation part", part(held))));
    pairs.extend(data.test.as_ref().map(|held| ("test part", part(held))));
    pairs.extend(super::prepared::pairs(&data.prepare));
    pairs.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// The settings of learning itself, on the host or on the device; what is switched off is left out.
pub(super) fn device(training: &Training) -> Pairs {
    let Training { loss, optimizer, schedule, penalty, clip, batch, seed: _ } = training;
    let mut pairs = vec![
        ("loss", self::loss(loss)),
        ("optimizer", self::optimizer(optimizer)),
        ("learning rate", self::schedule(optimizer.learning_rate(), schedule)),
        ("batch", batch.to_string()),
    ];
    if (penalty.l1, penalty.l2) != (0.0, 0.0) {
        let parts = [("L1", penalty.l1), ("L2", penalty.l2)];
        let parts = parts.iter().filter(|(_, weight)| *weight != 0.0);
        pairs.push(("penalties", joined(parts.map(|(name, weight)| format!("{name} {}", number(*weight))))));
    }
    match clip {
        Clip::None => {}
        Clip::Value(limit) => pairs.push(("gradients", format!("each within ±{}", number(*limit)))),
        Clip::GlobalNorm(limit) => pairs.push(("gradients", format!("together no longer than {}", number(*limit)))),
    }
    pairs.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
}

/// A loss and what tells it from others of its kind.
pub(super) fn loss(loss: &Loss) -> String {
    match loss {
        Loss::SoftmaxCrossEntropy => "softmax cross-entropy".into(),
        Loss::BinaryCrossEntropy => "binary cross-entropy".into(),
        Loss::MeanSquaredError => "mean squared error".into(),
        Loss::Huber { delta } => format!("Huber, delta {}", number(*delta)),
    }
}

/// The optimizer and what of it isn't the common value.
fn optimizer(optimizer: &Optimizer) -> String {
    // Name, value, and the value that goes without saying.
    let (name, values) = match *optimizer {
        Optimizer::Sgd { momentum, nesterov, weight_decay, .. } => {
            let name = if nesterov { "Nesterov momentum" } else { "momentum" };
            ("SGD", vec![(name, momentum, 0.0), ("weight decay", weight_decay, 0.0)])
        }
        Optimizer::RmsProp { alpha, epsilon, momentum, centered, weight_decay, .. } => (
            if centered { "RMSprop, centred" } else { "RMSprop" },
            vec![
                ("alpha", alpha, 0.99),
                ("epsilon", epsilon, 1e-8),
                ("momentum", momentum, 0.0),
                ("weight decay", weight_decay, 0.0),
            ],
        ),
        Optimizer::AdaGrad { epsilon, weight_decay, learning_rate_decay, initial, .. } => (
            "AdaGrad",
            vec![
                ("epsilon", epsilon, 1e-10),
                ("weight decay", weight_decay, 0.0),
                ("learning rate decay", learning_rate_decay, 0.0),
                ("initial sum", initial, 0.0),
            ],
        ),
        Optimizer::Adam { beta1, beta2, epsilon, weight_decay, .. } => {
            ("Adam", adam(beta1, beta2, epsilon, weight_decay))
        }
        Optimizer::AdamW { beta1, beta2, epsilon, weight_decay, .. } => {
            ("AdamW", adam(beta1, beta2, epsilon, weight_decay))
        }
    };
    let said = values.into_iter().filter(|(_, value, usual)| value != usual);
    joined(std::iter::once(name.into()).chain(said.map(|(name, value, _)| format!("{name} {}", number(value)))))
}

fn adam(beta1: f32, beta2: f32, epsilon: f32, weight_decay: f32) -> Vec<(&'static str, f32, f32)> {
    vec![
        ("beta1", beta1, 0.9),
        ("beta2", beta2, 0.999),
        ("epsilon", epsilon, 1e-8),
        ("weight decay", weight_decay, 0.0),
    ]
}

/// The rate and its course.
fn schedule(rate: f32, schedule: &Schedule) -> String {
    let rate = number(rate);
    let course = match schedule.decay {
        Decay::Constant => None,
        Decay::Step { every, gamma } => Some(format!("times {} every {every} updates", number(gamma))),
        Decay::Exponential { gamma } => Some(format!("times {} each update", number(gamma))),
        Decay::Cosine { steps, minimum } => Some(format!("along a cosine to {} over {steps} updates", number(minimum))),
    };
    let warmup = (schedule.warmup > 0)
        .then(|| format!("warmed up over {} updates from {} of it", schedule.warmup, number(schedule.start)));
    joined([Some(rate), course, warmup].into_iter().flatten())
}

fn early_stopping(stopping: &EarlyStopping) -> String {
    let EarlyStopping { monitor, patience, minimum_gain } = stopping;
    let what = monitor.map_or("loss".into(), |monitor| monitor.to_string().replace('_', " "));
    let gain = if *minimum_gain > 0.0 { format!(" of {}", number(*minimum_gain)) } else { String::new() };
    format!("after {patience} epochs without a gain{gain} in {what}")
}

fn files(files: &Files) -> String {
    let names: Vec<String> = match files {
        Files::Csv { paths, .. } => paths.iter().map(|path| path.display().to_string()).collect(),
        Files::Npz { path, .. } => vec![path.display().to_string()],
        Files::Idx { images, labels, .. } => vec![images.display().to_string(), labels.display().to_string()],
        Files::Media(media) => return media.words(),
    };
    /// More are counted.
    const MOST: usize = 4;
    match names.len().checked_sub(MOST + 1) {
        None => names.join(", "),
        Some(more) => format!("{} and {} more", joined(names.into_iter().take(MOST)), more + 1),
    }
}

fn part(part: &Part) -> String {
    let share = |share: f64| format!("{} %", number((share * 100.0) as f32));
    match part {
        Part::Rule(Rule::Fraction { share: s, seed }) => format!("{} of all, at random, seed {seed}", share(*s)),
        Part::Rule(Rule::Stratified { share: s, seed }) => {
            format!("{} of each class, at random, seed {seed}", share(*s))
        }
        Part::Rule(Rule::Group { columns, share: s, seed }) => {
            format!("{} of the groups by {}, seed {seed}", share(*s), columns.join(" and "))
        }
        Part::Rule(Rule::Filter { conditions }) => format!("where {}", conditions.join(" and ")),
        Part::Rule(Rule::Head { share: s }) => format!("the first {} of each recording", share(*s)),
        Part::Tail { share: s } => format!("the last {} of each recording", share(*s)),
        Part::Files(other) => files(other),
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}

/// A setting without digits that say nothing.
fn number(x: f32) -> String {
    if x == 0.0 || x.abs() >= 1e-4 { x.to_string() } else { format!("{x:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::{Course, Ema, HostOptimizer, Precision};
    use emberlite::optimizer::Penalty;

    fn text(pairs: &Pairs) -> String {
        pairs.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    #[test]
    fn what_is_switched_off_is_left_out() {
        let adam = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.001)).batch(32);
        let expected = "loss: softmax cross-entropy\noptimizer: Adam\nlearning rate: 0.001\nbatch: 32\n";
        assert_eq!(text(&device(&adam)), expected);
        assert_eq!(text(&host(&adam, &HostSettings::default(), 20, None)), format!("{expected}epochs: 20\n"));
    }

    #[test]
    fn what_is_set_is_said() {
        let optimizer = Optimizer::Sgd { learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 1e-5 };
        let mut training = Training::new(Loss::Huber { delta: 0.5 }, optimizer).clip(Clip::GlobalNorm(2.0)).batch(8);
        training.schedule = Schedule::new(Decay::Cosine { steps: 500, minimum: 0.0 }).warmed_up(20, 0.1);
        training.penalty = Penalty { l1: 0.0, l2: 1e-3 };
        let stopping =
            EarlyStopping { monitor: Some(crate::metrics::Monitor::ValidationLoss), patience: 5, minimum_gain: 0.01 };
        let said = "\n".to_string() + &text(&host(&training, &HostSettings::default(), 7, Some(&stopping)));
        for expected in [
            "early stopping: after 5 epochs without a gain of 0.01 in validation loss\n",
            "loss: Huber, delta 0.5\n",
            "optimizer: SGD, Nesterov momentum 0.9, weight decay 1e-5\n",
            "learning rate: 0.1, along a cosine to 0 over 500 updates, warmed up over 20 updates from 0.1 of it\n",
            "penalties: L2 0.001\n",
            "gradients: together no longer than 2\n",
        ] {
            assert!(said.contains(&format!("\n{expected}")), "no {expected}{said}");
        }
    }

    #[test]
    fn what_only_the_host_has_is_said_too() {
        let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.001)).batch(32);
        let (learning_rate, beta1, beta2, weight_decay) = (0.01, 0.9, 0.99, 0.0);
        let settings = HostSettings {
            accumulate: 4,
            precision: Precision::Bf16,
            ema: Some(Ema { decay: 0.999 }),
            optimizer: Some(HostOptimizer::Lion { learning_rate, beta1, beta2, weight_decay }),
            schedule: Some(HostSchedule::new(Course::Linear { steps: None, minimum: 0.0 }).warmed_up(9, 0.5)),
            ..HostSettings::default()
        };
        let said = text(&host(&training, &settings, 3, None));
        let expected = "loss: softmax cross-entropy\noptimizer: lion, beta1 0.9, beta2 0.99, weight decay 0\n\
                        learning rate: 0.01, linear to 0 over the whole run, warmed up over 9 updates from 0.5 of it\n\
                        batch: 32\nepochs: 3\naccumulation: 4 batches an update\n\
                        precision: products in bf16, weights in f32\n\
                        averaged weights: 0.999 of the average kept by each update\n";
        assert_eq!(said, expected);
    }
}
