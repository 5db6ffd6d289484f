//! CSV a row at a time, from bytes or a file, packed or not: the part of reading that knows no meaning.

use super::bytes;
use super::error::{DataError, quoted};
use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder, StringRecord};
use std::collections::VecDeque;
use std::io::{self, Read};

/// A row may not be longer than this: a quote that is never closed must not fill the machine's memory.
const MOST_BYTES: u64 = 1 << 28;

/// Rows of cells; one is in memory.
pub(super) struct CsvRows {
    file: String,
    reader: Reader<Lines>,
    record: StringRecord,
    line: u64,
    /// The first row was read already, for the number of columns.
    waiting: bool,
    packed: bool,
}

impl CsvRows {
    /// The rows of a file of that name, and the names of its columns, which are `0`, `1`, … without a header; none where the
    /// file is empty. `packed` says that `input` unpacks gzip.
    ///
    /// # Errors
    /// [`DataError`] for a header that can't be one, and as [`CsvRows::advance`].
    pub(super) fn new(
        file: &str,
        input: Box<dyn Read>,
        packed: bool,
        delimiter: u8,
        header: bool,
    ) -> Result<(Self, Vec<String>), DataError> {
        let lines = Lines::new(input);
        let reader = ReaderBuilder::new().delimiter(delimiter).has_headers(false).flexible(true).from_reader(lines);
        let mut rows = Self { file: file.into(), reader, record: StringRecord::new(), line: 0, waiting: false, packed };
        if !rows.read(&[])? {
            return Ok((rows, Vec::new()));
        }
        if !header {
            rows.waiting = true;
            let headers = (0..rows.record.len()).map(|column| column.to_string()).collect();
            return Ok((rows, headers));
        }
        let mut headers: Vec<String> = Vec::with_capacity(rows.record.len());
        for (column, name) in rows.record.iter().map(str::trim).enumerate() {
            if headers.iter().any(|header| header == name) {
                return Err(DataError::Cell {
                    file: rows.file,
                    line: rows.line,
                    column: column.to_string(),
                    expected: "column names that differ",
                    found: format!("{} twice", quoted(name)),
                    help: "rename one, or say that the file has no header",
                });
            }
            headers.push(name.into());
        }
        Ok((rows, headers))
    }

    /// Goes to the next row; false at the end.
    ///
    /// # Errors
    /// [`DataError::Row`] for another number of cells than `headers`, [`DataError::Cell`] for one that isn't UTF-8,
    /// [`DataError::Read`], and [`DataError::Format`] for damaged gzip or a row that doesn't end.
    pub(super) fn advance(&mut self, headers: &[String]) -> Result<bool, DataError> {
        if !std::mem::take(&mut self.waiting) && !self.read(headers)? {
            return Ok(false);
        }
        let (expected, found) = (headers.len(), self.record.len());
        if expected != found {
            return Err(DataError::Row { file: self.file.clone(), line: self.line, expected, found });
        }
        Ok(true)
    }

    /// The text of a cell of this row without blanks around it.
    pub(super) fn cell(&self, column: usize) -> &str {
        self.record.get(column).map_or("", str::trim)
    }

    /// The line of this row in its file, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Bytes that were read.
    pub(super) fn bytes(&self) -> u64 {
        self.reader.get_ref().read
    }

    fn read(&mut self, headers: &[String]) -> Result<bool, DataError> {
        let mut record = std::mem::take(&mut self.record).into_byte_record();
        self.reader.get_mut().row_starts();
        let more = self.reader.read_byte_record(&mut record).map_err(|error| self.failed(error))?;
        let start = record.position().map_or(0, csv::Position::byte);
        self.line = self.reader.get_mut().at(start);
        self.record = StringRecord::from_byte_record(record).map_err(|error| {
            let column = error.utf8_error().field();
            self.no_text(&error.into_byte_record(), column, headers)
        })?;
        Ok(more)
    }

    fn no_text(&self, record: &ByteRecord, column: usize, headers: &[String]) -> DataError {
        DataError::Cell {
            file: self.file.clone(),
            line: self.line,
            column: headers.get(column).cloned().unwrap_or_else(|| column.to_string()),
            expected: "text in UTF-8",
            found: quoted(&String::from_utf8_lossy(record.get(column).unwrap_or_default())),
            help: "save the file as UTF-8, and check that it is a text file",
        }
    }

    fn failed(&self, error: csv::Error) -> DataError {
        let lines = self.reader.get_ref();
        if lines.is_too_long() {
            return DataError::Format {
                file: self.file.clone(),
                at: lines.row,
                expected: "rows of less than 256 MiB",
                found: "a longer one".into(),
                help: "close the quote that is open there",
            };
        }
        let source = match error.into_kind() {
            ErrorKind::Io(source) => source,
            kind => io::Error::other(format!("{kind:?}")),
        };
        if self.packed { bytes::torn(&self.file, lines.read, &source) } else { bytes::unreadable(&self.file, source) }
    }
}

/// Counts lines as editors do, of what passes through it. The reader's own count lies before the blank lines and the rest of a
/// `\r\n` that it skips.
struct Lines {
    inner: Box<dyn Read>,
    read: u64,
    /// Where the row that is being read starts, or a little after.
    row: u64,
    last: u8,
    /// The places of `\n` and `\r` that no row was asked for yet, and whether a line ends there. No more than a row and the
    /// reader's buffer hold.
    ends: VecDeque<(u64, bool)>,
    line: u64,
}

impl Lines {
    fn new(inner: Box<dyn Read>) -> Self {
        Self { inner, read: 0, row: 0, last: 0, ends: VecDeque::new(), line: 1 }
    }

    fn row_starts(&mut self) {
        self.row = self.read;
    }

    fn is_too_long(&self) -> bool {
        self.read - self.row > MOST_BYTES
    }

    /// The line of the first row at or after byte `start`; called with ascending starts.
    fn at(&mut self, mut start: u64) -> u64 {
        while let Some(&(place, ends)) = self.ends.front().filter(|(place, _)| *place <= start) {
            // The reader skips blank lines before a row.
            start += u64::from(place == start);
            self.line += u64::from(ends);
            self.ends.pop_front();
        }
        self.line
    }
}

impl Read for Lines {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.is_too_long() {
            return Err(io::Error::other("a row that doesn't end"));
        }
        let count = self.inner.read(out)?;
        for &byte in &out[..count] {
            if byte == b'\n' || byte == b'\r' {
                self.ends.push_back((self.read, !(byte == b'\n' && self.last == b'\r')));
            }
            self.last = byte;
            self.read += 1;
        }
        Ok(count)
    }
}
