//! What came of a candidate, and in which order trials stand.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use super::space::Point;

/// Which scores are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Lower ones.
    Minimize,
    /// Higher ones.
    Maximize,
}

impl Direction {
    /// Whether `a` is better than `b`; what isn't a number is worse than any number.
    pub fn better(self, a: f64, b: f64) -> bool {
        self.cost(a) < self.cost(b)
    }

    /// A number that is lower where the score is better; infinite for what isn't a number.
    pub(super) fn cost(self, score: f64) -> f64 {
        match self {
            _ if score.is_nan() => f64::INFINITY,
            Direction::Minimize => score,
            Direction::Maximize => -score,
        }
    }
}

/// How a trial ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// With a score.
    Complete,
    /// Given up since others were better at that point; its values so far are kept.
    Pruned,
    /// It had no score: training diverged, or the data didn't do.
    Failed,
    /// Never run: the candidate isn't valid, or beyond the budget. It doesn't count as one of the search's trials.
    Refused,
}

impl State {
    /// The word in tables and files.
    pub const fn name(self) -> &'static str {
        match self {
            State::Complete => "complete",
            State::Pruned => "pruned",
            State::Failed => "failed",
            State::Refused => "refused",
        }
    }
}

/// What a candidate costs on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Parameters, as a number.
    pub parameters: u64,
    /// Bytes of RAM for the arena.
    pub ram: u64,
    /// Bytes of flash for the file.
    pub flash: u64,
    /// Multiply-accumulates of a prediction.
    pub macs: u64,
}

/// A candidate and what came of it: one line of `trials.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Line")]
pub struct Trial {
    /// Its number among all candidates, from 0, those that were refused included. In files `candidate`, from 1, as people
    /// count.
    #[serde(rename = "candidate", serialize_with = "from_one")]
    pub number: u32,
    /// Which of the search's trials it is, from 1; none where it was refused, which doesn't count as one. In files `trial`.
    #[serde(rename = "trial", skip_serializing_if = "Option::is_none")]
    pub place: Option<NonZeroU32>,
    /// How it ended.
    pub state: State,
    /// Values by path.
    pub parameters: Map<String, Value>,
    /// The coordinates of `parameters`.
    #[serde(skip)]
    pub point: Point,
    /// The score; only of a complete trial.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The score of each fold, where there are folds; their mean is the score.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
    /// The score after each step: each epoch, or the mean after each fold. What pruning looks at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
    /// Epochs trained, of all folds together.
    pub epochs: u32,
    /// What it costs on the device, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Wall time.
    pub seconds: f64,
    /// Why it failed or was refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

fn from_one<S: Serializer>(number: &u32, to: S) -> Result<S::Ok, S::Error> {
    number.saturating_add(1).serialize(to)
}

/// A trial as a file has it, of this program or of an earlier one.
#[derive(Deserialize)]
struct Line {
    candidate: Option<NonZeroU32>,
    /// Where there is no `candidate`, the number among all of them: so it was written before.
    trial: Option<NonZeroU32>,
    /// The same from 0: so it was written first.
    number: Option<u32>,
    state: State,
    parameters: Map<String, Value>,
    score: Option<f64>,
    #[serde(default)]
    scores: Vec<f64>,
    #[serde(default)]
    values: Vec<f64>,
    #[serde(default)]
    epochs: u32,
    price: Option<Price>,
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    reason: String,
}

impl TryFrom<Line> for Trial {
    type Error = &'static str;

    fn try_from(line: Line) -> Result<Trial, &'static str> {
        let all = line.candidate.or(line.trial).map(|number| number.get() - 1);
        Ok(Trial {
            number: all.or(line.number).ok_or("missing field `candidate`")?,
            place: line.trial.filter(|_| line.candidate.is_some()),
            state: line.state,
            parameters: line.parameters,
            point: Point::new(),
            score: line.score,
            scores: line.scores,
            values: line.values,
            epochs: line.epochs,
            price: line.price,
            seconds: line.seconds,
            reason: line.reason,
        })
    }
}

/// Trials in the order of their numbers, each with its [place](Trial::place): its number less the refused ones before it. What is
/// missing between them was at work when the search was stopped, and runs again.
pub(crate) fn placed(trials: impl IntoIterator<Item = Trial>) -> Vec<Trial> {
    let mut trials: Vec<Trial> = trials.into_iter().collect();
    trials.sort_by_key(|trial| trial.number);
    let mut refused = 0;
    for trial in &mut trials {
        let counts = trial.state != State::Refused;
        trial.place =
            if counts { NonZeroU32::new(trial.number.saturating_add(1).saturating_sub(refused)) } else { None };
        refused += u32::from(!counts);
    }
    trials
}

impl Trial {
    /// `trial 3`, or `candidate 12` for one that was refused.
    pub fn title(&self) -> String {
        match self.place {
            Some(place) => format!("trial {place}"),
            None => format!("candidate {}", self.number.saturating_add(1)),
        }
    }

    /// The sample standard deviation of the folds' scores (divided by folds - 1); none with fewer than two.
    pub fn deviation(&self) -> Option<f64> {
        deviation(&self.scores)
    }
}

/// The sample standard deviation, divided by count - 1; none of fewer than two.
pub fn deviation(scores: &[f64]) -> Option<f64> {
    if scores.len() < 2 {
        return None;
    }
    let mean = mean(scores)?;
    let sum: f64 = scores.iter().map(|score| (score - mean).powi(2)).sum();
    Some((sum / (scores.len() - 1) as f64).sqrt())
}

/// The mean, summed in order; none of nothing.
pub fn mean(scores: &[f64]) -> Option<f64> {
    if scores.is_empty() { None } else { Some(scores.iter().sum::<f64>() / scores.len() as f64) }
}

/// Refused candidates after the last trial, all in a row.
pub fn refused_last(trials: &[Trial]) -> usize {
    trials.iter().rev().take_while(|trial| trial.state == State::Refused).count()
}

/// Complete trials, the best first; equal ones in the order of their numbers.
pub fn ranking(trials: &[Trial], direction: Direction) -> Vec<&Trial> {
    let cost = |trial: &Trial| direction.cost(trial.score.unwrap_or(f64::NAN));
    let mut complete: Vec<&Trial> = trials.iter().filter(|trial| trial.state == State::Complete).collect();
    complete.sort_by(|a, b| cost(a).total_cmp(&cost(b)).then(a.number.cmp(&b.number)));
    complete
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A trial for tests: with a score it is complete, without pruned.
    pub fn trial(number: u32, point: &[f64], score: Option<f64>, values: &[f64]) -> Trial {
        Trial {
            number,
            place: None,
            state: if score.is_some() { State::Complete } else { State::Pruned },
            parameters: Map::new(),
            point: point.iter().map(|&x| Some(x)).collect(),
            score,
            scores: Vec::new(),
            values: values.to_vec(),
            epochs: 0,
            price: None,
            seconds: 0.0,
            reason: String::new(),
        }
    }

    #[test]
    fn the_best_is_first_and_ties_go_to_the_earlier() {
        let scores = [0.5, f64::NAN, 0.9, 0.9];
        let trials: Vec<Trial> = (0..).zip(scores).map(|(number, s)| trial(number, &[], Some(s), &[])).collect();
        let order = |direction| ranking(&trials, direction).iter().map(|t| t.number).collect::<Vec<_>>();
        assert_eq!((order(Direction::Maximize), order(Direction::Minimize)), (vec![2, 3, 0, 1], vec![0, 2, 3, 1]));
    }

    #[test]
    fn deviation_is_that_of_a_sample() {
        // Mean 5; squares 9 + 1 + 1 + 9 = 20, over 3.
        assert_eq!(deviation(&[2.0, 4.0, 6.0, 8.0]), Some((20f64 / 3.0).sqrt()));
        assert_eq!((deviation(&[1.0]), mean(&[])), (None, None));
    }
}
