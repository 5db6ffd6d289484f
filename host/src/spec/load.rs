//! From `[data]` to sets of raw samples.

use super::{DataSpec, Files, ModelSpec, Part, Sets, Spec, SpecError};
use crate::data::{CsvSpec, DataError, Dataset, Label, Labels, Set, Source, csv, idx, npz, split, windows};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Raw samples by their use: of the model's input shape, not standardised.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What is trained with.
    pub train: Dataset,
    /// What training is watched with.
    pub validation: Option<Dataset>,
    /// What the result is judged with.
    pub test: Option<Dataset>,
}

/// Samples of a part that may be read into memory where all of them are needed at once.
const MOST_BYTES: u64 = 1 << 32;

/// Why the samples can't be had.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The files.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The description.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

impl Spec {
    /// The classes that the description names by itself, in the order of the outputs; empty where only the data say them.
    pub fn named_classes(&self) -> Vec<String> {
        match self.data.as_ref().map(|data| &data.files) {
            Some(Files::Csv { spec, .. }) if matches!(spec.label, Label::Class(_)) => spec.classes.clone(),
            _ => Vec::new(),
        }
    }

    /// Reads every file and divides the rows: first the test part, then of the rest the validation part; then cuts
    /// windows.
    ///
    /// # Errors
    /// [`LoadError`]: the file, line and column of a cell, or the line of the spec that doesn't fit the data.
    pub fn load_parts(&self) -> Result<Parts, LoadError> {
        let data = self.need_data()?;
        if data.is_lazy() {
            let Sets { train, validation, test, .. } = self.load_lazy(data)?;
            let read = |set: Set| set.into_memory(MOST_BYTES);
            let (validation, test) = (validation.map(read).transpose()?, test.map(read).transpose()?);
            return Ok(Parts { train: read(train)?, validation, test });
        }
        let rows = read(&data.files, data.scale)?;
        // The classes of all rows are the model's, whatever part they are in.
        let classes = class_names(&rows);
        let (test, rest) = self.hold_back(data, data.test.as_ref(), ("test", data.lines.test), rows, &classes)?;
        let place = ("validation", data.lines.validation);
        let (validation, train) = self.hold_back(data, data.validation.as_ref(), place, rest, &classes)?;
        let finish = |rows| self.finish(data, rows);
        Ok(Parts {
            train: finish(train)?,
            validation: validation.map(finish).transpose()?,
            test: test.map(finish).transpose()?,
        })
    }

    /// The same, but what needn't be in memory isn't: pictures, sounds, corpora, and with `stream = true` other files.
    ///
    /// # Errors
    /// As [`Spec::load_parts`].
    pub fn load_sets(&self) -> Result<Sets, LoadError> {
        let data = self.need_data()?;
        if data.is_lazy() {
            return self.load_lazy(data);
        }
        let Parts { train, validation, test } = self.load_parts()?;
        let (validation, test) = (validation.map(Set::Memory), test.map(Set::Memory));
        Ok(Sets { train: Set::Memory(train), validation, test, tokenizer: None, skipped: 0 })
    }

    /// Reads one file of samples as `[data]` describes its kind; windows are cut, nothing is divided. `classes` are used
    /// where the spec doesn't name them; empty: those found.
    ///
    /// # Errors
    /// As [`Spec::load_parts`].
    pub fn load_file(&self, path: &Path, classes: &[String]) -> Result<Dataset, LoadError> {
        let data = self.need_data()?;
        let paths = vec![path.to_path_buf()];
        let files = match &data.files {
            Files::Npz { features, label, .. } => {
                Files::Npz { path: path.into(), features: features.clone(), label: label.clone() }
            }
            Files::Csv { spec, .. } => Files::Csv { paths, spec: with_classes(spec, classes) },
            Files::Media(_) => {
                let message =
                    "one file can't stand in for a set of pictures, sounds or text; choose a part of the set instead";
                return Err(self.error(data.lines.section, message.into()).into());
            }
            Files::Idx { .. } => {
                let message = "an IDX set is two files, so one can't stand in for it; choose a part of the set instead";
                return Err(self.error(data.lines.section, message.into()).into());
            }
        };
        self.finish(data, read(&files, data.scale)?)
    }

    /// `[data]`, or the error that it is needed.
    pub fn need_data(&self) -> Result<&DataSpec, SpecError> {
        self.data.as_ref().ok_or_else(|| {
            self.error(1, "`[data]` is missing; give the files to read, for example file = \"rows.csv\"".into())
        })
    }

    /// The held-back part and the rest.
    fn hold_back(
        &self,
        data: &DataSpec,
        part: Option<&Part>,
        (name, line): (&str, u32),
        rows: Dataset,
        classes: &[String],
    ) -> Result<(Option<Dataset>, Dataset), LoadError> {
        let failed = |error: DataError| self.error(line, format!("`data.{name}`: {error}"));
        Ok(match part {
            None => (None, rows),
            Some(Part::Rule(rule)) => {
                let (first, rest) = rule.split(&rows).map_err(failed)?.of(&rows);
                (Some(first), rest)
            }
            Some(Part::Tail { share }) => {
                let (first, rest) = split::head(&rows, 1.0 - share).map_err(failed)?.of(&rows);
                (Some(rest), first)
            }
            Some(Part::Files(files)) => {
                let files = match files {
                    Files::Csv { paths, spec } => {
                        Files::Csv { paths: paths.clone(), spec: with_classes(spec, classes) }
                    }
                    other => other.clone(),
                };
                (Some(read(&files, data.scale)?), rows)
            }
        })
    }

    /// Windows, and the model's shape.
    fn finish(&self, data: &DataSpec, rows: Dataset) -> Result<Dataset, LoadError> {
        let set = match data.window {
            None => rows,
            Some(window) => windows(&rows, window)
                .map_err(|error| self.error(data.lines.window, format!("`data.window`: {error}")))?,
        };
        let ModelSpec { input, input_line, .. } = &self.model;
        let shape: Vec<usize> = input.dims().iter().map(|&dim| usize::from(dim)).collect();
        if set.sample_len() != input.elements() as usize {
            let found: Vec<String> = set.shape.iter().map(usize::to_string).collect();
            let message = format!(
                "`model.input`: the model takes {input} = {} numbers, a sample of the data is {} = {} numbers; \
                 change the input, the feature columns or the window",
                input.elements(),
                found.join("x"),
                set.sample_len()
            );
            return Err(self.error(*input_line, message).into());
        }
        Ok(set.reshape(&shape)?)
    }
}

fn read(files: &Files, scale: f32) -> Result<Dataset, DataError> {
    let mut set = match files {
        Files::Csv { paths, spec } => csv::read_all::<PathBuf>(paths, spec)?,
        Files::Npz { path, features, label } => npz::read(path, features, label)?,
        Files::Idx { images, labels } => idx::read_images(images, labels)?,
        Files::Media(media) => {
            return Err(DataError::Mismatch {
                what: media.words(),
                expected: "files of records".into(),
                found: "others".into(),
                help: "give files of the same kind everywhere in [data]",
            });
        }
    };
    if scale != 1.0 {
        set.features.iter_mut().for_each(|x| *x *= scale);
    }
    Ok(set)
}

/// The class names of a set; none where there are no classes.
pub fn class_names<S: Source + ?Sized>(set: &S) -> Vec<String> {
    match set.labels() {
        Labels::Class { names, .. } => names.clone(),
        _ => Vec::new(),
    }
}

fn with_classes(spec: &CsvSpec, classes: &[String]) -> CsvSpec {
    let mut spec = spec.clone();
    if spec.classes.is_empty() && matches!(spec.label, Label::Class(_)) {
        spec.classes = classes.to_vec();
    }
    spec
}
