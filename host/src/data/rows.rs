//! The rows of tables with what is known of their columns: before categories are encoded and gaps are filled.
//!
//! Nothing here is fitted, so rows are read before they are divided: what depends on the numbers (fill values, limits, the
//! list of categories) waits for the training part, in [`Prepare`](super::Prepare).

use super::bytes;
use super::dataset::{Column, Dataset, Labels, Origin, pick};
use super::error::{DataError, quoted};
use super::row_parser::{Names, RowParser, no_rows, sorted};
use super::row_reader::RowReader;
use super::spec::CsvSpec;
use std::collections::{HashMap, HashSet};
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
            Some((place, _)) => Err(self.error(place / size, place % size, WHOLE, MAKE_WHOLE)),
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

/// What [`whole`] takes, and what to do with what it doesn't.
pub(super) const WHOLE: &str = "a whole number from -32768 to 32767, which is what a fixed16 device reads";
pub(super) const MAKE_WHOLE: &str =
    "choose a unit that makes it whole with `scale` in [preprocessing], or take format = \"f32\"";

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
/// different. Where the spec doesn't name the features, those of the first file count, in its order.
///
/// # Errors
/// [`DataError`] with file, line (of Parquet: row, from 1) and column for anything that isn't as the spec says.
pub fn read_rows<P: AsRef<Path>>(paths: &[P], spec: &CsvSpec) -> Result<Rows, DataError> {
    let read = |path: &P| RowReader::parse(&bytes::name(path.as_ref()), bytes::read(path.as_ref())?, spec);
    assemble(paths.iter().map(read), spec)
}

/// The same for the bytes of one file; `file` is its name in errors. Gzip is unpacked.
///
/// # Errors
/// As [`read_rows`].
pub fn parse_rows(file: &str, bytes: &[u8], spec: &CsvSpec) -> Result<Rows, DataError> {
    let bytes = bytes::unpack(file, bytes.to_vec())?;
    assemble([RowReader::parse(file, bytes, spec)].into_iter(), spec)
}

/// Puts tables together; each is opened once those before are read.
pub(super) fn assemble(
    tables: impl Iterator<Item = Result<RowReader, DataError>>,
    spec: &CsvSpec,
) -> Result<Rows, DataError> {
    let mut parser = RowParser::new(spec)?;
    let (mut features, mut origins, mut places, mut files) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut groups: Vec<Names> = spec.groups.iter().map(|_| Names::default()).collect();
    let mut first_recording = 0;
    for (number, table) in tables.enumerate() {
        let mut table = table?;
        let columns = parser.table(&mut table)?;
        let mut recordings: HashMap<String, (u32, u32)> = HashMap::new();
        while table.advance()? {
            let key = columns.recording.map_or("", |column| table.cell(column));
            if !recordings.contains_key(key) {
                recordings.insert(key.into(), (first_recording + recordings.len() as u32, 0));
            }
            let Some((recording, next)) = recordings.get_mut(key) else { continue };
            // Counted before a row may be dropped: the gap must stay visible.
            let origin = Origin { recording: *recording, row: *next, rows: 1 };
            *next += 1;
            if !parser.row(&table, &columns, &mut features)? {
                continue;
            }
            groups.iter_mut().zip(&columns.groups).for_each(|(names, &column)| names.push(table.cell(column)));
            origins.push(origin);
            places.push(Place { file: number as u32, line: table.line() });
        }
        first_recording += recordings.len() as u32;
        files.push(table.file);
    }
    if origins.is_empty() {
        return Err(no_rows(files.first().cloned()));
    }
    let labels = parser.labels();
    let mut known = parser.features;
    sort_categories(&mut features, &mut known);
    let group = |(name, Names { names: values, ids, .. }): (&String, Names)| Column { name: name.clone(), values, ids };
    let columns = spec.groups.iter().zip(groups).map(group).collect();
    let set = Dataset { features, shape: vec![known.len()], labels, columns, origins };
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
