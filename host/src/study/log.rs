//! `trials.jsonl`: every trial as it ends, one line each, on the disk before the next one begins.
//!
//! The first line says what the search is of; a search goes on only where that is the same. A process that is killed
//! while it writes leaves a line without its end, which is dropped: that trial runs again.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::space::Space;
use super::trial::Trial;

/// What a search is of: names of settings with their values as text. Equal searches propose equal candidates.
pub type Identity = BTreeMap<String, String>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    search: Identity,
}

/// The file of trials.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

/// Why trials can't be kept or read.
#[derive(Debug, Error)]
pub enum LogError {
    /// The file can't be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There are trials already.
    #[error(
        "{}: there are {trials} trials of a search already; go on with --resume, or give another folder with --run",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
        /// How many.
        trials: usize,
    },
    /// A line isn't a trial of this space.
    #[error("{}:{line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// The trials are those of another search.
    #[error(
        "{}: its trials were made with {name} = {found}, this search has {expected}; change that back, or give another \
         folder with --run",
        path.display()
    )]
    Other {
        /// The file.
        path: PathBuf,
        /// The setting.
        name: String,
        /// Its value in the file.
        found: String,
        /// Its value now.
        expected: String,
    },
}

impl Log {
    /// Opens the file for a search; gives the trials it has, by number. Without `resume` it must have none.
    ///
    /// # Errors
    /// [`LogError`]; the file is left as it is.
    pub fn open(path: &Path, identity: &Identity, space: &Space, resume: bool) -> Result<(Log, Vec<Trial>), LogError> {
        let failed = |source| LogError::File { path: path.into(), source };
        let before = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        // What follows the last line's end is a piece, or a whole line whose end is missing; both run again.
        let whole = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<&[u8]> = before[..whole].split_inclusive(|&byte| byte == b'\n').collect();
        if !resume && lines.len() > 1 {
            return Err(LogError::Exists { path: path.into(), trials: lines.len() - 1 });
        }
        let trials = if resume { read(path, &lines, identity, space)? } else { Vec::new() };
        let keep = if resume { whole as u64 } else { 0 };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        file.set_len(keep).map_err(failed)?;
        let mut log = Log { path: path.into(), file };
        if keep == 0 {
            log.line(&Head { search: identity.clone() })?;
        }
        Ok((log, trials))
    }

    /// Adds a trial; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`LogError::File`].
    pub fn append(&mut self, trial: &Trial) -> Result<(), LogError> {
        self.line(trial)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), LogError> {
        let written = serde_json::to_vec(value).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.file.write_all(&line)?;
            self.file.sync_data()
        });
        written.map_err(|source| LogError::File { path: self.path.clone(), source })
    }
}

fn read(path: &Path, lines: &[&[u8]], identity: &Identity, space: &Space) -> Result<Vec<Trial>, LogError> {
    let mut trials = BTreeMap::new();
    for (index, bytes) in lines.iter().enumerate() {
        let wrong = |message: String| LogError::Line { path: path.into(), line: index + 1, message };
        if index == 0 {
            let head: Head = serde_json::from_slice(bytes)
                .map_err(|error| wrong(format!("not the first line of a search ({error}); give another file")))?;
            same(path, &head.search, identity)?;
            continue;
        }
        let mut trial: Trial = serde_json::from_slice(bytes).map_err(|error| wrong(format!("not a trial: {error}")))?;
        trial.point = space
            .point_of(|name| trial.parameters.get(name))
            .ok_or_else(|| wrong("its values aren't of this search's space".into()))?;
        trials.insert(trial.number, trial);
    }
    Ok(trials.into_values().collect())
}

/// Refuses trials of another search.
fn same(path: &Path, found: &Identity, expected: &Identity) -> Result<(), LogError> {
    let names = found.keys().chain(expected.keys());
    let different = names.into_iter().find(|name| found.get(*name) != expected.get(*name));
    different.map_or(Ok(()), |name| {
        let value = |identity: &Identity| identity.get(name).cloned().unwrap_or_else(|| "nothing".into());
        Err(LogError::Other { path: path.into(), name: name.clone(), found: value(found), expected: value(expected) })
    })
}
