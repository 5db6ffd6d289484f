//! Files as a whole: read to an aligned place, written so that a reader never sees half of one.

use super::part_file::{self, PartFile};
use crate::regular;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file that couldn't be read or written.
#[derive(Debug, Error)]
#[error("{}: {doing}: {source}", path.display())]
pub struct FileError {
    /// The file.
    pub path: PathBuf,
    /// What was tried.
    pub doing: &'static str,
    /// What the system said.
    pub source: io::Error,
}

/// Bytes that start at a multiple of 16, so that a model's file can be used where it lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes {
    words: Vec<u128>,
    len: usize,
}

impl Bytes {
    /// A copy of `bytes`.
    pub fn new(bytes: &[u8]) -> Bytes {
        let mut words = vec![0u128; bytes.len().div_ceil(16)];
        let room: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        Bytes { words, len: bytes.len() }
    }

    /// The content of a file.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn read(path: impl AsRef<Path>) -> Result<Bytes, FileError> {
        let path = path.as_ref();
        let failed = |source| FileError { path: path.into(), doing: "can't read", source };
        fs::metadata(path).and_then(|facts| regular::check(&facts)).map_err(failed)?;
        fs::read(path).map_err(failed).map(|bytes| Bytes::new(&bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        bytemuck::cast_slice(&self.words).get(..self.len).unwrap_or_default()
    }
}

/// What a file's name has in its middle until it is whole.
const PART: &str = "new";

/// Writes a file beside its place, hands it to the disk and then renames it: whoever opens the name finds the old file
/// or the new one, whole. Folders on the way are made; what a killed program left beside the place is removed.
///
/// # Errors
/// [`FileError`]; the file that was there is as it was, and so is a device or a pipe, which a file would replace.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    let failed = |source| FileError { path: path.into(), doing: "can't write", source };
    // Renaming would replace a link, and leave what it leads to as it was.
    let whole = fs::canonicalize(path).ok().filter(|_| path.is_symlink());
    let path = whole.as_deref().unwrap_or(path);
    fs::metadata(path).map_or(Ok(()), |facts| regular::check(&facts)).map_err(failed)?;
    if path.file_name().is_none() {
        return Err(failed(io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file")));
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    part_file::remove_stale(path, &[PART]);
    let mut part = PartFile::create(path, PART).map_err(failed)?;
    let written = part.file.write_all(bytes).and_then(|()| part.file.sync_all());
    written.and_then(|()| part.rename(path)).map_err(failed)?;
    // The renaming itself must reach the disk; where folders can't be opened it does so by itself.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("emberlite-file-{name}-{}", std::process::id()))
    }

    #[test]
    fn bytes_start_at_a_multiple_of_sixteen_and_keep_their_length() {
        for len in [0, 1, 15, 16, 17, 100] {
            let content: Vec<u8> = (0..len).collect();
            let bytes = Bytes::new(&content);
            assert_eq!((bytes.as_slice(), bytes.as_slice().as_ptr().addr() % 16), (&content[..], 0));
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_stays() {
        let folder = folder("replace");
        let path = folder.join("deep").join("x.bin");
        write(&path, b"first").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(Bytes::read(&path).unwrap().as_slice(), b"second");
        assert_eq!(fs::read_dir(folder.join("deep")).unwrap().count(), 1);
        // A folder of that name can't be replaced: the error leaves no part behind.
        fs::create_dir(folder.join("taken")).unwrap();
        fs::write(folder.join("taken").join("y"), "").unwrap();
        assert!(write(&folder.join("taken"), b"x").unwrap_err().to_string().contains("can't write"));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        // What a program had written when it was killed.
        fs::write(folder.join("deep").join("x.new.17.0.part"), "thi").unwrap();
        write(&path, b"third").unwrap();
        assert_eq!(fs::read_dir(folder.join("deep")).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
