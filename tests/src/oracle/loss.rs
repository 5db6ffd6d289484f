//! Losses of real numbers: the value, and the gradient to the output.

use emberlite::loss::Loss;

use super::generate::Goal;
use super::real::Real;

/// The loss of output `x`, and its gradient divided by `batch`.
pub fn loss<T: Real>(loss: &Loss, x: &[T], goal: &Goal<T>, batch: u32) -> (T, Vec<T>) {
    let scale = T::one() / T::of(batch.into());
    match goal {
        Goal::Class(label) => cross_entropy(x, *label as usize, scale),
        Goal::Values(t) => {
            let share = T::one() / T::of(x.len() as f64);
            let (mut sum, mut dy) = (T::zero(), Vec::new());
            for (&x, &t) in x.iter().zip(t) {
                let (value, slope) = of_element(loss, x, t);
                sum = sum + value;
                dy.push(slope * share * scale);
            }
            (sum / T::of(x.len() as f64), dy)
        }
    }
}

fn cross_entropy<T: Real>(x: &[T], label: usize, scale: T) -> (T, Vec<T>) {
    let max = x.iter().fold(x[0], |max, &x| if x > max { x } else { max });
    let exponentials: Vec<T> = x.iter().map(|&x| (x - max).exp()).collect();
    let sum = exponentials.iter().fold(T::zero(), |sum, &e| sum + e);
    let share = T::one() / sum;
    let slope = |(i, &e): (usize, &T)| (if i == label { e * share - T::one() } else { e * share }) * scale;
    (sum.ln() - (x[label] - max), exponentials.iter().enumerate().map(slope).collect())
}

fn of_element<T: Real>(loss: &Loss, x: T, t: T) -> (T, T) {
    let d = x - t;
    match *loss {
        Loss::BinaryCrossEntropy => {
            let positive = if x < T::zero() { T::zero() } else { x };
            (positive - x * t + (-x.abs()).exp().ln_1p(), x.sigmoid() - t)
        }
        Loss::MeanSquaredError => (d * d, T::of(2.0) * d),
        Loss::Huber { delta } => {
            let (delta, half) = (T::of(delta.into()), T::of(0.5));
            if d.abs() < delta {
                (half * d * d, d)
            } else {
                (delta * (d.abs() - half * delta), if d < T::zero() { -delta } else { delta })
            }
        }
        Loss::SoftmaxCrossEntropy => unreachable!("cross-entropy has a class, the generator gives it one"),
    }
}
