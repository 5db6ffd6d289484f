//! Whole files in memory, unpacked on the way.

use super::error::DataError;
use crate::regular;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// A file may not be larger than this once unpacked: a few packed kilobytes must not fill the machine's memory.
pub(super) const LIMIT: u64 = 1 << 31;

/// The name of a file in errors.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Opens a [regular](regular::check) file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    regular::check(&fs::metadata(path)?)?;
    File::open(path)
}

/// A pipe without a name, which a shell has made and fills: `/dev/stdin` after a `|`.
fn is_nameless_pipe(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|facts| regular::is_pipe(&facts.file_type())) && fs::canonicalize(path).is_err()
}

/// The bytes of a file; gzip is recognised by its first two bytes and unpacked.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    let failed = |source| unreadable(&name(path), source);
    let mut bytes = Vec::new();
    let file = if is_nameless_pipe(path) { File::open(path) } else { open(path) };
    file.map_err(failed)?.take(LIMIT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LIMIT {
        return Err(DataError::TooLarge { file: name(path), limit: LIMIT });
    }
    unpack(&name(path), bytes)
}

/// The bytes themselves, or what they unpack to if they are gzip.
pub(super) fn unpack(file: &str, bytes: Vec<u8>) -> Result<Vec<u8>, DataError> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        drain(file, MultiGzDecoder::new(&bytes[..]), LIMIT, INTACT)
    } else {
        Ok(bytes)
    }
}

const INTACT: &str = "an intact gzip stream";
const DAMAGED: &str = "the file is damaged or cut off, fetch it again";

/// The error of gzip that can't be unpacked beyond byte `at`.
pub(super) fn torn(file: &str, at: u64, error: &io::Error) -> DataError {
    DataError::Format { file: file.into(), at, expected: INTACT, found: error.to_string(), help: DAMAGED }
}

/// The error of a file that can't be read.
pub(super) fn unreadable(file: &str, source: io::Error) -> DataError {
    DataError::Read { file: file.into(), source }
}

/// Everything a decoder gives, up to `limit` bytes.
pub(super) fn drain(file: &str, decoder: impl Read, limit: u64, expected: &'static str) -> Result<Vec<u8>, DataError> {
    let mut out = Vec::new();
    decoder.take(limit + 1).read_to_end(&mut out).map_err(|error| DataError::Format {
        file: file.into(),
        at: out.len() as u64,
        expected,
        found: error.to_string(),
        help: DAMAGED,
    })?;
    if out.len() as u64 > limit {
        return Err(DataError::TooLarge { file: file.into(), limit });
    }
    Ok(out)
}

/// Reads numbers from the front of a slice; every step checks that enough is left.
pub(super) struct Cursor<'a> {
    pub(super) file: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    /// A reader of `bytes` from `at` on.
    pub(super) fn new(file: &'a str, bytes: &'a [u8], at: usize) -> Self {
        Self { file, bytes, at }
    }

    /// The next `len` bytes, which are `expected` in the format's words.
    pub(super) fn take(&mut self, len: usize, expected: &'static str) -> Result<&'a [u8], DataError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let part = rest.get(..len).ok_or_else(|| {
            self.error(expected, format!("{} of {len} bytes", rest.len()), "the file is cut off, fetch it again")
        })?;
        self.at += len;
        Ok(part)
    }

    /// The next `N` bytes as an array.
    pub(super) fn array<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], DataError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N, expected)?);
        Ok(out)
    }

    /// The error that something else than `expected` is here.
    pub(super) fn error(&self, expected: &'static str, found: String, help: &'static str) -> DataError {
        DataError::Format { file: self.file.into(), at: self.at as u64, expected, found, help }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    #[test]
    fn a_bomb_is_refused_at_the_limit() {
        let zeros = [0; 1000];
        let found = drain("bomb", &zeros[..], 999, "x").unwrap_err().to_string();
        assert_eq!(found, "bomb: more than 999 bytes once unpacked; split the file into smaller ones");
        assert_eq!(drain("fits", &zeros[..], 1000, "x").unwrap().len(), 1000);
    }

    #[test]
    fn gzip_is_unpacked_and_a_cut_one_refused() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"a,b\n1,2\n").unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(unpack("x", packed.clone()).unwrap(), b"a,b\n1,2\n");
        let error = unpack("x.gz", packed[..packed.len() - 3].to_vec()).unwrap_err();
        assert!(error.to_string().starts_with("x.gz: byte 8: expected an intact gzip stream"), "{error}");
    }
}
