//! Random numbers of one sample in one epoch, for one step: a counter, not a stream (see [`random`](crate::data::random)).
//! Logarithms and powers are `libm`'s, so that every machine draws the same.
//!
//! How many numbers a step takes isn't known in advance (a gamma number is drawn until one is accepted), so these count
//! themselves; a trial's of a search are asked for by their number (`study::dice`). What a number is made of is the same.

use crate::data::random::{self, hash};

/// Draws that depend on nothing but what it was made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dice {
    state: u64,
    next: u64,
}

impl Dice {
    /// Of a seed, an epoch, a sample and the number of a step.
    pub(super) fn new(seed: u64, epoch: u32, sample: usize, step: u64) -> Self {
        Self { state: hash(hash(hash(seed, epoch.into()), sample as u64), step), next: 0 }
    }

    fn bits(&mut self) -> u64 {
        self.next += 1;
        hash(self.state, self.next)
    }

    /// 0 to below 1, in steps of 2^-53.
    pub(super) fn uniform(&mut self) -> f64 {
        random::uniform(self.bits())
    }

    /// `from` to below `to`.
    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.uniform()
    }

    /// 0 to below `count`, which is at least 1; the bias is below `count / 2^64`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        ((u128::from(self.bits()) * count as u128) >> 64) as usize
    }

    /// Mean 0 and deviation 1.
    pub(super) fn normal(&mut self) -> f64 {
        random::normal(self.uniform(), self.uniform())
    }

    /// The gamma distribution of that shape (Marsaglia and Tsang, 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let below = 1.0 - self.uniform();
            return self.gamma(shape + 1.0) * libm::pow(below, 1.0 / shape);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            // Accepted in more than 95 of 100 draws.
            if v > 0.0 && libm::log(1.0 - self.uniform()) < 0.5 * x * x + d - d * v + d * libm::log(v) {
                return d * v;
            }
        }
    }

    /// The beta distribution of two equal shapes.
    pub(super) fn beta(&mut self, shape: f64) -> f64 {
        let (a, b) = (self.gamma(shape), self.gamma(shape));
        // Both are 0 only where tiny shapes underflow: one or the other end then.
        if a + b > 0.0 { a / (a + b) } else { f64::from(u8::from(self.uniform() < 0.5)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 20_000;

    /// Mean and variance of draws with fresh counters.
    fn moments(draw: impl Fn(&mut Dice) -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..DRAWS).map(|sample| draw(&mut Dice::new(3, 1, sample, 0))).collect();
        let mean = values.iter().sum::<f64>() / DRAWS as f64;
        (mean, values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / DRAWS as f64)
    }

    /// Within five standard errors, `5 sqrt(variance / draws)`, and the like for variances.
    #[test]
    fn moments_are_those_of_the_distributions() {
        let near = |(mean, variance): (f64, f64), expected: (f64, f64)| {
            let bound = 5.0 * (expected.1 / DRAWS as f64).sqrt();
            assert!((mean - expected.0).abs() < bound, "mean {mean}, not {}", expected.0);
            // Fourth moments up to three times the variance squared.
            let bound = 5.0 * expected.1 * (3.0 / DRAWS as f64).sqrt();
            assert!((variance - expected.1).abs() < bound, "variance {variance}, not {}", expected.1);
        };
        near(moments(Dice::uniform), (0.5, 1.0 / 12.0));
        near(moments(Dice::normal), (0.0, 1.0));
        // Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)).
        for shape in [0.2, 1.0, 4.0] {
            near(moments(|dice| dice.beta(shape)), (0.5, 1.0 / (4.0 * (2.0 * shape + 1.0))));
        }
        near(moments(|dice| dice.below(3) as f64), (1.0, 2.0 / 3.0));
    }

    #[test]
    fn every_part_of_the_counter_counts() {
        let first = |seed, epoch, sample, step| Dice::new(seed, epoch, sample, step).uniform();
        let base = first(1, 1, 1, 1);
        assert_eq!(base, first(1, 1, 1, 1));
        for other in [first(2, 1, 1, 1), first(1, 2, 1, 1), first(1, 1, 2, 1), first(1, 1, 1, 2)] {
            assert_ne!(base, other);
        }
    }
}
