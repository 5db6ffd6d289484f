//! What a run must agree on with the checkpoint that it continues, in the words of `model.toml`.

use super::batches::Samples;
use super::error::TrainError;
use super::job::Job;
use super::settings::{HostSchedule, HostSettings};
use crate::lower::{Lowered, Precision};
use crate::metrics::Monitor;
use emberlite::graph::write_graph;
use emberlite::loss::Loss;
use emberlite::optimizer::{Clip, Decay, Optimizer};
use emberlite::plan::Training;
use serde::{Deserialize, Serialize};

const PRECISION: &str = "precision";
const MONITOR: &str = "early_stopping.monitor";
const PATIENCE: &str = "early_stopping.patience";
// As model.toml has it, in name and precision.
const MINIMUM_GAIN: &str = "early_stopping.minimum_gain";

/// Everything that decides a run's bits but its length; of early stopping, which decides the length too, what there was last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The graph's text.
    pub graph: String,
    /// Settings by name; those that are switched off are left out.
    pub settings: Vec<(String, String)>,
    /// The training set's fingerprint.
    pub samples: u64,
    pub seed: u64,
    /// The validation set's fingerprint: the best figure was measured on it.
    pub validation: Option<u64>,
}

impl Identity {
    pub fn of(
        job: &Job<'_>,
        lowered: &Lowered<'_>,
        train: &Samples<'_>,
        validation: Option<&Samples<'_>>,
    ) -> Result<Identity, TrainError> {
        let mut graph = String::new();
        // Writing to a string has no errors.
        let _ = write_graph(lowered.graph(), &mut graph);
        let mut settings = device(job.training, &job.host);
        host(&mut settings, &job.host);
        // Schedules that stretch over the run change with its length.
        if job.host.stretches() {
            push(&mut settings, "epochs", job.epochs);
        }
        if let Some(stopping) = job.early_stopping {
            push(&mut settings, MONITOR, stopping.monitor);
            push(&mut settings, PATIENCE, stopping.patience);
            push(&mut settings, MINIMUM_GAIN, stopping.min_delta as f32);
        }
        Ok(Identity {
            graph,
            settings,
            samples: train.fingerprint()?,
            seed: job.seed,
            validation: validation.map(Samples::fingerprint).transpose()?,
        })
    }

    fn setting(&self, name: &str) -> String {
        // What is left out is as without it; of the precision that has a name.
        let absent = if name == PRECISION { Precision::F32.name() } else { "none" };
        let found = self.settings.iter().find(|(other, _)| other == name);
        found.map_or(absent.to_string(), |(_, value)| value.clone())
    }

    /// The figure whose best epoch is kept.
    fn watched(&self) -> String {
        let watched = self.setting(MONITOR);
        match self.validation {
            // As without early stopping.
            Some(_) if watched == "none" => Monitor::ValidationLoss.to_string(),
            _ => watched,
        }
    }

    /// Whether a run that goes on is to end by another rule; in words, what has changed.
    pub fn stops_otherwise(&self, now: &Identity) -> Option<String> {
        let names =
            [MONITOR, PATIENCE, MINIMUM_GAIN].into_iter().map(|name| (name, self.setting(name), now.setting(name)));
        let changed = names.filter(|(_, was, is)| was != is).map(|(name, was, is)| format!("{name} ({was}, now {is})"));
        let changed: Vec<String> = changed.collect();
        if changed.is_empty() { None } else { Some(changed.join(", ")) }
    }

    /// Says what differs from a run that is to go on; [when it ends](Identity::stops_otherwise) may.
    pub fn agrees(&self, now: &Identity) -> Result<(), String> {
        let mut differences = Vec::new();
        if self.graph != now.graph {
            differences.push(format!("the model ({})", lines(&self.graph, &now.graph)));
        }
        let may_differ = |name: &str| match name {
            // The best parameters so far are those by this figure.
            MONITOR => self.watched() == now.watched(),
            PATIENCE | MINIMUM_GAIN => true,
            _ => false,
        };
        let names = self.settings.iter().chain(&now.settings).map(|(name, _)| name);
        let mut seen: Vec<&String> = Vec::new();
        for name in names {
            let (was, is) = (self.setting(name), now.setting(name));
            if was != is && !seen.contains(&name) && !may_differ(name) {
                differences.push(format!("{name} ({was}, now {is})"));
            }
            seen.push(name);
        }
        if self.seed != now.seed {
            differences.push(format!("the seed ({}, now {})", self.seed, now.seed));
        }
        if self.samples != now.samples {
            differences.push("the training set (other samples, or in another order)".into());
        }
        match (self.validation, now.validation) {
            (Some(_), None) => differences.push("the validation set (there was one, now none)".into()),
            (None, Some(_)) => differences.push("the validation set (none, now there is one)".into()),
            (was, is) if was != is => differences.push("the validation set (other samples)".into()),
            _ => {}
        }
        if differences.is_empty() { Ok(()) } else { Err(differences.join(", ")) }
    }
}

/// The first line in which two graphs differ.
fn lines(was: &str, is: &str) -> String {
    let (mut a, mut b) = (was.lines(), is.lines());
    for line in 1.. {
        match (a.next(), b.next()) {
            (None, None) => break,
            (a, b) if a == b => {}
            (a, b) => {
                let text = |line: Option<&str>| line.map_or("nothing".to_string(), |line| format!("`{}`", line.trim()));
                return format!("line {line}: {}, now {}", text(a), text(b));
            }
        }
    }
    "another text".into()
}

fn push(list: &mut Vec<(String, String)>, name: &str, value: impl std::fmt::Display) {
    list.push((name.into(), value.to_string()));
}

/// What the device has too.
fn device(training: &Training, host: &HostSettings) -> Vec<(String, String)> {
    let Training { loss, optimizer, schedule, penalty, clip, batch, seed: _ } = training;
    let mut list = Vec::new();
    push(&mut list, "loss", loss.name());
    if let Loss::Huber { delta } = loss {
        push(&mut list, "loss.delta", delta);
    }
    match &host.optimizer {
        Some(optimizer) => {
            push(&mut list, "optimizer", optimizer.name());
            optimizer
                .attributes()
                .iter()
                .for_each(|(name, value)| push(&mut list, &format!("optimizer.{name}"), value));
        }
        None => {
            push(&mut list, "optimizer", optimizer.name());
            attributes(optimizer).iter().for_each(|(name, value)| push(&mut list, &format!("optimizer.{name}"), value));
        }
    }
    if host.schedule.is_none() {
        match schedule.decay {
            Decay::Constant => push(&mut list, "schedule", "constant"),
            Decay::Step { every, gamma } => push(&mut list, "schedule", format!("step, every {every}, gamma {gamma}")),
            Decay::Exponential { gamma } => push(&mut list, "schedule", format!("exponential, gamma {gamma}")),
            Decay::Cosine { steps, minimum } => {
                push(&mut list, "schedule", format!("cosine, steps {steps}, minimum {minimum}"));
            }
        }
        warmup(&mut list, schedule.warmup, schedule.start);
    }
    push(&mut list, "penalty.l1", penalty.l1);
    push(&mut list, "penalty.l2", penalty.l2);
    match clip {
        Clip::None => {}
        Clip::Value(limit) => push(&mut list, "clip.value", limit),
        Clip::GlobalNorm(limit) => push(&mut list, "clip.global_norm", limit),
    }
    push(&mut list, "batch", batch);
    list
}

fn attributes(optimizer: &Optimizer) -> Vec<(&'static str, f32)> {
    let mut list = vec![("learning_rate", optimizer.learning_rate()), ("weight_decay", optimizer.weight_decay())];
    list.extend(match *optimizer {
        Optimizer::Sgd { momentum, nesterov, .. } => {
            vec![("momentum", momentum), ("nesterov", f32::from(u8::from(nesterov)))]
        }
        Optimizer::RmsProp { alpha, epsilon, momentum, centered, .. } => vec![
            ("alpha", alpha),
            ("epsilon", epsilon),
            ("momentum", momentum),
            ("centered", f32::from(u8::from(centered))),
        ],
        Optimizer::AdaGrad { epsilon, learning_rate_decay, initial, .. } => {
            vec![("epsilon", epsilon), ("learning_rate_decay", learning_rate_decay), ("initial", initial)]
        }
        Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
            vec![("beta1", beta1), ("beta2", beta2), ("epsilon", epsilon)]
        }
    });
    list
}

fn warmup(list: &mut Vec<(String, String)>, steps: u32, start: f32) {
    if steps > 0 {
        push(list, "schedule.warmup", steps);
        push(list, "schedule.start", start);
    }
}

/// What only the host has; what is as without it is left out.
fn host(list: &mut Vec<(String, String)>, host: &HostSettings) {
    let usual = HostSettings::default();
    if let Some(HostSchedule { course, warmup: steps, start }) = &host.schedule {
        push(list, "schedule", course.words());
        warmup(list, *steps, *start);
    }
    if host.penalise_biases != usual.penalise_biases {
        push(list, "penalty.bias", host.penalise_biases);
    }
    if host.precision != usual.precision {
        push(list, PRECISION, host.precision);
    }
    if host.accumulate != usual.accumulate {
        push(list, "accumulate", host.accumulate);
    }
    if host.label_smoothing != usual.label_smoothing {
        push(list, "label_smoothing", host.label_smoothing);
    }
    let join = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
    if let Some(weights) = &host.class_weights {
        push(list, "class_weights", join(weights));
    }
    if let Some(ema) = host.ema {
        push(list, "ema.decay", ema.decay);
    }
    if host.learning_rate_scales.iter().any(|scale| *scale != 1.0) {
        push(list, "learning rates of layers", join(&host.learning_rate_scales));
    }
    if host.sampling != usual.sampling {
        push(list, "sampling", host.sampling.name());
    }
    if let Some(steps) = host.steps_per_epoch {
        push(list, "steps_per_epoch", steps);
    }
    if let (Some(steps), true) = (host.max_steps, host.stretches()) {
        push(list, "max_steps", steps);
    }
}
