//! Text as tokens: for a class of each text, or for the token that comes next.
//!
//! A [`Tokenizer`] gives numbers below its vocabulary. It is trained on the training part alone, since words that only
//! the test part has are what a model meets in use. A sample is `[length]`, each number a token as an f32 (exact up to
//! 2^24), which the model's first operation, an embedding, takes apart again.

mod tokenizer;
mod window;

pub use tokenizer::{Method, Tokenizer};
pub use window::{Corpus, TokenWindows};

use super::bytes;
use super::dataset::{Dataset, Labels};
use super::error::DataError;
use super::folder::Listing;
use super::row_parser::{check_names, sorted};
use super::row_reader::RowReader;
use super::spec::CsvSpec;
use std::collections::HashMap;
use std::path::Path;

/// Texts with what is to be learnt of each.
#[derive(Clone, Debug, PartialEq)]
pub struct Texts {
    /// Whole texts.
    pub texts: Vec<String>,
    /// `[texts]`.
    pub labels: Labels,
}

/// The files of a listing, each a text.
///
/// # Errors
/// [`DataError::Read`], and [`DataError::Format`] at the first byte that isn't UTF-8.
pub fn read_folder(listing: &Listing) -> Result<Texts, DataError> {
    let texts = listing.files.iter().map(|path| read_text(path)).collect::<Result<_, _>>()?;
    Ok(Texts { texts, labels: listing.labels() })
}

/// One file of text.
///
/// # Errors
/// As [`read_folder`].
pub fn read_text(path: &Path) -> Result<String, DataError> {
    utf8(&bytes::name(path), bytes::read(path)?)
}

fn utf8(file: &str, bytes: Vec<u8>) -> Result<String, DataError> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let byte = error.as_bytes().get(at).copied().unwrap_or_default();
        DataError::Format {
            file: file.into(),
            at: at as u64,
            expected: "text in UTF-8",
            found: format!("the byte {byte:#04x}"),
            help: "save the file as UTF-8, or use the tokenizer \"byte\" on a corpus",
        }
    })
}

/// The texts of one column of a table, CSV or Parquet, with the classes of another; `classes` gives their order, empty:
/// sorted.
///
/// # Errors
/// [`DataError`] with file, line and column.
pub fn read_csv(path: &Path, text: &str, class: &str, classes: &[String]) -> Result<Texts, DataError> {
    check_names(classes)?;
    let mut table = RowReader::parse(&bytes::name(path), bytes::read(path)?, &CsvSpec::default())?;
    let (text, class) = (table.column(text)?, table.column(class)?);
    table.keep(&[text, class]);
    let (mut texts, mut found) = (Vec::new(), Vec::new());
    while table.advance()? {
        if table.is_missing(class) {
            return Err(table.error(class, "a class", "fill the cell, or remove the row"));
        }
        let name = table.cell(class);
        if !classes.is_empty() && !classes.iter().any(|class| class == name) {
            let help = "add it to the classes, or remove the rows of this class";
            return Err(table.error(class, "one of the named classes", help));
        }
        texts.push(table.cell(text).to_string());
        found.push(name.to_string());
    }
    // As every table's classes are ordered.
    let mut distinct = found.clone();
    distinct.sort();
    distinct.dedup();
    let names = if classes.is_empty() { sorted(&distinct) } else { classes.to_vec() };
    let place: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
    let ids = found.iter().map(|name| place[name.as_str()]).collect();
    Ok(Texts { texts, labels: Labels::Class { ids, names } })
}

impl Texts {
    /// Samples of `length` tokens: token `t` is the number `t + 1`, and 0 fills up shorter texts ("post-padding"). Of
    /// longer ones the first `length` tokens count. An embedding needs `tokenizer.len() + 1` rows.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for a length of 0 or no texts.
    pub fn samples(&self, tokenizer: &Tokenizer, length: usize) -> Result<Dataset, DataError> {
        let mut features = Vec::with_capacity(self.texts.len().saturating_mul(length));
        for text in &self.texts {
            let mut tokens = tokenizer.encode(text)?;
            tokens.truncate(length);
            let pad = length - tokens.len();
            features.extend(
                tokens.into_iter().map(|token| token.saturating_add(1) as f32).chain(std::iter::repeat_n(0.0, pad)),
            );
        }
        if features.is_empty() {
            return Err(DataError::Mismatch {
                what: "texts".into(),
                expected: "at least one, and a length of at least 1".into(),
                found: format!("{} texts, length {length}", self.texts.len()),
                help: "check the files and the model's input",
            });
        }
        Dataset::new(features, vec![length], self.labels.clone())
    }

    /// The texts at `indices`, in that order; panics beyond the end, as indexing does.
    pub fn select(&self, indices: &[usize]) -> Self {
        let texts = indices.iter().map(|&index| self.texts[index].clone()).collect();
        Self { texts, labels: self.labels.select(indices) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn texts_become_padded_samples() {
        let labels = Labels::Class { ids: vec![1, 0], names: vec!["bad".into(), "good".into()] };
        let texts = Texts { texts: vec!["Good, good film".into(), "bad".into()], labels };
        let tokenizer = Tokenizer::train(&Method::Word { vocabulary: 3 }, &texts.texts).unwrap();
        // Token 0 is an unknown word; "good" is there twice, then "bad" and "film" by the alphabet: only one fits.
        assert_eq!(tokenizer.names(), ["<unk>", "good", "bad"]);
        let set = texts.samples(&tokenizer, 4).unwrap();
        assert_eq!((set.shape.clone(), &set.features[..]), (vec![4], &[2.0, 2.0, 1.0, 0.0, 3.0, 0.0, 0.0, 0.0][..]));
        assert_eq!(texts.samples(&tokenizer, 1).unwrap().features, [2.0, 3.0], "the first tokens");
        assert!(texts.samples(&tokenizer, 0).is_err());
    }

    #[test]
    fn tables_and_files_are_read_or_refused_with_their_place() {
        let path = std::env::temp_dir().join(format!("emberlite-texts-{}.csv", std::process::id()));
        fs::write(&path, "label,review\npos,\"good, yes\"\nneg,no\n").unwrap();
        let texts = read_csv(&path, "review", "label", &[]).unwrap();
        assert_eq!(texts.texts, ["good, yes", "no"]);
        assert_eq!(texts.labels, Labels::Class { ids: vec![1, 0], names: vec!["neg".into(), "pos".into()] });
        let text = read_csv(&path, "review", "label", &["pos".into()]).unwrap_err().to_string();
        assert!(text.contains(":3: column `label`: expected one of the named classes, found `neg`"), "{text}");
        fs::write(&path, b"gr\xfc\xdfe").unwrap();
        let text = read_text(&path).unwrap_err().to_string();
        assert!(text.contains("byte 2: expected text in UTF-8, found the byte 0xfc"), "{text}");
        fs::remove_file(&path).unwrap();
    }
}
