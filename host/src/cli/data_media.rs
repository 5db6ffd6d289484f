//! What `emberlite data` says of pictures, sounds, text and streams: nothing is loaded whole for it.

use std::io::Write;

use serde::Serialize;

use super::data::{NAME, cut};
use super::{CliError, harmless, outputs};
use crate::data::folder::PassedOver;
use crate::data::{Labels, Set, Source};
use crate::spec::{EmptyClasses, Spec};

/// Everything that is shown.
#[derive(Debug, Serialize)]
struct Shown {
    files: Vec<String>,
    shape: Vec<usize>,
    parts: Vec<Part>,
    /// In the order of the outputs; empty for values and tokens.
    classes: Vec<String>,
    /// Tokens of the vocabulary.
    vocabulary: Option<usize>,
    /// Files that can't be read and are left out.
    skipped: usize,
    /// Files in the folders of classes that are of another kind.
    passed_over: PassedOver,
    /// Over so many samples, evenly spread, of the training part.
    looked_at: usize,
    /// One a channel; empty for tokens.
    channels: Vec<Channel>,
    /// Classes that a part has no sample of.
    empty_classes: Vec<EmptyClasses>,
    /// Why training would refuse the set.
    problems: Vec<String>,
    /// What it would warn of.
    warnings: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Part {
    name: &'static str,
    samples: usize,
    class_counts: Vec<usize>,
}

#[derive(Debug, Serialize)]
struct Channel {
    /// A column's name; a channel's number.
    name: String,
    min: f32,
    mean: f64,
    max: f32,
    deviation: f64,
}

/// Samples of the training part whose numbers are looked at.
const LOOKED_AT: usize = 256;

/// Shows a set that is read as it is needed; `most` classes in lines.
pub(super) fn run(spec: &Spec, json: bool, most: usize, out: &mut dyn Write) -> Result<(), CliError> {
    let (sets, refused) = spec.look_at_sets(LOOKED_AT)?;
    let mut problems: Vec<String> = refused.iter().map(ToString::to_string).collect();
    problems.extend(spec.refused_of(&sets.train).iter().map(ToString::to_string));
    let mut parts = vec![part("training", &sets.train)];
    parts.extend(sets.validation.as_ref().map(|set| part("validation", set)));
    parts.extend(sets.test.as_ref().map(|set| part("test", set)));
    let few = sets.train.spread(LOOKED_AT)?;
    let names = sets.prepare.encoder.inputs();
    let channels = if sets.tokenizer.is_some() { Vec::new() } else { channels(&few.features, &few.shape, &names) };
    let empty_classes = spec.empty_classes(&sets);
    let mut warnings: Vec<String> = EmptyClasses::sentence(&empty_classes).into_iter().collect();
    warnings.extend(sets.passed_over.sentence());
    let shown = Shown {
        files: outputs::data_files(spec).into_iter().map(|path| path.display().to_string()).collect(),
        shape: few.shape.clone(),
        parts,
        classes: crate::spec::class_names(&sets.train),
        vocabulary: sets.tokenizer.as_ref().map(|tokenizer| tokenizer.len()),
        skipped: sets.skipped,
        passed_over: sets.passed_over,
        looked_at: few.len(),
        channels,
        empty_classes,
        problems,
        warnings,
    };
    if json {
        let json = serde_json::to_string_pretty(&shown);
        let json = json.map_err(|error| CliError::Message(format!("can't write the figures as JSON: {error}")))?;
        return Ok(writeln!(out, "{json}")?);
    }
    print(&shown, most, out)
}

fn part(name: &'static str, set: &Set) -> Part {
    let mut class_counts = Vec::new();
    if let Labels::Class { ids, names } = set.labels() {
        class_counts.resize(names.len(), 0);
        ids.iter().for_each(|&id| class_counts[id as usize] += 1);
    }
    Part { name, samples: set.len(), class_counts }
}

fn channels(features: &[f32], shape: &[usize], names: &[String]) -> Vec<Channel> {
    let channels = shape.first().copied().unwrap_or(0);
    let inner = shape.iter().skip(1).product::<usize>().max(1);
    let of = |channel: usize| {
        let values = || features.chunks(inner).skip(channel).step_by(channels.max(1)).flatten().copied();
        let count = values().count().max(1) as f64;
        let mean = values().map(f64::from).sum::<f64>() / count;
        let variance = values().map(|x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
        let (min, max) = (values().fold(f32::INFINITY, f32::min), values().fold(f32::NEG_INFINITY, f32::max));
        let name = names.get(channel).filter(|_| names.len() == channels);
        let name = name.cloned().unwrap_or_else(|| channel.to_string());
        Channel { name, min, mean, max, deviation: variance.sqrt() }
    };
    (0..channels).map(of).collect()
}

fn print(shown: &Shown, most: usize, out: &mut dyn Write) -> Result<(), CliError> {
    let shape = shown.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    writeln!(out, "{}\nsamples of {shape} numbers\n", shown.files.join(", "))?;
    for part in &shown.parts {
        writeln!(out, "{:<12} {:>9} samples", part.name, part.samples)?;
    }
    if let Some(vocabulary) = shown.vocabulary {
        writeln!(out, "\nvocabulary of {vocabulary} tokens, from the training part")?;
    }
    if shown.skipped > 0 {
        let (files, are) = if shown.skipped == 1 { ("file", "is") } else { ("files", "are") };
        writeln!(out, "\n{} {files} can't be read and {are} left out", shown.skipped)?;
    }
    if !shown.classes.is_empty() {
        writeln!(out)?;
    }
    for (class, name) in shown.classes.iter().enumerate().take(most) {
        let count = |part: &Part| match part.class_counts.get(class).copied().unwrap_or(0) {
            0 => format!("{:>9}", "none"),
            count => format!("{count:>9}"),
        };
        let counts = shown.parts.iter().map(count);
        writeln!(out, "{:<24} {}", cut(name, 24), counts.collect::<String>())?;
    }
    if shown.classes.len() > most {
        writeln!(out, "… {} more classes; --all shows them", shown.classes.len() - most)?;
    }
    let names = shown.channels.iter().take(most).map(|channel| cut(&channel.name, NAME).chars().count());
    let wide = names.max().unwrap_or(0).max(10);
    let is_table = shown.channels.iter().enumerate().any(|(number, channel)| channel.name != number.to_string());
    let what = if is_table { "column" } else { "channel" };
    if !shown.channels.is_empty() {
        writeln!(out, "\nof {} samples of the training part", shown.looked_at)?;
        writeln!(out, "{:<wide$} {:>10} {:>10} {:>10} {:>10}", what, "min", "mean", "max", "deviation")?;
    }
    for channel in shown.channels.iter().take(most) {
        let Channel { name, min, mean, max, deviation } = channel;
        writeln!(out, "{:<wide$} {min:>10.4} {mean:>10.4} {max:>10.4} {deviation:>10.4}", cut(name, NAME))?;
    }
    for note in shown.problems.iter().chain(&shown.warnings) {
        writeln!(out, "\nnote: {}", harmless(note))?;
    }
    Ok(())
}
