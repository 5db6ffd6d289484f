//! Classes that a part has no sample of: nothing fails for them, so somebody must say it.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{Part, Sets, Spec};
use crate::data::{Labels, Source};
use serde::Serialize;

/// The classes that a part has no sample of. What is trained can't learn them; what is judged says nothing of them.
///
/// As text it is one sentence without an end: the description's line, the classes, the part and its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EmptyClasses {
    /// training, validation or test.
    pub part: &'static str,
    /// The part's files, or the folder that its samples are in.
    pub files: Vec<PathBuf>,
    /// The classes, in the order of the outputs.
    pub classes: Vec<String>,
    #[serde(skip)]
    file: String,
    #[serde(skip)]
    line: u32,
}

/// Names that a sentence lists.
const LISTED: usize = 5;

impl fmt::Display for EmptyClasses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: no sample of {} {}", self.file, self.line, self.names(), self.place())
    }
}

impl EmptyClasses {
    /// All parts' in one sentence, those that lack the same classes together; none where there are none.
    pub fn sentence(all: &[EmptyClasses]) -> Option<String> {
        let first = all.first()?;
        let mut said: Vec<(String, Vec<String>)> = Vec::new();
        for empty in all {
            let (classes, place) = (empty.names(), empty.place());
            match said.iter_mut().find(|(known, _)| *known == classes) {
                Some((_, places)) => places.push(place),
                None => said.push((classes, vec![place])),
            }
        }
        let parts: Vec<String> =
            said.iter().map(|(classes, places)| format!("{classes} {}", places.join(", "))).collect();
        let (file, line) = (&first.file, first.line);
        Some(format!(
            "{file}:{line}: no sample of {}; what has none is neither learnt nor judged",
            parts.join("; none of ")
        ))
    }

    fn names(&self) -> String {
        let classes: Vec<String> = self.classes.iter().take(LISTED).map(|class| format!("`{class}`")).collect();
        let more = match self.classes.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let word = if self.classes.len() == 1 { "class" } else { "classes" };
        format!("{word} {}{more}", classes.join(", "))
    }

    fn place(&self) -> String {
        let files: Vec<String> = self.files.iter().take(LISTED).map(|path| path.display().to_string()).collect();
        let more = if self.files.len() > LISTED { ", …" } else { "" };
        format!("in the {} part ({}{more})", self.part, files.join(", "))
    }
}

impl Spec {
    /// The classes without samples, by part; the training part first. Empty where every part has all, and where nothing is
    /// classified. Names that only `[data] classes` has are classes too.
    pub fn empty_classes(&self, sets: &Sets) -> Vec<EmptyClasses> {
        let labels = |set: &'_ Option<_>| set.as_ref().map(Source::labels).cloned();
        let (validation, test) = (labels(&sets.validation), labels(&sets.test));
        self.empty_classes_of([Some(sets.train.labels()), validation.as_ref(), test.as_ref()])
    }

    /// The same for the labels of the training part, the validation part and the test part.
    pub(crate) fn empty_classes_of(&self, parts: [Option<&Labels>; 3]) -> Vec<EmptyClasses> {
        let Some(data) = &self.data else { return Vec::new() };
        let own = [None, data.validation.as_ref(), data.test.as_ref()];
        // The classes of the training part are the model's.
        let Some(Labels::Class { names, .. }) = parts[0] else { return Vec::new() };
        let mut found = Vec::new();
        for ((part, labels), own) in ["training", "validation", "test"].into_iter().zip(parts).zip(own) {
            let Some(Labels::Class { ids, .. }) = labels else { continue };
            let mut seen = vec![false; names.len()];
            ids.iter().filter_map(|&id| usize::try_from(id).ok()).for_each(|id| {
                if let Some(seen) = seen.get_mut(id) {
                    *seen = true;
                }
            });
            let empty = names.iter().zip(seen).filter(|(_, seen)| !seen);
            let classes: Vec<String> = empty.map(|(name, _)| name.clone()).collect();
            if !classes.is_empty() {
                let files = match own {
                    Some(Part::Files(files)) => files,
                    _ => &data.files,
                };
                let files = files.paths().into_iter().map(Path::to_path_buf).collect();
                let line = self.places.key("data.classes").unwrap_or(data.lines.section);
                found.push(EmptyClasses { part, files, classes, file: self.file.clone(), line });
            }
        }
        found
    }
}
