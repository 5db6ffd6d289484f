//! The oracle itself: its gradients against differences of its loss, in f64.

use emberlite::number::{Format, random::Key};
use emberlite_tests::oracle::{Goal, Network};
use proptest::prelude::*;

use crate::{case, config, decisions};

proptest! {
    #![proptest_config(config(2000))]
    /// Along a random direction d the loss L changes by `g·d`. The central difference over `±h` is off by `h² L'''/6`,
    /// and by `2e-16 L / h` from rounding. Neither is known beforehand, so two distances say how far they are to be
    /// trusted: with h and h/4 the first error falls to a 16th. Where a rectifier switches or a maximum moves between the
    /// two points the differences themselves disagree, and that case says nothing.
    #[test]
    fn gradients_of_the_oracle_are_those_of_its_loss(decisions in decisions()) {
        let case = case(&decisions, Format::F32);
        let sample = case.sample(9, 0);
        let input: Vec<f64> = sample.input.iter().map(|&x| x.into()).collect();
        let goal: Goal<f64> = sample.goal.map(|&t| t.into());
        let network = Network::<f64>::new(case.graph(), &case.training, &case.numbers(7));
        let (loss, gradients) = network.gradients(&input, &goal);
        let direction = |i: usize, k: usize, j: usize| {
            f64::from(Key::new(3, i as u32, k as u32).uniform(j as u32)) * 2.0 - 1.0
        };
        let mut slope = 0.0;
        let mut size = 0.0;
        for (i, pair) in gradients.iter().enumerate() {
            for (k, gradient) in pair.iter().enumerate() {
                for (j, g) in gradient.iter().enumerate() {
                    slope += g * direction(i, k, j);
                    size += g.abs();
                }
            }
        }
        let loss_at = |h: f64| {
            let mut network = network.clone();
            for (i, pair) in gradients.iter().enumerate() {
                for (k, gradient) in pair.iter().enumerate() {
                    for j in 0..gradient.len() {
                        network.parameters[i][k][j] += h * direction(i, k, j);
                    }
                }
            }
            network.gradients(&input, &goal).0
        };
        let difference = |h: f64| (loss_at(h) - loss_at(-h)) / (2.0 * h);
        let (wide, near) = (difference(4e-5), difference(1e-5));
        let rounding = 4e-16 * (1.0 + loss.abs()) / 1e-5 * 100.0;
        let spread = (wide - near).abs();
        // 1/15 of the spread is the error of `near` where the differences converge; 1/3 is allowed.
        prop_assume!(spread <= 1e-4 * (size + 1e-3) + rounding);
        let bound = spread / 3.0 + 1e-9 * size + rounding;
        prop_assert!((near - slope).abs() <= bound, "{near} and {wide}, not {slope} (±{bound:e})\n{case:#?}");
    }
}
