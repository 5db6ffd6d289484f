//! Parquet: the same tables as CSV, with the same meaning of columns.
//!
//! Read through the crate's column interface, which reports damage where its row interface would panic. Only flat columns
//! are tables: integers, floats, booleans (1 and 0 as features), texts, and null for a missing value. Dates, decimals and
//! nested columns are refused by name, but only if they are used.

use super::bytes::LIMIT;
use super::error::DataError;
use super::table::{Cells, Table};
use bytes::Bytes;
use parquet::basic::{ConvertedType, LogicalType, Repetition};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;
use std::fmt::Write;

/// What a Parquet file starts with.
pub(super) const MAGIC: &[u8] = b"PAR1";

/// Rows decoded at once.
const BATCH: usize = 8192;

/// All columns of a file that can be cells; others are left out, so that asking for them says which there are.
pub(super) fn table(file: &str, bytes: Vec<u8>) -> Result<Table, DataError> {
    let len = bytes.len() as u64;
    // The last resort: the crate has asserts on what a damaged file says. A panic in it says no more than this.
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| columns(file, bytes)));
    let columns = read.unwrap_or_else(|_| Err(damaged(file, "a whole Parquet file", "damage".into())))?;
    Table::from_columns(file, columns, len)
}

fn columns(file: &str, bytes: Vec<u8>) -> Result<Vec<(String, Cells)>, DataError> {
    let len = bytes.len() as u64;
    let failed = |error: ParquetError| damaged(file, "a whole Parquet file", error.to_string());
    let reader = SerializedFileReader::new(Bytes::from(bytes)).map_err(failed)?;
    let metadata = reader.metadata();
    let mut columns = Vec::new();
    let mut unpacked = 0u64;
    for (index, description) in metadata.file_metadata().schema_descr().columns().iter().enumerate() {
        if !is_cell(description) {
            continue;
        }
        let name = description.path().string();
        if columns.iter().any(|(known, _)| *known == name) {
            return Err(damaged(file, "column names that differ", format!("`{name}` twice")));
        }
        let mut cells = Cells::default();
        for (group, rows) in metadata.row_groups().iter().enumerate() {
            let chunk =
                rows.columns().get(index).ok_or_else(|| damaged(file, "all columns", format!("no `{name}`")))?;
            // Sizes are only what the file says, and memory is asked for by them.
            let (start, packed) =
                (chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset()), chunk.compressed_size());
            let end =
                u64::try_from(start).ok().zip(u64::try_from(packed).ok()).and_then(|(at, len)| at.checked_add(len));
            if end.is_none_or(|end| end > len) {
                return Err(damaged(file, "columns within the file", format!("`{name}` up to byte {end:?} of {len}")));
            }
            unpacked = unpacked.saturating_add(chunk.uncompressed_size().max(0) as u64);
            if unpacked > LIMIT {
                return Err(DataError::TooLarge { file: file.into(), limit: LIMIT });
            }
            let reader =
                reader.get_row_group(group).and_then(|group| group.get_column_reader(index)).map_err(failed)?;
            let wanted = usize::try_from(rows.num_rows()).unwrap_or(usize::MAX);
            let before = cells.len();
            read(reader, description, wanted, &mut cells).map_err(failed)?;
            if cells.len() - before != wanted {
                let found = format!("{} in `{name}`", cells.len() - before);
                return Err(damaged(file, "as many values as rows in every column", found));
            }
        }
        columns.push((name, cells));
    }
    if columns.is_empty() {
        return Err(damaged(file, "columns of numbers, booleans or texts", "none".into()));
    }
    Ok(columns)
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

fn read(reader: ColumnReader, column: &ColumnDescriptor, rows: usize, cells: &mut Cells) -> Result<(), ParquetError> {
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
    mut reader: ColumnReaderImpl<T>,
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

    #[test]
    fn cut_files_are_refused() {
        for len in (0..GZIP.len()).step_by(7) {
            let found = table("x", GZIP[..len].to_vec()).err().expect("a cut file").to_string();
            assert!(found.starts_with("x: expected"), "{len}: {found}");
        }
    }
}
