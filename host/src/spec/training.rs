//! Training settings: `[training]` for the host, `[device.training]` for the device.

use emberlite::loss::Loss;
use emberlite::optimizer::{Clip, Decay, Optimizer, Penalty, Schedule};
use emberlite::plan::Training;

use super::error::SpecError;
use super::section::{Section, Value};

/// How the host trains.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTraining {
    /// Loss, optimizer, schedule (counted in updates), penalties, clipping, batch and seed.
    pub settings: Training,
    /// Passes over the training part.
    pub epochs: u32,
    /// When to end before that.
    pub early_stopping: Option<EarlyStopping>,
    /// Where to compute: one of [`DEVICES`].
    pub device: &'static str,
}

/// Ends training when a figure gets no better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EarlyStopping {
    /// The figure: one of [`MONITORS`]; none: the validation loss, or the training loss where there is no validation part.
    pub monitor: Option<&'static str>,
    /// Epochs without a gain before training ends.
    pub patience: u32,
    /// By how much the figure must get better to count as a gain.
    pub minimum_gain: f32,
}

/// What early stopping can watch.
pub const MONITORS: [&str; 4] = ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy"];

/// Where the host can compute; `auto` is a GPU if the program was built for one and there is one, else the processor.
pub const DEVICES: [&str; 5] = ["auto", "cpu", "wgpu", "vulkan", "cuda"];

/// The host's settings where `[training]` is left out.
pub(super) fn default_host(loss: Loss) -> HostTraining {
    let settings = Training::new(loss, Optimizer::adam(0.001)).batch(32);
    HostTraining { settings, epochs: 20, early_stopping: None, device: "auto" }
}

/// Reads `[training]`; `loss` is the one that goes with the labels.
pub(super) fn host(mut section: Section<'_>, loss: Loss) -> Result<HostTraining, SpecError> {
    let mut host = default_host(loss);
    settings(&mut section, &mut host.settings)?;
    if let Some(value) = section.take("epochs") {
        host.epochs = value.whole(1, 1_000_000)? as u32;
    }
    if let Some(value) = section.take("early_stopping") {
        let mut section = value.section("a table such as { patience = 5 }")?;
        let patience = section.need("patience", "how many epochs to wait for a gain")?.whole(1, 1_000_000)? as u32;
        let minimum_gain = section.take("minimum_gain").map_or(Ok(0.0), |value| not_negative(&value))?;
        let monitor = section.take("monitor").map(|value| one_of(&value, "figure", &MONITORS)).transpose()?;
        section.finish()?;
        host.early_stopping = Some(EarlyStopping { monitor, patience, minimum_gain });
    }
    if let Some(value) = section.take("device") {
        host.device = one_of(&value, "device", &DEVICES)?;
    }
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
    settings(&mut section, &mut training)?;
    section.finish()?;
    Ok(training)
}

/// What both sections have; keys that are left out keep the value in `training`.
fn settings(section: &mut Section<'_>, training: &mut Training) -> Result<(), SpecError> {
    if let Some(value) = section.take("loss") {
        training.loss = loss(value)?;
    }
    if let Some(value) = section.take("optimizer") {
        training.optimizer = optimizer(value)?;
    }
    if let Some(value) = section.take("schedule") {
        training.schedule = schedule(value)?;
    }
    if let Some(value) = section.take("penalty") {
        let mut section = value.section("a table such as { l1 = 0.0, l2 = 1e-4 }")?;
        let l1 = section.take("l1").map_or(Ok(0.0), |value| not_negative(&value))?;
        let l2 = section.take("l2").map_or(Ok(0.0), |value| not_negative(&value))?;
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
fn one_of(value: &Value<'_>, what: &str, names: &[&'static str]) -> Result<&'static str, SpecError> {
    let written = value.string(&format!("one of {}", names.join(", ")))?;
    names.iter().find(|name| **name == written).copied().ok_or_else(|| value.unknown(what, written, names))
}

/// A table with a `name`, or the name alone; the second is the table without its name.
fn named<'s>(value: Value<'s>, expected: &str) -> Result<(Value<'s>, Option<Section<'s>>), SpecError> {
    if value.is_string() {
        return Ok((value, None));
    }
    let mut section = value.section(expected)?;
    let name = section.need("name", expected)?;
    Ok((name, Some(section)))
}

fn finish(section: Option<Section<'_>>) -> Result<(), SpecError> {
    section.map_or(Ok(()), Section::finish)
}

/// An attribute of a named table.
fn single(section: &mut Option<Section<'_>>, key: &'static str, default: f32) -> Result<f32, SpecError> {
    let value = section.as_mut().and_then(|section| section.take(key));
    value.map_or(Ok(default), |value| value.single())
}

fn not_negative(value: &Value<'_>) -> Result<f32, SpecError> {
    let number = value.single()?;
    if number >= 0.0 { Ok(number) } else { Err(value.expected("a number that is not negative")) }
}

fn loss(value: Value<'_>) -> Result<Loss, SpecError> {
    const NAMES: [&str; 4] = ["softmax_cross_entropy", "binary_cross_entropy", "mean_squared_error", "huber"];
    let (value, mut section) = named(value, "the loss's name, or a table such as { name = \"huber\", delta = 1.0 }")?;
    let loss = match value.string("the loss's name")? {
        "softmax_cross_entropy" => Loss::SoftmaxCrossEntropy,
        "binary_cross_entropy" => Loss::BinaryCrossEntropy,
        "mean_squared_error" => Loss::MeanSquaredError,
        "huber" => Loss::Huber { delta: single(&mut section, "delta", 1.0)? },
        name => return Err(value.unknown("loss", name, &NAMES)),
    };
    finish(section)?;
    loss.check().map_err(|text| value.error(text.into()))?;
    Ok(loss)
}

fn optimizer(value: Value<'_>) -> Result<Optimizer, SpecError> {
    const NAMES: [&str; 5] = ["sgd", "rmsprop", "adagrad", "adam", "adamw"];
    const EXPECTED: &str = "a table such as { name = \"sgd\", learning_rate = 0.01 }";
    if value.is_string() {
        return Err(value.error(format!("an optimizer needs its learning rate; give {EXPECTED}")));
    }
    let mut section = value.section(EXPECTED)?;
    let name_value = section.need("name", EXPECTED)?;
    let name = name_value.string("the optimizer's name")?;
    if !NAMES.contains(&name) {
        return Err(name_value.unknown("optimizer", name, &NAMES));
    }
    let learning_rate = section.need("learning_rate", "the step size, for example learning_rate = 0.01")?.single()?;
    let section = &mut Some(section);
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
            let (beta1, beta2) = (number("beta1", 0.9)?, number("beta2", 0.999)?);
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
    optimizer.check().map_err(|text| name_value.error(text.into()))?;
    Ok(optimizer)
}

fn flag(section: &mut Option<Section<'_>>, key: &'static str) -> Result<bool, SpecError> {
    let value = section.as_mut().and_then(|section| section.take(key));
    value.map_or(Ok(false), |value| value.flag())
}

fn schedule(value: Value<'_>) -> Result<Schedule, SpecError> {
    const NAMES: [&str; 4] = ["constant", "step", "exponential", "cosine"];
    const EXPECTED: &str = "a table such as { name = \"cosine\", steps = 1000 }";
    let (value, mut section) = named(value, EXPECTED)?;
    let name = value.string(EXPECTED)?;
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
        name => return Err(value.unknown("schedule", name, &NAMES)),
    };
    let warmup = section.as_mut().and_then(|section| section.take("warmup"));
    let warmup = warmup.map_or(Ok(0), |value| value.whole(0, u32::MAX.into()))? as u32;
    let schedule = Schedule::new(decay).warmed_up(warmup, single(&mut section, "start", 0.0)?);
    finish(section)?;
    schedule.check().map_err(|text| value.error(text.into()))?;
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
