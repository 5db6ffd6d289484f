//! How far the run of a checkpoint has come: what there is to go on from, and what a new run in its folder would replace.

use super::checkpoint::{Checkpoint, Counters};
use super::error::TrainError;
use super::history::EpochRecord;

/// How far a run has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Reached {
    /// When it began, in microseconds since 1970; 0 where the checkpoint doesn't say.
    pub begun: u64,
    /// Epochs that are done, each with its figures.
    pub history: Vec<EpochRecord>,
    /// Updates made in the epoch after those.
    pub within: u32,
    /// Updates in all.
    pub updates: u32,
    /// Whether it came to its end: its last epoch, `max_steps`, or early stopping.
    pub finished: bool,
    /// The best epoch so far; 0 before the first is done.
    pub best_epoch: u32,
    /// Wall time of its epochs and of the updates of the one at hand.
    pub seconds: f64,
}

impl Reached {
    fn of(counters: Counters) -> Reached {
        let seconds = counters.history.iter().map(|epoch| epoch.seconds).sum::<f64>() + counters.within.seconds;
        Reached {
            begun: counters.begun,
            within: counters.within.step,
            updates: counters.updates,
            finished: counters.finished,
            best_epoch: counters.best_epoch,
            history: counters.history,
            seconds,
        }
    }

    /// As in `3 epochs and 17 steps of the next`.
    pub(crate) fn words(epochs: u32, within: u32) -> String {
        let s = |count: u32| if count == 1 { "" } else { "s" };
        match (epochs, within) {
            (0, within) => format!("{within} step{} of the first epoch", s(within)),
            (epochs, 0) => format!("{epochs} epoch{}", s(epochs)),
            (epochs, within) => format!("{epochs} epoch{} and {within} step{} of the next", s(epochs), s(within)),
        }
    }
}

impl Checkpoint {
    /// How far the run in the folder has come; nothing where there is no checkpoint. The file's header is read, not its tensors.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`], [`TrainError::Damaged`] and [`TrainError::Version`]: there is a file that isn't a checkpoint
    /// which this program reads.
    pub fn reached(&self) -> Result<Option<Reached>, TrainError> {
        Ok(self.counters()?.map(Reached::of))
    }

    /// Wall time that the training took up to this checkpoint, all parts of a resumed one together: of its epochs, and of the
    /// updates of the one at hand; 0 where there is no checkpoint that this program reads.
    pub fn seconds(&self) -> f64 {
        self.reached().ok().flatten().map_or(0.0, |reached| reached.seconds)
    }

    /// How far the run has come that is to be gone on with.
    ///
    /// # Errors
    /// [`TrainError::NothingToResume`] where there is none, [`TrainError::OnlyOlder`] where it was removed and others are left,
    /// and those of [`Checkpoint::reached`].
    pub fn to_resume(&self) -> Result<Reached, TrainError> {
        self.reached()?.ok_or_else(|| self.nothing())
    }

    /// Where there is no checkpoint: what there is.
    pub(super) fn nothing(&self) -> TrainError {
        let dir = self.dir.clone();
        match self.newest_kept() {
            Some(newest) => TrainError::OnlyOlder { dir, newest },
            None => TrainError::NothingToResume { dir },
        }
    }

    /// Whether a new run may be kept here: nothing that isn't finished would be replaced.
    ///
    /// # Errors
    /// [`TrainError::Unfinished`], [`TrainError::OnlyOlder`], and those of [`Checkpoint::reached`]: what can't be read may be
    /// somebody's work too.
    pub fn check_free(&self) -> Result<(), TrainError> {
        match self.reached()? {
            Some(Reached { finished: false, history, within, .. }) => {
                Err(TrainError::Unfinished { dir: self.dir.clone(), epochs: history.len() as u32, within })
            }
            None if self.newest_kept().is_some() => Err(self.nothing()),
            _ => Ok(()),
        }
    }
}
