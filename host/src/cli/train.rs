//! `emberlite train`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Instant;

use emberlite::graph::Graph;
use emberlite::image::{Image, Profile};
use emberlite::number::Format;
use emberlite::plan::Training;
use serde::Serialize;

use super::line::Line;
use super::ranks::Ranks;
use super::report::Facts;
use super::run_folder::{Lock, Metrics};
use super::unfinished::{self, Begin};
use super::{CliError, interrupt, outputs, words};
use crate::Parameters;
use crate::data::text::Tokenizer;
use crate::data::{Set, Source, Standardise};
use crate::export::{self, Bytes, Export, Trained, Weights};
use crate::metrics::ConfusionMatrix;
use crate::report::Judged;
use crate::simulate::{self, Options};
use crate::spec::{EmptyClasses, Sets, Spec, class_names};
use crate::train::{self, Checkpoint, DeviceChoice, Event, Job, Observer, Precision, Progress, TrainError};

/// Trains a model on this machine and writes the file for the device.
///
/// Everything goes into the folder runs/NAME: model.safetensors (the device's file; for fixed16 also the real numbers as
/// model.f32.safetensors), report.html, metrics.jsonl, checkpoint.safetensors. The model that learns here is the one written, every
/// layer of it; `update` says what learns on the device.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's description
    #[arg(long, default_value = "model.toml")]
    model: PathBuf,
    /// The folder of this run [default: runs/NAME]
    #[arg(long)]
    run: Option<PathBuf>,
    /// The device's file [default: model.safetensors in the run's folder]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on from the checkpoint of the run in this folder
    #[arg(long)]
    resume: bool,
    /// Replace the run in this folder even if it isn't finished; a finished one is replaced without being asked
    #[arg(long, conflicts_with = "resume")]
    fresh: bool,
    /// Start from the parameters of a file instead of new ones: a sealed f32 file, or a state dict (.safetensors, .pth)
    #[arg(long)]
    from: Option<PathBuf>,
    /// Where to compute, instead of what the description says: auto, cpu, wgpu, vulkan or cuda, GPUs also by number as
    /// in cuda:1 (`emberlite devices` lists them)
    #[arg(long)]
    device: Option<DeviceChoice>,
    /// The numbers of matrix products, instead of the description's: f32, or bf16 with f32 weights where the device has it
    #[arg(long)]
    precision: Option<Precision>,
    /// The seed, instead of the description's
    #[arg(long)]
    seed: Option<u32>,
    /// Passes over the training part, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: Option<u32>,
    /// Batches whose gradients make one update, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65536))]
    accumulate: Option<u32>,
    /// Updates after which to end, instead of the description's
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    max_steps: Option<u32>,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

/// The last line of metrics.jsonl.
#[derive(Debug, Serialize)]
pub(super) struct Tested<'a> {
    event: &'a str,
    pub(super) part: &'a str,
    pub(super) samples: usize,
    /// Those that the device was simulated on: fewer where the set isn't in memory.
    pub(super) device_samples: usize,
    pub(super) host_loss: f64,
    /// What `host_loss` is: `[training]` and `[device.training]` may name different ones.
    pub(super) host_loss_name: String,
    pub(super) host_accuracy: Option<f64>,
    /// Of the device nothing is known where the host alone can train the model.
    pub(super) device_loss: Option<f64>,
    pub(super) device_loss_name: String,
    pub(super) device_accuracy: Option<f64>,
    file: &'a Path,
    /// The share of samples that both put in the same class.
    pub(super) agreement: Option<f64>,
    /// The usual metrics, by the host.
    pub(super) host_metrics: BTreeMap<String, f64>,
    /// What the host's judgement says besides.
    #[serde(skip)]
    pub(super) judged: Judged,
    #[serde(skip)]
    pub(super) classes: Vec<String>,
    #[serde(skip)]
    pub(super) confusion: Vec<Vec<u32>>,
}

impl Tested<'_> {
    /// The names of the host's and the device's loss where they must be told apart, or else nothing.
    pub(super) fn loss_names(&self) -> [&str; 2] {
        let names = [self.host_loss_name.as_str(), self.device_loss_name.as_str()];
        if names[0] == names[1] { [""; 2] } else { names }
    }
}

/// Remembers what the trainer says it computes on.
#[derive(Default)]
struct Name(Rc<RefCell<String>>);

impl Observer for Name {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        if let Event::Started { device, precision, .. } = event {
            *self.0.borrow_mut() = match precision {
                Precision::F32 => device.into(),
                precision => format!("{device}, products in {precision}"),
            };
        }
        Ok(())
    }
}

/// `line` is what was typed.
pub(super) fn run(arguments: &Arguments, line: &Line, out: &mut dyn Write) -> Result<(), CliError> {
    let ranks = Ranks::join()?;
    ranks.end(run_as(&ranks, arguments, &ranks.line(line), out))
}

/// The same as one of several processes.
fn run_as(ranks: &Ranks, arguments: &Arguments, line: &Line, out: &mut dyn Write) -> Result<(), CliError> {
    let started = Instant::now();
    let mut spec = Spec::read(&arguments.model)?;
    let host = &mut spec.training.host;
    host.accumulate = arguments.accumulate.unwrap_or(host.accumulate);
    host.max_steps = arguments.max_steps.or(host.max_steps);
    host.precision = arguments.precision.unwrap_or(host.precision);
    // The others take other GPUs of the machine, and write nothing.
    if ranks.is_first() {
        train::check_precision(arguments.device.unwrap_or(spec.training.device), spec.training.host.precision)?;
    }
    let folder = arguments.run.clone().unwrap_or_else(|| Path::new("runs").join(&spec.name));
    let file = arguments.out.clone().unwrap_or_else(|| folder.join("model.safetensors"));
    let real_path = file.with_extension("f32.safetensors");
    outputs::check_folder(&folder)?;
    check_outputs(&spec, arguments, &folder, &file, &real_path)?;
    let saving = &spec.training.checkpoint;
    let checkpoint = Checkpoint {
        dir: folder.clone(),
        every_epochs: saving.every_epochs,
        every_steps: saving.every_steps,
        keep: saving.keep,
    };
    // Held to the end: what is written after the training is the run's too. A folder that isn't there yet is made later, when
    // nothing is wrong with description and data.
    let (mut lock, mut before) = (None, None);
    if ranks.is_first() {
        lock = folder.is_dir().then(|| Lock::take(&folder)).transpose()?;
        let begin = Begin { resume: arguments.resume, fresh: arguments.fresh };
        before = begin.look(&checkpoint, line, &line.set("--run", "OTHER"))?;
    }
    // What the device can't hold is known before an epoch is spent.
    let costs = spec.costs(Some(&spec.device.training))?;
    let budget = spec.budget(&super::plan::boards(None)?)?;
    spec.check_budget(&costs, &budget)?;
    let raw = ranks.after_the_first(|| spec.load_sets())?;
    if raw.skipped > 0 && ranks.is_first() {
        writeln!(out, "left out {} files that can't be read", raw.skipped)?;
    }
    if ranks.is_first() {
        EmptyClasses::sentence(&spec.empty_classes(&raw)).iter().for_each(|empty| super::warn(empty));
    }
    spec.check_classes(&costs, &raw.train)?;
    let standardise = spec.fit_sets(&raw)?;
    let _lock = match (ranks.is_first(), lock) {
        (false, _) => None,
        (true, lock) => {
            let lock = lock.map_or_else(|| Lock::take(&folder), Ok)?;
            outputs::try_to_write(&file)?;
            Some(lock)
        }
    };
    let metrics = folder.join("metrics.jsonl");
    let host = &spec.training.settings;
    let settings = Training { seed: arguments.seed.unwrap_or(host.seed), ..*host };
    let epochs = arguments.epochs.unwrap_or(spec.training.epochs);
    let name = Name::default();
    let trained_on = Rc::clone(&name.0);
    let run = Run { spec: &spec, settings: &settings, epochs, checkpoint, metrics: &metrics, name, ranks, line };
    let trained = run.learn(arguments, &raw, standardise.as_ref()).map_err(|error| resumable(error, line))?;
    if !ranks.is_first() {
        return Ok(());
    }

    if let Some(text) = before.as_ref().and_then(|before| unfinished::finished_before(before, &trained, &spec, line)) {
        writeln!(out, "{text}")?;
    }
    let classes = class_names(&raw.train);
    if let Some((name, text)) = raw.tokenizer.as_ref().map(Tokenizer::file).transpose()?.flatten() {
        export::write(&folder.join(name), text.as_bytes())?;
    }
    let few = raw.train.spread(MOST_CALIBRATED)?;
    let parts = Trained {
        parameters: &trained.parameters,
        standardise: standardise.as_ref(),
        samples: Some(&few),
        classes: &classes,
        encoder: Some(&raw.prepare.encoder),
    };
    let sealed = match &costs.host_only {
        None => export::seal(&spec, &parts, Profile::Safetensors)?,
        Some(_) => Bytes::new(&export::state_file(&spec, &parts)?),
    };
    export::write(&file, sealed.as_slice())?;
    let mut files = vec![(file.as_path(), sealed.as_slice())];
    let real = if spec.model.format == Format::Fixed16 { Some(real_file(&spec, &parts)?) } else { None };
    if let Some(real) = &real {
        export::write(&real_path, real.as_slice())?;
        files.push((&real_path, real.as_slice()));
    }
    let (part, set) = match (&raw.test, &raw.validation) {
        (Some(set), _) => ("test", set),
        (None, Some(set)) => ("validation", set),
        (None, None) => ("training", &raw.train),
    };
    let device_file = costs.host_only.is_none().then_some(&sealed);
    let names = raw.prepare.encoder.inputs();
    let tested = test(&spec, (part, set, &names), &trained.parameters, standardise.as_ref(), device_file, &file)?;
    let facts = Facts {
        spec: &spec,
        costs: &costs,
        budget,
        parts: &raw,
        trained: &trained,
        tested: &tested,
        settings: &settings,
        // A finished run may have done more than it is now asked for.
        epochs: epochs.max(trained.history.len() as u32),
        trained_on: trained_on.take(),
        seconds: before.map_or(0.0, |before| before.seconds) + started.elapsed().as_secs_f64(),
        command: &line.to_string(),
        files: &files,
    };
    super::report::write(&folder, &facts)?;
    // Last of all files: it says that they are there.
    append(&metrics, &tested)?;
    for (path, bytes) in &files {
        writeln!(out, "wrote {}: {} bytes", path.display(), bytes.len())?;
    }
    writeln!(out, "wrote {}", folder.join("report.html").display())?;
    let share = |accuracy: Option<f64>| accuracy.map_or(String::new(), |a| format!("accuracy {:.2} %, ", a * 100.0));
    writeln!(out, "{part} part, {} samples", tested.samples)?;
    let [host, device] = tested.loss_names().map(|name| match name {
        "" => String::new(),
        name => format!(" ({name})"),
    });
    writeln!(out, "  host, f32       {}loss {:.4}{host}", share(tested.host_accuracy), tested.host_loss)?;
    let format = spec.model.format.name();
    match (&costs.host_only, tested.device_loss) {
        (None, Some(loss)) => {
            let few = match tested.device_samples {
                few if few < tested.samples => format!(", on {few} of the samples"),
                _ => String::new(),
            };
            writeln!(out, "  device, {format:<7} {}loss {loss:.4}{device}{few}", share(tested.device_accuracy))?;
        }
        (reason, _) => writeln!(out, "  no device runs it: {}", reason.as_deref().unwrap_or_default())?,
    }
    Ok(())
}

/// Between what was saved and the line that goes on with it.
pub(super) const GO_ON: &str = "; go on with: ";

/// An interrupted run's error with the line that goes on with it.
fn resumable(error: CliError, line: &Line) -> CliError {
    match error {
        CliError::Train(error @ TrainError::Interrupted { .. }) => {
            let saved = matches!(error, TrainError::Interrupted { checkpoint: Some(_), .. });
            let how = if saved { format!("{GO_ON}{}", line.resuming()) } else { String::new() };
            CliError::Interrupted(format!("{error}{how}"))
        }
        other => other,
    }
}

/// All that a training will write, before it starts.
fn check_outputs(
    spec: &Spec,
    arguments: &Arguments,
    folder: &Path,
    file: &Path,
    real_path: &Path,
) -> Result<(), CliError> {
    let names = ["metrics.jsonl", "checkpoint.safetensors", "report.json", "report.html", "lock"];
    let places = names.map(|name| folder.join(name));
    let mut made: Vec<_> = places.iter().map(|path| ("the run's file", path.as_path())).collect();
    made.push((if arguments.out.is_some() { "--out" } else { "the device's file" }, file));
    if spec.model.format == Format::Fixed16 {
        made.push(("the file of real numbers", real_path));
    }
    let mut read = vec![("the description", arguments.model.as_path())];
    read.extend(arguments.from.iter().map(|path| ("--from", path.as_path())));
    read.extend(outputs::data_files(spec).into_iter().map(|path| ("a file of [data]", path)));
    outputs::check(&made, &read)
}

/// What a training takes besides data.
struct Run<'a> {
    spec: &'a Spec,
    settings: &'a Training,
    epochs: u32,
    checkpoint: Checkpoint,
    metrics: &'a Path,
    name: Name,
    ranks: &'a Ranks,
    line: &'a Line,
}

impl Run<'_> {
    /// The training itself.
    fn learn(
        self,
        arguments: &Arguments,
        raw: &Sets,
        standardise: Option<&Standardise>,
    ) -> Result<train::Trained, CliError> {
        let Run { spec, settings, epochs, checkpoint, metrics, name, ranks, line } = self;
        let train_set = spec.augmented(&raw.train, standardise, settings.seed.into())?;
        let validation = raw.validation.as_ref().map(|set| set.standardised(standardise)).transpose()?;
        let nodes = spec.host_nodes();
        let graph = Graph::new(Format::F32, spec.model.input, &nodes);
        let initial = arguments.from.as_deref().map(|path| parameters_from(path, spec)).transpose()?;
        let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(name)];
        if ranks.is_first() {
            observers.push(Box::new(Metrics::new(metrics, arguments.resume)));
        }
        if ranks.is_first() && !arguments.quiet {
            observers.push(Box::new(Progress::new()));
        }
        let mut host = spec.training.host.clone();
        host.class_weights = match &spec.training.class_weights {
            Some(weights) => Some(weights.of(raw.train.source().labels())?),
            None => None,
        };
        let watch = interrupt::Watch::new();
        ranks.tell(&watch, &checkpoint.path(), &line.resuming());
        let job = Job {
            host,
            epochs,
            validation: validation.as_ref().map(Set::source),
            seed: settings.seed.into(),
            device: arguments.device.unwrap_or(spec.training.device),
            early_stopping: spec.training.stopping(validation.is_some()),
            checkpoint: Some(checkpoint),
            interrupt: Some(watch.asked()),
            group: ranks.group(),
            resume: arguments.resume,
            fresh: arguments.fresh,
            initial: initial.as_ref(),
            ..Job::new(graph, settings, train_set.source(), &mut observers)
        };
        Ok(train::train(job)?)
    }
}

/// The parameters of a sealed file, or of a state dict.
fn parameters_from(path: &Path, spec: &Spec) -> Result<Parameters, CliError> {
    let sealed = Image::open(Bytes::read(path)?.as_slice()).is_ok();
    if sealed {
        return parameters_of(path, spec);
    }
    let imported = export::import_file(path, spec);
    Ok(imported.map_err(|error| CliError::Message(format!("{}: {error}", path.display())))?.parameters)
}

/// The real parameters of a sealed file of the model as it is written.
pub(super) fn parameters_of(path: &Path, spec: &Spec) -> Result<Parameters, CliError> {
    let bytes = Bytes::read(path)?;
    let wrong = |error| CliError::Image { path: path.into(), error };
    let image = Image::open(bytes.as_slice()).map_err(wrong)?;
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    image.check_layout(emberlite::graph::layout_hash(&graph)).map_err(wrong)?;
    Ok(export::parameters(&image))
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

/// Samples that scales are calibrated on, of a set that isn't in memory.
pub(super) const MOST_CALIBRATED: usize = 1024;
/// Samples of a set that isn't in memory that the device is simulated on; the host's figures are of all.
const MOST_SIMULATED: usize = 1000;

/// The host's figures in f32 and the device's from the file, on raw samples of a part; each by its own loss.
fn test<'a>(
    spec: &Spec,
    // The part's name, its samples and what their numbers are called.
    (part, set, names): (&'a str, &Set, &[String]),
    parameters: &Parameters,
    standardise: Option<&Standardise>,
    sealed: Option<&Bytes>,
    file: &'a Path,
) -> Result<Tested<'a>, CliError> {
    let normalised = set.standardised(standardise)?;
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    let loss = &spec.training.settings.loss;
    let host = train::judge(graph, loss, parameters, normalised.source(), DeviceChoice::Cpu, &[])?;
    let judged = Judged::new(&format!("{part} set, host (f32)"), &host, set.source(), names)?;
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
        file,
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

/// Adds a line of JSON to a file, and hands it to the disk.
fn append(path: &Path, line: &impl Serialize) -> Result<(), CliError> {
    let failed = |source| export::FileError { path: path.into(), doing: "can't write", source };
    let mut text = serde_json::to_string(line).map_err(|error| CliError::Message(error.to_string()))?;
    text.push('\n');
    let mut file = OpenOptions::new().append(true).open(path).map_err(failed)?;
    Ok(file.write_all(text.as_bytes()).and_then(|()| file.sync_data()).map_err(failed)?)
}
