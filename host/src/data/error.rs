//! What can be wrong with data, said so that the reader can mend it.

use std::io;
use thiserror::Error;

/// An error of loading, splitting or preparing data; its text names the place, what was expected and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file can't be read.
    #[error("{file}: {source}; check the path and the permissions")]
    Read {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// A packed table can't be written.
    #[error(
        "{file}: the packed table can't be written: {source}; mend that (permissions, space left), or name another folder for \
         it: `pack = \"FOLDER\"` in [data]"
    )]
    Pack {
        /// The file.
        file: String,
        /// What the system said.
        source: io::Error,
    },
    /// One cell of a table isn't what its column must hold.
    #[error("{file}:{line}: column `{column}`: expected {expected}, found {found}; {help}")]
    Cell {
        /// The file.
        file: String,
        /// The line in the file, counted from 1 as editors do.
        line: u64,
        /// The column's name.
        column: String,
        /// What the column holds elsewhere.
        expected: &'static str,
        /// The cell, shortened.
        found: String,
        /// What to do.
        help: &'static str,
    },
    /// A row has more or fewer cells than the header.
    #[error(
        "{file}:{line}: expected {expected} cells as in the first line, found {found}; check the delimiter and the quotes"
    )]
    Row {
        /// The file.
        file: String,
        /// The line in the file, from 1.
        line: u64,
        /// Cells of the first line.
        expected: usize,
        /// Cells of this row.
        found: usize,
    },
    /// A column or array that was asked for isn't there.
    #[error("{file}: no column or array `{name}`; {}there are: {known}", meant(name, known))]
    Unknown {
        /// The file.
        file: String,
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A rule of how columns are prepared can't be followed for one of them.
    #[error("column `{column}`: expected {expected}, found {found}; {help}")]
    Rule {
        /// The column's name.
        column: String,
        /// The rule: `missing`, `outliers`, `encode`, `categories`, `unknown`; empty for all rules of the column.
        rule: &'static str,
        /// What the rule needs.
        expected: String,
        /// What there is.
        found: String,
        /// What to do.
        help: &'static str,
    },
    /// The bytes don't follow the format.
    #[error("{file}: byte {at}: expected {expected}, found {found}; {help}")]
    Format {
        /// The file.
        file: String,
        /// Where, counted from 0 (inside the unpacked file, if it was packed).
        at: u64,
        /// What the format has there.
        expected: &'static str,
        /// What was there.
        found: String,
        /// What to do.
        help: &'static str,
    },
    /// The file or what it unpacks to is larger than the limit.
    #[error("{file}: more than {limit} bytes once unpacked; split the file into smaller ones")]
    TooLarge {
        /// The file.
        file: String,
        /// The limit in bytes.
        limit: u64,
    },
    /// Two things that must fit together don't.
    #[error("{what}: expected {expected}, found {found}; {help}")]
    Mismatch {
        /// What was looked at.
        what: String,
        /// What it must be.
        expected: String,
        /// What it is.
        found: String,
        /// What to do.
        help: &'static str,
    },
}

/// `did you mean …? ` where one of the names, listed with commas, is close.
fn meant(name: &str, known: &str) -> String {
    let distance = |other: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
    let closest = known.split(", ").map(|other| (distance(other), other)).min();
    match closest {
        // A third of the letters may differ; anything further apart would be a guess.
        Some((distance, other)) if distance * 3 <= other.chars().count() => format!("did you mean `{other}`? "),
        _ => String::new(),
    }
}

/// At most 40 characters of what was found, quoted, for an error's text.
pub(super) fn quoted(text: &str) -> String {
    let (text, more) = match text.char_indices().nth(40) {
        Some((end, _)) => (&text[..end], "…"),
        None => (text, ""),
    };
    // A cell with lines of its own would look like further messages.
    let text = text.replace('\n', "\\n");
    format!("`{text}{more}`")
}
