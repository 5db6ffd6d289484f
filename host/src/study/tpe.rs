//! The tree-structured Parzen estimator: propose where good trials are dense and others are not.
//!
//! After Bergstra et al. 2011 (section 4) and 2013: trials are ranked, the best `min(ceil(0.15 n), 25)` make the density of
//! good ones, l, all others g; 24 candidates are drawn from l, and the one with the largest l/g is proposed, which is the
//! one of the largest expected improvement. A good trial weighs as much as it is better than the best of the others, so
//! the best of all draws most. A pruned trial ranks after all complete ones, the farther it came the better, then by its
//! last value; what failed or was refused is among the others, and so pushes proposals out of a part of the space that
//! diverges or is beyond the budget.
//!
//! The share 0.15 and the weights are those that Watanabe recommends ("Tree-Structured Parzen Estimator: Understanding Its
//! Algorithm Components", 2023, section 5); Optuna takes 0.1, and trials older than the last 25 weigh less there, whatever
//! they scored. On seven functions with 80 to 150 seeds each of the changes came closer to the minimum, after 25 trials as
//! after 100. `tests/reference/make_search.py` compares with Optuna itself.
//!
//! Six trials start it, spread by a Latin hypercube ([`Startup`]), where Optuna has ten random ones. That was chosen for
//! searches of 25 trials, on models of the trainings of `penguins-search` and `credit-search` (a forest of 5500 and 3640
//! trials, and noise as large as what it leaves) and seven functions, 1200 seeds each: the best of 25 came nearer on all
//! nine, by 0.07 to 0.42 of the deviation between seeds, 0.19 ± 0.01 in the mean, of which ten spread ones have 0.05 and six
//! random ones 0.13. On nine others that had no part in the choice it was 0.22 ± 0.02. After 50 trials it is 0.05 ± 0.02,
//! after 100 0.04 ± 0.03. More draws, other shares of good ones, other weights, kernels and priors of choices were tried,
//! too, and gained nothing that both trainings had. With a heavier prior of the others (3) functions are nearer, trainings not.
//!
//! On the trainings themselves (`emberlite search --seed`, other seeds than those of the recipes) the difference is within
//! chance: `penguins-search`, 80 seeds, the best of 25 is 0.1933 ± 0.0013, with ten random ones 0.1939 ± 0.0016, and that of
//! 50 random trials 0.2001 ± 0.0014; `credit-search`, 40 seeds, 0.43456 ± 0.00023, 0.43493 ± 0.00017 and 0.43524 ± 0.00018.
//!
//! Parameters that always vary are drawn together (Optuna's `multivariate`), so that a learning rate goes with its
//! batch; those with a condition each by themselves, from the trials that had them.
//!
//! Not the crate `tpe`: it draws each parameter by itself from a stream of random numbers, has no whole numbers with
//! steps, no rank for pruned trials, and can't be asked for trial n again after a restart.

use super::dice::Dice;
use super::parzen::Parzen;
use super::space::{Distribution, Point, Space};
use super::startup::Startup;
use super::trial::{Direction, State, Trial};

/// Settings of TPE; the default of `candidates` is Optuna's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tpe {
    /// Trials at the start that know nothing of others.
    pub startup_trials: u32,
    /// How these are drawn.
    pub startup: Startup,
    /// Draws from the good density, of which the best is proposed.
    pub candidates: u32,
    /// Whether parameters without a condition are drawn together.
    pub multivariate: bool,
}

impl Default for Tpe {
    fn default() -> Self {
        Tpe { startup_trials: 6, startup: Startup::LatinHypercube, candidates: 24, multivariate: true }
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
        let joint = self.best(space, &together, &good, &others, direction, dice.of(0));
        let mut drawn = together.iter().zip(&joint);
        let mut at = drawn.next();
        Some(space.point(|parameter, _| match at {
            Some((&place, &coordinate)) if place == parameter => {
                at = drawn.next();
                coordinate
            }
            _ => {
                let alone = self.best(space, &[parameter], &good, &others, direction, dice.of(1 + parameter as u64));
                alone.first().copied().unwrap_or(0.0)
            }
        }))
    }

    /// Coordinates of some parameters with the largest l/g.
    fn best(
        &self,
        space: &Space,
        which: &[usize],
        good: &[&Trial],
        others: &[&Trial],
        direction: Direction,
        dice: Dice,
    ) -> Vec<f64> {
        if which.is_empty() {
            return Vec::new();
        }
        let distributions: Vec<&Distribution> = which.iter().map(|&i| &space.parameters[i].distribution).collect();
        let at = |trial: &Trial, i: usize| trial.point.get(i).copied().flatten();
        let has = |trial: &Trial| which.iter().all(|&i| at(trial, i).is_some());
        let points = |trials: &[&Trial]| -> Vec<Vec<f64>> {
            let of = |trial: &&Trial| which.iter().map(|&i| at(trial, i)).collect();
            trials.iter().filter_map(of).collect()
        };
        let (of_good, of_others) = (points(good), points(others));
        let equal = vec![1.0; of_others.len()];
        let weights = weights(good.iter().filter(|trial| has(trial)), others, direction);
        let (l, g) = (Parzen::new(&distributions, &of_good, weights), Parzen::new(&distributions, &of_others, equal));
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

/// How much each of the good ones is better than the best of the others, 1 on average; equal where that can't be said.
fn weights<'t>(good: impl Iterator<Item = &'t &'t Trial>, others: &[&Trial], direction: Direction) -> Vec<f64> {
    let cost = |trial: &Trial| trial.score.map_or(f64::INFINITY, |score| direction.cost(score));
    let border = others.iter().map(|trial| cost(trial)).fold(f64::INFINITY, f64::min);
    // A pruned one has no score: it is no better than the border.
    let gains: Vec<f64> = good.map(|trial| (border - cost(trial)).max(0.0)).collect();
    let mean = gains.iter().sum::<f64>() / gains.len().max(1) as f64;
    if mean > 0.0 && mean.is_finite() { gains.iter().map(|gain| gain / mean).collect() } else { vec![1.0; gains.len()] }
}

/// The good trials and all others, both in the order of numbers.
fn split<'t>(known: &[&'t Trial], direction: Direction, ended: usize) -> (Vec<&'t Trial>, Vec<&'t Trial>) {
    let count = (ended * 3).div_ceil(20).min(25);
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

#[cfg(test)]
mod tests {
    use super::super::trial::tests::trial;
    use super::*;

    /// Trials with scores as their costs; none is a pruned one that came two steps far.
    fn known(scores: &[Option<f64>]) -> Vec<Trial> {
        let of = |(number, &score): (u32, &Option<f64>)| trial(number, &[f64::from(number)], score, &[0.5, 0.25]);
        (0..).zip(scores).map(of).collect()
    }

    fn numbers(trials: &[&Trial]) -> Vec<u32> {
        trials.iter().map(|trial| trial.number).collect()
    }

    #[test]
    fn the_best_three_of_twenty_are_good_in_either_direction() {
        let scores: Vec<Option<f64>> = (0..20).map(|i| Some(f64::from((i * 7) % 20))).collect();
        let known = known(&scores);
        let all: Vec<&Trial> = known.iter().collect();
        // 7 i mod 20 is 0, 1, 2 for i = 0, 3, 6, and 19, 18, 17 for 17, 14, 11.
        assert_eq!(numbers(&split(&all, Direction::Minimize, 20).0), [0, 3, 6]);
        assert_eq!(numbers(&split(&all, Direction::Maximize, 20).0), [11, 14, 17]);
        // ceil(0.15 n): 1 of 6, 2 of 7; at most 25 of 200.
        let good = |n: usize| split(&all[..n.min(20)], Direction::Minimize, n).0.len();
        assert_eq!((good(6), good(7), good(13), good(14)), (1, 2, 2, 3));
        let many: Vec<&Trial> = (0..200).map(|i| &known[i % 20]).collect();
        assert_eq!(split(&many, Direction::Minimize, 200).0.len(), 25);
    }

    #[test]
    fn what_was_given_up_ranks_after_scores_and_before_failures() {
        let mut known = known(&[None, None, Some(9.0), None, None]);
        known[0].values = vec![0.1];
        known[3].values = vec![0.5, 0.2];
        known[4].state = State::Failed;
        let all: Vec<&Trial> = known.iter().collect();
        // Of n "ended" ones ceil(0.15 n) are good: the score, then two steps with 0.2 and 0.25, one step, the failure.
        let good = |ended| numbers(&split(&all, Direction::Minimize, ended).0);
        assert_eq!((good(6), good(13), good(20)), (vec![2], vec![2, 3], vec![1, 2, 3]));
        assert_eq!((good(26), good(33)), (vec![0, 1, 2, 3], vec![0, 1, 2, 3, 4]));
    }

    #[test]
    fn a_good_trial_weighs_as_much_as_it_is_better() {
        let known = known(&[Some(1.0), Some(4.0), Some(5.0), Some(9.0), None]);
        let all: Vec<&Trial> = known.iter().collect();
        // 4 and 1 better than the border 5, 2.5 on average.
        assert_eq!(weights(all[..2].iter(), &all[2..], Direction::Minimize), [1.6, 0.4]);
        // The other way round: 9 and 5 against 4.
        assert_eq!(weights(all[2..4].iter(), &all[..2], Direction::Maximize), [2.0 / 6.0, 10.0 / 6.0]);
        // Without a border, equal ones, or one that was given up.
        assert_eq!(weights(all[..2].iter(), &all[4..], Direction::Minimize), [1.0, 1.0]);
        assert_eq!(weights(all[2..3].iter(), &all[2..3], Direction::Minimize), [1.0]);
        assert_eq!(weights([all[0], all[4]].iter(), &all[1..2], Direction::Minimize), [2.0, 0.0]);
    }
}
