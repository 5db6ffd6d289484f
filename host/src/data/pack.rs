//! Tables larger than memory: packed once into fixed-size records, then read at offsets.
//!
//! A row of a CSV file is as long as its digits, so the thousandth can't be found without reading those before; a packed
//! file has a header, then the rows, `[features]` f32 and their CRC-32 each, then what is to be learnt, four bytes a row. It
//! is written beside what it is made of by one pass that holds one row, under another name until it is whole, and carries a
//! fingerprint of the source files (their names, lengths and times) and of the columns' meaning: packed again whenever one
//! differs. Where nothing can be written beside the data, a description names another folder. What a killed program left half made is removed by the next that packs (`export/part_file.rs`).
//!
//! ```text
//! 0   8  "EMBPACK3"          24  8  rows           40  4  length of the classes' names
//! 8   8  fingerprint         32  4  features       44  4  CRC-32 of the labels
//! 16  8  length of the file  36  4  0 nothing, 1 class, 2 value
//! 48  4  CRC-32 of bytes 0 to 48 and the names
//! 52     names, a line each (`\n` and `\\` escaped), padded to 16; rows; labels
//! ```
//!
//! Damage of the header or the labels shows at opening, and the file is made again; damage of a row shows when the row is
//! read, and is an error that names the file. A row is checked whenever it is read.

use super::bytes;
use super::dataset::Labels;
use super::element::{Element, Kind};
use super::error::DataError;
use super::pack_identity::{escaped, fingerprint};
use super::records::{Layout, RandomFile, RecordFile, Records};
use super::row_parser::{RowParser, no_rows};
use super::row_reader::RowReader;
use super::source::fnv;
use super::spec::{CsvSpec, Missing};
use crate::export::part_file::{self, PartFile};
use flate2::Crc;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"EMBPACK3";
const HEADER: usize = 52;
/// Bytes before the header's own checksum.
const CHECKED: usize = 48;
/// What parts are called while they are made.
const PARTS: [&str; 2] = ["rows", "whole"];

/// Opens the packed form of tables, CSV or Parquet, and makes it at `packed` first unless it is there and whole.
///
/// Group columns and recordings aren't kept: such sets are read whole, without `stream`.
///
/// # Errors
/// As [`read_rows`](super::read_rows), in the same words; [`DataError::Mismatch`] for what is fitted, which a packed table
/// can't wait for: categories, and gaps that are filled. [`DataError::Pack`] where the packed file can't be written; what is
/// there then stays.
pub fn tables(paths: &[PathBuf], spec: &CsvSpec, packed: &Path, scale: f32) -> Result<Records, DataError> {
    let fills = spec.missing == Missing::Keep || spec.missing_in.values().any(|rule| *rule == Missing::Keep);
    if fills || !spec.categorical.is_empty() {
        return Err(DataError::Mismatch {
            what: "a table to pack".into(),
            expected: "numbers, and no gaps that shall be filled".into(),
            found: if fills { "gaps".into() } else { format!("categories in {}", spec.categorical.join(", ")) },
            help: "clean and encode the file before, or read it whole, without stream",
        });
    }
    let fingerprint = fingerprint(paths, spec)?;
    // Another's, or damaged: what it is made of is still there.
    if let Ok(Some(records)) = open(packed, fingerprint, scale) {
        return Ok(records);
    }
    write(paths, spec, packed, fingerprint)?;
    open(packed, fingerprint, scale)?.ok_or_else(|| damaged(packed, "the header that was just written", "another"))
}

/// Whether these tables have been packed there, as far as the first bytes tell.
pub fn is_made(paths: &[PathBuf], spec: &CsvSpec, packed: &Path) -> bool {
    let mut head = [0; 16];
    let read = bytes::open(packed).and_then(|mut file| file.read_exact(&mut head));
    let expected = fingerprint(paths, spec).map(|fingerprint| [*MAGIC, fingerprint.to_le_bytes()].concat());
    read.is_ok() && expected.is_ok_and(|expected| expected == head)
}

/// The name of these tables' packed file in a folder that others may share: another for tables of the same name elsewhere.
pub fn file_name(paths: &[PathBuf]) -> String {
    let first =
        paths.first().map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone())).unwrap_or_default();
    let stem = first.file_stem().unwrap_or_default().to_string_lossy();
    format!("{stem}-{:016x}.pack", fnv(first.as_os_str().as_encoded_bytes().iter().map(|&byte| byte.into())))
}

fn damaged(path: &Path, expected: &'static str, found: &str) -> DataError {
    let help = "remove the file; it is made again";
    DataError::Format { file: bytes::name(path), at: 0, expected, found: found.into(), help }
}

/// The records of a packed file; none if there is no file or it was made of something else.
fn open(path: &Path, fingerprint: u64, scale: f32) -> Result<Option<Records>, DataError> {
    if !path.is_file() {
        return Ok(None);
    }
    let file = RandomFile::open(path)?;
    if file.len < HEADER as u64 {
        return Err(damaged(path, "a header", "fewer bytes"));
    }
    let mut head = [0; HEADER];
    file.read(0, &mut head)?;
    let long = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    let short = |at: usize| u32::from_le_bytes(std::array::from_fn(|i| head[at + i]));
    if &head[..8] != MAGIC || long(8) != fingerprint {
        return Ok(None);
    }
    let (len, rows, features, kind, names_len) = (long(16), long(24), short(32) as usize, short(36), short(40));
    let start = (HEADER as u64 + u64::from(names_len)).next_multiple_of(16);
    // A row, its checksum, its label.
    let row = 4 * (features as u64 + 1);
    let needed = rows.checked_mul(row + 4 * u64::from(kind > 0)).and_then(|size| size.checked_add(start));
    if len != file.len || needed != Some(len) || rows == 0 || features == 0 || rows > u32::MAX.into() {
        return Err(damaged(path, "as many bytes as the header says", &format!("{} bytes", file.len)));
    }
    let mut names = vec![0; names_len as usize];
    file.read(HEADER as u64, &mut names)?;
    let mut crc = Crc::new();
    crc.update(&head[..CHECKED]);
    crc.update(&names);
    if crc.sum() != short(CHECKED) {
        return Err(damaged(path, "a header with its checksum", "another"));
    }
    let mut labels = vec![0; if kind > 0 { rows as usize * 4 } else { 0 }];
    file.read(start + rows * row, &mut labels)?;
    if crc_of(&labels) != short(44) {
        return Err(damaged(path, "labels with their checksum", "another"));
    }
    let words = labels.chunks_exact(4).map(|word| u32::from_le_bytes(std::array::from_fn(|i| word[i])));
    let labels = match kind {
        0 => Labels::None,
        1 => {
            let names: Vec<String> = String::from_utf8_lossy(&names).split_terminator('\n').map(unescaped).collect();
            let ids: Vec<u32> = words.collect();
            if ids.iter().any(|&id| id as usize >= names.len()) {
                return Err(damaged(path, "classes below their number", "a larger one"));
            }
            Labels::Class { ids, names }
        }
        _ => Labels::Value(words.map(f32::from_bits).collect()),
    };
    let element = Element { kind: Kind::Float, size: 4, big_endian: false };
    let layout = Layout { stride: row as usize, skip: 0, element, scale, checked: true };
    let files = vec![RecordFile { file, start, count: rows as usize }];
    Ok(Some(Records::new(files, layout, vec![features], labels)))
}

/// Packs files in one pass.
fn write(paths: &[PathBuf], spec: &CsvSpec, packed: &Path, fingerprint: u64) -> Result<(), DataError> {
    let failed = |path: &Path| {
        let file = bytes::name(path);
        move |source: io::Error| DataError::Pack { file: file.clone(), source }
    };
    if let Some(folder) = packed.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    part_file::remove_stale(packed, &PARTS);
    // Both lie beside the result, so that the last step is a rename.
    // Two threads or processes may pack the same file: who is later replaces equal bytes.
    let part = |what: &str| PartFile::create(packed, what).map_err(failed(packed));
    let [rows, whole] = PARTS;
    let mut rows = part(rows)?;
    let summary = pack_rows(paths, spec, &mut rows)?;
    let mut whole = part(whole)?;
    join(summary, &mut rows.file, &mut whole.file, fingerprint).map_err(failed(&whole.path))?;
    whole.rename(packed).map_err(failed(packed))
}

fn crc_of(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn unescaped(line: &str) -> String {
    let (mut name, mut rest) = (String::new(), line.chars());
    while let Some(character) = rest.next() {
        name.push(match character {
            '\\' if rest.next() == Some('n') => '\n',
            other => other,
        });
    }
    name
}

/// What the pass found: everything but the rows themselves.
struct Summary {
    rows: u64,
    features: u32,
    labels: Labels,
}

fn pack_rows(paths: &[PathBuf], spec: &CsvSpec, part: &mut PartFile) -> Result<Summary, DataError> {
    let failed = |source| DataError::Pack { file: bytes::name(&part.path), source };
    let mut out = BufWriter::new(&part.file);
    let mut record = Vec::new();
    let mut parser = RowParser::new(spec)?;
    let (mut rows, mut numbers) = (0, Vec::new());
    for path in paths {
        let mut table = RowReader::open(path, spec)?;
        let columns = parser.table(&mut table)?;
        while table.advance()? {
            numbers.clear();
            if parser.row(&table, &columns, &mut numbers)? {
                record.clear();
                numbers.iter().for_each(|x| record.extend(x.to_le_bytes()));
                record.extend(crc_of(&record).to_le_bytes());
                out.write_all(&record).map_err(failed)?;
                rows += 1;
            }
        }
    }
    out.flush().map_err(failed)?;
    let first = || paths.first().map(|path| bytes::name(path));
    if rows == 0 {
        return Err(no_rows(first()));
    }
    if rows > u64::from(u32::MAX) {
        return Err(DataError::Mismatch {
            what: first().unwrap_or_default(),
            expected: format!("at most {} rows", u32::MAX),
            found: rows.to_string(),
            help: "train on a part of them",
        });
    }
    let labels = parser.labels();
    Ok(Summary { rows, features: parser.features.len() as u32, labels })
}

/// Header, rows and labels in one file, on the disk when this returns.
fn join(summary: Summary, rows_part: &mut File, whole: &mut File, fingerprint: u64) -> io::Result<()> {
    let Summary { rows, features, labels } = summary;
    let (kind, names, words): (u32, String, Vec<u32>) = match labels {
        Labels::Class { ids, names } => (1, names.iter().map(|name| escaped(name) + "\n").collect(), ids),
        Labels::Value(values) => (2, String::new(), values.into_iter().map(f32::to_bits).collect()),
        Labels::None | Labels::Tokens { .. } => (0, String::new(), Vec::new()),
    };
    let start = (HEADER + names.len()).next_multiple_of(16);
    let len = start as u64 + rows * 4 * (u64::from(features) + 1) + 4 * words.len() as u64;
    let mut head = MAGIC.to_vec();
    [fingerprint, len, rows].iter().for_each(|word| head.extend(word.to_le_bytes()));
    [features, kind, names.len() as u32].iter().for_each(|word| head.extend(word.to_le_bytes()));
    let mut crc = Crc::new();
    words.iter().for_each(|word| crc.update(&word.to_le_bytes()));
    head.extend(crc.sum().to_le_bytes());
    let mut crc = Crc::new();
    crc.update(&head);
    crc.update(names.as_bytes());
    head.extend(crc.sum().to_le_bytes());
    head.extend(names.as_bytes());
    head.resize(start, 0);
    whole.write_all(&head)?;
    rows_part.rewind()?;
    io::copy(rows_part, whole)?;
    let mut out = BufWriter::new(whole);
    words.iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))?;
    out.flush()?;
    out.get_ref().sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Source, collect, csv, read_rows};

    #[test]
    fn packed_is_what_reading_gives_and_is_made_again_when_its_source_changes() {
        let folder = std::env::temp_dir().join(format!("emberlite-pack-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, packed) = (folder.join("x.csv"), folder.join("cache/x.pack"));
        fs::write(&path, "a,label,b\n1,10,2.5\n-3,9,1e3\n,9,1\n4,10,0\n").unwrap();
        let spec = CsvSpec { missing: Missing::DropRow, ..CsvSpec::class("label") };
        let paths = [path.clone()];
        let streamed = |spec: &CsvSpec| super::tables(&paths, spec, &packed, 1.0);
        let set = collect(&streamed(&spec).unwrap(), u64::MAX).unwrap();
        let whole = csv::read(&path, &spec).unwrap();
        assert_eq!((&set.features, &set.shape, &set.labels), (&whole.features, &whole.shape, &whole.labels));
        assert_eq!(fs::read_dir(folder.join("cache")).unwrap().count(), 1, "nothing beside it");

        let made = fs::metadata(&packed).unwrap().modified().unwrap();
        streamed(&spec).unwrap();
        assert_eq!(fs::metadata(&packed).unwrap().modified().unwrap(), made, "not made again");
        let value = collect(&streamed(&CsvSpec { missing: Missing::DropRow, ..CsvSpec::value("b") }).unwrap(), 1000);
        assert_eq!(value.unwrap().labels, Labels::Value(vec![2.5, 1000.0, 0.0]));
        fs::write(&path, "a,label,b\n7,1,8\n").unwrap();
        assert_eq!(collect(&streamed(&spec).unwrap(), 1000).unwrap().features, [7.0, 8.0]);

        // Any damage of the header, or a piece that is missing, and it is made again.
        let good = fs::read(&packed).unwrap();
        for at in 0..HEADER + "1\n".len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fs::write(&packed, &bytes).unwrap();
            let set = collect(&streamed(&spec).unwrap(), 1000).unwrap();
            assert_eq!(set.features, [7.0, 8.0], "byte {at}");
            assert_eq!(set.labels, Labels::Class { ids: vec![0], names: vec!["1".into()] }, "byte {at}");
        }
        fs::write(&packed, &good[..good.len() - 1]).unwrap();
        assert_eq!(streamed(&spec).unwrap().len(), 1);

        // Of the labels too; of a row it shows when the row is read, by name. Between them nothing but padding.
        let (rows, labels) = (HEADER.next_multiple_of(16)..good.len() - 4, good.len() - 4..good.len());
        for at in rows.chain(labels.clone()) {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fs::write(&packed, &bytes).unwrap();
            match collect(&streamed(&spec).unwrap(), 1000) {
                Ok(set) => {
                    assert!(labels.contains(&at), "byte {at} is not looked at");
                    assert_eq!(set.features, [7.0, 8.0], "byte {at}");
                }
                Err(error) => {
                    let text = error.to_string();
                    let expected = "x.pack: byte 64: expected a row with its checksum, found another; the file is damaged; \
                                    remove it, and it is made again";
                    assert!(!labels.contains(&at) && text.ends_with(expected), "byte {at}: {text}");
                }
            }
        }
        fs::remove_file(&packed).unwrap();
        // What a killed program left is gone with the next that packs.
        fs::write(folder.join("cache/x.rows.1.0.part"), "half").unwrap();
        assert_eq!(streamed(&spec).unwrap().len(), 1);
        assert_eq!(fs::read_dir(folder.join("cache")).unwrap().count(), 1, "nothing beside it");

        fs::write(&path, "a,label,b\n7,1,8\n7,1,x\n").unwrap();
        let text = streamed(&spec).unwrap_err().to_string();
        assert!(text.contains("x.csv:3: column `b`: expected a number"), "{text}");
        assert_eq!(fs::read_dir(folder.join("cache")).unwrap().count(), 1, "the old one and nothing else");
        fs::remove_dir_all(&folder).unwrap();
    }

    /// Each mistake as loading whole says it and as packing says it.
    #[test]
    fn what_loading_refuses_packing_refuses_in_the_same_words() {
        let folder = std::env::temp_dir().join(format!("emberlite-pack-words-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, packed) = (folder.join("x.csv"), folder.join("x.pack"));
        let label = || CsvSpec::class("y");
        let both = |bytes: &[u8], spec: &CsvSpec, expected: &str| {
            fs::write(&path, bytes).unwrap();
            let whole = read_rows(&[&path], spec).unwrap_err().to_string();
            let stream = super::tables(std::slice::from_ref(&path), spec, &packed, 1.0).unwrap_err().to_string();
            assert_eq!(whole, stream);
            assert!(whole.contains(expected), "{whole}");
        };
        let good = "a,b,y\n1,2,u\n3,4,v\n";
        both(good.as_bytes(), &label().features(["a", "y"]), "`y` as feature and as label; take it out");
        both(good.as_bytes(), &label().features(["a", "b", "a"]), "`a` as number 2, again; name each feature");
        both(good.as_bytes(), &label().features(["a", "c"]), "no column or array `c`; there are: a, b, y");
        both(good.as_bytes(), &CsvSpec::class("z"), "no column or array `z`");
        both(good.as_bytes(), &label().groups(["person"]), "no column or array `person`");
        both(good.as_bytes(), &label().classes(["u", "u"]), "classes: expected names that differ, found `u` twice");
        both(good.as_bytes(), &label().classes(["u"]), ":3: column `y`: expected one of the named classes, found `v`");
        both(good.as_bytes(), &CsvSpec { delimiter: '→', ..label() }, "delimiter: expected one ASCII character");
        both(good.as_bytes(), &CsvSpec { delimiter: 'ä', ..label() }, "delimiter: expected one ASCII character");
        both(
            good.as_bytes(),
            &CsvSpec { delimiter: ';', ..CsvSpec::class("a,b,y") },
            "x.csv:1: expected several columns, found one, `a,b,y`; say delimiter",
        );
        both(b"a,b,y\n1,2,u\n3,4\n", &label(), ":3: expected 3 cells as in the first line, found 2");
        both(b"a,b,y\n1,,u\n", &label(), ":2: column `b`: expected a value, found ``; fill the cell");
        both(b"a,b,y\n1,2,?\n", &label(), ":2: column `y`: expected a value, found `?`");
        both(b"a,b,y\n1,2,u\n3,x,u\n", &label(), ":3: column `b`: expected a number such as -1.5e3, found `x`");
        both(b"a,b,y\n1,1e40,u\n", &label(), ":2: column `b`: expected a finite number");
        both(b"a,b,y\n1,2,x\n", &CsvSpec::value("y"), ":2: column `y`: expected a number");
        both(b"a,b,a\n1,2,x\n", &label(), ":1: column `2`: expected column names that differ");
        both(b"a,b,y\n1,2,\xff\n", &label(), ":2: column `y`: expected text in UTF-8");
        both(b"a,b,y\n", &label(), "byte 6: expected names of columns, then rows, found no rows");
        both(b"", &label(), "byte 0: expected names of columns, then rows, found no rows");
        let dropping = CsvSpec { missing: Missing::DropRow, ..label() };
        both(b"a,b,y\n,2,u\n", &dropping, "expected at least one row without missing cells");
        // Parquet under the name of CSV is Parquet.
        let parquet = crate::data::parquet::tests::TYPES;
        both(parquet, &label(), "no column or array `y`; there are: f32, f64");
        both(parquet, &CsvSpec::class("kind").features(["f32"]), ":2: column `f32`: expected a value");
        both(&parquet[..parquet.len() - 3], &label(), "expected a whole Parquet file");
        fs::write(&path, good).unwrap();
        for spec in [CsvSpec { missing: Missing::Keep, ..label() }, label().categorical(["b"])] {
            let error = super::tables(std::slice::from_ref(&path), &spec, &packed, 1.0).unwrap_err().to_string();
            assert!(error.contains("clean and encode the file before"), "{error}");
        }
        assert!(!packed.exists());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_loading_reads_packing_reads() {
        let folder = std::env::temp_dir().join(format!("emberlite-pack-same-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, packed) = (folder.join("x.csv"), folder.join("x.pack"));
        let same = |bytes: &[u8], spec: &CsvSpec, rows| {
            fs::write(&path, bytes).unwrap();
            let whole = read_rows(&[&path], spec).unwrap().set;
            let stream = super::tables(std::slice::from_ref(&path), spec, &packed, 1.0).unwrap();
            let stream = collect(&stream, u64::MAX).unwrap();
            assert_eq!((stream.features, stream.labels), (whole.features, whole.labels));
            assert_eq!(stream.origins.len(), rows);
        };
        same(b"a,b,y\n1,true,10\n2,False,9\n", &CsvSpec::class("y"), 2);
        same(b"a,y\n1,\"u\nv\"\n2,u v\n3,u\\nv\n4,\\\n", &CsvSpec::class("y").features(["a"]), 4);
        let spec = CsvSpec { missing: Missing::DropRow, type_errors_are_missing: true, ..CsvSpec::value("y") };
        same(b"a,b,y\n1,x,1\n2,3,4\n5,inf,6\n", &spec, 1);
        let mut spec = CsvSpec::class("y");
        spec.missing_in.insert("b".into(), Missing::DropRow);
        same(b"a,b,y\n1,NA,u\n2,3,v\n", &spec, 1);
        let parquet = CsvSpec::class("kind").features(["i8", "u32", "f64"]);
        same(crate::data::parquet::tests::TYPES, &parquet, 5);
        let value = CsvSpec::value("i8").features(["u32", "f64"]);
        same(crate::data::parquet::tests::ZSTD, &value, 5);
        fs::remove_dir_all(&folder).unwrap();
    }
}
