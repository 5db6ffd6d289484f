//! The trials before TPE knows anything: at random, or spread over the space.
//!
//! A Latin hypercube (McKay, Beckman and Conover, "A Comparison of Three Methods for Selecting Values of Input Variables",
//! Technometrics 21, 1979) cuts each parameter's range in as many parts as there are trials, and each part has one of them:
//! six random learning rates may all be too large, six spread ones can't. What a single trial is drawn from stays what it
//! was, the whole space.

use super::dice::Dice;
use crate::data::random::order;

/// How the trials at the start are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Startup {
    /// Each by itself.
    Random,
    /// Every so many trials as there are at the start are a Latin hypercube of their own, those that are refused among them.
    #[default]
    LatinHypercube,
}

impl Startup {
    /// All of them.
    pub const ALL: [Startup; 2] = [Startup::Random, Startup::LatinHypercube];

    /// The name in descriptions.
    pub const fn name(self) -> &'static str {
        match self {
            Startup::Random => "random",
            Startup::LatinHypercube => "latin_hypercube",
        }
    }

    /// The share of a parameter's range, in `[0, 1)`, at which trial `number` lies, one of `trials` at the start; `uniform`
    /// is its own random number.
    pub(super) fn share(self, seed: u64, (number, trials): (u32, u32), parameter: u64, uniform: f64) -> f64 {
        if self == Startup::Random || trials < 2 {
            return uniform;
        }
        let (round, within) = (number / trials, (number % trials) as usize);
        let parts = order(Dice::of_round(seed, round).of(parameter).seed(), trials as usize);
        let part = parts.get(within).map_or(0.0, |&part| part as f64);
        // The sum may round up to the end of the range.
        ((part + uniform) / f64::from(trials)).min(1.0 - f64::EPSILON)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_every_parameter_has_one_trial_a_round() {
        for (seed, trials) in [(0, 2), (7, 6), (8, 25)] {
            let mut orders = Vec::new();
            for round in 0..3 {
                for parameter in 0..4 {
                    let share = |i| {
                        let number = round * trials + i;
                        let uniform = Dice::new(seed, number).of(parameter).uniform(0);
                        Startup::LatinHypercube.share(seed, (number, trials), parameter, uniform)
                    };
                    let parts: Vec<u32> = (0..trials).map(|i| (share(i) * f64::from(trials)) as u32).collect();
                    let mut sorted = parts.clone();
                    sorted.sort_unstable();
                    assert_eq!(sorted, (0..trials).collect::<Vec<_>>(), "round {round}, parameter {parameter}");
                    orders.push(parts);
                }
            }
            // Parameters and rounds have orders of their own: of 25 numbers no two in twelve orders are alike.
            let alike = orders.iter().enumerate().any(|(i, a)| orders[..i].contains(a));
            assert!(!alike || trials < 25, "{orders:?}");
        }
    }

    /// A trial by itself is anywhere, with equal chance: its part and its place in the part are uniform.
    #[test]
    fn a_trial_by_itself_is_uniform() {
        let n = 4000;
        let shares = (0..n).map(|seed| Startup::LatinHypercube.share(seed, (2, 6), 1, Dice::new(seed, 2).uniform(0)));
        let shares: Vec<f64> = shares.collect();
        for tenth in 0..10 {
            let count = shares.iter().filter(|&&share| (share * 10.0) as u32 == tenth).count();
            // Five deviations of a binomial share 0.1 of 4000: 5 sqrt(4000 * 0.09) = 95.
            assert!(count.abs_diff(400) < 95, "{tenth}: {count}");
        }
    }

    #[test]
    fn random_ones_and_a_single_one_are_what_they_were() {
        assert_eq!(Startup::Random.share(1, (3, 6), 0, 0.375), 0.375);
        assert_eq!(Startup::LatinHypercube.share(1, (3, 1), 0, 0.375), 0.375);
        // The last number below 1 in the last part doesn't reach the end.
        let last = (0..6).map(|number| Startup::LatinHypercube.share(1, (number, 6), 0, 1.0 - f64::EPSILON / 2.0));
        assert!(last.fold(0.0, f64::max) < 1.0);
    }
}
