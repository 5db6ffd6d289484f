//! Parzen estimators: a density from points, by a kernel at each and one over the whole range (the prior).
//!
//! After Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (NIPS 2011), and Optuna
//! (`optuna.samplers._tpe.parzen_estimator`): numbers have Gaussian kernels cut off at the range's ends, of the number or
//! its logarithm; choices have the kernel's own choice with most of the weight and every other with an equal rest; a
//! density of several parameters is a mixture of products, one product a point, so that what goes together stays
//! together.
//!
//! Deviations of a single parameter's kernels reach to the farther neighbour, and are at least 1/(n + 2) of the range
//! (Bergstra's "magic clip"). Those of several follow Scott's rule, 0.1 n^(-1/(d+4)) of the range, and are at least
//! 1/(n + 2)^2 of it. Optuna 4 has 0.2 there, and the first bound, under which the few good points of a short search can't
//! say where they are: with three points a kernel is a fifth of the range wide. The narrower ones, the second bound after
//! Watanabe, "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components" (2023, section 3.3), came closer to
//! the minimum on all seven functions that were tried; neighbours' distances in several dimensions didn't before the
//! hundredth trial.

use super::dice::Dice;
use super::space::{Distribution, Scale};

/// No kernel is narrower than this share of the range.
const LEAST: f64 = 0.01;

/// The density of one or several parameters.
#[derive(Debug)]
pub(super) struct Parzen {
    /// `[kernels]`, sum 1; the last is the prior.
    weights: Vec<f64>,
    axes: Vec<Axis>,
}

/// The kernels of one parameter.
#[derive(Debug)]
enum Axis {
    Number {
        scale: Scale,
        /// `[kernels]`, places on the scale, and deviations there.
        centers: Vec<f64>,
        deviations: Vec<f64>,
        /// `[kernels]`, the share of each kernel that lies in the range.
        inside: Vec<f64>,
    },
    Choice {
        /// `[kernels][choices]`, each row sums to 1.
        shares: Vec<Vec<f64>>,
    },
}

impl Parzen {
    /// The density of points: `points [points][distributions]`, coordinates; `weights [points]`, not negative, 1 on average.
    pub(super) fn new(distributions: &[&Distribution], points: &[Vec<f64>], weights: Vec<f64>) -> Parzen {
        let mut weights = weights;
        // The prior counts as one average point.
        weights.push(1.0);
        let sum: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= sum);
        let joint = distributions.len() > 1;
        let axes = distributions.iter().enumerate().map(|(axis, distribution)| {
            let values = points.iter().map(|point| point[axis]);
            match (distribution.scale(), distribution) {
                (Some(scale), _) => {
                    let places: Vec<f64> = values.map(|value| scale.place(value)).collect();
                    Axis::number(scale, places, joint.then_some(distributions.len()))
                }
                (None, Distribution::Choice(choices)) => {
                    Axis::choice(choices.len(), values.map(|value| value as usize).collect())
                }
                (None, _) => Axis::choice(1, vec![0; points.len()]),
            }
        });
        Parzen { axes: axes.collect(), weights }
    }

    /// Coordinates drawn from the density.
    pub(super) fn draw(&self, dice: Dice) -> Vec<f64> {
        let kernel = pick(&self.weights, dice.uniform(0));
        let draw = |(axis, number): (&Axis, u64)| axis.draw(kernel, dice.of(number));
        self.axes.iter().zip(1..).map(draw).collect()
    }

    /// The logarithm of the density, up to a constant that depends on the distributions alone.
    pub(super) fn log_density(&self, coordinates: &[f64]) -> f64 {
        let kernels = self.weights.iter().enumerate().map(|(kernel, weight)| {
            let axes = self.axes.iter().zip(coordinates).map(|(axis, &x)| axis.log_density(kernel, x));
            libm::log(*weight) + axes.sum::<f64>()
        });
        let logs: Vec<f64> = kernels.collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        most + libm::log(logs.iter().map(|log| libm::exp(log - most)).sum::<f64>())
    }
}

impl Axis {
    fn number(scale: Scale, places: Vec<f64>, joint: Option<usize>) -> Axis {
        let (low, high) = scale.ends();
        let range = high - low;
        let count = places.len();
        // The share of the range that a point and the prior would have, each alone: none is much narrower.
        let alone = 1.0 / (count as f64 + 2.0);
        let (mut deviations, least) = match joint {
            Some(dims) => {
                let scott = libm::pow(count.max(1) as f64, -1.0 / (dims as f64 + 4.0));
                (vec![0.1 * scott * range; count], alone * alone)
            }
            None => (neighbours(&places, low, high), alone),
        };
        let least = range * least.max(LEAST);
        deviations.iter_mut().for_each(|deviation| *deviation = deviation.max(least));
        let mut centers = places;
        centers.push(low + range / 2.0);
        deviations.push(range);
        let inside = centers.iter().zip(&deviations).map(|(center, deviation)| mass(low, high, *center, *deviation));
        Axis::Number { scale, inside: inside.collect(), centers, deviations }
    }

    fn choice(choices: usize, points: Vec<usize>) -> Axis {
        // Each kernel spreads one prior point's weight over the choices and adds its own.
        let (kernels, choices) = (points.len() as f64 + 1.0, choices.max(1));
        let spread = 1.0 / kernels;
        let own = points.into_iter().map(Some).chain([None]);
        let shares = own.map(|own| {
            let sum = spread * choices as f64 + f64::from(own.is_some());
            (0..choices).map(|choice| (spread + f64::from(own == Some(choice))) / sum).collect()
        });
        Axis::Choice { shares: shares.collect() }
    }

    fn draw(&self, kernel: usize, dice: Dice) -> f64 {
        match self {
            Axis::Choice { shares } => pick(&shares[kernel], dice.uniform(0)) as f64,
            Axis::Number { scale, centers, deviations, .. } => {
                let (low, high) = scale.ends();
                // Centers lie in the range and no deviation is above it, so a third of the draws at least are inside.
                let places = (0..64).map(|i| centers[kernel] + deviations[kernel] * dice.normal(i));
                let inside = places.into_iter().find(|place| (low..=high).contains(place));
                scale.value(inside.unwrap_or(centers[kernel]))
            }
        }
    }

    fn log_density(&self, kernel: usize, coordinate: f64) -> f64 {
        match self {
            Axis::Choice { shares } => libm::log(shares[kernel].get(coordinate as usize).copied().unwrap_or(0.0)),
            Axis::Number { scale, centers, deviations, inside } => {
                let (center, deviation, inside) = (centers[kernel], deviations[kernel], inside[kernel]);
                match scale.step {
                    // The probability of the step.
                    Some(step) => {
                        let [from, to] = [-0.5, 0.5].map(|half| scale.place(coordinate + half * step));
                        libm::log(mass(from, to, center, deviation).max(f64::MIN_POSITIVE) / inside)
                    }
                    None => {
                        let z = (scale.place(coordinate) - center) / deviation;
                        -z * z / 2.0 - libm::log(deviation * inside)
                    }
                }
            }
        }
    }
}

/// For each place the distance to the farther of its neighbours, the prior's center among them; an outermost one has
/// only the inner neighbour (Optuna without `consider_endpoints`).
fn neighbours(places: &[f64], low: f64, high: f64) -> Vec<f64> {
    let mut order: Vec<(f64, Option<usize>)> = places.iter().copied().zip((0..).map(Some)).collect();
    order.push((low + (high - low) / 2.0, None));
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut deviations = vec![high - low; places.len()];
    for (i, (place, point)) in order.iter().enumerate() {
        let before = i.checked_sub(1).map(|i| place - order[i].0);
        let after = order.get(i + 1).map(|next| next.0 - place);
        if let (Some(point), Some(farther)) = (point, before.into_iter().chain(after).reduce(f64::max)) {
            deviations[*point] = farther;
        }
    }
    deviations
}

/// The index at which the running sum of shares passes `uniform`.
fn pick(shares: &[f64], uniform: f64) -> usize {
    let mut sum = 0.0;
    let passed = shares.iter().position(|share| {
        sum += share;
        uniform < sum
    });
    passed.unwrap_or(shares.len().saturating_sub(1))
}

/// The probability of a normal number between two places.
fn mass(from: f64, to: f64, center: f64, deviation: f64) -> f64 {
    below((to - center) / deviation) - below((from - center) / deviation)
}

/// The probability that a standard normal number is below `z`.
fn below(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_density_of_numbers_integrates_to_one() {
        let real = Distribution::Real { low: 1e-3, high: 10.0, step: None, log: true };
        let points: Vec<Vec<f64>> = [0.002, 0.5, 9.0, 0.5].iter().map(|&x| vec![x]).collect();
        let parzen = Parzen::new(&[&real], &points, vec![1.0; 4]);
        // Midpoints of the logarithm; the error of the rule is far below 1e-4 for kernels this wide.
        let (low, high, n) = (libm::log(1e-3), libm::log(10.0), 4000);
        let width = (high - low) / f64::from(n);
        let sum: f64 =
            (0..n).map(|i| libm::exp(parzen.log_density(&[libm::exp(low + (f64::from(i) + 0.5) * width)]))).sum();
        // A kernel's density leaves out the factor 1/sqrt(2 pi).
        let integral = sum * width / std::f64::consts::TAU.sqrt();
        assert!((integral - 1.0).abs() < 1e-4, "{integral}");
    }

    #[test]
    fn a_density_of_steps_and_choices_sums_to_one() {
        let whole = Distribution::Whole { low: 8, high: 64, step: 8, log: false };
        let choice = Distribution::Choice(vec![json!("a"), json!("b"), json!("c")]);
        let points = vec![vec![8.0, 0.0], vec![16.0, 0.0], vec![64.0, 2.0]];
        let parzen = Parzen::new(&[&whole, &choice], &points, vec![1.0; 3]);
        let all = (1..=8).flat_map(|step| (0..3).map(move |choice| [f64::from(step) * 8.0, f64::from(choice)]));
        let sum: f64 = all.map(|x| libm::exp(parzen.log_density(&x))).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        // What goes together stays together: 64 goes with c, 8 with a.
        let density = |x: [f64; 2]| parzen.log_density(&x);
        assert!(density([64.0, 2.0]) > density([64.0, 0.0]) && density([8.0, 0.0]) > density([8.0, 2.0]));
    }

    /// Of one point and the prior each kernel spreads 1/2 over every choice and adds 1 for its own, as Optuna's
    /// `_calculate_categorical_distributions`: 1.5, 0.5, 0.5 over 2.5, and thirds.
    #[test]
    fn a_choice_keeps_most_of_its_kernels_weight() {
        let choice = Distribution::Choice(vec![json!("a"), json!("b"), json!("c")]);
        let parzen = Parzen::new(&[&choice], &[vec![0.0]], vec![1.0]);
        for (x, share) in [(0.0, (0.6 + 1.0 / 3.0) / 2.0), (1.0, (0.2 + 1.0 / 3.0) / 2.0)] {
            let found = libm::exp(parzen.log_density(&[x]));
            assert!((found - share).abs() < 1e-12, "{x}: {found}, not {share}");
        }
    }

    #[test]
    fn draws_follow_the_density() {
        let whole = Distribution::Whole { low: 1, high: 100, step: 1, log: true };
        let parzen = Parzen::new(&[&whole], &[vec![3.0], vec![4.0], vec![40.0]], vec![1.0, 0.5, 1.5]);
        let (n, mut counts) = (20_000u32, [0u32; 101]);
        (0..n).for_each(|i| counts[parzen.draw(Dice::new(9, i))[0] as usize] += 1);
        for (x, &found) in counts.iter().enumerate().skip(1) {
            let share = libm::exp(parzen.log_density(&[x as f64]));
            let (expected, deviation) = (share * f64::from(n), (share * (1.0 - share) * f64::from(n)).sqrt());
            let found = f64::from(found);
            assert!((found - expected).abs() < 5.0 * deviation + 1.0, "{x}: {found} draws, expected {expected:.1}");
        }
    }

    #[test]
    fn a_kernel_reaches_to_the_farther_neighbour() {
        // Sorted with the center 5 of 0..10: 1, 2, 5, 9.
        assert_eq!(neighbours(&[9.0, 1.0, 2.0], 0.0, 10.0), [4.0, 1.0, 3.0]);
        assert_eq!(neighbours(&[], 0.0, 10.0), [0.0; 0]);
    }

    #[test]
    fn kernels_are_as_wide_as_the_rules_say() {
        let real = Distribution::Real { low: 0.0, high: 10.0, step: None, log: false };
        let widths = |dims: usize, count: usize| {
            let points: Vec<Vec<f64>> = (0..count).map(|i| vec![i as f64 * 1e-6; dims]).collect();
            let parzen = Parzen::new(&vec![&real; dims], &points, vec![1.0; count]);
            match &parzen.axes[0] {
                Axis::Number { deviations, .. } => (deviations[0], deviations[count]),
                Axis::Choice { .. } => unreachable!(),
            }
        };
        // Of several: a tenth of the range, and at 32 points in one dimension more than one, 32^(-1/6) = 0.5612 of that;
        // at one point at least a ninth of the range; the prior's is the range.
        let near = |a: (f64, f64), b: f64| assert!((a.0 - b).abs() < 1e-12 && a.1 == 10.0, "{a:?} {b}");
        near(widths(2, 32), 32f64.powf(-1.0 / 6.0));
        near(widths(2, 1), 10.0 / 9.0);
        // Alone: neighbours are a millionth away, so the bounds decide: 1/(8 + 2), and a hundredth.
        near(widths(1, 8), 1.0);
        near(widths(1, 200), 0.1);
    }

    #[test]
    fn a_point_of_more_weight_is_denser() {
        let real = Distribution::Real { low: 0.0, high: 10.0, step: None, log: false };
        let points = [vec![2.0], vec![8.0]];
        let ratio = |weights: [f64; 2]| {
            let parzen = Parzen::new(&[&real], &points, weights.to_vec());
            parzen.log_density(&[2.0]) - parzen.log_density(&[8.0])
        };
        // The prior is one of three kernels.
        assert_eq!(Parzen::new(&[&real], &points, vec![1.5, 0.5]).weights, [0.5, 0.5 / 3.0, 1.0 / 3.0]);
        assert!(ratio([1.0, 1.0]).abs() < 1e-12 && ratio([1.5, 0.5]) > 0.1 && ratio([0.0, 2.0]) < -0.5);
    }
}
