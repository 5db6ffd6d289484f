//! The rows of tables with what is known of their columns: before categories are encoded and gaps are filled.
//!
//! Nothing here is fitted, so rows are read before they are divided: what depends on the numbers (fill values, limits, the
//! list of categories) waits for the training part, in [`Prepare`](super::Prepare).

use super::bytes;
use super::csv;
use super::dataset::{Column, Dataset, Labels, Origin, pick};
use super::error::{DataError, quoted};
use super::parquet;
use super::spec::{CsvSpec, Label, Missing};
use super::table::Table;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

/// Rows of tables, one number a column: NaN where a cell is missing and shall be filled, and for a category column the
/// index of its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// `[rows, columns]` with labels, groups and origins.
    pub set: Dataset,
    /// `[columns]`; empty for samples that aren't rows of a table (NPZ, IDX).
    pub columns: Vec<Feature>,
    /// `[rows]`, or empty as `columns`.
    pub(super) places: Vec<Place>,
    pub(super) files: Vec<String>,
}

/// A feature column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// The column's name.
    pub name: String,
    /// The values of a category column, sorted (as numbers where all are whole numbers); none for a column of numbers.
    pub values: Option<Vec<String>>,
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) line: u64,
}

impl From<Dataset> for Rows {
    /// Samples that are no rows of a table: nothing is known of their columns.
    fn from(set: Dataset) -> Self {
        Self { set, columns: Vec::new(), places: Vec::new(), files: Vec::new() }
    }
}

impl Rows {
    /// The rows at `indices`, in that order; panics beyond the end, as indexing does.
    pub fn select(&self, indices: &[usize]) -> Self {
        let places = if self.places.is_empty() { Vec::new() } else { pick(&self.places, indices) };
        Self { set: self.set.select(indices), columns: self.columns.clone(), places, files: self.files.clone() }
    }

    /// File and line of a row, `rows.csv:12`; "sample 11" where rows have none.
    pub fn place(&self, row: usize) -> String {
        match self.places.get(row) {
            Some(place) => format!("{}:{}", self.files[place.file as usize], place.line),
            None => format!("sample {row}"),
        }
    }

    /// Without rows that say again what an earlier one said: the same features, label, groups and recording.
    pub fn without_duplicates(&self) -> Self {
        let mut seen = HashSet::with_capacity(self.set.len());
        let label = |row: usize| match &self.set.labels {
            // Rows of tables have no tokens.
            Labels::None | Labels::Tokens { .. } => 0,
            Labels::Class { ids, .. } => ids[row],
            Labels::Value(values) => bits(values[row]),
        };
        let key = |row: usize| {
            let features = self.set.sample(row).iter().map(|&x| bits(x));
            let groups = self.set.columns.iter().map(|column| column.ids[row]);
            let rest = [label(row), self.set.origins[row].recording];
            features.chain(groups).chain(rest).collect::<Vec<u32>>()
        };
        let kept: Vec<usize> = (0..self.set.len()).filter(|&row| seen.insert(key(row))).collect();
        self.select(&kept)
    }

    /// Multiplies every number; categories stay.
    pub fn scale(&mut self, scale: f32) {
        if scale == 1.0 {
            return;
        }
        let width = self.columns.len().max(1);
        let is_number = |place: usize| self.columns.get(place % width).is_none_or(|column| column.values.is_none());
        self.set.features.iter_mut().enumerate().filter(|(place, _)| is_number(*place)).for_each(|(_, x)| *x *= scale);
    }

    /// Whether a fixed16 device can read every number: such readings are integers of 16 bits.
    ///
    /// # Errors
    /// [`DataError::Cell`] with file, line and column (or the sample) of the first that it can't.
    pub fn check_whole(&self) -> Result<(), DataError> {
        let size = self.set.sample_len().max(1);
        let is_number = |place: usize| self.columns.get(place % size).is_none_or(|column| column.values.is_none());
        let unreadable = |(place, &x): (usize, &f32)| !x.is_nan() && whole(x).is_none() && is_number(place);
        match self.set.features.iter().enumerate().find(|&found| unreadable(found)) {
            None => Ok(()),
            Some((place, _)) => Err(self.error(
                place / size,
                place % size,
                "a whole number from -32768 to 32767, which is what a fixed16 device reads",
                "choose a unit that makes it whole with `scale` in [preprocessing], or take format = \"f32\"",
            )),
        }
    }

    /// The error that a cell isn't what a model can take.
    pub(super) fn error(&self, row: usize, column: usize, expected: &'static str, help: &'static str) -> DataError {
        let place = self.places.get(row).copied().unwrap_or(Place { file: 0, line: row as u64 });
        let value = self.set.sample(row).get(column).copied().unwrap_or(f32::NAN);
        let feature = self.columns.get(column);
        let found = match feature.and_then(|feature| feature.values.as_ref()) {
            Some(values) => quoted(values.get(value as usize).map_or("", String::as_str)),
            None => value.to_string(),
        };
        DataError::Cell {
            file: self.files.get(place.file as usize).cloned().unwrap_or_else(|| "sample".into()),
            line: place.line,
            column: feature.map_or_else(|| column.to_string(), |feature| feature.name.clone()),
            expected,
            found,
            help,
        }
    }
}

/// The integer that a device of 16 bits reads for a number; scaled decimals come out next to the one that they stand for.
pub fn whole(x: f32) -> Option<i16> {
    let near = x.round();
    ((x - near).abs() <= 1e-3 && (-32768.0..=32767.0).contains(&near)).then_some(near as i16)
}

/// Bits that are equal where numbers are: one zero, one NaN.
fn bits(x: f32) -> u32 {
    if x == 0.0 {
        0
    } else if x.is_nan() {
        f32::NAN.to_bits()
    } else {
        x.to_bits()
    }
}

/// Reads tables, one after the other: Parquet by its first bytes, anything else as CSV. Recordings of different files are
/// different.
///
/// # Errors
/// [`DataError`] with file, line (of Parquet: row, from 1) and column for anything that isn't as the spec says.
pub fn read_rows<P: AsRef<Path>>(paths: &[P], spec: &CsvSpec) -> Result<Rows, DataError> {
    let mut tables = Vec::with_capacity(paths.len());
    for path in paths {
        let path = path.as_ref();
        tables.push(table(&bytes::name(path), bytes::read(path)?, spec)?);
    }
    assemble(&tables, spec)
}

/// The same for the bytes of one file; `file` is its name in errors. Gzip is unpacked.
///
/// # Errors
/// As [`read_rows`].
pub fn parse_rows(file: &str, bytes: &[u8], spec: &CsvSpec) -> Result<Rows, DataError> {
    assemble(&[table(file, bytes::unpack(file, bytes.to_vec())?, spec)?], spec)
}

fn table(file: &str, bytes: Vec<u8>, spec: &CsvSpec) -> Result<Table, DataError> {
    if bytes.starts_with(parquet::MAGIC) { parquet::table(file, bytes) } else { csv::table(file, &bytes, spec) }
}

/// The columns of one table by their use.
struct Used<'a> {
    table: &'a Table,
    features: Vec<usize>,
    /// For each feature, whether it is a category.
    categorical: Vec<bool>,
    label: Option<usize>,
    groups: Vec<usize>,
    recording: Option<usize>,
}

impl<'a> Used<'a> {
    fn new(table: &'a Table, spec: &CsvSpec) -> Result<Self, DataError> {
        let find = |name: &String| table.column(name);
        let label = match &spec.label {
            Label::None => None,
            Label::Class(name) | Label::Value(name) => Some(find(name)?),
        };
        let groups = spec.groups.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        let recording = spec.recording.as_ref().map(find).transpose()?;
        let features = if spec.features.is_empty() {
            let used = |column: &usize| label == Some(*column) || recording == Some(*column) || groups.contains(column);
            (0..table.headers.len()).filter(|column| !used(column)).collect()
        } else {
            spec.features.iter().map(find).collect::<Result<Vec<_>, _>>()?
        };
        let mismatch =
            |expected: String, found, help| DataError::Mismatch { what: table.file.clone(), expected, found, help };
        if features.is_empty() {
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
        let known = spec.categorical.iter().chain(spec.missing_in.keys());
        for name in known {
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
        let categorical = features.iter().map(|&column| spec.categorical.contains(&table.headers[column])).collect();
        Ok(Self { table, features, categorical, label, groups, recording })
    }

    /// Whether the row has all cells that it must have; an error where missing ones are refused.
    fn complete(&self, row: usize, spec: &CsvSpec) -> Result<bool, DataError> {
        let rule = |column: usize| spec.missing_in.get(&self.table.headers[column]).copied().unwrap_or(spec.missing);
        let missing = |column: &&usize| self.is_missing(row, **column, spec);
        let features = self.features.iter().filter(missing).map(|&column| (column, rule(column)));
        // What is no feature can't be filled.
        let others = self.groups.iter().chain(&self.label).chain(&self.recording);
        let others = others.filter(|column| self.table.is_missing(row, **column));
        let others =
            others.map(|&column| (column, if rule(column) == Missing::Keep { Missing::Refuse } else { rule(column) }));
        let mut complete = true;
        for (column, rule) in features.chain(others) {
            match rule {
                Missing::Keep => {}
                Missing::DropRow => complete = false,
                Missing::Refuse => {
                    let help = "fill the cell, or drop or fill such rows with `missing`, see [data.clean]";
                    return Err(self.table.error(row, column, "a value", help));
                }
            }
        }
        Ok(complete)
    }

    /// Whether a feature is missing: because the cell says so, or is no number and that shall count as missing.
    fn is_missing(&self, row: usize, column: usize, spec: &CsvSpec) -> bool {
        let categorical = || spec.categorical.contains(&self.table.headers[column]);
        self.table.is_missing(row, column)
            || spec.type_errors_are_missing && !categorical() && self.table.number(row, column).is_err()
    }
}

/// Puts tables together.
pub(super) fn assemble(tables: &[Table], spec: &CsvSpec) -> Result<Rows, DataError> {
    let mut features = Vec::new();
    let mut origins = Vec::new();
    let mut places = Vec::new();
    let mut values = Vec::new();
    let mut classes = Column::new("");
    let mut columns: Vec<Column> = spec.groups.iter().map(|name| Column::new(name)).collect();
    let mut interner: Vec<HashMap<&str, u32>> = vec![HashMap::new(); columns.len() + 1];
    let mut recordings: HashMap<(usize, &str), (u32, u32)> = HashMap::new();
    let mut known: Vec<Feature> = Vec::new();
    let mut categories: Vec<HashMap<&str, u32>> = Vec::new();
    check_names(&spec.classes)?;
    for (number, table) in tables.iter().enumerate() {
        let used = Used::new(table, spec)?;
        if number > 0 && used.features.len() != known.len() {
            return Err(DataError::Mismatch {
                what: table.file.clone(),
                expected: format!("{} feature columns as in {}", known.len(), tables[0].file),
                found: used.features.len().to_string(),
                help: "give files with the same columns, or name the feature columns",
            });
        }
        if number == 0 {
            let feature = |(&column, &categorical): (&usize, &bool)| Feature {
                name: table.headers[column].clone(),
                values: categorical.then(Vec::new),
            };
            known = used.features.iter().zip(&used.categorical).map(feature).collect();
            categories = vec![HashMap::new(); known.len()];
        }
        for row in 0..table.rows() {
            let key = (number, used.recording.map_or("", |column| table.cell(row, column)));
            let next_recording = recordings.len() as u32;
            let (recording, next) = recordings.entry(key).or_insert((next_recording, 0));
            // Counted before a row may be dropped: the gap must stay visible.
            let origin = Origin { recording: *recording, row: *next, rows: 1 };
            *next += 1;
            if !used.complete(row, spec)? {
                continue;
            }
            for ((&column, feature), categories) in used.features.iter().zip(&mut known).zip(&mut categories) {
                features.push(if used.is_missing(row, column, spec) {
                    f32::NAN
                } else if let Some(values) = &mut feature.values {
                    let cell = table.cell(row, column);
                    let next = values.len() as u32;
                    let id = *categories.entry(cell).or_insert(next);
                    if id == next {
                        values.push(cell.into());
                    }
                    id as f32
                } else {
                    table.number(row, column)?
                });
            }
            match (&spec.label, used.label) {
                (Label::Class(_), Some(column)) => intern(&mut classes, &mut interner[0], table.cell(row, column)),
                (Label::Value(_), Some(column)) => values.push(table.number(row, column)?),
                _ => {}
            }
            for (group, &column) in used.groups.iter().enumerate() {
                intern(&mut columns[group], &mut interner[group + 1], table.cell(row, column));
            }
            origins.push(origin);
            places.push(Place { file: number as u32, line: table.line(row) });
        }
    }
    let labels = match &spec.label {
        Label::None => Labels::None,
        Label::Class(name) => name_classes(classes, name, tables, spec)?,
        Label::Value(_) => Labels::Value(values),
    };
    if origins.is_empty() {
        return Err(DataError::Mismatch {
            what: tables.first().map_or("no file", |table| &table.file).into(),
            expected: "at least one row without missing cells".into(),
            found: "none".into(),
            help: "name the feature columns without those that are often empty",
        });
    }
    sort_categories(&mut features, &mut known);
    let set = Dataset { features, shape: vec![known.len()], labels, columns, origins };
    let files = tables.iter().map(|table| table.file.clone()).collect();
    Ok(Rows { set, columns: known, places, files })
}

/// Numbers categories in the order of their names, so that a row's place in the file doesn't matter.
fn sort_categories(features: &mut [f32], columns: &mut [Feature]) {
    let width = columns.len();
    for (column, feature) in columns.iter_mut().enumerate() {
        let Some(values) = &mut feature.values else { continue };
        let names = sorted(values);
        let place: HashMap<&str, usize> = names.iter().zip(0..).map(|(name, place)| (name.as_str(), place)).collect();
        let new: Vec<f32> = values.iter().map(|name| place[name.as_str()] as f32).collect();
        for x in features.iter_mut().skip(column).step_by(width) {
            *x = new.get(*x as usize).copied().filter(|_| !x.is_nan()).unwrap_or(f32::NAN);
        }
        *values = names;
    }
}

fn intern<'a>(column: &mut Column, known: &mut HashMap<&'a str, u32>, text: &'a str) {
    let next = column.values.len() as u32;
    let id = *known.entry(text).or_insert(next);
    if id == next {
        column.values.push(text.into());
    }
    column.ids.push(id);
}

/// Refuses a list in which a class stands twice: one of both would never be meant.
fn check_names(classes: &[String]) -> Result<(), DataError> {
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

/// Numbers the classes in the order asked for.
fn name_classes(found: Column, column: &str, tables: &[Table], spec: &CsvSpec) -> Result<Labels, DataError> {
    let names = if spec.classes.is_empty() { sorted(&found.values) } else { spec.classes.clone() };
    let place: HashMap<&str, u32> = names.iter().zip(0..).map(|(name, id)| (name.as_str(), id)).collect();
    let ids: Option<Vec<u32>> = found.values.iter().map(|name| place.get(name.as_str()).copied()).collect();
    let Some(ids) = ids else {
        // Looked up again only now: the way of an error may be slow.
        for table in tables {
            let index = table.column(column)?;
            let unknown = |row: &usize| !place.contains_key(table.cell(*row, index)) && !table.is_missing(*row, index);
            if let Some(row) = (0..table.rows()).find(unknown) {
                let help = "add it to the classes, or remove the rows of this class";
                return Err(table.error(row, index, "one of the named classes", help));
            }
        }
        return Ok(Labels::None);
    };
    let ids = found.ids.iter().map(|&id| ids[id as usize]).collect();
    Ok(Labels::Class { ids, names })
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
