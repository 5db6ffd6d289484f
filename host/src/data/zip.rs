//! The part of ZIP that NPZ files use: entries by name from the central directory, stored or deflated, CRC checked.

use super::bytes::{Cursor, LIMIT, drain};
use super::error::DataError;
use super::records::RandomFile;
use flate2::{Crc, read::DeflateDecoder};

/// One entry of the central directory.
pub(super) struct Entry {
    pub(super) name: String,
    method: u16,
    crc: u32,
    packed: usize,
    unpacked: u64,
    header: usize,
}

const FETCH: &str = "the file is damaged or cut off, fetch it again";
const END: &str = "the directory at the end of a ZIP file";

/// The entries of an archive.
pub(super) fn entries(file: &str, bytes: &[u8]) -> Result<Vec<Entry>, DataError> {
    // The end record is 22 bytes and a comment of up to 65535 long; the last signature counts.
    let from = bytes.len().saturating_sub(22 + 65535);
    let tail = &bytes[from..];
    let Some(end) = tail.windows(22).rposition(|window| window.starts_with(b"PK\x05\x06")) else {
        return Err(Cursor::new(file, bytes, from).error(END, "none".into(), FETCH));
    };
    let mut cursor = Cursor::new(file, bytes, from + end + 10);
    let count = u16::from_le_bytes(cursor.array(END)?);
    cursor.take(4, END)?;
    cursor.at = u32::from_le_bytes(cursor.array(END)?) as usize;
    (0..count).map(|_| entry(&mut cursor)).collect()
}

fn entry(cursor: &mut Cursor) -> Result<Entry, DataError> {
    const EXPECTED: &str = "an entry of the ZIP directory";
    let at = cursor.at;
    let head: [u8; 46] = cursor.array(EXPECTED)?;
    let u16_at = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if !head.starts_with(b"PK\x01\x02") {
        cursor.at = at;
        return Err(cursor.error(EXPECTED, "something else".into(), FETCH));
    }
    let (packed, unpacked, header) = (u32_at(20), u32_at(24), u32_at(42));
    if [packed, unpacked, header].contains(&u32::MAX) {
        return Err(cursor.error("an archive below 4 GiB", "a ZIP64 one".into(), "split it into smaller ones"));
    }
    if u16_at(8) & 1 == 1 {
        return Err(cursor.error("an open archive", "an encrypted one".into(), "save it without a password"));
    }
    let name = String::from_utf8_lossy(cursor.take(usize::from(u16_at(28)), EXPECTED)?).into_owned();
    cursor.take(usize::from(u16_at(30)) + usize::from(u16_at(32)), EXPECTED)?;
    Ok(Entry {
        name,
        method: u16_at(10),
        crc: u32_at(16),
        packed: packed as usize,
        unpacked: u64::from(unpacked),
        header: header as usize,
    })
}

/// The place and length of an entry that isn't compressed, in a file that is read at offsets; `.npy` may be left out of
/// its name.
pub(super) fn stored(file: &RandomFile, name: &str) -> Result<(u64, u64), DataError> {
    // The directory is at the end; a piece of the file that holds it is parsed like a whole one.
    let mut end = vec![0; file.len.min(22 + 65535) as usize];
    file.read(file.len - end.len() as u64, &mut end)?;
    let damaged = |expected, found: String, help| DataError::Format {
        file: file.name.clone(),
        at: file.len,
        expected,
        found,
        help,
    };
    let from = end.windows(22).rposition(|window| window.starts_with(b"PK\x05\x06"));
    let record = from.and_then(|from| end.get(from..from + 22)).ok_or_else(|| damaged(END, "none".into(), FETCH))?;
    let word = |at: usize| u64::from(u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]));
    let (len, at) = (word(12), word(16));
    if len > LIMIT || at.saturating_add(len) > file.len {
        return Err(damaged(END, format!("one at byte {at}"), FETCH));
    }
    let mut directory = vec![0; len as usize];
    file.read(at, &mut directory)?;
    let mut cursor = Cursor::new(&file.name, &directory, 0);
    let count = u16::from_le_bytes([record[10], record[11]]);
    let entries = (0..count).map(|_| entry(&mut cursor)).collect::<Result<Vec<_>, _>>()?;
    let plain = |entry: &Entry| entry.name.strip_suffix(".npy").unwrap_or(&entry.name).to_string();
    let Some(entry) = entries.iter().find(|entry| plain(entry) == name) else {
        let known = entries.iter().map(plain).collect::<Vec<_>>().join(", ");
        return Err(DataError::Unknown { file: file.name.clone(), name: name.into(), known });
    };
    if entry.method != 0 {
        let help = "save the archive with numpy.savez, or leave out stream = true";
        return Err(damaged("an entry that isn't compressed, to read it at offsets", "a compressed one".into(), help));
    }
    let mut head = [0; 30];
    file.read(entry.header as u64, &mut head)?;
    let skip = |at: usize| u64::from(u16::from_le_bytes([head[at], head[at + 1]]));
    let start = entry.header as u64 + 30 + skip(26) + skip(28);
    if !head.starts_with(b"PK\x03\x04") || start.saturating_add(entry.unpacked) > file.len {
        return Err(damaged("the entry that the ZIP directory promises", "another".into(), FETCH));
    }
    Ok((start, entry.unpacked))
}

/// The content of one entry.
pub(super) fn content(file: &str, bytes: &[u8], entry: &Entry) -> Result<Vec<u8>, DataError> {
    const EXPECTED: &str = "the entry that the ZIP directory promises";
    let mut cursor = Cursor::new(file, bytes, entry.header);
    let head: [u8; 30] = cursor.array(EXPECTED)?;
    let skip = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
    cursor.take(skip(26) + skip(28), EXPECTED)?;
    let packed = cursor.take(entry.packed, EXPECTED)?;
    let content = match entry.method {
        0 => packed.to_vec(),
        8 => drain(file, DeflateDecoder::new(packed), entry.unpacked.min(LIMIT), "an intact deflate stream")?,
        other => {
            let found = format!("method {other}");
            return Err(cursor.error("entries stored or deflated", found, "save the archive with numpy.savez"));
        }
    };
    let mut crc = Crc::new();
    crc.update(&content);
    if !head.starts_with(b"PK\x03\x04") || content.len() as u64 != entry.unpacked || crc.sum() != entry.crc {
        cursor.at = entry.header;
        return Err(cursor.error("content with the checksum of the ZIP directory", "another".into(), FETCH));
    }
    Ok(content)
}
