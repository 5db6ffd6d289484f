//! What is to be done, and what came of it.

use super::checkpoint::Checkpoint;
use super::device::DeviceChoice;
use super::group::Group;
use super::history::{EarlyStopping, EpochRecord};
use super::observer::Observer;
use super::settings::HostSettings;
use crate::Parameters;
use crate::data::Source;
use emberlite::graph::Graph;
use emberlite::plan::Training;
use std::sync::atomic::AtomicBool;

/// A training run.
pub struct Job<'a> {
    /// The model. Its update rules hold here as on the device; its number format doesn't matter.
    pub graph: Graph<'a>,
    /// Loss, optimizer, schedule (in updates), penalties, clipping, and the samples of a mini-batch.
    pub training: &'a Training,
    /// What only the host has: accumulation, label smoothing, averages, more schedules and optimizers, …
    pub host: HostSettings,
    /// Passes over the training set.
    pub epochs: u32,
    /// What is learnt from: a [`Dataset`](crate::data::Dataset), or any samples that can be read by index.
    pub train: &'a dyn Source,
    /// What tells how well; never learnt from.
    pub validation: Option<&'a dyn Source>,
    /// The seed of initial weights, of the order of samples and of dropout.
    pub seed: u64,
    /// What computes.
    pub device: DeviceChoice,
    /// Further devices of this machine. Each has a copy of the model and takes its share of every batch, as the processes of
    /// [`group`](Job::group) do, which they don't go with; all are of one kind ([`Devices::check`](super::Devices::check)).
    /// The update is that of one device but for the order of sums.
    pub replicas: Vec<DeviceChoice>,
    /// When to end before the last epoch. Without it the parameters of the lowest validation loss are the result, or
    /// those of the last epoch where there is no validation set.
    pub early_stopping: Option<EarlyStopping>,
    /// Where and how often to save.
    pub checkpoint: Option<Checkpoint>,
    /// Go on from the checkpoint; without one it is [`TrainError::NothingToResume`](super::TrainError::NothingToResume). What decides
    /// the bits must be what it was, or it is [`TrainError::Changed`](super::TrainError::Changed); the number of epochs may be another, and
    /// so may `early_stopping`'s patience and gain where the epochs so far would have been the same.
    pub resume: bool,
    /// Replace the checkpoint of a run that isn't finished; otherwise a new run there is
    /// [`TrainError::Unfinished`](super::TrainError::Unfinished). What is finished is replaced in any case.
    pub fresh: bool,
    /// Start from these instead of new ones.
    pub initial: Option<&'a Parameters>,
    /// When this becomes true, the run ends after the update at hand: it saves and returns [`TrainError::Interrupted`](super::TrainError::Interrupted).
    pub interrupt: Option<&'a AtomicBool>,
    /// The processes that train this model together.
    pub group: Option<&'a dyn Group>,
    /// Told what happens.
    pub observer: &'a mut dyn Observer,
}

impl<'a> Job<'a> {
    /// Ten epochs, seed 0, on the best device, without validation, early stopping and checkpoints.
    pub fn new(
        graph: Graph<'a>,
        training: &'a Training,
        train: &'a dyn Source,
        observer: &'a mut dyn Observer,
    ) -> Self {
        Job {
            graph,
            training,
            host: HostSettings::default(),
            epochs: 10,
            train,
            validation: None,
            seed: 0,
            device: DeviceChoice::Auto,
            replicas: Vec::new(),
            early_stopping: None,
            checkpoint: None,
            resume: false,
            fresh: false,
            initial: None,
            interrupt: None,
            group: None,
            observer,
        }
    }
}

/// A trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Trained {
    /// The parameters of the best epoch.
    pub parameters: Parameters,
    /// Every epoch, those before a resumption included.
    pub history: Vec<EpochRecord>,
    /// `[right class][predicted class]`, counts over the validation set, or over the training set without one, with the
    /// best parameters; empty without classes.
    pub confusion: Vec<Vec<u32>>,
    /// The epoch whose parameters these are, from 1; 0 if there was none.
    pub best_epoch: u32,
    /// Whether patience ran out before the last epoch.
    pub stopped_early: bool,
}
