//! From rows of cells to numbers and labels: the one way for tables that are loaded and for those that are packed.

use super::columns::Columns;
use super::dataset::Labels;
use super::error::{DataError, quoted};
use super::row_reader::RowReader;
use super::rows::Feature;
use super::spec::{CsvSpec, Label};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// What the rows of some tables, one after the other, mean. Labels are kept, four bytes a row; features are handed out.
pub(super) struct RowParser<'a> {
    spec: &'a CsvSpec,
    /// The first table's name.
    first: String,
    /// `[columns]`, those of the first table; the values of categories in the order of their appearance.
    pub(super) features: Vec<Feature>,
    categories: Vec<HashMap<String, u32>>,
    classes: Names,
    values: Vec<f32>,
}

/// Names by number, and the number of each row.
#[derive(Default)]
pub(super) struct Names {
    pub(super) names: Vec<String>,
    known: HashMap<String, u32>,
    pub(super) ids: Vec<u32>,
}

impl Names {
    /// Adds a row's name.
    pub(super) fn push(&mut self, name: &str) {
        let id = number(&mut self.known, &mut self.names, name);
        self.ids.push(id);
    }
}

/// The number of a name, a new one at the end.
fn number(known: &mut HashMap<String, u32>, names: &mut Vec<String>, name: &str) -> u32 {
    if let Some(&id) = known.get(name) {
        return id;
    }
    let id = names.len() as u32;
    names.push(name.into());
    known.insert(name.into(), id);
    id
}

/// The names of the feature columns of a table, of which no more than the head is read.
///
/// # Errors
/// As [`read_rows`](super::read_rows), but for those of rows.
pub(crate) fn feature_names(path: &Path, spec: &CsvSpec) -> Result<Vec<String>, DataError> {
    let mut parser = RowParser::new(spec)?;
    parser.table(&mut RowReader::open(path, spec)?)?;
    Ok(parser.features.into_iter().map(|feature| feature.name).collect())
}

impl<'a> RowParser<'a> {
    /// A parser of tables with that meaning.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for a class that is named twice.
    pub(super) fn new(spec: &'a CsvSpec) -> Result<Self, DataError> {
        check_names(&spec.classes)?;
        let known = spec.classes.iter().cloned().zip(0..).collect();
        let classes = Names { names: spec.classes.clone(), known, ids: Vec::new() };
        Ok(Self {
            spec,
            first: String::new(),
            features: Vec::new(),
            categories: Vec::new(),
            classes,
            values: Vec::new(),
        })
    }

    /// The columns of the next table, whose rows are to be parsed from now on.
    ///
    /// # Errors
    /// As [`Columns::new`].
    pub(super) fn table(&mut self, table: &mut RowReader) -> Result<Columns, DataError> {
        let names = || self.features.iter().map(|feature| feature.name.as_str()).collect();
        let first = (!self.features.is_empty()).then(|| (self.first.as_str(), names()));
        let columns = Columns::new(table, self.spec, first)?;
        table.keep(&columns.used());
        if self.features.is_empty() {
            self.first = table.file.clone();
            let features = columns.features.iter().map(|column| Feature {
                name: table.headers[column.place].clone(),
                values: column.is_category.then(Vec::new),
            });
            self.features = features.collect();
            self.categories = vec![HashMap::new(); self.features.len()];
        }
        Ok(columns)
    }

    /// Adds the numbers of a row to `out`, `[columns]`: NaN for what is missing and shall be filled, and of a category its
    /// number in the order of appearance. False, and nothing is added, where the row is left out.
    ///
    /// # Errors
    /// [`DataError::Cell`].
    pub(super) fn row(&mut self, row: &RowReader, columns: &Columns, out: &mut Vec<f32>) -> Result<bool, DataError> {
        if !columns.is_complete(row)? {
            return Ok(false);
        }
        for ((column, feature), known) in columns.features.iter().zip(&mut self.features).zip(&mut self.categories) {
            out.push(if column.is_missing(row) {
                f32::NAN
            } else if let Some(values) = &mut feature.values {
                number(known, values, row.cell(column.place)) as f32
            } else {
                row.number(column.place).map_err(|error| row.other_delimiter().unwrap_or(error))?
            });
        }
        match (&self.spec.label, columns.label) {
            (Label::Class(_), Some(column)) => {
                let name = row.cell(column);
                if !self.spec.classes.is_empty() && !self.classes.known.contains_key(name) {
                    let help = "add it to the classes, or remove the rows of this class";
                    return Err(row.error(column, "one of the named classes", help));
                }
                self.classes.push(name);
            }
            (Label::Value(_), Some(column)) => self.values.push(row.number(column)?),
            _ => {}
        }
        Ok(true)
    }

    /// The labels of all rows; classes in the order asked for, or sorted.
    pub(super) fn labels(&mut self) -> Labels {
        match &self.spec.label {
            Label::None => Labels::None,
            Label::Value(_) => Labels::Value(std::mem::take(&mut self.values)),
            Label::Class(_) => {
                let Names { names: found, mut ids, .. } = std::mem::take(&mut self.classes);
                let names = if self.spec.classes.is_empty() { sorted(&found) } else { found.clone() };
                let place: HashMap<&str, u32> = names.iter().map(String::as_str).zip(0..).collect();
                let order: Vec<u32> = found.iter().map(|name| place[name.as_str()]).collect();
                ids.iter_mut().for_each(|id| *id = order[*id as usize]);
                Labels::Class { ids, names }
            }
        }
    }
}

/// Refuses a list in which a class stands twice: one of both would never be meant.
pub(super) fn check_names(classes: &[String]) -> Result<(), DataError> {
    match classes.iter().enumerate().find(|(place, name)| classes[..*place].contains(name)) {
        None => Ok(()),
        Some((_, name)) => Err(DataError::Mismatch {
            what: "classes".into(),
            expected: "names that differ".into(),
            found: format!("{} twice", quoted(name)),
            help: "name each class once",
        }),
    }
}

/// Distinct names, as numbers where all are whole numbers: 2 comes before 10.
pub(super) fn sorted(names: &[String]) -> Vec<String> {
    let number = |name: &String| name.parse::<i64>();
    if names.iter().all(|name| number(name).is_ok()) {
        let mut names = names.to_vec();
        names.sort_by_key(|name| (number(name).unwrap_or(0), name.clone()));
        names
    } else {
        names.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// The error of tables without a row to learn from, of which `first` is the first.
pub(super) fn no_rows(first: Option<String>) -> DataError {
    DataError::Mismatch {
        what: first.unwrap_or_else(|| "no file".into()),
        expected: "at least one row without missing cells".into(),
        found: "none".into(),
        help: "name the feature columns without those that are often empty",
    }
}
