//! Everything that a set says of parameters: each sample's verdict and all metrics, for reports and for `evaluate`.
//!
//! An epoch's validation asks for a few figures and must be quick ([`measure`](super::evaluate)); this reads every output
//! back. Kept are 8 bytes a sample and what the metrics count, never the outputs themselves.

use super::batches::Samples;
use super::culprit;
use super::device::{self, DeviceChoice};
use super::error::TrainError;
use super::evaluate::{count, each, needs};
use super::loss;
use crate::Parameters;
use crate::data::Source;
use crate::lower::{Lowered, Tensors};
use crate::metrics::{Metric, MetricError, Needs, Tally};
use burn_tensor::ExecutionError;
use emberlite::graph::Graph;
use emberlite::loss::Loss;

/// What a set says of a model.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The mean loss.
    pub loss: f64,
    /// The share of right classes, of a sequence's positions; `None` without classes.
    pub accuracy: Option<f64>,
    /// The class that each sample is taken for; empty where numbers or tokens are predicted.
    pub predicted: Vec<u32>,
    /// How probable the model finds that class, 0 to 1; empty where it gives no probabilities.
    pub confidence: Vec<f32>,
    /// The number that is predicted for each sample; empty where there are classes.
    pub numbers: Vec<f32>,
    /// Counts that metrics are told from; none of tokens, as only loss and accuracy are counted then.
    pub tally: Option<Tally>,
}

impl Judgement {
    /// A metric.
    ///
    /// # Errors
    /// As [`Tally::metric`]; of tokens only accuracy, log loss and perplexity are known.
    pub fn metric(&self, metric: Metric) -> Result<f64, MetricError> {
        match (&self.tally, metric, self.accuracy) {
            (Some(tally), ..) => tally.metric(metric),
            (None, Metric::Accuracy, Some(accuracy)) => Ok(accuracy),
            (None, Metric::LogLoss, _) => Ok(self.loss),
            (None, Metric::Perplexity, _) => Ok(self.loss.exp()),
            (None, ..) => Err(MetricError::NotCounted),
        }
    }

    /// The metrics that are usual for what the model gives and that the set has samples for, in the order in which they
    /// are read.
    pub fn usual(&self) -> Vec<(Metric, f64)> {
        let names = match &self.tally {
            Some(tally) => Metric::usual(tally.kind(), tally.confusion().classes()),
            None => vec![Metric::Accuracy, Metric::LogLoss, Metric::Perplexity],
        };
        names.into_iter().filter_map(|metric| Some((metric, self.metric(metric).ok()?))).collect()
    }
}

/// Judges parameters by a set; `wanted` are metrics beyond the usual ones.
///
/// # Errors
/// [`TrainError`] if graph, parameters, loss, set and device don't fit together, or an output isn't a number.
pub fn judge(
    graph: Graph<'_>,
    loss: &Loss,
    parameters: &Parameters,
    set: &dyn Source,
    device: DeviceChoice,
    wanted: &[Metric],
) -> Result<Judgement, TrainError> {
    let failed = |e: ExecutionError| TrainError::Execution { epoch: 0, reason: format!("{e:?}") };
    let lowered = Lowered::new(graph)?;
    let samples = Samples::new("the set", set, &lowered, loss)?;
    let device = device::open(device)?.device;
    let tensors = Tensors::upload(&lowered, parameters, &device)?.constant();
    let (kind, classes) = needs(set.labels(), loss, &lowered);
    let wanted: Vec<Metric> = Metric::usual(kind, classes).into_iter().chain(wanted.iter().copied()).collect();
    let tokens = samples.has_tokens();
    let mut tally = Tally::new(kind, if tokens { 0 } else { classes }, &wanted);
    let (mut sum, mut right) = (0.0, 0.0);
    let mut judged =
        Judgement { loss: 0.0, accuracy: None, predicted: vec![], confidence: vec![], numbers: vec![], tally: None };
    let mut row = Vec::new();
    each(&lowered, &tensors, samples, &device, 0, |indices, output, target| {
        if tokens && let Some(correct) = loss::correct(loss, &output, target) {
            right += correct.try_into_data().map_err(failed)?.iter::<f32>().map(f64::from).sum::<f64>();
        }
        let width = output.dims()[1].max(1);
        let mean = loss::mean(loss, output.clone(), target).try_into_data().map_err(failed)?;
        sum += mean.iter::<f32>().map(f64::from).sum::<f64>() * indices.len() as f64;
        if tokens {
            return Ok(());
        }
        let outputs: Vec<f32> = output.try_into_data().map_err(failed)?.iter::<f32>().collect();
        for (&index, outputs) in indices.iter().zip(outputs.chunks(width)) {
            let counted = count(&mut tally, kind, loss, samples, index, outputs, &mut row);
            let class = counted.map_err(|_| culprit::error("the set", samples, index, None))?;
            match class {
                None => judged.numbers.extend(outputs),
                Some(class) => {
                    judged.predicted.push(class);
                    if kind == Needs::Probabilities {
                        judged.confidence.push(row.get(class as usize).copied().unwrap_or(f64::NAN) as f32);
                    }
                }
            }
        }
        Ok(())
    })?;
    judged.loss = sum / samples.len() as f64;
    if !judged.loss.is_finite()
        && let Some(sample) = culprit::find(&lowered, &tensors, samples, &device)?
    {
        return Err(culprit::error("the set", samples, sample, None));
    }
    if tokens {
        judged.accuracy = Some(right / samples.len() as f64);
    } else {
        judged.accuracy = tally.confusion().accuracy().ok();
        judged.tally = Some(tally);
    }
    Ok(judged)
}
