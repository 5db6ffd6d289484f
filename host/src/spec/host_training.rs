//! What `[training]` has beyond `[device.training]`: settings that only the host knows.

use super::error::SpecError;
use super::layers::ModelSpec;
use super::section::{Section, Value};
use super::training::{HostTraining, finish, fraction, named, not_negative, one_of, single, unknown, whole};
use crate::data::ClassWeights;
use crate::metrics::{Metric, Monitor};
use crate::train::{Course, Ema, HostOptimizer, HostSchedule, Plateau, Precision, Sampling};

/// Courses of the learning rate besides the device's; `cosine` without `steps` is one of them.
pub(super) const SCHEDULES: [&str; 5] = ["linear", "polynomial", "cosine_restarts", "one_cycle", "plateau"];
/// Optimizers besides the device's.
pub(super) const OPTIMIZERS: [&str; 5] = ["nadam", "lion", "lamb", "adadelta", "adamax"];

/// How often to save, and how many to keep; the folder is the run's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointSpec {
    /// Epochs between two savings; 0 for none but the last.
    pub every_epochs: u32,
    /// Updates between two savings besides.
    pub every_steps: Option<u32>,
    /// How many to keep.
    pub keep: u32,
}

/// Reads the keys of `[training]` that go into [`HostTraining::host`], but for optimizer and schedule.
pub(super) fn settings(section: &mut Section<'_>, host: &mut HostTraining, model: &ModelSpec) -> Result<(), SpecError> {
    let count = |value: Value<'_>| value.whole(1, u32::MAX.into()).map(|number| number as u32);
    if let Some(value) = section.take("accumulate") {
        host.host.accumulate = value.whole(1, 65536)? as u32;
    }
    if let Some(value) = section.take("label_smoothing") {
        let share = value.single()?;
        if !(0.0..1.0).contains(&share) {
            return Err(value.expected("a share from 0 up to, not with, 1"));
        }
        host.host.label_smoothing = share;
        host.host.check(&host.settings, 0).map_err(|text| value.error(text))?;
    }
    if let Some(value) = section.take("class_weights") {
        host.class_weights = Some(class_weights(value)?);
    }
    if let Some(value) = section.take("sampling") {
        let name = one_of(&value, "order of samples", &Sampling::ALL.map(Sampling::name))?;
        host.host.sampling = Sampling::ALL.into_iter().find(|order| order.name() == name).unwrap_or_default();
    }
    if let Some(value) = section.take("precision") {
        host.host.precision = precision(&value)?;
    }
    if let Some(value) = section.take("ema") {
        host.host.ema = Some(ema(value)?);
    }
    if let Some(value) = section.take("metrics") {
        for value in value.array("a list of metrics such as [\"f1_macro\"]")? {
            let metric: Metric = value.string("a metric's name")?.parse().map_err(|e| value.error(format!("{e}")))?;
            host.host.metrics.push(metric);
        }
    }
    host.host.steps_per_epoch = section.take("steps_per_epoch").map(count).transpose()?;
    host.host.max_steps = section.take("max_steps").map(count).transpose()?;
    if let Some(value) = section.take("log_every") {
        host.host.log_every = count(value)?;
    }
    if let Some(value) = section.take("checkpoint") {
        let mut section = value.section("a table such as { every_steps = 500, keep = 3 }")?;
        let usual = host.checkpoint;
        host.checkpoint = CheckpointSpec {
            every_epochs: whole(&mut section, "every_epochs", 0, usual.every_epochs)?,
            every_steps: section.take("every_steps").map(count).transpose()?,
            keep: whole(&mut section, "keep", 1, usual.keep)?,
        };
        section.finish()?;
    }
    if let Some(value) = section.take("layers") {
        layers(value, host, model)?;
    }
    Ok(())
}

/// `"balanced"`, or `{ still = 1.0, walk = 4.0 }`.
fn class_weights(value: Value<'_>) -> Result<ClassWeights, SpecError> {
    const EXPECTED: &str = "\"balanced\", or a weight a class such as { still = 1.0, walk = 4.0 }";
    if value.is_string() {
        return match value.string(EXPECTED)? {
            "balanced" => Ok(ClassWeights::Balanced),
            name => Err(value.unknown("kind of class weights", name, &["balanced"])),
        };
    }
    let entries = value.section(EXPECTED)?.rest();
    let weights = entries.into_iter().map(|(name, value)| {
        let weight = value.single()?;
        if weight > 0.0 { Ok((name, weight)) } else { Err(value.expected("a positive number")) }
    });
    Ok(ClassWeights::Given(weights.collect::<Result<_, SpecError>>()?))
}

/// What others call our precisions.
const PRECISIONS: [(&str, &str); 8] = [
    ("bf16-mixed", "bf16"),
    ("mixed_bfloat16", "bf16"),
    ("bfloat16", "bf16"),
    ("32", "f32"),
    ("32-true", "f32"),
    ("fp32", "f32"),
    ("float32", "f32"),
    ("single", "f32"),
];
/// Those that need their losses scaled, which isn't here.
const HALVES: [&str; 7] = ["f16", "fp16", "16", "16-mixed", "float16", "half", "mixed_float16"];

fn precision(value: &Value<'_>) -> Result<Precision, SpecError> {
    let names = Precision::ALL.map(Precision::name);
    let name = value.string("\"f32\" or \"bf16\"")?;
    if HALVES.contains(&name.to_lowercase().as_str()) {
        return Err(value.error(format!("there is no `{name}`: its range is too small for gradients; give \"bf16\"")));
    }
    name.parse().map_err(|_| unknown(value, "precision", name, &names, &PRECISIONS))
}

fn ema(value: Value<'_>) -> Result<Ema, SpecError> {
    const EXPECTED: &str = "a decay such as 0.999, or { decay = 0.999 }";
    let decay = if value.is_number() {
        value
    } else {
        let mut section = value.section(EXPECTED)?;
        let decay = section.need("decay", "the share of the average that each update keeps, such as 0.999")?;
        section.finish()?;
        decay
    };
    let share = decay.single()?;
    if (0.0..1.0).contains(&share) {
        Ok(Ema { decay: share })
    } else {
        Err(decay.expected("a share from 0 up to, not with, 1"))
    }
}

/// `[{ layer = "stem*", learning_rate_scale = 0.1 }, { layer = 3, frozen = true }]`; the last that fits a layer counts.
fn layers(value: Value<'_>, host: &mut HostTraining, model: &ModelSpec) -> Result<(), SpecError> {
    const EXPECTED: &str =
        "a list such as [{ layer = \"stem*\", learning_rate_scale = 0.1 }, { layer = 3, frozen = true }]";
    let base = host.learning_rate();
    let mut scales = vec![1.0; model.nodes.len()];
    host.frozen = vec![false; model.nodes.len()];
    for value in value.array(EXPECTED)? {
        let mut section = value.section(EXPECTED)?;
        let which = section.need("layer", "a layer's name, index, or a pattern such as \"stem*\"")?;
        let matched = matching(&which, model)?;
        let scale = section.take("learning_rate_scale").map(|value| not_negative(&value)).transpose()?;
        let rate = section.take("learning_rate");
        let frozen = section.take("frozen").map(|value| value.flag()).transpose()?;
        let scale = match (scale, rate) {
            (Some(_), Some(rate)) => {
                return Err(rate.error("give learning_rate or learning_rate_scale, not both".into()));
            }
            (None, Some(rate)) => Some(not_negative(&rate)? / base),
            (scale, None) => scale,
        };
        if scale.is_none() && frozen.is_none() {
            return Err(
                section.error("says nothing of its layers; give learning_rate, learning_rate_scale or frozen".into())
            );
        }
        section.finish()?;
        for layer in matched {
            if let (Some(slot), Some(scale)) = (scales.get_mut(layer), scale) {
                *slot = scale;
            }
            if let (Some(slot), Some(frozen)) = (host.frozen.get_mut(layer), frozen) {
                *slot = frozen;
            }
        }
    }
    host.host.learning_rate_scales = scales;
    Ok(())
}

/// The layers of a name, an index or a pattern.
fn matching(value: &Value<'_>, model: &ModelSpec) -> Result<Vec<usize>, SpecError> {
    if value.is_integer() {
        let last = model.nodes.len().saturating_sub(1) as u64;
        return Ok(vec![value.whole(0, last)? as usize]);
    }
    let pattern = value.string("a layer's name, index, or a pattern such as \"stem*\"")?;
    let fits = |name: &String| !name.is_empty() && fits(pattern, name);
    let found: Vec<usize> = model.names.iter().enumerate().filter(|(_, name)| fits(name)).map(|(i, _)| i).collect();
    if found.is_empty() {
        let names: Vec<&str> = model.names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            return Err(value.error(format!("no layer is called `{pattern}`: none has a name; give indices, or names")));
        }
        return Err(value.unknown("layer", pattern, &names));
    }
    Ok(found)
}

/// Whether a name fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// Whose a schedule is.
pub(super) enum Scheduled<'s> {
    /// Read.
    Host(HostSchedule),
    /// Not read yet.
    Device(Value<'s>),
}

/// A schedule of [`SCHEDULES`], or a cosine over the whole run, or one of the device's.
///
/// What isn't read comes back.
pub(super) fn schedule(value: Value<'_>) -> Result<Scheduled<'_>, SpecError> {
    let is_host = |name: &str, has_steps: bool| SCHEDULES.contains(&name) || (name == "cosine" && !has_steps);
    let text = value.is_string().then(|| value.string("").map(str::to_string)).transpose()?;
    let name = match &text {
        Some(name) => is_host(name, false).then(|| name.clone()),
        None => value.peek("name").filter(|name| is_host(name, value.has("steps"))).map(str::to_string),
    };
    let Some(name) = name else { return Ok(Scheduled::Device(value)) };
    let (value, mut section) = named(value, "a schedule")?;
    let keys = section.as_ref().map(Section::keys);
    let steps = section.as_mut().and_then(|section| section.take("steps"));
    let steps = steps.map(|value| value.whole(1, u32::MAX.into())).transpose()?.map(|steps| steps as u32);
    let course = match name.as_str() {
        "linear" => Course::Linear { steps, minimum: single(&mut section, "minimum", 0.0)? },
        "cosine" => Course::Cosine { steps, minimum: single(&mut section, "minimum", 0.0)? },
        "polynomial" => {
            let (power, minimum) = (single(&mut section, "power", 1.0)?, single(&mut section, "minimum", 0.0)?);
            Course::Polynomial { steps, power, minimum }
        }
        "cosine_restarts" => {
            let Some(table) = section.as_mut() else {
                return Err(
                    value.error("`period` is missing; give { name = \"cosine_restarts\", period = 1000 }".into())
                );
            };
            let period = table.need("period", "the updates of the first fall")?.whole(1, u32::MAX.into())? as u32;
            let growth = whole(table, "growth", 1, 1)?;
            Course::CosineRestarts { period, growth, minimum: single(&mut section, "minimum", 0.0)? }
        }
        "one_cycle" => Course::OneCycle {
            steps,
            rise: single(&mut section, "rise", 0.3)?,
            division: divisor(&mut section, "division", 25.0)?,
            final_division: divisor(&mut section, "final_division", 1e4)?,
        },
        _ => Course::Plateau(plateau(&mut section)?),
    };
    let warmup = section.as_mut().map_or(Ok(0), |section| whole(section, "warmup", 0, 0))?;
    let schedule = HostSchedule::new(course).warmed_up(warmup, single(&mut section, "start", 0.0)?);
    finish(section)?;
    schedule.check().map_err(|text| keys.map_or_else(|| value.error(text.into()), |keys| keys.error(text)))?;
    Ok(Scheduled::Host(schedule))
}

/// What a rate is divided by.
fn divisor(section: &mut Option<Section<'_>>, key: &'static str, usual: f32) -> Result<f32, SpecError> {
    let Some(value) = section.as_mut().and_then(|section| section.take(key)) else { return Ok(usual) };
    let number = value.single()?;
    if number >= 1.0 { Ok(number) } else { Err(value.expected("a number of 1 or more")) }
}

fn plateau(section: &mut Option<Section<'_>>) -> Result<Plateau, SpecError> {
    let usual = Plateau::default();
    let Some(section) = section else { return Ok(usual) };
    let monitor = section.take("monitor").map(|value| monitor(&value)).transpose()?;
    let number = |value: Option<Value<'_>>, usual: f32| value.map_or(Ok(usual), |value| value.single());
    Ok(Plateau {
        monitor,
        factor: number(section.take("factor"), usual.factor)?,
        patience: whole(section, "patience", 0, usual.patience)?,
        threshold: section.take("threshold").map_or(Ok(usual.threshold), |value| value.real())?,
        cooldown: whole(section, "cooldown", 0, usual.cooldown)?,
        minimum: number(section.take("minimum"), usual.minimum)?,
    })
}

/// A figure that a run is judged by.
pub(super) fn monitor(value: &Value<'_>) -> Result<Monitor, SpecError> {
    let name = value.string("a figure such as \"validation_loss\" or \"validation_f1_macro\"")?;
    name.parse().map_err(|error| value.error(format!("{error}")))
}

/// An optimizer of [`OPTIMIZERS`]; the section is what its name was taken from.
pub(super) fn optimizer(
    name: &str,
    learning_rate: f32,
    section: &mut Option<Section<'_>>,
) -> Result<HostOptimizer, SpecError> {
    Ok(match name {
        "nadam" => HostOptimizer::Nadam {
            learning_rate,
            beta1: fraction(section, "beta1", 0.9)?,
            beta2: fraction(section, "beta2", 0.999)?,
            epsilon: single(section, "epsilon", 1e-8)?,
            weight_decay: single(section, "weight_decay", 0.0)?,
        },
        "lion" => HostOptimizer::Lion {
            learning_rate,
            beta1: fraction(section, "beta1", 0.9)?,
            beta2: fraction(section, "beta2", 0.99)?,
            weight_decay: single(section, "weight_decay", 0.0)?,
        },
        "lamb" => HostOptimizer::Lamb {
            learning_rate,
            beta1: fraction(section, "beta1", 0.9)?,
            beta2: fraction(section, "beta2", 0.999)?,
            epsilon: single(section, "epsilon", 1e-6)?,
            weight_decay: single(section, "weight_decay", 0.01)?,
        },
        "adadelta" => HostOptimizer::Adadelta {
            learning_rate,
            rho: fraction(section, "rho", 0.9)?,
            epsilon: single(section, "epsilon", 1e-6)?,
            weight_decay: single(section, "weight_decay", 0.0)?,
        },
        _ => HostOptimizer::Adamax {
            learning_rate,
            beta1: fraction(section, "beta1", 0.9)?,
            beta2: fraction(section, "beta2", 0.999)?,
            epsilon: single(section, "epsilon", 1e-8)?,
            weight_decay: single(section, "weight_decay", 0.0)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::fits;
    use crate::data::ClassWeights;
    use crate::metrics::{Metric, Monitor};
    use crate::spec::{CheckpointSpec, Spec};
    use crate::train::{Course, HostOptimizer, HostSchedule, Plateau, Precision, Sampling};
    use emberlite::graph::Update;
    use emberlite::optimizer::{Optimizer, Schedule};
    use std::path::Path;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, expected) in [
            ("stem", "stem", true),
            ("stem", "stem1", false),
            ("stem*", "stem1", true),
            ("*1", "stem1", true),
            ("s*m*1", "stem1", true),
            ("s*1", "stem", false),
            ("*", "anything", true),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    /// A model whose `[training]` begins at line 9.
    fn spec(training: &str) -> Result<Spec, String> {
        let text = format!(
            "[model]\ninput = [4]\nlayers = [\n  {{ op = \"linear\", outputs = 3, name = \"stem1\" }},\n  \
             {{ op = \"relu\" }},\n  {{ op = \"linear\", outputs = 2, name = \"head\" }},\n]\n[training]\n{training}\n"
        );
        Spec::parse("model.toml", &text, Path::new("")).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_is_read() {
        let spec = spec(
            r#"optimizer = { name = "lion", learning_rate = 0.001, weight_decay = 0.1 }
            schedule = { name = "one_cycle", rise = 0.25 }
            penalty = { l2 = 0.1, bias = false }
            accumulate = 4
            label_smoothing = 0.1
            class_weights = { a = 1.0, b = 4 }
            sampling = "balanced"
            precision = "bf16"
            ema = { decay = 0.99 }
            metrics = ["f1_macro", "roc_auc"]
            early_stopping = { patience = 3, monitor = "validation_f1_macro" }
            steps_per_epoch = 10
            max_steps = 100
            log_every = 5
            checkpoint = { every_epochs = 0, every_steps = 50, keep = 3 }
            layers = [{ layer = "stem*", learning_rate_scale = 0.5 }, { layer = "head", learning_rate = 0.01 }, { layer = 0, frozen = true }]"#,
        )
        .unwrap();
        let training = &spec.training;
        let host = &training.host;
        let (learning_rate, beta1, beta2, weight_decay) = (0.001, 0.9, 0.99, 0.1);
        assert_eq!(host.optimizer, Some(HostOptimizer::Lion { learning_rate, beta1, beta2, weight_decay }));
        let course = Course::OneCycle { steps: None, rise: 0.25, division: 25.0, final_division: 1e4 };
        assert_eq!(host.schedule, Some(HostSchedule::new(course)));
        assert_eq!((host.accumulate, host.label_smoothing, host.log_every), (4, 0.1, 5));
        assert_eq!((training.settings.penalty.l2, host.penalise_biases), (0.1, false));
        let weights = [("a".to_string(), 1.0), ("b".to_string(), 4.0)];
        assert_eq!(training.class_weights, Some(ClassWeights::Given(weights.into())));
        assert_eq!((host.sampling, host.ema.map(|ema| ema.decay)), (Sampling::Balanced, Some(0.99)));
        assert_eq!(host.precision, Precision::Bf16);
        assert_eq!(host.metrics, ["f1_macro".parse().unwrap(), Metric::RocAuc]);
        let monitor: Monitor = "validation_f1_macro".parse().unwrap();
        assert_eq!(training.early_stopping.and_then(|stopping| stopping.monitor), Some(monitor));
        assert_eq!((host.steps_per_epoch, host.max_steps), (Some(10), Some(100)));
        assert_eq!(training.checkpoint, CheckpointSpec { every_epochs: 0, every_steps: Some(50), keep: 3 });
        assert_eq!(host.learning_rate_scales, [0.5, 1.0, 0.01 / 0.001]);
        let updates: Vec<Update> = spec.host_nodes().iter().map(|node| node.update).collect();
        assert_eq!(updates, [Update::Frozen, Update::Full, Update::Full]);
        // Nothing of it is the device's: that plans with its defaults.
        let device = &spec.device.training;
        assert_eq!((device.optimizer, device.schedule), (Optimizer::adam(0.001), Schedule::CONSTANT));
        assert!(spec.graph().nodes.iter().all(|node| node.update == Update::Full));
    }

    #[test]
    fn schedules_of_host_and_device() {
        let course = |text: &str| spec(&format!("schedule = {text}")).unwrap().training.host.schedule.unwrap();
        let linear = Course::Linear { steps: Some(9), minimum: 0.0 };
        let warm = course(r#"{ name = "linear", steps = 9, warmup = 2, start = 0.1 }"#);
        assert_eq!(warm, HostSchedule::new(linear).warmed_up(2, 0.1));
        assert_eq!(course("\"cosine\"").course, Course::Cosine { steps: None, minimum: 0.0 });
        assert_eq!(course("\"plateau\"").course, Course::Plateau(Plateau::default()));
        let plateau = Plateau { monitor: Some(Monitor::TrainLoss), patience: 2, ..Plateau::default() };
        let text = r#"{ name = "plateau", monitor = "train_loss", patience = 2 }"#;
        assert_eq!(course(text).course, Course::Plateau(plateau));
        // A cosine of so many steps is the device's too.
        let cosine = spec(r#"schedule = { name = "cosine", steps = 9 }"#).unwrap();
        assert!(cosine.training.host.schedule.is_none());
        assert_ne!(cosine.training.settings.schedule, Schedule::CONSTANT);
    }

    #[test]
    fn mistakes_have_a_line_and_say_what_is_possible() {
        for (training, expected) in [
            ("accumulate = 0", "`training.accumulate`: expected a whole number from 1 to 65536, found 0"),
            ("acumulate = 2", "unknown key `training.acumulate`; did you mean `accumulate`?"),
            ("label_smoothing = 1", "`training.label_smoothing`: expected a share from 0 up to, not with, 1, found 1"),
            (
                "loss = \"mean_squared_error\"\nlabel_smoothing = 0.1",
                "`training.label_smoothing`: label_smoothing needs a cross-entropy, the loss is mean_squared_error",
            ),
            ("ema = 1.5", "`training.ema`: expected a share from 0 up to, not with, 1, found 1.5"),
            ("ema = \"on\"", "`training.ema`: expected a decay such as 0.999, or { decay = 0.999 }, found the text"),
            ("class_weights = \"balance\"", "unknown kind of class weights `balance`; did you mean `balanced`?"),
            ("class_weights = { a = 0 }", "`training.class_weights.a`: expected a positive number, found 0"),
            ("sampling = \"random\"", "unknown order of samples `random`; possible here: shuffled, balanced, in_order"),
            ("precision = \"bf61\"", "`training.precision`: unknown precision `bf61`; did you mean `bf16`?"),
            ("precision = \"int8\"", "`training.precision`: unknown precision `int8`; possible here: f32, bf16"),
            ("precision = \"bf16-mixed\"", "unknown precision `bf16-mixed`; it is `bf16` here"),
            ("precision = \"fp16\"", "there is no `fp16`: its range is too small for gradients; give \"bf16\""),
            ("precision = 16", "`training.precision`: expected \"f32\" or \"bf16\", found 16"),
            ("metrics = [\"f1_makro\"]", "`training.metrics[0]`: "),
            ("penalty = { l2 = 0.1, bias = 0 }", "`training.penalty.bias`: expected true or false, found 0"),
            (
                "penalty = { l2 = 0.1, biases = false }",
                "unknown key `training.penalty.biases`; possible here: bias, l1, l2",
            ),
            ("checkpoint = { keep = 0 }", "`training.checkpoint.keep`: expected a whole number from 1 to"),
            ("loss = \"mse\"", "`training.loss`: unknown loss `mse`; it is `mean_squared_error` here"),
            ("loss = \"bce\"", "`training.loss`: unknown loss `bce`; it is `binary_cross_entropy` here"),
            (
                "optimizer = { name = \"adam\", learning_rate = 0 }",
                "`training.optimizer.learning_rate`: at a learning rate of 0 nothing is learnt; give a positive one",
            ),
            (
                "optimizer = { name = \"nadamm\", learning_rate = 1 }",
                "unknown optimizer `nadamm`; did you mean `nadam`?",
            ),
            ("schedule = \"reduce_on_plateau\"", "unknown schedule `reduce_on_plateau`; it is `plateau` here"),
            ("schedule = \"cosine_restarts\"", "`period` is missing; give { name = \"cosine_restarts\""),
            (
                "schedule = { name = \"one_cycle\", warmup = 3 }",
                "`training.schedule.warmup`: one_cycle rises by itself; leave warmup out",
            ),
            ("layers = [{ layer = \"heat\", frozen = true }]", "unknown layer `heat`; did you mean `head`?"),
            (
                "layers = [{ layer = 3, frozen = true }]",
                "`training.layers[0].layer`: expected a whole number from 0 to 2",
            ),
            ("layers = [{ layer = 0 }]", "`training.layers[0]`: says nothing of its layers; give learning_rate,"),
            (
                "layers = [{ layer = 0, learning_rate = 1, learning_rate_scale = 1 }]",
                "give learning_rate or learning_rate_scale, not both",
            ),
            ("early_stopping = { patience = 1, monitor = \"val_los\" }", "`training.early_stopping.monitor`: "),
        ] {
            let said = spec(training).unwrap_err();
            let line = 8 + training.lines().count();
            assert!(
                said.starts_with(&format!("model.toml:{line}: ")) && said.contains(expected),
                "{said}\nnot {expected}"
            );
        }
        let text = "[model]\ninput = [4]\nlayers = [{ op = \"linear\", outputs = 2 }]\n[device.training]\n";
        for (setting, expected) in [
            (
                "optimizer = { name = \"lion\", learning_rate = 0.1 }",
                "model.toml:5: `device.training.optimizer.name`: only the host has `lion`; the device has sgd, rmsprop,",
            ),
            (
                "schedule = \"linear\"",
                "model.toml:5: `device.training.schedule`: only the host has `linear`; the device has constant, step,",
            ),
            ("accumulate = 2", "model.toml:5: unknown key `device.training.accumulate`"),
            ("precision = \"bf16\"", "model.toml:5: unknown key `device.training.precision`"),
        ] {
            let said = Spec::parse("model.toml", &format!("{text}{setting}\n"), Path::new("")).unwrap_err().to_string();
            assert!(said.contains(expected), "{said}\nnot {expected}");
        }
    }
}
