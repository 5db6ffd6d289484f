//! What a trained model is worth: the host's figures and the device's.

use std::collections::BTreeMap;
use std::path::Path;

use emberlite::graph::Graph;
use emberlite::number::Format;
use serde::Serialize;

use super::checked::Checked;
use super::told::in_file;
use crate::Parameters;
use crate::cli::{CliError, words};
use crate::data::{Set, Source};
use crate::export::Bytes;
use crate::metrics::ConfusionMatrix;
use crate::report::Judged;
use crate::simulate::{self, Options};
use crate::spec::{Sets, class_names};
use crate::train::{self, DeviceChoice};

/// The last line of metrics.jsonl.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct Tested<'a> {
    event: &'a str,
    pub(in crate::cli) part: &'a str,
    pub(in crate::cli) samples: usize,
    /// Those that the device was simulated on: fewer where the set isn't in memory.
    pub(in crate::cli) device_samples: usize,
    pub(in crate::cli) host_loss: f64,
    /// What `host_loss` is: `[training]` and `[device.training]` may name different ones.
    pub(in crate::cli) host_loss_name: String,
    pub(in crate::cli) host_accuracy: Option<f64>,
    /// Of the device nothing is known where the host alone can train the model.
    pub(in crate::cli) device_loss: Option<f64>,
    pub(in crate::cli) device_loss_name: String,
    pub(in crate::cli) device_accuracy: Option<f64>,
    file: &'a Path,
    /// The share of samples that both put in the same class.
    pub(in crate::cli) agreement: Option<f64>,
    /// The usual metrics, by the host.
    pub(in crate::cli) host_metrics: BTreeMap<String, f64>,
    /// What the host's judgement says besides.
    #[serde(skip)]
    pub(in crate::cli) judged: Judged,
    #[serde(skip)]
    pub(in crate::cli) classes: Vec<String>,
    #[serde(skip)]
    pub(in crate::cli) confusion: Vec<Vec<u32>>,
}

impl Tested<'_> {
    /// The names of the host's and the device's loss where they must be told apart, or else nothing.
    pub(in crate::cli) fn loss_names(&self) -> [&str; 2] {
        let names = [self.host_loss_name.as_str(), self.device_loss_name.as_str()];
        if names[0] == names[1] { [""; 2] } else { names }
    }
}

/// Samples of a set that isn't in memory that the device is simulated on; the host's figures are of all.
const MOST_SIMULATED: usize = 1000;

/// The part that a training is judged by.
pub(super) fn judged_by(raw: &Sets) -> (&'static str, &Set) {
    match (&raw.test, &raw.validation) {
        (Some(set), _) => ("test", set),
        (None, Some(set)) => ("validation", set),
        (None, None) => ("training", &raw.train),
    }
}

/// The host's figures in f32 and the device's from its file, on raw samples of the part that nothing was fitted to, as far
/// as there is one; each by its own loss.
pub(super) fn test<'a>(
    checked: &'a Checked,
    parameters: &Parameters,
    sealed: Option<&Bytes>,
) -> Result<Tested<'a>, CliError> {
    let Checked { spec, raw, .. } = checked;
    let standardise = checked.standardise.as_ref();
    let (part, set) = judged_by(raw);
    let names = raw.prepare.encoder.inputs();
    let normalised = set.standardised(standardise)?;
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    let loss = &spec.training.settings.loss;
    let host = train::judge(graph, loss, parameters, normalised.source(), DeviceChoice::Cpu, &[]);
    let part_of = if part == "training" { "train" } else { part };
    let host = host.map_err(|error| in_file(error, spec, part_of))?;
    let judged = Judged::new(&format!("{part} set, host (f32)"), &host, set.source(), &names)?;
    let few = set.spread(MOST_SIMULATED)?;
    let simulation = sealed.map(|sealed| simulate::run(spec, sealed, &few, &Options::default())).transpose()?;
    let agreement = simulation.as_ref().zip(host.accuracy).map(|(simulation, _)| {
        // The first and others evenly spread, as `spread` takes them.
        let same = |(i, device): &(usize, &u32)| host.predicted.get(i * set.len() / few.len().max(1)) == Some(*device);
        let same = simulation.predicted.iter().enumerate().filter(same).count();
        same as f64 / few.len().max(1) as f64
    });
    let device = simulation.map(|simulation| simulation.report);
    let (classes, confusion) = match &device {
        Some(device) => (device.classes.clone(), device.confusion.clone()),
        None => (class_names(&few), host.tally.as_ref().map_or(Vec::new(), |tally| counts(tally.confusion()))),
    };
    Ok(Tested {
        event: "tested",
        part,
        samples: set.len(),
        device_samples: sealed.map_or(0, |_| few.len()),
        host_loss: host.loss,
        host_loss_name: words::loss(loss),
        host_accuracy: host.accuracy,
        device_loss: device.as_ref().map(|device| device.loss),
        device_loss_name: words::loss(&spec.device.training.loss),
        device_accuracy: device.and_then(|device| device.accuracy),
        agreement,
        file: &checked.places.file,
        host_metrics: judged.metrics.iter().cloned().collect(),
        judged,
        classes,
        confusion,
    })
}

/// Counts as the device's report has them.
fn counts(confusion: &ConfusionMatrix) -> Vec<Vec<u32>> {
    let count = |&count: &u64| u32::try_from(count).unwrap_or(u32::MAX);
    confusion.rows().map(|row| row.iter().map(count).collect()).collect()
}
