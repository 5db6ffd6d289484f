//! What the columns of a table mean, as a value that a file can hold.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the columns of a table (CSV or Parquet) mean. In TOML every field may be left out:
///
/// ```toml
/// features = ["ax", "ay", "az"]   # default: every column that isn't used below
/// label = { class = "exercise" }  # or { value = "temperature" }
/// classes = ["still", "walk"]     # default: the names found, sorted
/// categorical = ["island"]        # features that are categories, not numbers
/// groups = ["person", "wrist"]
/// recording = "recording"         # default: each file is one recording
/// missing = "refuse"              # or "drop_row"; [data.clean] fills
/// delimiter = ","                 # CSV only
/// header = true                   # CSV only
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CsvSpec {
    /// The columns that become the sample, in this order; empty: every column that has no other use.
    pub features: Vec<String>,
    /// What is to be learnt.
    pub label: Label,
    /// The classes in the order of the model's outputs; a label not among them is an error. Empty: the names found,
    /// sorted (as numbers where all are whole numbers). Name them where a file may lack a class.
    pub classes: Vec<String>,
    /// The features that are categories: any text, encoded before the model sees it.
    pub categorical: Vec<String>,
    /// Columns kept with each sample for splits.
    pub groups: Vec<String>,
    /// The column whose value tells recordings apart; their rows may be interleaved in the file.
    pub recording: Option<String>,
    /// What to do with missing cells.
    pub missing: Missing,
    /// The same for single columns, whatever they are used for.
    #[serde(skip)]
    pub missing_in: BTreeMap<String, Missing>,
    /// Whether a feature's cell that is no number counts as missing; else it is an error.
    #[serde(skip)]
    pub type_errors_are_missing: bool,
    /// The character between cells, ASCII.
    pub delimiter: char,
    /// Whether the first line names the columns; without it they are called `0`, `1`, ….
    pub header: bool,
}

/// Which column (or array of an NPZ file) is to be learnt, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// Nothing.
    #[default]
    None,
    /// Classes by name.
    Class(String),
    /// A number.
    Value(String),
}

impl Label {
    /// The column or array.
    pub fn name(&self) -> Option<&str> {
        match self {
            Label::None => None,
            Label::Class(name) | Label::Value(name) => Some(name),
        }
    }
}

/// What happens to a row with a missing cell (empty, `NA`, `N/A`, `NaN`, `null`, `?`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// It is an error.
    #[default]
    Refuse,
    /// The row is left out; windows don't reach over the gap.
    DropRow,
    /// The row stays, with NaN for the cell until it is filled with what the training part says. Labels, groups and
    /// recordings can't be filled: there it is [`Missing::Refuse`].
    #[serde(skip)]
    Keep,
}

impl Default for CsvSpec {
    fn default() -> Self {
        Self {
            features: Vec::new(),
            label: Label::None,
            classes: Vec::new(),
            categorical: Vec::new(),
            groups: Vec::new(),
            recording: None,
            missing: Missing::Refuse,
            missing_in: BTreeMap::new(),
            type_errors_are_missing: false,
            delimiter: ',',
            header: true,
        }
    }
}

impl CsvSpec {
    /// Classes in that column, every other column a feature.
    pub fn class(column: &str) -> Self {
        Self { label: Label::Class(column.into()), ..Self::default() }
    }

    /// A number to predict in that column, every other column a feature.
    pub fn value(column: &str) -> Self {
        Self { label: Label::Value(column.into()), ..Self::default() }
    }

    /// With these feature columns.
    pub fn features<T: Into<String>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.features = columns.into_iter().map(Into::into).collect();
        self
    }

    /// With these classes in this order.
    pub fn classes<T: Into<String>>(mut self, names: impl IntoIterator<Item = T>) -> Self {
        self.classes = names.into_iter().map(Into::into).collect();
        self
    }

    /// With these features as categories.
    pub fn categorical<T: Into<String>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.categorical = columns.into_iter().map(Into::into).collect();
        self
    }

    /// With these group columns.
    pub fn groups<T: Into<String>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.groups = columns.into_iter().map(Into::into).collect();
        self
    }

    /// With that column telling recordings apart.
    pub fn recording(mut self, column: &str) -> Self {
        self.recording = Some(column.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_has_its_default_and_what_is_unknown_is_refused() {
        let read = |text| serde_json::from_str::<CsvSpec>(text);
        let spec = read(r#"{"label": {"class": "exercise"}, "groups": ["person"], "missing": "drop_row"}"#).unwrap();
        let expected = CsvSpec { missing: Missing::DropRow, ..CsvSpec::class("exercise").groups(["person"]) };
        assert_eq!(spec, expected);
        assert!(read(r#"{"lable": {"class": "exercise"}}"#).is_err());
    }
}
