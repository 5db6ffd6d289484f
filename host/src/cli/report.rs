//! The page of a training run.

use std::path::Path;

use emberlite::image::Image;
use emberlite::plan::Training;

use super::train::Tested;
use super::{CliError, words};
use crate::data::{Label, Labels, Set, Source};
use crate::export;
use crate::report::{self, Confusion, FileFacts, ModelFacts, Pairs, PartFacts, Score, TrainingReport};
use crate::spec::{Budget, Costs, Sets, Spec};
use crate::train::Trained;

/// What a finished run knows.
pub(super) struct Facts<'a> {
    pub(super) spec: &'a Spec,
    pub(super) costs: &'a Costs,
    pub(super) budget: Budget,
    pub(super) parts: &'a Sets,
    pub(super) trained: &'a Trained,
    pub(super) tested: &'a Tested<'a>,
    pub(super) settings: &'a Training,
    pub(super) epochs: u32,
    pub(super) trained_on: String,
    pub(super) seconds: f64,
    pub(super) command: &'a str,
    /// Names and bytes.
    pub(super) files: &'a [(&'a Path, &'a [u8])],
}

/// Writes `report.html`, and what it shows as `report.json`, into a run's folder.
pub(super) fn write(folder: &Path, facts: &Facts<'_>) -> Result<(), CliError> {
    let report = report_of(facts);
    let json = serde_json::to_string_pretty(&report)
        .map_err(|error| CliError::Message(format!("can't write the report as JSON: {error}")))?;
    export::write(&folder.join("report.json"), json.as_bytes())?;
    Ok(export::write(&folder.join("report.html"), report::training(&report).as_bytes())?)
}

fn report_of(facts: &Facts<'_>) -> TrainingReport {
    let Facts { spec, costs, budget, parts, trained, tested, settings, .. } = facts;
    let [host_loss, device_loss] = tested.loss_names();
    let score = |runner: String, samples: usize, accuracy, loss, loss_name: &str| Score {
        runner,
        set: tested.part.into(),
        samples: samples as u64,
        accuracy,
        loss: Some(loss),
        loss_name: loss_name.into(),
    };
    let device = format!("device arithmetic ({})", costs.format);
    let parts =
        [("train", Some(&parts.train)), ("validation", parts.validation.as_ref()), ("test", parts.test.as_ref())];
    let seed = |what: &str, seed: u32| (what.to_string(), seed.to_string());
    TrainingReport {
        name: spec.name.clone(),
        description: description(spec, &tested.classes, facts.parts.train.labels()),
        agreement: tested.agreement,
        scores: [
            Some(score("host (f32)".into(), tested.samples, tested.host_accuracy, tested.host_loss, host_loss)),
            tested
                .device_loss
                .map(|loss| score(device.clone(), tested.device_samples, tested.device_accuracy, loss, device_loss)),
        ]
        .into_iter()
        .flatten()
        .collect(),
        history: trained.history.clone(),
        best_epoch: trained.best_epoch,
        stopped_early: trained.stopped_early,
        seconds: Some(facts.seconds),
        trained_on: facts.trained_on.clone(),
        confusion: Confusion {
            of: format!("{} set, {}", tested.part, if costs.host_only.is_some() { "host (f32)" } else { &device }),
            counts: tested.confusion.clone(),
            classes: tested.classes.clone(),
        },
        judged: tested.judged.clone(),
        parts: parts.iter().filter_map(|(name, set)| Some(part(name, (*set)?))).collect(),
        data: spec.data.as_ref().map(words::data).unwrap_or_default(),
        model: ModelFacts {
            ram_budget_bytes: budget.ram.map(u64::from),
            flash_budget_bytes: budget.flash.map(u64::from),
            board: spec.device.board.clone().unwrap_or_default(),
            ..ModelFacts::from(*costs)
        },
        settings: words::host(settings, &spec.training.host, facts.epochs, spec.training.early_stopping.as_ref()),
        device_settings: words::device(&spec.device.training),
        command: facts.command.into(),
        seeds: vec![
            seed("initial weights, order of samples, dropout", settings.seed),
            seed("learning on the device", spec.device.training.seed),
        ],
        files: facts.files.iter().map(|(path, bytes)| file(path, bytes)).collect(),
        versions: pairs(&[
            ("emberlite", env!("CARGO_PKG_VERSION").into()),
            ("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ]),
    }
}

/// What the model does, in a sentence; in another one which of its classes it has never seen.
fn description(spec: &Spec, classes: &[String], train: &Labels) -> String {
    /// More are counted.
    const MOST: usize = 8;
    let input = &spec.model.input;
    let sample = format!("from samples of {input} number{}", if input.elements() == 1 { "" } else { "s" });
    match classes {
        [] => match spec.data.as_ref().map(|data| data.files.label()) {
            Some(Label::Value(name)) if !name.is_empty() => format!("Predicts the number {name} {sample}."),
            _ => format!("Predicts a number {sample}."),
        },
        [one] => format!("Knows one class alone, {one}, {sample}."),
        [all @ .., last] if classes.len() <= MOST => {
            format!("Tells {} and {last} apart {sample}.{}", all.join(", "), unseen(classes, train))
        }
        _ => format!("Tells {} classes apart {sample}.{}", classes.len(), unseen(classes, train)),
    }
}

/// What must be said of classes that the training part has no sample of.
fn unseen(classes: &[String], train: &Labels) -> String {
    let Labels::Class { ids, .. } = train else { return String::new() };
    let mut seen = vec![false; classes.len()];
    for &id in ids {
        if let Some(seen) = seen.get_mut(id as usize) {
            *seen = true;
        }
    }
    let known: Vec<&str> =
        classes.iter().zip(&seen).filter(|(_, seen)| **seen).map(|(name, _)| name.as_str()).collect();
    match (known.as_slice(), classes.len() - known.len()) {
        (_, 0) => String::new(),
        ([one], _) => format!(" It learnt from samples of one class alone, {one}."),
        (_, unseen) => format!(" It learnt from samples of {} of them; {unseen} had none.", known.len()),
    }
}

fn part(name: &str, set: &Set) -> PartFacts {
    let mut class_counts = Vec::new();
    if let Labels::Class { ids, names } = set.labels() {
        class_counts.resize(names.len(), 0);
        ids.iter().for_each(|&id| class_counts[id as usize] += 1);
    }
    PartFacts { name: name.into(), samples: set.len() as u64, class_counts }
}

/// A file with what tells it from any other: its identity if it is a sealed one.
fn file(path: &Path, bytes: &[u8]) -> FileFacts {
    let hash = Image::open(bytes).map_or(String::new(), |image| format!("identity {:016x}", image.identity()));
    FileFacts { name: path.display().to_string(), bytes: bytes.len() as u64, hash }
}

fn pairs(pairs: &[(&str, String)]) -> Pairs {
    pairs.iter().map(|(name, value)| (name.to_string(), value.clone())).collect()
}
