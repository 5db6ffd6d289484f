//! `emberlite evaluate`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use emberlite::graph::Graph;
use emberlite::image::Image;
use emberlite::number::Format;
use serde::Serialize;

use super::CliError;
use super::weights::{not_imported, not_sealed};
use crate::data::{Set, Source};
use crate::export::{self, Bytes};
use crate::metrics::{Average, ConfusionMatrix, Metric};
use crate::report::number::{precise, precise_percent};
use crate::simulate::stored;
use crate::spec::{Spec, class_names};
use crate::train::{self, DeviceChoice, Judgement};

/// Judges a trained model by a part of its data: every usual metric, and a table of the classes.
///
/// The host computes, in f32; what a device's own arithmetic comes to is `emberlite simulate`'s to say. Normalisation
/// comes from the weights' file.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's description
    #[arg(long, default_value = "model.toml")]
    model: PathBuf,
    /// The sealed file of the trained model, in f32
    #[arg(long, alias = "file")]
    weights: PathBuf,
    /// The part of the data
    #[arg(long, value_enum, default_value = "test")]
    part: Part,
    /// More metrics, such as f2_macro,recall_class_0
    #[arg(long, value_delimiter = ',')]
    metrics: Vec<Metric>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Classes that are listed in a terminal.
const MOST_LISTED: usize = 100;

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Part {
    Train,
    Validation,
    Test,
}

impl Part {
    const fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }
}

/// Raw samples of a part.
fn part(spec: &Spec, part: Part) -> Result<Set, CliError> {
    super::say_packing(spec, false);
    let parts = spec.load_sets()?;
    let set = match part {
        Part::Train => Some(parts.train),
        Part::Validation => parts.validation,
        Part::Test => parts.test,
    };
    match set {
        Some(set) => Ok(set),
        None => Err(spec.no_part(part.name(), "judge another part with --part").into()),
    }
}

/// What other programs read.
#[derive(Debug, Serialize)]
struct Output<'a> {
    part: &'a str,
    samples: usize,
    loss: f64,
    metrics: BTreeMap<String, f64>,
    classes: Vec<Class>,
    /// `[right class][predicted class]`; empty of more than a thousand classes.
    confusion: Vec<&'a [u64]>,
}

#[derive(Debug, Serialize)]
struct Class {
    name: String,
    precision: f64,
    recall: f64,
    f1: f64,
    samples: u64,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let spec = Spec::read(&arguments.model)?;
    let path = &arguments.weights;
    if path.is_dir() {
        let text = format!(
            "{}: is a folder; name a file, such as {}",
            path.display(),
            path.join("model.safetensors").display()
        );
        return Err(CliError::Message(text));
    }
    let bytes = Bytes::read(path)?;
    let mut named = Vec::new();
    let (parameters, standardise) = match Image::open(bytes.as_slice()) {
        Ok(image) if image.format() == Format::Fixed16 => {
            let real = path.with_extension("f32.safetensors");
            return Err(CliError::Message(format!(
                "{}: a file of 16-bit numbers; give the real ones ({} beside it, if it was trained here), or see what \
                 the device computes with `emberlite simulate`",
                path.display(),
                real.file_name().unwrap_or_default().to_string_lossy()
            )));
        }
        Ok(image) => {
            named = stored(&image).classes;
            (super::train::parameters_of(path, &spec)?, super::train::standardise_of(path, &image)?)
        }
        // What no device runs isn't sealed: its weights have PyTorch's names.
        Err(_) if spec.host_only().is_some() => {
            let imported = export::import_file(path, &spec);
            let imported = imported.map_err(|error| not_imported(path, &error))?;
            (imported.parameters, imported.standardise)
        }
        Err(error) => return Err(not_sealed(path, bytes.as_slice(), error, "judged")),
    };
    let raw = part(&spec, arguments.part)?;
    let set = raw.standardised(standardise.as_ref())?;
    let names = class_names(&set);
    // Of other names, or the same in another order, every figure would be wrong and look right.
    if !named.is_empty() && !names.is_empty() && named != names {
        return Err(CliError::Message(format!(
            "{}: it tells {} apart, in this order, and the data {}; give the description that it was trained with",
            path.display(),
            named.join(", "),
            names.join(", ")
        )));
    }
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    let loss = &spec.training.settings.loss;
    let judged = train::judge(graph, loss, &parameters, set.source(), DeviceChoice::Cpu, &arguments.metrics);
    let judged = judged.map_err(|error| super::train::in_file(error, &spec, arguments.part.name()))?;
    let mut metrics = judged.usual();
    for &metric in arguments.metrics.iter() {
        let value = judged.metric(metric).map_err(|error| CliError::Message(format!("{metric}: {error}")))?;
        if !metrics.iter().any(|(known, _)| *known == metric) {
            metrics.push((metric, value));
        }
    }
    let classes = classes(&judged, &names);
    let part = arguments.part.name();
    if arguments.json {
        let output = Output {
            part,
            samples: set.len(),
            loss: judged.loss,
            metrics: metrics.iter().map(|(metric, value)| (metric.to_string(), *value)).collect(),
            classes,
            confusion: judged.tally.as_ref().map(|tally| tally.confusion().rows().collect()).unwrap_or_default(),
        };
        let json = serde_json::to_string_pretty(&output);
        let json = json.map_err(|error| CliError::Message(format!("can't write the figures as JSON: {error}")))?;
        return Ok(writeln!(out, "{json}")?);
    }
    writeln!(out, "{part} part, {} samples, by the host in f32\n", set.len())?;
    writeln!(out, "  {:<36}{:>12}", "loss", precise(judged.loss))?;
    for (metric, value) in &metrics {
        let text = if metric.is_share() { precise_percent(*value) } else { precise(*value) };
        writeln!(out, "  {:<36}{text:>12}", metric.to_string())?;
    }
    table(&classes, out)
}

/// Figures of each class; none where numbers are predicted.
fn classes(judged: &Judgement, names: &[String]) -> Vec<Class> {
    let Some(confusion) = judged.tally.as_ref().map(|tally| tally.confusion()) else { return Vec::new() };
    let class = |(index, matrix): (usize, &ConfusionMatrix)| {
        let of = Average::Class(index as u32);
        Class {
            name: names.get(index).cloned().unwrap_or_else(|| index.to_string()),
            precision: matrix.precision(of).unwrap_or(f64::NAN),
            recall: matrix.recall(of).unwrap_or(f64::NAN),
            f1: matrix.f1(of).unwrap_or(f64::NAN),
            samples: matrix.support(index),
        }
    };
    (0..confusion.classes()).map(|index| class((index, confusion))).collect()
}

fn table(classes: &[Class], out: &mut dyn Write) -> Result<(), CliError> {
    if classes.is_empty() {
        return Ok(());
    }
    let longest = classes.iter().map(|class| class.name.chars().count()).max().unwrap_or(0).clamp(5, 30);
    writeln!(out, "\n  {:<longest$}  {:>9}  {:>9}  {:>9}  {:>9}", "class", "precision", "recall", "F1", "samples")?;
    for class in classes.iter().take(MOST_LISTED) {
        let name: String = class.name.chars().take(longest).collect();
        let [precision, recall, f1] = [class.precision, class.recall, class.f1].map(precise_percent);
        writeln!(out, "  {name:<longest$}  {precision:>9}  {recall:>9}  {f1:>9}  {:>9}", class.samples)?;
    }
    match classes.len().saturating_sub(MOST_LISTED) {
        0 => Ok(()),
        more => Ok(writeln!(out, "  and {more} more; --json tells all")?),
    }
}
