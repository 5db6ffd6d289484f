//! Runs read back from their folders, to be compared: finished ones, broken ones, and those of older versions.
//!
//! A run's folder holds `metrics.jsonl`, a line an event, written while it runs, and once it is done `report.json`. The
//! lines say how it went, the report says what was run. Either may be missing or damaged: what can be read is, and the rest
//! is told in [`Run::notes`]; only a folder of which nothing can be read is an error.

mod log;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use super::{Pairs, TrainingReport};
use log::Log;

/// Bytes of a report that are read: its pictures are the largest part, some 100 KB.
const LARGEST_REPORT: u64 = 64 << 20;

/// A training run as its folder tells it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Run {
    /// What was given.
    pub folder: PathBuf,
    /// The model's name; the folder's where no report tells it.
    pub name: String,
    /// Whether it came to its end.
    pub finished: bool,
    /// Whether patience ran out.
    pub stopped_early: bool,
    /// Epochs that it should have had.
    pub planned_epochs: Option<u32>,
    /// The epoch whose parameters count.
    pub best_epoch: Option<u32>,
    /// Every epoch, by number.
    #[serde(skip)]
    pub epochs: Vec<Epoch>,
    /// Figures of the part that judged the result: `loss`, `accuracy`, metrics by name; with `device_` those of the
    /// device's arithmetic.
    pub tested: BTreeMap<String, f64>,
    /// The part that judged it.
    pub tested_on: String,
    /// All parameters.
    pub parameters: Option<u64>,
    /// Bytes of RAM that learning on the device takes.
    pub device_ram_bytes: Option<u64>,
    /// Bytes of the device's file.
    pub device_flash_bytes: Option<u64>,
    /// Wall time: of the whole run, or of the epochs where no report tells it.
    pub seconds: Option<f64>,
    /// What trained.
    pub trained_on: String,
    /// The settings, in words.
    pub settings: Pairs,
    /// What is missing or damaged, a sentence each.
    pub notes: Vec<String>,
}

/// An epoch's figures. What its program didn't write, or couldn't as it wasn't a number, is missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u32,
    /// Updates made since the start.
    pub step: Option<u64>,
    /// The mean loss over the epoch's updates.
    pub train_loss: Option<f64>,
    /// The share of right classes, likewise.
    pub train_accuracy: Option<f64>,
    /// The mean loss over the validation part.
    pub validation_loss: Option<f64>,
    /// The share of right classes in it.
    pub validation_accuracy: Option<f64>,
    /// Its metrics by name.
    pub validation_metrics: BTreeMap<String, Option<f64>>,
    /// The learning rate of the last update.
    pub learning_rate: Option<f64>,
    /// Wall time.
    pub seconds: Option<f64>,
    /// Training samples a second.
    pub samples_per_second: Option<f64>,
}

impl Epoch {
    /// Every figure that says how good it was, by name: `train_loss`, `validation_f1_macro`, …
    pub fn figures(&self) -> BTreeMap<String, f64> {
        let fixed = [
            ("train_loss", self.train_loss),
            ("train_accuracy", self.train_accuracy),
            ("validation_loss", self.validation_loss),
            ("validation_accuracy", self.validation_accuracy),
        ];
        let metrics = self.validation_metrics.iter().map(|(name, value)| (format!("validation_{name}"), *value));
        let all = fixed.into_iter().map(|(name, value)| (name.to_string(), value)).chain(metrics);
        all.filter_map(|(name, value)| Some((name, value.filter(|value| value.is_finite())?))).collect()
    }
}

/// Why a folder can't be read as a run.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// There is no such folder.
    #[error("{}: there is no such folder; give the folder of a run, such as runs/NAME", .0.display())]
    Missing(PathBuf),
    /// It is a file.
    #[error("{}: a file; give the folder of a run that it lies in", .0.display())]
    File(PathBuf),
    /// Neither of a run's files is in it.
    #[error("{}: no run: neither metrics.jsonl nor report.json is in it; give a folder that `emberlite train` made", .0.display())]
    Foreign(PathBuf),
    /// It is the folder of a search.
    #[error(
        "{}: the folder of a search, not of a run; report.html in it compares its trials; to compare its best one with runs, \
         train the best description that it wrote, and give the folder of that run",
        .0.display()
    )]
    Search(PathBuf),
    /// They are there but tell nothing.
    #[error("{}: a run that tells nothing yet: {why}", path.display())]
    Nothing {
        /// The folder.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// A file can't be read.
    #[error("{}: can't read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Reads a run's folder.
///
/// # Errors
/// [`RunError`] if nothing can be read of it.
pub fn read(folder: &Path) -> Result<Run, RunError> {
    match std::fs::metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(RunError::Missing(folder.into())),
        Err(source) => return Err(RunError::Unreadable { path: folder.into(), source }),
        Ok(found) if !found.is_dir() => return Err(RunError::File(folder.into())),
        Ok(_) => {}
    }
    let mut run = Run { folder: folder.into(), name: name(folder), ..Run::default() };
    let log = open(&folder.join("metrics.jsonl"))?;
    let report = open(&folder.join("report.json"))?;
    if log.is_none() && folder.join("trials.jsonl").is_file() {
        return Err(RunError::Search(folder.into()));
    }
    if log.is_none() && report.is_none() {
        return Err(RunError::Foreign(folder.into()));
    }
    match log {
        None => run.notes.push("metrics.jsonl is missing: how it went is told by its report alone".into()),
        Some(file) => {
            let path = folder.join("metrics.jsonl");
            let log = Log::read(BufReader::new(file)).map_err(|source| RunError::Unreadable { path, source })?;
            run.take_log(log);
        }
    }
    match report {
        None if run.finished => run.notes.push("report.json is missing: its settings and costs aren't known".into()),
        None => run.notes.push("it hasn't come to its end: settings and costs aren't known".into()),
        Some(file) => run.take_report(file),
    }
    if run.epochs.is_empty() && run.tested.is_empty() && run.settings.is_empty() {
        let why = run.notes.first().cloned().unwrap_or_else(|| "no epoch has ended".into());
        return Err(RunError::Nothing { path: folder.into(), why });
    }
    Ok(run)
}

fn open(path: &Path) -> Result<Option<File>, RunError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RunError::Unreadable { path: path.into(), source }),
    }
}

/// A folder's last name.
fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.into());
    whole.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into_owned())
}

impl Run {
    /// The epoch that counts: the best, or the last.
    pub fn kept(&self) -> Option<&Epoch> {
        let best = self.epochs.iter().find(|epoch| Some(epoch.epoch) == self.best_epoch);
        best.or(self.epochs.last())
    }

    fn take_log(&mut self, log: Log) {
        if log.cut {
            self.notes.push("the last line of metrics.jsonl is cut off: it was killed while writing".into());
        }
        if let Some(first) = log.damaged.first() {
            let count = log.damaged.len();
            self.notes.push(format!("metrics.jsonl: {count} damaged lines are left out, the first is line {first}"));
        }
        if log.lines == 0 {
            self.notes.push("metrics.jsonl holds no line that says anything".into());
        }
        if let Some(tested) = &log.tested {
            self.take_tested(tested);
        }
        self.epochs = log.epochs.into_values().collect();
        (self.finished, self.stopped_early) = (log.finished, log.stopped_early);
        (self.best_epoch, self.planned_epochs, self.parameters) = (log.best_epoch, log.planned, log.trained);
        self.trained_on = log.device.unwrap_or_default();
        let seconds: f64 = self.epochs.iter().filter_map(|epoch| epoch.seconds).sum();
        self.seconds = (seconds > 0.0).then_some(seconds);
    }

    fn take_tested(&mut self, line: &Value) {
        let number = |key: &str| line.get(key).and_then(Value::as_f64);
        for (name, key) in [
            ("loss", "host_loss"),
            ("accuracy", "host_accuracy"),
            ("device_loss", "device_loss"),
            ("device_accuracy", "device_accuracy"),
        ] {
            self.tested.extend(number(key).map(|value| (name.to_string(), value)));
        }
        let metrics = line.get("host_metrics").and_then(Value::as_object);
        let metrics = metrics.into_iter().flatten().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)));
        self.tested.extend(metrics);
        self.tested_on = line.get("part").and_then(Value::as_str).unwrap_or_default().into();
    }

    fn take_report(&mut self, file: File) {
        let damaged = |why: String| format!("report.json can't be read ({why}): settings and costs aren't known");
        let read = serde_json::from_reader(BufReader::new(file.take(LARGEST_REPORT))).and_then(|value: Value| {
            // A list would do for a structure without names.
            if value.is_object() { serde_json::from_value(value) } else { Err(serde::de::Error::custom("no object")) }
        });
        let report: TrainingReport = match read {
            Ok(report) => report,
            Err(error) => return self.notes.push(damaged(error.to_string())),
        };
        if !report.name.is_empty() {
            self.name = report.name;
        }
        if self.epochs.is_empty() {
            let of = |epoch: &crate::train::EpochRecord| serde_json::to_value(epoch).and_then(serde_json::from_value);
            self.epochs = report.history.iter().filter_map(|epoch| of(epoch).ok()).collect();
            self.best_epoch = (report.best_epoch > 0).then_some(report.best_epoch);
            self.finished = true;
        }
        let model = &report.model;
        let some = |n: u64| (n > 0).then_some(n);
        self.parameters = some(model.parameters).or(self.parameters);
        self.device_ram_bytes = some(model.arena_bytes);
        self.device_flash_bytes = some(model.file_bytes);
        self.seconds = report.seconds.or(self.seconds);
        if !report.trained_on.is_empty() {
            self.trained_on = report.trained_on;
        }
        // A report that is older than the lines: the folder was trained in again, and stopped.
        if !self.finished {
            self.notes.push("it hasn't come to its end; settings and costs are those of the run before it".into());
        }
        let layers: Vec<String> = model.layers.iter().map(|l| format!("{} {}", l.operation, l.output)).collect();
        let model = [("model".to_string(), layers.join(", ")), ("format".to_string(), model.format.clone())];
        let seeds = report.seeds.into_iter().map(|(what, seed)| (format!("seed of {what}"), seed));
        let device = report.device_settings.into_iter().map(|(name, value)| (format!("device: {name}"), value));
        let all = report.data.into_iter().chain(model).chain(report.settings).chain(device).chain(seeds);
        self.settings = all.filter(|(_, value)| !value.is_empty()).collect();
    }
}

/// The settings that not all runs have alike, in the order in which they come: each with its value a run, none where a run
/// doesn't have it.
pub fn differences(runs: &[Run]) -> Vec<(String, Vec<Option<String>>)> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in runs.iter().flat_map(|run| &run.settings) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let value = |run: &Run, name: &str| run.settings.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
    let row = |name: &str| (name.to_string(), runs.iter().map(|run| value(run, name)).collect::<Vec<_>>());
    // A run whose settings aren't known at all differs in none.
    let known: Vec<bool> = runs.iter().map(|run| !run.settings.is_empty()).collect();
    let differ = |values: &[Option<String>]| {
        let mut of_known = values.iter().zip(&known).filter(|(_, known)| **known).map(|(value, _)| value);
        let first = of_known.next();
        of_known.any(|value| Some(value) != first)
    };
    names.into_iter().map(row).filter(|(_, values)| differ(values)).collect()
}

#[cfg(test)]
mod tests;
