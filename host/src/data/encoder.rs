//! Category columns as numbers, with the list of categories that the training part had.
//!
//! Encoding happens before the model, on the host and in whatever feeds the device: a device takes the encoded numbers, one
//! an input. The list travels in the file's metadata (`inputs`), so that the host encodes a row later as it did for training.

use super::clean::{Encode, Unknown};
use super::dataset::Dataset;
use super::error::{DataError, quoted};
use super::rows::{Feature, Rows};
use serde::{Deserialize, Serialize};

/// How the columns of a row become a model's inputs, in the order of the columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Encoder {
    /// One a feature column; empty for samples that aren't rows of a table.
    pub columns: Vec<EncodedColumn>,
}

/// What becomes of one column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncodedColumn {
    /// Its name.
    pub name: String,
    /// The categories of a category column; none for a column of numbers, which is an input as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub categories: Option<Categories>,
}

/// The categories of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Categories {
    /// How they become numbers.
    pub encode: Encode,
    /// In the order of their inputs, or of their numbers from 0.
    pub names: Vec<String>,
    /// What any other is.
    pub unknown: Unknown,
    /// What a missing one is; none: an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<String>,
}

impl Categories {
    /// How many inputs the column makes.
    fn width(&self) -> usize {
        if self.encode == Encode::OneHot { self.names.len() } else { 1 }
    }

    /// Adds the inputs of a category; false where it is refused.
    fn push(&self, category: &str, out: &mut Vec<f32>) -> bool {
        let place = self.names.iter().position(|name| name == category);
        match (self.encode, place, self.unknown) {
            (Encode::OneHot, None, Unknown::Zero) | (Encode::OneHot, Some(_), _) => {
                out.extend((0..self.names.len()).map(|index| f32::from(Some(index) == place)));
            }
            (Encode::Ordinal, Some(place), _) => out.push(place as f32),
            (Encode::Ordinal, None, Unknown::Number(number)) => out.push(number),
            _ => return false,
        }
        true
    }
}

const HELP: &str =
    "give the training part a row of this category, name all in `categories`, or say what `unknown` ones are";

impl Encoder {
    /// Whether any column is encoded; where none is, a row's numbers are the inputs, and a file needn't say how.
    pub fn has_categories(&self) -> bool {
        self.columns.iter().any(|column| column.categories.is_some())
    }

    /// The names of the inputs: a column of numbers and an ordinal one has its own, a one-hot input is `column=category`.
    pub fn inputs(&self) -> Vec<String> {
        let named = |column: &EncodedColumn| match &column.categories {
            Some(categories) if categories.encode == Encode::OneHot => {
                categories.names.iter().map(|name| format!("{}={name}", column.name)).collect()
            }
            _ => vec![column.name.clone()],
        };
        self.columns.iter().flat_map(named).collect()
    }

    /// Rows of shape `[inputs]`. Missing numbers stay NaN.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for rows of other columns; [`DataError::Cell`] with file, line and column for a category that
    /// isn't known, or a missing one that nothing fills.
    pub fn encode(&self, rows: Rows) -> Result<Dataset, DataError> {
        self.check(&rows.columns)?;
        if rows.columns.iter().all(|column| column.values.is_none()) {
            return Ok(rows.set);
        }
        let width: usize =
            self.columns.iter().map(|column| column.categories.as_ref().map_or(1, Categories::width)).sum();
        let mut features = Vec::with_capacity(rows.set.len() * width);
        for row in 0..rows.set.len() {
            for (place, (&x, (column, feature))) in
                rows.set.sample(row).iter().zip(self.columns.iter().zip(&rows.columns)).enumerate()
            {
                let (Some(categories), Some(values)) = (&column.categories, &feature.values) else {
                    features.push(x);
                    continue;
                };
                let value = if x.is_nan() { categories.fill.as_ref() } else { values.get(x as usize) };
                let value =
                    value.ok_or_else(|| rows.error(row, place, "a value", "fill the cell, or say with what"))?;
                if !categories.push(value, &mut features) {
                    return Err(rows.error(row, place, "a category of the training part", HELP));
                }
            }
        }
        Ok(Dataset { features, shape: vec![width], ..rows.set })
    }

    /// The inputs of one row of texts, a cell a column; an empty cell is missing: NaN in a column of numbers, which the
    /// constants in the file then fill.
    ///
    /// ```
    /// use emberlite_host::data::{CsvSpec, Prepare, PrepareSpec, parse_rows};
    /// let text = "size,colour\n1.5,red\n2,blue\n";
    /// let rows = parse_rows("x.csv", text.as_bytes(), &CsvSpec::default().categorical(["colour"]))?;
    /// let prepare = Prepare::fit(&PrepareSpec::default(), &rows)?;
    /// assert_eq!(prepare.encoder.inputs(), ["size", "colour=blue", "colour=red"]);
    /// assert_eq!(prepare.encoder.row(&["0.5", "red"])?, [0.5, 0.0, 1.0]);
    /// # Ok::<(), emberlite_host::data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for another number of cells, or a cell that its column can't hold.
    pub fn row(&self, cells: &[&str]) -> Result<Vec<f32>, DataError> {
        let mismatch = |what: &str, expected: &str, found: String, help| DataError::Mismatch {
            what: what.into(),
            expected: expected.into(),
            found,
            help,
        };
        if cells.len() != self.columns.len() {
            let (expected, found) = (format!("{} cells", self.columns.len()), cells.len().to_string());
            return Err(mismatch("row", &expected, found, "give a cell for each feature column, in their order"));
        }
        let mut inputs = Vec::new();
        for (cell, column) in cells.iter().map(|cell| cell.trim()).zip(&self.columns) {
            let wrong = |expected, help| mismatch(&format!("column `{}`", column.name), expected, quoted(cell), help);
            match &column.categories {
                None if cell.is_empty() => inputs.push(f32::NAN),
                None => {
                    let number = cell.parse().ok().filter(|number: &f32| number.is_finite());
                    inputs.push(number.ok_or_else(|| wrong("a finite number", "mend the cell"))?);
                }
                Some(categories) => {
                    let cell = if cell.is_empty() { categories.fill.as_deref().unwrap_or(cell) } else { cell };
                    if !categories.push(cell, &mut inputs) {
                        return Err(wrong("a category of the training part", HELP));
                    }
                }
            }
        }
        Ok(inputs)
    }

    /// Whether rows have the columns that this was fitted on.
    fn check(&self, columns: &[Feature]) -> Result<(), DataError> {
        let same = |(own, other): (&EncodedColumn, &Feature)| {
            own.name == other.name && own.categories.is_some() == other.values.is_some()
        };
        if self.columns.len() == columns.len() && self.columns.iter().zip(columns).all(same) {
            return Ok(());
        }
        let own = self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let other = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let help = "give tables with the feature columns of the training part, in their order, of the same kind";
        Err(DataError::Mismatch { what: "feature columns".into(), expected: own, found: other, help })
    }
}
