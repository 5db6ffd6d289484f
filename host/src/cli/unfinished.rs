//! A run's folder before a training and after: what there is to go on from, what a new run would replace, and how to train a
//! finished one for longer.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::line::Line;
use super::{CliError, run_folder};
use crate::spec::Spec;
use crate::train::{Checkpoint, Reached, TrainError, Trained, decimals};

/// How a training begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) resume: bool,
    pub(super) fresh: bool,
}

impl Begin {
    /// Looks before anything is written, but for lines that a killed run has left beside: gives the run that is gone on with.
    /// `line` was typed; `elsewhere` is the same for another folder.
    ///
    /// # Errors
    /// There is nothing to go on from, or what a new run would replace isn't finished.
    pub(super) fn look(
        self,
        checkpoint: &Checkpoint,
        line: &Line,
        elsewhere: &Line,
    ) -> Result<Option<Reached>, CliError> {
        run_folder::settle(checkpoint)?;
        if self.fresh {
            return Ok(None);
        }
        if self.resume {
            return Ok(Some(checkpoint.to_resume()?));
        }
        let choice =
            |what: &str| Err(choice(&checkpoint.dir, what, Some(line.resuming().to_string()), line, elsewhere));
        match checkpoint.check_free() {
            Err(TrainError::Unfinished { epochs, within, .. }) => {
                choice(&format!("here is a run that isn't finished, of {}", Reached::words(epochs, within)))
            }
            Err(error) => Err(error.into()),
            Ok(()) if checkpoint.path().exists() && !is_told(&checkpoint.dir.join("metrics.jsonl")) => {
                choice("here is a run that was trained to its end, but its files weren't written")
            }
            Ok(()) => Ok(None),
        }
    }
}

/// That there is something to lose, and the lines that one may mean; none goes on with what this program can't go on with.
pub(super) fn choice(folder: &Path, what: &str, go_on: Option<String>, line: &Line, elsewhere: &Line) -> CliError {
    let rows =
        [("go on", go_on), ("replace", Some(line.fresh().to_string())), ("keep both", Some(elsewhere.to_string()))];
    let row = |(what, line)| Option::map(line, |line: String| format!("\n  {:<11}{line}", format!("{what}:")));
    let rows: String = rows.into_iter().filter_map(row).collect();
    CliError::Message(format!("{}: {what}; all of it would be lost. Type one of these:{rows}", folder.display()))
}

/// Whether the results of the checkpoint that metrics.jsonl tells of were written: a line of them comes last.
fn is_told(metrics: &Path) -> bool {
    let text = fs::read(metrics).unwrap_or_default();
    let mut told = true;
    for line in text.split(|&byte| byte == b'\n') {
        let event = serde_json::from_slice::<Value>(line).ok();
        match event.as_ref().and_then(|event| event.get("event")?.as_str()) {
            Some("saved") => told = false,
            Some("tested") => told = true,
            _ => {}
        }
    }
    told
}

/// Of a run that had come to its end before: that nothing was trained, what it has reached, and how to go beyond. `epochs` were
/// asked for.
pub(super) fn finished_before(
    before: &Reached,
    trained: &Trained,
    (spec, epochs): (&Spec, u32),
    line: &Line,
) -> Option<String> {
    let last = trained.history.last().filter(|last| last.step == before.updates)?;
    let best = trained.history.iter().find(|epoch| epoch.epoch == trained.best_epoch)?;
    let mut text = format!(
        "nothing is left to train: this run has done {}, best epoch {}",
        Reached::words(before.history.len() as u32, before.within),
        trained.best_epoch
    );
    let figures = match best.validation_loss {
        Some(loss) => [("validation loss", Some(loss)), ("accuracy", best.validation_accuracy)],
        None => [("loss", Some(best.train_loss)), ("accuracy", best.train_accuracy)],
    };
    for (name, figure) in figures {
        if let Some(figure) = figure {
            // Writing to a string has no errors.
            let _ = write!(text, ", {name} {}", decimals(figure, 4));
        }
    }
    let (host, twice) = (&spec.training.host, last.epoch.saturating_mul(2).to_string());
    let reached = host.max_steps.is_some_and(|most| before.updates >= most);
    let (what, line) = match host.max_steps {
        _ if trained.stopped_early && (last.epoch < epochs || !host.stretches()) => (
            "early stopping has ended it; to train longer, give `early_stopping` more `patience` in the description, then",
            if last.epoch < epochs { line.resuming() } else { line.resuming().set("--epochs", &twice) },
        ),
        _ if host.stretches() => (
            "its schedule is stretched over the whole run; to train longer, start anew",
            if reached {
                line.fresh().set("--max-steps", &before.updates.saturating_mul(2).to_string())
            } else {
                line.fresh().set("--epochs", &twice)
            },
        ),
        Some(_) if reached => {
            ("to train longer", line.resuming().set("--max-steps", &before.updates.saturating_mul(2).to_string()))
        }
        _ => ("to train longer", line.resuming().set("--epochs", &twice)),
    };
    let _ = write!(text, "\n{what}: {line}");
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_count_when_they_come_after_the_last_saving() {
        let path = std::env::temp_dir().join(format!("emberlite-told-{}", std::process::id()));
        let line = |event: &str| format!("{{\"event\":\"{event}\"}}\n");
        for (events, told) in [
            (&[][..], true),
            (&["started", "saved", "finished"], false),
            (&["started", "saved", "finished", "tested"], true),
            // Begun anew and killed before anything was saved: the checkpoint is the one before, whose results are there.
            (&["started"], true),
            // Gone on with after the end, and killed.
            (&["saved", "tested", "started", "saved"], false),
        ] {
            fs::write(&path, events.iter().map(|event| line(event)).collect::<String>() + "{\"event\":\"tes").unwrap();
            assert_eq!(is_told(&path), told, "{events:?}");
        }
        fs::remove_file(&path).unwrap();
    }
}
