//! `layer_norm` and `batch_norm`, f32 only.

use super::{Backward, Bounded, Facts, Forward, Keep, OpError, ParameterGradient};
use crate::math;
use crate::number::Number;
use crate::shape::Shape;

/// Gradient elements that are handed to the sink at a time.
const CHUNK: usize = 16;

/// Normalises the whole sample: `y = (x - mean) / sqrt(var + epsilon) * weight + bias`, with weight and bias of the
/// sample's shape, as PyTorch's `LayerNorm(shape)`. Keeps its input and two words.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LayerNorm {
    /// Added to the variance; PyTorch's default is 1e-5.
    pub epsilon: f32,
}

/// Normalises each channel over its positions: `y = (x - mean) / sqrt(var + epsilon) * weight + bias`.
///
/// In training the statistics are those of the one sample at hand (PyTorch's at batch 1; a mini-batch is a sum of
/// gradients, so its samples are normalised one by one), and the running statistics move by `momentum` for every sample,
/// with the unbiased variance, once the step is accepted. In prediction, and in training where the node is frozen, the running statistics are used.
/// Keeps its input and three words per channel.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct BatchNorm {
    /// Added to the variance; PyTorch's default is 1e-5.
    pub epsilon: f32,
    /// How far the running statistics move to a sample's; PyTorch's default is 0.1.
    pub momentum: f32,
}

/// Mean and biased variance, each summed in ascending order.
fn statistics(x: &[f32]) -> (f32, f32) {
    let n = x.len().max(1) as f32;
    let mean = x.iter().fold(0.0, |sum, &x| sum + x) / n;
    let variance = x.iter().fold(0.0, |sum, &x| sum + (x - mean) * (x - mean)) / n;
    (mean, variance)
}

const fn check_epsilon(epsilon: f32) -> Result<(), OpError> {
    if epsilon > 0.0 && epsilon < 1.0 { Ok(()) } else { Err(OpError::Attribute("epsilon must be in (0, 1)")) }
}

/// A sample's shape as the dimensions of a parameter.
pub(super) fn sample_dims(input: Shape) -> ([u32; 4], usize) {
    let mut dims = [1; 4];
    for (to, &from) in dims.iter_mut().zip(input.dims()) {
        *to = u32::from(from);
    }
    (dims, input.rank() as usize)
}

/// How much the error grows in a norm of `n` elements: `|x̂|` is at most `sqrt(n)`, the deviation at least `sqrt(ε)`.
fn gain(weight: f32, n: f32, epsilon: f32) -> f32 {
    weight * (2.0 + math::sqrt(n)) / math::sqrt(epsilon) * math::SQRT_EXCESS
}

/// The bound on a sum of `dy x̂` over the positions of a channel, in a norm of `n` elements.
fn gradient_bound(positions: u32, error: f32, n: f32) -> f32 {
    positions as f32 * error * math::sqrt(n)
}

impl LayerNorm {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if let Err(e) = check_epsilon(self.epsilon) {
            return Err(e);
        }
        let mut facts = Facts::plain(x);
        facts.parameters = [x.elements(), x.elements(), 0, 0];
        facts.keep = Keep { input_for_parameters: true, input_for_error: true, words: 2, ..Keep::NOTHING };
        facts.scratch_gradient = CHUNK as u32;
        Ok(facts)
    }

    pub(super) fn gain<N: Number>(&self, at: &Bounded<'_, N>) -> f32 {
        match at.saved {
            // A deviation of 0 comes from a variance beyond f32, so one that isn't finite shows here.
            &[mean, deviation] if f32::from_bits(mean).is_finite() && f32::from_bits(deviation) > 0.0 => {
                gain(at.weight, at.output.elements() as f32, self.epsilon)
            }
            _ => f32::INFINITY,
        }
    }

    pub(super) fn gradient_bound<N: Number>(&self, at: &Bounded<'_, N>, error: f32) -> f32 {
        gradient_bound(at.output.positions(), error, at.output.elements() as f32)
    }

    pub(super) fn forward<N: Number>(&self, io: Forward<'_, N>) {
        let p = io.parameters;
        let (Some(x), Some(y)) = (N::floats(io.x), N::floats_mut(io.y)) else { return };
        let (Some(w), Some(b)) = (N::floats(p.weight), N::floats(p.bias)) else { return };
        let (mean, variance) = statistics(x);
        // 0 where the variance is beyond f32, whatever the root makes of that: `gain` looks for it.
        let deviation = if variance < f32::INFINITY { 1.0 / math::sqrt(variance + self.epsilon) } else { 0.0 };
        for (((y, &x), &w), &b) in y.iter_mut().zip(x).zip(w).zip(b) {
            *y = (x - mean) * deviation * w + b;
        }
        for (saved, value) in io.saved.iter_mut().zip([mean, deviation]) {
            *saved = value.to_bits();
        }
    }

    /// `dx = d * (g - mean(g) - x̂ mean(g x̂))` with `g = dy * weight`, `x̂ = (x - mean) * d`, `d = 1/sqrt(var + ε)`.
    pub(super) fn backward_input<N: Number>(&self, io: Backward<'_, N>) {
        let [mean, deviation] = saved(io.saved);
        let (Some(x), Some(dy)) = (N::floats(io.x), N::floats(io.dy)) else { return };
        let (Some(w), Some(dx)) = (N::floats(io.parameters.weight), N::floats_mut(io.dx)) else { return };
        let n = x.len().max(1) as f32;
        let (mut sum_g, mut sum_gx) = (0.0, 0.0);
        for ((&x, &dy), &w) in x.iter().zip(dy).zip(w) {
            let g = dy * w;
            sum_g += g;
            sum_gx += g * ((x - mean) * deviation);
        }
        let (mean_g, mean_gx) = (sum_g / n, sum_gx / n);
        for (((dx, &x), &dy), &w) in dx.iter_mut().zip(x).zip(dy).zip(w) {
            let new = deviation * (dy * w - mean_g - (x - mean) * deviation * mean_gx);
            *dx = if io.accumulate { *dx + new } else { new };
        }
    }

    /// `dweight = dy x̂`, `dbias = dy`.
    pub(super) fn backward_parameters<N: Number, S: ParameterGradient<N>>(&self, io: Backward<'_, N>, sink: &mut S) {
        let [mean, deviation] = saved(io.saved);
        let scratch = crate::number::view_gradients_mut::<N>(io.scratch);
        let (Some(x), Some(dy)) = (N::floats(io.x), N::floats(io.dy)) else { return };
        if sink.wants(0) {
            for (chunk, (x, dy)) in x.chunks(CHUNK).zip(dy.chunks(CHUNK)).enumerate() {
                let Some(row) = scratch.get_mut(..x.len()) else { return };
                if let Some(row) = N::gradient_floats_mut(row) {
                    for ((g, &x), &dy) in row.iter_mut().zip(x).zip(dy) {
                        *g = dy * ((x - mean) * deviation);
                    }
                }
                sink.row(0, chunk * CHUNK, row);
            }
        }
        if sink.wants(1) {
            sink.value_row(1, 0, io.dy, 0);
        }
    }
}

fn saved(words: &[u32]) -> [f32; 2] {
    match words {
        [mean, deviation, ..] => [f32::from_bits(*mean), f32::from_bits(*deviation)],
        _ => [0.0; 2],
    }
}

/// Mean and inverse deviation of one channel, from the sample or from the running statistics.
fn of_channel(epsilon: f32, saved: &[u32], running: [&[f32]; 2], training: bool, c: usize) -> [f32; 2] {
    if training {
        return self::saved(saved.get(3 * c..).unwrap_or_default());
    }
    let [mean, variance] = running.map(|r| r.get(c).copied().unwrap_or_default());
    [mean, 1.0 / math::sqrt(variance + epsilon)]
}

impl BatchNorm {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if let Err(e) = check_epsilon(self.epsilon) {
            return Err(e);
        }
        if !(self.momentum > 0.0 && self.momentum <= 1.0) {
            return Err(OpError::Attribute("momentum must be in (0, 1]"));
        }
        let channels = x.planes().0 as u32;
        let mut facts = Facts::plain(x);
        facts.parameters = [channels; 4];
        facts.keep = Keep {
            input_for_parameters: true,
            input_for_error: true,
            words: 3 * channels,
            words_until_end: true,
            only_if_trained: true,
            ..Keep::NOTHING
        };
        Ok(facts)
    }

    pub(super) fn gain<N: Number>(&self, at: &Bounded<'_, N>) -> f32 {
        gain(at.weight, at.output.positions() as f32, self.epsilon)
    }

    pub(super) fn gradient_bound<N: Number>(&self, at: &Bounded<'_, N>, error: f32) -> f32 {
        gradient_bound(at.output.positions(), error, at.output.positions() as f32)
    }

    pub(super) fn forward<N: Number>(&self, io: Forward<'_, N>) {
        let p = io.parameters;
        let (Some(x), Some(y)) = (N::floats(io.x), N::floats_mut(io.y)) else { return };
        let running = io.running.map(|r| N::floats(r).unwrap_or_default());
        let (Some(w), Some(b)) = (N::floats(p.weight), N::floats(p.bias)) else { return };
        let positions = io.input.positions().max(1) as usize;
        let mut saved = io.saved.chunks_exact_mut(3);
        let planes = x.chunks_exact(positions).zip(y.chunks_exact_mut(positions)).zip(w.iter().zip(b));
        for (c, ((x, y), (&w, &b))) in planes.enumerate() {
            let [mean, deviation] = if io.training {
                let (mean, variance) = statistics(x);
                let deviation = 1.0 / math::sqrt(variance + self.epsilon);
                if let Some([a, b, c]) = saved.next() {
                    [*a, *b, *c] = [mean.to_bits(), deviation.to_bits(), variance.to_bits()];
                }
                [mean, deviation]
            } else {
                of_channel(self.epsilon, &[], running, false, c)
            };
            for (y, &x) in y.iter_mut().zip(x) {
                *y = (x - mean) * deviation * w + b;
            }
        }
    }

    /// As layer norm within each channel where the sample's statistics were used; a plain scale where they were not.
    pub(super) fn backward_input<N: Number>(&self, io: Backward<'_, N>) {
        let (Some(x), Some(dy)) = (N::floats(io.x), N::floats(io.dy)) else { return };
        let running = io.running.map(|r| N::floats(r).unwrap_or_default());
        let (Some(w), Some(dx)) = (N::floats(io.parameters.weight), N::floats_mut(io.dx)) else { return };
        let positions = io.input.positions().max(1) as usize;
        let n = positions as f32;
        for (c, ((dy, dx), &weight)) in
            dy.chunks_exact(positions).zip(dx.chunks_exact_mut(positions)).zip(w).enumerate()
        {
            let [mean, deviation] = of_channel(self.epsilon, io.saved, running, io.training, c);
            // With running statistics, which don't depend on it, the input isn't read: it needn't have been kept.
            let x = if io.training { x.get(c * positions..).unwrap_or_default() } else { &[] };
            let (mut mean_g, mut mean_gx) = (0.0, 0.0);
            for (&x, &dy) in x.iter().zip(dy) {
                mean_g += dy;
                mean_gx += dy * ((x - mean) * deviation);
            }
            (mean_g, mean_gx) = (mean_g / n, mean_gx / n);
            for (i, (dx, &dy)) in dx.iter_mut().zip(dy).enumerate() {
                let new = match x.get(i) {
                    Some(x) => weight * deviation * (dy - mean_g - (x - mean) * deviation * mean_gx),
                    None => weight * deviation * dy,
                };
                *dx = if io.accumulate { *dx + new } else { new };
            }
        }
    }

    /// `dweight[c] = Σ_p dy x̂`, `dbias[c] = Σ_p dy`, p ascending.
    pub(super) fn backward_parameters<N: Number, S: ParameterGradient<N>>(&self, io: Backward<'_, N>, sink: &mut S) {
        let (Some(x), Some(dy)) = (N::floats(io.x), N::floats(io.dy)) else { return };
        let running = io.running.map(|r| N::floats(r).unwrap_or_default());
        let positions = io.input.positions().max(1) as usize;
        let mut one = [N::Gradient::default()];
        for (c, dy) in dy.chunks_exact(positions).enumerate() {
            let [mean, deviation] = of_channel(self.epsilon, io.saved, running, io.training, c);
            let (mut weight, mut bias) = (0.0, 0.0);
            // Where the bias alone is trained the input wasn't kept.
            for (&x, &dy) in x.get(c * positions..).unwrap_or_default().iter().zip(dy) {
                weight += dy * ((x - mean) * deviation);
            }
            for &dy in dy {
                bias += dy;
            }
            for (parameter, value) in [weight, bias].into_iter().enumerate() {
                if let Some([g]) = N::gradient_floats_mut(&mut one) {
                    *g = value;
                }
                if sink.wants(parameter) {
                    sink.row(parameter, c, &one);
                }
            }
        }
    }

    /// Whether the statistics of a sample are so far from the end of f32 that running ones which follow them stay finite.
    pub(super) fn is_finite(saved: &[u32]) -> bool {
        const LIMIT: f32 = 1.0e37;
        saved.chunks_exact(3).all(|saved| match saved {
            [mean, _, variance] => f32::from_bits(*mean).abs() < LIMIT && f32::from_bits(*variance) < LIMIT,
            _ => false,
        })
    }

    /// Moves the running mean and variance to those of the sample.
    pub(super) fn move_statistics<N: Number>(&self, running: [&mut [N::Value]; 2], saved: &[u32], input: Shape) {
        let [means, variances] = running.map(|r| N::floats_mut(r).unwrap_or_default());
        let n = input.positions() as f32;
        let unbiased = if n > 1.0 { n / (n - 1.0) } else { 1.0 };
        for ((mean, variance), saved) in means.iter_mut().zip(variances).zip(saved.chunks_exact(3)) {
            if let [m, _, v] = saved {
                *mean = (1.0 - self.momentum) * *mean + self.momentum * f32::from_bits(*m);
                *variance = (1.0 - self.momentum) * *variance + self.momentum * (f32::from_bits(*v) * unbiased);
            }
        }
    }
}
