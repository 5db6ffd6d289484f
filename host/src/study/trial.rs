//! What came of a candidate, and in which order trials stand.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
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
pub struct Trial {
    /// Its number, from 0; candidates that are refused have one too. In files it is `trial`, from 1, as people count
    /// ([`Trial::place`]); `number`, from 0, is read too.
    #[serde(flatten, with = "in_files")]
    pub number: u32,
    /// How it ended.
    pub state: State,
    /// Values by path.
    pub parameters: Map<String, Value>,
    /// The coordinates of `parameters`.
    #[serde(skip)]
    pub point: Point,
    /// The score; only of a complete trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// The score of each fold, where there are folds; their mean is the score.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<f64>,
    /// The score after each step: each epoch, or the mean after each fold. What pruning looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
    /// Epochs trained, of all folds together.
    #[serde(default)]
    pub epochs: u32,
    /// What it costs on the device, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Wall time.
    #[serde(default)]
    pub seconds: f64,
    /// Why it failed or was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A trial's number in JSON.
mod in_files {
    use super::{Deserialize, NonZeroU32, Serialize};
    use serde::{Deserializer, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Named {
        Now { trial: NonZeroU32 },
        Before { number: u32 },
    }

    pub(super) fn serialize<S: Serializer>(number: &u32, to: S) -> Result<S::Ok, S::Error> {
        Named::Now { trial: NonZeroU32::MIN.saturating_add(*number) }.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        Ok(match Named::deserialize(from)? {
            Named::Now { trial } => trial.get() - 1,
            Named::Before { number } => number,
        })
    }
}

impl Trial {
    /// Its number as people count, from 1.
    pub fn place(&self) -> u32 {
        self.number.saturating_add(1)
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
