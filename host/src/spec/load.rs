//! From `[data]` to sets of raw samples.

use super::classes::as_many_classes;
use super::{DataSpec, Files, ModelSpec, Part, Sets, Spec, SpecError};
use crate::data::folder::PassedOver;
use crate::data::{
    CsvSpec, DataError, Dataset, Encoder, Fold, Folds, FoldsBy, Label, Labels, Missing, Prepare, Rows, Scaling, Set,
    Source, idx, npz, read_rows, split, windows,
};
use emberlite::number::Format;
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Samples by their use: of the model's input shape, encoded, but with the gaps, outliers and units that they have.
#[derive(Clone, Debug)]
pub struct Parts {
    /// What is trained with.
    pub train: Dataset,
    /// What training is watched with.
    pub validation: Option<Dataset>,
    /// What the result is judged with.
    pub test: Option<Dataset>,
    /// What the training part says of its columns; [`Spec::fit_standardise`] takes it.
    pub prepare: Prepare,
}

/// Rows by their use, before anything is fitted.
#[derive(Clone, Debug)]
pub struct DividedRows {
    /// What is trained with.
    pub train: Rows,
    /// What training is watched with.
    pub validation: Option<Rows>,
    /// What the result is judged with.
    pub test: Option<Rows>,
}

/// The rows that aren't the test part, and how they are divided for cross-validation.
#[derive(Clone, Debug)]
pub struct Folded {
    /// All rows but those of the test part.
    pub rows: Rows,
    /// The folds, repeat by repeat: indices into `rows`.
    pub folds: Vec<Fold>,
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
    /// Folds that nothing in the description asks for, and that the samples don't allow.
    #[error(transparent)]
    Folds(DataError),
}

impl Spec {
    /// Reads every file and divides the rows: first the test part, then of the rest the validation part; then prepares
    /// them.
    ///
    /// # Errors
    /// [`LoadError`]: the file, line and column of a cell, or the line of the spec that doesn't fit the data.
    pub fn load_parts(&self) -> Result<Parts, LoadError> {
        let data = self.need_data()?;
        if data.is_lazy() {
            let Sets { train, validation, test, prepare, .. } = self.load_lazy(data)?;
            let read = |set: Set| set.into_memory(MOST_BYTES);
            let (validation, test) = (validation.map(read).transpose()?, test.map(read).transpose()?);
            return Ok(Parts { train: read(train)?, validation, test, prepare });
        }
        self.prepare(self.load_rows()?)
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
        let Parts { train, validation, test, prepare } = self.load_parts()?;
        let (validation, test) = (validation.map(Set::Memory), test.map(Set::Memory));
        let passed_over = PassedOver::default();
        Ok(Sets { train: Set::Memory(train), validation, test, tokenizer: None, skipped: 0, passed_over, prepare })
    }

    /// Reads every file and divides the rows, as [`Spec::load_parts`] does, and nothing more.
    ///
    /// # Errors
    /// As [`Spec::load_parts`].
    pub fn load_rows(&self) -> Result<DividedRows, LoadError> {
        let data = self.need_data()?;
        let (test, rest, classes) = self.without_test()?;
        let place = ("validation", data.lines.validation);
        let (validation, train) = self.hold_back(data, data.validation.as_ref(), place, rest, &classes)?;
        Ok(DividedRows { train, validation, test })
    }

    /// Reads every file and divides all but the test part into folds; `[data] validation` has no part in it.
    ///
    /// # Errors
    /// As [`Spec::load_parts`]; also where rows that make windows together would be torn apart.
    pub fn load_folds(&self, rule: &Folds) -> Result<Folded, LoadError> {
        let data = self.need_data()?;
        if data.window.is_some() && matches!(rule.by, FoldsBy::KFold | FoldsBy::StratifiedKFold) {
            let message = "`data.window`: these folds would tear windows apart and put neighbours into both parts; divide \
                           by group_k_fold or stratified_group_k_fold";
            return Err(self.error(data.lines.window, message.into()).into());
        }
        let (_, rows, _) = self.without_test()?;
        let folds = rule.of(&rows.set).map_err(|error| self.folds_error(rule, &rows.set, error))?;
        Ok(Folded { rows, folds })
    }

    /// One fold: its `train` as the training part, its `test` as the validation part. Everything is fitted anew on the
    /// former. Panics for a fold that isn't there, as indexing does.
    ///
    /// # Errors
    /// As [`Spec::load_parts`].
    pub fn prepare_fold(&self, folded: &Folded, fold: usize) -> Result<Parts, LoadError> {
        let Fold { train, test } = &folded.folds[fold];
        let (train, validation) = (folded.rows.select(train), Some(folded.rows.select(test)));
        self.prepare(DividedRows { train, validation, test: None })
    }

    /// Fits what the training part says of its columns, drops its outliers where they shall be dropped, encodes every part
    /// and cuts windows.
    ///
    /// # Errors
    /// As [`Spec::load_parts`].
    pub fn prepare(&self, divided: DividedRows) -> Result<Parts, LoadError> {
        let data = self.need_data()?;
        let DividedRows { train, validation, test } = divided;
        let held = [("validation", &validation), ("test", &test)];
        self.check_seen(
            data,
            &train.set.labels,
            held.map(|(name, rows)| (name, rows.as_ref().map(|rows| &rows.set.labels))),
        )?;
        let prepare = Prepare::fit(&data.prepare, &train).map_err(|error| match error {
            error @ DataError::Rule { .. } => self.placed(error),
            error => self.blame("data.clean", error).into(),
        })?;
        let inliers = prepare.inliers(&train);
        let train = if inliers.len() == train.set.len() { train } else { train.select(&inliers) };
        let finish = |rows| self.finish(data, prepare.encode(rows)?, &prepare.encoder);
        let train = finish(train)?;
        let (validation, test) = (validation.map(finish).transpose()?, test.map(finish).transpose()?);
        Ok(Parts { train, validation, test, prepare })
    }

    /// Reads one file of samples as `[data]` describes its kind; windows are cut, nothing is divided. What a model's file
    /// says of classes and categories is `stored`: classes are used where the spec doesn't name them, else those found.
    ///
    /// # Errors
    /// As [`Spec::load_parts`]; also where categories must be encoded and none are stored.
    pub fn load_file(&self, path: &Path, stored: &Stored) -> Result<Dataset, LoadError> {
        let data = self.need_data()?;
        let paths = vec![path.to_path_buf()];
        let files = match &data.files {
            Files::Npz { features, label, classes, .. } => {
                let classes = if classes.is_empty() { &stored.classes } else { classes }.clone();
                Files::Npz { path: path.into(), features: features.clone(), label: label.clone(), classes }
            }
            Files::Csv { spec, .. } => Files::Csv { paths, spec: with_classes(spec, &stored.classes) },
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
        let rows = self.read_files(data, &files)?;
        if rows.columns.iter().all(|column| column.values.is_none()) {
            return self.finish(data, rows.set, &Encoder::default());
        }
        let Some(encoder) = &stored.encoder else {
            let message = "the weights' file doesn't say how categories are encoded (a raw profile has no metadata); give \
                           the file with JSON, or choose a part of the data instead of a file";
            return Err(self.error(data.lines.section, message.into()).into());
        };
        self.finish(data, encoder.encode(rows)?, encoder)
    }

    /// The same description for one who only looks: what is missing, or what a device can't read, is no error.
    pub fn tolerant(&self) -> Spec {
        let mut spec = self.clone();
        if let Some(data) = &mut spec.data {
            data.prepare.scaling = Scaling::None;
            // A packed table has no gaps.
            if let (Files::Csv { spec, .. }, false) = (&mut data.files, data.stream) {
                if spec.missing == Missing::Refuse {
                    spec.missing = Missing::Keep;
                }
                spec.missing_in
                    .values_mut()
                    .filter(|rule| **rule == Missing::Refuse)
                    .for_each(|rule| *rule = Missing::Keep);
            }
        }
        spec
    }

    /// The same description for weights from elsewhere: nothing is scaled but as it says itself. (Training standardises
    /// where nothing is said; weights that were trained already expect what they were trained with.)
    pub fn scaled_as_said(&self) -> Spec {
        let mut spec = self.clone();
        if let Some(data) = spec.data.as_mut().filter(|data| !data.scaling_said) {
            data.prepare.scaling = Scaling::None;
        }
        spec
    }

    /// `[data]`, or the error that it is needed.
    pub fn need_data(&self) -> Result<&DataSpec, SpecError> {
        self.data.as_ref().ok_or_else(|| {
            self.error(1, "`[data]` is missing; give the files to read, for example file = \"rows.csv\"".into())
        })
    }

    /// The test part, the rest, and all classes.
    fn without_test(&self) -> Result<(Option<Rows>, Rows, Vec<String>), LoadError> {
        let data = self.need_data()?;
        let rows = self.read_files(data, &data.files)?;
        // The classes of all rows are the model's, whatever part they are in.
        let classes = class_names(&rows.set);
        let (test, rest) = self.hold_back(data, data.test.as_ref(), ("test", data.lines.test), rows, &classes)?;
        Ok((test, rest, classes))
    }

    /// The held-back part and the rest.
    fn hold_back(
        &self,
        data: &DataSpec,
        part: Option<&Part>,
        (name, line): (&str, u32),
        rows: Rows,
        classes: &[String],
    ) -> Result<(Option<Rows>, Rows), LoadError> {
        let failed = |error: DataError| self.error(line, format!("`data.{name}`: {error}"));
        Ok(match part {
            None => (None, rows),
            Some(Part::Rule(rule)) => {
                let split = rule.split(&rows.set).map_err(failed)?;
                (Some(rows.select(&split.first)), rows.select(&split.rest))
            }
            Some(Part::Tail { share }) => {
                let split = split::head(&rows.set, 1.0 - share).map_err(failed)?;
                (Some(rows.select(&split.rest)), rows.select(&split.first))
            }
            Some(Part::Files(files)) => {
                let files = match files {
                    Files::Csv { paths, spec } => {
                        Files::Csv { paths: paths.clone(), spec: with_classes(spec, classes) }
                    }
                    other => other.clone(),
                };
                let mut part = self.read_files(data, &files)?;
                as_many_classes(&files, &mut part.set.labels, classes);
                (Some(part), rows)
            }
        })
    }

    /// Refuses a class that is to be judged but was never trained; unless the spec names the classes, for a device that is
    /// to learn it. Tokens aren't classes to be judged one by one: a rare one that the training part lacks is what a language
    /// model meets in use.
    pub(super) fn check_seen(
        &self,
        data: &DataSpec,
        train: &Labels,
        parts: [(&str, Option<&Labels>); 2],
    ) -> Result<(), LoadError> {
        let Labels::Class { ids, names } = train else { return Ok(()) };
        if !self.named_classes().is_empty() {
            return Ok(());
        }
        let mut trained = vec![false; names.len()];
        ids.iter().for_each(|&id| trained[id as usize] = true);
        for (name, part) in parts {
            let Some(Labels::Class { ids, names }) = part else { continue };
            if let Some(&id) = ids.iter().find(|&&id| !trained.get(id as usize).is_some_and(|&trained| trained)) {
                let class = names.get(id as usize).map_or("", String::as_str);
                let message = format!(
                    "class `{class}` is in the {name} part, but the training part has no sample of it; divide otherwise, or \
                     name all `classes` if the device is to learn it"
                );
                return Err(self.error(data.lines.section, message).into());
            }
        }
        Ok(())
    }

    /// Whether the model's device reads samples as integers of 16 bits and scales them itself.
    pub(super) fn reads_integers(&self, data: &DataSpec) -> bool {
        self.model.format == Format::Fixed16 && data.prepare.scaling != Scaling::None
    }

    /// Windows, and the model's shape.
    fn finish(&self, data: &DataSpec, rows: Dataset, encoder: &Encoder) -> Result<Dataset, LoadError> {
        let set = match data.window {
            None => rows,
            Some(window) => windows(&rows, window)
                .map_err(|error| self.error(data.lines.window, format!("`data.window`: {error}")))?,
        };
        let ModelSpec { input, input_line, .. } = &self.model;
        let shape: Vec<usize> = input.dims().iter().map(|&dim| usize::from(dim)).collect();
        if set.sample_len() != input.elements() as usize {
            let found: Vec<String> = set.shape.iter().map(usize::to_string).collect();
            let inputs = encoder.inputs();
            // One-hot columns make a number that nobody counted.
            let named =
                if inputs.len() > encoder.columns.len() { format!(" ({})", inputs.join(", ")) } else { String::new() };
            let numbers = |dims: &[String], count: usize| match dims {
                [_] => format!("{count} numbers"),
                dims => format!("{} = {count} numbers", dims.join("x")),
            };
            let wanted: Vec<String> = shape.iter().map(usize::to_string).collect();
            let message = format!(
                "`model.input`: the model takes {}, a sample of the data is {}{named}; change the input, the feature \
                 columns or the window",
                numbers(&wanted, input.elements() as usize),
                numbers(&found, set.sample_len())
            );
            return Err(self.error(*input_line, message).into());
        }
        Ok(set.reshape(&shape)?)
    }

    /// The rows of files, scaled, without duplicates where they shall be dropped.
    fn read_files(&self, data: &DataSpec, files: &Files) -> Result<Rows, LoadError> {
        let placed = |error| self.placed(error);
        let mut rows = match files {
            Files::Csv { paths, spec } => read_rows::<PathBuf>(paths, spec).map_err(placed)?,
            Files::Npz { path, features, label, .. } => npz::read(path, features, label).map_err(placed)?.into(),
            Files::Idx { images, labels, .. } => idx::read_images(images, labels).map_err(placed)?.into(),
            Files::Media(media) => {
                let help = "give files of the same kind everywhere in [data]";
                let (what, expected, found) = (media.words(), "files of records".into(), "others".into());
                return Err(DataError::Mismatch { what, expected, found, help }.into());
            }
        };
        self.name_classes(files, &mut rows.set.labels)?;
        rows.scale(data.scale);
        if self.reads_integers(data) {
            rows.check_whole()?;
        }
        Ok(if data.prepare.drop_duplicates { rows.without_duplicates() } else { rows })
    }
}

/// What a model's file says of the data that it was trained on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stored {
    /// The classes in the order of the outputs; empty where the file doesn't say.
    pub classes: Vec<String>,
    /// How a row of a table becomes the model's inputs.
    pub encoder: Option<Encoder>,
}

/// The class names of a set; none where there are no classes.
pub fn class_names<S: Source + ?Sized>(set: &S) -> Vec<String> {
    match set.labels() {
        Labels::Class { names, .. } => names.clone(),
        _ => Vec::new(),
    }
}

pub(super) fn with_classes(spec: &CsvSpec, classes: &[String]) -> CsvSpec {
    let mut spec = spec.clone();
    if spec.classes.is_empty() && matches!(spec.label, Label::Class(_)) {
        spec.classes = classes.to_vec();
    }
    spec
}
