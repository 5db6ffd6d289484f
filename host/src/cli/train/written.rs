//! What a training leaves in its folder.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use emberlite::graph::Graph;
use emberlite::image::Profile;
use emberlite::number::Format;
use serde::Serialize;

use super::checked::{Checked, Places};
use super::learn::Learnt;
use super::tested::Tested;
use crate::cli::CliError;
use crate::cli::line::Line;
use crate::cli::report::{self, Facts};
use crate::data::text::Tokenizer;
use crate::export::{self, Bytes, Export, Trained, Weights};
use crate::spec::{Spec, class_names};
use crate::train;

/// Samples that scales are calibrated on, of a set that isn't in memory.
pub(in crate::cli) const MOST_CALIBRATED: usize = 1024;

/// The model's files as they were written.
pub(super) struct Written<'a> {
    places: &'a Places,
    /// The device's; of a model that no device runs, a state dict.
    model: Bytes,
    /// The real numbers of a fixed16 model.
    real: Option<Bytes>,
}

impl<'a> Written<'a> {
    /// Writes them.
    pub(super) fn model(checked: &'a Checked, trained: &train::Trained) -> Result<Written<'a>, CliError> {
        let Checked { spec, raw, costs, places, .. } = checked;
        let classes = class_names(&raw.train);
        if let Some((name, text)) = raw.tokenizer.as_ref().map(Tokenizer::file).transpose()?.flatten() {
            export::write(&places.folder.join(name), text.as_bytes())?;
        }
        let few = raw.train.spread(MOST_CALIBRATED)?;
        let parts = Trained {
            parameters: &trained.parameters,
            standardise: checked.standardise.as_ref(),
            samples: Some(&few),
            classes: &classes,
            encoder: Some(&raw.prepare.encoder),
        };
        let model = match &costs.host_only {
            None => export::seal(spec, &parts, Profile::Safetensors)?,
            Some(_) => Bytes::new(&export::state_file(spec, &parts)?),
        };
        export::write(&places.file, model.as_slice())?;
        let real = if spec.model.format == Format::Fixed16 { Some(real_file(spec, &parts)?) } else { None };
        if let Some(real) = &real {
            export::write(&places.real, real.as_slice())?;
        }
        Ok(Written { places, model, real })
    }

    /// Names and bytes.
    pub(super) fn files(&self) -> Vec<(&'a Path, &[u8])> {
        let real = self.real.as_ref().map(|real| (self.places.real.as_path(), real.as_slice()));
        std::iter::once((self.places.file.as_path(), self.model.as_slice())).chain(real).collect()
    }

    /// The file that the host judges by.
    pub(super) fn weights(&self) -> &'a Path {
        if self.real.is_some() { &self.places.real } else { &self.places.file }
    }

    /// What a device reads, if one runs the model.
    pub(super) fn sealed(&self, checked: &Checked) -> Option<&Bytes> {
        checked.costs.host_only.is_none().then_some(&self.model)
    }

    /// Writes the run's page, and the last line of metrics.jsonl. `line` was typed at `started`.
    pub(super) fn report(
        &self,
        checked: &Checked,
        learnt: &Learnt,
        tested: &Tested<'_>,
        (started, line): (Instant, &Line),
    ) -> Result<(), CliError> {
        let Checked { spec, costs, places, .. } = checked;
        let before = checked.before.as_ref().map_or(0.0, |before| before.seconds);
        let facts = Facts {
            spec,
            costs,
            budget: checked.budget,
            parts: &checked.raw,
            trained: &learnt.trained,
            tested,
            settings: &checked.settings,
            // A finished run may have done more than it is now asked for.
            epochs: checked.epochs.max(learnt.trained.history.len() as u32),
            trained_on: learnt.on.clone(),
            seconds: before + started.elapsed().as_secs_f64(),
            command: &line.to_string(),
            files: &self.files(),
        };
        report::write(&places.folder, &facts)?;
        // Last of all files: it says that they are there.
        append(&places.metrics, tested)
    }
}

/// The model as it is written, in real numbers.
fn real_file(spec: &Spec, trained: &Trained<'_>) -> Result<Bytes, CliError> {
    let graph = Graph::new(Format::F32, spec.model.input, &spec.model.nodes);
    let export = Export {
        weights: Weights::Real { graph, parameters: trained.parameters },
        standardise: trained.standardise,
        golden: trained.samples.filter(|samples| !samples.is_empty()).map(|samples| samples.sample(0)),
        name: &spec.name,
        classes: trained.classes,
        encoder: trained.encoder,
        profile: Profile::Safetensors,
    };
    Ok(export::encode(&export)?)
}

/// Adds a line of JSON to a file, and hands it to the disk.
fn append(path: &Path, line: &impl Serialize) -> Result<(), CliError> {
    let failed = |source| export::FileError { path: path.into(), doing: "can't write", source };
    let mut text = serde_json::to_string(line).map_err(|error| CliError::Message(error.to_string()))?;
    text.push('\n');
    let mut file = OpenOptions::new().append(true).open(path).map_err(failed)?;
    Ok(file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(failed)?)
}
