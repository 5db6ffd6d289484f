//! A table as cells of text with their lines: the part of reading that knows no meaning.
//!
//! CSV is text; Parquet's values become the shortest text that reads back to them, so that both go through the same
//! code and a column means the same whatever it was stored in.

use super::error::{DataError, quoted};
use csv::{ByteRecord, ReaderBuilder};

/// The cells of one file. One block of text and one number a cell for each column, so that a million rows stay cheap.
pub(super) struct Table {
    pub(super) file: String,
    pub(super) headers: Vec<String>,
    columns: Vec<Cells>,
    /// `[rows]`: lines in the file, from 1; of a format without lines, rows from 1.
    lines: Vec<u64>,
}

/// The cells of one column.
#[derive(Default)]
pub(super) struct Cells {
    text: String,
    /// `[rows]`: where each cell ends in `text`; it starts where the cell before ends.
    ends: Vec<usize>,
}

impl Cells {
    /// Adds a cell, without blanks around it.
    pub(super) fn push(&mut self, cell: &str) {
        self.text += cell.trim();
        self.ends.push(self.text.len());
    }

    /// The number of cells.
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.text[start..self.ends[row]]
    }
}

impl Table {
    /// Reads all cells; without a header the columns are named `0`, `1`, ….
    pub(super) fn parse(file: &str, bytes: &[u8], delimiter: u8, header: bool) -> Result<Self, DataError> {
        let mut reader = ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(bytes);
        let mut table = Self { file: file.into(), headers: Vec::new(), columns: Vec::new(), lines: Vec::new() };
        let mut record = ByteRecord::new();
        let mut lines = Lines { bytes, at: 0, line: 1 };
        // Only reading can fail, and a slice always can be read.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            let line = lines.at(record.position().map_or(0, |position| position.byte()) as usize);
            if table.headers.is_empty() {
                table.headers = if header { headers(file, line, &record)? } else { numbered(record.len()) };
                table.columns.resize_with(table.headers.len(), Cells::default);
                if header {
                    continue;
                }
            }
            table.push(line, &record)?;
        }
        table.filled(bytes.len() as u64)
    }

    /// A table of columns of the same length, whose names differ.
    pub(super) fn from_columns(file: &str, columns: Vec<(String, Cells)>, at: u64) -> Result<Self, DataError> {
        let rows = columns.iter().map(|(_, cells)| cells.len()).min().unwrap_or(0);
        let (headers, columns) = columns.into_iter().unzip();
        Self { file: file.into(), headers, columns, lines: (1..=rows as u64).collect() }.filled(at)
    }

    /// The table, unless it has no rows.
    fn filled(self, at: u64) -> Result<Self, DataError> {
        if self.lines.is_empty() {
            return Err(DataError::Format {
                file: self.file,
                at,
                expected: "names of columns, then rows",
                found: "no rows".into(),
                help: "check that this is the right file",
            });
        }
        Ok(self)
    }

    fn push(&mut self, line: u64, record: &ByteRecord) -> Result<(), DataError> {
        if record.len() != self.headers.len() {
            let (expected, found) = (self.headers.len(), record.len());
            return Err(DataError::Row { file: self.file.clone(), line, expected, found });
        }
        for (column, cell) in record.iter().enumerate() {
            let cell = utf8(&self.file, line, &self.headers[column], cell)?;
            self.columns[column].push(cell);
        }
        self.lines.push(line);
        Ok(())
    }

    pub(super) fn rows(&self) -> usize {
        self.lines.len()
    }

    /// The text of a cell without blanks around it.
    pub(super) fn cell(&self, row: usize, column: usize) -> &str {
        self.columns[column].get(row)
    }

    /// The line of a row in its file.
    pub(super) fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// Whether a cell says that its value is missing.
    pub(super) fn is_missing(&self, row: usize, column: usize) -> bool {
        ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"].contains(&self.cell(row, column))
    }

    /// The index of a column.
    pub(super) fn column(&self, name: &str) -> Result<usize, DataError> {
        self.headers.iter().position(|header| header == name).ok_or_else(|| DataError::Unknown {
            file: self.file.clone(),
            name: name.into(),
            known: self.headers.join(", "),
        })
    }

    /// A cell as a finite number; `true` and `false` are 1 and 0.
    pub(super) fn number(&self, row: usize, column: usize) -> Result<f32, DataError> {
        let cell = self.cell(row, column);
        match cell.parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Err(self.error(row, column, "a finite number within ±3.4e38", "mend or remove the row")),
            Err(_) if cell.eq_ignore_ascii_case("true") => Ok(1.0),
            Err(_) if cell.eq_ignore_ascii_case("false") => Ok(0.0),
            Err(_) => Err(self.error(
                row,
                column,
                "a number such as -1.5e3",
                "mend the cell, name the column in `categorical`, or name the feature columns without it",
            )),
        }
    }

    /// The error that a cell isn't what its column must hold.
    pub(super) fn error(&self, row: usize, column: usize, expected: &'static str, help: &'static str) -> DataError {
        DataError::Cell {
            file: self.file.clone(),
            line: self.line(row),
            column: self.headers[column].clone(),
            expected,
            found: quoted(self.cell(row, column)),
            help,
        }
    }
}

/// Counts lines as editors do. The reader's own count lies before the blank lines and the rest of a `\r\n` that it skips.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    /// The line of the first row at or after byte `start`; called with ascending starts.
    fn at(&mut self, start: usize) -> u64 {
        while let Some(&byte) = self.bytes.get(self.at) {
            let ends = byte == b'\n' || byte == b'\r';
            if self.at >= start && !ends {
                break;
            }
            self.at += 1;
            if ends && !(byte == b'\r' && self.bytes.get(self.at) == Some(&b'\n')) {
                self.line += 1;
            }
        }
        self.line
    }
}

fn numbered(len: usize) -> Vec<String> {
    (0..len).map(|column| column.to_string()).collect()
}

fn headers(file: &str, line: u64, record: &ByteRecord) -> Result<Vec<String>, DataError> {
    let mut headers: Vec<String> = Vec::with_capacity(record.len());
    for (column, cell) in record.iter().enumerate() {
        let name = utf8(file, line, &column.to_string(), cell)?.trim();
        if headers.iter().any(|header| header == name) {
            return Err(DataError::Cell {
                file: file.into(),
                line,
                column: column.to_string(),
                expected: "column names that differ",
                found: format!("{} twice", quoted(name)),
                help: "rename one, or say that the file has no header",
            });
        }
        headers.push(name.into());
    }
    Ok(headers)
}

fn utf8<'a>(file: &str, line: u64, column: &str, cell: &'a [u8]) -> Result<&'a str, DataError> {
    std::str::from_utf8(cell).map_err(|_| DataError::Cell {
        file: file.into(),
        line,
        column: column.into(),
        expected: "text in UTF-8",
        found: quoted(&String::from_utf8_lossy(cell)),
        help: "save the file as UTF-8, and check that it is a text file",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &[u8]) -> Result<Table, DataError> {
        Table::parse("t.csv", text, b',', true)
    }

    #[test]
    fn cells_keep_their_lines() {
        let table = parse("\u{feff}a, b\r\n1,\"x\ny\"\n\n 2 ,z\n".as_bytes()).unwrap();
        assert_eq!(table.headers, ["a", "b"]);
        assert_eq!((table.rows(), table.cell(0, 1), table.cell(1, 0)), (2, "x\ny", "2"));
        let error = table.number(1, 1).unwrap_err().to_string();
        let expected = "t.csv:5: column `b`: expected a number such as -1.5e3, found `z`; mend the cell, name the \
                        column in `categorical`, or name the feature columns without it";
        assert_eq!(error, expected);
    }

    #[test]
    fn unusable_files_are_refused_with_their_place() {
        let text = |bytes| parse(bytes).err().unwrap().to_string();
        assert!(text(b"a,b\n1,2\n1\n").starts_with("t.csv:3: expected 2 cells as in the first line, found 1;"));
        assert!(
            text(b"a,b,a\n1,2,3\n").contains("t.csv:1: column `2`: expected column names that differ, found `a` twice")
        );
        assert!(text(b"a\n1\n\xff\n").contains("t.csv:3: column `a`: expected text in UTF-8"));
        assert!(text(b"").contains("found no rows") && text(b"a,b\n").contains("found no rows"));
    }

    #[test]
    fn only_finite_numbers_pass() {
        let table = parse(b"x\ninf\n1e39\nNaN\n0x1\n1,5\n-3\n".as_slice());
        assert!(table.is_err(), "a decimal comma is one cell too many");
        let table = parse(b"x\ninf\n1e39\nNaN\n0x1\n-3\n").unwrap();
        assert!((0..4).all(|row| table.number(row, 0).is_err()));
        assert_eq!(table.number(4, 0).unwrap(), -3.0);
    }
}
