//! Giving up trials that others were better than.
//!
//! The rules are Optuna's `MedianPruner` and `SuccessiveHalvingPruner`. A step is an epoch, or a fold where the score is
//! cross-validated. A decision looks at the trial's own values and at those of trials that ended before it began, and
//! at nothing else.

use super::trial::{Direction, State, Trial};

/// When a trial is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruning {
    /// When the best of its values so far is worse than the median of what complete trials had at the same step
    /// (Golovin et al., "Google Vizier", 2017, with values in place of running averages).
    Median {
        /// Complete trials before the first one is given up.
        startup_trials: u32,
        /// Steps of each trial that are never its last.
        warmup_steps: u32,
    },
    /// At rungs of `minimum_steps * reduction_factor^k` steps, when it isn't among the best 1/`reduction_factor` of all
    /// trials that reached the rung (asynchronous successive halving: Li et al., "A System for Massively Parallel
    /// Hyperparameter Tuning", 2020). Of fewer trials the best goes on.
    SuccessiveHalving {
        /// The first rung.
        minimum_steps: u32,
        /// At least 2.
        reduction_factor: u32,
    },
}

impl Pruning {
    /// Optuna's defaults.
    pub const MEDIAN: Pruning = Pruning::Median { startup_trials: 5, warmup_steps: 0 };
    /// Optuna's defaults.
    pub const SUCCESSIVE_HALVING: Pruning = Pruning::SuccessiveHalving { minimum_steps: 1, reduction_factor: 4 };

    /// Whether a trial with these values, one a step, is given up now.
    pub fn prunes(&self, known: &[Trial], direction: Direction, values: &[f64]) -> bool {
        let Some(own) = values.last() else { return false };
        let step = values.len();
        let at_step = |trial: &Trial| trial.values.get(step - 1).map(|&value| direction.cost(value));
        match *self {
            Pruning::Median { startup_trials, warmup_steps } => {
                let complete = || known.iter().filter(|trial| trial.state == State::Complete);
                if step <= warmup_steps as usize || complete().count() < startup_trials.max(1) as usize {
                    return false;
                }
                let best = values.iter().map(|&value| direction.cost(value)).fold(f64::INFINITY, f64::min);
                median(complete().filter_map(at_step).collect()).is_some_and(|median| best > median)
            }
            Pruning::SuccessiveHalving { minimum_steps, reduction_factor } => {
                if !is_rung(step, minimum_steps, reduction_factor) {
                    return false;
                }
                let own = direction.cost(*own);
                let mut all: Vec<f64> = known.iter().filter_map(at_step).chain([own]).collect();
                all.sort_by(f64::total_cmp);
                let last = (all.len() / reduction_factor.max(2) as usize).max(1) - 1;
                own > all[last]
            }
        }
    }
}

/// Whether `step` is `minimum * factor^k` for some k.
fn is_rung(step: usize, minimum: u32, factor: u32) -> bool {
    let mut rung = minimum.max(1) as usize;
    while rung < step {
        rung = rung.saturating_mul(factor.max(2) as usize);
    }
    rung == step
}

/// The middle value, or the mean of the two middle ones.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => values.get(middle).copied(),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::trial::tests::trial;
    use super::*;

    /// Five complete trials, and one that was given up after its second step.
    fn known() -> Vec<Trial> {
        let mut known: Vec<Trial> =
            [[0.9, 0.5, 0.40], [0.8, 0.6, 0.35], [0.7, 0.7, 0.30], [0.6, 0.4, 0.25], [0.5, 0.3, 0.20]]
                .iter()
                .zip(0..)
                .map(|(values, number)| trial(number, &[], Some(values[2]), values))
                .collect();
        known.push(trial(5, &[], None, &[0.1, 0.95]));
        known
    }

    #[test]
    fn the_median_rule_by_hand() {
        let (known, rule) = (known(), Pruning::Median { startup_trials: 5, warmup_steps: 1 });
        let prunes = |values: &[f64]| rule.prunes(&known, Direction::Minimize, values);
        // Medians of the complete ones: 0.7, 0.5, 0.3. The one that was given up doesn't count.
        for (values, expected) in [
            (&[9.0][..], false),            // warming up
            (&[9.0, 0.50], false),          // as good as the median
            (&[9.0, 0.51], true),           // worse
            (&[0.49, 9.0], false),          // its best so far is better
            (&[0.9, 0.45, 0.31], true),     // best 0.31 against 0.30
            (&[0.9, 0.30, 0.31], false),    // best 0.30
            (&[0.9, 0.9, 0.9, 0.9], false), // nobody came so far
        ] {
            assert_eq!(prunes(values), expected, "{values:?}");
        }
        // Higher is better: best so far 0.52 is above the median 0.5, 0.48 isn't.
        let up = |values: &[f64]| rule.prunes(&known, Direction::Maximize, values);
        assert_eq!([up(&[0.1, 0.52]), up(&[0.1, 0.48]), up(&[0.55, 0.1])], [false, true, false]);
        assert!(!rule.prunes(&known[1..], Direction::Minimize, &[9.0, 9.0]), "four complete ones are too few");
        // Of two the mean: (0.9 + 0.8) / 2 = 0.85.
        let two = Pruning::Median { startup_trials: 2, warmup_steps: 0 };
        let of_two = |value: f64| two.prunes(&known[..2], Direction::Minimize, &[value]);
        assert_eq!([of_two(0.849), of_two(0.851)], [false, true]);
    }

    #[test]
    fn rungs_by_hand() {
        let rungs = |minimum, factor| (1..=40).filter(|&step| is_rung(step, minimum, factor)).collect::<Vec<_>>();
        assert_eq!(rungs(1, 4), [1, 4, 16]);
        assert_eq!(rungs(3, 3), [3, 9, 27]);
        assert_eq!(rungs(2, 2), [2, 4, 8, 16, 32]);
    }

    #[test]
    fn successive_halving_by_hand() {
        let rule = Pruning::SuccessiveHalving { minimum_steps: 1, reduction_factor: 2 };
        let known = known();
        let prunes = |known: &[Trial], values: &[f64]| rule.prunes(known, Direction::Minimize, values);
        // Rung 1 has 0.9 0.8 0.7 0.6 0.5 0.1 and the trial's own: the best 7/2 = 3 go on, those up to 0.6 or to itself.
        assert_eq!([prunes(&known, &[0.55]), prunes(&known, &[0.6]), prunes(&known, &[0.61])], [false, false, true]);
        // Rung 2 has 0.5 0.6 0.7 0.4 0.3 0.95: the best three are 0.3, 0.4, and 0.5 or itself.
        assert_eq!([prunes(&known, &[0.9, 0.45]), prunes(&known, &[0.1, 0.55])], [false, true]);
        // Step 3 is no rung.
        assert!(!prunes(&known, &[9.0, 9.0, 9.0]));
        // Alone, or the better of two, it goes on.
        assert!(!prunes(&[], &[9.0]));
        assert_eq!([prunes(&known[..1], &[0.89]), prunes(&known[..1], &[0.91])], [false, true]);
        // Of seven a quarter is the best one, 0.1 or itself.
        let four = Pruning::SuccessiveHalving { minimum_steps: 1, reduction_factor: 4 };
        assert_eq!([0.55, 0.05].map(|own| four.prunes(&known, Direction::Minimize, &[own])), [true, false]);
        assert!(rule.prunes(&known, Direction::Maximize, &[0.65]), "of 0.9 0.8 0.7 and 0.65 three go on");
    }
}
