//! Where the keys and texts of a section stand, for mistakes that show once the files are read.

use std::path::{Path, PathBuf};

use super::section::Section;
use super::{DataSpec, LoadError, Spec};
use crate::data::DataError;

/// The places of a section's keys and texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Places {
    base: PathBuf,
    /// Path, text where the value is one, and line.
    places: Vec<(String, Option<String>, u32)>,
}

impl Places {
    /// Those of a section whose files start from `base`.
    pub(super) fn new(section: &Section<'_>, base: &Path) -> Places {
        Places { base: base.into(), places: section.places() }
    }

    /// The line of a key, `data.classes`.
    pub(super) fn key(&self, path: &str) -> Option<u32> {
        self.places.iter().find(|(key, ..)| key == path).map(|(.., line)| *line)
    }

    /// Key and line of the first text that `is` says yes to.
    fn find(&self, is: impl Fn(&str) -> bool) -> Option<(&str, u32)> {
        let found = self.places.iter().find(|(_, text, _)| text.as_deref().is_some_and(&is));
        found.map(|(key, _, line)| (key.as_str(), *line))
    }
}

impl Spec {
    /// The same for any error of loading.
    pub(super) fn placed_in(&self, data: &DataSpec, error: LoadError) -> LoadError {
        match error {
            LoadError::Data(error) => self.placed(data, error),
            error => error,
        }
    }

    /// An error of the data at the line that names the column or the file at fault, where one does.
    pub(super) fn placed(&self, data: &DataSpec, error: DataError) -> LoadError {
        let places = &data.lines.places;
        let found = match &error {
            DataError::Unknown { name, .. } => places.find(|text| text == name),
            DataError::Read { file, .. } => places.find(|text| places.base.join(text).display().to_string() == *file),
            _ => None,
        };
        match found {
            Some((key, line)) => self.error(line, format!("`{key}`: {error}")).into(),
            None => error.into(),
        }
    }
}
