//! The part of `[data]` for pictures, sounds and text.
//!
//! ```toml
//! image_folder = "photos"       # a sub-folder a class, or train/, validation/ and test/ with these; PNG and JPEG
//! resize = "crop"               # or "stretch", "pad", or the shorter side in pixels before the middle is cut out
//! unreadable = "refuse"         # or "skip", which decodes every file once
//! cache = false                 # keep decoded pictures in memory
//!
//! cifar10 = "cifar-10-batches-bin"      # or cifar100; the test part is the set's own
//!
//! audio_folder = "words"        # WAV
//! rate = 16000                  # Hz; files of another rate are refused
//! seconds = 1.0                 # of a clip: cut or filled with silence
//! transform = { name = "mfcc", coefficients = 13, mels = 40, window = 400, hop = 160, fft = 512, lowest = 0,
//!               highest = 0, scale = "slaney", top_db = 80 }          # or "log_mel", or "waveform"
//!
//! text_folder = "aclImdb"       # a sub-folder a class
//! file = "reviews.csv"          # or a table: texts in the column `text`, classes in that of `label`
//! text = "review"
//! corpus = "book.txt"           # or a list: windows of tokens, each position learns the token that comes next
//! stride = 128                  # from window to window [default: the window's length]
//! tokenizer = { name = "bpe", vocabulary = 4096 }       # or "byte", "char", "word", or { file = "tokenizer.json" }
//! ```
//!
//! The model's input says the size: `[channels, height, width]` with 1 or 3 channels, `[mels or coefficients, frames]`,
//! or `[length]` in tokens. `classes` names the classes in the order of the outputs, of CIFAR of the numbers in its files. Of a corpus `validation` and `test` are
//! shares of its bytes, at one of its ends, and a tokenizer sees the rest alone.

use std::path::{Path, PathBuf};

use super::error::SpecError;
use super::section::{Section, Value};
use crate::data::audio::{Mel, Scale, Transform};
use crate::data::cifar::Cifar;
use crate::data::images::Unreadable;
use crate::data::picture::Resize;
use crate::data::text::Method;

/// Pictures, sounds and text; paths as the program opens them.
#[derive(Clone, Debug, PartialEq)]
pub enum Media {
    /// Pictures in folders.
    Images {
        /// The folder.
        folder: PathBuf,
        /// On the way to the model's size.
        resize: Resize,
        /// What happens to damaged files.
        unreadable: Unreadable,
        /// Whether decoded pictures are kept.
        cache: bool,
        /// The classes in the order of the outputs; empty: the folders' names, sorted.
        classes: Vec<String>,
    },
    /// CIFAR's binary batches.
    Cifar {
        /// Which set.
        kind: Cifar,
        /// The folder.
        folder: PathBuf,
        /// The classes by their numbers; empty: those of the set, of CIFAR-100 the numbers.
        classes: Vec<String>,
    },
    /// WAV files in folders.
    Sounds {
        /// The folder.
        folder: PathBuf,
        /// Hz.
        rate: u32,
        /// Of a clip.
        seconds: f64,
        /// What becomes of the waveform.
        transform: Transform,
        /// As for pictures.
        classes: Vec<String>,
    },
    /// Text files in folders, a class a text.
    Texts {
        /// The folder.
        folder: PathBuf,
        /// How text is cut.
        tokenizer: Method,
        /// As for pictures.
        classes: Vec<String>,
    },
    /// A table of texts, a class a text.
    TextTable {
        /// The table, CSV or Parquet.
        path: PathBuf,
        /// The column of texts.
        text: String,
        /// The column of classes.
        class: String,
        /// How text is cut.
        tokenizer: Method,
        /// As for pictures; empty: those found, sorted.
        classes: Vec<String>,
    },
    /// Text whose next token is learnt.
    Corpus {
        /// The files, one after the other.
        paths: Vec<PathBuf>,
        /// How text is cut.
        tokenizer: Method,
        /// Tokens from window to window; none: the window's length.
        stride: Option<usize>,
    },
}

impl Media {
    /// The files and folders that are read.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Media::Images { folder, .. }
            | Media::Cifar { folder, .. }
            | Media::Sounds { folder, .. }
            | Media::Texts { folder, .. } => vec![folder],
            Media::TextTable { path, .. } => vec![path],
            Media::Corpus { paths, .. } => paths.iter().map(PathBuf::as_path).collect(),
        }
    }

    /// The classes that the description names by itself.
    pub fn named_classes(&self) -> &[String] {
        match self {
            Media::Images { classes, .. }
            | Media::Sounds { classes, .. }
            | Media::Texts { classes, .. }
            | Media::TextTable { classes, .. }
            | Media::Cifar { classes, .. } => classes,
            Media::Corpus { .. } => &[],
        }
    }

    /// What they are, in a few words.
    pub fn words(&self) -> String {
        let paths = self.paths().iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let kind = match self {
            Media::Images { .. } => "pictures",
            Media::Cifar { kind: Cifar::Ten, .. } => "CIFAR-10",
            Media::Cifar { kind: Cifar::Hundred, .. } => "CIFAR-100",
            Media::Sounds { .. } => "sounds",
            Media::Texts { .. } | Media::TextTable { .. } => "texts",
            Media::Corpus { .. } => "text, the next token of which is learnt",
        };
        format!("{paths} ({kind})")
    }
}

const FOLDER: &str = "the path of a folder";

/// Reads the media keys of a section, if it has any; a part's settings are those of `whole`.
pub(super) fn media(section: &mut Section<'_>, base: &Path, whole: Option<&Media>) -> Result<Option<Media>, SpecError> {
    let mut keys = ["image_folder", "cifar10", "cifar100", "audio_folder", "text_folder", "corpus"]
        .into_iter()
        .filter_map(|key| section.take(key).map(|value| (key, value)))
        .collect::<Vec<_>>();
    if keys.len() > 1 {
        let names: Vec<&str> = keys.iter().map(|(key, _)| *key).collect();
        return Err(keys.remove(1).1.error(format!("give one of {}", names.join(" and "))));
    }
    let Some((key, value)) = keys.pop() else { return table(section, base, whole) };
    let other = value.error("must be of the same kind as the section's own files".into());
    if let Some(whole) = whole {
        return same(key, value, base, whole)?.map(Some).ok_or(other);
    }
    let folder = |value: &Value<'_>| value.string(FOLDER).map(|path| base.join(path));
    Ok(Some(match key {
        "image_folder" => Media::Images {
            folder: folder(&value)?,
            resize: resize(section.take("resize"))?,
            unreadable: match section.take("unreadable") {
                None => Unreadable::default(),
                Some(value) => match value.string("\"refuse\" or \"skip\"")? {
                    "refuse" => Unreadable::Refuse,
                    "skip" => Unreadable::Skip,
                    name => return Err(value.unknown("rule for unreadable files", name, &["refuse", "skip"])),
                },
            },
            cache: section.take("cache").map_or(Ok(false), |value| value.flag())?,
            classes: classes(section)?,
        },
        "cifar10" => Media::Cifar { kind: Cifar::Ten, folder: folder(&value)?, classes: classes(section)? },
        "cifar100" => Media::Cifar { kind: Cifar::Hundred, folder: folder(&value)?, classes: classes(section)? },
        "audio_folder" => {
            let rate = section.take("rate").map_or(Ok(16000), |value| value.whole(1, 1 << 20))? as u32;
            let seconds = match section.take("seconds") {
                None => 1.0,
                Some(value) => match value.real()? {
                    seconds if seconds > 0.0 && seconds <= 3600.0 => seconds,
                    _ => return Err(value.expected("a number above 0 and up to 3600")),
                },
            };
            let transform = transform(section.take("transform"))?;
            Media::Sounds { folder: folder(&value)?, rate, seconds, transform, classes: classes(section)? }
        }
        "text_folder" => {
            let tokenizer = tokenizer(section, base, Method::Word { vocabulary: 10_000 })?;
            Media::Texts { folder: folder(&value)?, tokenizer, classes: classes(section)? }
        }
        _ => {
            let stride = section.take("stride").map(|value| value.whole(1, u32::MAX.into())).transpose()?;
            let (paths, stride) = (corpus(value, base)?, stride.map(|stride| stride as usize));
            Media::Corpus { paths, tokenizer: tokenizer(section, base, Method::Byte)?, stride }
        }
    }))
}

/// A table of texts, told from other tables by the key `text`.
fn table(section: &mut Section<'_>, base: &Path, whole: Option<&Media>) -> Result<Option<Media>, SpecError> {
    if let Some(Media::TextTable { text, class, tokenizer, classes, .. }) = whole {
        let path = section.need("file", "the path of a CSV file")?;
        let path = base.join(path.string("the path of a CSV file")?);
        let (text, class) = (text.clone(), class.clone());
        let (tokenizer, classes) = (tokenizer.clone(), classes.clone());
        return Ok(Some(Media::TextTable { path, text, class, tokenizer, classes }));
    }
    let Some(text) = section.take("text") else { return Ok(None) };
    let text = text.string("the name of the column of texts")?.to_string();
    let path = section.need("file", "the path of a CSV file")?;
    let path = base.join(path.string("the path of a CSV file")?);
    const LABEL: &str = "{ class = \"column\" }";
    let mut label = section.need("label", LABEL)?.section(LABEL)?;
    let class = label.need("class", "the name of the column of classes")?;
    let class = class.string("the name of the column of classes")?.to_string();
    label.finish()?;
    let tokenizer = tokenizer(section, base, Method::Word { vocabulary: 10_000 })?;
    Ok(Some(Media::TextTable { path, text, class, tokenizer, classes: classes(section)? }))
}

/// Other files of the same kind and with the same settings; none if they are of another kind.
fn same(key: &str, value: Value<'_>, base: &Path, whole: &Media) -> Result<Option<Media>, SpecError> {
    let mut media = whole.clone();
    match (&mut media, key) {
        (Media::Images { folder, .. }, "image_folder")
        | (Media::Sounds { folder, .. }, "audio_folder")
        | (Media::Cifar { folder, kind: Cifar::Ten, .. }, "cifar10")
        | (Media::Cifar { folder, kind: Cifar::Hundred, .. }, "cifar100")
        | (Media::Texts { folder, .. }, "text_folder") => *folder = base.join(value.string(FOLDER)?),
        (Media::Corpus { paths, .. }, "corpus") => *paths = corpus(value, base)?,
        _ => return Ok(None),
    }
    Ok(Some(media))
}

fn corpus(value: Value<'_>, base: &Path) -> Result<Vec<PathBuf>, SpecError> {
    const EXPECTED: &str = "a path, or a list of paths";
    let empty = value.expected("at least one path");
    let names = if value.is_string() { vec![value.string(EXPECTED)?.to_string()] } else { value.strings(EXPECTED)? };
    if names.is_empty() {
        return Err(empty);
    }
    Ok(names.iter().map(|path| base.join(path)).collect())
}

fn classes(section: &mut Section<'_>) -> Result<Vec<String>, SpecError> {
    super::data::different(section, "classes")
}

fn resize(value: Option<Value<'_>>) -> Result<Resize, SpecError> {
    let Some(value) = value else { return Ok(Resize::default()) };
    if value.is_integer() {
        return Ok(Resize::Shorter(value.whole(1, 1 << 15)? as u32));
    }
    match value.string("\"crop\", \"stretch\", \"pad\" or a number of pixels")? {
        "crop" => Ok(Resize::Crop),
        "stretch" => Ok(Resize::Stretch),
        "pad" => Ok(Resize::Pad),
        name => Err(value.unknown("way to resize", name, &["crop", "stretch", "pad"])),
    }
}

fn transform(value: Option<Value<'_>>) -> Result<Transform, SpecError> {
    const EXPECTED: &str = "a table such as { name = \"mfcc\", coefficients = 13 }";
    const NAMES: [&str; 3] = ["waveform", "log_mel", "mfcc"];
    let Some(value) = value else { return Ok(Transform::Mfcc(Mel::default(), 13)) };
    let mut section = value.section(EXPECTED)?;
    let name = section.need("name", "\"waveform\", \"log_mel\" or \"mfcc\"")?;
    let kind = name.string("\"waveform\", \"log_mel\" or \"mfcc\"")?;
    if !NAMES.contains(&kind) {
        return Err(name.unknown("transform", kind, &NAMES));
    }
    if kind == "waveform" {
        section.finish()?;
        return Ok(Transform::Waveform);
    }
    let mut mel = Mel::default();
    let mut whole = |key, old: usize, most| -> Result<usize, SpecError> {
        section.take(key).map_or(Ok(old), |value| value.whole(1, most).map(|x| x as usize))
    };
    mel.mels = whole("mels", mel.mels, 4096)?;
    mel.window = whole("window", mel.window, 1 << 20)?;
    mel.hop = whole("hop", mel.hop, 1 << 20)?;
    // The next power of two is what one takes.
    mel.fft = whole("fft", mel.window.next_power_of_two(), 1 << 20)?;
    let coefficients = if kind == "mfcc" { Some(whole("coefficients", 13, 4096)?) } else { None };
    let mut real = |key, old: f64| -> Result<f64, SpecError> {
        let Some(value) = section.take(key) else { return Ok(old) };
        match value.real()? {
            number if number >= 0.0 => Ok(number),
            _ => Err(value.expected("a number of 0 or more")),
        }
    };
    (mel.lowest, mel.highest) = (real("lowest", mel.lowest)?, real("highest", mel.highest)?);
    mel.top_db = real("top_db", mel.top_db)?;
    if let Some(value) = section.take("scale") {
        mel.scale = match value.string("\"slaney\" or \"htk\"")? {
            "slaney" => Scale::Slaney,
            "htk" => Scale::Htk,
            name => return Err(value.unknown("mel scale", name, &["slaney", "htk"])),
        };
    }
    section.finish()?;
    Ok(coefficients.map_or(Transform::LogMel(mel), |count| Transform::Mfcc(mel, count)))
}

fn tokenizer(section: &mut Section<'_>, base: &Path, default: Method) -> Result<Method, SpecError> {
    const EXPECTED: &str = "a table such as { name = \"bpe\", vocabulary = 4096 } or { file = \"tokenizer.json\" }";
    const NAMES: [&str; 4] = ["byte", "char", "word", "bpe"];
    let Some(value) = section.take("tokenizer") else { return Ok(default) };
    let mut section = value.section(EXPECTED)?;
    if let Some(file) = section.take("file") {
        let path = base.join(file.string("the path of a tokenizer.json")?);
        section.finish()?;
        return Ok(Method::File(path));
    }
    let name = section.need("name", "\"byte\", \"char\", \"word\" or \"bpe\"")?;
    let mut vocabulary = |least: u64, default: usize| -> Result<usize, SpecError> {
        section.take("vocabulary").map_or(Ok(default), |value| value.whole(least, 1 << 20).map(|x| x as usize))
    };
    let method = match name.string("the name of a tokenizer")? {
        "byte" => Method::Byte,
        "char" => Method::Char,
        "word" => Method::Word { vocabulary: vocabulary(2, 10_000)? },
        "bpe" => Method::Bpe { vocabulary: vocabulary(257, 4096)? },
        other => return Err(name.unknown("tokenizer", other, &NAMES)),
    };
    section.finish()?;
    Ok(method)
}
