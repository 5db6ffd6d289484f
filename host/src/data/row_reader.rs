//! The rows of a table, one at a time, whatever it is stored in: the part of reading that knows no meaning.
//!
//! CSV is text; Parquet's values become the shortest text that reads back to them, so that both go through the same
//! code and a column means the same whatever it was stored in. A file is Parquet by its first bytes, whatever its name; anything
//! else is CSV, also gzipped. Who keeps rows is the caller's matter: loading keeps them all, packing
//! ([`pack`](super::pack)) none.

use super::bytes;
use super::csv_rows::CsvRows;
use super::error::{DataError, quoted};
use super::parquet::{self, ParquetRows};
use super::spec::CsvSpec;
use flate2::read::MultiGzDecoder;
use std::io::{BufReader, Cursor, Read, Seek};
use std::path::Path;

const GZIP: &[u8] = &[0x1f, 0x8b];

/// A table of which one row can be looked at.
pub(super) struct RowReader {
    pub(super) file: String,
    /// The names of the columns, which differ.
    pub(super) headers: Vec<String>,
    format: Format,
    is_first: bool,
}

enum Format {
    Csv(Box<CsvRows>),
    Parquet(Box<ParquetRows>),
}

impl RowReader {
    /// The rows of a file, read as they are asked for: of a table larger than memory.
    ///
    /// # Errors
    /// [`DataError`] for a file that can't be read, has no rows, or whose header can't be one; also for packed Parquet, which
    /// can't be read piece by piece.
    pub(super) fn open(path: &Path, spec: &CsvSpec) -> Result<Self, DataError> {
        let name = bytes::name(path);
        let failed = |error| bytes::unreadable(&name, error);
        let mut file = bytes::open(path).map_err(failed)?;
        let magic = head(&mut file).map_err(failed)?;
        file.rewind().map_err(failed)?;
        if magic == parquet::MAGIC {
            return Self::parquet(&name, ParquetRows::open(&name, file)?);
        }
        Self::refuse_others(&name, &magic)?;
        if !magic.starts_with(GZIP) {
            return Self::csv(&name, Box::new(BufReader::new(file)), false, spec);
        }
        let mut unpacked = MultiGzDecoder::new(BufReader::new(file));
        let magic = head(&mut unpacked).map_err(|error| bytes::torn(&name, 0, &error))?;
        if magic == parquet::MAGIC {
            return Err(DataError::Format {
                file: name,
                at: 0,
                expected: "Parquet that isn't packed, to read it piece by piece",
                found: "gzip".into(),
                help: "unpack it with gunzip, or leave out stream = true",
            });
        }
        Self::csv(&name, Box::new(Cursor::new(magic).chain(unpacked)), true, spec)
    }

    /// Refuses what people take for tables and is none: a spreadsheet, an archive, the page that a download gave instead.
    fn refuse_others(file: &str, magic: &[u8]) -> Result<(), DataError> {
        let (found, help) = match magic {
            [b'P', b'K', 3, 4, ..] => {
                ("a ZIP archive, as .xlsx files are", "save the sheet as CSV in UTF-8, or unpack the archive")
            }
            [0xd0, 0xcf, 0x11, 0xe0, ..] => ("a file of Excel or Word", "save the sheet as CSV in UTF-8"),
            b"<!DO" | b"<!do" | b"<htm" | b"<HTM" | b"<?xm" => {
                ("a page of HTML or XML", "the download gave a page instead of the file; fetch the file itself")
            }
            _ => return Ok(()),
        };
        let file = file.into();
        Err(DataError::Format { file, at: 0, expected: "a table as text, or Parquet", found: found.into(), help })
    }

    /// The rows of bytes in memory, which aren't packed; `file` is their name in errors.
    ///
    /// # Errors
    /// As [`RowReader::open`].
    pub(super) fn parse(file: &str, bytes: Vec<u8>, spec: &CsvSpec) -> Result<Self, DataError> {
        if bytes.starts_with(parquet::MAGIC) {
            Self::parquet(file, ParquetRows::parse(file, bytes)?)
        } else {
            Self::refuse_others(file, bytes.get(..4).unwrap_or_default())?;
            Self::csv(file, Box::new(Cursor::new(bytes)), false, spec)
        }
    }

    fn csv(file: &str, input: Box<dyn Read>, packed: bool, spec: &CsvSpec) -> Result<Self, DataError> {
        let (rows, headers) = CsvRows::new(file, input, packed, delimiter(spec.delimiter)?, spec.header)?;
        let reader = Self { file: file.into(), headers, format: Format::Csv(Box::new(rows)), is_first: true };
        if reader.headers.is_empty() { Err(reader.empty()) } else { Ok(reader) }
    }

    fn parquet(file: &str, (rows, headers): (ParquetRows, Vec<String>)) -> Result<Self, DataError> {
        Ok(Self { file: file.into(), headers, format: Format::Parquet(Box::new(rows)), is_first: true })
    }

    /// Nothing but these columns is needed, before the first row: others needn't be decoded, and their cells are empty then.
    pub(super) fn keep(&mut self, columns: &[usize]) {
        if let Format::Parquet(rows) = &mut self.format {
            rows.keep(columns);
        }
    }

    /// Goes to the next row; false at the end.
    ///
    /// # Errors
    /// [`DataError`] with the place of a row that can't be one, and for a table without any.
    pub(super) fn advance(&mut self) -> Result<bool, DataError> {
        let more = match &mut self.format {
            Format::Csv(rows) => rows.advance(&self.headers)?,
            Format::Parquet(rows) => rows.advance()?,
        };
        if std::mem::take(&mut self.is_first) && !more {
            return Err(self.empty());
        }
        Ok(more)
    }

    fn empty(&self) -> DataError {
        let at = match &self.format {
            Format::Csv(rows) => rows.bytes(),
            Format::Parquet(rows) => rows.bytes(),
        };
        DataError::Format {
            file: self.file.clone(),
            at,
            expected: "names of columns, then rows",
            found: "no rows".into(),
            help: "check that this is the right file",
        }
    }

    /// The text of a cell of this row without blanks around it.
    pub(super) fn cell(&self, column: usize) -> &str {
        match &self.format {
            Format::Csv(rows) => rows.cell(column),
            Format::Parquet(rows) => rows.cell(column),
        }
    }

    /// The line of this row in its file; of a format without lines, the row from 1.
    pub(super) fn line(&self) -> u64 {
        match &self.format {
            Format::Csv(rows) => rows.line(),
            Format::Parquet(rows) => rows.line(),
        }
    }

    /// Whether a cell says that its value is missing.
    pub(super) fn is_missing(&self, column: usize) -> bool {
        ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?"].contains(&self.cell(column))
    }

    /// The index of a column.
    ///
    /// # Errors
    /// [`DataError::Unknown`], with the names that there are.
    pub(super) fn column(&self, name: &str) -> Result<usize, DataError> {
        self.headers.iter().position(|header| header == name).ok_or_else(|| DataError::Unknown {
            file: self.file.clone(),
            name: name.into(),
            known: self.headers.join(", "),
        })
    }

    /// The character that seems to separate the columns of a header that is all one column, and what to say of it.
    pub(super) fn other_delimiter(&self) -> Option<DataError> {
        let [header] = self.headers.as_slice() else { return None };
        const OTHERS: [(char, &str); 4] = [
            (';', "say delimiter = \";\" in [data]"),
            (',', "say delimiter = \",\" in [data], or leave it out"),
            ('\t', "say delimiter = \"\\t\" in [data]"),
            ('|', "say delimiter = \"|\" in [data]"),
        ];
        let Format::Csv(_) = self.format else { return None };
        let (_, help) = OTHERS.into_iter().find(|(character, _)| header.contains(*character))?;
        Some(DataError::Mismatch {
            what: format!("{}:1", self.file),
            expected: "several columns".into(),
            found: format!("one, {}", quoted(header)),
            help,
        })
    }

    /// Whether [`RowReader::number`] gives one.
    pub(super) fn is_number(&self, column: usize) -> bool {
        number(self.cell(column)).is_some_and(f32::is_finite)
    }

    /// A cell as a finite number; `true` and `false` are 1 and 0.
    ///
    /// # Errors
    /// [`DataError::Cell`].
    pub(super) fn number(&self, column: usize) -> Result<f32, DataError> {
        match number(self.cell(column)) {
            Some(value) if value.is_finite() => Ok(value),
            Some(_) => Err(self.error(column, "a finite number within ±3.4e38", "mend or remove the row")),
            None => Err(self.error(
                column,
                "a number such as -1.5e3",
                "mend the cell, name the column in `categorical`, or name the feature columns without it",
            )),
        }
    }

    /// The error that a cell isn't what its column must hold.
    pub(super) fn error(&self, column: usize, expected: &'static str, help: &'static str) -> DataError {
        DataError::Cell {
            file: self.file.clone(),
            line: self.line(),
            column: self.headers.get(column).cloned().unwrap_or_default(),
            expected,
            found: quoted(self.cell(column)),
            help,
        }
    }
}

fn number(cell: &str) -> Option<f32> {
    cell.parse().ok().or_else(|| {
        let is = |word| cell.eq_ignore_ascii_case(word);
        if is("true") { Some(1.0) } else { is("false").then_some(0.0) }
    })
}

/// The first four bytes.
fn head(input: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    input.take(4).read_to_end(&mut head)?;
    Ok(head)
}

fn delimiter(character: char) -> Result<u8, DataError> {
    u8::try_from(character).ok().filter(|byte| byte.is_ascii() && !b"\"\r\n".contains(byte)).ok_or_else(|| {
        DataError::Mismatch {
            what: "delimiter".into(),
            expected: "one ASCII character that neither quotes nor ends a line".into(),
            found: character.escape_debug().to_string(),
            help: "use a comma, a semicolon or a tab",
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(bytes).unwrap();
        packed.finish().unwrap()
    }

    /// Each test once in memory and once from a file, and packed.
    fn each(name: &str, text: &[u8], spec: &CsvSpec, check: impl Fn(Result<RowReader, DataError>)) {
        check(RowReader::parse("t.csv", text.to_vec(), spec));
        let path = std::env::temp_dir().join(format!("emberlite-rows-{}-{name}", std::process::id()));
        for bytes in [text.to_vec(), packed(text)] {
            std::fs::write(&path, bytes).unwrap();
            check(RowReader::open(&path, spec).map(|reader| RowReader { file: "t.csv".into(), ..reader }));
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn cells_keep_their_lines() {
        let text = "\u{feff}a, b\r\n1,\"x\ny\"\r\n\r\n 2 ,z\n\n\r\n3,-4\n";
        each("lines", text.as_bytes(), &CsvSpec::default(), |rows| {
            let mut rows = rows.unwrap();
            assert_eq!(rows.headers, ["a", "b"]);
            assert!(rows.advance().unwrap());
            assert_eq!((rows.line(), rows.number(0).unwrap(), rows.cell(1)), (2, 1.0, "x\ny"));
            assert!(rows.advance().unwrap());
            let error = rows.number(1).unwrap_err().to_string();
            let expected = "t.csv:5: column `b`: expected a number such as -1.5e3, found `z`; mend the cell, name the \
                            column in `categorical`, or name the feature columns without it";
            assert_eq!(error, expected);
            assert!(rows.advance().unwrap());
            assert_eq!((rows.line(), rows.number(1).unwrap()), (8, -4.0));
            assert!(!rows.advance().unwrap());
        });
    }

    #[test]
    fn lines_are_counted_across_the_readers_buffers() {
        let text: String = (0..5000).map(|row| format!("{row},{}\r\n{}", row % 7, ["", "\r\n"][row % 2])).collect();
        let spec = CsvSpec { header: false, ..CsvSpec::default() };
        each("buffers", text.as_bytes(), &spec, |rows| {
            let mut rows = rows.unwrap();
            for row in 0..5000u64 {
                assert!(rows.advance().unwrap());
                // Every second row is followed by a blank line.
                assert_eq!((rows.cell(0), rows.line()), (row.to_string().as_str(), 1 + row + row / 2));
            }
            assert!(!rows.advance().unwrap() && rows.headers == ["0", "1"]);
        });
    }

    #[test]
    fn unusable_files_are_refused_with_their_place() {
        let wrong = |text: &[u8], expected: &str| {
            each(&expected.len().to_string(), text, &CsvSpec::default(), |rows| {
                let all = rows.and_then(|mut rows| {
                    while rows.advance()? {}
                    Ok(())
                });
                let text = all.unwrap_err().to_string();
                assert!(text.contains(expected), "{text}");
            });
        };
        wrong(b"a,b\n1,2\n1\n", ":3: expected 2 cells as in the first line, found 1;");
        wrong(b"a,b,a\n1,2,3\n", ":1: column `2`: expected column names that differ, found `a` twice");
        wrong(b"a\n1\n\xff\n", ":3: column `a`: expected text in UTF-8");
        wrong(b"", "byte 0: expected names of columns, then rows, found no rows");
        wrong(b"a,b\n", "byte 4: expected names of columns, then rows, found no rows");
    }

    #[test]
    fn only_finite_numbers_pass() {
        each("numbers", b"x\ninf\n1e39\nNaN\n0x1\n-3\nTRUE\n", &CsvSpec::default(), |rows| {
            let mut rows = rows.unwrap();
            let mut found = Vec::new();
            while rows.advance().unwrap() {
                assert_eq!(rows.is_number(0), rows.number(0).is_ok());
                found.push(rows.number(0).ok());
            }
            assert_eq!(found, [None, None, None, None, Some(-3.0), Some(1.0)]);
        });
    }

    #[test]
    fn gzip_that_is_cut_off_and_delimiters_that_are_none_are_refused() {
        let path = std::env::temp_dir().join(format!("emberlite-rows-{}-cut", std::process::id()));
        let whole = packed("a,b\n".repeat(1000).as_bytes());
        std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let mut rows = RowReader::open(&path, &CsvSpec { header: false, ..CsvSpec::default() }).unwrap();
        let error = loop {
            match rows.advance() {
                Ok(more) => assert!(more, "the end of half a file"),
                Err(error) => break error.to_string(),
            }
        };
        assert!(error.contains("expected an intact gzip stream") && error.ends_with("fetch it again"), "{error}");
        std::fs::write(&path, packed(parquet::tests::GZIP)).unwrap();
        let error = RowReader::open(&path, &CsvSpec::default()).err().unwrap().to_string();
        assert!(error.contains("expected Parquet that isn't packed, to read it piece by piece, found gzip"), "{error}");
        std::fs::remove_file(&path).unwrap();
        for delimiter in ['é', 'Ā', '"', '\n'] {
            let error = RowReader::parse("x", b"a\n1\n".into(), &CsvSpec { delimiter, ..CsvSpec::default() });
            let error = error.err().unwrap().to_string();
            assert!(error.starts_with("delimiter: expected one ASCII character"), "{error}");
        }
    }
}
