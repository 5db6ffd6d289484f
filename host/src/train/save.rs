//! Saving a run and going on with it.

use super::checkpoint::{Counters, Saved};
use super::error::TrainError;
use super::observer::Event;
use super::optimizer::state_slots;
use super::reached::Reached;
use super::run::{Run, failed};
use crate::lower::{Tensors, download, upload};

impl Run<'_> {
    /// Whether the update just made is one after which to save.
    pub fn is_due(&self) -> bool {
        let every = self.checkpoint.as_ref().and_then(|checkpoint| checkpoint.every_steps);
        every.is_some_and(|every| self.stepper.updates.is_multiple_of(every))
    }

    /// Saves after an epoch, if it is time, or if the run is to end here.
    pub fn save_epoch(&mut self, interrupted: bool) -> Result<(), TrainError> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let epoch = self.history.len() as u32;
        let last = epoch == self.epochs || self.watch.stops() || !self.goes_on();
        let by_epoch = checkpoint.every_epochs > 0 && epoch.is_multiple_of(checkpoint.every_epochs);
        if by_epoch || last || self.is_due() || interrupted { self.save(last && !interrupted) } else { Ok(()) }
    }

    /// Saves as the run is now, `finished` or not. Of several ranks the first writes; the others are as far.
    pub fn save(&mut self, finished: bool) -> Result<(), TrainError> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let epoch = self.history.len() as u32;
        self.marked = finished;
        if self.group.is_some_and(|group| group.rank() > 0) {
            self.saved = Some(checkpoint.path());
            return Ok(());
        }
        let at = epoch + u32::from(self.within.step > 0);
        let read = |tensor| download(tensor).map_err(|e| failed(at, e));
        let state = self.stepper.state.iter().map(|states| states.iter().cloned().map(read).collect());
        let state = state.collect::<Result<Vec<Vec<_>>, _>>()?;
        let average = self.average.as_ref().map(|average| average.tensors.iter().cloned().map(read).collect());
        let saved = Saved {
            identity: self.identity.clone(),
            counters: Counters {
                begun: self.begun,
                epoch,
                within: self.within.clone(),
                updates: self.stepper.updates,
                samples: self.samples,
                best_epoch: self.watch.best.0,
                best_figure: self.watch.best.1,
                waited: self.watch.waited,
                plateau: self.stepper.plateau,
                history: self.history.clone(),
                finished,
                ranks: self.ranks(),
            },
            parameters: self.finite(&self.tensors, at, self.within.step)?,
            state,
            average: average.transpose()?.unwrap_or_default(),
            best: self.best.download(&self.lowered).map_err(|e| failed(at, e))?,
        };
        let path = checkpoint.save(&saved, self.stepper.slots(), self.saved_updates)?;
        self.saved_updates = Some(saved.counters.updates);
        self.observer.event(Event::Saved { path: &path, epoch, step: self.within.step })?;
        self.saved = Some(path);
        Ok(())
    }

    /// Takes over the checkpoint.
    pub fn resume(&mut self) -> Result<(), TrainError> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let states = state_slots(self.training, &self.host);
        let averaged = self.average.is_some();
        let Some(saved) = checkpoint.load(&self.identity, self.lowered.slots(), states, averaged)? else {
            // Where one rank alone has none, all of them learn of it together.
            let alone = self.group.is_none_or(|group| group.rank() == 0);
            return if alone { Err(checkpoint.nothing()) } else { Ok(()) };
        };
        let changed = saved.identity.stops_otherwise(&self.identity);
        let device = &self.open.device;
        let upload_all = |states: Vec<Vec<f32>>| states.into_iter().map(|v| upload(v, device)).collect();
        self.stepper.state = saved.state.into_iter().map(upload_all).collect();
        self.tensors = Tensors::upload(&self.lowered, &saved.parameters, device)?;
        self.best = Tensors::upload(&self.lowered, &saved.best, device)?.constant();
        if let Some(average) = &mut self.average {
            average.tensors = upload_all(saved.average);
        }
        let counters = saved.counters;
        let done = counters.updates;
        if let Some(most) = self.host.max_steps.filter(|&most| most < done) {
            return Err(TrainError::Setting(format!(
                "max_steps is {most}, and this run has already made {done} updates; give {done} to end it there, or more to \
                 train longer"
            )));
        }
        self.check_length(&counters)?;
        self.ranks_before = Some(counters.ranks).filter(|&before| before != self.ranks());
        (self.stepper.updates, self.samples) = (counters.updates, counters.samples);
        self.stepper.plateau = counters.plateau;
        match changed {
            None => {
                (self.watch.best, self.watch.waited) = ((counters.best_epoch, counters.best_figure), counters.waited)
            }
            Some(changed) => {
                let again = self.watch.see_again(&counters.history, counters.best_epoch, counters.within.step);
                let path = checkpoint.path();
                again.map_err(|why| TrainError::Changed { path, changes: format!("{changed}: {why}") })?;
            }
        }
        (self.begun, self.history) = (counters.begun, counters.history);
        self.within = counters.within;
        self.saved_updates = Some(counters.updates);
        self.marked = counters.finished;
        self.saved = Some(checkpoint.path());
        Ok(())
    }

    /// Refuses to end a run before what it has done: it would be marked as finished there, and nobody has said so.
    fn check_length(&self, counters: &Counters) -> Result<(), TrainError> {
        let (done, within) = (counters.history.len() as u32, counters.within.step);
        // A run that was finished at the end of an epoch says what it has reached, and stays as it is.
        let enough = if within > 0 { self.epochs > done } else { self.epochs >= done || counters.finished };
        if enough {
            return Ok(());
        }
        let end = if within > 0 { "with the epoch at hand" } else { "there" };
        Err(TrainError::Setting(format!(
            "epochs is {}, and this run has already done {}, which count too; give {} to end it {end}, or more to train longer",
            self.epochs,
            Reached::words(done, within),
            done + u32::from(within > 0)
        )))
    }
}
