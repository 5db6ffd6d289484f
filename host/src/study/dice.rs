//! Random numbers of a trial: functions of the search's seed, the trial, the parameter and a counter.

use crate::data::random::{self, hash};

/// The random numbers of one trial.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64, trial: u32) -> Dice {
        Dice(hash(hash(seed, 0x5ea2c4), trial.into()))
    }

    /// Those of a round of trials together; no trial has them.
    pub(super) fn of_round(seed: u64, round: u32) -> Dice {
        Dice(hash(hash(seed, 0x1a71), round.into()))
    }

    /// A seed for what draws by itself.
    pub(super) fn seed(self) -> u64 {
        self.0
    }

    /// Those of one use, such as a parameter.
    pub(super) fn of(self, use_: u64) -> Dice {
        Dice(hash(self.0, use_))
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub(super) fn uniform(self, counter: u64) -> f64 {
        random::uniform(hash(self.0, counter))
    }

    /// Normal with mean 0 and deviation 1, from two uniform numbers.
    pub(super) fn normal(self, counter: u64) -> f64 {
        random::normal(self.uniform(2 * counter), self.uniform(2 * counter + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_those_of_the_distributions() {
        let dice = Dice::new(1, 2).of(3);
        let n = 20_000;
        let mean = |f: &dyn Fn(u64) -> f64| (0..n).map(f).sum::<f64>() / n as f64;
        // Uniform: mean 1/2, deviation of the mean 0.289/141 = 0.002; variance 1/12, its deviation 0.0745/141 = 0.0005.
        // Normal: 1/141 = 0.007 and sqrt(2)/141 = 0.01. Five of each.
        assert!((mean(&|i| dice.uniform(i)) - 0.5).abs() < 0.011);
        assert!((mean(&|i| (dice.uniform(i) - 0.5).powi(2)) - 1.0 / 12.0).abs() < 0.003);
        assert!(mean(&|i| dice.normal(i)).abs() < 0.036);
        assert!((mean(&|i| dice.normal(i).powi(2)) - 1.0).abs() < 0.05);
        // Beyond 1.96: 5 %, deviation 0.22/141 = 0.0015.
        assert!((mean(&|i| f64::from(dice.normal(i).abs() > 1.96)) - 0.05).abs() < 0.008);
    }

    #[test]
    fn trials_parameters_and_seeds_have_their_own() {
        let all = [Dice::new(1, 2).of(3), Dice::new(1, 2).of(4), Dice::new(1, 3).of(3), Dice::new(2, 2).of(3)];
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| (0..8).all(|counter| a.uniform(counter) != b.uniform(counter))));
        }
    }
}
