//! From `[data]` to sets that are read as they are needed: pictures, sounds, text, and files too large for memory.

use super::classes::as_many_classes;
use super::load::with_classes;
use super::{DataSpec, Files, LoadError, Media, Part, Spec, SpecError};
use crate::data::audio::{SOUNDS, Sounds};
use crate::data::augment::Augmented;
use crate::data::folder::{self, Listing, PassedOver};
use crate::data::images::{Images, PICTURES};
use crate::data::picture::Format;
use crate::data::split::Rule;
use crate::data::text::{self, Texts, Tokenizer};
use crate::data::{
    DataError, Dataset, EncodedColumn, Labels, Origin, Prepare, Readings, Scaling, Set, Source, Split, Standardise,
    check_part, disk, feature_names, fit_stream, pack,
};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Samples by their use, in memory or not; of the model's input shape, not standardised, not augmented.
#[derive(Clone, Debug)]
pub struct Sets {
    /// What is trained with.
    pub train: Set,
    /// What training is watched with.
    pub validation: Option<Set>,
    /// What the result is judged with.
    pub test: Option<Set>,
    /// What made tokens of text, trained on the training part.
    pub tokenizer: Option<Tokenizer>,
    /// Files that couldn't be read and were left out.
    pub skipped: usize,
    /// Files in the folders of classes that are of another kind.
    pub passed_over: PassedOver,
    /// What the training part says of its columns, for tables in memory.
    pub prepare: Prepare,
}

/// Two or three parts before they are samples.
pub(super) struct Divided<T> {
    pub(super) train: T,
    validation: Option<T>,
    test: Option<T>,
}

impl<T> Divided<T> {
    pub(super) fn map<U>(self, mut make: impl FnMut(T) -> Result<U, LoadError>) -> Result<Divided<U>, LoadError> {
        Ok(Divided {
            train: make(self.train)?,
            validation: self.validation.map(&mut make).transpose()?,
            test: self.test.map(&mut make).transpose()?,
        })
    }
}

impl Divided<Set> {
    pub(super) fn sets(self) -> Sets {
        let Divided { train, validation, test } = self;
        Sets {
            train,
            validation,
            test,
            tokenizer: None,
            skipped: 0,
            passed_over: PassedOver::default(),
            prepare: Prepare::default(),
        }
    }
}

impl Sets {
    /// Reads the parts that the training itself doesn't, once each, as [`check_part`] does: what is wrong with the test part
    /// would else be found when everything is trained. Costs a reading, which each evaluation costs too; pictures that are
    /// kept (`cache`) are decoded here and then no more.
    ///
    /// # Errors
    /// As [`check_part`].
    pub fn check_held_back(&self, standardise: Option<&Standardise>) -> Result<(), DataError> {
        let names = self.prepare.encoder.inputs();
        let parts = [("validation", &self.validation), ("test", &self.test)];
        let held = parts.iter().filter_map(|(name, set)| Some((*name, set.as_ref()?)));
        held.into_iter().try_for_each(|(name, set)| check_part(name, set, standardise, &names))
    }
}

impl Spec {
    /// Fits the constants that raw samples are normalised with; `None` where `[preprocessing]` says not to, and for tokens,
    /// which are names and not amounts.
    ///
    /// # Errors
    /// [`LoadError`] for an empty set, a sample that can't be read, or constants for another number of channels.
    pub fn fit_sets(&self, sets: &Sets) -> Result<Option<Standardise>, LoadError> {
        if sets.tokenizer.is_some() {
            return Ok(None);
        }
        if let Some(given) = self.given_standardise(sets.train.shape())? {
            return Ok(Some(given));
        }
        match &sets.train {
            Set::Memory(train) => self.fit_standardise(train, &sets.prepare),
            Set::Stream(train) => match self.data.as_ref().map_or(Scaling::None, |data| data.prepare.scaling) {
                Scaling::None => Ok(None),
                Scaling::Standardise => Ok(Some(fit_stream(train.as_ref())?)),
                Scaling::MinMax { .. } | Scaling::Robust => {
                    let message = "of samples that are read as they are needed: expected standardise or none, found another; \
                                   take one of both, or leave out `stream` where the set fits memory";
                    Err(self.blame("preprocessing.scaling", message).into())
                }
            },
        }
    }

    /// The constants that `[preprocessing]` gives itself, if it does, for samples of that shape.
    ///
    /// # Errors
    /// [`SpecError`] at their line if there isn't one a channel.
    pub fn given_standardise(&self, shape: &[usize]) -> Result<Option<Standardise>, SpecError> {
        let Some(given) = self.data.as_ref().and_then(|data| data.given.clone()) else { return Ok(None) };
        let channels = shape.first().copied().unwrap_or(0);
        if given.channels() != channels {
            let numbers = if channels == 1 { "1 number" } else { &format!("{channels} numbers") };
            let message = format!(
                "expected {numbers}, as in `std`, one a channel of {shape:?}, found {}; give one a channel, or leave both out to \
                 have them fitted",
                given.channels()
            );
            return Err(self.blame("preprocessing.mean", message));
        }
        Ok(Some(given))
    }

    /// The training part as it is learnt from: augmented, where `[augmentation]` says so, and standardised.
    ///
    /// # Errors
    /// [`SpecError`] at the line of a change that isn't for such samples.
    pub fn augmented(&self, train: &Set, standardise: Option<&Standardise>, seed: u64) -> Result<Set, LoadError> {
        let Some(augmentation) = &self.augmentation else { return Ok(train.standardised(standardise)?) };
        let (shape, labels) = (train.shape(), train.labels());
        if let Some((name, expected)) = augmentation.changes.wrong(shape, labels) {
            let message = format!("`augmentation.{name}`: expected {expected}; the samples have shape {shape:?}");
            return Err(self.error(augmentation.line_of(name), message).into());
        }
        let source: Arc<dyn Source> = match train {
            Set::Memory(set) => Arc::new(set.clone()),
            Set::Stream(source) => Arc::clone(source),
        };
        let augmented = Augmented::new(source, augmentation.changes.clone(), seed)?;
        Ok(Set::stream(augmented).standardised(standardise)?)
    }

    /// The parts of media, or of files that aren't loaded whole.
    pub(super) fn load_lazy(&self, data: &DataSpec) -> Result<Sets, LoadError> {
        let sets = self.open_lazy(data).map_err(|error| self.placed_in(error))?;
        self.check_sets(data, &sets)?;
        Ok(sets)
    }

    /// Refuses classes that were never trained.
    fn check_sets(&self, data: &DataSpec, sets: &Sets) -> Result<(), LoadError> {
        let held = [("validation", &sets.validation), ("test", &sets.test)];
        self.check_seen(data, sets.train.labels(), held.map(|(name, set)| (name, set.as_ref().map(Source::labels))))
    }

    /// Media, or files that aren't loaded whole, for one who only looks (see [`Spec::tolerant`]): also what training would
    /// refuse, of the classes, and of the first and other samples of the training part, `most` evenly spread.
    ///
    /// # Errors
    /// As [`Spec::load_sets`], but for those.
    pub(crate) fn look_at_sets(&self, most: usize) -> Result<(Sets, Vec<LoadError>), LoadError> {
        let (data, tolerant) = (self.need_data()?, self.tolerant());
        let sets = tolerant.open_lazy(tolerant.need_data()?).map_err(|error| self.placed_in(error))?;
        let mut refused: Vec<LoadError> = self.check_sets(data, &sets).err().into_iter().collect();
        if self.reads_integers(data) && sets.tokenizer.is_none() {
            let names = sets.prepare.encoder.inputs();
            let integers = Set::stream(Readings::new(sets.train.clone(), 1.0, true).named(names));
            refused.extend(integers.spread(most).err().map(LoadError::from));
        }
        Ok((sets, refused))
    }

    /// Samples as a device reads them: times `scale`, and where it reads integers refused, as they are read, where they are
    /// none. Tables in memory are looked at as they are loaded; to look at all of these would be to read the set once more.
    fn readings(&self, data: &DataSpec, source: impl Source + 'static, scale: f32) -> Set {
        self.named_readings(data, source, scale, &[])
    }

    /// The same with the names of a sample's numbers.
    fn named_readings(&self, data: &DataSpec, source: impl Source + 'static, scale: f32, names: &[String]) -> Set {
        match self.reads_integers(data) {
            false if scale == 1.0 => Set::stream(source),
            whole => Set::stream(Readings::new(source, scale, whole).named(names.to_vec())),
        }
    }

    fn open_lazy(&self, data: &DataSpec) -> Result<Sets, LoadError> {
        let Files::Media(media) = &data.files else { return self.load_streams(data) };
        match media {
            Media::Images { folder, resize, unreadable, cache, classes } => {
                let [channels, height, width] = self.dims("pictures: [channels, height, width]")?;
                if channels != 1 && channels != 3 {
                    let message = format!("`model.input`: {channels} channels; pictures have 1 (grey) or 3 (RGB)");
                    return Err(self.error(self.model.input_line, message).into());
                }
                let format = Format { channels, height, width, resize: *resize };
                let mut skipped = 0;
                let (listings, passed_over) = self.listings(data, folder, &PICTURES, classes)?;
                let sets = listings.map(|listing| {
                    let images = Images::new(listing, format, data.scale, *cache, *unreadable)?;
                    skipped += images.skipped;
                    Ok(self.readings(data, images, 1.0))
                })?;
                Ok(Sets { skipped, passed_over, ..sets.sets() })
            }
            Media::Cifar { kind, folder, .. } => {
                let (train, test) = kind.files(folder)?;
                let open = |paths: &[PathBuf]| -> Result<Set, LoadError> {
                    let mut records = kind.open(paths, data.scale)?;
                    self.name_classes(&data.files, records.labels_mut())?;
                    Ok(self.readings(data, self.shaped(records)?, 1.0))
                };
                let train = open(&train)?;
                let test = test.map(|path| open(&[path])).transpose()?;
                let own = |path: &Media| match path {
                    Media::Cifar { folder, .. } => {
                        let (files, _) = kind.files(folder)?;
                        open(&files)
                    }
                    _ => Err(self.error(data.lines.section, "must be files of the same kind".into()).into()),
                };
                Ok(self.divide(data, train, None, test, own)?.sets())
            }
            Media::Sounds { folder, rate, seconds, transform, classes } => {
                let [bands, frames] = self.dims("sounds: [mels or coefficients, frames], or [1, samples]")?;
                let length = (seconds * f64::from(*rate)).round() as usize;
                let (listings, passed_over) = self.listings(data, folder, &SOUNDS, classes)?;
                let sets = listings.map(|listing| {
                    let sounds = Sounds::new(listing, *rate, length, transform)?;
                    if sounds.shape() != [bands, frames] {
                        let found = sounds.shape();
                        let message = format!(
                            "`model.input`: the model takes [{bands}, {frames}], a clip of {seconds} s gives {found:?}; \
                             change the input or the transform"
                        );
                        return Err(self.error(self.model.input_line, message).into());
                    }
                    Ok(self.readings(data, sounds, data.scale))
                })?;
                Ok(Sets { passed_over, ..sets.sets() })
            }
            Media::Texts { folder, tokenizer, classes } => {
                let (parts, passed_over) = self.listings(data, folder, &["txt"], classes)?;
                let sets = self.texts(parts.map(|listing| Ok(text::read_folder(&listing)?))?, tokenizer)?;
                Ok(Sets { passed_over, ..sets })
            }
            Media::TextTable { path, text, class, tokenizer, classes } => {
                let all = text::read_csv(path, text, class, classes)?;
                let Labels::Class { names, .. } = all.labels.clone() else { return self.texts_without_classes(data) };
                let own = |media: &Media| match media {
                    Media::TextTable { path, .. } => Ok(text::read_csv(path, text, class, &names)?),
                    _ => Err(self.error(data.lines.section, "must be files of the same kind".into()).into()),
                };
                self.texts(self.divide(data, all, None, None, own)?, tokenizer)
            }
            Media::Corpus { paths, tokenizer, stride } => self.corpus(data, paths, tokenizer, *stride),
        }
    }

    fn texts_without_classes(&self, data: &DataSpec) -> Result<Sets, LoadError> {
        Err(self.error(data.lines.section, "texts need classes".into()).into())
    }

    /// Files in class folders, by their part: those of the folder's own sub-folders, or as the rules say. Also which files
    /// were passed over.
    fn listings(
        &self,
        data: &DataSpec,
        folder: &Path,
        extensions: &[&str],
        classes: &[String],
    ) -> Result<(Divided<Listing>, PassedOver), LoadError> {
        let folder::Parts { train, validation, test } = folder::list(folder, extensions, classes)?;
        let names = train.names.clone();
        let passed_over = RefCell::new(train.passed_over.clone());
        let note = |listing: &Listing| passed_over.borrow_mut().add(&listing.passed_over);
        [&validation, &test].into_iter().flatten().for_each(note);
        let own = |media: &Media| match media.paths()[..] {
            [path] => Ok(folder::one(path, extensions, &names).inspect(note)?),
            _ => Err(self.error(data.lines.section, "must be one folder".into()).into()),
        };
        let divided = self.divide(data, train, validation, test, own)?;
        Ok((divided, passed_over.into_inner()))
    }

    /// Divides by the rules of `[data]`; what the set brings itself is its own part, and a rule for it is a mistake.
    fn divide<T: Divisible>(
        &self,
        data: &DataSpec,
        all: T,
        validation: Option<T>,
        test: Option<T>,
        own: impl Fn(&Media) -> Result<T, LoadError>,
    ) -> Result<Divided<T>, LoadError> {
        let mut rest = all;
        let mut held = |part: &Option<Part>, (name, line): (&str, u32), brought: Option<T>| -> Result<_, LoadError> {
            let failed = |error: DataError| self.error(line, format!("`data.{name}`: {error}"));
            let rule = match (part, brought) {
                (None, brought) => return Ok(brought),
                (Some(_), Some(_)) => {
                    let message = format!("`data.{name}`: the set has a {name} part of its own; remove one of the two");
                    return Err(self.error(line, message).into());
                }
                (Some(Part::Files(Files::Media(media))), None) => return own(media).map(Some),
                (Some(Part::Files(_)), None) => {
                    let message = format!("`data.{name}`: must be files of the same kind");
                    return Err(self.error(line, message).into());
                }
                (Some(rule), None) => rule,
            };
            let (part, kept) = split(rule, rest.all_labels(), rest.count()).map_err(failed)?;
            let first = rest.part(&part)?;
            rest = rest.part(&kept)?;
            Ok(Some(first))
        };
        let test = held(&data.test, ("test", data.lines.test), test)?;
        let validation = held(&data.validation, ("validation", data.lines.validation), validation)?;
        Ok(Divided { train: rest, validation, test })
    }

    /// Files of records: IDX, NPZ, and tables once they are packed.
    fn load_streams(&self, data: &DataSpec) -> Result<Sets, LoadError> {
        if data.window.is_some() {
            let message = "`data.window`: a stream has no windows; cut them when the file is made, or leave out stream";
            return Err(self.error(data.lines.window, message.into()).into());
        }
        self.check_places(data)?;
        let names = match &data.files {
            Files::Csv { paths, spec } => paths.first().map(|path| feature_names(path, spec)).transpose()?,
            _ => None,
        };
        let names = names.unwrap_or_default();
        let open = |files: &Files, whole: &[String]| -> Result<Set, LoadError> {
            let mut records = match files {
                Files::Idx { images, labels, .. } => disk::idx_images(images, labels, data.scale)?,
                Files::Npz { path, features, label, .. } => disk::npz(path, features, label, data.scale)?,
                Files::Csv { paths, spec } => pack::tables(paths, spec, &data.packed(paths), data.scale)?,
                Files::Media(_) => {
                    return Err(self.error(data.lines.section, "must be files of records".into()).into());
                }
            };
            self.name_classes(files, records.labels_mut())?;
            as_many_classes(files, records.labels_mut(), whole);
            Ok(self.named_readings(data, self.shaped(records)?, 1.0, &names))
        };
        let set = open(&data.files, &[])?;
        // The training part's classes are the model's: a part that lacks one numbers the others as they do.
        let classes = match set.source().labels() {
            Labels::Class { names, .. } => names.clone(),
            _ => Vec::new(),
        };
        let own = |part: &Option<Part>| match part {
            Some(Part::Files(Files::Csv { paths, spec })) => {
                open(&Files::Csv { paths: paths.clone(), spec: with_classes(spec, &classes) }, &classes).map(Some)
            }
            Some(Part::Files(files)) => open(files, &classes).map(Some),
            _ => Ok(None),
        };
        let (validation, test) = (own(&data.validation)?, own(&data.test)?);
        let rules = |part: &Option<Part>| part.clone().filter(|part| !matches!(part, Part::Files(_)));
        let by_rule = DataSpec { validation: rules(&data.validation), test: rules(&data.test), ..data.clone() };
        let none = |_: &Media| Err(self.error(data.lines.section, "must be files of records".into()).into());
        let mut sets = self.divide(&by_rule, set, validation, test, none)?.sets();
        // A stream is neither encoded nor repaired: of its columns there is nothing to know but their names.
        let column = |name: &String| EncodedColumn { name: name.clone(), categories: None };
        sets.prepare.encoder.columns = names.iter().map(column).collect();
        Ok(sets)
    }

    /// A packed row has no recording and no group: parts that are cut by them would be others than when the set is read whole.
    fn check_places(&self, data: &DataSpec) -> Result<(), LoadError> {
        let several = match &data.files {
            Files::Csv { paths, spec } => paths.len() > 1 || spec.recording.is_some(),
            _ => false,
        };
        for (part, line) in [(&data.validation, data.lines.validation), (&data.test, data.lines.test)] {
            let by = match part {
                Some(Part::Rule(Rule::Group { .. })) => "groups",
                Some(Part::Rule(Rule::Head { .. }) | Part::Tail { .. }) if several => {
                    "the head or tail of each recording"
                }
                _ => continue,
            };
            let message = format!(
                "a stream can't be split by {by}: rows keep neither; give a part as files, or leave out `stream`"
            );
            return Err(self.error(line, message).into());
        }
        Ok(())
    }

    /// Records of the model's input shape.
    fn shaped(&self, records: crate::data::Records) -> Result<crate::data::Records, LoadError> {
        let shape: Vec<usize> = self.model.input.dims().iter().map(|&dim| usize::from(dim)).collect();
        if records.sample_len() != shape.iter().product::<usize>() {
            let message = format!(
                "`model.input`: the model takes {shape:?}, a sample of the data is {:?}; change the input",
                records.shape()
            );
            return Err(self.error(self.model.input_line, message).into());
        }
        Ok(records.reshape(&shape)?)
    }

    /// The model's input, which must have as many axes as such data need.
    pub(super) fn dims<const N: usize>(&self, expected: &str) -> Result<[usize; N], LoadError> {
        let dims: Vec<usize> = self.model.input.dims().iter().map(|&dim| usize::from(dim)).collect();
        dims.try_into().map_err(|_| {
            let message = format!("`model.input`: expected the shape of {expected}, found {}", self.model.input);
            self.error(self.model.input_line, message).into()
        })
    }
}

/// What can be divided by the indices of its samples.
trait Divisible: Sized {
    fn all_labels(&self) -> Labels;
    fn count(&self) -> usize;
    fn part(&self, indices: &[usize]) -> Result<Self, DataError>;
}

impl Divisible for Listing {
    fn all_labels(&self) -> Labels {
        Listing::labels(self)
    }
    fn count(&self) -> usize {
        self.files.len()
    }
    fn part(&self, indices: &[usize]) -> Result<Self, DataError> {
        let (files, ids) = indices.iter().map(|&i| (self.files[i].clone(), self.ids[i])).unzip();
        Ok(Listing { files, ids, ..self.clone() })
    }
}

impl Divisible for Texts {
    fn all_labels(&self) -> Labels {
        self.labels.clone()
    }
    fn count(&self) -> usize {
        self.texts.len()
    }
    fn part(&self, indices: &[usize]) -> Result<Self, DataError> {
        Ok(Texts::select(self, indices))
    }
}

impl Divisible for Set {
    fn all_labels(&self) -> Labels {
        Source::labels(self).clone()
    }
    fn count(&self) -> usize {
        Source::len(self)
    }
    fn part(&self, indices: &[usize]) -> Result<Self, DataError> {
        Set::select(self, indices)
    }
}

/// The part that a rule names, and the rest: by labels and places alone, without a single sample.
fn split(part: &Part, labels: Labels, len: usize) -> Result<(Vec<usize>, Vec<usize>), DataError> {
    let origins = (0..len as u32).map(|row| Origin { recording: 0, row, rows: 1 }).collect();
    let set = Dataset { features: Vec::new(), shape: vec![1], labels, columns: Vec::new(), origins };
    let Split { first, rest } = match part {
        Part::Rule(rule) => rule.split(&set)?,
        Part::Tail { share } => {
            let Split { first, rest } = crate::data::split::head(&set, 1.0 - share)?;
            Split { first: rest, rest: first }
        }
        Part::Files(_) => Split { first: Vec::new(), rest: (0..len).collect() },
    };
    Ok((first, rest))
}
