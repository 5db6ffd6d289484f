//! Files that are being made, beside the one that they become: locked while somebody works on them, so that what a killed
//! program left behind can be told from them and is removed.
//!
//! The system gives up a lock when its process ends, however it ends. Where a file system has no locks nothing is
//! removed: a file too many costs room, one too few somebody's work.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A file that is being made.
#[derive(Debug)]
pub(crate) struct PartFile {
    /// Open for reading and writing, locked where locks are.
    pub(crate) file: File,
    pub(crate) path: PathBuf,
}

impl PartFile {
    /// A new file beside `whole`, of a name that nobody else has: `STEM.WHAT.PROCESS.NUMBER.part`.
    ///
    /// # Errors
    /// As the system gives them.
    pub(crate) fn create(whole: &Path, what: &str) -> io::Result<PartFile> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = MADE.fetch_add(1, Ordering::Relaxed);
            let path = whole.with_extension(format!("{what}.{}.{number}.part", std::process::id()));
            let file = match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                // Another machine's process of the same number, or one that was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            // Whoever removes what is left over may have been here between the two: then the file has no name any more.
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => continue,
                Ok(()) | Err(TryLockError::Error(_)) if path.exists() => return Ok(PartFile { file, path }),
                _ => continue,
            }
        }
    }

    /// Gives the file its name; whoever has that name then has all of it.
    ///
    /// # Errors
    /// As the system gives them.
    pub(crate) fn rename(&self, whole: &Path) -> io::Result<()> {
        fs::rename(&self.path, whole)
    }
}

impl Drop for PartFile {
    /// Nothing is left beside the whole; of a renamed file there is nothing to remove.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Removes what killed programs left beside `whole`: parts of its name that nobody has locked.
pub(crate) fn remove_stale(whole: &Path, whats: &[&str]) {
    let folder = match whole.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if is_part(&entry.file_name(), whole, whats) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let path = entry.path();
            // Held while it is removed, so that nobody takes it for a new one.
            if let Ok(file) = OpenOptions::new().write(true).open(&path)
                && file.try_lock().is_ok()
            {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// Whether that is the name of a part of `whole`.
fn is_part(name: &OsStr, whole: &Path, whats: &[&str]) -> bool {
    let (Some(name), Some(stem)) = (name.to_str(), whole.file_stem().and_then(OsStr::to_str)) else { return false };
    let Some(rest) = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.')) else { return false };
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match rest.split('.').collect::<Vec<_>>()[..] {
        [what, process, place, "part"] => whats.contains(&what) && number(process) && number(place),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_works_on_is_removed_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("emberlite-parts-{}-stale", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let whole = folder.join("x.pack");
        let stale = ["x.rows.17.0.part", "x.whole.17.3.part", "x.rows.1.99.part"];
        let others = [
            "y.rows.17.0.part",
            "x.rows.17.part",
            "x.rows.a.0.part",
            "x.other.1.2.part",
            "x.csv",
            "x.rows.1.2.part.bak",
        ];
        for name in stale.iter().chain(&others) {
            fs::write(folder.join(name), "half").unwrap();
        }
        let at_work = PartFile::create(&whole, "rows").unwrap();
        remove_stale(&whole, &["rows", "whole"]);
        let mut names: Vec<String> =
            fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let mut expected: Vec<String> = others.iter().map(|name| name.to_string()).collect();
        expected.push(at_work.path.file_name().unwrap().to_str().unwrap().into());
        expected.sort();
        assert_eq!(names, expected);
        at_work.rename(&whole).unwrap();
        drop(at_work);
        assert!(whole.is_file());
        fs::remove_dir_all(&folder).unwrap();
    }
}
