//! Cross-validation: every sample is judged once by a model that hasn't seen it.
//!
//! For each fold everything is fitted anew on the rest (fill values, scaling, categories, the model), and the held-back
//! fold is looked at once, at the end: it chooses neither an epoch nor when to stop, so the parameters of the last epoch
//! are judged, and early stopping can only watch a figure of the training part. `[data] validation` has no part in it; its
//! samples are among the folds. The test part stays untouched.

use std::sync::atomic::AtomicBool;

use emberlite::graph::Graph;
use emberlite::number::Format;

use super::error::SearchError;
use super::fit::{AfterEpoch, Prepared, fit};
use crate::data::{Set, Source};
use crate::metrics::Metric;
use crate::spec::{Folded, Parts, Sets, Spec};
use crate::study::{deviation, mean};
use crate::train::{self, DeviceChoice, Evaluation, TrainError};

/// One fold's result.
#[derive(Clone, Debug, PartialEq)]
pub struct FoldScore {
    /// The fold, from 1; of repeats one after the other.
    pub fold: usize,
    /// Samples that were learnt from.
    pub train: usize,
    /// Samples that were judged by.
    pub test: usize,
    /// Epochs trained.
    pub epochs: u32,
    /// The figures of the held-back fold.
    pub evaluation: Evaluation,
}

/// The results of all folds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CrossValidation {
    /// In order.
    pub folds: Vec<FoldScore>,
}

impl CrossValidation {
    /// Mean and sample standard deviation of a figure over the folds; none where a fold hasn't got it.
    pub fn figure(&self, figure: impl Fn(&Evaluation) -> Option<f64>) -> Option<(f64, f64)> {
        let all: Vec<f64> = self.folds.iter().map(|fold| figure(&fold.evaluation)).collect::<Option<_>>()?;
        Some((mean(&all)?, deviation(&all).unwrap_or(0.0)))
    }
}

/// Trains and judges one fold, from 0, by loss, accuracy and `metrics`; none where `after_epoch` said no or `stop` became
/// true.
///
/// # Errors
/// [`SearchError`] of its samples or its training.
pub fn one_fold(
    (spec, folded, fold): (&Spec, &Folded, usize),
    device: DeviceChoice,
    metrics: &[Metric],
    stop: &AtomicBool,
    after_epoch: AfterEpoch<'_>,
) -> Result<Option<FoldScore>, SearchError> {
    if let Some(monitor) = spec.training.early_stopping.and_then(|stopping| stopping.monitor)
        && monitor.needs_validation()
    {
        return Err(TrainError::Setting(format!(
            "early stopping on {monitor} would choose by the samples that the fold is judged by; watch train_loss, or \
             leave it out and give the epochs"
        ))
        .into());
    }
    let Parts { train, validation: held_back, prepare, .. } = spec.prepare_fold(folded, fold)?;
    let (train, test) = (Set::Memory(train), held_back.map(Set::Memory));
    let sets =
        Sets { train, validation: None, test, tokenizer: None, skipped: 0, passed_over: Default::default(), prepare };
    let data = Prepared::new(spec, &sets)?;
    let Some(trained) = fit(spec, &data, device, None, stop, after_epoch)? else { return Ok(None) };
    let test = data.test.as_ref().unwrap_or(&data.train);
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    let (loss, parameters) = (&spec.training.settings.loss, &trained.parameters);
    let evaluation = train::evaluate_metrics(graph, loss, parameters, test.source(), device, metrics)?;
    let epochs = trained.history.len() as u32;
    Ok(Some(FoldScore { fold: fold + 1, train: data.train.len(), test: test.len(), epochs, evaluation }))
}

/// Trains and judges every fold; `told` of each as it ends. Ends early where `stop` becomes true.
///
/// # Errors
/// [`SearchError`] of the first fold that has no result.
pub fn cross_validate(
    spec: &Spec,
    folded: &Folded,
    device: DeviceChoice,
    metrics: &[Metric],
    stop: &AtomicBool,
    told: &mut dyn FnMut(&FoldScore),
) -> Result<CrossValidation, SearchError> {
    let mut result = CrossValidation::default();
    for fold in 0..folded.folds.len() {
        let Some(score) = one_fold((spec, folded, fold), device, metrics, stop, &mut |_| true)? else { break };
        told(&score);
        result.folds.push(score);
    }
    Ok(result)
}
