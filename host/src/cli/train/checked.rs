//! What a training starts from: everything that is read, and checked before an epoch is spent.

use std::io::Write;
use std::path::{Path, PathBuf};

use emberlite::number::Format;
use emberlite::plan::Training;

use super::Arguments;
use crate::cli::line::Line;
use crate::cli::ranks::Ranks;
use crate::cli::run_folder::Lock;
use crate::cli::unfinished::Begin;
use crate::cli::{CliError, outputs, plan, say_packing, warn};
use crate::data::Standardise;
use crate::spec::{Budget, Costs, EmptyClasses, Sets, Spec};
use crate::train::{self, Checkpoint, Reached};

/// A description and its data with which nothing is wrong, and the folder that is this training's.
pub(super) struct Checked {
    /// With what was typed instead of what it says; but for `settings`, `epochs` and the device.
    pub(super) spec: Spec,
    pub(super) settings: Training,
    pub(super) epochs: u32,
    pub(super) places: Places,
    pub(super) checkpoint: Checkpoint,
    /// The run that is gone on with.
    pub(super) before: Option<Reached>,
    pub(super) costs: Costs,
    pub(super) budget: Budget,
    pub(super) raw: Sets,
    pub(super) standardise: Option<Standardise>,
    _lock: Option<Lock>,
}

/// Where a training writes.
pub(super) struct Places {
    pub(super) folder: PathBuf,
    /// The device's file.
    pub(super) file: PathBuf,
    /// The real numbers of a fixed16 model.
    pub(super) real: PathBuf,
    pub(super) metrics: PathBuf,
}

impl Checked {
    /// Reads and checks, and takes the folder.
    pub(super) fn new(
        ranks: &Ranks,
        arguments: &Arguments,
        line: &Line,
        out: &mut dyn Write,
    ) -> Result<Checked, CliError> {
        let spec = described(ranks, arguments)?;
        let places = Places::of(&spec, arguments)?;
        let saving = &spec.training.checkpoint;
        let checkpoint = Checkpoint {
            dir: places.folder.clone(),
            every_epochs: saving.every_epochs,
            every_steps: saving.every_steps,
            keep: saving.keep,
        };
        // A folder that isn't there yet is made later, when nothing is wrong with description and data.
        let (mut lock, mut before) = (None, None);
        if ranks.is_first() {
            lock = places.folder.is_dir().then(|| Lock::take(&places.folder)).transpose()?;
            let begin = Begin { resume: arguments.resume, fresh: arguments.fresh };
            before = begin.look(&checkpoint, line, &line.set("--run", "OTHER"))?;
        }
        // What the device can't hold is known before an epoch is spent.
        let costs = spec.costs(Some(&spec.device.training))?;
        let budget = spec.budget(&plan::boards(None)?)?;
        spec.check_budget(&costs, &budget)?;
        say_packing(&spec, arguments.quiet || !ranks.is_first());
        let raw = data(ranks, &spec, out)?;
        spec.check_classes(&costs, &raw.train)?;
        spec.check_sampling(raw.train.source().labels())?;
        let standardise = spec.fit_sets(&raw)?;
        if ranks.is_first() {
            raw.check_held_back(standardise.as_ref())?;
        }
        let _lock = match (ranks.is_first(), lock) {
            (false, _) => None,
            (true, lock) => {
                let lock = lock.map_or_else(|| Lock::take(&places.folder), Ok)?;
                outputs::try_to_write(&places.file)?;
                Some(lock)
            }
        };
        let host = &spec.training.settings;
        let settings = Training { seed: arguments.seed.unwrap_or(host.seed), ..*host };
        let epochs = arguments.epochs.unwrap_or(spec.training.epochs);
        Ok(Checked { spec, settings, epochs, places, checkpoint, before, costs, budget, raw, standardise, _lock })
    }
}

/// The description, with what was typed instead.
fn described(ranks: &Ranks, arguments: &Arguments) -> Result<Spec, CliError> {
    let mut spec = Spec::read(&arguments.model)?;
    let host = &mut spec.training.host;
    host.accumulate = arguments.accumulate.unwrap_or(host.accumulate);
    host.max_steps = arguments.max_steps.or(host.max_steps);
    host.precision = arguments.precision.unwrap_or(host.precision);
    // The others take other GPUs of the machine, and write nothing.
    if ranks.is_first() {
        let devices = arguments.device.as_ref().unwrap_or(&spec.training.device);
        devices.all().try_for_each(|device| train::check_precision(device, spec.training.host.precision))?;
    }
    Ok(spec)
}

/// The data, and what must be known of them.
fn data(ranks: &Ranks, spec: &Spec, out: &mut dyn Write) -> Result<Sets, CliError> {
    let raw = ranks.after_the_first(|| spec.load_sets())?;
    if raw.skipped > 0 && ranks.is_first() {
        let files = if raw.skipped == 1 { "file" } else { "files" };
        writeln!(out, "left out {} {files} that can't be read", raw.skipped)?;
    }
    if ranks.is_first() {
        EmptyClasses::sentence(&spec.empty_classes(&raw)).iter().for_each(|empty| warn(empty));
        raw.passed_over.sentence().iter().for_each(|text| warn(text));
    }
    Ok(raw)
}

impl Places {
    fn of(spec: &Spec, arguments: &Arguments) -> Result<Places, CliError> {
        let folder = arguments.run.clone().unwrap_or_else(|| Path::new("runs").join(&spec.name));
        let file = arguments.out.clone().unwrap_or_else(|| folder.join("model.safetensors"));
        let real = file.with_extension("f32.safetensors");
        let metrics = folder.join("metrics.jsonl");
        outputs::check_folder(&folder)?;
        let places = Places { folder, file, real, metrics };
        places.check(spec, arguments)?;
        Ok(places)
    }

    /// All that a training will write, before it starts.
    fn check(&self, spec: &Spec, arguments: &Arguments) -> Result<(), CliError> {
        let names = ["checkpoint.safetensors", "report.json", "report.html", "lock"];
        let others = names.map(|name| self.folder.join(name));
        let mut made: Vec<_> =
            std::iter::once(&self.metrics).chain(&others).map(|path| ("the run's file", path.as_path())).collect();
        made.push((if arguments.out.is_some() { "--out" } else { "the device's file" }, &self.file));
        if spec.model.format == Format::Fixed16 {
            made.push(("the file of real numbers", &self.real));
        }
        let mut read = vec![("the description", arguments.model.as_path())];
        read.extend(arguments.from.iter().map(|path| ("--from", path.as_path())));
        read.extend(outputs::data_files(spec).into_iter().map(|path| ("a file of [data]", path)));
        outputs::check(&made, &read)
    }
}
