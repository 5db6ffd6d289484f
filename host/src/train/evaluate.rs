//! How well parameters do on a set.

use super::batches::{Samples, Target};
use super::device::{self, DeviceChoice};
use super::error::TrainError;
use super::feed::feed;
use super::loss;
use crate::Parameters;
use crate::data::{Labels, Source};
use crate::lower::{Lowered, Tensors};
use crate::metrics::{Metric, MetricError, Needs, Tally, sigmoid, softmax};
use burn_tensor::{Device, ExecutionError, Tensor};
use emberlite::graph::Graph;
use emberlite::loss::Loss;
use std::collections::BTreeMap;

/// Samples that are predicted at once, if [`Samples::at_once`] has room for them.
const BATCH: usize = 256;

/// A set's figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The mean loss.
    pub loss: f64,
    /// The share of right classes; `None` without classes.
    pub accuracy: Option<f64>,
    /// `[right class][predicted class]`, counts; empty without classes.
    pub confusion: Vec<Vec<u32>>,
    /// The class that each sample is taken for; empty without classes.
    pub predicted: Vec<u32>,
    /// The metrics that were asked for, by name.
    pub metrics: BTreeMap<String, f64>,
}

/// Metrics that an evaluation is to give, each once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    metrics: Vec<Metric>,
}

impl Wanted {
    pub fn new(metrics: impl Iterator<Item = Metric>) -> Self {
        let mut wanted = Wanted::default();
        metrics.for_each(|metric| {
            if !wanted.metrics.contains(&metric) {
                wanted.metrics.push(metric);
            }
        });
        wanted
    }

    /// An evaluation as numbers, zeros for none: the sum over all ranks is that of the one that has it.
    pub fn figures(&self, evaluation: Option<&Evaluation>) -> Vec<f64> {
        let Some(e) = evaluation else { return vec![0.0; 3 + self.metrics.len()] };
        let mut figures = vec![e.loss, f64::from(u8::from(e.accuracy.is_some())), e.accuracy.unwrap_or(0.0)];
        figures.extend(self.metrics.iter().map(|metric| e.metrics.get(&metric.to_string()).copied().unwrap_or(0.0)));
        figures
    }

    /// The way back; without confusion and predictions.
    pub fn evaluation(&self, figures: &[f64]) -> Evaluation {
        let at = |i: usize| figures.get(i).copied().unwrap_or_default();
        let named = |(i, metric): (usize, &Metric)| (metric.to_string(), at(3 + i));
        Evaluation {
            loss: at(0),
            accuracy: (at(1) > 0.0).then(|| at(2)),
            confusion: Vec::new(),
            predicted: Vec::new(),
            metrics: self.metrics.iter().enumerate().map(named).collect(),
        }
    }
}

/// What a model with this loss gives for such labels, and of how many classes.
///
/// Softmax cross-entropy, and binary cross-entropy with one output, give probabilities; outputs that were drawn towards
/// marks give scores.
pub(crate) fn needs(labels: &Labels, loss: &Loss, lowered: &Lowered<'_>) -> (Needs, usize) {
    let outputs = lowered.output().elements() as usize;
    match (labels, loss) {
        (Labels::Tokens { .. }, _) => {
            (Needs::Probabilities, lowered.output().dims().last().map_or(0, |&dim| dim.into()))
        }
        (_, Loss::SoftmaxCrossEntropy) => (Needs::Probabilities, outputs),
        (_, Loss::BinaryCrossEntropy) if outputs == 1 => (Needs::Probabilities, 2),
        (Labels::Class { .. }, _) => (Needs::Scores, outputs.max(2)),
        _ => (Needs::Values, 0),
    }
}

/// A sample's outputs as the metrics take them.
fn scores(kind: Needs, loss: &Loss, outputs: &[f32], into: &mut Vec<f64>) {
    match (kind, outputs) {
        (Needs::Probabilities, [logit]) => {
            let p = sigmoid(*logit);
            *into = vec![1.0 - p, p];
        }
        (Needs::Probabilities, logits) => softmax(logits, into),
        // Drawn towards 0 and 1, or a logit.
        (_, [output]) => {
            let second = f64::from(*output) - f64::from(loss::middle(loss));
            *into = vec![-second, second];
        }
        (_, outputs) => *into = outputs.iter().map(|x| f64::from(*x)).collect(),
    }
}

/// Hands a set's batches to `visit` in the order of the samples, each with the outputs `[batch, outputs]` that the model
/// makes of them and what they should be. Nothing is read back here, so the device never waits; `epoch` is for errors.
///
/// # Errors
/// [`TrainError`] for a sample that can't be read, or the framework's; and those of `visit`.
pub(super) fn each(
    lowered: &Lowered<'_>,
    tensors: &Tensors,
    samples: Samples<'_>,
    device: &Device,
    epoch: u32,
    mut visit: impl FnMut(&[usize], Tensor<2>, &Target) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let all: Vec<usize> = (0..samples.len()).collect();
    feed(samples, all.chunks(samples.at_once(BATCH)), None, |indices, read| {
        let batch = read.upload(device);
        let output = lowered.predict(tensors, batch.x);
        let output = output.map_err(|e| TrainError::Execution { epoch, reason: format!("{e:?}") })?;
        visit(indices, output, &batch.target)
    })
}

/// Counts a sample's outputs; gives the class that they stand for, whose scores are in `row` then, or none where a number is
/// predicted.
///
/// # Errors
/// [`MetricError`] for outputs that aren't numbers.
pub(super) fn count(
    tally: &mut Tally,
    kind: Needs,
    loss: &Loss,
    samples: Samples<'_>,
    index: usize,
    outputs: &[f32],
    row: &mut Vec<f64>,
) -> Result<Option<u32>, MetricError> {
    if let (Needs::Values, [output]) = (kind, outputs) {
        return tally.add_value(samples.value(index).into(), f64::from(*output)).map(|()| None);
    }
    scores(kind, loss, outputs, row);
    let class = class_of(loss, outputs);
    tally.add_as(samples.class(index), class, row).map(|()| Some(class))
}

/// The class that outputs stand for; as the trainer's, from the outputs themselves, since two that differ may give the same
/// probability.
fn class_of(loss: &Loss, outputs: &[f32]) -> u32 {
    match outputs {
        [one] => (*one > loss::middle(loss)).into(),
        outputs => {
            let first = |best: usize, at: usize| if outputs[at] > outputs[best] { at } else { best };
            (0..outputs.len()).fold(0, first) as u32
        }
    }
}

/// Evaluates parameters on a set, in batches; see [`Evaluation`].
///
/// # Errors
/// [`TrainError`] if graph, parameters, loss, set and device don't fit together.
pub fn evaluate(
    graph: Graph<'_>,
    loss: &Loss,
    parameters: &Parameters,
    set: &dyn Source,
    device: DeviceChoice,
) -> Result<Evaluation, TrainError> {
    let lowered = Lowered::new(graph)?;
    let samples = Samples::new("the set", set, &lowered, loss)?;
    let device = device::open(device)?.device;
    let tensors = Tensors::upload(&lowered, parameters, &device)?.constant();
    measure(&lowered, loss, &tensors, samples, &device, 0, &Wanted::default())
}

/// The same with metrics, by name in [`Evaluation::metrics`].
///
/// # Errors
/// As [`evaluate`], and [`TrainError::Metric`] for one that model or set don't have.
pub fn evaluate_metrics(
    graph: Graph<'_>,
    loss: &Loss,
    parameters: &Parameters,
    set: &dyn Source,
    device: DeviceChoice,
    metrics: &[Metric],
) -> Result<Evaluation, TrainError> {
    let lowered = Lowered::new(graph)?;
    let samples = Samples::new("the set", set, &lowered, loss)?;
    let device = device::open(device)?.device;
    let tensors = Tensors::upload(&lowered, parameters, &device)?.constant();
    measure(&lowered, loss, &tensors, samples, &device, 0, &Wanted::new(metrics.iter().copied()))
}

/// The same on a device that is open; `epoch` is for errors.
pub(crate) fn measure(
    lowered: &Lowered<'_>,
    loss: &Loss,
    tensors: &Tensors,
    samples: Samples<'_>,
    device: &Device,
    epoch: u32,
    wanted: &Wanted,
) -> Result<Evaluation, TrainError> {
    let failed = |e: ExecutionError| TrainError::Execution { epoch, reason: format!("{e:?}") };
    let all: Vec<usize> = (0..samples.len()).collect();
    let (mut losses, mut classes, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    let mut has_classes = false;
    let (kind, outputs) = needs(samples.labels(), loss, lowered);
    // A sequence's metrics follow from its loss and its share of right positions.
    let counts = !wanted.metrics.is_empty() && !samples.has_tokens();
    let mut tally = counts.then(|| Tally::new(kind, outputs, &wanted.metrics));
    let mut row = Vec::new();
    each(lowered, tensors, samples, device, epoch, |indices, output, target| {
        let correct = loss::correct(loss, &output, target);
        has_classes = correct.is_some();
        if samples.has_tokens() {
            shares.extend(correct);
        } else {
            classes.push(loss::classes(loss, &output));
        }
        if let Some(tally) = &mut tally {
            let width = output.dims()[1].max(1);
            let data = output.clone().without_autodiff().try_into_data().map_err(failed)?;
            let outputs: Vec<f32> = data.iter::<f32>().collect();
            for (&index, outputs) in indices.iter().zip(outputs.chunks(width)) {
                // Only numbers that aren't finite are refused; the loss says so too, below.
                if count(tally, kind, loss, samples, index, outputs, &mut row).is_err() {
                    break;
                }
            }
        }
        losses.push(loss::mean(loss, output, target));
        Ok(())
    })?;
    // Read only now, so that the device never waits.
    let losses = Tensor::cat(losses, 0).try_into_data().map_err(failed)?;
    let sum: f64 =
        losses.iter::<f32>().zip(all.chunks(samples.at_once(BATCH))).map(|(l, c)| f64::from(l) * c.len() as f64).sum();
    let loss = sum / samples.len() as f64;
    let mut evaluation =
        Evaluation { loss, accuracy: None, confusion: Vec::new(), predicted: Vec::new(), metrics: BTreeMap::new() };
    if !loss.is_finite() {
        return Ok(evaluation);
    }
    if let Some(tally) = tally {
        for &metric in &wanted.metrics {
            let value = tally.metric(metric).map_err(|error| TrainError::Metric { metric, error })?;
            evaluation.metrics.insert(metric.to_string(), value);
        }
    }
    if !has_classes {
        return Ok(evaluation);
    }
    if samples.has_tokens() {
        // A vocabulary is too large for a table of every token taken for every other.
        let right = Tensor::cat(shares, 0).try_into_data().map_err(failed)?;
        let right: f64 = right.iter::<f32>().map(f64::from).sum();
        let accuracy = right / samples.len() as f64;
        evaluation.accuracy = Some(accuracy);
        for &metric in &wanted.metrics {
            let value = match metric {
                Metric::Accuracy => accuracy,
                Metric::LogLoss => loss,
                // JSON has no infinity, and a checkpoint holds this.
                Metric::Perplexity => loss.exp().min(f64::MAX),
                _ => continue,
            };
            evaluation.metrics.insert(metric.to_string(), value);
        }
        return Ok(evaluation);
    }
    let count = lowered.output().elements().max(2) as usize;
    let mut confusion = vec![vec![0; count]; count];
    let predicted = Tensor::cat(classes, 0).try_into_data().map_err(failed)?;
    evaluation.predicted = predicted.iter::<f32>().map(|class| class as u32).collect();
    for (i, &class) in evaluation.predicted.iter().enumerate() {
        confusion[samples.class(i) as usize][class as usize] += 1;
    }
    let right: u32 = confusion.iter().enumerate().map(|(i, row)| row[i]).sum();
    evaluation.accuracy = Some(f64::from(right) / samples.len() as f64);
    evaluation.confusion = confusion;
    Ok(evaluation)
}
