//! The training itself, as the program does it.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;

use emberlite::graph::Graph;
use emberlite::image::Image;
use emberlite::number::Format;

use super::Arguments;
use super::checked::Checked;
use super::told::in_file;
use crate::Parameters;
use crate::cli::line::Line;
use crate::cli::ranks::Ranks;
use crate::cli::run_folder::Metrics;
use crate::cli::weights::not_imported;
use crate::cli::{CliError, interrupt, warn};
use crate::data::{Set, Standardise};
use crate::export::{self, Bytes};
use crate::spec::Spec;
use crate::train::{self, Event, Job, Observer, Precision, Progress, Trained};

/// What came of a training.
pub(super) struct Learnt {
    pub(super) trained: Trained,
    /// What it was computed on, as the trainer says.
    pub(super) on: String,
}

impl Checked {
    /// Trains.
    pub(super) fn learn(&self, ranks: &Ranks, arguments: &Arguments, line: &Line) -> Result<Learnt, CliError> {
        let Checked { spec, settings, raw, .. } = self;
        let standardise = self.standardise.as_ref();
        let train_set = spec.augmented(&raw.train, standardise, settings.seed.into())?;
        let validation = raw.validation.as_ref().map(|set| set.standardised(standardise)).transpose()?;
        let nodes = spec.host_nodes();
        let graph = Graph::new(Format::F32, spec.model.input, &nodes);
        let initial = arguments.from.as_deref().map(|path| parameters_from(path, spec)).transpose()?;
        let name = Name { on: Rc::default(), first: ranks.is_first() };
        let on = Rc::clone(&name.on);
        let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(name)];
        if ranks.is_first() {
            observers.push(Box::new(Metrics::new(&self.places.metrics, arguments.resume)));
        }
        if ranks.is_first() && !arguments.quiet {
            observers.push(Box::new(Progress::new()));
        }
        let mut host = spec.training.host.clone();
        host.class_weights = spec.class_weights(raw.train.source().labels())?;
        let watch = interrupt::Watch::new();
        ranks.tell(&watch, &self.checkpoint.path(), &line.resuming());
        let device = arguments.device.as_ref().unwrap_or(&spec.training.device).clone();
        let job = Job {
            host,
            epochs: self.epochs,
            validation: validation.as_ref().map(Set::source),
            seed: settings.seed.into(),
            device: device.first,
            replicas: device.replicas,
            early_stopping: spec.training.stopping(validation.is_some()),
            checkpoint: Some(self.checkpoint.clone()),
            interrupt: Some(watch.asked()),
            group: ranks.group(),
            resume: arguments.resume,
            fresh: arguments.fresh,
            initial: initial.as_ref(),
            ..Job::new(graph, settings, train_set.source(), &mut observers)
        };
        let trained = train::train(job).map_err(|error| in_file(error, spec, "validation"))?;
        Ok(Learnt { trained, on: on.take() })
    }
}

/// Remembers what the trainer says it computes on, and says, for the first of several processes, what of it changes the run.
struct Name {
    on: Rc<RefCell<String>>,
    first: bool,
}

impl Observer for Name {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        if let Event::Started { device, precision, ranks, ranks_before, .. } = event {
            if let (Some(before), true) = (ranks_before, self.first) {
                let s = if before == 1 { "" } else { "s" };
                warn(&format!(
                    "{before} device{s} or process{} shared each batch of this run so far, and {ranks} from here on: it goes on \
                     rightly, but to the last bits neither as with {before} nor as with {ranks}",
                    if before == 1 { "" } else { "es" }
                ));
            }
            *self.on.borrow_mut() = match precision {
                Precision::F32 => device.into(),
                precision => format!("{device}, products in {precision}"),
            };
        }
        Ok(())
    }
}

/// The parameters of a sealed file, or of a state dict.
fn parameters_from(path: &Path, spec: &Spec) -> Result<Parameters, CliError> {
    let sealed = Image::open(Bytes::read(path)?.as_slice()).is_ok();
    if sealed {
        return parameters_of(path, spec);
    }
    let imported = export::import_file(path, spec);
    Ok(imported.map_err(|error| not_imported(path, &error))?.parameters)
}

/// The real parameters of a sealed file of the model as it is written.
pub(in crate::cli) fn parameters_of(path: &Path, spec: &Spec) -> Result<Parameters, CliError> {
    let bytes = Bytes::read(path)?;
    let wrong = |error| CliError::Image { path: path.into(), error };
    let image = Image::open(bytes.as_slice()).map_err(wrong)?;
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    image.check_layout(emberlite::graph::layout_hash(&graph)).map_err(wrong)?;
    Ok(export::parameters(&image))
}

/// What a sealed file normalises readings with.
pub(in crate::cli) fn standardise_of(path: &Path, image: &Image<'_>) -> Result<Option<Standardise>, CliError> {
    export::standardise(image).map_err(|error| CliError::Message(format!("{}: {error}", path.display())))
}
