//! What can go wrong in training, said so that the reader can mend it.

use crate::data::{DataError, shown};
use crate::lower::ParameterError;
use crate::metrics::{Metric, MetricError};
use emberlite::plan::PlanError;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a training run couldn't start or go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The graph doesn't fit together.
    #[error("the model: {0}")]
    Graph(#[from] PlanError),
    /// A training setting is out of its range or doesn't fit the model.
    #[error("training settings: {0}")]
    Setting(String),
    /// The data don't fit the model.
    #[error("{what}: expected {expected}, found {found}; {help}")]
    Data {
        /// What was looked at.
        what: &'static str,
        /// What the model needs.
        expected: String,
        /// What is there.
        found: String,
        /// What to do.
        help: &'static str,
    },
    /// Samples can't be read.
    #[error(transparent)]
    Read(#[from] DataError),
    /// The initial parameters don't fit the model.
    #[error("initial parameters: {0}")]
    Parameters(#[from] ParameterError),
    /// The device can't be used.
    #[error("device `{device}`: {reason}")]
    Device {
        /// As it was asked for.
        device: String,
        /// Why, and what to do.
        reason: String,
    },
    /// The device failed while it computed.
    #[error("the device failed in epoch {epoch}: {reason}")]
    Execution {
        /// The epoch, from 1.
        epoch: u32,
        /// What the framework said.
        reason: String,
    },
    /// Training has diverged.
    #[error(
        "epoch {epoch}, step {step}: {what} is not finite at a learning rate of {}: training has diverged; try \
         a learning rate of {}, a warm-up or clip = {{ global_norm = 1.0 }}{}",
        shown(*.learning_rate), lower(*.learning_rate), kept(.checkpoint)
    )]
    NotFinite {
        /// The epoch, from 1.
        epoch: u32,
        /// The step of that epoch, from 1.
        step: u32,
        /// The loss, a tensor, …
        what: String,
        /// The learning rate of the last update.
        learning_rate: f32,
        /// The last checkpoint, from before.
        checkpoint: Option<PathBuf>,
    },
    /// The loss of a sample isn't finite, though the parameters are.
    #[error(
        "{set}: {sample}: its loss isn't finite, though all parameters are; mend or remove the sample, \
         whose largest number is {largest} as the model takes it{}",
        kept(.checkpoint)
    )]
    Sample {
        /// The set.
        set: String,
        /// The sample, with its place.
        sample: String,
        /// Its largest number, as the model takes it.
        largest: String,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// [`Job::interrupt`](super::Job::interrupt) became true; the run was saved, if it saves at all.
    #[error("interrupted in epoch {epoch} after step {step} of {steps}{}", saved(.checkpoint))]
    Interrupted {
        /// The epoch, from 1.
        epoch: u32,
        /// Updates made in it.
        step: u32,
        /// Updates of an epoch.
        steps: u32,
        /// What it can go on from.
        checkpoint: Option<PathBuf>,
    },
    /// Another process or device of the run is gone.
    #[error("epoch {epoch}: {reason}{}", kept(.checkpoint))]
    Group {
        /// The epoch, from 1.
        epoch: u32,
        /// What the engine said.
        reason: String,
        /// The last checkpoint.
        checkpoint: Option<PathBuf>,
    },
    /// A metric can't be had of the validation set.
    #[error("the validation set's {metric}: {error}; leave it out, or hold back other samples")]
    Metric {
        /// Which.
        metric: Metric,
        /// Why.
        error: MetricError,
    },
    /// A checkpoint can't be written or read, or the file isn't one.
    #[error("checkpoint {}: {reason}", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// A checkpoint is damaged; [`Job::fresh`](super::Job::fresh) lets a new run replace it.
    #[error("checkpoint {}: is damaged: {reason}{}", path.display(), older(.kept))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The one before, if [`Checkpoint::keep`](super::Checkpoint::keep) has kept it.
        kept: Option<PathBuf>,
    },
    /// A checkpoint of a program before or after this one; [`Job::fresh`](super::Job::fresh) lets a new run replace it.
    #[error(
        "checkpoint {}: is of {} program: it has version {version}, this one reads {reads}; finish the run with that program",
        path.display(), if version < reads { "an older" } else { "a newer" }
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
        /// The version that this program reads and writes.
        reads: u32,
    },
    /// What is asked for isn't what the checkpoint is of; [`Job::fresh`](super::Job::fresh) starts anew.
    #[error("checkpoint {}: can't be continued: since then there is a change of {changes}; undo the change", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// Each setting that differs, with both values.
        changes: String,
    },
    /// [`Job::resume`](super::Job::resume) without a checkpoint.
    #[error("{}: there is nothing to go on from: no checkpoint.safetensors in this folder; check its name", dir.display())]
    NothingToResume {
        /// The folder.
        dir: PathBuf,
    },
    /// A new run would replace one that isn't finished. [`Job::resume`](super::Job::resume) goes on with it,
    /// [`Job::fresh`](super::Job::fresh) gives it up.
    #[error(
        "{}: here is a run that isn't finished, of {}, and a new one would replace it",
        dir.display(), super::Reached::words(*epochs, *within)
    )]
    Unfinished {
        /// The folder.
        dir: PathBuf,
        /// Epochs that are done.
        epochs: u32,
        /// Updates of the one after those.
        within: u32,
    },
    /// The last checkpoint is gone, and others that [`Checkpoint::keep`](super::Checkpoint::keep) has kept are still there: a new
    /// run would replace them, which [`Job::fresh`](super::Job::fresh) allows.
    #[error(
        "{}: here are older checkpoints without the last one; to go on from the newest of them, rename {} to \
         checkpoint.safetensors",
        dir.display(), newest.display()
    )]
    OnlyOlder {
        /// The folder.
        dir: PathBuf,
        /// The newest of them.
        newest: PathBuf,
    },
    /// An observer couldn't report, such as to a full disk.
    #[error("reporting progress: {0}")]
    Observer(#[from] io::Error),
}

fn kept(checkpoint: &Option<PathBuf>) -> String {
    checkpoint.as_ref().map_or(String::new(), |path| format!(" (the last good checkpoint is {})", path.display()))
}

fn saved(checkpoint: &Option<PathBuf>) -> String {
    checkpoint.as_ref().map_or("; nothing was saved".into(), |path| format!("; saved as {}", path.display()))
}

fn older(kept: &Option<PathBuf>) -> String {
    kept.as_ref().map_or(String::new(), |path| {
        format!("; to go on from the one before, rename {} to checkpoint.safetensors", path.display())
    })
}

/// A tenth, in as few digits as say it; of what never was a learning rate a usual one.
fn lower(rate: f32) -> String {
    let lower = if rate > 100.0 { 0.001 } else { rate / 10.0 };
    let text = format!("{lower:.0e}");
    text.parse::<f32>().map_or(text, shown)
}
