//! A whole search: from a description to its trials and the best description.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::description::Description;
use super::document;
use super::error::SearchError;
use super::judge::Judge;
use super::objective::Training;
use crate::metrics::Metric;
use crate::study::{Log, State, Study, StudyError, Trial, ranking};

/// What a search takes beside its description.
pub struct Options<'a> {
    /// The file in which trials are kept; none: they are in memory only.
    pub trials: Option<&'a Path>,
    /// Go on from the trials in the file; without the file it is [`LogError::Nothing`](crate::study::LogError::Nothing).
    pub resume: bool,
    /// Replace the trials in the file; otherwise a new search there is
    /// [`LogError::Exists`](crate::study::LogError::Exists).
    pub fresh: bool,
    /// When this becomes true, the search ends; trials at work aren't kept and run again when it goes on.
    pub stop: &'a AtomicBool,
    /// Told how it goes.
    pub told: &'a mut (dyn FnMut(SearchEvent<'_>) + Send),
}

/// What is told of a search.
#[derive(Clone, Copy, Debug)]
pub enum SearchEvent<'t> {
    /// Once, before any begins: the trials of the file that it goes on from.
    Known(&'t [Trial]),
    /// A trial or a refused candidate, as it ends.
    Ended(&'t Trial),
}

/// What a search gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Searched {
    /// All trials in the order of numbers, those before a resumption included.
    pub trials: Vec<Trial>,
    /// The figure that they were judged by.
    pub judge: Judge,
}

impl Searched {
    /// The best complete trial.
    pub fn best(&self) -> Option<&Trial> {
        ranking(&self.trials, self.judge.direction()).first().copied()
    }
}

impl Training<'_> {
    /// Searches; see the module.
    ///
    /// # Errors
    /// [`SearchError`]; trials that were kept stay.
    pub fn search(&self, options: Options<'_>) -> Result<Searched, SearchError> {
        let (description, judge) = (self.description(), self.judge());
        let study = description.study(judge);
        let (mut log, before) = match options.trials {
            None => (None, Vec::new()),
            Some(path) => {
                let mut identity = description.identity(&study, judge);
                self.add_identity(&mut identity);
                if options.fresh && !options.resume {
                    Log::remove(path)?;
                }
                let (log, before) = Log::open(path, &identity, &study, options.resume)?;
                if let Some((trial, what)) = before.iter().find_map(|trial| Some((trial, self.never_gives(trial)?))) {
                    return Err(log.wrong(trial, &what).into());
                }
                (Some(log), before)
            }
        };
        let told = options.told;
        told(SearchEvent::Known(&before));
        let mut keep = |trial: &Trial| -> Result<(), StudyError> {
            if let Some(log) = &mut log {
                log.append(trial)?;
            }
            told(SearchEvent::Ended(trial));
            Ok(())
        };
        let trials = study.run(before, self, &mut keep, options.stop)?;
        Ok(Searched { trials, judge })
    }

    /// Why training never gives such a trial: a value is told of each epoch, or of each fold but the last, and the score is
    /// that of an epoch, or the folds' mean.
    fn never_gives(&self, trial: &Trial) -> Option<String> {
        // Values that aren't finite are kept of none; of all figures only this one grows so large.
        let may_lack = self.judge().metric() == Some(Metric::Perplexity);
        let (told, scores) = (trial.values.len(), trial.scores.len());
        match (&self.description().search.folds, trial.state) {
            (_, State::Failed | State::Refused) => None,
            // Earlier programs didn't count epochs.
            (None, _) if told != trial.epochs as usize && trial.epochs > 0 && !may_lack => {
                Some(format!("`values` has one of each epoch: {} of them, and not {told}", trial.epochs))
            }
            (None, _) if told == trial.epochs as usize && trial.score.is_some_and(|s| !trial.values.contains(&s)) => {
                Some("its score is that of none of its epochs".into())
            }
            (Some(folds), State::Complete) if scores != folds.k * folds.repeats => {
                Some(format!("`scores` has one of each fold: {} of them, and not {scores}", folds.k * folds.repeats))
            }
            (Some(_), State::Complete) if told + 1 != scores && !may_lack => {
                Some(format!("`values` has one of each fold but the last: {} of them, and not {told}", scores - 1))
            }
            _ => None,
        }
    }
}

impl Description {
    /// The search's settings as a study of its space.
    pub fn study(&self, judge: Judge) -> Study<'_> {
        let search = &self.search;
        Study {
            space: &search.space,
            method: search.method,
            direction: judge.direction(),
            trials: search.trials,
            seed: search.seed,
            parallel: search.parallel,
            pruning: search.pruning,
        }
    }

    /// An error of a grid at the line of its parameter.
    pub(super) fn check_grid(&self, study: &Study<'_>) -> Result<(), SearchError> {
        study.grid().map(|_| ()).map_err(|error| {
            let lines = &self.search.lines;
            let line = match &error {
                StudyError::NoGrid { parameter, .. } => lines.parameters.get(*parameter),
                _ => None,
            };
            self.spec.error(line.copied().unwrap_or(lines.section), error.to_string()).into()
        })
    }

    /// The description of a trial, with a first line that says whose it is.
    ///
    /// # Errors
    /// In one sentence, if the trial is of another space.
    pub fn text_of_trial(&self, trial: &Trial, judge: Judge) -> Result<String, String> {
        let values = self.search.space.values(&trial.point);
        let score = trial.score.map_or(String::new(), |score| format!(": {judge} {score}"));
        let folds = match trial.deviation() {
            Some(deviation) => format!(" ± {deviation:.3e} over {} folds", trial.scores.len()),
            None => String::new(),
        };
        let said: Vec<String> =
            values.iter().map(|(path, value)| format!("#   {path} = {}\n", document::literal(value))).collect();
        let text = self.text_of(&values)?;
        let which = trial.place.map_or(String::new(), |place| format!(" {place}"));
        Ok(format!("# Trial{which} of a search{score}{folds}.\n{}{text}", said.concat()))
    }
}
