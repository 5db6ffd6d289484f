//! `[data]` and `[preprocessing]`: which files, what their columns mean, which part is for what.

use std::path::{Path, PathBuf};

use super::clean;
use super::error::{SpecError, shortened};
use super::folds;
use super::media::{Media, media};
use super::section::{Section, Value};
use crate::data::{CsvSpec, Folds, Label, Missing, PrepareSpec, Rule, Standardise, Window, WindowLabel, pack};

/// Where the samples come from and how they are divided.
#[derive(Clone, Debug, PartialEq)]
pub struct DataSpec {
    /// The files.
    pub files: Files,
    /// How rows become windows; samples as they are without it.
    pub window: Option<Window>,
    /// Which samples training is watched with.
    pub validation: Option<Part>,
    /// Which samples the result is judged with.
    pub test: Option<Part>,
    /// What every raw number is multiplied by as it is read; 1 leaves it.
    pub scale: f32,
    /// How tables are cleaned, encoded and scaled; of other samples only the scaling counts.
    pub prepare: PrepareSpec,
    /// Whether files are read as samples are needed, not loaded whole; of pictures, sounds and corpora that is so anyway.
    pub stream: bool,
    /// The folder for tables that are packed to be read so; none: beside them.
    pub pack: Option<PathBuf>,
    /// Constants of each channel that the description gives (`mean` and `std` in `[preprocessing]`) instead of having them
    /// fitted.
    pub given: Option<Standardise>,
    /// Whether `[preprocessing]` says how to scale; training standardises where it doesn't.
    pub scaling_said: bool,
    /// How samples are divided for cross-validation.
    pub folds: Option<Folds>,
    pub(super) lines: DataLines,
}

impl DataSpec {
    /// Where tables lie once they are packed.
    pub(super) fn packed(&self, paths: &[PathBuf]) -> PathBuf {
        match &self.pack {
            Some(folder) => folder.join(pack::file_name(paths)),
            None => paths.first().map_or_else(PathBuf::new, |path| path.with_extension("pack")),
        }
    }

    /// Tables that aren't packed yet and will be when samples are loaded, each by its first file, with the bytes of all its
    /// files. Of a part that has files of its own it is known only whether they were packed at all.
    pub fn to_pack(&self) -> Vec<(&Path, u64)> {
        let parts = [&self.validation, &self.test].into_iter().flatten().filter_map(|part| match part {
            Part::Files(files) => Some((files, true)),
            Part::Rule(_) | Part::Tail { .. } => None,
        });
        let all = std::iter::once((&self.files, false)).chain(parts).filter(|_| self.stream);
        let missing = all.filter_map(|(files, is_part)| match files {
            Files::Csv { paths, spec } => {
                let packed = self.packed(paths);
                let made = if is_part { packed.is_file() } else { pack::is_made(paths, spec, &packed) };
                let bytes = || paths.iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
                (!made).then(|| Some((paths.first()?.as_path(), bytes()))).flatten()
            }
            _ => None,
        });
        missing.collect()
    }

    /// Whether samples are read as they are needed.
    pub fn is_lazy(&self) -> bool {
        self.stream || matches!(self.files, Files::Media(_))
    }
}

/// Where errors point that appear once the files are read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DataLines {
    pub(super) section: u32,
    pub(super) window: u32,
    pub(super) validation: u32,
    pub(super) test: u32,
}

/// Files of one of the formats; paths as the program opens them.
#[derive(Clone, Debug, PartialEq)]
pub enum Files {
    /// Tables, CSV or Parquet, one after the other.
    Csv {
        /// The files.
        paths: Vec<PathBuf>,
        /// What the columns mean.
        spec: CsvSpec,
    },
    /// One NPZ file.
    Npz {
        /// The file.
        path: PathBuf,
        /// The array of samples.
        features: String,
        /// The array to learn.
        label: Label,
        /// The classes by their numbers; empty: the numbers.
        classes: Vec<String>,
    },
    /// Two IDX files.
    Idx {
        /// Samples.
        images: PathBuf,
        /// Class numbers.
        labels: PathBuf,
        /// The classes by their numbers; empty: the numbers.
        classes: Vec<String>,
    },
    /// Pictures, sounds or text.
    Media(Media),
}

impl Files {
    /// The files, or the folders, as the program opens them.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Files::Csv { paths, .. } => paths.iter().map(PathBuf::as_path).collect(),
            Files::Npz { path, .. } => vec![path],
            Files::Idx { images, labels, .. } => vec![images, labels],
            Files::Media(media) => media.paths(),
        }
    }

    /// What is to be learnt.
    pub fn label(&self) -> &Label {
        const CLASS: &Label = &Label::Class(String::new());
        match self {
            Files::Csv { spec, .. } => &spec.label,
            Files::Npz { label, .. } => label,
            Files::Idx { .. } | Files::Media(_) => CLASS,
        }
    }
}

/// A part that is held back: what the rule names, or files of its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// The rule's first part: the share, or what matches.
    Rule(Rule),
    /// The last share of each recording.
    Tail {
        /// The share, between 0 and 1.
        share: f64,
    },
    /// Files of the same kind.
    Files(Files),
}

const RULES: [&str; 6] = ["fraction", "stratified", "group", "filter", "head", "tail"];

/// Reads `[data]` and `[preprocessing]`; `base` is the folder that paths start from.
pub(super) fn data(
    mut section: Section<'_>,
    preprocessing: Option<Section<'_>>,
    base: &Path,
) -> Result<DataSpec, SpecError> {
    let section_line = section.line();
    let line_of = |value: &Option<Value<'_>>| value.as_ref().map_or(section_line, Value::line);
    let (window_value, validation, test) = (section.take("window"), section.take("validation"), section.take("test"));
    let clean_value = section.take("clean");
    let lines = DataLines {
        section: section_line,
        window: line_of(&window_value),
        validation: line_of(&validation),
        test: line_of(&test),
    };
    let window = window_value.map(window).transpose()?;
    let mut files = files(&mut section, base, None)?;
    let mut prepare = PrepareSpec::default();
    if let Some(value) = clean_value {
        clean::tables(value, &mut files, &mut prepare)?;
    }
    let read = |value: Option<Value<'_>>| value.map(|value| part(value, base, &files, window.is_some())).transpose();
    let (validation, test) = (read(validation)?, read(test)?);
    let stream = section.take("stream").map_or(Ok(false), |value| value.flag())?;
    let pack = section.take("pack");
    if let Some(value) = pack.as_ref().filter(|_| !stream || !matches!(files, Files::Csv { .. })) {
        return Err(value.error("only a table with `stream = true` is packed; remove `pack`, or add that".into()));
    }
    let pack = pack.map(|value| Ok::<_, SpecError>(base.join(value.string("the path of a folder")?))).transpose()?;
    let encoded = matches!(&files, Files::Csv { spec, .. } if !spec.categorical.is_empty());
    const AS_IT_IS: &str = "a stream is read as it is: clean and encode the file before, or leave out `stream`";
    if stream && (encoded || prepare.is_for_tables()) {
        return Err(section.error(AS_IT_IS.into()));
    }
    if window.is_some() && prepare.drop_duplicates {
        let message = "rows of a recording may repeat: with `window`, `clean.duplicates` can't be dropped";
        return Err(section.error(message.into()));
    }
    let folds = section.take("folds").map(|value| folds::folds(value, files.label())).transpose()?;
    section.finish()?;
    let mut spec = DataSpec {
        folds,
        files,
        window,
        validation,
        test,
        scale: 1.0,
        prepare,
        stream,
        pack,
        given: None,
        scaling_said: false,
        lines,
    };
    if let Some(mut section) = preprocessing {
        spec.scaling_said = section.has("standardise") || section.has("scaling");
        clean::preprocessing(&mut section, &mut spec.prepare)?;
        if stream && spec.prepare.is_for_tables() {
            return Err(section.error(AS_IT_IS.into()));
        }
        if spec.prepare.is_for_tables() && !matches!(spec.files, Files::Csv { .. }) {
            return Err(
                section.error("categories and columns are those of tables (CSV, Parquet); remove them here".into())
            );
        }
        spec.given = given(section.take("mean"), section.take("std"))?;
        if let Some(value) = section.take("scale") {
            spec.scale = value.single()?;
            if spec.scale <= 0.0 {
                return Err(value.expected("a positive number"));
            }
        }
        section.finish()?;
    }
    Ok(spec)
}

/// `mean` and `std`, a number for each channel, in the unit that `scale` gives.
fn given(mean: Option<Value<'_>>, std: Option<Value<'_>>) -> Result<Option<Standardise>, SpecError> {
    const EXPECTED: &str = "a list of numbers, one a channel";
    let (mean, std) = match (mean, std) {
        (None, None) => return Ok(None),
        (Some(mean), Some(std)) => (mean, std),
        (Some(value), None) | (None, Some(value)) => {
            return Err(value.error("`mean` and `std` go together; give both, or neither to have them fitted".into()));
        }
    };
    let wrong = std.expected("as many positive numbers as `mean` has");
    let mean = mean.array(EXPECTED)?.iter().map(Value::single).collect::<Result<Vec<f32>, _>>()?;
    // One over the digits as they stand, rounded once, as where a weights' file gives them.
    let inverse = |std: &Value<'_>| std.single().and_then(|_| Ok((1.0 / std.real()?) as f32));
    let inverse_std = std.array(EXPECTED)?.iter().map(inverse).collect::<Result<Vec<f32>, _>>()?;
    let positive = inverse_std.iter().all(|inverse| inverse.is_finite() && *inverse > 0.0);
    if mean.is_empty() || mean.len() != inverse_std.len() || !positive {
        return Err(wrong);
    }
    Ok(Some(Standardise::new(mean, inverse_std)))
}

/// The files of a section; a part's columns and arrays are those of `whole`.
fn files(section: &mut Section<'_>, base: &Path, whole: Option<&Files>) -> Result<Files, SpecError> {
    let whole_media = match whole {
        Some(Files::Media(media)) => Some(media),
        _ => None,
    };
    if (whole.is_none() || whole_media.is_some())
        && let Some(media) = media(section, base, whole_media)?
    {
        return Ok(Files::Media(media));
    }
    if let Some(images) = section.take("images") {
        let images = base.join(images.string("the path of an IDX file")?);
        let labels = section.need("labels", "the path of the IDX file of class numbers")?;
        let labels = base.join(labels.string("the path of an IDX file")?);
        let classes = match whole {
            None => different(section, "classes")?,
            Some(Files::Idx { classes, .. }) => classes.clone(),
            Some(_) => Vec::new(),
        };
        return Ok(Files::Idx { images, labels, classes });
    }
    let (one, many) = (section.take("file"), section.take("files"));
    let expected = "a path, or a list of paths";
    let (paths, value) = match (one, many) {
        (Some(value), None) => (vec![base.join(value.string(expected)?)], None),
        (None, Some(value)) => {
            let empty = value.expected("at least one path");
            let paths: Vec<_> = value.strings(expected)?.iter().map(|path| base.join(path)).collect();
            (paths, Some(empty))
        }
        (Some(_), Some(value)) => return Err(value.error("give `file` or `files`, not both".into())),
        (None, None) => {
            return Err(
                section.error(
                    "`file` is missing; give a CSV, Parquet or NPZ file, `images` and `labels` (IDX), or one of image_folder, cifar10, \
                     cifar100, audio_folder, text_folder and corpus"
                        .into(),
                )
            );
        }
    };
    let ends = |path: &&PathBuf, ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
    if let Some(path) = paths.iter().find(|path| ends(path, "npy")) {
        return Err(section.error(format!(
            "{}: an NPY file has one array, and samples have labels too; save both in one file, as numpy.savez(\"set.npz\", x=x, \
             y=y), and give that",
            path.display()
        )));
    }
    if let (Some(path), true) = (paths.iter().find(|path| ends(path, "npz")), paths.len() > 1) {
        return Err(section.error(format!(
            "{}: an NPZ file stands alone, and {} files are given; give it as `file`, or save all samples in one",
            path.display(),
            paths.len()
        )));
    }
    match (paths.as_slice(), value, whole) {
        ([], Some(empty), _) => Err(empty),
        (_, _, Some(Files::Csv { spec, .. })) => Ok(Files::Csv { paths, spec: spec.clone() }),
        ([path], _, Some(Files::Npz { features, label, classes, .. })) => Ok(Files::Npz {
            path: path.clone(),
            features: features.clone(),
            label: label.clone(),
            classes: classes.clone(),
        }),
        ([path], _, None) if path.extension().is_some_and(|extension| extension == "npz") => {
            let features = section.take("features");
            let features = features.map_or(Ok("x".into()), |v| v.string("the name of an array").map(str::to_string))?;
            let (label, without) = (label(section)?, section.keys());
            let classes = different(section, "classes")?;
            if !classes.is_empty() && !matches!(label, Label::Class(_)) {
                return Err(
                    without.error("classes are named, but nothing is classified; give label = { class = \"array\" }")
                );
            }
            Ok(Files::Npz { path: path.clone(), features, label, classes })
        }
        (_, _, None) => Ok(Files::Csv { paths, spec: columns(section)? }),
        _ => Err(section.error("must be of the same format as the section's files".into())),
    }
}

fn columns(section: &mut Section<'_>) -> Result<CsvSpec, SpecError> {
    let mut spec = CsvSpec { label: label(section)?, ..CsvSpec::default() };
    let list = |section: &mut Section<'_>, key| match section.take(key) {
        None => Ok(Vec::new()),
        Some(value) => value.strings("a list of names"),
    };
    spec.features = different(section, "features")?;
    spec.classes = different(section, "classes")?;
    spec.categorical = different(section, "categorical")?;
    spec.groups = list(section, "groups")?;
    if let Some(value) = section.take("recording") {
        spec.recording = Some(value.string("the name of a column")?.into());
    }
    if let Some(value) = section.take("missing") {
        spec.missing = match value.string("\"refuse\" or \"drop_row\"")? {
            "refuse" => Missing::Refuse,
            "drop_row" => Missing::DropRow,
            name => return Err(value.unknown("rule for missing cells", name, &["refuse", "drop_row"])),
        };
    }
    if let Some(value) = section.take("delimiter") {
        let mut characters = value.string("one character")?.chars();
        spec.delimiter = match (characters.next(), characters.next()) {
            (Some(one), None) if one.is_ascii() => one,
            _ => return Err(value.expected("one ASCII character")),
        };
    }
    if let Some(value) = section.take("header") {
        spec.header = value.flag()?;
    }
    Ok(spec)
}

/// A list of names in which none stands twice: one of both would never be meant.
pub(super) fn different(section: &mut Section<'_>, key: &'static str) -> Result<Vec<String>, SpecError> {
    let Some(value) = section.take(key) else { return Ok(Vec::new()) };
    let mut names: Vec<String> = Vec::new();
    for item in value.array("a list of names")? {
        let name = item.string("a name")?;
        if let Some(first) = names.iter().position(|known| known == name) {
            let name = shortened(name);
            return Err(item.error(format!("`{name}` stands here twice, first as number {first}; take one out")));
        }
        names.push(name.into());
    }
    Ok(names)
}

fn label(section: &mut Section<'_>) -> Result<Label, SpecError> {
    const EXPECTED: &str = "{ class = \"column\" } or { value = \"column\" }";
    let Some(value) = section.take("label") else { return Ok(Label::None) };
    let mut section = value.section(EXPECTED)?;
    let (class, number) = (section.take("class"), section.take("value"));
    let label = match (class, number) {
        (Some(value), None) => Label::Class(value.string("the name of a column")?.into()),
        (None, Some(value)) => Label::Value(value.string("the name of a column")?.into()),
        (Some(_), Some(value)) => return Err(value.error(format!("give one of {EXPECTED}"))),
        (None, None) => {
            let empty = section.error(format!("give {EXPECTED}"));
            section.finish()?;
            return Err(empty);
        }
    };
    section.finish()?;
    Ok(label)
}

fn window(value: Value<'_>) -> Result<Window, SpecError> {
    let mut section = value.section("a table such as { length = 50, stride = 25 }")?;
    let length = section.need("length", "the rows of a window")?.whole(1, 65535)? as usize;
    let stride = section.take("stride").map_or(Ok(length as u64), |value| value.whole(1, u32::MAX.into()))? as usize;
    let label = match section.take("label") {
        None => WindowLabel::default(),
        Some(value) => match value.string("\"uniform\", \"last\" or \"majority\"")? {
            "uniform" => WindowLabel::Uniform,
            "last" => WindowLabel::Last,
            "majority" => WindowLabel::Majority,
            name => return Err(value.unknown("rule", name, &["uniform", "last", "majority"])),
        },
    };
    section.finish()?;
    Ok(Window { length, stride, label })
}

fn part(value: Value<'_>, base: &Path, whole: &Files, windowed: bool) -> Result<Part, SpecError> {
    let mut section = value.section("a table such as { by = \"group\", columns = [\"person\"], share = 0.2 }")?;
    let Some(by) = section.take("by") else {
        let part = Part::Files(files(&mut section, base, Some(whole))?);
        section.finish()?;
        return Ok(part);
    };
    let name = by.string("the name of a rule")?;
    if !RULES.contains(&name) {
        return Err(by.unknown("rule", name, &RULES));
    }
    if windowed && matches!(name, "fraction" | "stratified") {
        return Err(by.error(format!(
            "`{name}` would tear windows apart and put neighbours into both parts; use group, filter, head or tail"
        )));
    }
    let part = match name {
        "filter" => {
            let conditions = section.need("conditions", "a list such as [\"person=3|7\"]")?;
            Part::Rule(Rule::Filter { conditions: conditions.strings("a list of conditions")? })
        }
        "head" => Part::Rule(Rule::Head { share: share(&mut section)? }),
        "tail" => Part::Tail { share: share(&mut section)? },
        _ => {
            let share = share(&mut section)?;
            let seed = section.take("seed").map_or(Ok(0), |value| value.whole(0, u64::MAX))?;
            Part::Rule(match name {
                "fraction" => Rule::Fraction { share, seed },
                "stratified" => Rule::Stratified { share, seed },
                _ => {
                    let columns = section.need("columns", "a list of group columns")?;
                    Rule::Group { columns: columns.strings("a list of group columns")?, share, seed }
                }
            })
        }
    };
    section.finish()?;
    Ok(part)
}

/// The share of the part that the rule names.
fn share(section: &mut Section<'_>) -> Result<f64, SpecError> {
    let value = section.need("share", "how much of the data goes to this part, for example share = 0.2")?;
    let share = value.real()?;
    if share > 0.0 && share < 1.0 { Ok(share) } else { Err(value.expected("a number between 0 and 1")) }
}
