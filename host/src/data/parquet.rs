//! Parquet: the same tables as CSV, with the same meaning of columns.
//!
//! Read through the crate's column interface, which reports damage where its row interface would panic. Only flat columns
//! are tables: integers, floats, booleans (1 and 0 as features), texts, and null for a missing value. Dates, decimals and
//! nested columns are refused by name, but only if they are used.

use super::bytes::{LIMIT, unreadable};
use super::error::DataError;
use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::fmt::Write;
use std::fs::File;

/// What a Parquet file starts with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Rows decoded at once.
const BATCH: usize = 8192;

/// Rows of cells, some thousands of them in memory, with a page of each column that is used.
pub(super) struct ParquetRows {
    file: String,
    /// Bytes of the file.
    len: u64,
    reader: Box<dyn FileReader>,
    columns: Vec<Chunks>,
    /// The row group to open next.
    group: usize,
    /// Rows of the open group that weren't decoded yet.
    left: usize,
    /// Decoded rows, and which of them is the next.
    decoded: usize,
    next: usize,
    row: u64,
    /// Bytes that all columns so far unpack to, where they shall have a limit.
    unpacked: Option<u64>,
}

/// A column of the file that is one of the table.
struct Chunks {
    /// Its place in the file.
    index: usize,
    name: String,
    used: bool,
    /// Of the open row group.
    reader: Option<ColumnReader>,
    cells: Cells,
}

impl ParquetRows {
    /// The rows of bytes in memory, which may not unpack to more than any file may; and the names of all columns that can be
    /// cells. Others are left out, so that asking for them says which there are.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for anything but a whole Parquet file with such columns.
    pub(super) fn parse(file: &str, bytes: Vec<u8>) -> Result<(Self, Vec<String>), DataError> {
        let bytes = Bytes::from(bytes);
        let len = bytes.len() as u64;
        Self::new(file, len, Some(0), || Ok(Box::new(SerializedFileReader::new(bytes)?)))
    }

    /// The same of a file, of which pages are read as rows are asked for.
    ///
    /// # Errors
    /// As [`ParquetRows::parse`].
    pub(super) fn open(name: &str, file: File) -> Result<(Self, Vec<String>), DataError> {
        let len = file.metadata().map_err(|error| unreadable(name, error))?.len();
        Self::new(name, len, None, || Ok(Box::new(SerializedFileReader::new(file)?)))
    }

    fn new(
        file: &str,
        len: u64,
        unpacked: Option<u64>,
        open: impl FnOnce() -> Result<Box<dyn FileReader>, ParquetError>,
    ) -> Result<(Self, Vec<String>), DataError> {
        let reader = guarded(file, || open().map_err(|error| damaged(file, WHOLE, error.to_string())))?;
        let mut columns: Vec<Chunks> = Vec::new();
        for (index, description) in reader.metadata().file_metadata().schema_descr().columns().iter().enumerate() {
            if !is_cell(description) {
                continue;
            }
            let name = description.path().string();
            if columns.iter().any(|column| column.name == name) {
                return Err(damaged(file, "column names that differ", format!("`{name}` twice")));
            }
            columns.push(Chunks { index, name, used: true, reader: None, cells: Cells::default() });
        }
        if columns.is_empty() {
            return Err(damaged(file, "columns of numbers, booleans or texts", "none".into()));
        }
        let names = columns.iter().map(|column| column.name.clone()).collect();
        let file = file.into();
        let rows = Self { file, len, reader, columns, group: 0, left: 0, decoded: 0, next: 0, row: 0, unpacked };
        Ok((rows, names))
    }

    /// Reads those columns only; the cells of others are empty. Before the first row.
    pub(super) fn keep(&mut self, columns: &[usize]) {
        self.columns.iter_mut().enumerate().for_each(|(place, column)| column.used = columns.contains(&place));
    }

    /// Goes to the next row; false at the end.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for damage, [`DataError::TooLarge`].
    pub(super) fn advance(&mut self) -> Result<bool, DataError> {
        while self.next == self.decoded {
            if self.left == 0 && !self.open_group()? {
                return Ok(false);
            }
            self.decode()?;
        }
        self.next += 1;
        self.row += 1;
        Ok(true)
    }

    /// The text of a cell of this row without blanks around it.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.columns.get(column).filter(|column| column.used).map_or("", |column| column.cells.get(self.next - 1))
    }

    /// The number of this row, from 1.
    pub(super) fn line(&self) -> u64 {
        self.row
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.len
    }

    /// Opens the columns of the next row group; false if there is none.
    fn open_group(&mut self) -> Result<bool, DataError> {
        let Self { file, len, reader, columns, group, left, unpacked, .. } = self;
        let file = file.as_str();
        let Some(rows) = reader.metadata().row_groups().get(*group) else { return Ok(false) };
        for Chunks { index, name, used, reader: chunk_reader, .. } in columns {
            let chunk =
                rows.columns().get(*index).ok_or_else(|| damaged(file, "all columns", format!("no `{name}`")))?;
            // Sizes are only what the file says, and memory is asked for by them.
            let (start, packed) =
                (chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()), chunk.compressed_size());
            let end =
                u64::try_from(start).ok().zip(u64::try_from(packed).ok()).and_then(|(at, len)| at.checked_add(len));
            if end.is_none_or(|end| end > *len) {
                return Err(damaged(file, "columns within the file", format!("`{name}` up to byte {end:?} of {len}")));
            }
            if !*used {
                continue;
            }
            // Of a file that is streamed a page at a time is in memory, however long its columns are.
            if let Some(sum) = unpacked {
                *sum = sum.saturating_add(chunk.uncompressed_size().max(0) as u64);
                if *sum > LIMIT {
                    return Err(DataError::TooLarge { file: file.into(), limit: LIMIT });
                }
            }
            let open = || reader.get_row_group(*group).and_then(|group| group.get_column_reader(*index));
            *chunk_reader = Some(guarded(file, || open().map_err(|error| damaged(file, WHOLE, error.to_string())))?);
        }
        *left = usize::try_from(rows.num_rows()).unwrap_or(usize::MAX);
        *group += 1;
        Ok(true)
    }

    /// Decodes the next rows of the open group.
    fn decode(&mut self) -> Result<(), DataError> {
        let schema = self.reader.metadata().file_metadata().schema_descr_ptr();
        let wanted = self.left.min(BATCH);
        for Chunks { index, name, reader, cells, .. } in &mut self.columns {
            cells.clear();
            let Some(reader) = reader else { continue };
            guarded(&self.file, || {
                let read = read(reader, &schema.column(*index), wanted, cells);
                read.map_err(|error| damaged(&self.file, WHOLE, error.to_string()))
            })?;
            if cells.len() != wanted {
                let found = format!("{} in `{name}`", cells.len());
                return Err(damaged(&self.file, "as many values as rows in every column", found));
            }
        }
        (self.decoded, self.next) = (wanted, 0);
        self.left -= wanted;
        Ok(())
    }
}

/// What `read` gives. The last resort: the crate has asserts on what a damaged file says, and a panic in it says no more
/// than this.
fn guarded<T>(file: &str, read: impl FnOnce() -> Result<T, DataError>) -> Result<T, DataError> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read));
    caught.unwrap_or_else(|_| Err(damaged(file, WHOLE, "damage".into())))
}

/// Cells of one column: one block of text and one number a cell.
#[derive(Default)]
struct Cells {
    text: String,
    /// Where each cell ends in `text`; it starts where the cell before ends.
    ends: Vec<usize>,
}

impl Cells {
    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    /// Adds a cell, without blanks around it.
    fn push(&mut self, cell: &str) {
        self.text += cell.trim();
        self.ends.push(self.text.len());
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, row: usize) -> &str {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(row).and_then(|&end| self.text.get(start..end)).unwrap_or("")
    }
}

/// Whether a column is one value a row of a type that is a cell.
fn is_cell(column: &ColumnDescriptor) -> bool {
    use parquet::basic::Type::*;
    let flat = column.max_rep_level() == 0 && column.path().parts().len() == 1;
    let plain = match column.physical_type() {
        BOOLEAN | FLOAT | DOUBLE => true,
        INT32 | INT64 => {
            matches!(
                column.converted_type(),
                ConvertedType::NONE
                    | ConvertedType::INT_8
                    | ConvertedType::INT_16
                    | ConvertedType::INT_32
                    | ConvertedType::INT_64
                    | ConvertedType::UINT_8
                    | ConvertedType::UINT_16
                    | ConvertedType::UINT_32
                    | ConvertedType::UINT_64
            ) && matches!(column.logical_type_ref(), None | Some(LogicalType::Integer { .. }))
        }
        BYTE_ARRAY => {
            matches!(column.converted_type(), ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::NONE)
        }
        INT96 | FIXED_LEN_BYTE_ARRAY => false,
    };
    flat && plain
}

fn read(
    reader: &mut ColumnReader,
    column: &ColumnDescriptor,
    rows: usize,
    cells: &mut Cells,
) -> Result<(), ParquetError> {
    let unsigned = matches!(
        column.converted_type(),
        ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
    );
    let optional = column.self_type().get_basic_info().repetition() == Repetition::OPTIONAL;
    let number = |text: &mut String, value: &dyn std::fmt::Display| {
        // Writing to a text can't fail.
        let _ = write!(text, "{value}");
        Ok(())
    };
    match reader {
        ColumnReader::BoolColumnReader(reader) => {
            each(reader, optional, rows, cells, |text, value| number(text, value))
        }
        ColumnReader::Int32ColumnReader(reader) => each(reader, optional, rows, cells, |text, &value| {
            if unsigned { number(text, &(value as u32)) } else { number(text, &value) }
        }),
        ColumnReader::Int64ColumnReader(reader) => each(reader, optional, rows, cells, |text, &value| {
            if unsigned { number(text, &(value as u64)) } else { number(text, &value) }
        }),
        ColumnReader::FloatColumnReader(reader) => {
            each(reader, optional, rows, cells, |text, value| number(text, value))
        }
        ColumnReader::DoubleColumnReader(reader) => {
            each(reader, optional, rows, cells, |text, value| number(text, value))
        }
        ColumnReader::ByteArrayColumnReader(reader) => each(reader, optional, rows, cells, |text, value| {
            let value = std::str::from_utf8(value.data());
            *text += value.map_err(|_| ParquetError::General("a text that isn't UTF-8".into()))?;
            Ok(())
        }),
        ColumnReader::Int96ColumnReader(_) | ColumnReader::FixedLenByteArrayColumnReader(_) => Ok(()),
    }
}

/// Adds `rows` values to the cells, a null as an empty one.
fn each<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    optional: bool,
    rows: usize,
    cells: &mut Cells,
    write: impl Fn(&mut String, &T::T) -> Result<(), ParquetError>,
) -> Result<(), ParquetError> {
    let (mut values, mut levels, mut text) = (Vec::new(), Vec::new(), String::new());
    let mut left = rows;
    while left > 0 {
        values.clear();
        levels.clear();
        let (read, ..) = reader.read_records(left.min(BATCH), optional.then_some(&mut levels), None, &mut values)?;
        if read == 0 {
            break;
        }
        let mut next = values.iter();
        for row in 0..read {
            text.clear();
            if !optional || levels.get(row).is_some_and(|&level| level > 0) {
                let value = next.next().ok_or_else(|| ParquetError::General("fewer values than rows".into()))?;
                write(&mut text, value)?;
            }
            cells.push(&text);
        }
        left -= read;
    }
    Ok(())
}

const WHOLE: &str = "a whole Parquet file";

fn damaged(file: &str, expected: &'static str, found: String) -> DataError {
    let help = "the file is damaged or of another kind, write it anew";
    // The crate quotes bytes at length.
    let found = found.chars().take(200).collect();
    DataError::Mismatch { what: file.into(), expected: expected.into(), found, help }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::{CsvSpec, Labels, Missing, parse_rows};
    use super::*;
    use parquet::data_type::Int64Type;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use std::sync::Arc;

    /// Made by another implementation: `tests/reference/make_parquet.py`.
    pub const TYPES: &[u8] = include_bytes!("fixtures/types.parquet");
    pub const ZSTD: &[u8] = include_bytes!("fixtures/zstd.parquet");
    const PLAIN: &[u8] = include_bytes!("fixtures/plain.parquet");
    pub const GZIP: &[u8] = include_bytes!("fixtures/gzip.parquet");

    /// Everything that is a cell, with the texts as label and group.
    pub fn spec() -> CsvSpec {
        let features = ["f32", "f64", "i8", "i32", "i64", "u8", "u32", "flag"];
        CsvSpec { missing: Missing::Keep, ..CsvSpec::class("kind").features(features) }
    }

    #[test]
    fn every_type_of_every_file_is_read() {
        const N: f32 = f32::NAN;
        let rows = [
            [0.1, 0.1, -1.0, 1.0, 1.0, 255.0, 4_294_967_295.0, 1.0],
            [N, 1e-3, 2.0, N, 2.0, 0.0, 0.0, 0.0],
            [-2.5, -2.5, 3.0, 3.0, 3.0, 1.0, 1.0, N],
            [3e38, 1e30, 4.0, 4.0, 4.0, 2.0, 2.0, 1.0],
            [7.0, 0.2, 5.0, 2e9, -5.0, 3.0, 3.0, 0.0],
        ];
        for (name, file) in [("snappy, groups of two rows", TYPES), ("zstd, pages of version 2", ZSTD)] {
            let read = parse_rows(name, file, &spec()).unwrap();
            let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<u32>>();
            assert_eq!(bits(&read.set.features), bits(rows.as_flattened()), "{name}");
            let names = vec!["still".to_string(), "walk".into()];
            assert_eq!(read.set.labels, Labels::Class { ids: vec![1, 0, 1, 0, 1], names });
            assert_eq!(read.place(4), format!("{name}:5"));
        }
        for file in [PLAIN, GZIP] {
            let set = parse_rows("x", file, &CsvSpec::class("y")).unwrap().set;
            assert_eq!(set.features, [1.5, -2.0, 3.25]);
            assert_eq!(set.class_counts(), [2, 1]);
        }
    }

    #[test]
    fn mistakes_name_row_and_column() {
        let text = |spec: &CsvSpec| parse_rows("t.parquet", TYPES, spec).unwrap_err().to_string();
        let refused = CsvSpec { missing: Missing::Refuse, ..spec() };
        assert!(
            text(&refused).starts_with("t.parquet:2: column `f32`: expected a value, found ``;"),
            "{}",
            text(&refused)
        );
        let grouped =
            text(&CsvSpec { missing: Missing::Keep, ..CsvSpec::class("kind").features(["i8"]).groups(["group"]) });
        assert!(grouped.starts_with("t.parquet:3: column `group`: expected a value"), "a gap in a group: {grouped}");
        // A text is no number, a date and a list are no cells.
        assert!(text(&spec().features(["group"])).starts_with("t.parquet:1: column `group`: expected a number"));
        for column in ["day", "list"] {
            let found = text(&spec().features([column]));
            let expected =
                format!("t.parquet: no column or array `{column}`; there are: f32, f64, i8, i32, i64, u8, u32, flag");
            assert!(found.starts_with(&expected), "{found}");
        }
    }

    /// A file of required 64-bit integers, of which `t` is a time.
    fn times(rows: usize) -> Vec<u8> {
        let schema = "message table { REQUIRED INT64 t (TIMESTAMP(NANOS,true)); REQUIRED INT64 x; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let mut file = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut file, schema, Arc::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let values: Vec<i64> = (0..rows as i64).collect();
        while let Some(mut column) = group.next_column().unwrap() {
            column.typed::<Int64Type>().write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }
        group.close().unwrap();
        writer.close().unwrap();
        file
    }

    /// Nanoseconds have no older way of being said.
    #[test]
    fn times_are_no_numbers() {
        let found = parse_rows("x", &times(3), &CsvSpec::default().features(["t"])).unwrap_err().to_string();
        assert_eq!(found, "x: no column or array `t`; there are: x");
    }

    /// Two and a half batches of one row group.
    #[test]
    fn rows_go_on_from_batch_to_batch() {
        let rows = 2 * BATCH + BATCH / 2;
        let set = parse_rows("x", &times(rows), &CsvSpec::default()).unwrap().set;
        assert!(set.features.iter().enumerate().all(|(row, &x)| x == row as f32) && set.len() == rows);
    }

    #[test]
    fn cut_files_are_refused() {
        for len in (0..GZIP.len()).step_by(7) {
            let found = ParquetRows::parse("x", GZIP[..len].to_vec()).err().expect("a cut file").to_string();
            assert!(found.starts_with("x: expected"), "{len}: {found}");
        }
    }
}
