//! Convolutions with the activation and the pooling behind them, a sample at a time, channels last.
//!
//! A sample passes through convolution, bias, `relu` and pooling while it lies in the second cache; what is kept is the
//! pooled output and which place of its window each came from. The way back spreads the error over the convolution's
//! output in scratch memory, where the gradient of the weight and the error of the input read it. So the largest buffers
//! of a small network, the convolutions' outputs, are never written to memory: of a batch of 100 through 32 channels of
//! 28x28 those are 10 MB a pass.
//!
//! The gradient is summed over a sample's places in order, from group to group of [`group`] samples: the same bits for any
//! number of threads.

use super::pool;
use super::product::{Product, Start, Walk, padded};
use super::window::{Window, place};
use rayon::prelude::*;

/// Parts of a batch that have a gradient of their own.
const GROUPS: usize = 32;

/// A convolution and what is computed along with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Convolution {
    pub window: Window,
    /// Output channels.
    pub channels: usize,
    /// `relu` right behind it.
    pub relu: bool,
    /// A max pooling behind that.
    pub pool: Option<Window>,
}

/// A pass's results, whole batches; `None` where nobody needs it.
pub(super) struct Gradients<'a> {
    pub weight: Option<Vec<f32>>,
    pub bias: Option<Vec<f32>>,
    pub input: Option<&'a mut [f32]>,
}

/// What the way back starts from: values of the forward pass and the error of the output.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub x: &'a [f32],
    pub y: &'a [f32],
    /// See [`pool::maximum`]; empty without pooling.
    pub from: &'a [u32],
    pub dy: &'a [f32],
}

/// Samples of a part.
fn group(batch: usize) -> usize {
    batch.div_ceil(GROUPS).max(1)
}

impl Convolution {
    fn taps(&self) -> usize {
        self.window.kernel[0] * self.window.kernel[1]
    }

    /// Elements of one sample's output.
    pub fn output_len(&self) -> usize {
        self.pool.map_or(self.window.positions(), |pool| pool.positions()) * self.channels
    }

    /// `W [out, in, kh, kw]` as `[kh, kw, in, out]`, rows filled up to whole vectors.
    fn pack_forward(&self, w: &[f32]) -> Vec<f32> {
        let (taps, c, n) = (self.taps(), self.window.channels, self.channels);
        let width = padded(n);
        let mut packed = vec![0.0; taps * c * width];
        for (o, w) in w.chunks_exact(c * taps).enumerate().take(n) {
            for (i, w) in w.chunks_exact(taps).enumerate() {
                for (t, &w) in w.iter().enumerate() {
                    packed[(t * c + i) * width + o] = w;
                }
            }
        }
        packed
    }

    /// The same as `[kh, kw, out, in]` with the window turned by half a turn: the error of the input is the convolution of
    /// the error of the output with it.
    fn pack_backward(&self, w: &[f32]) -> Vec<f32> {
        let (taps, c, n) = (self.taps(), self.window.channels, self.channels);
        let width = padded(c);
        let mut packed = vec![0.0; taps * n * width];
        for (o, w) in w.chunks_exact(c * taps).enumerate().take(n) {
            for (i, w) in w.chunks_exact(taps).enumerate() {
                for (t, &w) in w.iter().enumerate() {
                    packed[((taps - 1 - t) * n + o) * width + i] = w;
                }
            }
        }
        packed
    }

    /// A gradient `[kh, kw, in, out]` as `[out, in, kh, kw]`.
    fn unpack(&self, packed: &[f32]) -> Vec<f32> {
        let (taps, c, n) = (self.taps(), self.window.channels, self.channels);
        let mut w = vec![0.0; packed.len()];
        for (row, packed) in packed.chunks_exact(n).enumerate() {
            let (t, i) = (row / c, row % c);
            for (o, &g) in packed.iter().enumerate() {
                w[(o * c + i) * taps + t] = g;
            }
        }
        w
    }

    /// The input with zeros around it; itself where there are none.
    fn padded_input<'a>(&self, x: &'a [f32], scratch: &'a mut [f32]) -> &'a [f32] {
        let g = &self.window;
        if g.padding == [0, 0] {
            return x;
        }
        place(x, [g.input[0], g.input[1], g.channels], scratch, g.padded()[1], g.padding, [1, 1]);
        scratch
    }

    fn padded_len(&self) -> usize {
        let [h, w] = self.window.padded();
        if self.window.padding == [0, 0] { 0 } else { h * w * self.window.channels }
    }

    /// Rows of windows within the padded input, and the terms of one.
    fn walks(&self) -> (Walk, Walk) {
        let g = &self.window;
        let row = g.padded()[1] * g.channels;
        let windows = Walk::grid(g.output[1], [g.stride[0] * row, g.stride[1] * g.channels]);
        (windows, Walk::grid(g.kernel[1] * g.channels, [row, 1]))
    }

    /// `y` of a batch; with a pooling also where its values came from.
    pub fn forward(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>, y: &mut [f32], from: &mut [u32]) {
        let packed = self.pack_forward(w);
        let (g, n) = (&self.window, self.channels);
        let (size, before) = (self.output_len(), g.positions() * n);
        let (a_rows, a_terms) = self.walks();
        let terms = g.kernel[1] * g.channels;
        let one = |x: &[f32], y: &mut [f32], from: &mut [u32], [around, whole]: &mut [Vec<f32>; 2]| {
            let a = self.padded_input(x, around);
            let c: &mut [f32] = if self.pool.is_some() { whole } else { &mut *y };
            let width = padded(n);
            Product {
                size: [g.positions(), n, self.taps() * g.channels],
                a,
                a_rows,
                a_terms,
                b: &packed,
                b_terms: [terms * width, width],
                start: bias.map_or(Start::Zero, Start::Bias),
                relu: self.relu,
                c,
                c_row: n,
            }
            .run();
            if let Some(pool) = &self.pool {
                pool::maximum(pool, whole, y, from);
            }
        };
        let scratch = || [vec![0.0; self.padded_len()], vec![0.0; if self.pool.is_some() { before } else { 0 }]];
        let samples = x.par_chunks_exact(g.input_len()).zip(y.par_chunks_exact_mut(size));
        if self.pool.is_some() {
            let all = samples.zip(from.par_chunks_exact_mut(size));
            all.for_each_init(scratch, |scratch, ((x, y), from)| one(x, y, from, scratch));
        } else {
            samples.for_each_init(scratch, |scratch, (x, y)| one(x, y, &mut [], scratch));
        }
    }

    /// Gradients of a batch: fills those of `wanted` that are there.
    pub fn backward(&self, seen: Seen<'_>, w: &[f32], wanted: &mut Gradients<'_>) {
        let (g, n) = (&self.window, self.channels);
        let (inputs, outputs, rows) = (g.input_len(), self.output_len(), self.taps() * g.channels);
        let batch = seen.dy.len() / outputs;
        let samples = group(batch);
        let groups = batch.div_ceil(samples);
        let (has_weight, has_bias) = (wanted.weight.is_some(), wanted.bias.is_some());
        let packed = if wanted.input.is_some() { self.pack_backward(w) } else { Vec::new() };

        let mut partial = vec![0.0; groups * (rows * n + n)];
        let mut dx: Vec<Option<&mut [f32]>> = match &mut wanted.input {
            Some(dx) => dx.chunks_mut(samples * inputs).map(Some).collect(),
            None => (0..groups).map(|_| None).collect(),
        };
        let parts = partial.par_chunks_exact_mut(rows * n + n).zip(&mut dx).enumerate();
        parts.for_each(|(part, (partial, dx))| {
            let (weight, bias) = partial.split_at_mut(rows * n);
            let mut scratch = Scratch::new(self, dx.is_some());
            for sample in part * samples..batch.min((part + 1) * samples) {
                let of = |v: &'_ [f32], len: usize| sample * len..(sample * len + len).min(v.len());
                let from = if self.pool.is_some() { sample * outputs..(sample + 1) * outputs } else { 0..0 };
                let seen = Seen {
                    x: &seen.x[of(seen.x, inputs)],
                    y: &seen.y[of(seen.y, outputs)],
                    from: &seen.from[from],
                    dy: &seen.dy[of(seen.dy, outputs)],
                };
                self.error_before(&seen, &mut scratch.error);
                if has_bias {
                    for error in scratch.error.chunks_exact(padded(n)) {
                        bias.iter_mut().zip(error).for_each(|(b, e)| *b += e);
                    }
                }
                if has_weight {
                    self.weight_gradient(seen.x, &mut scratch, weight);
                }
                if let Some(dx) = dx {
                    let first = (sample - part * samples) * inputs;
                    self.input_gradient(&mut scratch, &packed, &mut dx[first..first + inputs]);
                }
            }
        });
        // Groups in order.
        let (first, rest) = partial.split_at_mut(rows * n + n);
        for group in rest.chunks_exact(rows * n + n) {
            first.iter_mut().zip(group).for_each(|(sum, g)| *sum += g);
        }
        let (weight, bias) = first.split_at(rows * n);
        wanted.weight = has_weight.then(|| self.unpack(weight));
        wanted.bias = has_bias.then(|| bias.to_vec());
    }

    /// The error of the convolution's output, before pooling and activation: `[positions, n padded]`.
    fn error_before(&self, seen: &Seen<'_>, error: &mut [f32]) {
        let (n, width) = (self.channels, padded(self.channels));
        if let Some(pool) = &self.pool {
            error.fill(0.0);
            pool::maximum_back(pool, seen.dy, seen.y, seen.from, self.relu, error, width);
            return;
        }
        let rows = error.chunks_exact_mut(width).zip(seen.dy.chunks_exact(n)).zip(seen.y.chunks_exact(n));
        for ((error, dy), y) in rows {
            for ((error, &dy), &y) in error.iter_mut().zip(dy).zip(y) {
                *error = if !self.relu | (y > 0.0) { dy } else { 0.0 };
            }
        }
    }

    /// Adds one sample's gradient `[kh, kw, in, out]`.
    fn weight_gradient(&self, x: &[f32], scratch: &mut Scratch, weight: &mut [f32]) {
        let (g, n) = (&self.window, self.channels);
        let (windows, taps) = self.walks();
        let width = padded(n);
        Product {
            size: [self.taps() * g.channels, n, g.positions()],
            a: self.padded_input(x, &mut scratch.around),
            a_rows: taps,
            a_terms: windows,
            b: &scratch.error,
            b_terms: [g.output[1] * width, width],
            start: Start::Sum,
            relu: false,
            c: weight,
            c_row: n,
        }
        .run();
    }

    /// One sample's error of the input.
    fn input_gradient(&self, scratch: &mut Scratch, packed: &[f32], dx: &mut [f32]) {
        let (g, n) = (&self.window, self.channels);
        let [_, wide] = self.spread();
        let compact = if n == padded(n) { None } else { Some(narrow(&scratch.error, padded(n), n)) };
        let error = compact.as_deref().unwrap_or(&scratch.error);
        let origin = [0, 1].map(|d| g.kernel[d] - 1 - g.padding[d]);
        place(error, [g.output[0], g.output[1], n], &mut scratch.spread, wide, origin, g.stride);
        let (terms, width) = (g.kernel[1] * n, padded(g.channels));
        Product {
            size: [g.input[0] * g.input[1], g.channels, self.taps() * n],
            a: &scratch.spread,
            a_rows: Walk::grid(g.input[1], [wide * n, n]),
            a_terms: Walk::grid(terms, [wide * n, 1]),
            b: packed,
            b_terms: [terms * width, width],
            start: Start::Zero,
            relu: false,
            c: dx,
            c_row: g.channels,
        }
        .run();
    }

    /// Height and width of the output's error, its places as far apart as the windows, with zeros around it.
    fn spread(&self) -> [usize; 2] {
        [0, 1].map(|d| self.window.input[d] + self.window.kernel[d] - 1)
    }

    /// Whether the way back is as above: a padding of a whole window and more isn't.
    pub fn supported(&self) -> bool {
        (0..2).all(|d| self.window.padding[d] < self.window.kernel[d])
    }
}

/// Rows of `n` out of rows of `width`.
fn narrow(from: &[f32], width: usize, n: usize) -> Vec<f32> {
    from.chunks_exact(width).flat_map(|row| &row[..n]).copied().collect()
}

/// One thread's memory on the way back. What isn't written anew stays zero.
struct Scratch {
    around: Vec<f32>,
    error: Vec<f32>,
    spread: Vec<f32>,
}

impl Scratch {
    fn new(conv: &Convolution, input: bool) -> Scratch {
        let [h, w] = conv.spread();
        let spread = if input { h * w * conv.channels } else { 0 };
        Scratch {
            around: vec![0.0; conv.padded_len()],
            error: vec![0.0; conv.window.positions() * padded(conv.channels)],
            spread: vec![0.0; spread],
        }
    }
}
