//! Everything that can be wrong with a job by itself and for its model, before the first step.

use super::error::TrainError;
use super::evaluate::needs;
use super::job::Job;
use super::settings::Sampling;
use crate::data::Labels;
use crate::lower::Lowered;
use crate::metrics::{Metric, Monitor};
use emberlite::loss::Loss;
use emberlite::number::Format;

pub(super) fn check_settings(job: &Job<'_>, lowered: &Lowered<'_>) -> Result<(), TrainError> {
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
    job.host.check(t, job.graph.nodes.len()).map_err(TrainError::Setting)?;
    if !lowered.slots().iter().any(|slot| slot.trained) {
        return setting("every parameter is frozen: there is nothing to train");
    }
    let rate = job.host.optimizer.as_ref().map_or(t.optimizer.learning_rate(), |optimizer| optimizer.learning_rate());
    let scale = |node: u8| job.host.learning_rate_scales.get(usize::from(node)).copied().unwrap_or(1.0);
    if rate == 0.0 || lowered.slots().iter().filter(|slot| slot.trained).all(|slot| scale(slot.node) == 0.0) {
        return setting("the learning rate is 0: nothing would be learnt; give a positive one, such as 0.001");
    }
    let tokens = matches!(job.train.labels(), Labels::Tokens { .. });
    if t.loss.takes_class() && !tokens && (lowered.output().rank() != 1 || lowered.output().elements() < 2) {
        let text = format!("classes need a vector of at least 2 outputs, the model has {}", lowered.output());
        return setting(&text);
    }
    if let Some(checkpoint) = &job.checkpoint {
        checkpoint.check().or_else(setting)?;
    }
    if job.resume && job.checkpoint.is_none() {
        return setting("resuming needs a checkpoint folder");
    }
    if job.resume && job.fresh {
        return setting("resume goes on with a run and fresh replaces it; give one of them");
    }
    if let Some(stopping) = job.early_stopping {
        if stopping.patience == 0 {
            return setting("early stopping needs a patience of at least 1 epoch");
        }
        if !(stopping.min_delta >= 0.0 && stopping.min_delta.is_finite()) {
            return setting("min_delta must be finite and not negative");
        }
        monitor(job, lowered, "early stopping", stopping.monitor)?;
    }
    if let Some(watched) = job.host.plateau().and_then(|plateau| plateau.monitor) {
        monitor(job, lowered, "the plateau schedule", watched)?;
    }
    for &metric in &job.host.metrics {
        monitor(job, lowered, "measuring", Monitor::Validation(metric))?;
    }
    classes(job)
}

/// Whether the figure can be had.
fn monitor(job: &Job<'_>, lowered: &Lowered<'_>, what: &str, monitor: Monitor) -> Result<(), TrainError> {
    let setting = |text: String| Err(TrainError::Setting(text));
    if monitor.needs_validation() && job.validation.is_none() {
        return setting(format!("{what} on {monitor} needs a validation set"));
    }
    let accuracy = monitor == Monitor::TrainAccuracy || monitor == Monitor::Validation(Metric::Accuracy);
    let labelled = matches!(job.train.labels(), Labels::Class { .. } | Labels::Tokens { .. });
    if accuracy && !labelled && job.training.loss != Loss::BinaryCrossEntropy {
        return setting(format!("{what} on {monitor} needs samples with classes"));
    }
    if let (Some(metric), Labels::Tokens { .. }) = (monitor.metric(), job.train.labels())
        && !matches!(metric, Metric::Accuracy | Metric::LogLoss | Metric::Perplexity)
    {
        return setting(format!("{what} on {monitor}: of sequences there are accuracy, log_loss and perplexity"));
    }
    if let (Some(metric), false) = (monitor.metric(), accuracy) {
        let (needs, classes) = needs(job.train.labels(), &job.training.loss, lowered);
        metric.check(needs, classes).or_else(|error| setting(format!("{what} on {monitor}: {error}")))?;
    }
    Ok(())
}

/// Whether weights and sampling have the classes that they need.
fn classes(job: &Job<'_>) -> Result<(), TrainError> {
    let setting = |text: String| Err(TrainError::Setting(text));
    let names = match job.train.labels() {
        Labels::Class { names, .. } | Labels::Tokens { names, .. } => Some(names.len()),
        _ => None,
    };
    match (&job.host.class_weights, names) {
        (Some(_), None) => return setting("class weights need samples with classes; leave them out".into()),
        (Some(weights), Some(names)) if weights.len() != names => {
            return setting(format!("{} class weights for {names} classes; give one a class", weights.len()));
        }
        _ => {}
    }
    if job.host.sampling == Sampling::Balanced && !matches!(job.train.labels(), Labels::Class { .. }) {
        return setting("balanced sampling needs samples with classes; leave it out".into());
    }
    Ok(())
}

/// A batch norm can't take statistics from one value.
pub(super) fn check_batches(lowered: &Lowered<'_>, samples: usize, job: &Job<'_>) -> Result<(), TrainError> {
    let batch = job.training.batch as usize;
    let ranks = job.group.map_or(1, |group| group.size());
    let smallest = match samples % batch {
        0 => batch.min(samples),
        // Left out where the epoch ends before.
        rest => match job.host.steps_per_epoch {
            Some(steps) if steps as usize * job.host.samples_per_step(job.training) < samples => batch,
            _ => rest,
        },
    };
    let of = if ranks > 1 { format!(" shared by {ranks}") } else { String::new() };
    match lowered.single_value_norm((smallest / ranks).max(1)) {
        Some(node) => Err(TrainError::Setting(format!(
            "layer {node} (batch_norm) would see one value a channel in a batch of {smallest}{of}: of {samples} samples in \
             batches of {batch} that many are left for the last one; choose another batch, or layer_norm"
        ))),
        None => Ok(()),
    }
}
