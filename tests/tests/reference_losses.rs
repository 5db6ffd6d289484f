//! Every loss and its gradient, against PyTorch's float64 truth and against its own slope.
//!
//! Bounds are first-order error analysis with u = 2^-24; counts of roundings are rounded up for the second order. One
//! call of expf, logf or log1pf is off by less than one unit in the last place, at most 2u.

use emberlite::loss::{Loss, LossSet, Target};
use emberlite::number::F32;
use emberlite_tests::reference::{Case, TINY, UNIT, Vectors, Verdict};

/// Units of one call of an elementary function.
const CALL: f64 = 2.0;

/// A case made ready: the loss, its output and its target.
struct Sample {
    loss: Loss,
    x: Vec<f32>,
    label: u16,
    target: Vec<f32>,
}

impl Sample {
    fn of(case: Case<'_>) -> Sample {
        let loss = match case.text("loss") {
            "softmax_cross_entropy" => Loss::SoftmaxCrossEntropy,
            "bce_with_logits" => Loss::BinaryCrossEntropy,
            "mse" => Loss::MeanSquaredError,
            "huber" => Loss::Huber { delta: case.number("delta") },
            other => panic!("{}: no loss {other} here", case.name()),
        };
        let classes = loss.takes_class();
        let label = if classes { case.f64("label")[0] as u16 } else { 0 };
        let target = if classes { Vec::new() } else { case.f32("target") };
        Sample { loss, x: case.f32("logits"), label, target }
    }

    fn target(&self) -> Target<'_, F32> {
        if self.loss.takes_class() { Target::Class(self.label) } else { Target::Values(&self.target) }
    }

    fn value(&self, x: &[f32]) -> f32 {
        self.loss.value::<F32>(LossSet::NONE.with(&self.loss), x, self.target(), 0)
    }

    /// The loss and its gradient.
    fn backward(&self, batch: u32) -> (f32, Vec<f32>) {
        let mut dy = vec![f32::NAN; self.x.len()];
        let (loss, _) = self.loss.backward::<F32>(LossSet::ALL, &self.x, self.target(), 0, batch, &mut dy);
        (loss, dy)
    }

    /// Bounds on the loss at `x` and on each element of its gradient there.
    fn bounds(&self, x: &[f64]) -> (f64, Vec<f64>) {
        let target: Vec<f64> = self.target.iter().map(|&t| f64::from(t)).collect();
        match self.loss {
            Loss::SoftmaxCrossEntropy => softmax(x, usize::from(self.label)),
            Loss::BinaryCrossEntropy => mean(x, &target, |x, t| {
                // max(x, 0) - x t + ln_1p(e), e = exp(-|x|): e's error passes ln_1p at most as it is and e <= 2
                // ln_1p(e); then ln_1p's own, the product and two sums.
                let e = (-x.abs()).exp();
                let size = (2.0 * CALL + CALL + 3.0) * (x.abs() + (x * t).abs() + e.ln_1p());
                // The sigmoid: exp, sum, quotient; then the difference and two products.
                let sigmoid = 1.0 / (1.0 + (-x).exp());
                (size, (CALL + 3.0) * sigmoid + 4.0 * (sigmoid - t).abs())
            }),
            // The difference counts twice in its square, which is rounded; the slope is rounded four times.
            Loss::MeanSquaredError => mean(x, &target, |x, t| (4.0 * (x - t) * (x - t), 4.0 * 2.0 * (x - t).abs())),
            Loss::Huber { delta } => mean(x, &target, |x, t| {
                let (d, delta) = ((x - t).abs(), f64::from(delta));
                (4.0 * if d < delta { d * d } else { delta * d }, 4.0 * d.min(delta))
            }),
        }
    }
}

/// Every term's exponent is rounded relative to its size, its exponential by one call; the sum adds n, the logarithm
/// turns the sum's relative error into an absolute one.
fn softmax(x: &[f64], label: usize) -> (f64, Vec<f64>) {
    let max = x.iter().fold(f64::NEG_INFINITY, |max, &x| max.max(x));
    let d: Vec<f64> = x.iter().map(|x| max - x).collect();
    let sum: f64 = d.iter().map(|d| (-d).exp()).sum();
    let p: Vec<f64> = d.iter().map(|d| (-d).exp() / sum).collect();
    let spread: f64 = p.iter().zip(&d).map(|(p, d)| p * (d + CALL)).sum::<f64>() + x.len() as f64;
    let loss = spread + (CALL + 1.0) * sum.ln() + 2.0 * d[label];
    // The exponential, the quotient's two roundings and the sum's error; minus one; times one over the batch, two
    // roundings.
    let slope = |(i, (p, d)): (usize, (&f64, &f64))| {
        p * (d + CALL + 3.0 + spread) + 3.0 * if i == label { 1.0 - p } else { *p }
    };
    let dy = p.iter().zip(&d).enumerate().map(slope).map(|units| units * UNIT + TINY).collect();
    (loss * UNIT + TINY, dy)
}

/// The mean of terms whose value and slope are off by the units that `each` gives; the sum adds n + 1 roundings of
/// sizes that those units are multiples of.
fn mean(x: &[f64], t: &[f64], each: impl Fn(f64, f64) -> (f64, f64)) -> (f64, Vec<f64>) {
    let n = x.len() as f64;
    let units: Vec<_> = x.iter().zip(t).map(|(&x, &t)| each(x, t)).collect();
    let loss = units.iter().map(|(value, _)| value * (n + 2.0)).sum::<f64>() / n;
    (loss * UNIT + TINY, units.iter().map(|(_, slope)| slope / n * UNIT + TINY).collect())
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

#[test]
fn losses_and_gradients_are_the_truth_within_rounding() {
    let (vectors, mut verdict) = (Vectors::open("losses"), Verdict::default());
    for case in vectors.cases() {
        let sample = Sample::of(case);
        let (loss, dy) = sample.backward(1);
        let (loss_bound, dy_bound) = sample.bounds(&wide(&sample.x));
        let truth = case.truth("loss");
        verdict.compare(
            &format!("{} loss", case.name()),
            &[loss, sample.value(&sample.x)],
            &[truth[0]; 2],
            &[loss_bound; 2],
        );
        verdict.compare(&format!("{} gradient", case.name()), &dy, case.truth("dlogits"), &dy_bound);
        // The same bounds hold torch's float32 and refuse a mistake of 1 in 1000.
        verdict.compare(&format!("torch's {} loss", case.name()), &case.f32("loss"), truth, &[loss_bound]);
        verdict.compare(
            &format!("torch's {} gradient", case.name()),
            &case.f32("dlogits"),
            case.truth("dlogits"),
            &dy_bound,
        );
        let largest = dy.iter().fold(0.0f32, |largest, dy| largest.max(dy.abs()));
        let mut mistake = Verdict::default();
        mistake.compare(
            "",
            &dy.iter().map(|dy| dy + 1e-3 * largest).collect::<Vec<_>>(),
            case.truth("dlogits"),
            &dy_bound,
        );
        assert!(mistake.failures() == 1 || largest == 0.0, "{}: a wrong gradient passes", case.name());
    }
    verdict.close(700);
}

/// The gradient of a mini-batch's mean: divided by a power of two it keeps its bits, by another number it is rounded
/// twice more.
#[test]
fn gradients_are_divided_by_the_batch() {
    let (vectors, mut verdict) = (Vectors::open("losses"), Verdict::default());
    for case in vectors.cases() {
        let sample = Sample::of(case);
        let [(loss, one), (same, four), (_, three)] = [1, 4, 3].map(|batch| sample.backward(batch));
        assert_eq!(loss, same, "{}: the loss itself isn't divided", case.name());
        for ((one, four), three) in one.iter().zip(&four).zip(&three) {
            let truth = f64::from(*one) / 4.0;
            verdict.compare(case.name(), &[*four], &[truth], &[TINY]);
            let truth = f64::from(*one) / 3.0;
            verdict.compare(case.name(), &[*three], &[truth], &[3.0 * UNIT * truth.abs() + TINY]);
        }
    }
    verdict.close(500);
}

/// D(h) = (L(x + h) - L(x - h)) / (x⁺ - x⁻) lies within truncation and rounding of the gradient. Where L is smooth
/// truncation is c h² and D(2h) - D(h) three times that; where only its slope is continuous (Huber's seam) it is c h
/// and the difference as much. Rounding is the loss's own bound over h, half as much again for what it may hide of the
/// truncation, and twice all that because the argument moves.
#[test]
fn gradients_are_the_slope_of_the_loss() {
    const H: f32 = 1.0 / 32.0;
    let (vectors, mut compared) = (Vectors::open("losses"), 0);
    for case in vectors.cases() {
        let sample = Sample::of(case);
        let (loss_bound, dy_bound) = sample.bounds(&wide(&sample.x));
        for (index, &dy) in sample.backward(1).1.iter().enumerate() {
            let slope = |h: f32| {
                let at = |step: f32| {
                    let mut x = sample.x.clone();
                    x[index] += step;
                    (f64::from(x[index]), f64::from(sample.value(&x)))
                };
                let ((right, above), (left, below)) = (at(h), at(-h));
                (above - below) / (right - left)
            };
            let (once, twice) = (slope(H), slope(2.0 * H));
            let allowed = (twice - once).abs() + 3.0 * loss_bound / f64::from(H) + dy_bound[index];
            let off = (once - f64::from(dy)).abs();
            assert!(
                off <= allowed,
                "{}[{index}]: {dy}, the slope is {once}, off by {off:.2e} of {allowed:.2e}",
                case.name()
            );
            compared += 1;
        }
    }
    assert!(compared > 300, "only {compared} compared");
}
