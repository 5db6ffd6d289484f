//! What a run tells while it runs.

use super::history::EpochRecord;
use crate::lower::Precision;
use serde::Serialize;
use std::io;
use std::path::Path;

/// Something that happened.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// Training is about to start, or to go on.
    Started {
        /// When the run began, in microseconds since 1970, also where it goes on: tells it from others that were kept in the
        /// same folder. 0 if its checkpoint doesn't say.
        begun: u64,
        /// The device that was opened.
        device: &'a str,
        /// The numbers of products; a line of JSON has it where it isn't f32.
        #[serde(skip_serializing_if = "Precision::is_f32")]
        precision: Precision,
        /// Devices or processes that share each batch; a line of JSON has it where there are several.
        #[serde(skip_serializing_if = "is_one")]
        ranks: u32,
        /// As many as shared it before, where a run goes on with another number of them: they add up in another order, so that
        /// its bits are those of neither.
        #[serde(skip_serializing_if = "Option::is_none")]
        ranks_before: Option<u32>,
        /// Epochs done before, 0 unless resumed.
        done: u32,
        /// Updates made in the epoch at hand, 0 unless resumed within it.
        within: u32,
        /// Epochs in all.
        epochs: u32,
        /// Updates of one epoch.
        steps: u32,
        /// Training samples.
        samples: usize,
        /// Validation samples.
        validation: usize,
        /// Parameters that are trained.
        trained: usize,
    },
    /// Some updates were made; told every few steps, since reading the loss makes a GPU wait.
    Steps {
        /// The epoch, from 1.
        epoch: u32,
        /// Epochs in all.
        epochs: u32,
        /// Updates made in this epoch.
        step: u32,
        /// Updates of one epoch.
        steps: u32,
        /// The mean loss of the epoch so far.
        loss: f64,
    },
    /// An epoch is done.
    Epoch {
        /// Its figures.
        record: &'a EpochRecord,
        /// Epochs in all.
        epochs: u32,
        /// Whether it is the best so far.
        best: bool,
    },
    /// A checkpoint was written.
    Saved {
        /// The file.
        path: &'a Path,
        /// The epochs it has done.
        epoch: u32,
        /// Updates made in the epoch after that.
        step: u32,
    },
    /// Training has ended.
    Finished {
        /// The epoch whose parameters are the result.
        best_epoch: u32,
        /// Whether patience ran out.
        stopped_early: bool,
        /// `max_steps`, where that has ended the training before its last epoch.
        #[serde(skip_serializing_if = "Option::is_none")]
        max_steps: Option<u32>,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own way to ask")]
fn is_one(ranks: &u32) -> bool {
    *ranks == 1
}

/// Whoever wants to know.
pub trait Observer {
    /// Called for each event in order.
    ///
    /// # Errors
    /// Whatever keeps it from reporting; training ends with that error.
    fn event(&mut self, event: Event<'_>) -> io::Result<()>;
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: Event<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// Several observers, told in order.
impl Observer for Vec<Box<dyn Observer + '_>> {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        self.iter_mut().try_for_each(|observer| observer.event(event))
    }
}

/// Writes every event but [`Event::Steps`] as one line of JSON, such as
/// `{"event":"epoch","record":{"epoch":1,"step":23,"train_loss":1.5,…},"epochs":10,"best":true}`.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    steps: bool,
}

impl<W: io::Write> JsonLines<W> {
    /// Writes to `out`, which is flushed after every line, so that others can follow.
    pub fn new(out: W) -> Self {
        JsonLines { out, steps: false }
    }

    /// Also writes [`Event::Steps`].
    pub fn with_steps(mut self) -> Self {
        self.steps = true;
        self
    }
}

impl<W: io::Write> Observer for JsonLines<W> {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        if matches!(event, Event::Steps { .. }) && !self.steps {
            return Ok(());
        }
        serde_json::to_writer(&mut self.out, &event)?;
        self.out.write_all(b"\n")?;
        self.out.flush()
    }
}
