//! Layer norm and batch norm, one group of elements at a time: the whole sample, or one channel of it.

use super::real::Real;

/// A group: its elements and the parameters of each.
pub struct Group<'a, T> {
    /// Input.
    pub x: &'a [T],
    /// Mean, and one over the deviation.
    pub mean: T,
    /// One over the root of variance and epsilon.
    pub deviation: T,
}

/// Mean and biased variance.
pub fn statistics<T: Real>(x: &[T]) -> (T, T) {
    let n = T::of(x.len() as f64);
    let mean = x.iter().fold(T::zero(), |sum, &x| sum + x) / n;
    let variance = x.iter().fold(T::zero(), |sum, &x| sum + (x - mean) * (x - mean)) / n;
    (mean, variance)
}

impl<'a, T: Real> Group<'a, T> {
    /// A group normalised with these statistics.
    pub fn new(x: &'a [T], (mean, variance): (T, T), epsilon: f32) -> Group<'a, T> {
        Group { x, mean, deviation: T::one() / (variance + T::of(epsilon.into())).sqrt() }
    }

    /// `x̂`, the normalised element.
    pub fn normal(&self, i: usize) -> T {
        (self.x[i] - self.mean) * self.deviation
    }

    /// The output.
    pub fn forward(&self, w: impl Fn(usize) -> T, b: impl Fn(usize) -> T) -> Vec<T> {
        (0..self.x.len()).map(|i| self.normal(i) * w(i) + b(i)).collect()
    }

    /// The error of layer norm, where every element has a weight of its own.
    pub fn layer_error(&self, dy: &[T], w: &[T]) -> Vec<T> {
        let n = T::of(self.x.len() as f64);
        let mut sums = [T::zero(); 2];
        for i in 0..dy.len() {
            let g = dy[i] * w[i];
            sums = [sums[0] + g, sums[1] + g * self.normal(i)];
        }
        let [mean_g, mean_gx] = sums.map(|sum| sum / n);
        (0..dy.len())
            .map(|i| self.deviation * (dy[i] * w[i] - mean_g - (self.x[i] - self.mean) * self.deviation * mean_gx))
            .collect()
    }

    /// The error of batch norm in one channel with its own statistics.
    pub fn batch_error(&self, dy: &[T], weight: T) -> Vec<T> {
        let n = T::of(self.x.len() as f64);
        let mut sums = [T::zero(); 2];
        for (i, &dy) in dy.iter().enumerate() {
            sums = [sums[0] + dy, sums[1] + dy * self.normal(i)];
        }
        let [mean_g, mean_gx] = sums.map(|sum| sum / n);
        (0..dy.len())
            .map(|i| weight * self.deviation * (dy[i] - mean_g - (self.x[i] - self.mean) * self.deviation * mean_gx))
            .collect()
    }
}
