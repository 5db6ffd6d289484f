//! CSV a row at a time, for tables larger than memory; the cells mean what they mean in a [`Table`](super::table).

use super::bytes;
use super::error::{DataError, quoted};
use csv::{ByteRecord, ReaderBuilder};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

/// A file of which one row is in memory.
pub(super) struct RowReader {
    path: PathBuf,
    reader: csv::Reader<Box<dyn Read>>,
    pub(super) headers: Vec<String>,
    record: ByteRecord,
    cells: Vec<String>,
}

impl RowReader {
    /// Opens a file, which may be gzipped, and reads the names of its columns.
    pub(super) fn open(path: &Path, delimiter: u8, header: bool) -> Result<Self, DataError> {
        let builder =
            |input| ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(input);
        let failed = |source| DataError::Read { file: bytes::name(path), source };
        let mut rows = Self {
            path: path.into(),
            reader: builder(input(path).map_err(failed)?),
            headers: Vec::new(),
            record: ByteRecord::new(),
            cells: Vec::new(),
        };
        if rows.advance()? {
            if header {
                rows.headers = rows.cells.clone();
                if let Some(twice) = rows.headers.iter().enumerate().find(|(i, name)| rows.headers[..*i].contains(name))
                {
                    return Err(DataError::Cell {
                        file: bytes::name(path),
                        line: rows.line(),
                        column: twice.0.to_string(),
                        expected: "column names that differ",
                        found: format!("{} twice", quoted(twice.1)),
                        help: "rename one, or say that the file has no header",
                    });
                }
            } else {
                rows.headers = (0..rows.cells.len()).map(|column| column.to_string()).collect();
                // The first row is a row: from the start again.
                rows.reader = builder(input(path).map_err(failed)?);
            }
        }
        Ok(rows)
    }

    /// Goes to the next row; false at the end.
    pub(super) fn next(&mut self) -> Result<bool, DataError> {
        if !self.advance()? {
            return Ok(false);
        }
        if self.cells.len() != self.headers.len() {
            let (expected, found) = (self.headers.len(), self.cells.len());
            return Err(DataError::Row { file: bytes::name(&self.path), line: self.line(), expected, found });
        }
        Ok(true)
    }

    fn advance(&mut self) -> Result<bool, DataError> {
        let more = self.reader.read_byte_record(&mut self.record).map_err(|error| DataError::Read {
            file: bytes::name(&self.path),
            source: io::Error::other(error.to_string()),
        })?;
        self.cells.resize(self.record.len(), String::new());
        for (column, cell) in self.record.iter().enumerate() {
            let Ok(text) = std::str::from_utf8(cell) else {
                return Err(DataError::Cell {
                    file: bytes::name(&self.path),
                    line: self.line(),
                    column: self.headers.get(column).cloned().unwrap_or_else(|| column.to_string()),
                    expected: "text in UTF-8",
                    found: quoted(&String::from_utf8_lossy(cell)),
                    help: "save the file as UTF-8, and check that it is a text file",
                });
            };
            self.cells[column].clear();
            self.cells[column].push_str(text.trim());
        }
        Ok(more)
    }

    /// The text of a cell of this row.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// Whether a cell says that its value is missing.
    pub(super) fn is_missing(&self, column: usize) -> bool {
        ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"].contains(&self.cell(column))
    }

    /// The index of a column.
    pub(super) fn column(&self, name: &str) -> Result<usize, DataError> {
        self.headers.iter().position(|header| header == name).ok_or_else(|| DataError::Unknown {
            file: bytes::name(&self.path),
            name: name.into(),
            known: self.headers.join(", "),
        })
    }

    /// A cell as a finite number.
    pub(super) fn number(&self, column: usize) -> Result<f32, DataError> {
        match self.cell(column).parse::<f32>() {
            Ok(value) if value.is_finite() => Ok(value),
            Ok(_) => Err(self.error(column, "a finite number within ±3.4e38", "mend or remove the row")),
            Err(_) => {
                let help = "mend the cell, or name the feature columns without this one";
                Err(self.error(column, "a number such as -1.5e3", help))
            }
        }
    }

    /// The error that a cell isn't what its column must hold.
    pub(super) fn error(&self, column: usize, expected: &'static str, help: &'static str) -> DataError {
        DataError::Cell {
            file: bytes::name(&self.path),
            line: self.line(),
            column: self.headers.get(column).cloned().unwrap_or_default(),
            expected,
            found: quoted(self.cell(column)),
            help,
        }
    }

    /// The row's line as editors count; read again up to here, since only errors ask.
    fn line(&self) -> u64 {
        let start = self.record.position().map_or(0, csv::Position::byte);
        let count = || -> io::Result<u64> {
            let (mut line, mut last) = (1, 0);
            for (at, byte) in (0u64..).zip(BufReader::new(input(&self.path)?).bytes()) {
                let byte = byte?;
                let ends = byte == b'\n' || byte == b'\r';
                // The reader skips blank lines before a row.
                if at >= start && !ends {
                    break;
                }
                line += u64::from(ends && !(byte == b'\n' && last == b'\r'));
                last = byte;
            }
            Ok(line)
        };
        count().unwrap_or(0)
    }
}

/// The bytes of a file, unpacked if it is gzip.
fn input(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut magic)?;
    let file = BufReader::new(File::open(path)?);
    Ok(if magic == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn rows_are_those_of_a_table_and_errors_have_their_lines() {
        let path = std::env::temp_dir().join(format!("emberlite-rows-{}", std::process::id()));
        let text = "a, b\r\n1,\"x\ny\"\r\n\r\n 2 ,z\r\n3\r\n";
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        for bytes in [text.as_bytes().to_vec(), packed.finish().unwrap()] {
            std::fs::write(&path, bytes).unwrap();
            let mut rows = RowReader::open(&path, b',', true).unwrap();
            assert_eq!(rows.headers, ["a", "b"]);
            assert!(rows.next().unwrap());
            assert_eq!((rows.number(0).unwrap(), rows.cell(1)), (1.0, "x\ny"));
            assert!(rows.next().unwrap());
            let error = rows.number(1).unwrap_err().to_string();
            assert!(error.contains(":5: column `b`: expected a number such as -1.5e3, found `z`"), "{error}");
            assert!(
                rows.next().unwrap_err().to_string().contains(":6: expected 2 cells as in the first line, found 1")
            );
        }
        std::fs::write(&path, "1,2\n3,4\n").unwrap();
        let mut rows = RowReader::open(&path, b',', false).unwrap();
        assert!(rows.next().unwrap() && rows.cell(0) == "1" && rows.headers == ["0", "1"]);
        std::fs::write(&path, "a,a\n").unwrap();
        assert!(RowReader::open(&path, b',', true).err().unwrap().to_string().contains("`a` twice"));
        std::fs::write(&path, b"a\n\xff\n").unwrap();
        assert!(RowReader::open(&path, b',', true).unwrap().next().unwrap_err().to_string().contains(":2: column `a`"));
        std::fs::write(&path, "").unwrap();
        assert!(!RowReader::open(&path, b',', true).unwrap().next().unwrap());
        std::fs::remove_file(&path).unwrap();
    }
}
