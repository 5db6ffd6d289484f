//! Tables larger than memory: packed once into fixed-size records, then read at offsets.
//!
//! A row of a CSV file is as long as its digits, so the thousandth can't be found without reading those before; a packed
//! file has a header, then `[rows, features]` f32, then what is to be learnt, four bytes a row. It is written beside what
//! it is made of by one pass that holds one row, under another name until it is whole, and carries a fingerprint of the
//! source files (their names, lengths and times) and of the columns' meaning: packed again whenever one differs.
//!
//! ```text
//! 0   8  "EMBPACK1"          24  8  rows           40  4  length of the classes' names
//! 8   8  fingerprint         32  4  features       44  4  CRC-32 of bytes 0 to 44 and the names
//! 16  8  length of the file  36  4  0 nothing, 1 class, 2 value
//! 48     names, a line each, padded to 16; rows; labels
//! ```

use super::bytes;
use super::dataset::Labels;
use super::element::{Element, Kind};
use super::error::DataError;
use super::records::{Layout, RandomFile, RecordFile, Records};
use super::row_reader::RowReader;
use super::rows::sorted;
use super::source::fnv;
use super::spec::{CsvSpec, Label, Missing};
use flate2::Crc;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::UNIX_EPOCH;

const MAGIC: &[u8; 8] = b"EMBPACK1";
const HEADER: usize = 48;

/// Opens the packed form of CSV files, and makes it at `packed` first unless it is there and whole.
///
/// Group columns and recordings aren't kept: such sets are read whole, without `stream`.
///
/// # Errors
/// As [`csv::read`](super::csv::read), and [`DataError::Read`] where the packed file can't be written; what is there
/// then stays.
pub fn csv(paths: &[PathBuf], spec: &CsvSpec, packed: &Path, scale: f32) -> Result<Records, DataError> {
    let fingerprint = fingerprint(paths, spec)?;
    // Another's, or damaged: what it is made of is still there.
    if let Ok(Some(records)) = open(packed, fingerprint, scale) {
        return Ok(records);
    }
    write(paths, spec, packed, fingerprint)?;
    open(packed, fingerprint, scale)?.ok_or_else(|| damaged(packed, "the header that was just written", "another"))
}

/// What the packed file was made of.
fn fingerprint(paths: &[PathBuf], spec: &CsvSpec) -> Result<u64, DataError> {
    let mut words: Vec<u64> = format!("{spec:?}").bytes().map(u64::from).collect();
    for path in paths {
        let failed = |source| DataError::Read { file: bytes::name(path), source };
        let facts = fs::metadata(path).map_err(failed)?;
        let changed = facts.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
        words.extend(bytes::name(path).bytes().map(u64::from));
        words.extend([facts.len(), changed.as_nanos() as u64]);
    }
    Ok(fnv(words.into_iter()))
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
    let needed = rows.checked_mul(4 * (features as u64 + u64::from(kind > 0))).and_then(|size| size.checked_add(start));
    if len != file.len || needed != Some(len) || rows == 0 || features == 0 || rows > u32::MAX.into() {
        return Err(damaged(path, "as many bytes as the header says", &format!("{} bytes", file.len)));
    }
    let mut names = vec![0; names_len as usize];
    file.read(HEADER as u64, &mut names)?;
    let mut crc = Crc::new();
    crc.update(&head[..44]);
    crc.update(&names);
    if crc.sum() != short(44) {
        return Err(damaged(path, "a header with its checksum", "another"));
    }
    let mut labels = vec![0; if kind > 0 { rows as usize * 4 } else { 0 }];
    file.read(start + rows * 4 * features as u64, &mut labels)?;
    let words = labels.chunks_exact(4).map(|word| u32::from_le_bytes(std::array::from_fn(|i| word[i])));
    let labels = match kind {
        0 => Labels::None,
        1 => {
            let names: Vec<String> = String::from_utf8_lossy(&names).lines().map(str::to_string).collect();
            let ids: Vec<u32> = words.collect();
            if ids.iter().any(|&id| id as usize >= names.len()) {
                return Err(damaged(path, "classes below their number", "a larger one"));
            }
            Labels::Class { ids, names }
        }
        _ => Labels::Value(words.map(f32::from_bits).collect()),
    };
    let element = Element { kind: Kind::Float, size: 4, big_endian: false };
    let layout = Layout { stride: 4 * features, skip: 0, element, scale };
    let files = vec![RecordFile { file, start, count: rows as usize }];
    Ok(Some(Records::new(files, layout, vec![features], labels)))
}

/// Packs files in one pass.
fn write(paths: &[PathBuf], spec: &CsvSpec, packed: &Path, fingerprint: u64) -> Result<(), DataError> {
    let failed = |path: &Path| {
        let file = bytes::name(path);
        move |source: io::Error| DataError::Read { file: file.clone(), source }
    };
    if let Some(folder) = packed.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed(folder))?;
    }
    // Both lie beside the result, so that the last step is a rename.
    // Two threads may pack the same file: who is later replaces equal bytes.
    static PACKED: AtomicU32 = AtomicU32::new(0);
    let own = PACKED.fetch_add(1, Ordering::Relaxed);
    let part = |what: &str| packed.with_extension(format!("{what}.{}.{own}.part", std::process::id()));
    let (rows_part, whole_part) = (part("rows"), part("whole"));
    let made = (|| {
        let summary = pack_rows(paths, spec, &rows_part)?;
        join(summary, &rows_part, &whole_part, fingerprint).map_err(failed(&whole_part))?;
        fs::rename(&whole_part, packed).map_err(failed(packed))
    })();
    // Nothing is left beside it, whatever happened.
    let _ = (fs::remove_file(&rows_part), made.is_err().then(|| fs::remove_file(&whole_part)));
    made
}

/// What the pass found: everything but the rows themselves.
struct Summary {
    rows: u64,
    features: u32,
    labels: Labels,
}

fn pack_rows(paths: &[PathBuf], spec: &CsvSpec, rows_part: &Path) -> Result<Summary, DataError> {
    let failed = |source| DataError::Read { file: bytes::name(rows_part), source };
    let mut out = BufWriter::new(File::create(rows_part).map_err(failed)?);
    let (mut rows, mut width) = (0, None);
    let (mut ids, mut values) = (Vec::new(), Vec::new());
    let mut names: Vec<String> = spec.classes.clone();
    let mut known: HashMap<String, u32> = names.iter().cloned().zip(0..).collect();
    for path in paths {
        let mut table = RowReader::open(path, spec.delimiter as u8, spec.header)?;
        let find = |name: &String| table.column(name);
        let label = match &spec.label {
            Label::None => None,
            Label::Class(name) | Label::Value(name) => Some(find(name)?),
        };
        let unused = spec.groups.iter().chain(&spec.recording).map(find).collect::<Result<Vec<_>, _>>()?;
        let columns: Vec<usize> = if spec.features.is_empty() {
            (0..table.headers.len()).filter(|column| label != Some(*column) && !unused.contains(column)).collect()
        } else {
            spec.features.iter().map(find).collect::<Result<_, _>>()?
        };
        // As reading the whole file would refuse it: who trains on the label learns to copy it.
        let again = columns.iter().enumerate().find(|(place, column)| columns[..*place].contains(column));
        let copied = columns.iter().find(|column| label == Some(**column));
        if let Some(&column) = again.map(|(_, column)| column).or(copied) {
            return Err(DataError::Mismatch {
                what: bytes::name(path),
                expected: "feature columns that differ, none of them the label".into(),
                found: format!("`{}` in two places", table.headers.get(column).map_or("", String::as_str)),
                help: "name each feature column once, and take the label out of the features",
            });
        }
        let first = *width.get_or_insert(columns.len());
        if columns.is_empty() || columns.len() != first {
            return Err(DataError::Mismatch {
                what: bytes::name(path),
                expected: format!("{} feature columns", first.max(1)),
                found: columns.len().to_string(),
                help: "give files with the same columns, or name the feature columns",
            });
        }
        while table.next()? {
            let missing = columns.iter().chain(&label).find(|&&column| table.is_missing(column));
            match missing {
                Some(_) if spec.missing == Missing::DropRow => continue,
                Some(&column) => {
                    let help = "fill the cell, or leave out such rows with missing = \"drop_row\"";
                    return Err(table.error(column, "a value", help));
                }
                None => {}
            }
            for &column in &columns {
                out.write_all(&table.number(column)?.to_le_bytes()).map_err(failed)?;
            }
            match (&spec.label, label) {
                (Label::Class(_), Some(column)) => {
                    let name = table.cell(column);
                    let id = match known.get(name) {
                        Some(&id) => id,
                        None if !spec.classes.is_empty() => {
                            let help = "add it to the classes, or remove the rows of this class";
                            return Err(table.error(column, "one of the named classes", help));
                        }
                        None => {
                            let id = names.len() as u32;
                            names.push(name.to_string());
                            known.insert(name.to_string(), id);
                            id
                        }
                    };
                    ids.push(id);
                }
                (Label::Value(_), Some(column)) => values.push(table.number(column)?),
                _ => {}
            }
            rows += 1;
        }
    }
    out.flush().map_err(failed)?;
    if rows == 0 || rows > u64::from(u32::MAX) {
        return Err(DataError::Mismatch {
            what: paths.first().map_or("no file".into(), |path| bytes::name(path)),
            expected: format!("1 to {} rows without missing cells", u32::MAX),
            found: rows.to_string(),
            help: "name the feature columns without those that are often empty",
        });
    }
    let labels = match &spec.label {
        Label::None => Labels::None,
        Label::Value(_) => Labels::Value(values),
        Label::Class(_) => {
            // As reading the whole file would number them.
            let sorted = if spec.classes.is_empty() { sorted(&names) } else { names.clone() };
            let place: HashMap<&String, u32> = sorted.iter().zip(0..).collect();
            let order: Vec<u32> = names.iter().map(|name| place.get(name).copied().unwrap_or(0)).collect();
            ids.iter_mut().for_each(|id| *id = order[*id as usize]);
            Labels::Class { ids, names: sorted }
        }
    };
    Ok(Summary { rows, features: width.unwrap_or(0) as u32, labels })
}

/// Header, rows and labels in one file, on the disk when this returns.
fn join(summary: Summary, rows_part: &Path, whole: &Path, fingerprint: u64) -> io::Result<()> {
    let Summary { rows, features, labels } = summary;
    let (kind, names, words): (u32, String, Vec<u32>) = match labels {
        Labels::Class { ids, names } => (1, names.iter().map(|name| name.replace('\n', " ") + "\n").collect(), ids),
        Labels::Value(values) => (2, String::new(), values.into_iter().map(f32::to_bits).collect()),
        Labels::None | Labels::Tokens { .. } => (0, String::new(), Vec::new()),
    };
    let start = (HEADER + names.len()).next_multiple_of(16);
    let len = start as u64 + rows * 4 * u64::from(features) + 4 * words.len() as u64;
    let mut head = MAGIC.to_vec();
    [fingerprint, len, rows].iter().for_each(|word| head.extend(word.to_le_bytes()));
    [features, kind, names.len() as u32].iter().for_each(|word| head.extend(word.to_le_bytes()));
    let mut crc = Crc::new();
    crc.update(&head);
    crc.update(names.as_bytes());
    head.extend(crc.sum().to_le_bytes());
    head.extend(names.as_bytes());
    head.resize(start, 0);
    let mut out = File::create(whole)?;
    out.write_all(&head)?;
    io::copy(&mut File::open(rows_part)?, &mut out)?;
    let mut out = BufWriter::new(out);
    words.iter().try_for_each(|word| out.write_all(&word.to_le_bytes()))?;
    out.flush()?;
    out.get_ref().sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Source, collect, csv};

    #[test]
    fn packed_is_what_reading_gives_and_is_made_again_when_its_source_changes() {
        let folder = std::env::temp_dir().join(format!("emberlite-pack-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, packed) = (folder.join("x.csv"), folder.join("cache/x.pack"));
        fs::write(&path, "a,label,b\n1,10,2.5\n-3,9,1e3\n,9,1\n4,10,0\n").unwrap();
        let spec = CsvSpec { missing: Missing::DropRow, ..CsvSpec::class("label") };
        let paths = [path.clone()];
        let streamed = |spec: &CsvSpec| super::csv(&paths, spec, &packed, 1.0);
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
        for at in 0..HEADER {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            fs::write(&packed, &bytes).unwrap();
            assert_eq!(collect(&streamed(&spec).unwrap(), 1000).unwrap().features, [7.0, 8.0], "byte {at}");
        }
        fs::write(&packed, &good[..good.len() - 1]).unwrap();
        assert_eq!(streamed(&spec).unwrap().len(), 1);

        fs::write(&path, "a,label,b\n7,1,8\n7,1,x\n").unwrap();
        let text = streamed(&spec).unwrap_err().to_string();
        assert!(text.contains("x.csv:3: column `b`: expected a number"), "{text}");
        assert_eq!(fs::read_dir(folder.join("cache")).unwrap().count(), 1, "the old one and nothing else");
        fs::remove_dir_all(&folder).unwrap();
    }
}
