//! The best description while a search is at work: of two searches in different folders that would write the same one, the
//! second learns of it before it trains, not after.
//!
//! A locked file beside it, which the system lets go of when the process ends, however it ends. It is removed at the end, so that
//! nothing is left beside people's own files; that is why it has a content, which tells the file that was locked from one that
//! has come in its place.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, UNIX_EPOCH};

use crate::cli::CliError;
use crate::cli::run_folder::PATIENCE;
use crate::export::FileError;

/// Held while a search is at work.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    #[expect(dead_code, reason = "open is what it is for")]
    file: File,
}

impl Claim {
    /// Claims the best description; its folder is there and can be written to.
    ///
    /// # Errors
    /// Another search holds it.
    pub(super) fn take(best: &Path) -> Result<Claim, CliError> {
        let mut name = OsString::from(".");
        name.push(best.file_name().unwrap_or_default());
        name.push(".lock");
        let path = best.with_file_name(name);
        let failed = |source| FileError { path: path.clone(), doing: "can't write", source };
        for _ in 0..PATIENCE {
            let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                // A process that the other is starting has its files open for a moment, too.
                Err(TryLockError::WouldBlock) => {
                    sleep(Duration::from_millis(20));
                    continue;
                }
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                    return Ok(Claim { path, file });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source).into()),
            }
            let own = token();
            file.set_len(0).and_then(|()| file.write_all(own.as_bytes())).map_err(failed)?;
            if fs::read(&path).is_ok_and(|there| there == own.as_bytes()) {
                return Ok(Claim { path, file });
            }
        }
        Err(CliError::Message(format!(
            "{}: another search is at work that will write it; wait for its end, or name another by --out",
            best.display()
        )))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Left behind it does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

/// What no other claim has written.
fn token() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let time = UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    format!("{} {} {time}\n", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_at_once_one_has_it_and_nothing_is_left() {
        let folder = std::env::temp_dir().join(format!("emberlite-claim-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let best = folder.join("best.toml");
        let held = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let Ok(claim) = Claim::take(&best) else { continue };
                        assert_eq!(held.fetch_add(1, Ordering::SeqCst), 0);
                        held.fetch_sub(1, Ordering::SeqCst);
                        drop(claim);
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        let claim = Claim::take(&best).unwrap();
        let text = Claim::take(&best).unwrap_err().to_string();
        assert!(text.ends_with(
            "best.toml: another search is at work that will write it; wait for its end, or name another by --out"
        ));
        drop(claim);
        fs::remove_dir_all(&folder).unwrap();
    }
}
