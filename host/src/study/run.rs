//! The search itself: proposes, refuses, runs several trials at once, keeps what came of them.
//!
//! **The same whatever the timing.** Trial n is proposed from the seed, n, and the trials up to n - `parallel`; pruning
//! looks at the same ones. All of these have ended before it begins: with TPE or pruning a trial waits for them. So two
//! searches with the same settings, `parallel` among them, make the same trials, however long each one takes, and one that
//! was interrupted and goes on makes those of one that wasn't. Grid and random search without pruning need no history:
//! there `parallel` changes nothing at all.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Map, Value};
use thiserror::Error;

use super::dice::Dice;
use super::log::LogError;
use super::prune::Pruning;
use super::space::{Point, Space};
use super::startup::Startup;
use super::tpe::Tpe;
use super::trial::{Direction, Price, State, Trial, placed};
use crate::threads;

/// How candidates are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Every point of the grid in order, the last parameter fastest; at most the search's trials.
    Grid,
    /// Each parameter at random, by itself.
    Random,
    /// Where good trials are dense.
    Tpe(Tpe),
}

impl Method {
    /// The name in descriptions.
    pub const fn name(&self) -> &'static str {
        match self {
            Method::Grid => "grid",
            Method::Random => "random",
            Method::Tpe(_) => "tpe",
        }
    }
}

/// A search: what may vary, how candidates are chosen, how many, when one is given up.
#[derive(Clone, Copy, Debug)]
pub struct Study<'a> {
    /// What may vary.
    pub space: &'a Space,
    /// How candidates are chosen.
    pub method: Method,
    /// Which scores are better.
    pub direction: Direction,
    /// Candidates to run, beyond those that are refused.
    pub trials: u32,
    /// The seed of random and TPE.
    pub seed: u64,
    /// Trials at the same time, each in a thread of its own.
    pub parallel: u32,
    /// When a trial is given up.
    pub pruning: Option<Pruning>,
}

/// A candidate.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The trial's number.
    pub number: u32,
    /// Paths and values, in the order of the space.
    pub values: Vec<(&'a str, Value)>,
}

impl Candidate<'_> {
    /// The value at a path; none where it doesn't vary.
    pub fn get(&self, path: &str) -> Option<&Value> {
        self.values.iter().find(|(name, _)| *name == path).map(|(_, value)| value)
    }

    /// The number at a path.
    pub fn number_at(&self, path: &str) -> Option<f64> {
        self.get(path)?.as_f64()
    }
}

/// A score.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// The score; it is finite.
    pub score: f64,
    /// That of each fold, where there are folds.
    pub scores: Vec<f64>,
}

/// What is searched through. A closure from a candidate to its score or a reason why it has none is one, too.
pub trait Objective: Sync {
    /// Looks at a candidate before it runs, quickly; gives its price where that is known.
    ///
    /// # Errors
    /// Why it is refused.
    fn admit(&self, _candidate: &Candidate<'_>) -> Result<Option<Price>, String> {
        Ok(None)
    }

    /// Runs a candidate. Where steps are told to `progress` and one is answered by `false`, it ends at once, with
    /// whatever result.
    ///
    /// # Errors
    /// Why it has no score; the search goes on.
    fn run(&self, candidate: &Candidate<'_>, progress: &mut Progress<'_>) -> Result<Score, String>;
}

impl<F: Fn(&Candidate<'_>) -> Result<f64, String> + Sync> Objective for F {
    fn run(&self, candidate: &Candidate<'_>, _: &mut Progress<'_>) -> Result<Score, String> {
        Ok(Score { score: self(candidate)?, scores: Vec::new() })
    }
}

/// Told how a trial goes; says whether it goes on.
#[derive(Debug)]
pub struct Progress<'a> {
    pruning: Option<Pruning>,
    direction: Direction,
    known: &'a [Trial],
    stop: &'a AtomicBool,
    values: Vec<f64>,
    epochs: u32,
    given_up: bool,
    stopped: bool,
}

impl<'a> Progress<'a> {
    /// A step is done, and the score is `value` so far. False: give up.
    #[must_use = "a trial that is given up must end"]
    pub fn step(&mut self, value: f64) -> bool {
        self.values.push(value);
        let prunes = |pruning: Pruning| pruning.prunes(self.known, self.direction, &self.values);
        self.given_up |= self.pruning.is_some_and(prunes);
        !self.is_stopped() && !self.given_up
    }

    /// Counts an epoch.
    pub fn epoch(&mut self) {
        self.epochs += 1;
    }

    /// What becomes true when the whole search is to end, for objectives that look at it themselves; they must ask
    /// [`Progress::is_stopped`], too.
    pub fn stop(&self) -> &'a AtomicBool {
        self.stop
    }

    /// Whether the whole search is to end: what this trial gives isn't kept.
    pub fn is_stopped(&mut self) -> bool {
        self.stopped |= self.stop.load(Ordering::Relaxed);
        self.stopped
    }
}

/// Why a search ended before its last trial.
#[derive(Debug, Error)]
pub enum StudyError {
    /// A parameter has no grid.
    #[error("`{path}`: a grid needs `points` or `step` for this range, for example points = 4")]
    NoGrid {
        /// Its place in the space.
        parameter: usize,
        /// Its path.
        path: String,
    },
    /// The grid is too large.
    #[error("the grid has more than a million points; give fewer `points`, or take method = \"random\" or \"tpe\"")]
    GridTooLarge,
    /// Nothing was found that may run.
    #[error("{count} candidates in a row were refused, the last one: {reason}; change the space or the budget")]
    AllRefused {
        /// How many.
        count: u32,
        /// Why the last one was.
        reason: String,
    },
    /// Trials can't be kept.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Refused candidates in a row after which a search ends that draws them; a grid has an end of its own.
pub const MOST_REFUSED: u32 = 1000;

/// As many trials at the same time as a description allows.
pub const MOST_PARALLEL: u32 = 1024;

struct Shared<'s> {
    trials: BTreeMap<u32, Trial>,
    /// The next number.
    next: u32,
    /// All numbers below have ended.
    ended: u32,
    /// Trials that run or have run.
    counted: u32,
    refused: u32,
    done: bool,
    error: Option<StudyError>,
    keep: Keep<'s>,
}

/// Told of each trial that ends.
type Keep<'s> = &'s mut (dyn FnMut(&Trial) -> Result<(), StudyError> + Send);

/// What a worker does next.
enum Next {
    Run {
        number: u32,
        /// Which of the search's trials it is.
        place: Option<NonZeroU32>,
        point: Point,
        price: Option<Price>,
        known: Vec<Trial>,
    },
    End,
}

impl Study<'_> {
    /// Runs the trials that aren't in `before`, and gives all in the order of their numbers. `keep` is told of each new
    /// one as it ends, refused ones included; `stop` ends the search, and trials at work aren't kept. After [`MOST_REFUSED`]
    /// refused ones in a row it ends with the trials that it has.
    ///
    /// # Errors
    /// [`StudyError`]; what was kept stays.
    pub fn run(
        &self,
        before: Vec<Trial>,
        objective: &dyn Objective,
        keep: Keep<'_>,
        stop: &AtomicBool,
    ) -> Result<Vec<Trial>, StudyError> {
        let grid = match self.method {
            Method::Grid => Some(self.grid()?),
            _ => None,
        };
        let trials: BTreeMap<u32, Trial> = placed(before).into_iter().map(|trial| (trial.number, trial)).collect();
        let shared = Shared { trials, next: 0, ended: 0, counted: 0, refused: 0, done: false, error: None, keep };
        let (shared, changed) = (Mutex::new(shared), Condvar::new());
        let work = || self.work(&shared, &changed, grid.as_deref(), objective, stop);
        let parallel = self.parallel.max(1);
        let share = rayon::current_num_threads() / parallel as usize;
        std::thread::scope(|scope| {
            for _ in 1..parallel {
                scope.spawn(|| threads::apart(share, work));
            }
            work();
        });
        let shared = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
        match shared.error {
            Some(error) => Err(error),
            None => Ok(shared.trials.into_values().collect()),
        }
    }

    /// The points of the grid.
    ///
    /// # Errors
    /// [`StudyError::NoGrid`] or [`StudyError::GridTooLarge`].
    pub fn grid(&self) -> Result<Vec<Point>, StudyError> {
        self.space.grid().map_err(|parameter| match parameter.and_then(|i| Some((i, self.space.parameters.get(i)?))) {
            Some((parameter, p)) => StudyError::NoGrid { parameter, path: p.path.clone() },
            None => StudyError::GridTooLarge,
        })
    }

    /// The point of trial `number`, a function of its arguments and the study's settings: `known` are the trials up to
    /// `number - parallel`. None where the grid has ended.
    pub fn propose(&self, number: u32, known: &[Trial], grid: Option<&[Point]>) -> Option<Point> {
        let dice = Dice::new(self.seed, number);
        let drawn = |startup: Startup, trials: u32| {
            self.space.point(|parameter, distribution| {
                let (parameter, uniform) = (parameter as u64, dice.of(parameter as u64).uniform(0));
                distribution.at(startup.share(self.seed, (number, trials), parameter, uniform))
            })
        };
        match (self.method, grid) {
            (Method::Grid, Some(grid)) => grid.get(number as usize).cloned(),
            (Method::Grid, None) => self.grid().ok()?.get(number as usize).cloned(),
            (Method::Random, _) => Some(drawn(Startup::Random, 0)),
            (Method::Tpe(tpe), _) => {
                let known: Vec<&Trial> = known.iter().collect();
                let proposed = tpe.propose(self.space, &known, self.direction, dice.of(u64::MAX));
                Some(proposed.unwrap_or_else(|| drawn(tpe.startup, tpe.startup_trials)))
            }
        }
    }

    /// Whether candidates or decisions depend on other trials.
    pub fn uses_history(&self) -> bool {
        matches!(self.method, Method::Tpe(_)) || self.pruning.is_some()
    }

    fn work(
        &self,
        shared: &Mutex<Shared<'_>>,
        changed: &Condvar,
        grid: Option<&[Point]>,
        objective: &dyn Objective,
        stop: &AtomicBool,
    ) {
        let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let Next::Run { number, place, point, price, known } = self.next(lock(), changed, grid, objective, stop)
            else {
                changed.notify_all();
                return;
            };
            let candidate = Candidate { number, values: self.space.values(&point) };
            let started = Instant::now();
            let mut progress = Progress {
                pruning: self.pruning,
                direction: self.direction,
                known: &known,
                stop,
                values: Vec::new(),
                epochs: 0,
                given_up: false,
                stopped: false,
            };
            // A trial that never ended would keep those that wait for it waiting for ever.
            let result = catch_unwind(AssertUnwindSafe(|| objective.run(&candidate, &mut progress)));
            let result = result.unwrap_or_else(|_| Err("the program failed in this trial; see above".into()));
            let Progress { values, epochs, given_up, stopped, .. } = progress;
            let seconds = started.elapsed().as_secs_f64();
            let mut trial = Trial { place, epochs, seconds, price, ..ended(&candidate, point) };
            match result {
                _ if given_up => trial.state = State::Pruned,
                Ok(score) if score.score.is_finite() => {
                    (trial.score, trial.scores) = (Some(score.score), score.scores);
                }
                Ok(_) => (trial.state, trial.reason) = (State::Failed, "the score isn't a finite number".into()),
                Err(reason) => (trial.state, trial.reason) = (State::Failed, reason),
            }
            // A value that isn't finite has no place in JSON; nothing is compared with it any more.
            trial.values = values.into_iter().take_while(|value| value.is_finite()).collect();
            let mut shared = lock();
            // One that was stopped runs again when the search goes on.
            if given_up || !stopped {
                shared.keep(trial);
            }
            drop(shared);
            changed.notify_all();
        }
    }

    /// The next candidate that may run; those that are refused on the way are kept.
    fn next(
        &self,
        mut shared: MutexGuard<'_, Shared<'_>>,
        changed: &Condvar,
        grid: Option<&[Point]>,
        objective: &dyn Objective,
        stop: &AtomicBool,
    ) -> Next {
        loop {
            if shared.done || stop.load(Ordering::Relaxed) || shared.counted >= self.trials {
                return Next::End;
            }
            if grid.is_none() && shared.refused >= MOST_REFUSED {
                return shared.end(changed);
            }
            let number = shared.next;
            if let Some(state) = shared.trials.get(&number).map(|trial| trial.state) {
                // From the search that this one goes on from.
                shared.count(state);
                continue;
            }
            let known_to = if self.uses_history() { (number + 1).saturating_sub(self.parallel.max(1)) } else { 0 };
            if shared.ended < known_to {
                shared = changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let known: Vec<Trial> = shared.trials.range(..known_to).map(|(_, trial)| trial.clone()).collect();
            let Some(point) = self.propose(number, &known, grid) else {
                return shared.end(changed);
            };
            let candidate = Candidate { number, values: self.space.values(&point) };
            match objective.admit(&candidate) {
                Ok(price) => {
                    shared.count(State::Complete);
                    // All of a lower number have been counted before.
                    let place = NonZeroU32::new(shared.counted);
                    return Next::Run { number, place, point, price, known };
                }
                Err(reason) => {
                    shared.count(State::Refused);
                    shared.keep(Trial { state: State::Refused, reason, ..ended(&candidate, point) });
                    changed.notify_all();
                }
            }
        }
    }
}

impl Shared<'_> {
    /// The next number is used.
    fn count(&mut self, state: State) {
        self.next += 1;
        if state == State::Refused {
            self.refused += 1;
        } else {
            self.counted += 1;
            self.refused = 0;
        }
        self.move_on();
    }

    /// No candidate comes any more.
    fn end(&mut self, changed: &Condvar) -> Next {
        if self.counted == 0
            && let Some(last) = self.trials.values().next_back()
        {
            let (count, reason) = (self.refused, last.reason.clone());
            self.error.get_or_insert(StudyError::AllRefused { count, reason });
        }
        self.done = true;
        changed.notify_all();
        Next::End
    }

    fn keep(&mut self, trial: Trial) {
        // Nothing is written behind what couldn't be.
        if self.error.is_none()
            && let Err(error) = (self.keep)(&trial)
        {
            self.error = Some(error);
            self.done = true;
        }
        self.trials.insert(trial.number, trial);
        self.move_on();
    }

    fn move_on(&mut self) {
        while self.trials.contains_key(&self.ended) {
            self.ended += 1;
        }
    }
}

/// A trial without results.
fn ended(candidate: &Candidate<'_>, point: Point) -> Trial {
    let parameters: Map<String, Value> =
        candidate.values.iter().map(|(path, value)| (path.to_string(), value.clone())).collect();
    Trial {
        number: candidate.number,
        place: None,
        state: State::Complete,
        parameters,
        point,
        score: None,
        scores: Vec::new(),
        values: Vec::new(),
        epochs: 0,
        price: None,
        seconds: 0.0,
        reason: String::new(),
    }
}
