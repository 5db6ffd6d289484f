//! What is wrong with a `model.toml`, and at which line.

use std::ops::Range;

use thiserror::Error;

/// A mistake in a file of settings: where it is, what was expected, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{file}{}: {message}", place(*line))]
pub struct SpecError {
    /// The file's name as given.
    pub file: String,
    /// The line, counted from 1 as editors do; 0 for the file as a whole.
    pub line: u32,
    /// What was expected, what was found, what to do.
    pub message: String,
}

fn place(line: u32) -> String {
    if line > 0 { format!(":{line}") } else { String::new() }
}

/// A text with its name, so that a place in it becomes a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'s> {
    pub(super) file: &'s str,
    pub(super) text: &'s str,
}

impl Source<'_> {
    /// The line of a byte.
    pub(super) fn line(&self, at: usize) -> u32 {
        let before = self.text.as_bytes().iter().take(at);
        1 + before.filter(|&&byte| byte == b'\n').count() as u32
    }

    pub(super) fn error(&self, span: &Range<usize>, message: String) -> SpecError {
        SpecError { file: self.file.into(), line: self.line(span.start), message }
    }
}

/// `; did you mean …?` if one of the names is close to what was written, else the list of names.
pub(super) fn suggestion(written: &str, names: &[&str]) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(&written.to_lowercase(), name);
    let closest = names.iter().map(|name| (distance(name), !name.starts_with(written), name)).min();
    match closest.map(|(distance, _, name)| (distance, name)) {
        // A third of the letters may differ; anything further apart would be a guess.
        Some((distance, name)) if distance * 3 <= name.len().max(3) => format!("did you mean `{name}`?"),
        _ if names.is_empty() => "remove it".into(),
        _ => format!("possible here: {}", names.join(", ")),
    }
}

/// At most 40 characters of what was found.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.into(),
    }
}
