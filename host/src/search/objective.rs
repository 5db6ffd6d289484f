//! The objective: a candidate of a description, trained and judged.

use super::cross_validation::one_fold;
use super::description::Description;
use super::error::SearchError;
use super::fit::{Prepared, fit};
use super::judge::Judge;
use crate::data::{DataError, Set, Source, random};
use crate::metrics::Metric;
use crate::spec::{Folded, LoadError, Sets, Spec};
use crate::study::{Candidate, Identity, Method, Objective, Price, Progress, Score, mean};
use crate::train::{self, DeviceChoice, EpochRecord};
use std::collections::BTreeMap;

/// Candidates of a description, judged by its validation part or by folds.
#[derive(Debug)]
pub struct Training<'a> {
    description: &'a Description,
    judge: Judge,
    device: DeviceChoice,
    /// What that is on this machine.
    computes: String,
    samples: Samples,
    /// Of the description's own samples, so that a search doesn't go on with others.
    fingerprint: u64,
}

/// The samples of all candidates, where they are the same.
#[derive(Debug)]
enum Samples {
    Parts(Box<Sets>),
    Folds(Box<Folded>),
    /// Each candidate has its own.
    Each,
}

impl Samples {
    fn fingerprint(&self) -> Result<u64, DataError> {
        let sources: Vec<&dyn Source> = match self {
            Samples::Parts(sets) => [Some(&sets.train), sets.validation.as_ref(), sets.test.as_ref()]
                .into_iter()
                .flatten()
                .map(Set::source)
                .collect(),
            Samples::Folds(folded) => vec![&folded.rows.set],
            Samples::Each => Vec::new(),
        };
        sources.into_iter().try_fold(0, |hash, source| Ok(random::hash(hash, source.fingerprint()?)))
    }
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
        let samples = match &search.folds {
            Some(rule) => Samples::Folds(Box::new(spec.load_folds(rule)?)),
            None => Samples::Parts(Box::new(spec.load_sets()?)),
        };
        if matches!(&samples, Samples::Parts(sets) if sets.validation.is_none()) {
            let message = "a search needs samples to judge by; give `[data] validation`, or `folds` in `[search]`";
            return Err(spec.error(search.lines.section, message.into()).into());
        }
        let fingerprint = samples.fingerprint().map_err(LoadError::from)?;
        let samples = if description.same_data() { samples } else { Samples::Each };
        let computes = train::resolve(device)?;
        Ok(Training { description, judge, device, computes, samples, fingerprint })
    }

    /// What decides scores beside the description: the samples, and what computes.
    pub(super) fn add_identity(&self, identity: &mut Identity) {
        identity.settings.insert("data".into(), format!("{:016x}", self.fingerprint));
        identity.details.insert("data".into(), BTreeMap::new());
        identity.settings.insert("device".into(), self.computes.clone());
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

    /// A step is a fold here: epochs of one fold say little of the mean over all.
    fn by_folds(&self, spec: &Spec, folded: &Folded, progress: &mut Progress<'_>) -> Result<Score, String> {
        let metrics: Vec<Metric> = self.judge.metric().into_iter().collect();
        let stop = progress.stop();
        let mut scores = Vec::new();
        for fold in 0..folded.folds.len() {
            let result = one_fold((spec, folded, fold), self.device, &metrics, stop, &mut |_| {
                progress.epoch();
                !progress.is_stopped()
            });
            let Some(result) = result.map_err(|error| format!("fold {}: {error}", fold + 1))? else {
                progress.is_stopped();
                return Err("given up".into());
            };
            let score = self.judge.of(&result.evaluation);
            scores.push(score.ok_or_else(|| format!("its training gives no {}", self.judge))?);
            let so_far = mean(&scores).unwrap_or(f64::NAN);
            if fold + 1 == folded.folds.len() {
                return Ok(Score { score: so_far, scores });
            }
            if !progress.step(so_far) {
                return Err("given up".into());
            }
        }
        Err("there are no folds".into())
    }
}

impl Objective for Training<'_> {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<Option<Price>, String> {
        let spec = self.description.spec_of(&candidate.values)?;
        self.description.price(&spec).map(Some)
    }

    fn run(&self, candidate: &Candidate<'_>, progress: &mut Progress<'_>) -> Result<Score, String> {
        let spec = self.description.spec_of(&candidate.values)?;
        let failed = |error: LoadError| error.to_string();
        match (&self.samples, &self.description.search.folds) {
            (Samples::Parts(sets), _) => self.by_validation(&spec, sets, progress),
            (Samples::Folds(folded), _) => self.by_folds(&spec, folded, progress),
            (Samples::Each, None) => self.by_validation(&spec, &spec.load_sets().map_err(failed)?, progress),
            (Samples::Each, Some(rule)) => self.by_folds(&spec, &spec.load_folds(rule).map_err(failed)?, progress),
        }
    }
}
