//! One training of a candidate, as `emberlite train` does it: the same spec, samples and seed give the same parameters.

use std::io;
use std::sync::atomic::AtomicBool;

use emberlite::graph::Graph;
use emberlite::number::Format;

use super::error::SearchError;
use crate::data::{Labels, Set};
use crate::metrics::Metric;
use crate::spec::{Sets, Spec};
use crate::train::{self, DeviceChoice, EpochRecord, Event, Job, Observer, TrainError, Trained};

/// Asked after each epoch whether to go on.
pub type AfterEpoch<'a> = &'a mut dyn FnMut(&EpochRecord) -> bool;

/// Samples as the model takes them: normalised by constants fitted on the training part alone, which is augmented where
/// the description says so.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What is learnt from.
    pub train: Set,
    /// What chooses the epoch, and ends training early.
    pub validation: Option<Set>,
    /// What is judged by, where that is another part.
    pub test: Option<Set>,
    class_weights: Option<Vec<f32>>,
}

impl Prepared {
    /// Fits on `sets.train` and applies to all.
    ///
    /// # Errors
    /// [`SearchError`] for samples that can't be normalised or augmented.
    pub fn new(spec: &Spec, sets: &Sets) -> Result<Prepared, SearchError> {
        let fitted = spec.fit_sets(sets)?;
        let apply = |set: &Option<Set>| set.as_ref().map(|set| set.standardised(fitted.as_ref())).transpose();
        let labels: &Labels = sets.train.source().labels();
        let seed = spec.training.settings.seed;
        Ok(Prepared {
            train: spec.augmented(&sets.train, fitted.as_ref(), seed.into())?,
            validation: apply(&sets.validation)?,
            test: apply(&sets.test)?,
            class_weights: spec.class_weights(labels)?,
        })
    }
}

/// Trains, without checkpoints; gives nothing where `after_epoch` said no or `stop` became true. Epochs are measured by
/// `metric`, too.
///
/// # Errors
/// [`TrainError`], without that of being told to end.
pub fn fit(
    spec: &Spec,
    data: &Prepared,
    device: DeviceChoice,
    metric: Option<Metric>,
    stop: &AtomicBool,
    after_epoch: AfterEpoch<'_>,
) -> Result<Option<Trained>, TrainError> {
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    let settings = &spec.training.settings;
    let mut host = spec.training.host.clone();
    host.class_weights.clone_from(&data.class_weights);
    if data.validation.is_some() {
        host.metrics.extend(metric.filter(|metric| !host.metrics.contains(metric)));
    } else {
        // They are of the validation part.
        host.metrics.clear();
    }
    let mut asked = Asked { after_epoch, ended: false };
    let trained = train::train(Job {
        host,
        epochs: spec.training.epochs,
        validation: data.validation.as_ref().map(Set::source),
        seed: settings.seed.into(),
        device,
        early_stopping: spec.training.stopping(data.validation.is_some()),
        interrupt: Some(stop),
        ..Job::new(graph, settings, data.train.source(), &mut asked)
    });
    match trained {
        Ok(trained) => Ok(Some(trained)),
        Err(TrainError::Observer(_)) if asked.ended => Ok(None),
        Err(TrainError::Interrupted { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Hands each epoch on, and remembers whether the answer was to end.
struct Asked<'a> {
    after_epoch: AfterEpoch<'a>,
    ended: bool,
}

impl Observer for Asked<'_> {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        if let Event::Epoch { record, .. } = event
            && !(self.after_epoch)(record)
        {
            self.ended = true;
            return Err(io::Error::from(io::ErrorKind::Interrupted));
        }
        Ok(())
    }
}
