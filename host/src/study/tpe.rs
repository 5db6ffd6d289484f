//! The tree-structured Parzen estimator: propose where good trials are dense and others are not.
//!
//! After Bergstra et al. 2011 (section 4) and 2013, with Optuna's choices: trials are ranked, the best
//! `min(ceil(0.1 n), 25)` make the density of good ones, l, all others g; 24 candidates are drawn from l, and the one with
//! the largest l/g is proposed, which is the one of the largest expected improvement. A pruned trial ranks after all
//! complete ones, the farther it came the better, then by its last value; what failed or was refused is among the others,
//! and so pushes proposals out of a part of the space that diverges or is beyond the budget.
//!
//! Parameters that always vary are drawn together (Optuna's `multivariate`), so that a learning rate goes with its
//! batch; those with a condition each by themselves, from the trials that had them.
//!
//! Not the crate `tpe`: it draws each parameter by itself from a stream of random numbers, has no whole numbers with
//! steps, no rank for pruned trials, and can't be asked for trial n again after a restart.

use super::dice::Dice;
use super::parzen::Parzen;
use super::space::{Distribution, Point, Space};
use super::trial::{Direction, State, Trial};

/// Settings of TPE; the defaults are Optuna's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tpe {
    /// Trials at the start that are random.
    pub startup_trials: u32,
    /// Draws from the good density, of which the best is proposed.
    pub candidates: u32,
    /// Whether parameters without a condition are drawn together.
    pub multivariate: bool,
}

impl Default for Tpe {
    fn default() -> Self {
        Tpe { startup_trials: 10, candidates: 24, multivariate: true }
    }
}

impl Tpe {
    /// The point of trial `number`, a function of the arguments alone; `known` in the order of numbers. None while too
    /// few trials have ended.
    pub(super) fn propose(&self, space: &Space, known: &[&Trial], direction: Direction, dice: Dice) -> Option<Point> {
        let ended = known.iter().filter(|trial| matches!(trial.state, State::Complete | State::Pruned)).count();
        if ended < self.startup_trials.max(1) as usize {
            return None;
        }
        let (good, others) = split(known, direction, ended);
        let together: Vec<usize> = match self.multivariate {
            true => (0..space.parameters.len()).filter(|&i| space.parameters[i].when.is_empty()).collect(),
            false => Vec::new(),
        };
        let joint = self.best(space, &together, &good, &others, dice.of(0));
        let mut drawn = together.iter().zip(&joint);
        let mut at = drawn.next();
        Some(space.point(|parameter, _| match at {
            Some((&place, &coordinate)) if place == parameter => {
                at = drawn.next();
                coordinate
            }
            _ => {
                let alone = self.best(space, &[parameter], &good, &others, dice.of(1 + parameter as u64));
                alone.first().copied().unwrap_or(0.0)
            }
        }))
    }

    /// Coordinates of some parameters with the largest l/g.
    fn best(&self, space: &Space, which: &[usize], good: &[&Trial], others: &[&Trial], dice: Dice) -> Vec<f64> {
        if which.is_empty() {
            return Vec::new();
        }
        let distributions: Vec<&Distribution> = which.iter().map(|&i| &space.parameters[i].distribution).collect();
        let points = |trials: &[&Trial]| -> Vec<Vec<f64>> {
            let of = |trial: &&Trial| which.iter().map(|&i| trial.point.get(i).copied().flatten()).collect();
            trials.iter().filter_map(of).collect()
        };
        let (l, g) = (Parzen::new(&distributions, &points(good)), Parzen::new(&distributions, &points(others)));
        let mut best: Option<(f64, Vec<f64>)> = None;
        for candidate in 0..self.candidates.max(1) {
            let drawn = l.draw(dice.of(candidate.into()));
            let gain = l.log_density(&drawn) - g.log_density(&drawn);
            if best.as_ref().is_none_or(|(most, _)| gain > *most) {
                best = Some((gain, drawn));
            }
        }
        best.map_or(Vec::new(), |(_, drawn)| drawn)
    }
}

/// The good trials and all others, both in the order of numbers.
fn split<'t>(known: &[&'t Trial], direction: Direction, ended: usize) -> (Vec<&'t Trial>, Vec<&'t Trial>) {
    let count = ended.div_ceil(10).min(25);
    let mut ranked: Vec<&Trial> = known.to_vec();
    let rank = |trial: &Trial| match trial.state {
        State::Complete => (0, 0, direction.cost(trial.score.unwrap_or(f64::NAN))),
        State::Pruned => {
            let last = trial.values.last().copied().unwrap_or(f64::NAN);
            (1, usize::MAX - trial.values.len(), direction.cost(last))
        }
        State::Failed | State::Refused => (2, 0, 0.0),
    };
    ranked.sort_by(|a, b| {
        let (a, b) = (rank(a), rank(b));
        (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2))
    });
    let (good, others) = ranked.split_at(count.min(ranked.len()));
    let in_order = |trials: &[&'t Trial]| {
        let mut trials = trials.to_vec();
        trials.sort_by_key(|trial| trial.number);
        trials
    };
    (in_order(good), in_order(others))
}
