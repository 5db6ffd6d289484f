//! Tokenizers: from text to numbers.

use crate::data::bytes;
use crate::data::error::DataError;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Model, TokenizerBuilder};

/// How text is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// Its bytes: 256 tokens, nothing to train, any file at all.
    Byte,
    /// Its characters: those of the training part, and one token for all others.
    Char,
    /// Its words in lower case, letters and digits: the most frequent `vocabulary - 1`, and one token for all others.
    Word {
        /// Tokens in all.
        vocabulary: usize,
    },
    /// Byte-pair encoding on bytes as GPT-2 does it, trained on the training part: no text is unknown.
    Bpe {
        /// Tokens in all, at least the 256 bytes.
        vocabulary: usize,
    },
    /// A `tokenizer.json` as Hugging Face's libraries write it.
    File(PathBuf),
}

/// A tokenizer with its vocabulary.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    kind: Kind,
    names: Vec<String>,
}

#[derive(Clone, Debug)]
enum Kind {
    Byte,
    Char(HashMap<char, u32>),
    Word(HashMap<String, u32>),
    Any(Box<tokenizers::Tokenizer>),
}

/// The token of everything that isn't in a vocabulary of characters or words.
const UNKNOWN: &str = "<unk>";

impl Tokenizer {
    /// Makes a tokenizer; `texts` are those of the training part.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for a vocabulary that is too small or texts without any token, [`DataError::Format`] for a
    /// file that isn't a tokenizer.
    pub fn train<T: AsRef<str> + Sync>(method: &Method, texts: &[T]) -> Result<Self, DataError> {
        match method {
            Method::Byte => Ok(Self::byte()),
            Method::Char => {
                let mut characters: Vec<char> = texts.iter().flat_map(|text| text.as_ref().chars()).collect();
                characters.sort_unstable();
                characters.dedup();
                let names = characters.iter().map(char::to_string);
                let names: Vec<String> = std::iter::once(UNKNOWN.into()).chain(names).collect();
                Self::known(Kind::Char(characters.into_iter().zip(1..).collect()), names)
            }
            Method::Word { vocabulary } => {
                let mut counts: HashMap<String, usize> = HashMap::new();
                texts.iter().for_each(|text| each_word(text.as_ref(), |word| *counts.entry(word).or_default() += 1));
                let mut words: Vec<(String, usize)> = counts.into_iter().collect();
                words.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
                words.truncate(vocabulary.saturating_sub(1));
                let words: Vec<String> = words.into_iter().map(|(word, _)| word).collect();
                let names: Vec<String> = std::iter::once(UNKNOWN.into()).chain(words.iter().cloned()).collect();
                Self::known(Kind::Word(words.into_iter().zip(1..).collect()), names)
            }
            Method::Bpe { vocabulary } => bpe(*vocabulary, texts),
            Method::File(path) => Self::open(path),
        }
    }

    /// The bytes themselves.
    pub fn byte() -> Self {
        Self { kind: Kind::Byte, names: (0..=255u8).map(|byte| byte.escape_ascii().to_string()).collect() }
    }

    fn known(kind: Kind, names: Vec<String>) -> Result<Self, DataError> {
        if names.len() < 2 {
            return Err(mismatch("at least one token in the training part".into(), "none".into()));
        }
        Ok(Self { kind, names })
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    /// [`DataError::Format`] for anything else.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let bytes = bytes::read(path)?;
        let tokenizer = tokenizers::Tokenizer::from_bytes(&bytes).map_err(|error| DataError::Format {
            file: bytes::name(path),
            at: 0,
            expected: "a tokenizer.json as Hugging Face's libraries write it",
            found: error.to_string(),
            help: "save it again with tokenizer.save(\"tokenizer.json\")",
        })?;
        Ok(Self::any(tokenizer))
    }

    fn any(tokenizer: tokenizers::Tokenizer) -> Self {
        let vocabulary = tokenizer.get_vocab(true);
        // Added tokens may leave gaps between the numbers.
        let len = vocabulary.values().max().map_or(0, |&largest| largest as usize + 1).min(1 << 24);
        let mut names = vec![String::new(); len];
        for (name, id) in vocabulary {
            if let Some(place) = names.get_mut(id as usize) {
                *place = name;
            }
        }
        Self { kind: Kind::Any(Box::new(tokenizer)), names }
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if a tokenizer from a file refuses the text.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, DataError> {
        Ok(match &self.kind {
            Kind::Byte => text.bytes().map(u32::from).collect(),
            Kind::Char(ids) => text.chars().map(|c| ids.get(&c).copied().unwrap_or(0)).collect(),
            Kind::Word(ids) => {
                let mut tokens = Vec::new();
                each_word(text, |word| tokens.push(ids.get(&word).copied().unwrap_or(0)));
                tokens
            }
            Kind::Any(tokenizer) => {
                let encoding = tokenizer.encode_fast(text, false);
                encoding
                    .map_err(|error| mismatch("text that the tokenizer takes".into(), error.to_string()))?
                    .get_ids()
                    .to_vec()
            }
        })
    }

    /// Tokens of the vocabulary.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The vocabulary in the order of the numbers.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether tokens are the bytes of a file.
    pub fn is_byte(&self) -> bool {
        matches!(self.kind, Kind::Byte)
    }

    /// A file that says what the tokens are, name and content: a `tokenizer.json` that [`Tokenizer::open`] reads again, or for
    /// characters and words a `vocabulary.json`, their list in the order of the numbers. Bytes need none.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if it can't be written as JSON.
    pub fn file(&self) -> Result<Option<(&'static str, String)>, DataError> {
        let failed = |error: String| mismatch("a tokenizer that can be saved".into(), error);
        match &self.kind {
            Kind::Byte => Ok(None),
            Kind::Any(tokenizer) => {
                let text = tokenizer.to_string(true).map_err(|error| failed(error.to_string()))?;
                Ok(Some(("tokenizer.json", text)))
            }
            Kind::Char(_) | Kind::Word(_) => {
                let text = serde_json::to_string_pretty(&self.names).map_err(|error| failed(error.to_string()))?;
                Ok(Some(("vocabulary.json", text)))
            }
        }
    }
}

/// Trains byte-pair encoding.
fn bpe<T: AsRef<str> + Sync>(vocabulary: usize, texts: &[T]) -> Result<Tokenizer, DataError> {
    if vocabulary < 256 {
        return Err(mismatch("a vocabulary of at least the 256 bytes".into(), vocabulary.to_string()));
    }
    let failed = |error: tokenizers::Error| mismatch("texts to train on".into(), error.to_string());
    let mut trainer = BpeTrainer::builder()
        .show_progress(false)
        .vocab_size(vocabulary)
        .min_frequency(2)
        .special_tokens(Vec::<AddedToken>::new())
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let level = || ByteLevel::default().add_prefix_space(false);
    let mut tokenizer = TokenizerBuilder::<BPE, tokenizers::NormalizerWrapper, ByteLevel, ByteLevel, ByteLevel>::new()
        .with_model(BPE::default())
        .with_pre_tokenizer(Some(level()))
        .with_decoder(Some(level()))
        .build()
        .map_err(failed)?;
    tokenizer.train(&mut trainer, texts.iter().map(AsRef::as_ref)).map_err(failed)?;
    if tokenizer.get_model().get_vocab_size() == 0 {
        return Err(mismatch("at least one token in the training part".into(), "none".into()));
    }
    Ok(Tokenizer::any(tokenizer.into()))
}

fn each_word(text: &str, mut visit: impl FnMut(String)) {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty());
    words.for_each(|word| visit(word.to_lowercase()));
}

fn mismatch(expected: String, found: String) -> DataError {
    let help = "check the tokenizer's settings and the training part";
    DataError::Mismatch { what: "tokenizer".into(), expected, found, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_characters_are_what_they_are() {
        let byte = Tokenizer::byte();
        assert_eq!((byte.len(), byte.encode("aß").unwrap()), (256, vec![97, 0xc3, 0x9f]));
        let char = Tokenizer::train(&Method::Char, &["ba", "cab"]).unwrap();
        assert_eq!(
            (char.names(), char.encode("abz").unwrap()),
            (&["<unk>", "a", "b", "c"].map(String::from)[..], vec![1, 2, 0])
        );
        assert!(Tokenizer::train(&Method::Char, &[""]).is_err());
        let (name, text) = char.file().unwrap().unwrap();
        assert_eq!(
            (name, serde_json::from_str::<Vec<String>>(&text).unwrap()),
            ("vocabulary.json", char.names().to_vec())
        );
    }

    /// Sennrich, Haddow and Birch (2016): the most frequent pair is joined first.
    #[test]
    fn bpe_joins_the_most_frequent_pair() {
        let texts = ["low low low low", "lower", "newest newest"];
        let bpe = Tokenizer::train(&Method::Bpe { vocabulary: 258 }, &texts).unwrap();
        assert_eq!(bpe.len(), 258);
        // l-o is in 5 words, and so is lo-w afterwards: these two joins are all that 258 tokens hold.
        assert_eq!(bpe.encode("low").unwrap().len(), 1);
        assert_eq!(bpe.encode("newest").unwrap().len(), 6);
        let again = Tokenizer::train(&Method::Bpe { vocabulary: 258 }, &texts).unwrap();
        assert_eq!(again.names(), bpe.names());
        assert!(Tokenizer::train(&Method::Bpe { vocabulary: 255 }, &texts).is_err());

        let path = std::env::temp_dir().join(format!("emberlite-tokenizer-{}.json", std::process::id()));
        std::fs::write(&path, bpe.file().unwrap().unwrap().1).unwrap();
        let read = Tokenizer::train(&Method::File(path.clone()), &[""]).unwrap();
        assert_eq!(read.encode("lower ☃").unwrap(), bpe.encode("lower ☃").unwrap());
        std::fs::write(&path, "{").unwrap();
        let text = Tokenizer::open(&path).unwrap_err().to_string();
        assert!(text.contains("expected a tokenizer.json"), "{text}");
        std::fs::remove_file(&path).unwrap();
    }
}
