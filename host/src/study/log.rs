//! `trials.jsonl`: every trial as it ends, one line each, on the disk before the next one begins.
//!
//! The first line says what the search is of; a search goes on only where that is the same. A process that is killed
//! while it writes leaves a line without its end, which is dropped: that trial runs again.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::run::{MOST_PARALLEL, Method, Study};
use super::space::Point;
use super::trial::{State, Trial, mean, placed};

/// What a search is of. Equal searches propose equal candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Names of settings with their values as text. Large ones are a fingerprint.
    #[serde(rename = "search")]
    pub settings: BTreeMap<String, String>,
    /// What is behind the fingerprints, to name what has changed; empty for one whose content can't be named.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, BTreeMap<String, String>>,
}

/// The setting of an [`Identity`] that says in which form the others are told, where they have several.
pub const FORM: &str = "form";

/// A value that differs from the one that trials were made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What it is of.
    pub name: String,
    /// The value then; none where there was none, or where it is known of neither.
    pub was: Option<String>,
    /// The value now.
    pub is: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.was, &self.is) {
            (Some(was), Some(is)) => write!(f, "{} = {was} (now {is})", self.name),
            (Some(was), None) => write!(f, "{} = {was} (now nothing)", self.name),
            (None, Some(is)) => write!(f, "no {} (now {is})", self.name),
            (None, None) if self.name == "data" => f.write_str("other data"),
            (None, None) => write!(f, "another {}", self.name),
        }
    }
}

/// The file of trials.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    /// Of each trial that was read, by number.
    lines: BTreeMap<u32, usize>,
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
    /// There are trials already, and the search isn't one that goes on with them.
    #[error("{}: there are {trials} trials of a search already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
        /// How many.
        trials: usize,
        /// What is otherwise in the search that was to begin; none where it can't be told, and the trials not gone on with.
        changes: Option<Vec<Change>>,
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
    /// There is nothing to go on from.
    #[error("{}: there is nothing to go on from: no such file of trials; check the folder", path.display())]
    Nothing {
        /// The file.
        path: PathBuf,
    },
    /// Whose the trials are is told in another form ([`FORM`]) than today's.
    #[error(
        "{}: its trials are those of an older or newer program, which tells searches apart in another way; finish the search \
         with that program",
        path.display()
    )]
    Form {
        /// The file.
        path: PathBuf,
    },
    /// The file isn't a search's, and a new search would replace it.
    #[error("{}: its first line isn't that of a search, so a search doesn't replace it; move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// There are more trials than the search is to have.
    #[error(
        "{}: the search has {trials} trials already, which count too, and is to have {asked}; give {trials} to end it there, or \
         more to search on",
        path.display()
    )]
    Enough {
        /// The file.
        path: PathBuf,
        /// How many it has.
        trials: u32,
        /// How many it is to have.
        asked: u32,
    },
    /// The trials are those of another search.
    #[error("{}: its trials were made with {}; change that back", path.display(), Change::listed(changes))]
    Other {
        /// The file.
        path: PathBuf,
        /// What differs.
        changes: Vec<Change>,
    },
}

/// Changes that are named; of a rewritten description there may be hundreds.
const NAMED: usize = 5;

impl Change {
    /// Several in a sentence, of many the first.
    pub fn listed(changes: &[Change]) -> String {
        let named: Vec<String> = changes.iter().take(NAMED).map(Change::to_string).collect();
        let more = changes.len().saturating_sub(NAMED);
        named.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
    }
}

impl Log {
    /// Opens the file for a search; gives the trials it has, by number. Without `resume` it must have none, with it there must be
    /// the file.
    ///
    /// # Errors
    /// [`LogError`]; the file is left as it is.
    pub fn open(
        path: &Path,
        identity: &Identity,
        study: &Study<'_>,
        resume: bool,
    ) -> Result<(Log, Vec<Trial>), LogError> {
        let failed = |source| LogError::File { path: path.into(), source };
        let before = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound && resume => {
                return Err(LogError::Nothing { path: path.into() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(error)),
        };
        // What follows the last line's end is a piece, or a whole line whose end is missing; both run again.
        let whole = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let lines: Vec<&[u8]> = before[..whole].split_inclusive(|&byte| byte == b'\n').collect();
        // What isn't a trial that this program reads may be somebody's work, too; refused candidates are found again at once.
        let is_work =
            |line: &&&[u8]| serde_json::from_slice::<Trial>(line).map_or(true, |trial| trial.state != State::Refused);
        let work = lines.iter().skip(1).filter(is_work).count();
        if !resume && work > 0 {
            let head = lines.first().and_then(|line| serde_json::from_slice(line).ok());
            let changes = head.and_then(|head| changes(&head, identity));
            return Err(LogError::Exists { path: path.into(), trials: work, changes });
        }
        if !resume && !is_begun(&before[..whole], &before[whole..]) {
            return Err(LogError::Foreign { path: path.into() });
        }
        let (trials, lines) = if resume { read(path, &lines, identity, study)? } else { Default::default() };
        let counted = trials.iter().filter(|trial| trial.state != State::Refused).count() as u32;
        if counted > study.trials {
            return Err(LogError::Enough { path: path.into(), trials: counted, asked: study.trials });
        }
        let keep = if resume { whole as u64 } else { 0 };
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        file.set_len(keep).map_err(failed)?;
        let mut log = Log { path: path.into(), file, lines };
        if keep == 0 {
            log.line(identity)?;
        }
        Ok((log, trials))
    }

    /// Removes the file, if it is there.
    ///
    /// # Errors
    /// [`LogError::File`].
    pub fn remove(path: &Path) -> Result<(), LogError> {
        match fs::remove_file(path) {
            Err(source) if source.kind() != ErrorKind::NotFound => Err(LogError::File { path: path.into(), source }),
            _ => Ok(()),
        }
    }

    /// That a trial which was read can't be one of this search's, at its line.
    pub fn wrong(&self, trial: &Trial, what: &str) -> LogError {
        let line = self.lines.get(&trial.number).copied().unwrap_or_default();
        LogError::Line { path: self.path.clone(), line, message: changed(what) }
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
            let before = self.file.metadata()?.len();
            // Half a line would be taken for damage once another stands behind it.
            self.file.write_all(&line).inspect_err(|_| drop(self.file.set_len(before)))?;
            self.file.sync_data()
        });
        written.map_err(|source| LogError::File { path: self.path.clone(), source })
    }
}

/// Whether a file without trials is what a search, of this program or another, has left that was ended before its first trial:
/// nothing, its first line, or a piece of that.
fn is_begun(lines: &[u8], rest: &[u8]) -> bool {
    const BEGIN: &[u8] = b"{\"search\":";
    match lines.split(|&byte| byte == b'\n').next() {
        None | Some([]) => rest.starts_with(BEGIN) || BEGIN.starts_with(rest) || rest.iter().all(|&byte| byte == 0),
        Some(first) => {
            serde_json::from_slice::<serde_json::Value>(first).is_ok_and(|line| line.get("search").is_some())
        }
    }
}

/// What can be done about a line that this search hasn't written.
fn changed(what: &str) -> String {
    format!("{what}; put the line back as it was, or remove it and those after it: what they tell of runs again")
}

/// Trials in the order of numbers, and the line of each.
type Told = (Vec<Trial>, BTreeMap<u32, usize>);

fn read(path: &Path, lines: &[&[u8]], identity: &Identity, study: &Study<'_>) -> Result<Told, LogError> {
    let mut trials = BTreeMap::new();
    let mut at = BTreeMap::new();
    let mut order = Order::new(study);
    for (index, bytes) in lines.iter().enumerate() {
        let line = index + 1;
        let wrong = |message: String| LogError::Line { path: path.into(), line, message };
        if index == 0 {
            let head: Identity = serde_json::from_slice(bytes)
                .map_err(|error| wrong(format!("not the first line of a search ({error}); give another file")))?;
            same(path, &head, identity)?;
            continue;
        }
        let mut trial: Trial =
            serde_json::from_slice(bytes).map_err(|error| wrong(changed(&format!("not a trial: {error}"))))?;
        let unknown = trial.parameters.keys().find(|name| !study.space.parameters.iter().any(|p| p.path == **name));
        if let Some(name) = unknown {
            return Err(wrong(changed(&format!("the search doesn't vary `{name}`"))));
        }
        let point = study.space.point_of(|name| trial.parameters.get(name));
        trial.point = point.ok_or_else(|| wrong(changed("its values aren't of this search's space")))?;
        if let Some(first) = at.insert(trial.number, line) {
            let message = format!("candidate {} is in line {first} already", u64::from(trial.number) + 1);
            return Err(wrong(changed(&message)));
        }
        order.check(&trial).and_then(|()| sound(&trial)).map_err(|what| wrong(changed(&what)))?;
        trials.insert(trial.number, trial);
    }
    Ok((placed(trials.into_values()), at))
}

/// Whether its score is one that its state and its folds allow.
fn sound(trial: &Trial) -> Result<(), String> {
    let name = trial.state.name();
    match (trial.state, trial.score) {
        (State::Complete, None) => return Err("a complete trial has a score, and this one has none".into()),
        (State::Complete, Some(_)) | (_, None) => {}
        (_, Some(score)) => return Err(format!("a {name} trial has no score, and this one has {score}")),
    }
    let (of_folds, Some(score)) = (mean(&trial.scores), trial.score) else { return Ok(()) };
    match of_folds.filter(|mean| (mean - score).abs() > 1e-9 * mean.abs()) {
        Some(mean) => Err(format!("its score is {score}, and the mean of its folds is {mean}")),
        None => Ok(()),
    }
}

/// The numbers of trials as the lines of a file have them: of those below one all have been begun before it, and no more than
/// were at work beside it are missing.
struct Order<'s> {
    study: &'s Study<'s>,
    grid: Option<Vec<Point>>,
    /// All numbers below have been in a line, and so many of them were refused.
    whole: (u32, u32),
    /// Of the others; true for a refused one.
    seen: BTreeMap<u32, bool>,
}

impl<'s> Order<'s> {
    fn new(study: &'s Study<'s>) -> Self {
        // A grid that can't be made is told of when the search begins.
        let grid = if study.method == Method::Grid { study.grid().ok() } else { None };
        Order { study, grid, whole: (0, 0), seen: BTreeMap::new() }
    }

    fn check(&mut self, trial: &Trial) -> Result<(), String> {
        let (number, refused) = (trial.number, trial.state == State::Refused);
        let counted = u64::from(number) + 1;
        let before: Vec<bool> = self.seen.range(..number).map(|(_, refused)| *refused).collect();
        let refused_before = self.whole.1 + before.iter().filter(|refused| **refused).count() as u32;
        // Without history the search may have been begun with any number of threads.
        let beside = match self.study.uses_history() {
            true => self.study.parallel.max(1),
            false => self.study.parallel.max(MOST_PARALLEL),
        };
        let missing = number.saturating_sub(self.whole.0 + before.len() as u32);
        if missing >= beside {
            let s = if missing == 1 { "" } else { "s" };
            return Err(format!("it is candidate {counted}, and {missing} candidate{s} before it aren't there"));
        }
        let place = counted.saturating_sub(refused_before.into());
        match trial.place.map(|place| u64::from(place.get())) {
            Some(told) if refused => return Err(format!("it is trial {told}, and a refused candidate is none")),
            // Files of earlier programs don't tell it.
            Some(told) if told != place => {
                return Err(format!("it is trial {told}, and by its candidate's number it is trial {place}"));
            }
            _ => {}
        }
        // A proposal that depends on other trials is too long in the making to be made again.
        let drawn = match self.study.method {
            Method::Tpe(_) => None,
            Method::Grid | Method::Random => Some(self.study.propose(number, &[], self.grid.as_deref())),
        };
        if drawn.is_some_and(|drawn| drawn.as_ref() != Some(&trial.point)) {
            return Err(format!("its values aren't those of candidate {counted}"));
        }
        self.seen.insert(number, refused);
        while let Some(refused) = self.seen.remove(&self.whole.0) {
            self.whole = (self.whole.0 + 1, self.whole.1 + u32::from(refused));
        }
        Ok(())
    }
}

/// Refuses trials of another search.
fn same(path: &Path, was: &Identity, is: &Identity) -> Result<(), LogError> {
    let changes = changes(was, is).ok_or_else(|| LogError::Form { path: path.into() })?;
    if changes.is_empty() { Ok(()) } else { Err(LogError::Other { path: path.into(), changes }) }
}

/// What differs; none where the two are told in different forms.
fn changes(was: &Identity, is: &Identity) -> Option<Vec<Change>> {
    if was.settings.get(FORM) != is.settings.get(FORM) {
        return None;
    }
    let mut changes = Vec::new();
    for Change { name, was: value, is: now } in differences(&was.settings, &is.settings) {
        match (was.details.get(&name), is.details.get(&name)) {
            (Some(was), Some(is)) if was != is => changes.extend(differences(was, is)),
            // A fingerprint says nothing to people.
            (_, Some(_)) => changes.push(Change { name, was: None, is: None }),
            _ => changes.push(Change { name, was: value, is: now }),
        }
    }
    Some(changes)
}

fn differences(was: &BTreeMap<String, String>, is: &BTreeMap<String, String>) -> Vec<Change> {
    let mut names: Vec<&String> = was.keys().chain(is.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let different = names.into_iter().filter(|name| was.get(*name) != is.get(*name));
    let change = |name: &String| Change { name: name.clone(), was: was.get(name).cloned(), is: is.get(name).cloned() };
    different.map(change).collect()
}
