//! The objective: a candidate of a description, trained and judged.

use super::description::Description;
use super::error::SearchError;
use super::fit::{Prepared, fit};
use super::judge::Judge;
use crate::spec::{Sets, Spec};
use crate::study::{Candidate, Method, Objective, Price, Progress, Score};
use crate::train::{DeviceChoice, EpochRecord};

/// Candidates of a description, judged by its validation part.
#[derive(Debug)]
pub struct Training<'a> {
    description: &'a Description,
    judge: Judge,
    device: DeviceChoice,
    /// The samples of all candidates, where they are the same.
    sets: Option<Sets>,
}

impl<'a> Training<'a> {
    /// Reads the samples, and makes sure that there is something to judge by.
    ///
    /// # Errors
    /// [`SearchError`]: the samples, or the line of `[search]` that doesn't go with them.
    pub fn new(description: &'a Description, device: DeviceChoice) -> Result<Training<'a>, SearchError> {
        let (spec, search) = (&description.spec, &description.search);
        let judge = description.judge()?;
        let study = description.study(judge);
        if study.method == Method::Grid {
            description.check_grid(&study)?;
        }
        let sets = spec.load_sets()?;
        if sets.validation.is_none() {
            let message = "a search needs samples to judge by; give `[data] validation`";
            return Err(spec.error(search.lines.section, message.into()).into());
        }
        let sets = description.same_data().then_some(sets);
        Ok(Training { description, judge, device, sets })
    }

    /// The figure that candidates are judged by.
    pub fn judge(&self) -> Judge {
        self.judge
    }

    /// The description whose candidates these are.
    pub fn description(&self) -> &'a Description {
        self.description
    }

    fn by_validation(&self, spec: &Spec, sets: &Sets, progress: &mut Progress<'_>) -> Result<Score, String> {
        let data = Prepared::new(spec, sets).map_err(|error| error.to_string())?;
        let stop = progress.stop();
        let trained = fit(spec, &data, self.device, self.judge.metric(), stop, &mut |record: &EpochRecord| {
            progress.epoch();
            match self.judge.of_epoch(record) {
                Some(value) => progress.step(value),
                None => !progress.is_stopped(),
            }
        });
        let Some(trained) = trained.map_err(|error| error.to_string())? else {
            // Within an epoch only the end of the whole search ends a training.
            progress.is_stopped();
            return Err("given up".into());
        };
        // The epoch whose parameters training keeps: so the best description gives this very score when it is trained.
        let kept = trained.history.iter().find(|record| record.epoch == trained.best_epoch);
        let score = kept.and_then(|record| self.judge.of_epoch(record));
        let score = score.ok_or_else(|| format!("its training gives no {}", self.judge))?;
        Ok(Score { score, scores: Vec::new() })
    }
}

impl Objective for Training<'_> {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<Option<Price>, String> {
        let spec = self.description.spec_of(&candidate.values)?;
        self.description.price(&spec).map(Some)
    }

    fn run(&self, candidate: &Candidate<'_>, progress: &mut Progress<'_>) -> Result<Score, String> {
        let spec = self.description.spec_of(&candidate.values)?;
        match &self.sets {
            Some(sets) => self.by_validation(&spec, sets, progress),
            None => {
                let sets = spec.load_sets().map_err(|error| error.to_string())?;
                self.by_validation(&spec, &sets, progress)
            }
        }
    }
}
