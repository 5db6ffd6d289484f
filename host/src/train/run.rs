//! The loop.

use super::batches::{Read, Samples};
use super::checkpoint::{Checkpoint, Counters, Identity, Saved};
use super::device::{self, Open};
use super::error::TrainError;
use super::evaluate::{Evaluation, measure};
use super::feed::feed;
use super::history::{EpochRecord, Watch};
use super::initialize::initialize;
use super::job::{Job, Trained};
use super::loss;
use super::observer::{Event, Observer};
use super::optimizer::Stepper;
use crate::Parameters;
use crate::data::{Labels, random};
use crate::lower::{Lowered, Mode, Tensors, download, upload};
use burn_tensor::{ExecutionError, Tensor};
use emberlite::graph::write_graph;
use emberlite::image::Name;
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::plan::Training;
use std::path::PathBuf;
use std::time::Instant;

/// Steps between two readings of the loss.
const READ_EVERY: usize = 32;

/// Trains a model; see [`Job`].
///
/// # Errors
/// [`TrainError`]: everything that can be checked is checked before the first step.
pub fn train(job: Job<'_>) -> Result<Trained, TrainError> {
    let (mut run, epochs) = Run::new(job)?;
    run.go(epochs)
}

/// A run at work.
struct Run<'a> {
    lowered: Lowered<'a>,
    training: &'a Training,
    train: Samples<'a>,
    validation: Option<Samples<'a>>,
    open: Open,
    seed: u64,
    observer: &'a mut dyn Observer,
    checkpoint: Option<Checkpoint>,
    /// The last file that was written or read.
    saved: Option<PathBuf>,
    identity: Identity,
    tensors: Tensors,
    stepper: Stepper,
    /// Samples trained on: the counter behind dropout.
    samples: u32,
    best: Tensors,
    watch: Watch,
    history: Vec<EpochRecord>,
}

/// One epoch's sums so far.
#[derive(Default)]
struct Sums {
    loss: f64,
    correct: f64,
    samples: usize,
    has_classes: bool,
}

/// Losses and counts of steps that haven't been read yet.
#[derive(Default)]
struct Unread {
    losses: Vec<Tensor<1>>,
    correct: Vec<Tensor<1>>,
    sizes: Vec<usize>,
}

impl<'a> Run<'a> {
    fn new(job: Job<'a>) -> Result<(Self, u32), TrainError> {
        let lowered = Lowered::new(job.graph)?;
        check_settings(&job, &lowered)?;
        let train = Samples::new("the training set", job.train, &lowered, &job.training.loss)?;
        let new = |set| Samples::new("the validation set", set, &lowered, &job.training.loss);
        let validation = job.validation.map(new).transpose()?;
        check_batches(&lowered, train.len(), job.training.batch as usize)?;
        let fresh = match job.initial {
            Some(parameters) => parameters.clone(),
            None => initialize(&lowered, seed32(job.seed)),
        };
        let open = device::open(job.device)?;
        let identity = identity(&job, &lowered, &train, validation.as_ref())?;
        let tensors = Tensors::upload(&lowered, &fresh, &open.device)?;
        let mut run = Run {
            stepper: Stepper::new(job.training, &lowered, &open.device),
            best: tensors.constant(),
            tensors,
            lowered,
            training: job.training,
            train,
            validation,
            open,
            seed: job.seed,
            observer: job.observer,
            checkpoint: job.checkpoint,
            saved: None,
            identity,
            samples: 0,
            watch: Watch::new(job.early_stopping.as_ref(), job.validation.is_some()),
            history: Vec::new(),
        };
        if job.resume {
            run.resume()?;
        }
        Ok((run, job.epochs))
    }

    fn go(&mut self, epochs: u32) -> Result<Trained, TrainError> {
        let steps = self.train.len().div_ceil(self.training.batch as usize) as u32;
        self.observer.event(Event::Started {
            device: &self.open.name,
            done: self.history.len() as u32,
            epochs,
            steps,
            samples: self.train.len(),
            validation: self.validation.map_or(0, |v| v.len()),
            trained: self.stepper.slots().iter().map(|slot| slot.len).sum(),
        })?;
        while (self.history.len() as u32) < epochs && !self.watch.stops() {
            let record = self.epoch(epochs, steps)?;
            let best = self.watch.see(&record);
            if best {
                self.best = self.tensors.constant();
            }
            self.observer.event(Event::Epoch { record: &record, epochs, best })?;
            self.history.push(record);
            self.save(epochs, steps)?;
        }
        let epoch = self.history.len() as u32;
        let parameters = self.finite(&self.best, epoch, steps)?;
        let confusion = self.evaluate(&self.best, self.validation.unwrap_or(self.train), epoch)?.confusion;
        let (best_epoch, stopped_early) = (self.watch.best.0, self.watch.stops());
        self.observer.event(Event::Finished { best_epoch, stopped_early })?;
        let history = std::mem::take(&mut self.history);
        Ok(Trained { parameters, history, confusion, best_epoch, stopped_early })
    }

    fn epoch(&mut self, epochs: u32, steps: u32) -> Result<EpochRecord, TrainError> {
        let start = Instant::now();
        let epoch = self.history.len() as u32 + 1;
        let order = random::order(random::hash(self.seed, epoch.into()), self.train.len());
        let (mut sums, mut unread) = (Sums::default(), Unread::default());
        let mut learning_rate = 0.0;
        let (train, mut step) = (self.train, 0);
        feed(train, order.chunks(self.training.batch as usize), Some(epoch), |_, read| {
            learning_rate = self.stepper.rate();
            self.step(read, &mut unread);
            step += 1;
            if unread.losses.len() == READ_EVERY || step == steps {
                self.read(std::mem::take(&mut unread), &mut sums, epoch, step)?;
                let loss = sums.loss / sums.samples as f64;
                self.observer.event(Event::Steps { epoch, epochs, step, steps, loss })?;
            }
            Ok::<(), TrainError>(())
        })?;
        let samples_per_second = self.train.len() as f64 / start.elapsed().as_secs_f64().max(1e-9);
        let validation = match self.validation {
            Some(set) => {
                let evaluation = self.evaluate(&self.tensors.constant(), set, epoch)?;
                if !evaluation.loss.is_finite() {
                    return Err(self.not_finite(epoch, steps, "the validation loss".into()));
                }
                Some(evaluation)
            }
            None => None,
        };
        let share = |correct: f64, samples: usize| correct / samples as f64;
        Ok(EpochRecord {
            epoch,
            step: self.stepper.updates,
            train_loss: sums.loss / sums.samples as f64,
            train_accuracy: sums.has_classes.then(|| share(sums.correct, sums.samples)),
            validation_loss: validation.as_ref().map(|v| v.loss),
            validation_accuracy: validation.as_ref().and_then(|v| v.accuracy),
            learning_rate,
            seconds: start.elapsed().as_secs_f64(),
            samples_per_second,
        })
    }

    /// One update; nothing is read back.
    fn step(&mut self, read: Read, unread: &mut Unread) {
        let size = read.len();
        let batch = read.upload(&self.open.device);
        let mode = Mode::Train { seed: seed32(self.seed), first_sample: self.samples };
        let (output, statistics) = self.lowered.forward(&self.tensors, batch.x, mode);
        unread.correct.extend(loss::correct(&self.training.loss, &output, &batch.target));
        let loss = loss::mean(&self.training.loss, output, &batch.target);
        let mut gradients = loss.backward();
        unread.losses.push(loss.without_autodiff());
        unread.sizes.push(size);
        self.stepper.step(&mut self.tensors, &mut gradients);
        self.tensors.commit(statistics);
        self.samples = self.samples.wrapping_add(size as u32);
    }

    /// Reads what the last steps gave; `step` is the last of them.
    fn read(&self, unread: Unread, sums: &mut Sums, epoch: u32, step: u32) -> Result<(), TrainError> {
        let first = step + 1 - unread.losses.len() as u32;
        let data = Tensor::cat(unread.losses, 0).try_into_data().map_err(|e| failed(epoch, e))?;
        for ((loss, &size), step) in data.iter::<f32>().zip(&unread.sizes).zip(first..) {
            if !loss.is_finite() {
                return Err(self.not_finite(epoch, step, "the loss".into()));
            }
            sums.loss += f64::from(loss) * size as f64;
            sums.samples += size;
        }
        if !unread.correct.is_empty() {
            let data = Tensor::cat(unread.correct, 0).try_into_data().map_err(|e| failed(epoch, e))?;
            sums.correct += data.iter::<f32>().map(f64::from).sum::<f64>();
            sums.has_classes = true;
        }
        Ok(())
    }

    fn evaluate(&self, tensors: &Tensors, set: Samples<'_>, epoch: u32) -> Result<Evaluation, TrainError> {
        measure(&self.lowered, &self.training.loss, tensors, set, &self.open.device, epoch)
    }

    /// Reads parameters back and makes sure that they are numbers.
    fn finite(&self, tensors: &Tensors, epoch: u32, step: u32) -> Result<Parameters, TrainError> {
        let parameters = tensors.download(&self.lowered).map_err(|e| failed(epoch, e))?;
        let broken = parameters.iter().find(|(_, _, values)| !values.iter().all(|v| v.is_finite()));
        match broken {
            Some((node, kind, _)) => Err(self.not_finite(epoch, step, format!("parameter {}", Name { node, kind }))),
            None => Ok(parameters),
        }
    }

    fn not_finite(&self, epoch: u32, step: u32, what: String) -> TrainError {
        TrainError::NotFinite { epoch, step, what, checkpoint: self.saved.clone() }
    }

    /// Saves if it is time.
    fn save(&mut self, epochs: u32, steps: u32) -> Result<(), TrainError> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let epoch = self.history.len() as u32;
        if !epoch.is_multiple_of(checkpoint.every_epochs) && epoch < epochs && !self.watch.stops() {
            return Ok(());
        }
        let mut state = Vec::new();
        for states in &self.stepper.state {
            let read: Result<Vec<_>, _> = states.iter().map(|s| download(s.clone())).collect();
            state.push(read.map_err(|e| failed(epoch, e))?);
        }
        let saved = Saved {
            identity: self.identity.clone(),
            counters: Counters {
                epoch,
                updates: self.stepper.updates,
                samples: self.samples,
                best_epoch: self.watch.best.0,
                best_figure: self.watch.best.1,
                waited: self.watch.waited,
                history: self.history.clone(),
            },
            parameters: self.finite(&self.tensors, epoch, steps)?,
            state,
            best: self.best.download(&self.lowered).map_err(|e| failed(epoch, e))?,
        };
        let path = checkpoint.save(&saved, self.stepper.slots())?;
        self.observer.event(Event::Saved { path: &path, epoch })?;
        self.saved = Some(path);
        Ok(())
    }

    /// Takes over the checkpoint, if there is one.
    fn resume(&mut self) -> Result<(), TrainError> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let states = self.training.optimizer.state_slots();
        let Some(saved) = checkpoint.load(&self.identity, self.lowered.slots(), states)? else { return Ok(()) };
        let device = &self.open.device;
        let upload_all = |states: Vec<Vec<f32>>| states.into_iter().map(|v| upload(v, device)).collect();
        self.stepper.state = saved.state.into_iter().map(upload_all).collect();
        self.tensors = Tensors::upload(&self.lowered, &saved.parameters, device)?;
        self.best = Tensors::upload(&self.lowered, &saved.best, device)?.constant();
        let counters = saved.counters;
        (self.stepper.updates, self.samples) = (counters.updates, counters.samples);
        self.watch.best = (counters.best_epoch, counters.best_figure);
        (self.watch.waited, self.history) = (counters.waited, counters.history);
        self.saved = Some(checkpoint.path());
        Ok(())
    }
}

fn failed(epoch: u32, error: ExecutionError) -> TrainError {
    TrainError::Execution { epoch, reason: format!("{error:?}") }
}

/// The core's seeds have 32 bits; a seed that fits is used as it is.
const fn seed32(seed: u64) -> u32 {
    (seed ^ seed >> 32) as u32
}

/// Everything that can be wrong with the settings by themselves and for this model.
fn check_settings(job: &Job<'_>, lowered: &Lowered<'_>) -> Result<(), TrainError> {
    let t = job.training;
    let setting = |text: &str| Err(TrainError::Setting(text.into()));
    for check in [
        t.loss.check(),
        t.optimizer.check_in(Format::F32),
        t.schedule.check(),
        t.clip.check(),
        t.penalty.check_in(Format::F32),
    ] {
        check.or_else(setting)?;
    }
    if t.batch == 0 {
        return setting("the batch must have at least 1 sample");
    }
    if !lowered.slots().iter().any(|slot| slot.trained) {
        return setting("every parameter is frozen: there is nothing to train");
    }
    let tokens = matches!(job.train.labels(), Labels::Tokens { .. });
    if t.loss.takes_class() && !tokens && (lowered.output().rank() != 1 || lowered.output().elements() < 2) {
        let text = format!("classes need a vector of at least 2 outputs, the model has {}", lowered.output());
        return setting(&text);
    }
    if job.checkpoint.as_ref().is_some_and(|c| c.every_epochs == 0) {
        return setting("a checkpoint needs at least 1 epoch between two savings");
    }
    if job.resume && job.checkpoint.is_none() {
        return setting("resuming needs a checkpoint folder");
    }
    if let Some(stopping) = job.early_stopping {
        if stopping.patience == 0 {
            return setting("early stopping needs a patience of at least 1 epoch");
        }
        if !(stopping.min_delta >= 0.0 && stopping.min_delta.is_finite()) {
            return setting("min_delta must be finite and not negative");
        }
        if stopping.monitor.needs_validation() && job.validation.is_none() {
            return setting(&format!("early stopping on {} needs a validation set", stopping.monitor));
        }
        let labelled = matches!(job.train.labels(), Labels::Class { .. } | Labels::Tokens { .. });
        if stopping.monitor.needs_classes() && !labelled && t.loss != Loss::BinaryCrossEntropy {
            return setting(&format!("early stopping on {} needs samples with classes", stopping.monitor));
        }
    }
    Ok(())
}

/// A batch norm can't take statistics from one value.
fn check_batches(lowered: &Lowered<'_>, samples: usize, batch: usize) -> Result<(), TrainError> {
    let smallest = match samples % batch {
        0 => batch.min(samples),
        rest => rest,
    };
    match lowered.single_value_norm(smallest) {
        Some(node) => Err(TrainError::Setting(format!(
            "layer {node} (batch_norm) would see one value a channel in a batch of {smallest}: of {samples} samples in \
             batches of {batch} that many are left for the last one; choose another batch, or layer_norm"
        ))),
        None => Ok(()),
    }
}

fn identity(
    job: &Job<'_>,
    lowered: &Lowered<'_>,
    train: &Samples<'_>,
    validation: Option<&Samples<'_>>,
) -> Result<Identity, TrainError> {
    let mut graph = String::new();
    // Writing to a string has no errors.
    let _ = write_graph(lowered.graph(), &mut graph);
    Ok(Identity {
        graph,
        training: format!("{:?}", job.training),
        samples: train.fingerprint()?,
        seed: job.seed,
        early_stopping: job.early_stopping,
        validation: validation.map(Samples::fingerprint).transpose()?,
    })
}
