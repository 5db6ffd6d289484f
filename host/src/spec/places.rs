//! Where the keys and texts of a description stand, for mistakes that show once the files are read.

use std::path::{Path, PathBuf};

use super::section::Section;
use super::{Files, LoadError, Part, Spec, SpecError};
use crate::data::DataError;

/// The places of all keys and texts.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Places {
    base: PathBuf,
    /// Path, text where the value is one, and line.
    places: Vec<(String, Option<String>, u32)>,
}

/// What of `[data]` names columns or arrays. Texts elsewhere, those of `classes` above all, may be the same by chance.
const COLUMNS: [&str; 6] = ["label", "features", "categorical", "groups", "recording", "text"];

impl Places {
    /// Those of a whole description, whose files start from `base`.
    pub(super) fn new(root: &Section<'_>, base: &Path) -> Places {
        Places { base: base.into(), places: root.places() }
    }

    /// The line of a key, `data.classes`.
    pub(super) fn key(&self, path: &str) -> Option<u32> {
        self.places.iter().find(|(key, ..)| key == path).map(|(.., line)| *line)
    }

    /// The line of a key, or of what it would stand in: `data.clean` for `data.clean.missing`.
    fn near(&self, path: &str) -> u32 {
        let mut path = path;
        loop {
            match (self.key(path), path.rfind(['.', '['])) {
                (Some(line), _) => return line,
                (None, Some(end)) => path = path.get(..end).unwrap_or_default(),
                (None, None) => return 1,
            }
        }
    }

    /// Key and line of the first text of `[data]` that `is` says yes to.
    fn find(&self, is: impl Fn(&str, &str) -> bool) -> Option<(&str, u32)> {
        let found = self.places.iter().find(|(key, text, _)| {
            let key = key.strip_prefix("data.");
            key.zip(text.as_deref()).is_some_and(|(key, text)| is(key, text))
        });
        found.map(|(key, _, line)| (key.as_str(), *line))
    }
}

impl Spec {
    /// An error of the key at fault, at its line; where it isn't written down, at that of its table.
    pub(super) fn blame(&self, path: &str, message: impl std::fmt::Display) -> SpecError {
        self.error(self.places.near(path), format!("`{path}`: {message}"))
    }

    /// The error of a command that judges by a part that `[data]` doesn't name; `or` says what else one can do.
    pub(crate) fn no_part(&self, part: &str, or: &str) -> SpecError {
        self.blame(
            "data",
            format!(
                "there is no {part} part, so nothing was judged; add one, such as {part} = {{ by = \"fraction\", share = 0.2 }}, \
                 and train anew, or {or}"
            ),
        )
    }

    /// The one file whose rows the samples of a part (`train`, `validation`, `test`) are, where that is so. Samples that are
    /// streamed name their file themselves.
    pub(crate) fn table_of(&self, part: &str) -> Option<&Path> {
        let data = self.data.as_ref().filter(|data| !data.stream)?;
        let own = match part {
            "validation" => data.validation.as_ref(),
            "test" => data.test.as_ref(),
            _ => None,
        };
        let files = match own {
            Some(Part::Files(files)) => files,
            _ => &data.files,
        };
        match files {
            Files::Csv { paths, .. } => match paths.as_slice() {
                [path] => Some(path),
                _ => None,
            },
            Files::Npz { path, .. } => Some(path),
            Files::Idx { images, .. } => Some(images),
            Files::Media(_) => None,
        }
    }

    /// The same for any error of loading.
    pub(super) fn placed_in(&self, error: LoadError) -> LoadError {
        match error {
            LoadError::Data(error) => self.placed(error),
            error => error,
        }
    }

    /// An error of the data at the line that names the column or the file at fault, where one does.
    pub(super) fn placed(&self, error: DataError) -> LoadError {
        let names_columns = |key: &str| {
            let first = key.split(['.', '[']).next().unwrap_or_default();
            COLUMNS.contains(&first)
        };
        let found = match &error {
            // Of a column's rules its name is the key.
            DataError::Unknown { name, .. } => match self.places.find(|key, text| names_columns(key) && text == name) {
                None if self.places.key(&format!("data.clean.columns.{name}")).is_some() => {
                    return self.blame(&format!("data.clean.columns.{name}"), &error).into();
                }
                found => found,
            },
            DataError::Read { file, .. } => {
                let base = &self.places.base;
                self.places.find(|_, text| base.join(text).display().to_string() == *file)
            }
            DataError::Rule { column, rule, .. } => {
                return self.blame(&self.rule_path(column, rule), &error).into();
            }
            _ => None,
        };
        match found {
            Some((key, line)) => self.error(line, format!("`{key}`: {error}")).into(),
            None => error.into(),
        }
    }

    /// The key that says that rule of a column: the column's own, or else that of all columns.
    fn rule_path(&self, column: &str, rule: &str) -> String {
        let tables = ["data.clean", "preprocessing"];
        let own = tables.iter().map(|table| format!("{table}.columns.{column}.{rule}"));
        let columns = tables.iter().map(|table| format!("{table}.columns.{column}"));
        let all = tables.iter().map(|table| format!("{table}.{rule}"));
        let mut paths = own.chain(columns).chain(all);
        paths.find(|path| self.places.key(path).is_some()).unwrap_or_else(|| "data.clean".into())
    }
}
