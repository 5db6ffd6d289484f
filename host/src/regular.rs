//! Whether a path leads to a regular file: a pipe is waited for without end, a device may be read without end, and a file that is
//! written beside and renamed would take the place of either.

use std::fs::{FileType, Metadata};
use std::io;

/// What it is instead of a regular file.
pub(crate) fn instead(facts: &Metadata) -> Option<&'static str> {
    let kind = facts.file_type();
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => None,
        (_, true) => Some("a folder"),
        _ if is_pipe(&kind) => Some("a pipe"),
        _ => Some("a device or a socket"),
    }
}

/// The error of what [isn't](instead) one.
///
/// # Errors
/// It says what it is.
pub(crate) fn check(facts: &Metadata) -> io::Result<()> {
    instead(facts).map_or(Ok(()), |kind| Err(io::Error::other(format!("it is {kind}, not a regular file"))))
}

#[cfg(unix)]
pub(crate) fn is_pipe(kind: &FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(kind)
}

#[cfg(not(unix))]
pub(crate) fn is_pipe(_: &FileType) -> bool {
    false
}
