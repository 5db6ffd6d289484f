//! `emberlite simulate`.

use std::io::Write;
use std::path::PathBuf;

use emberlite::image::Image;

use super::weights::not_sealed;
use super::{CliError, outputs};
use crate::data::Dataset;
use crate::export::{self, Bytes};
use crate::simulate::{self, Options, Report, SimulateError, stored};
use crate::spec::{Spec, Stored};

/// Trains exactly as the device would, or evaluates.
///
/// Without `--steps` every row is evaluated. With `--steps N` the device's train_step is called N times, with the settings
/// of [device.training], on the rows in the order of the file (from the first again after the last); the result is what the
/// device would save, bit for bit, and all rows are evaluated with it.
///
/// Rows are raw values as [data] describes its files; windows are cut in the order of the file. Normalisation comes from
/// the weights' file.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's description
    #[arg(long, default_value = "model.toml")]
    model: PathBuf,
    /// The sealed file to start from
    #[arg(long)]
    weights: PathBuf,
    /// Raw rows, as CSV or NPZ
    #[arg(long, conflicts_with = "part")]
    data: Option<PathBuf>,
    /// Instead of a file: a part of the data that the model's description names
    #[arg(long, value_enum, default_value = "test")]
    part: Part,
    /// Training steps
    #[arg(long, requires = "out", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Where the trained weights go
    #[arg(long, requires = "steps")]
    out: Option<PathBuf>,
    /// Where the figures go, as JSON
    #[arg(long)]
    metrics: Option<PathBuf>,
    /// Keep loss, class and outcome of every step in the JSON
    #[arg(long, requires = "steps")]
    trace: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Part {
    Train,
    Validation,
    Test,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let spec = Spec::read(&arguments.model)?;
    if let Some(reason) = spec.host_only() {
        return Err(reason.into());
    }
    check_outputs(arguments, &spec)?;
    let weights = Bytes::read(&arguments.weights)?;
    let image = Image::open(weights.as_slice())
        .map_err(|error| not_sealed(&arguments.weights, weights.as_slice(), error, "simulated"))?;
    let rows = rows(arguments, &spec, &stored(&image))?;
    let options = Options { steps: arguments.steps, trace: arguments.trace };
    let simulation = simulate::run(&spec, &weights, &rows, &options).map_err(|error| {
        let path = &arguments.weights;
        match error {
            SimulateError::Image(error) => CliError::Image { path: path.clone(), error },
            SimulateError::Load(error) => CliError::Message(format!("{}: {error}", path.display())),
            other => other.into(),
        }
    })?;
    if let (Some(path), Some(file)) = (&arguments.out, &simulation.file) {
        export::write(path, file)?;
    }
    if let Some(path) = &arguments.metrics {
        let mut json = serde_json::to_string_pretty(&simulation.report)
            .map_err(|error| CliError::Message(format!("can't write the figures as JSON: {error}")))?;
        json.push('\n');
        export::write(path, json.as_bytes())?;
    }
    print(&simulation.report, out)
}

/// What the simulation will write, before it starts.
fn check_outputs(arguments: &Arguments, spec: &Spec) -> Result<(), CliError> {
    let named = [("--out", &arguments.out), ("--metrics", &arguments.metrics)];
    let made: Vec<_> = named.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?))).collect();
    let mut read = vec![("the description", arguments.model.as_path()), ("--weights", &arguments.weights)];
    read.extend(arguments.data.iter().map(|path| ("--data", path.as_path())));
    read.extend(outputs::data_files(spec).into_iter().map(|path| ("a file of [data]", path)));
    outputs::check(&made, &read)
}

fn rows(arguments: &Arguments, spec: &Spec, stored: &Stored) -> Result<Dataset, CliError> {
    if let Some(path) = &arguments.data {
        return Ok(spec.load_file(path, stored)?);
    }
    let parts = spec.load_parts()?;
    let missing = |name| spec.no_part(name, "name samples with --data FILE");
    match arguments.part {
        Part::Train => Ok(parts.train),
        Part::Validation => Ok(parts.validation.ok_or_else(|| missing("validation"))?),
        Part::Test => Ok(parts.test.ok_or_else(|| missing("test"))?),
    }
}

fn print(report: &Report, out: &mut dyn Write) -> Result<(), CliError> {
    let share = |accuracy: Option<f64>| accuracy.map_or(String::new(), |a| format!("accuracy {:.2} %, ", a * 100.0));
    if let Some(training) = &report.training {
        writeln!(
            out,
            "trained {} steps: {} updates, {} skipped; before each step {}loss {:.6}",
            report.steps,
            report.updates,
            report.skipped,
            share(training.accuracy),
            training.loss
        )?;
    }
    writeln!(out, "evaluated {} samples: {}loss {:.6}", report.count, share(report.accuracy), report.loss)?;
    Ok(())
}
