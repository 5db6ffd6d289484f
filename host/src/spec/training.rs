//! Training settings: `[training]` for the host, `[device.training]` for the device.

use emberlite::loss::Loss;
use emberlite::optimizer::{Clip, Decay, Optimizer, Penalty, Schedule};
use emberlite::plan::Training;

use super::error::SpecError;
use super::host_training::{self, CheckpointSpec, Scheduled};
use super::layers::ModelSpec;
use super::section::{Section, Value};
use crate::data::ClassWeights;
use crate::metrics::Monitor;
use crate::train::{DeviceChoice, Devices, HostSettings};

/// How the host trains.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTraining {
    /// Loss, optimizer, schedule (counted in updates), penalties, clipping, batch and seed.
    pub settings: Training,
    /// What only the host has. Class weights are looked up once there are labels, see [`HostTraining::class_weights`].
    pub host: HostSettings,
    /// What the loss of each class is multiplied by.
    pub class_weights: Option<ClassWeights>,
    /// For each layer whether the host leaves it as it is; empty: none.
    pub frozen: Vec<bool>,
    /// Passes over the training part.
    pub epochs: u32,
    /// When to end before that.
    pub early_stopping: Option<EarlyStopping>,
    /// How often to save.
    pub checkpoint: CheckpointSpec,
    /// Where to compute.
    pub device: Devices,
}

/// Ends training when a figure gets no better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    /// The figure; none: the validation loss, or the training loss where there is no validation part.
    pub monitor: Option<Monitor>,
    /// Epochs without a gain before training ends.
    pub patience: u32,
    /// By how much the figure must get better to count as a gain.
    pub minimum_gain: f32,
}

impl HostTraining {
    /// The learning rate before its schedule.
    pub fn learning_rate(&self) -> f32 {
        self.host.optimizer.as_ref().map_or(self.settings.optimizer.learning_rate(), |o| o.learning_rate())
    }

    /// When training is to end early, with the figure that is watched where none was named.
    pub fn stopping(&self, validation: bool) -> Option<crate::train::EarlyStopping> {
        let EarlyStopping { monitor, patience, minimum_gain } = self.early_stopping?;
        let default = if validation { Monitor::ValidationLoss } else { Monitor::TrainLoss };
        let (monitor, min_delta) = (monitor.unwrap_or(default), minimum_gain.into());
        Some(crate::train::EarlyStopping { monitor, patience, min_delta })
    }
}

/// The host's settings where `[training]` is left out.
pub(super) fn default_host(loss: Loss) -> HostTraining {
    HostTraining {
        settings: Training::new(loss, Optimizer::adam(0.001)).batch(32),
        host: HostSettings::default(),
        class_weights: None,
        frozen: Vec::new(),
        epochs: 20,
        early_stopping: None,
        checkpoint: CheckpointSpec { every_epochs: 1, every_steps: None, keep: 1 },
        device: Devices::default(),
    }
}

/// Reads `[training]`; `loss` is the one that goes with the labels.
pub(super) fn host(mut section: Section<'_>, loss: Loss, model: &ModelSpec) -> Result<HostTraining, SpecError> {
    let mut host = default_host(loss);
    settings(&mut section, &mut host.settings, Some(&mut host.host))?;
    if let Some(value) = section.take("epochs") {
        host.epochs = value.whole(1, 1_000_000)? as u32;
    }
    if let Some(value) = section.take("early_stopping") {
        let mut section = value.section("a table such as { patience = 5 }")?;
        let patience = section.need("patience", "how many epochs to wait for a gain")?.whole(1, 1_000_000)? as u32;
        let minimum_gain = section.take("minimum_gain").map_or(Ok(0.0), |value| not_negative(&value))?;
        let monitor = section.take("monitor").map(|value| host_training::monitor(&value)).transpose()?;
        section.finish()?;
        host.early_stopping = Some(EarlyStopping { monitor, patience, minimum_gain });
    }
    if let Some(value) = section.take("device") {
        let name = value.string("a device such as \"cpu\" or \"cuda:0\"")?;
        host.device = match name.parse() {
            Ok(device) => device,
            // Numbers and lists have sentences of their own, and a GPU of any kind isn't a misspelt CPU.
            Err(reason) if name.contains([':', ',']) || name == "gpu" => return Err(value.error(reason)),
            Err(_) => return Err(value.unknown("device", name, &DeviceChoice::NAMES)),
        };
    }
    host_training::settings(&mut section, &mut host, model)?;
    section.finish()?;
    Ok(host)
}

/// The device's settings where `[device.training]` is left out: the host's, one sample a step, at a constant rate (the
/// host's schedule counts the host's updates).
pub(super) fn default_device(host: &Training) -> Training {
    Training { schedule: Schedule::CONSTANT, batch: 1, ..*host }
}

/// Reads `[device.training]`.
pub(super) fn device(mut section: Section<'_>, host: &Training) -> Result<Training, SpecError> {
    let mut training = default_device(host);
    settings(&mut section, &mut training, None)?;
    section.finish()?;
    Ok(training)
}

/// What both sections have; keys that are left out keep the value in `training`. Where there is a `host`, optimizers and
/// schedules may be those that only the host has.
fn settings(
    section: &mut Section<'_>,
    training: &mut Training,
    mut host: Option<&mut HostSettings>,
) -> Result<(), SpecError> {
    if let Some(value) = section.take("loss") {
        training.loss = loss(value)?;
    }
    if let Some(value) = section.take("optimizer") {
        optimizer(value, training, host.as_deref_mut())?;
    }
    if let Some(value) = section.take("schedule") {
        match host.as_deref_mut() {
            None => training.schedule = schedule(value, false)?,
            Some(host) => match host_training::schedule(value)? {
                Scheduled::Host(schedule) => host.schedule = Some(schedule),
                Scheduled::Device(value) => training.schedule = schedule(value, true)?,
            },
        }
    }
    if let Some(value) = section.take("penalty") {
        let mut section = value.section("a table such as { l1 = 0.0, l2 = 1e-4 }")?;
        let l1 = section.take("l1").map_or(Ok(0.0), |value| not_negative(&value))?;
        let l2 = section.take("l2").map_or(Ok(0.0), |value| not_negative(&value))?;
        if let Some(host) = host {
            host.penalise_biases = section.take("bias").map_or(Ok(true), |value| value.flag())?;
        }
        section.finish()?;
        training.penalty = Penalty { l1, l2 };
    }
    if let Some(value) = section.take("clip") {
        training.clip = clip(value)?;
    }
    if let Some(value) = section.take("batch") {
        training.batch = value.whole(1, 65536)? as u32;
    }
    if let Some(value) = section.take("seed") {
        training.seed = value.whole(0, u32::MAX.into())? as u32;
    }
    Ok(())
}

/// One of several names.
pub(super) fn one_of(value: &Value<'_>, what: &str, names: &[&'static str]) -> Result<&'static str, SpecError> {
    let written = value.string(&format!("one of {}", names.join(", ")))?;
    names.iter().find(|name| **name == written).copied().ok_or_else(|| value.unknown(what, written, names))
}

/// A table with a `name`, or the name alone; the second is the table without its name.
pub(super) fn named<'s>(value: Value<'s>, expected: &str) -> Result<(Value<'s>, Option<Section<'s>>), SpecError> {
    if value.is_string() {
        return Ok((value, None));
    }
    let mut section = value.section(expected)?;
    let name = section.need("name", expected)?;
    Ok((name, Some(section)))
}

pub(super) fn finish(section: Option<Section<'_>>) -> Result<(), SpecError> {
    section.map_or(Ok(()), Section::finish)
}

/// An attribute of a named table.
pub(super) fn single(section: &mut Option<Section<'_>>, key: &'static str, default: f32) -> Result<f32, SpecError> {
    let value = section.as_mut().and_then(|section| section.take(key));
    value.map_or(Ok(default), |value| value.single())
}

/// The same for what is from 0 up to, not with, 1.
pub(super) fn fraction(section: &mut Option<Section<'_>>, key: &'static str, usual: f32) -> Result<f32, SpecError> {
    let Some(value) = section.as_mut().and_then(|section| section.take(key)) else { return Ok(usual) };
    let number = value.single()?;
    if (0.0..1.0).contains(&number) { Ok(number) } else { Err(value.expected("a number from 0 up to, not with, 1")) }
}

/// A whole number that fits 32 bits, or the usual one.
pub(super) fn whole(section: &mut Section<'_>, key: &'static str, least: u32, usual: u32) -> Result<u32, SpecError> {
    let value = section.take(key);
    value.map_or(Ok(usual), |value| Ok(value.whole(least.into(), u32::MAX.into())? as u32))
}

pub(super) fn not_negative(value: &Value<'_>) -> Result<f32, SpecError> {
    let number = value.single()?;
    if number >= 0.0 { Ok(number) } else { Err(value.expected("a number that is not negative")) }
}

/// What others call our losses, each beside our name.
const LOSSES: [(&str, &str); 15] = [
    ("mse", "mean_squared_error"),
    ("l2", "mean_squared_error"),
    ("mse_loss", "mean_squared_error"),
    ("squared_error", "mean_squared_error"),
    ("cross_entropy", "softmax_cross_entropy"),
    ("crossentropy", "softmax_cross_entropy"),
    ("nll", "softmax_cross_entropy"),
    ("categorical_crossentropy", "softmax_cross_entropy"),
    ("sparse_categorical_crossentropy", "softmax_cross_entropy"),
    ("bce", "binary_cross_entropy"),
    ("bce_with_logits", "binary_cross_entropy"),
    ("binary_crossentropy", "binary_cross_entropy"),
    ("log_loss", "binary_cross_entropy"),
    ("smooth_l1", "huber"),
    ("smooth_l1_loss", "huber"),
];

/// What others call our optimizers.
const OPTIMIZERS: [(&str, &str); 3] = [("momentum", "sgd"), ("nesterov", "sgd"), ("gd", "sgd")];

/// What others call our schedules.
const SCHEDULES: [(&str, &str); 9] = [
    ("cosine_annealing", "cosine"),
    ("cosine_decay", "cosine"),
    ("cosine_warm_restarts", "cosine_restarts"),
    ("cosine_annealing_warm_restarts", "cosine_restarts"),
    ("reduce_on_plateau", "plateau"),
    ("reduce_lr_on_plateau", "plateau"),
    ("onecycle", "one_cycle"),
    ("one_cycle_lr", "one_cycle"),
    ("polynomial_decay", "polynomial"),
];

/// The error of a name that isn't ours, with ours where it is known by another one.
pub(super) fn unknown(value: &Value<'_>, what: &str, name: &str, names: &[&str], others: &[(&str, &str)]) -> SpecError {
    let known = others.iter().find(|(other, ours)| *other == name.to_lowercase() && names.contains(ours));
    match known {
        Some((_, ours)) => value.error(format!("unknown {what} `{name}`; it is `{ours}` here")),
        None => value.unknown(what, name, names),
    }
}

fn loss(value: Value<'_>) -> Result<Loss, SpecError> {
    const NAMES: [&str; 4] = ["softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error", "huber"];
    let (value, mut section) = named(value, "the loss's name, or a table such as { name = \"huber\", delta = 1.0 }")?;
    let loss = match value.string("the loss's name")? {
        "softmax_cross_entropy" => Loss::SoftmaxCrossEntropy,
        "binary_cross_entropy" => Loss::BinaryCrossEntropy,
        "mean_squared_error" => Loss::MeanSquaredError,
        "huber" => Loss::Huber { delta: single(&mut section, "delta", 1.0)? },
        name => return Err(unknown(&value, "loss", name, &NAMES, &LOSSES)),
    };
    finish(section)?;
    loss.check().map_err(|text| value.error(text.into()))?;
    Ok(loss)
}

/// Reads the optimizer into `training`, or into `host` where only that has it.
fn optimizer(value: Value<'_>, training: &mut Training, host: Option<&mut HostSettings>) -> Result<(), SpecError> {
    const NAMES: [&str; 5] = ["sgd", "rmsprop", "adagrad", "adam", "adamw"];
    const EXPECTED: &str = "a table such as { name = \"sgd\", learning_rate = 0.01 }";
    if value.is_string() {
        return Err(value.error(format!("an optimizer needs its learning rate; give {EXPECTED}")));
    }
    let mut section = value.section(EXPECTED)?;
    let name_value = section.need("name", EXPECTED)?;
    let name = name_value.string("the optimizer's name")?;
    // What doesn't go together is no mistake of the name's.
    let keys = section.keys();
    let only_host = host_training::OPTIMIZERS.contains(&name);
    if !NAMES.contains(&name) && !only_host {
        let mut names = NAMES.to_vec();
        names.extend(host.iter().flat_map(|_| host_training::OPTIMIZERS));
        return Err(unknown(&name_value, "optimizer", name, &names, &OPTIMIZERS));
    }
    if host.is_none() && only_host {
        let names = NAMES.join(", ");
        return Err(name_value.error(format!("only the host has `{name}`; the device has {names}")));
    }
    let rate = section.need("learning_rate", "the step size, for example learning_rate = 0.01")?;
    let learning_rate = rate.single()?;
    if learning_rate < 0.0 {
        return Err(rate.expected("a positive number"));
    }
    if learning_rate == 0.0 {
        return Err(rate.error("at a learning rate of 0 nothing is learnt; give a positive one, such as 0.001".into()));
    }
    let section = &mut Some(section);
    if let (Some(host), true) = (host, only_host) {
        let optimizer = host_training::optimizer(name, learning_rate, section)?;
        finish(section.take())?;
        optimizer.check().map_err(|text| keys.error(text))?;
        host.optimizer = Some(optimizer);
        return Ok(());
    }
    let mut number = |key, default| single(section, key, default);
    let optimizer = match name {
        "sgd" => Optimizer::Sgd {
            learning_rate,
            momentum: number("momentum", 0.0)?,
            weight_decay: number("weight_decay", 0.0)?,
            nesterov: flag(section, "nesterov")?,
        },
        "rmsprop" => Optimizer::RmsProp {
            learning_rate,
            alpha: number("alpha", 0.99)?,
            epsilon: number("epsilon", 1e-8)?,
            momentum: number("momentum", 0.0)?,
            weight_decay: number("weight_decay", 0.0)?,
            centered: flag(section, "centered")?,
        },
        "adagrad" => Optimizer::AdaGrad {
            learning_rate,
            epsilon: number("epsilon", 1e-10)?,
            weight_decay: number("weight_decay", 0.0)?,
            learning_rate_decay: number("learning_rate_decay", 0.0)?,
            initial: number("initial", 0.0)?,
        },
        _ => {
            let (beta1, beta2) = (fraction(section, "beta1", 0.9)?, fraction(section, "beta2", 0.999)?);
            let mut number = |key, default| single(section, key, default);
            let epsilon = number("epsilon", 1e-8)?;
            if name == "adam" {
                let weight_decay = number("weight_decay", 0.0)?;
                Optimizer::Adam { learning_rate, beta1, beta2, epsilon, weight_decay }
            } else {
                let weight_decay = number("weight_decay", 0.01)?;
                Optimizer::AdamW { learning_rate, beta1, beta2, epsilon, weight_decay }
            }
        }
    };
    finish(section.take())?;
    optimizer.check().map_err(|text| keys.error(text))?;
    training.optimizer = optimizer;
    Ok(())
}

fn flag(section: &mut Option<Section<'_>>, key: &'static str) -> Result<bool, SpecError> {
    let value = section.as_mut().and_then(|section| section.take(key));
    value.map_or(Ok(false), |value| value.flag())
}

fn schedule(value: Value<'_>, of_host: bool) -> Result<Schedule, SpecError> {
    const NAMES: [&str; 4] = ["constant", "step", "exponential", "cosine"];
    const EXPECTED: &str = "a table such as { name = \"cosine\", steps = 1000 }";
    let (value, mut section) = named(value, EXPECTED)?;
    let name = value.string(EXPECTED)?;
    let keys = section.as_ref().map(Section::keys);
    let steps = |section: &mut Option<Section<'_>>, key: &'static str| -> Result<u32, SpecError> {
        let expected = "a whole number of updates";
        let Some(section) = section else { return Err(value.error(format!("`{key}` is missing; give {EXPECTED}"))) };
        Ok(section.need(key, expected)?.whole(1, u32::MAX.into())? as u32)
    };
    let decay = match name {
        "constant" => Decay::Constant,
        "step" => Decay::Step { every: steps(&mut section, "every")?, gamma: single(&mut section, "gamma", 0.1)? },
        "exponential" => {
            let there = section.as_mut().map(|section| section.need("gamma", "the factor of each update"));
            let Some(gamma) = there.transpose()? else {
                return Err(value.error("`gamma` is missing; give { name = \"exponential\", gamma = 0.999 }".into()));
            };
            Decay::Exponential { gamma: gamma.single()? }
        }
        "cosine" => {
            Decay::Cosine { steps: steps(&mut section, "steps")?, minimum: single(&mut section, "minimum", 0.0)? }
        }
        name => {
            let mut names = NAMES.to_vec();
            names.extend(host_training::SCHEDULES.iter().filter(|_| of_host));
            return Err(match host_training::SCHEDULES.contains(&name) {
                true => value.error(format!("only the host has `{name}`; the device has {}", NAMES.join(", "))),
                false => unknown(&value, "schedule", name, &names, &SCHEDULES),
            });
        }
    };
    let warmup = section.as_mut().and_then(|section| section.take("warmup"));
    let warmup = warmup.map_or(Ok(0), |value| value.whole(0, u32::MAX.into()))? as u32;
    let schedule = Schedule::new(decay).warmed_up(warmup, single(&mut section, "start", 0.0)?);
    finish(section)?;
    schedule.check().map_err(|text| keys.map_or_else(|| value.error(text.into()), |keys| keys.error(text)))?;
    Ok(schedule)
}

fn clip(value: Value<'_>) -> Result<Clip, SpecError> {
    const EXPECTED: &str = "{ value = 1.0 } or { global_norm = 1.0 }";
    if value.is_string() {
        let name = value.string(EXPECTED)?;
        return if name == "none" { Ok(Clip::None) } else { Err(value.expected(EXPECTED)) };
    }
    let mut section = value.section(EXPECTED)?;
    let (by_value, by_norm) = (section.take("value"), section.take("global_norm"));
    let (clip, value) = match (by_value, by_norm) {
        (Some(value), None) => (Clip::Value(value.single()?), value),
        (None, Some(value)) => (Clip::GlobalNorm(value.single()?), value),
        (Some(_), Some(value)) => return Err(value.error(format!("clip one way only: {EXPECTED}"))),
        (None, None) => {
            let empty = section.error(format!("give {EXPECTED}"));
            section.finish()?;
            return Err(empty);
        }
    };
    section.finish()?;
    clip.check().map_err(|text| value.error(text.into()))?;
    Ok(clip)
}
