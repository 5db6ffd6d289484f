//! `emberlite cross-validate`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::line::Line;
use super::search::aligned;
use super::{CliError, interrupt};
use crate::data::Folds;
use crate::search::{CrossValidation, FoldScore, cross_validate};
use crate::spec::{LoadError, Spec};
use crate::train::{self, DeviceChoice, Evaluation, decimals};

/// Trains and judges a model fold by fold: every sample is judged once by a model that hasn't seen it.
///
/// The folds are those of [data] folds. Everything is fitted on the rest of each fold alone, whose last epoch is judged by loss,
/// accuracy and the metrics of [training]. Validation part and early stopping on it are left out; the test part stays untouched.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's description
    #[arg(long, default_value = "model.toml")]
    model: PathBuf,
    /// The number of folds, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    folds: Option<u32>,
    /// How often the whole is done again with another order, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeats: Option<u32>,
    /// Passes over the training part, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// The seed of the training, instead of the description's
    #[arg(long)]
    seed: Option<u32>,
    /// Where to compute, instead of what the description says: auto, cpu, wgpu, vulkan or cuda, GPUs also by number as
    /// in cuda:1
    #[arg(long)]
    device: Option<DeviceChoice>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

/// A figure over the folds.
#[derive(Debug, Serialize)]
struct Figure {
    mean: f64,
    std: f64,
    folds: Vec<f64>,
}

/// `line` is what was typed.
pub(super) fn run(arguments: &Arguments, line: &Line, out: &mut dyn Write) -> Result<(), CliError> {
    let mut spec = Spec::read(&arguments.model)?;
    let training = &mut spec.training;
    training.epochs = arguments.epochs.unwrap_or(training.epochs);
    training.settings.seed = arguments.seed.unwrap_or(training.settings.seed);
    let metrics = training.host.metrics.clone();
    let device = arguments.device.unwrap_or(training.device.first);
    train::check_precision(device, training.host.precision)?;
    let data = spec.need_data()?;
    let mut rule = match (&data.folds, arguments.folds) {
        (Some(rule), k) => Folds { k: k.map_or(rule.k, |k| k as usize), ..rule.clone() },
        (None, Some(k)) => Folds::new(spec.usual_folds(), k as usize),
        (None, None) => Folds::new(spec.usual_folds(), 5),
    };
    rule.repeats = arguments.repeats.map_or(rule.repeats, |repeats| repeats as usize);
    let folded = spec.load_folds(&rule).map_err(|error| match (error, arguments.folds, &data.folds) {
        (LoadError::Folds(error), Some(k), _) => CliError::Message(format!("--folds {k}: {error}")),
        (LoadError::Folds(error), None, None) => CliError::Message(format!(
            "{}: {error}; or say in [data] how to divide, for example folds = 3",
            arguments.model.display()
        )),
        (error, ..) => error.into(),
    })?;
    let count = folded.folds.len();
    let watch = interrupt::Watch::new();
    let result = cross_validate(&spec, &folded, device, &metrics, watch.asked(), &mut |fold: &FoldScore| {
        if !arguments.quiet {
            let accuracy = fold.evaluation.accuracy.map_or(String::new(), |share| format!("  accuracy {share:.4}"));
            // That nobody reads it any more is no reason to end.
            let loss = decimals(fold.evaluation.loss, 4);
            let _ = writeln!(std::io::stderr(), "fold {}/{count}  loss {loss}{accuracy}", fold.fold);
        }
    })?;
    if watch.asked().load(Ordering::Relaxed) {
        return Err(CliError::Interrupted(format!(
            "interrupted after {} of {count} folds, of which nothing is kept; start again with: {line}",
            result.folds.len()
        )));
    }
    let figures = figures(&result);
    let text = if arguments.json {
        let named: BTreeMap<&str, &Figure> = figures.iter().map(|(name, figure)| (name.as_str(), figure)).collect();
        let json = serde_json::to_string_pretty(&named);
        json.map_err(|error| CliError::Message(format!("can't write the figures as JSON: {error}")))? + "\n"
    } else {
        table(&result, &figures)
    };
    Ok(out.write_all(text.as_bytes())?)
}

/// Loss, accuracy and metrics in this order, of each fold.
fn figures(result: &CrossValidation) -> Vec<(String, Figure)> {
    let mut all = Vec::new();
    let mut add = |name: &str, figure: &dyn Fn(&Evaluation) -> Option<f64>| {
        let folds: Option<Vec<f64>> = result.folds.iter().map(|fold| figure(&fold.evaluation)).collect();
        if let Some(((mean, std), folds)) = result.figure(figure).zip(folds) {
            all.push((name.to_string(), Figure { mean, std, folds }));
        }
    };
    add("loss", &|evaluation| Some(evaluation.loss));
    add("accuracy", &|evaluation| evaluation.accuracy);
    let names = result.folds.first().map(|fold| fold.evaluation.metrics.keys().cloned().collect::<Vec<_>>());
    for name in names.unwrap_or_default().iter().filter(|name| *name != "accuracy") {
        add(name, &|evaluation| evaluation.metrics.get(name).copied());
    }
    all
}

fn table(result: &CrossValidation, figures: &[(String, Figure)]) -> String {
    let mut head: Vec<String> = ["fold", "learnt from", "judged by", "epochs"].map(String::from).to_vec();
    head.extend(figures.iter().map(|(name, _)| name.clone()));
    let row = |(index, fold): (usize, &FoldScore)| {
        let mut row =
            vec![fold.fold.to_string(), fold.train.to_string(), fold.test.to_string(), fold.epochs.to_string()];
        row.extend(figures.iter().filter_map(|(_, figure)| Some(decimals(*figure.folds.get(index)?, 4))));
        row
    };
    let mut rows: Vec<Vec<String>> = std::iter::once(head).chain(result.folds.iter().enumerate().map(row)).collect();
    for (name, of) in [("mean", (|figure| figure.mean) as fn(&Figure) -> f64), ("std", |figure| figure.std)] {
        let mut row = vec![name.to_string(), String::new(), String::new(), String::new()];
        row.extend(figures.iter().map(|(_, figure)| decimals(of(figure), 4)));
        rows.push(row);
    }
    let mut text = aligned(&rows);
    let said = |(name, of): &(String, Figure)| format!("{name} {} ± {}", decimals(of.mean, 4), decimals(of.std, 4));
    let said: Vec<String> = figures.iter().map(said).collect();
    let _ =
        writeln!(text, "\n{} (mean ± sample standard deviation over {} folds)", said.join(", "), result.folds.len());
    text
}
