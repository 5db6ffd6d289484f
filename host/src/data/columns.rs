//! The columns of a table by their use.

use super::error::DataError;
use super::row_reader::RowReader;
use super::spec::{CsvSpec, Label, Missing};

/// Where in the rows of one table everything stands.
pub(super) struct Columns {
    pub(super) features: Vec<Column>,
    pub(super) label: Option<usize>,
    pub(super) groups: Vec<usize>,
    pub(super) recording: Option<usize>,
    /// Labels, groups and recordings with what happens to a row without them: they can't be filled.
    others: Vec<(usize, Missing)>,
}

/// A feature.
pub(super) struct Column {
    pub(super) place: usize,
    /// Whether it is a category.
    pub(super) is_category: bool,
    /// What happens to a row without it.
    missing: Missing,
    /// Whether a cell that is no number is missing.
    wrong_is_missing: bool,
}

impl Column {
    /// Whether the feature is missing: because the cell says so, or is no number and that shall count as missing.
    pub(super) fn is_missing(&self, row: &RowReader) -> bool {
        row.is_missing(self.place) || self.wrong_is_missing && !row.is_number(self.place)
    }
}

impl Columns {
    /// Finds them. Where the spec doesn't name the features and `first` does, the file before and its features, they are the
    /// columns of the same names.
    ///
    /// # Errors
    /// [`DataError::Unknown`] for a column that isn't there, [`DataError::Mismatch`] for one in two uses.
    pub(super) fn new(table: &RowReader, spec: &CsvSpec, first: Option<(&str, Vec<&str>)>) -> Result<Self, DataError> {
        // Of a file with another delimiter than was said no column is there.
        let find = |name: &String| table.column(name).map_err(|error| table.other_delimiter().unwrap_or(error));
        let label = match &spec.label {
            Label::None => None,
            Label::Class(name) | Label::Value(name) => Some(find(name)?),
        };
        let groups = spec.groups.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let recording = spec.recording.as_ref().map(find).transpose()?;
        let mut features = if spec.features.is_empty() {
            let used = |column: &usize| label == Some(*column) || recording == Some(*column) || groups.contains(column);
            (0..table.headers.len()).filter(|column| !used(column)).collect()
        } else {
            spec.features.iter().map(find).collect::<Result<Vec<_>, _>>()?
        };
        let mismatch =
            |expected: String, found, help| DataError::Mismatch { what: table.file.clone(), expected, found, help };
        if features.is_empty() {
            if let Some(error) = table.other_delimiter() {
                return Err(error);
            }
            let found = format!("only {}", table.headers.join(", "));
            return Err(mismatch(
                "at least one feature column".into(),
                found,
                "check the delimiter, or name the feature columns",
            ));
        }
        if let Some((place, column)) =
            features.iter().enumerate().find(|(place, column)| features[..*place].contains(column))
        {
            let found = format!("`{}` as number {place}, again", table.headers[*column]);
            return Err(mismatch("feature columns that differ".into(), found, "name each feature column once"));
        }
        // Whoever trains on the label learns to copy it.
        if let Some(&column) = features.iter().find(|column| label == Some(**column)) {
            let found = format!("`{}` as feature and as label", table.headers[column]);
            return Err(mismatch("a label that isn't a feature".into(), found, "take it out of the features"));
        }
        if let Some((file, names)) = first {
            if features.len() != names.len() {
                return Err(mismatch(
                    format!("{} feature columns as in {file}", names.len()),
                    features.len().to_string(),
                    "give files with the same columns, or name the feature columns",
                ));
            }
            // The same columns in another order are the same columns.
            if spec.features.is_empty() {
                features = names.iter().map(|name| table.column(name)).collect::<Result<_, _>>()?;
            }
        }
        for name in spec.categorical.iter().chain(spec.missing_in.keys()) {
            find(name)?;
        }
        if let Some(name) = spec.categorical.iter().find(|name| !features.iter().any(|&f| table.headers[f] == **name)) {
            let expected = format!("`{name}`, which is named in `categorical`, among the features");
            return Err(mismatch(
                expected,
                "another use".into(),
                "name it as a feature, or take it out of `categorical`",
            ));
        }
        let rule = |place: usize| spec.missing_in.get(&table.headers[place]).copied().unwrap_or(spec.missing);
        let needed = |place: usize| (place, if rule(place) == Missing::Keep { Missing::Refuse } else { rule(place) });
        let others = groups.iter().chain(&label).chain(&recording).map(|&place| needed(place)).collect();
        let feature = |place: usize| {
            let is_category = spec.categorical.contains(&table.headers[place]);
            let wrong_is_missing = spec.type_errors_are_missing && !is_category;
            Column { place, is_category, missing: rule(place), wrong_is_missing }
        };
        let features = features.into_iter().map(feature).collect();
        Ok(Self { features, label, groups, recording, others })
    }

    /// The places of all that are used.
    pub(super) fn used(&self) -> Vec<usize> {
        self.features.iter().map(|column| column.place).chain(self.others.iter().map(|(place, _)| *place)).collect()
    }

    /// Whether the row has all cells that it must have.
    ///
    /// # Errors
    /// [`DataError::Cell`] where missing ones are refused.
    pub(super) fn is_complete(&self, row: &RowReader) -> Result<bool, DataError> {
        let features = self.features.iter().filter(|column| column.is_missing(row));
        let features = features.map(|column| (column.place, column.missing));
        let others = self.others.iter().copied().filter(|(place, _)| row.is_missing(*place));
        let mut complete = true;
        for (place, rule) in features.chain(others) {
            match rule {
                Missing::Keep => {}
                Missing::DropRow => complete = false,
                Missing::Refuse => {
                    let help = "fill the cell, or drop or fill such rows with `missing`, see [data.clean]";
                    return Err(row.error(place, "a value", help));
                }
            }
        }
        Ok(complete)
    }
}
