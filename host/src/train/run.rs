//! The loop.
//!
//! An update takes the gradients of one or several batches (accumulation, ranks); everything that an epoch has come to lies
//! in [`Within`], so that a run can be saved and resumed after any update.

use super::average::Average;
use super::batches::{Read, Samples};
use super::checkpoint::{Checkpoint, Identity};
use super::checks::{check_batches, check_settings};
use super::culprit;
use super::device::{self, Open};
use super::error::TrainError;
use super::evaluate::{Evaluation, Wanted, measure};
use super::feed::feed;
use super::group::{Group, SumError, share};
use super::history::{EpochRecord, Watch};
use super::initialize::initialize;
use super::job::{Job, Trained};
use super::loss;
use super::objective::Objective;
use super::observer::{Event, Observer};
use super::optimizer::Stepper;
use super::replicas;
use super::settings::{HostSettings, Sampling};
use super::tally::{Unread, Within};
use crate::Parameters;
use crate::data::{Labels, balanced_order, random};
use crate::lower::{Lowered, Mode, Tensors};
use crate::metrics::Monitor;
use burn_tensor::{ExecutionError, Tensor};
use emberlite::image::Name;
use emberlite::plan::Training;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Instant, UNIX_EPOCH};

/// Trains a model; see [`Job`].
///
/// # Errors
/// [`TrainError`]: everything that can be checked is checked before the first step.
pub fn train(job: Job<'_>) -> Result<Trained, TrainError> {
    if job.replicas.is_empty() { Run::new(job)?.go() } else { replicas::train(job) }
}

/// A run at work.
pub(super) struct Run<'a> {
    pub lowered: Lowered<'a>,
    pub training: &'a Training,
    pub host: HostSettings,
    objective: Objective,
    pub train: Samples<'a>,
    labels: &'a Labels,
    pub validation: Option<Samples<'a>>,
    pub open: Open,
    seed: u64,
    /// Microseconds since 1970.
    pub begun: u64,
    pub observer: &'a mut dyn Observer,
    pub checkpoint: Option<Checkpoint>,
    /// The last file that was written or read.
    pub saved: Option<PathBuf>,
    /// The updates that it has seen.
    pub saved_updates: Option<u32>,
    /// Whether it says that the run is finished.
    pub marked: bool,
    pub identity: Identity,
    pub tensors: Tensors,
    pub stepper: Stepper,
    pub average: Option<Average>,
    /// Samples trained on: the counter behind dropout.
    pub samples: u32,
    pub best: Tensors,
    pub watch: Watch,
    pub history: Vec<EpochRecord>,
    pub epochs: u32,
    /// Updates of an epoch.
    pub steps: u32,
    pub within: Within,
    wanted: Wanted,
    interrupt: Option<&'a AtomicBool>,
    pub group: Option<&'a dyn Group>,
    /// The devices or processes that shared each batch so far, where the run goes on with another number of them.
    pub ranks_before: Option<u32>,
}

/// The gradients of an update so far.
#[derive(Default)]
struct Pending {
    gradients: Option<Vec<Tensor<1>>>,
    weight: f64,
    samples: usize,
}

impl<'a> Run<'a> {
    pub fn new(job: Job<'a>) -> Result<Self, TrainError> {
        let lowered = Lowered::new(job.graph)?.in_precision(job.host.precision);
        check_settings(&job, &lowered)?;
        if let Some(checkpoint) = job.checkpoint.as_ref().filter(|_| !job.resume && !job.fresh) {
            checkpoint.check_free()?;
        }
        let loss = job.training.loss;
        let train = Samples::new("the training set", job.train, &lowered, &loss)?;
        let new = |set| Samples::new("the validation set", set, &lowered, &loss);
        let validation = job.validation.map(new).transpose()?;
        check_batches(&lowered, train.len(), &job)?;
        let fresh = match job.initial {
            Some(parameters) => parameters.clone(),
            None => initialize(&lowered, seed32(job.seed)),
        };
        let process = job.group.map_or(0, Group::local_rank);
        let open = device::open_for(job.device, job.host.precision, process)?;
        if let Some(group) = job.group {
            group.opened(&open.name);
        }
        let identity = Identity::of(&job, &lowered, &train, validation.as_ref())?;
        let tensors = Tensors::upload(&lowered, &fresh, &open.device)?;
        let host = job.host;
        let steps = host.steps(job.training, train.len());
        let total = steps.saturating_mul(job.epochs).min(host.max_steps.unwrap_or(u32::MAX));
        let plateau = host.plateau().map(|plateau| plateau.monitor);
        let monitors = [job.early_stopping.map(|stopping| stopping.monitor), plateau.flatten()];
        let metrics = monitors.iter().flatten().filter_map(|monitor| monitor.metric()).chain(host.metrics.clone());
        let wanted = Wanted::new(metrics);
        let classes = lowered.output().dims().last().map_or(1, |&outputs| usize::from(outputs));
        let mut run = Run {
            stepper: Stepper::new(job.training, &host, &lowered, &open.device, total),
            objective: Objective::new(loss, &host, classes, &open.device),
            best: tensors.constant(),
            tensors,
            lowered,
            training: job.training,
            train,
            labels: job.train.labels(),
            validation,
            open,
            seed: job.seed,
            begun: UNIX_EPOCH.elapsed().map_or(0, |since| since.as_micros() as u64),
            observer: job.observer,
            checkpoint: job.checkpoint,
            saved: None,
            saved_updates: None,
            marked: false,
            identity,
            average: host.ema.map(Average::new),
            samples: 0,
            watch: Watch::new(job.early_stopping.as_ref(), job.validation.is_some()),
            history: Vec::new(),
            epochs: job.epochs,
            steps,
            within: Within::default(),
            wanted,
            interrupt: job.interrupt,
            group: job.group,
            ranks_before: None,
            host,
        };
        if job.resume {
            run.resume()?;
        }
        run.agree()?;
        Ok(run)
    }

    /// Whether all ranks have gone on from the same checkpoint.
    fn agree(&self) -> Result<(), TrainError> {
        let Some(group) = self.group else { return Ok(()) };
        let own = f64::from(self.stepper.updates);
        let mut sums = [own, own * own];
        group.sum64(&mut sums).map_err(|error| error.at(0, None))?;
        let ranks = group.size() as f64;
        // Equal numbers below 2^20 or so have exact squares; unequal ones differ by far more than rounding.
        if (sums[0] - ranks * own).abs() > 0.5 || (sums[1] / ranks - own * own).abs() > 0.5 + own * own * 1e-12 {
            return Err(TrainError::Setting(
                "the processes have gone on from different checkpoints; put the run's folder where all machines see it"
                    .into(),
            ));
        }
        Ok(())
    }

    pub fn go(&mut self) -> Result<Trained, TrainError> {
        let devices = self.group.and_then(Group::devices);
        let left = (self.history.len() as u32) < self.epochs && !self.watch.stops() && self.goes_on();
        self.observer.event(Event::Started {
            begun: self.begun,
            device: devices.as_deref().unwrap_or(&self.open.name),
            precision: self.host.precision,
            ranks: self.ranks(),
            ranks_before: self.ranks_before.filter(|_| left),
            done: self.history.len() as u32,
            within: self.within.step,
            epochs: self.epochs,
            steps: self.steps,
            samples: self.train.len(),
            validation: self.validation.map_or(0, |v| v.len()),
            trained: self.stepper.slots().iter().map(|slot| slot.len).sum(),
        })?;
        let mut whole = self.within.step == 0;
        while (self.history.len() as u32) < self.epochs && !self.watch.stops() && self.goes_on() {
            let record = self.epoch()?;
            whole = std::mem::take(&mut self.within).step == self.steps;
            self.follow(&record);
            let best = self.watch.see(&record);
            if best {
                self.best = self.current();
            }
            self.observer.event(Event::Epoch { record: &record, epochs: self.epochs, best })?;
            self.history.push(record);
            // One that max_steps has cut short was saved after its last update, from where it could go on.
            if whole {
                // Asked once: who interrupts after this look is heard at the next.
                let stop = self.interrupted();
                self.save_epoch(stop)?;
                self.stop_here(stop)?;
            }
        }
        // It was interrupted after its last epoch, or has now been asked for no more than that.
        if whole && !self.marked && !self.history.is_empty() {
            self.save(true)?;
        }
        let epoch = self.history.len() as u32;
        let parameters = self.finite(&self.best, epoch, self.steps)?;
        let confusion = match self.group.map_or(0, |group| group.rank()) {
            0 => self.evaluate(&self.best, self.validation.unwrap_or(self.train), epoch, &Wanted::default())?.confusion,
            _ => Vec::new(),
        };
        let (best_epoch, stopped_early) = (self.watch.best.0, self.watch.stops());
        let max_steps = self.ended_by_max_steps();
        self.observer.event(Event::Finished { best_epoch, stopped_early, max_steps })?;
        let history = std::mem::take(&mut self.history);
        Ok(Trained { parameters, history, confusion, best_epoch, stopped_early })
    }

    /// The updates after which it has ended although there were epochs left.
    fn ended_by_max_steps(&self) -> Option<u32> {
        let all = u64::from(self.steps) * u64::from(self.epochs);
        self.host.max_steps.filter(|&most| self.stepper.updates == most && u64::from(most) < all && !self.watch.stops())
    }

    /// Whether an update is left, or an epoch to be ended.
    pub fn goes_on(&self) -> bool {
        self.within.step > 0 || self.host.max_steps.is_none_or(|most| self.stepper.updates < most)
    }

    /// The parameters as they are evaluated and handed out.
    pub fn current(&self) -> Tensors {
        match &self.average {
            Some(average) => average.applied(&self.tensors, self.stepper.slots()),
            None => self.tensors.constant(),
        }
    }

    /// Lets a schedule that watches a figure see the epoch's.
    fn follow(&mut self, record: &EpochRecord) {
        let Some(plateau) = self.host.plateau() else { return };
        let default = if self.validation.is_some() { Monitor::ValidationLoss } else { Monitor::TrainLoss };
        let monitor = plateau.monitor.unwrap_or(default);
        let base = self.stepper.base();
        self.stepper.plateau.see(plateau, monitor.higher_is_better(), record.figure(monitor), base);
    }

    fn order(&self, epoch: u32) -> Result<Vec<usize>, TrainError> {
        Ok(match self.host.sampling {
            Sampling::Shuffled => random::order(random::hash(self.seed, epoch.into()), self.train.len()),
            Sampling::Balanced => balanced_order(self.labels, self.seed, epoch)?,
            Sampling::InOrder => (0..self.train.len()).collect(),
        })
    }

    fn epoch(&mut self) -> Result<EpochRecord, TrainError> {
        let start = Instant::now();
        let epoch = self.history.len() as u32 + 1;
        let order = self.order(epoch)?;
        let last = match self.host.max_steps {
            Some(most) => self.steps.min(self.within.step + most.saturating_sub(self.stepper.updates)),
            None => self.steps,
        };
        // It was interrupted after its last update, or has now been asked for no more: from here it could go on.
        if last == self.within.step && !self.marked {
            self.save(true)?;
        }
        let (batch, per_step) = (self.training.batch as usize, self.host.samples_per_step(self.training));
        let (rank, ranks) = self.group.map_or((0, 1), |group| (group.rank(), group.size()));
        let mut at = (self.within.step as usize * per_step).min(order.len());
        let begin = at;
        let updates = order.chunks(per_step).take(last as usize).skip(self.within.step as usize);
        let batches = updates.flat_map(|update| update.chunks(batch)).map(move |batch| {
            let place = share(batch.len(), rank, ranks);
            batch.get(place).unwrap_or_default()
        });
        let (mut pending, mut unread) = (Pending::default(), Unread::default());
        let before = self.within.seconds;
        feed(self.train, batches, Some(epoch), |_, read| {
            // Where this batch ends, and the update that it belongs to.
            let update_end = ((at / per_step + 1) * per_step).min(order.len());
            let len = batch.min(update_end - at);
            self.batch(read, share(len, rank, ranks).start, &mut pending, &mut unread).map_err(|e| failed(epoch, e))?;
            at += len;
            self.samples = self.samples.wrapping_add(len as u32);
            if at < update_end {
                return Ok(());
            }
            self.update(std::mem::take(&mut pending))?;
            self.within.step += 1;
            let step = self.within.step;
            let stop = self.interrupted();
            let save = step < self.steps && (stop || self.is_due() || step == last);
            if unread.steps() >= self.host.log_every || step == last || save {
                let figures = std::mem::take(&mut unread).read(self.group, epoch, self.saved.as_deref())?;
                if let Some(step) = self.within.sums.add(figures) {
                    return Err(self.not_finite(epoch, step, "the loss".into()));
                }
                self.within.seconds = before + start.elapsed().as_secs_f64();
                let (loss, epochs, steps) = (self.within.sums.mean(), self.epochs, self.steps);
                self.observer.event(Event::Steps { epoch, epochs, step, steps, loss })?;
            }
            if save {
                self.save(step == last && !stop)?;
                self.stop_here(stop)?;
            }
            Ok::<(), TrainError>(())
        })?;
        let samples_per_second = (at - begin) as f64 / start.elapsed().as_secs_f64().max(1e-9);
        let validation = match self.validation {
            Some(set) => {
                let evaluation = self.evaluate_once(set, epoch)?;
                if !evaluation.loss.is_finite() {
                    return Err(self.not_evaluated(set, epoch)?);
                }
                Some(evaluation)
            }
            None => None,
        };
        Ok(EpochRecord {
            epoch,
            step: self.stepper.updates,
            train_loss: self.within.sums.mean(),
            train_accuracy: self.within.sums.accuracy(),
            validation_loss: validation.as_ref().map(|v| v.loss),
            validation_accuracy: validation.as_ref().and_then(|v| v.accuracy),
            validation_metrics: validation.map(|v| v.metrics).unwrap_or_default(),
            learning_rate: self.stepper.last_rate(),
            seconds: before + start.elapsed().as_secs_f64(),
            samples_per_second,
        })
    }

    /// The gradient of a batch, or of this rank's share of it that starts at sample `first`; nothing is read back.
    fn batch(
        &mut self,
        read: Read,
        first: usize,
        pending: &mut Pending,
        unread: &mut Unread,
    ) -> Result<(), ExecutionError> {
        let (size, step) = (read.len(), self.within.step + 1);
        if size == 0 {
            unread.nothing(step, &self.open.device);
            return Ok(());
        }
        let weight = read.weight(|class| self.objective.weight(class));
        let batch = read.upload(&self.open.device);
        let first_sample = self.samples.wrapping_add(first as u32);
        let mode = Mode::Train { seed: seed32(self.seed), first_sample };
        let pass = self.lowered.pass(&self.tensors, batch.x, mode)?;
        let output = pass.output.clone();
        let correct = loss::correct(&self.training.loss, &output, &batch.target);
        let alone = self.is_alone();
        let objective = if alone {
            self.objective.mean(output, &batch.target, weight)
        } else {
            self.objective.sum(output, &batch.target, weight)
        };
        let mut gradients = objective.backward();
        let statistics = pass.finish(&self.lowered, &self.tensors, &mut gradients)?;
        let gradients = self.stepper.gradients(&self.tensors, &mut gradients);
        let loss = objective.without_autodiff();
        let loss = if alone || weight <= 0.0 { loss } else { loss / weight as f32 };
        unread.push(step, loss, weight, correct, size);
        pending.weight += weight;
        pending.samples += size;
        pending.gradients = Some(match pending.gradients.take() {
            None => gradients,
            Some(sum) => sum.into_iter().zip(gradients).map(|(a, b)| a + b).collect(),
        });
        self.tensors.commit(statistics);
        Ok(())
    }

    /// The devices or processes that share each batch.
    pub fn ranks(&self) -> u32 {
        self.group.map_or(1, |group| group.size() as u32)
    }

    /// Whether each batch is an update of its own.
    fn is_alone(&self) -> bool {
        self.host.accumulate == 1 && self.group.is_none()
    }

    /// One update.
    fn update(&mut self, pending: Pending) -> Result<(), TrainError> {
        let Pending { gradients, mut weight, samples } = pending;
        let zeros = || self.stepper.slots().iter().map(|slot| Tensor::zeros([slot.len], &self.open.device)).collect();
        let mut gradients: Vec<Tensor<1>> = gradients.unwrap_or_else(zeros);
        if let Some(group) = self.group {
            let epoch = self.history.len() as u32 + 1;
            let statistics = self.tensors.running(&self.lowered);
            let (sum, all, means) = super::group::sum(group, gradients, weight, statistics, samples, &self.open.device)
                .map_err(|error| match error {
                    SumError::Device(error) => failed(epoch, error),
                    SumError::Group(error) => error.at(epoch, self.saved.clone()),
                })?;
            (gradients, weight) = (sum, all);
            self.tensors.set_running(&self.lowered, means);
        }
        if !self.is_alone() {
            let divisor = if weight > 0.0 { weight as f32 } else { 1.0 };
            gradients = gradients.into_iter().map(|g| g / divisor).collect();
        }
        self.stepper.step(&mut self.tensors, gradients);
        if let Some(average) = &mut self.average {
            average.update(&self.tensors, self.stepper.slots());
        }
        Ok(())
    }

    pub fn interrupted(&self) -> bool {
        let here = self.interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed));
        // All ranks must stop after the same update.
        self.group.map_or(here, |group| group.any(here))
    }

    /// Ends a run that was `interrupted` and has just been saved.
    fn stop_here(&self, interrupted: bool) -> Result<(), TrainError> {
        if !interrupted {
            return Ok(());
        }
        let (epoch, step) = (self.history.len() as u32 + u32::from(self.within.step > 0), self.within.step);
        let step = if step == 0 { self.steps } else { step };
        let checkpoint = self.checkpoint.is_some().then(|| self.saved.clone()).flatten();
        Err(TrainError::Interrupted { epoch, step, steps: self.steps, checkpoint })
    }

    pub fn evaluate(
        &self,
        tensors: &Tensors,
        set: Samples<'_>,
        epoch: u32,
        wanted: &Wanted,
    ) -> Result<Evaluation, TrainError> {
        measure(&self.lowered, &self.training.loss, tensors, set, &self.open.device, epoch, wanted)
    }

    /// Evaluates the parameters as they are now; of several ranks the first, and the others learn what came of it.
    fn evaluate_once(&self, set: Samples<'_>, epoch: u32) -> Result<Evaluation, TrainError> {
        let Some(group) = self.group else { return self.evaluate(&self.current(), set, epoch, &self.wanted) };
        let own = match group.rank() {
            0 => Some(self.evaluate(&self.current(), set, epoch, &self.wanted)?),
            _ => None,
        };
        let mut figures = self.wanted.figures(own.as_ref());
        group.sum64(&mut figures).map_err(|error| error.at(epoch, self.saved.clone()))?;
        Ok(own.unwrap_or_else(|| self.wanted.evaluation(&figures)))
    }

    /// Reads parameters back and makes sure that they are numbers.
    pub fn finite(&self, tensors: &Tensors, epoch: u32, step: u32) -> Result<Parameters, TrainError> {
        let parameters = tensors.download(&self.lowered).map_err(|e| failed(epoch, e))?;
        let broken = parameters.iter().find(|(_, _, values)| !values.iter().all(|v| v.is_finite()));
        match broken {
            Some((node, kind, _)) => Err(self.not_finite(epoch, step, format!("parameter {}", Name { node, kind }))),
            None => Ok(parameters),
        }
    }

    /// Why a validation loss isn't finite: diverged parameters, or else a sample.
    fn not_evaluated(&self, set: Samples<'_>, epoch: u32) -> Result<TrainError, TrainError> {
        let (current, step) = (self.current(), self.within.step);
        self.finite(&current, epoch, step)?;
        Ok(match culprit::find(&self.lowered, &current, set, &self.open.device)? {
            Some(sample) => culprit::error("the validation set", set, sample, self.saved.clone()),
            None => self.not_finite(epoch, step, "the validation loss".into()),
        })
    }

    fn not_finite(&self, epoch: u32, step: u32, what: String) -> TrainError {
        let rate = self.stepper.last_rate();
        TrainError::NotFinite { epoch, step, what, learning_rate: rate, checkpoint: self.saved.clone() }
    }
}

pub(super) fn failed(epoch: u32, error: ExecutionError) -> TrainError {
    TrainError::Execution { epoch, reason: format!("{error:?}") }
}

/// The core's seeds have 32 bits; a seed that fits is used as it is.
const fn seed32(seed: u64) -> u32 {
    (seed ^ seed >> 32) as u32
}
