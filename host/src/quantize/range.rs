//! How many fraction bits a tensor gets.

use serde::{Deserialize, Serialize};

/// Smallest binary exponent that is told apart; below 2^-40 nothing matters to 16 bits.
const LEAST: i32 = -40;
/// Largest; f32 ends at 2^128.
const MOST: i32 = 128;

/// What counts as the range of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Range {
    /// The largest magnitude seen: nothing that was seen saturates.
    Largest,
    /// All but this share of the magnitudes; the rest may saturate. Worth a bit where tails are long.
    AllBut(f64),
}

/// A histogram of binary exponents; all that power-of-two scales need to know, in 1.4 KB whatever the number of samples.
#[derive(Clone, Debug)]
pub(super) struct Magnitudes {
    /// `counts[k]` counts magnitudes in `(2^(LEAST + k - 1), 2^(LEAST + k)]`; zeros stay out.
    counts: [u64; (MOST - LEAST + 1) as usize],
}

impl Default for Magnitudes {
    fn default() -> Self {
        Self { counts: [0; (MOST - LEAST + 1) as usize] }
    }
}

impl Magnitudes {
    /// Adds one number's magnitude.
    pub(super) fn add(&mut self, x: f32) {
        let x = x.abs();
        if x > 0.0 {
            self.counts[(exponent(x).clamp(LEAST, MOST) - LEAST) as usize] += 1;
        }
    }

    /// The smallest `k` such that the range is within `±2^k`; none if nothing but zeros was added.
    ///
    /// Zeros don't count as a part of the whole: behind a ReLU they are most of it.
    pub(super) fn bound(&self, range: Range) -> Option<i32> {
        let total: u64 = self.counts.iter().sum();
        let spared = match range {
            Range::Largest => 0,
            Range::AllBut(share) => (total as f64 * share) as u64,
        };
        let mut above = 0;
        let top = self.counts.iter().rposition(|&count| {
            above += count;
            above > spared
        })?;
        Some(LEAST + top as i32)
    }
}

/// The smallest `k` with `x <= 2^k`, for a positive `x`; subnormals count as the smallest normal number.
fn exponent(x: f32) -> i32 {
    let bits = x.max(f32::MIN_POSITIVE).to_bits();
    (bits >> 23) as i32 - 127 + i32::from(bits & 0x7f_ffff != 0)
}

/// Fraction bits that give values within `±2^bound` all of 15 bits but `headroom`.
pub(super) fn fraction_bits(bound: i32, headroom: i32) -> i32 {
    15 - bound - headroom
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_the_next_power_of_two() {
        for (x, expected) in [(1.0, 0), (1.0001, 1), (0.75, 0), (0.5, -1), (2.0, 1), (3.0, 2), (f32::MAX, 128)] {
            assert_eq!(exponent(x), expected, "{x}");
        }
        assert_eq!(exponent(1e-45), -126);
    }

    #[test]
    fn a_share_may_be_left_out() {
        let mut seen = Magnitudes::default();
        assert_eq!(seen.bound(Range::Largest), None);
        (0..999).for_each(|_| seen.add(0.9));
        seen.add(-100.0);
        (0..5000).for_each(|_| seen.add(0.0));
        assert_eq!(seen.bound(Range::Largest), Some(7));
        assert_eq!(seen.bound(Range::AllBut(0.001)), Some(0));
        assert_eq!(seen.bound(Range::AllBut(0.0009)), Some(7));
        // ±1 in 16 bits: 15 fraction bits; one bit of headroom leaves 14.
        assert_eq!((fraction_bits(0, 0), fraction_bits(0, 1), fraction_bits(7, 0)), (15, 14, 8));
    }
}
