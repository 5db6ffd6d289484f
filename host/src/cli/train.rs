//! `emberlite train`: what is read and checked, the training, what is written, what is told; each has a file of its own.

mod checked;
mod learn;
mod tested;
mod told;
mod written;

pub(super) use learn::{parameters_of, standardise_of};
pub(super) use tested::Tested;
pub(super) use told::{GO_ON, in_file};
pub(super) use written::MOST_CALIBRATED;

use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use checked::Checked;
use written::Written;

use super::line::Line;
use super::ranks::Ranks;
use super::{CliError, unfinished};
use crate::train::{Devices, Precision};

/// Trains a model on this machine and writes the file for the device.
///
/// Everything goes into the folder runs/NAME: model.safetensors (the device's file; for fixed16 also the real numbers as
/// model.f32.safetensors), report.html, metrics.jsonl, checkpoint.safetensors. The model that learns here is the one written, every
/// layer of it; `update` says what learns on the device.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's description
    #[arg(long, default_value = "model.toml")]
    model: PathBuf,
    /// The folder of this run [default: runs/NAME]
    #[arg(long)]
    run: Option<PathBuf>,
    /// The device's file [default: model.safetensors in the run's folder]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on from the checkpoint of the run in this folder
    #[arg(long)]
    resume: bool,
    /// Replace the run in this folder even if it isn't finished; a finished one is replaced without being asked
    #[arg(long, conflicts_with = "resume")]
    fresh: bool,
    /// Start from the parameters of a file instead of new ones: a sealed f32 file, or a state dict (.safetensors, .pth)
    #[arg(long)]
    from: Option<PathBuf>,
    /// Where to compute, instead of what the description says: auto, cpu, wgpu, vulkan or cuda, GPUs also by number as
    /// in cuda:1, several as in cuda:0,cuda:1, each of which takes a share of every batch (`emberlite devices` lists them)
    #[arg(long)]
    device: Option<Devices>,
    /// The numbers of matrix products, instead of the description's: f32, or bf16 with f32 weights where the device has it
    #[arg(long)]
    precision: Option<Precision>,
    /// The seed, instead of the description's
    #[arg(long)]
    seed: Option<u32>,
    /// Passes over the training part, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Batches whose gradients make one update, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65536))]
    accumulate: Option<u32>,
    /// Updates after which to end, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    max_steps: Option<u32>,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

/// `line` is what was typed.
pub(super) fn run(arguments: &Arguments, line: &Line, out: &mut dyn Write) -> Result<(), CliError> {
    let ranks = Ranks::join()?;
    ranks.end(run_as(&ranks, arguments, &ranks.line(line), out))
}

/// The same as one of several processes.
fn run_as(ranks: &Ranks, arguments: &Arguments, line: &Line, out: &mut dyn Write) -> Result<(), CliError> {
    let started = Instant::now();
    // Holds the run's folder to the end: what is written after the training is the run's too.
    let checked = Checked::new(ranks, arguments, line, out)?;
    let learnt = checked.learn(ranks, arguments, line).map_err(|error| told::resumable(error, line))?;
    if !ranks.is_first() {
        return Ok(());
    }

    let Checked { spec, before, epochs, .. } = &checked;
    let finished = before.as_ref();
    let finished =
        finished.and_then(|before| unfinished::finished_before(before, &learnt.trained, (spec, *epochs), line));
    if let Some(text) = finished {
        writeln!(out, "{text}")?;
    }
    let unwritten = |error, written| told::unwritten(error, &checked, written, line);
    let written = Written::model(&checked, &learnt.trained).map_err(|error| unwritten(error, None))?;
    let tested = tested::test(&checked, &learnt.trained.parameters, written.sealed(&checked));
    let tested = tested.map_err(|error| told::untested(&error, &checked, &written, &arguments.model))?;
    let reported = written.report(&checked, &learnt, &tested, (started, line));
    reported.map_err(|error| unwritten(error, Some(&written)))?;
    told::result(&checked, &written, &tested, out)
}
