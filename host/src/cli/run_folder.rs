//! The folder of a training run: one training at a time, and its metrics.jsonl in whole lines.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::CliError;
use crate::export::FileError;
use crate::train::{Checkpoint, EpochRecord, Event, JsonLines, Observer};

/// How often a lock is asked for again, of 20 ms each.
pub(super) const PATIENCE: u32 = 25;

/// Held while a training is at work: two of them would write the same checkpoint and the same metrics.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "open is what it is for")] File);

impl Lock {
    /// Makes the folder and takes it; what is in it stays as it is. The system lets go of it when the process ends,
    /// however it ends.
    ///
    /// # Errors
    /// Another training holds it, or the folder can't be written to.
    pub(super) fn take(folder: &Path) -> Result<Lock, CliError> {
        let failed = |what: &str, source: io::Error| {
            CliError::Message(format!(
                "{}: {what}: {source}; mend that (permissions, space left), or choose another folder with --run",
                folder.display()
            ))
        };
        fs::create_dir_all(folder).map_err(|source| failed("the run's folder can't be made", source))?;
        let file = File::create(folder.join("lock"))
            .map_err(|source| failed("nothing can be written into the run's folder", source))?;
        // A process that this one is starting has its files open, too, until it is the other program: a moment.
        let mut taken = file.try_lock();
        for _ in 0..PATIENCE {
            if !matches!(taken, Err(TryLockError::WouldBlock)) {
                break;
            }
            sleep(Duration::from_millis(20));
            taken = file.try_lock();
        }
        match taken {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(CliError::Message(format!(
                "{}: another training or search is at work in this folder; wait for its end, or choose another with --run",
                folder.display()
            ))),
            // Some network file systems have no locks; training there is as good as it can be.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(Lock(file)),
            Err(TryLockError::Error(source)) => Err(failed("the run's folder can't be locked", source)),
        }
    }
}

/// Where the lines of a run are that hasn't replaced the checkpoint of the one before.
fn beside(metrics: &Path) -> PathBuf {
    metrics.with_extension("jsonl.new")
}

/// Puts lines in their place that were still beside when a run was killed: after its first checkpoint had replaced that of the run
/// before, and before its lines had. Lines of a run that came to no checkpoint are removed.
///
/// # Errors
/// As the system gives them.
pub(super) fn settle(checkpoint: &Checkpoint) -> Result<(), FileError> {
    let metrics = checkpoint.dir.join("metrics.jsonl");
    let new = beside(&metrics);
    // What is wrong with the checkpoint is told by those who need it.
    let (true, Ok(reached)) = (new.exists(), checkpoint.reached()) else { return Ok(()) };
    let failed = |source| FileError { path: new.clone(), doing: "can't put in place", source };
    let text = fs::read(&new).map_err(failed)?;
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let begun = serde_json::from_slice::<Begun>(first).ok().map(|line| line.begun);
    let Some(reached) = reached.filter(|reached| Some(reached.begun) == begun) else {
        return fs::remove_file(&new).map_err(failed);
    };
    let (path, epoch, step) = (&checkpoint.path(), reached.history.len() as u32, reached.within);
    let told = || -> io::Result<()> {
        JsonLines::new(open(&new, true)?).event(Event::Saved { path, epoch, step })?;
        fs::rename(&new, &metrics)
    };
    told().map_err(failed)
}

/// Of the first line of a run.
#[derive(Deserialize)]
struct Begun {
    begun: u64,
}

/// Writes metrics.jsonl, from the first event on, which comes after all checks. Lines of a run before stay as long as its
/// checkpoint does: until then the new ones are written beside.
#[derive(Debug)]
pub(super) struct Metrics {
    path: PathBuf,
    resume: bool,
    lines: Option<(JsonLines<File>, File)>,
    /// The epochs that the file tells of already, in a run that is gone on with.
    told: Vec<EpochRecord>,
    /// Where the lines are that haven't taken the place of others yet.
    beside: Option<PathBuf>,
}

impl Metrics {
    /// Goes on after the last whole line if `resume`, or else starts the file anew.
    pub(super) fn new(path: &Path, resume: bool) -> Metrics {
        Metrics { path: path.into(), resume, lines: None, told: Vec::new(), beside: None }
    }

    fn open(&mut self) -> io::Result<(JsonLines<File>, File)> {
        if self.resume {
            self.told = epochs(&self.path);
        }
        let beside = (!self.resume && self.path.exists()).then(|| beside(&self.path));
        let file = open(beside.as_deref().unwrap_or(&self.path), self.resume)?;
        self.beside = beside;
        Ok((JsonLines::new(file.try_clone()?), file))
    }

    fn write(&mut self, event: Event<'_>) -> io::Result<()> {
        let saved = matches!(event, Event::Saved { .. });
        if self.lines.is_none() {
            self.lines = Some(self.open()?);
        }
        // One that a checkpoint lies within is judged again, to the same figures, where no update of it was left.
        if let Event::Epoch { record, .. } = event
            && self.told.contains(&timeless(record))
        {
            return Ok(());
        }
        let Some((lines, file)) = &mut self.lines else { return Ok(()) };
        lines.event(event)?;
        if saved {
            // What a checkpoint holds and what is told of it must not come apart in a power cut.
            file.sync_data()?;
            if let Some(beside) = self.beside.take() {
                fs::rename(beside, &self.path)?;
            }
        }
        Ok(())
    }
}

impl Drop for Metrics {
    /// Of a run that came to nothing, nothing is told.
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            let _ = fs::remove_file(beside);
        }
    }
}

impl Observer for Metrics {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        self.write(event).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", self.path.display())))
    }
}

/// The epochs that a file tells of, [`timeless`].
fn epochs(metrics: &Path) -> Vec<EpochRecord> {
    let text = fs::read(metrics).unwrap_or_default();
    let lines = text.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice::<Told>(line).ok());
    lines.map(|line| timeless(&line.record)).collect()
}

/// Of the line of an epoch.
#[derive(Deserialize)]
struct Told {
    record: EpochRecord,
}

/// What training the same again gives again.
fn timeless(record: &EpochRecord) -> EpochRecord {
    EpochRecord { seconds: 0.0, samples_per_second: 0.0, ..record.clone() }
}

fn open(path: &Path, resume: bool) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).read(true).write(true).truncate(!resume).open(path)?;
    let mut before = Vec::new();
    file.read_to_end(&mut before)?;
    let end = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let rest = before.get(end..).unwrap_or_default();
    // A process that is killed while it writes leaves a line without its end: what is whole is ended, a piece is dropped.
    if serde_json::from_slice::<IgnoredAny>(rest).is_ok() {
        file.write_all(b"\n")?;
    } else if !rest.is_empty() {
        file.set_len(end as u64)?;
        file.seek(SeekFrom::End(0))?;
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("emberlite-run-{name}-{}", std::process::id()))
    }

    #[test]
    fn a_folder_is_for_one_training_at_a_time() {
        let folder = folder("lock");
        let first = Lock::take(&folder).unwrap();
        let text = Lock::take(&folder).unwrap_err().to_string();
        let expected = format!(
            "{}: another training or search is at work in this folder; wait for its end, or choose another with --run",
            folder.display()
        );
        assert_eq!(text, expected);
        drop(first);
        drop(Lock::take(&folder).unwrap());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn lines_of_a_run_stay_until_its_checkpoint_is_replaced() {
        let folder = folder("replaced");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("metrics.jsonl");
        fs::write(&path, "{\"old\":1}\n").unwrap();
        let old = || fs::read_to_string(&path).unwrap() == "{\"old\":1}\n";
        let end = Event::Finished { best_epoch: 1, stopped_early: false, max_steps: None };
        // One that ends before it saves anything.
        let mut metrics = Metrics::new(&path, false);
        metrics.event(end).unwrap();
        assert!(old());
        drop(metrics);
        assert!(old() && fs::read_dir(&folder).unwrap().count() == 1);
        let mut metrics = Metrics::new(&path, false);
        metrics.event(end).unwrap();
        metrics.event(Event::Saved { path: Path::new("x"), epoch: 1, step: 0 }).unwrap();
        metrics.event(end).unwrap();
        drop(metrics);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!((text.lines().count(), text.contains("old")), (3, false));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn lines_go_on_after_whole_ones() {
        let path = folder("metrics");
        for (before, after) in [
            ("", ""),
            ("{\"a\":1}\n", "{\"a\":1}\n"),
            ("{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n{\"b\":2}\n"),
            ("{\"a\":1}\n{\"b\":", "{\"a\":1}\n"),
            ("{\"a", ""),
            ("{\"a\":1}\n\0\0", "{\"a\":1}\n"),
        ] {
            fs::write(&path, before).unwrap();
            open(&path, true).unwrap().write_all(b"next").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{after}next"), "{before:?}");
            open(&path, false).unwrap().write_all(b"anew").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "anew");
        }
        fs::remove_file(&path).unwrap();
    }
}
