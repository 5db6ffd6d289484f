//! How well parameters do on a set.

use super::batches::Samples;
use super::device::{self, DeviceChoice};
use super::error::TrainError;
use super::feed::feed;
use super::loss;
use crate::Parameters;
use crate::data::Source;
use crate::lower::{Lowered, Mode, Tensors};
use burn_tensor::{Device, ExecutionError, Tensor};
use emberlite::graph::Graph;
use emberlite::loss::Loss;

/// Samples that are predicted at once; without the way back their activations are small.
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
    measure(&lowered, loss, &tensors, samples, &device, 0)
}

/// The same on a device that is open; `epoch` is for errors.
pub(crate) fn measure(
    lowered: &Lowered<'_>,
    loss: &Loss,
    tensors: &Tensors,
    samples: Samples<'_>,
    device: &Device,
    epoch: u32,
) -> Result<Evaluation, TrainError> {
    let failed = |e: ExecutionError| TrainError::Execution { epoch, reason: format!("{e:?}") };
    let all: Vec<usize> = (0..samples.len()).collect();
    let (mut losses, mut classes, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    let mut has_classes = false;
    feed(samples, all.chunks(BATCH), None, |_, read| {
        let batch = read.upload(device);
        let (output, _) = lowered.forward(tensors, batch.x, Mode::Predict);
        let correct = loss::correct(loss, &output, &batch.target);
        has_classes = correct.is_some();
        if samples.has_tokens() {
            shares.extend(correct);
        } else {
            classes.push(loss::classes(loss, &output));
        }
        losses.push(loss::mean(loss, output, &batch.target));
        Ok::<(), TrainError>(())
    })?;
    // Read only now, so that the device never waits.
    let losses = Tensor::cat(losses, 0).try_into_data().map_err(failed)?;
    let sum: f64 = losses.iter::<f32>().zip(all.chunks(BATCH)).map(|(l, c)| f64::from(l) * c.len() as f64).sum();
    let loss = sum / samples.len() as f64;
    let mut evaluation = Evaluation { loss, accuracy: None, confusion: Vec::new(), predicted: Vec::new() };
    if !has_classes {
        return Ok(evaluation);
    }
    if samples.has_tokens() {
        // A vocabulary is too large for a table of every token taken for every other.
        let right = Tensor::cat(shares, 0).try_into_data().map_err(failed)?;
        let right: f64 = right.iter::<f32>().map(f64::from).sum();
        evaluation.accuracy = Some(right / samples.len() as f64);
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
