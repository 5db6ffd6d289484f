//! Searches of a recipe's description, side by side: random search and TPE with several seeds, a grid, and the
//! cross-validated score of the best.

use super::expected::{Expectation, Searches};
use super::{RecipeError, Verdict};
use crate::data::Folds;
use crate::export::FileError;
use crate::search::{
    Description, Judge, Method, Options, SearchError, SearchEvent, State, Tpe, Training, Trial, cross_validate, mean,
    ranking,
};
use crate::train::DeviceChoice;
use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Where searches are kept, and how they are run.
#[derive(Debug, Clone, Copy)]
pub struct Keeping<'a> {
    /// The folder of their trials: `random-SEED.jsonl`, `tpe-SEED.jsonl`, `grid.jsonl`.
    pub folder: &'a Path,
    /// Go on from the trials that are there; else they are removed.
    pub resume: bool,
    /// Where to compute.
    pub device: DeviceChoice,
    /// When this becomes true, the searches end.
    pub stop: &'a AtomicBool,
}

/// The searches of one seed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeedScores {
    /// The seed.
    pub seed: u32,
    /// The best score of random search.
    pub random: f64,
    /// The best score of the trials of TPE that are judged.
    pub tpe: f64,
    /// The best of all its trials, of which there are as many as of random search.
    pub tpe_whole: f64,
    /// After how many trials TPE was as good as random search in the end; none: never.
    pub until: Option<usize>,
}

/// What came of the searches.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// How many trials there were.
    pub searches: Searches,
    /// The figure that trials were judged by.
    pub judge: Judge,
    /// Seed by seed.
    pub seeds: Vec<SeedScores>,
    /// The best score of the grid.
    pub grid: f64,
    /// Trials of the grid.
    pub grid_trials: usize,
    /// Mean and deviation over the folds of the best description that TPE found.
    pub cross_validated: (f64, f64),
    /// That description.
    pub best: String,
    /// Seconds of trials that an earlier part of a resumed run has made.
    pub seconds_before: f64,
}

/// Runs the searches of a description; none where `stop` became true. `told` of each with one line.
///
/// Costs `seeds * 2 * random + grid + folds` trainings.
///
/// # Errors
/// [`SearchError`] of a search, [`RecipeError::Figure`] where none of its trials has a score.
pub fn compare(
    description: &Description,
    searches: Searches,
    keeping: Keeping<'_>,
    told: &mut dyn FnMut(&str),
) -> Result<Option<Comparison>, RecipeError> {
    let (mut seeds, mut before) = (Vec::new(), 0.0);
    let mut run = |method: Method, trials: u32, seed: u32, name: &str| {
        let trials = search(description, method, (trials, seed), &keeping.folder.join(name), keeping, &mut before)?;
        told(name);
        Ok::<_, RecipeError>(trials)
    };
    let (mut judge, mut found): (_, Option<(f64, Trial)>) = (description.judge().map_err(SearchError::from)?, None);
    for seed in 0..searches.seeds {
        let Some((_, random)) = run(Method::Random, searches.random, seed, &format!("random-{seed}.jsonl"))? else {
            return Ok(None);
        };
        let tpe = Method::Tpe(match description.search.method {
            Method::Tpe(tpe) => tpe,
            _ => Tpe::default(),
        });
        let Some((by, tpe)) = run(tpe, searches.random, seed, &format!("tpe-{seed}.jsonl"))? else { return Ok(None) };
        judge = by;
        let half = first(&tpe, searches.tpe);
        let best = best(half, judge)?;
        if found.as_ref().is_none_or(|(score, _)| judge.direction().better(best.0, *score)) {
            found = Some((best.0, best.1.clone()));
        }
        seeds.push(scores(seed, (&random, &tpe, half), judge)?);
    }
    let Some((_, grid)) = run(Method::Grid, searches.grid, 0, "grid.jsonl")? else { return Ok(None) };
    let (_, trial) = found.ok_or_else(|| none("there are no seeds"))?;
    let best_text = description.text_of_trial(&trial, judge).map_err(|message| none(&message))?;
    let Some(cross_validated) = folds(description, &trial, judge, keeping)? else { return Ok(None) };
    Ok(Some(Comparison {
        searches,
        judge,
        seeds,
        grid: best(&grid, judge)?.0,
        grid_trials: grid.len(),
        cross_validated,
        best: best_text,
        seconds_before: before,
    }))
}

/// The trials of one search, in its own file; none where it was stopped.
fn search(
    description: &Description,
    method: Method,
    (trials, seed): (u32, u32),
    file: &Path,
    keeping: Keeping<'_>,
    before: &mut f64,
) -> Result<Option<(Judge, Vec<Trial>)>, RecipeError> {
    let mut description = description.clone();
    let search = &mut description.search;
    (search.method, search.trials, search.seed) = (method, trials, seed.into());
    if !keeping.resume {
        match std::fs::remove_file(file) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(FileError { path: file.into(), doing: "can't remove", source }.into());
            }
            _ => {}
        }
    }
    let mut new = 0.0;
    let mut count = |event: SearchEvent<'_>| {
        if let SearchEvent::Ended(trial) = event {
            new += trial.seconds;
        }
    };
    // With `resume` those that haven't begun begin.
    let resume = keeping.resume && file.exists();
    let options = Options { trials: Some(file), resume, fresh: false, stop: keeping.stop, told: &mut count };
    let searched = Training::new(&description, keeping.device)?.search(options)?;
    *before += searched.trials.iter().map(|trial| trial.seconds).sum::<f64>() - new;
    if keeping.stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    Ok(Some((searched.judge, searched.trials)))
}

/// The trials up to the `count`-th that ran; those that were refused don't count.
fn first(trials: &[Trial], count: u32) -> &[Trial] {
    let ran = trials.iter().enumerate().filter(|(_, trial)| trial.state != State::Refused);
    let end = ran.map(|(place, _)| place + 1).take(count as usize).last();
    trials.get(..end.unwrap_or(0)).unwrap_or_default()
}

fn best(trials: &[Trial], judge: Judge) -> Result<(f64, &Trial), RecipeError> {
    let best = ranking(trials, judge.direction()).first().and_then(|trial| Some((trial.score?, *trial)));
    best.ok_or_else(|| none("no trial of a search has a score"))
}

fn scores(
    seed: u32,
    (random, tpe, half): (&[Trial], &[Trial], &[Trial]),
    judge: Judge,
) -> Result<SeedScores, RecipeError> {
    let (goal, direction) = (best(random, judge)?.0, judge.direction());
    let ran = tpe.iter().filter(|trial| trial.state != State::Refused);
    let until = ran.map(|trial| trial.score).position(|score| score.is_some_and(|s| !direction.better(goal, s)));
    Ok(SeedScores {
        seed,
        random: goal,
        tpe: best(half, judge)?.0,
        tpe_whole: best(tpe, judge)?.0,
        until: until.map(|place| place + 1),
    })
}

/// The score of a trial's description over the folds of `[data]`, or five.
fn folds(
    description: &Description,
    trial: &Trial,
    judge: Judge,
    keeping: Keeping<'_>,
) -> Result<Option<(f64, f64)>, RecipeError> {
    let values = description.search.space.values(&trial.point);
    let spec = description.spec_of(&values).map_err(|message| none(&message))?;
    let rule = spec.data.as_ref().and_then(|data| data.folds.clone());
    let rule = rule.unwrap_or_else(|| Folds::new(spec.usual_folds(), 5));
    let folded = spec.load_folds(&rule).map_err(SearchError::from)?;
    let metrics: Vec<_> = judge.metric().into_iter().collect();
    let result = cross_validate(&spec, &folded, keeping.device, &metrics, keeping.stop, &mut |_| {})?;
    if keeping.stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    let figure = result.figure(|evaluation| judge.of(evaluation));
    figure.map(Some).ok_or_else(|| none("the folds have no such figure"))
}

fn none(message: &str) -> RecipeError {
    RecipeError::Figure { figure: "searches".into(), message: message.into() }
}

impl Comparison {
    /// A figure by its name; see [`Expectation::figure`].
    pub fn figure(&self, name: &str) -> Option<f64> {
        let over = |of: &dyn Fn(&SeedScores) -> f64| mean(&self.seeds.iter().map(of).collect::<Vec<_>>());
        let (random, tpe) = (over(&|seed| seed.random)?, over(&|seed| seed.tpe)?);
        match name {
            "tpe_gain" if self.judge.direction().better(1.0, 0.0) => Some(tpe - random),
            "tpe_gain" => Some(random - tpe),
            "random_best" => Some(random),
            "tpe_best" => Some(tpe),
            "trials_until_random" => over(&|seed| seed.until.unwrap_or(self.searches.random as usize + 1) as f64),
            "grid_best" => Some(self.grid),
            "cross_validated" => Some(self.cross_validated.0),
            "cross_validated_deviation" => Some(self.cross_validated.1),
            _ => None,
        }
    }

    /// Every figure that is expected, beside its bound.
    ///
    /// # Errors
    /// [`RecipeError::Figure`] for a name that is none, or a bound that is none.
    pub fn judge(
        &self,
        expect: &[Expectation],
        reference: &BTreeMap<String, Vec<f64>>,
    ) -> Result<Vec<Verdict>, RecipeError> {
        let verdict = |expectation: &Expectation| {
            let failed =
                |message: &str| RecipeError::Figure { figure: expectation.figure.clone(), message: message.into() };
            let got = self.figure(&expectation.figure).ok_or_else(|| failed("is no figure of searches"))?;
            let bound = expectation.bound(reference).ok_or_else(|| failed("has no bound"))?;
            Ok(Verdict { figure: expectation.name(), bound, got })
        };
        expect.iter().map(verdict).collect()
    }
}

/// A line a seed, then the grid and the folds.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Searches { random, tpe, .. } = self.searches;
        writeln!(f, "{}, the best of", self.judge)?;
        writeln!(f, "seed  {random:>3} random  {tpe:>3} TPE  {random:>3} TPE  TPE trials until random's best")?;
        for seed in &self.seeds {
            let until = seed.until.map_or_else(|| format!("more than {random}"), |count| count.to_string());
            let (random, tpe, whole) = (seed.random, seed.tpe, seed.tpe_whole);
            writeln!(f, "{:>4}  {random:>10.5}  {tpe:>7.5}  {whole:>7.5}  {until:>30}", seed.seed)?;
        }
        let (mean, deviation) = self.cross_validated;
        writeln!(f, "grid of {}: {:.5}", self.grid_trials, self.grid)?;
        writeln!(f, "TPE's best description, cross-validated: {mean:.5} ± {deviation:.5}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::Direction;
    use serde_json::Map;

    fn trials(scores: &[f64]) -> Vec<Trial> {
        let trial = |(number, &score): (u32, &f64)| Trial {
            number,
            place: None,
            // What isn't a number stands for a candidate that was refused.
            state: if score.is_nan() { State::Refused } else { State::Complete },
            parameters: Map::new(),
            point: Vec::new(),
            score: Some(score).filter(|score| !score.is_nan()),
            scores: Vec::new(),
            values: Vec::new(),
            epochs: 0,
            price: None,
            seconds: 0.0,
            reason: String::new(),
        };
        (0..).zip(scores).map(trial).collect()
    }

    fn of(seeds: &[(&[f64], &[f64])], judge: Judge) -> Comparison {
        let searches = Searches { seeds: seeds.len() as u32, random: 4, tpe: 2, grid: 1 };
        let one = |(seed, (random, tpe)): (u32, &(&[f64], &[f64]))| {
            let (random, tpe) = (trials(random), trials(tpe));
            scores(seed, (&random, &tpe, first(&tpe, 2)), judge).unwrap()
        };
        let seeds = (0..).zip(seeds).map(one).collect();
        let (cross_validated, best) = ((0.5, 0.25), String::new());
        Comparison { searches, judge, seeds, grid: 7.0, grid_trials: 1, cross_validated, best, seconds_before: 0.0 }
    }

    #[test]
    fn figures_by_hand() {
        const NO: f64 = f64::NAN;
        let seeds: [(&[f64], &[f64]); 2] =
            [(&[5.0, 3.0, 4.0, 6.0], &[9.0, NO, 4.0, 3.0, 1.0]), (&[2.0, 8.0, 8.0, 8.0], &[6.0, 7.0, 5.0, 4.0])];
        let lower = of(&seeds, Judge::LOSS);
        assert_eq!(lower.judge.direction(), Direction::Minimize);
        // Two trials of TPE that ran: 9 and 4, and 6 and 7. Random's best 3 comes with the third, 2 never: 5 for it.
        assert_eq!((lower.figure("random_best"), lower.figure("tpe_best")), (Some(2.5), Some(5.0)));
        assert_eq!((lower.figure("tpe_gain"), lower.figure("trials_until_random")), (Some(-2.5), Some(4.0)));
        assert_eq!((lower.seeds[0].tpe_whole, lower.seeds[0].until, lower.seeds[1].until), (1.0, Some(3), None));
        assert_eq!((lower.figure("grid_best"), lower.figure("cross_validated")), (Some(7.0), Some(0.5)));
        assert_eq!((lower.figure("cross_validated_deviation"), lower.figure("accuracy")), (Some(0.25), None));
        assert!(lower.to_string().contains("more than 4") && lower.to_string().contains("grid of 1: 7.00000"));
        // Higher is better: random 6 and 8, TPE 9 and 7; 6 at once, 8 never.
        let higher = of(&seeds, Judge::parse("accuracy").unwrap());
        assert_eq!((higher.figure("tpe_gain"), higher.figure("trials_until_random")), (Some(1.0), Some(3.0)));
        assert!(scores(0, (&trials(&[NO]), &trials(&[1.0]), &[]), Judge::LOSS).is_err(), "nothing to compare");
    }
}
