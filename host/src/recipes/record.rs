//! What came of a recipe, as the file beside it says: `result.json`.

use super::{RecipeError, expected::Bound};
use crate::export::{self, FileError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// A figure as it was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Got {
    /// Its name.
    pub figure: String,
    /// What it was compared with, in words.
    pub expected: String,
    /// What it was.
    pub got: f64,
    /// Whether that will do.
    pub reached: bool,
}

/// One run of a recipe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The recipe's name.
    pub recipe: String,
    /// Every figure.
    pub figures: Vec<Got>,
    /// The day, `2026-01-31`.
    pub date: String,
    /// What it was computed on.
    pub machine: String,
    /// Wall time of training and evaluation, in whole seconds; of a run that was resumed all parts together, without what
    /// was trained after the last checkpoint of a part.
    pub seconds: u64,
    /// The line that was typed.
    pub command: String,
    /// The program's version.
    pub version: String,
}

const FILE: &str = "result.json";

impl Record {
    /// The record in a recipe's folder, if there is one.
    ///
    /// # Errors
    /// [`RecipeError::Text`] if it isn't a record, [`RecipeError::File`] if it can't be read.
    pub fn read(folder: &Path) -> Result<Option<Record>, RecipeError> {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FileError { path, doing: "can't read", source }.into()),
        };
        let wrong = |error: serde_json::Error| RecipeError::Text {
            file: path.display().to_string(),
            message: format!("{error}; remove it and run the recipe again"),
        };
        serde_json::from_str(&text).map(Some).map_err(wrong)
    }

    /// Writes it into a recipe's folder, in place of the one before.
    ///
    /// # Errors
    /// [`RecipeError::File`].
    pub fn write(&self, folder: &Path) -> Result<(), RecipeError> {
        let path = folder.join(FILE);
        // Numbers and texts always can be written; what isn't a number becomes null, which reads as an error.
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| RecipeError::Text { file: path.display().to_string(), message: error.to_string() })?;
        Ok(export::write(&path, format!("{text}\n").as_bytes())?)
    }

    /// Whether every figure was reached.
    pub fn reached(&self) -> bool {
        self.figures.iter().all(|got| got.reached)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::AtLeast(least) => write!(f, "≥ {}", number(*least)),
            Bound::AtMost(most) => write!(f, "≤ {}", number(*most)),
            Bound::Shown => f.write_str("–"),
            Bound::Near(value, within) => write!(f, "{} ± {}", number(*value), number(*within)),
        }
    }
}

/// A number with as many digits as a figure needs: four after the point, or four in all where it is small.
pub(crate) fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 0.001 {
        return format!("{value:.1e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.99, 10.0, 0.001, 0.00012345, -2.5, 0.123456].map(number);
        assert_eq!(texts, ["0", "0.99", "10", "0.001", "1.2e-4", "-2.5", "0.1235"]);
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_damaged_one_refused() {
        let folder = std::env::temp_dir().join(format!("emberlite-record-{}", std::process::id()));
        assert_eq!(Record::read(&folder).unwrap(), None);
        let got = Got { figure: "accuracy".into(), expected: "≥ 0.9".into(), got: 0.912_345_678_9, reached: true };
        let record = Record {
            recipe: "digits".into(),
            figures: vec![got],
            date: "2026-01-31".into(),
            machine: "a machine".into(),
            seconds: 3,
            command: "emberlite recipes run digits".into(),
            version: "0.1.0".into(),
        };
        record.write(&folder).unwrap();
        assert_eq!(Record::read(&folder).unwrap(), Some(record));
        fs::write(folder.join(FILE), "{\"recipe\":").unwrap();
        assert!(Record::read(&folder).unwrap_err().to_string().contains("run the recipe again"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
