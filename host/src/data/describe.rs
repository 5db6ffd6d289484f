//! What is in a data set: sizes, ranges, gaps, classes, a few samples. For people, before anything is trained.

use super::dataset::Labels;
use super::error::DataError;
use super::rows::{Feature, Rows};
use super::source::{Draw, Source};
use serde::Serialize;

/// A set by its parts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// The shape of one sample, as read.
    pub shape: Vec<usize>,
    /// The parts, the training part first.
    pub parts: Vec<PartSummary>,
    /// The classes in the order of the model's outputs; empty without.
    pub classes: Vec<String>,
    /// The numbers to be learnt, of the training part; none where they are classes.
    pub label: Option<Range>,
    /// Columns of a table, or channels (the first axis) of other samples.
    pub columns: Vec<ColumnSummary>,
    /// The first samples of the training part.
    pub first: Vec<Sample>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PartSummary {
    /// training, validation or test.
    pub name: String,
    /// How many samples it has.
    pub samples: usize,
    /// Samples of each class.
    pub class_counts: Vec<usize>,
    /// Numbers that are missing.
    pub missing: usize,
}

/// A column, over the training part but for what is missing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnSummary {
    /// The column's name; a channel's number.
    pub name: String,
    /// Missing values in all parts.
    pub missing: usize,
    /// Of numbers; none if all are missing.
    pub range: Option<Range>,
    /// Of categories: each with how often it is there, by name.
    pub categories: Option<Counts>,
}

/// A range of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Range {
    /// The smallest.
    pub min: f32,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub max: f32,
    /// The population's standard deviation.
    pub std: f64,
}

/// A sample as text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sample {
    /// Where it stands.
    pub place: String,
    /// Its first numbers, at most [`SHOWN`].
    pub values: Vec<String>,
    /// What is to be learnt; empty for nothing.
    pub label: String,
}

/// Numbers of a sample that are shown.
pub const SHOWN: usize = 64;

/// Samples that ranges are taken from, of a part that must be read and decoded.
pub const READ: usize = 2048;

/// Numbers read at once, 4 bytes each.
const CHUNK: usize = 1 << 20;

impl Description {
    /// Describes tables, `(name, rows)` for each part, the training part first; `first` samples are shown.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn of_rows(parts: &[(&str, &Rows)], first: usize) -> Result<Self, DataError> {
        let sources: Vec<(&str, &dyn Source)> =
            parts.iter().map(|&(name, rows)| (name, &rows.set as &dyn Source)).collect();
        let columns = parts.first().map_or(&[][..], |(_, rows)| &rows.columns);
        let place = |sample: usize| parts.first().map_or(String::new(), |(_, rows)| rows.place(sample));
        describe(&sources, columns, &place, first)
    }

    /// Describes any samples, read a few at a time; of a part that isn't in memory up to [`READ`], evenly spread.
    ///
    /// # Errors
    /// As [`Source::read`].
    pub fn of(parts: &[(&str, &dyn Source)], first: usize) -> Result<Self, DataError> {
        describe(parts, &[], &|sample| format!("sample {sample}"), first)
    }
}

fn describe(
    parts: &[(&str, &dyn Source)],
    columns: &[Feature],
    place: &dyn Fn(usize) -> String,
    first: usize,
) -> Result<Description, DataError> {
    let Some(&(_, train)) = parts.first() else {
        let help = "name the training part first";
        return Err(DataError::Mismatch {
            what: "parts".into(),
            expected: "one or more".into(),
            found: "none".into(),
            help,
        });
    };
    let channels = train.shape().first().copied().unwrap_or(1).max(1);
    let mut missing = vec![0; channels];
    let mut tallies = vec![Tally::default(); channels];
    let mut summaries = Vec::new();
    for (number, (name, source)) in parts.iter().enumerate() {
        let before: usize = missing.iter().sum();
        each(*source, |channel, x| {
            let channel = channel.min(channels - 1);
            missing[channel] += usize::from(x.is_nan());
            if number == 0 {
                tallies[channel].add(x);
            }
        })?;
        let (samples, missing) = (source.len(), missing.iter().sum::<usize>() - before);
        summaries.push(PartSummary { name: name.to_string(), samples, class_counts: counts(source.labels()), missing });
    }
    let category_counts = category_counts(train, columns)?;
    let summary = |(channel, (tally, &missing)): (usize, (&Tally, &usize))| ColumnSummary {
        name: columns.get(channel).map_or_else(|| format!("channel {channel}"), |feature| feature.name.clone()),
        missing,
        range: if category_counts.get(channel).is_some_and(Option::is_some) { None } else { tally.range() },
        categories: category_counts.get(channel).cloned().flatten(),
    };
    let label = match train.labels() {
        Labels::Value(values) => {
            let mut tally = Tally::default();
            values.iter().for_each(|&x| tally.add(x));
            tally.range()
        }
        _ => None,
    };
    let mut samples = Vec::new();
    let mut values = vec![0.0; train.sample_len()];
    for sample in 0..first.min(train.len()) {
        train.read(Draw { indices: &[sample], epoch: None }, &mut values)?;
        let shown = values.iter().take(SHOWN).enumerate().map(|(column, &x)| text(x, columns.get(column)));
        samples.push(Sample {
            place: place(sample),
            values: shown.collect(),
            label: label_text(train.labels(), sample),
        });
    }
    let classes = match train.labels() {
        Labels::Class { names, .. } => names.clone(),
        _ => Vec::new(),
    };
    let columns = tallies.iter().zip(&missing).enumerate().map(summary).collect();
    Ok(Description { shape: train.shape().to_vec(), parts: summaries, classes, label, columns, first: samples })
}

/// Visits every number with its channel, a few samples in memory at a time.
fn each(source: &dyn Source, mut visit: impl FnMut(usize, f32)) -> Result<(), DataError> {
    let size = source.sample_len().max(1);
    let inner = (size / source.shape().first().copied().unwrap_or(1).max(1)).max(1);
    let step = (CHUNK / size).max(1);
    let mut values = Vec::new();
    let len = source.len();
    let count = if source.in_memory() { len } else { len.min(READ) };
    for start in (0..count).step_by(step) {
        let indices: Vec<usize> = (start..count.min(start + step)).map(|place| place * len / count.max(1)).collect();
        values.resize(indices.len() * size, 0.0);
        source.read(Draw { indices: &indices, epoch: None }, &mut values)?;
        for sample in values.chunks(size) {
            sample.iter().enumerate().for_each(|(place, &x)| visit(place / inner, x));
        }
    }
    Ok(())
}

/// Categories by name, each with how often it is there.
pub type Counts = Vec<(String, usize)>;

/// How often each category is in a part, by column.
fn category_counts(train: &dyn Source, columns: &[Feature]) -> Result<Vec<Option<Counts>>, DataError> {
    let named = |feature: &Feature| {
        feature.values.as_ref().map(|values| values.iter().map(|name| (name.clone(), 0)).collect::<Vec<_>>())
    };
    let mut counts: Vec<Option<Counts>> = columns.iter().map(named).collect();
    if counts.iter().any(Option::is_some) {
        each(train, |column, x| {
            let count = counts.get_mut(column).and_then(Option::as_mut).filter(|_| !x.is_nan());
            if let Some((_, count)) = count.and_then(|counts| counts.get_mut(x as usize)) {
                *count += 1;
            }
        })?;
    }
    Ok(counts)
}

fn counts(labels: &Labels) -> Vec<usize> {
    let Labels::Class { ids, names } = labels else { return Vec::new() };
    let mut counts = vec![0; names.len()];
    for &id in ids {
        if let Some(count) = counts.get_mut(id as usize) {
            *count += 1;
        }
    }
    counts
}

fn text(x: f32, feature: Option<&Feature>) -> String {
    let category = feature.and_then(|feature| feature.values.as_ref()).filter(|_| !x.is_nan());
    match category {
        Some(values) => values.get(x as usize).cloned().unwrap_or_default(),
        None if x.is_nan() => String::new(),
        None => x.to_string(),
    }
}

fn label_text(labels: &Labels, sample: usize) -> String {
    match labels {
        Labels::Class { ids, names } => {
            ids.get(sample).and_then(|&id| names.get(id as usize)).cloned().unwrap_or_default()
        }
        Labels::Value(values) => values.get(sample).map_or(String::new(), f32::to_string),
        Labels::None | Labels::Tokens { .. } => String::new(),
    }
}

/// Range, mean and deviation in one pass; sums are of differences to the first number, so that a large mean costs nothing.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    count: u64,
    first: f64,
    sum: f64,
    squares: f64,
    min: f32,
    max: f32,
}

impl Tally {
    fn add(&mut self, x: f32) {
        if x.is_nan() {
            return;
        }
        if self.count == 0 {
            (self.first, self.min, self.max) = (f64::from(x), x, x);
        }
        let difference = f64::from(x) - self.first;
        self.count += 1;
        self.sum += difference;
        self.squares += difference * difference;
        (self.min, self.max) = (self.min.min(x), self.max.max(x));
    }

    fn range(&self) -> Option<Range> {
        let count = self.count as f64;
        let mean = self.sum / count;
        let std = (self.squares / count - mean * mean).max(0.0).sqrt();
        (self.count > 0).then_some(Range { min: self.min, mean: self.first + mean, max: self.max, std })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CsvSpec, Dataset, Missing, parse_rows};

    #[test]
    fn a_table_by_its_columns() {
        let spec = CsvSpec { missing: Missing::Keep, ..CsvSpec::class("y").categorical(["c"]) };
        let rows = parse_rows("t.csv", b"x,c,y\n1,red,u\n3,blue,v\n,red,u\n5,,u\n", &spec).unwrap();
        let (train, test) = (rows.select(&[0, 1, 2]), rows.select(&[3]));
        let found = Description::of_rows(&[("training", &train), ("test", &test)], 2).unwrap();
        assert_eq!((found.shape, found.classes), (vec![2], vec!["u".to_string(), "v".into()]));
        let part = |name: &str, samples, class_counts: &[usize], missing| PartSummary {
            name: name.into(),
            samples,
            class_counts: class_counts.to_vec(),
            missing,
        };
        assert_eq!(found.parts, [part("training", 3, &[2, 1], 1), part("test", 1, &[1, 0], 1)]);
        // 1 and 3: mean 2, deviation 1.
        assert_eq!(found.columns[0].range, Some(Range { min: 1.0, mean: 2.0, max: 3.0, std: 1.0 }));
        assert_eq!((found.columns[0].missing, found.columns[1].missing), (1, 1));
        assert_eq!(found.columns[1].categories, Some(vec![("blue".into(), 1), ("red".into(), 2)]));
        let second = Sample { place: "t.csv:3".into(), values: vec!["3".into(), "blue".into()], label: "v".into() };
        assert_eq!(found.first[1], second);
    }

    #[test]
    fn other_samples_by_their_channels() {
        let set = Dataset::new(vec![1.0, 3.0, 1e6, 1e6 + 2.0], vec![2, 2], Labels::Value(vec![0.5])).unwrap();
        let found = Description::of(&[("training", &set)], 1).unwrap();
        let range = |min, mean, max| Some(Range { min, mean, max, std: 1.0 });
        assert_eq!(found.columns[0].range, range(1.0, 2.0, 3.0));
        assert_eq!(found.columns[1].range, range(1e6, 1_000_001.0, 1e6 + 2.0));
        assert_eq!(found.label, Some(Range { min: 0.5, mean: 0.5, max: 0.5, std: 0.0 }));
        assert_eq!(found.first[0].label, "0.5");
    }
}
