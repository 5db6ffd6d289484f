//! `conv1d` and `conv2d`: cross-correlation with stride, zero padding and groups, laid out as PyTorch does.
//!
//! A sequence is an image of height 1, so both share their code. Forward gathers the neighbourhood of one output
//! position into a row of scratch and multiplies it with the filters, four at a time; the error gathers the transposed
//! neighbourhood of one input position; the gradient correlates four error planes with the input, so that its scratch
//! is four filters and never a whole gradient.

use super::conv_slide;
use super::{Backward, Bounded, Facts, Forward, Keep, OpError, ParameterGradient};
use crate::kernel::{self, Geometry};
use crate::number::{Format, Number, view_gradients_mut};
use crate::shape::Shape;

/// A convolution `[in, h, w] -> [out, oh, ow]` (or `[in, l] -> [out, ol]`), weight `[out, in/groups, kh, kw]`:
/// `y[o, p] = b[o] + Σ_i Σ_ky Σ_kx W[o, i, ky, kx] x[i, p*stride + k - padding]`, summed in that order from the bias.
///
/// The output is `(size + 2 padding - kernel) / stride + 1`, rounded down as PyTorch does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Conv {
    /// 1 for sequences, 2 for images.
    pub rank: u8,
    /// Output channels.
    pub channels: u16,
    /// Kernel height and width; a sequence has height 1.
    pub kernel: [u8; 2],
    /// Step of the window.
    pub stride: [u8; 2],
    /// Zeros on each side.
    pub padding: [u8; 2],
    /// Groups of channels that don't see each other; depthwise where it is the number of input channels.
    pub groups: u16,
    /// Whether there is a bias.
    pub bias: bool,
}

/// The size of a windowed dimension: how often a window fits into the padded input.
pub(super) const fn window_count(input: u16, window: u8, stride: u8, padding: u8) -> Result<u16, OpError> {
    if window == 0 || stride == 0 {
        return Err(OpError::Attribute("window and stride must be at least 1"));
    }
    let padded = input as u32 + 2 * padding as u32;
    if (window as u32) > padded {
        return Err(OpError::WindowTooLarge { window: window as u16, input: padded as u16 });
    }
    if padded > 65535 {
        return Err(OpError::TooLarge);
    }
    Ok(((padded - window as u32) / stride as u32 + 1) as u16)
}

/// The geometry of a window between two shapes.
pub(super) fn geometry(input: Shape, output: Shape, window: [u8; 2], stride: [u8; 2], padding: [u8; 2]) -> Geometry {
    let (_, h, w) = input.planes();
    let (_, oh, ow) = output.planes();
    let pair = |v: [u8; 2]| [v[0] as usize, v[1] as usize];
    Geometry {
        input: [h as usize, w as usize],
        output: [oh as usize, ow as usize],
        window: pair(window),
        stride: pair(stride),
        padding: pair(padding),
    }
}

/// Sizes that every pass needs.
pub(super) struct Sizes {
    pub(super) g: Geometry,
    groups: usize,
    /// Channels of one group, in and out.
    inputs: usize,
    outputs: usize,
    /// Elements of one window, of one filter, and positions of an input and an output plane.
    pub(super) window: usize,
    pub(super) filter: usize,
    pub(super) input_plane: usize,
    pub(super) output_plane: usize,
}

impl Conv {
    pub(super) const fn name(&self) -> &'static str {
        if self.rank == 1 { "conv1d" } else { "conv2d" }
    }

    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if x.rank() != self.rank + 1 {
            return Err(OpError::Rank { needed: self.rank + 1, got: x });
        }
        let (inputs, h, w) = x.planes();
        if self.channels == 0 {
            return Err(OpError::Attribute("channels must be at least 1"));
        }
        if self.groups == 0 || !inputs.is_multiple_of(self.groups) || !self.channels.is_multiple_of(self.groups) {
            return Err(OpError::Groups { groups: self.groups, input: inputs, output: self.channels });
        }
        let oh = match window_count(h, self.kernel[0], self.stride[0], self.padding[0]) {
            Ok(n) => n,
            Err(e) => return Err(e),
        };
        let ow = match window_count(w, self.kernel[1], self.stride[1], self.padding[1]) {
            Ok(n) => n,
            Err(e) => return Err(e),
        };
        let output = if self.rank == 1 { Shape::d2(self.channels, ow) } else { Shape::d3(self.channels, oh, ow) };
        let window = self.kernel[0] as u32 * self.kernel[1] as u32;
        let filter = (inputs / self.groups) as u32 * window;
        let mut facts = Facts::plain(output);
        let weights = filter.saturating_mul(self.channels as u32);
        facts.parameters = [weights, if self.bias { self.channels as u32 } else { 0 }, 0, 0];
        facts.macs = weights.saturating_mul(oh as u32 * ow as u32);
        facts.keep = Keep { input_for_parameters: true, ..Keep::NOTHING };
        facts.scratch_forward = filter;
        facts.scratch_error = (self.channels / self.groups) as u32 * window;
        let together = if self.channels / self.groups >= 4 { 4 } else { 1 };
        facts.scratch_gradient = filter.saturating_mul(together);
        Ok(facts)
    }

    pub(super) fn weight_dims(&self, input: Shape) -> ([u32; 4], usize) {
        let inputs = u32::from(input.planes().0).checked_div(u32::from(self.groups)).unwrap_or_default();
        let (out, [kh, kw]) = (u32::from(self.channels), self.kernel.map(u32::from));
        if self.rank == 1 { ([out, inputs, kw, 1], 3) } else { ([out, inputs, kh, kw], 4) }
    }

    /// An input element meets every filter of its group at most once for each element of the window.
    #[inline(always)]
    pub(super) fn gain<N: Number>(&self, at: &Bounded<'_, N>) -> f32 {
        let filters = f32::from(self.channels / self.groups.max(1));
        at.weight * filters * f32::from(self.kernel[0]) * f32::from(self.kernel[1])
    }

    fn sizes(&self, input: Shape, output: Shape) -> Sizes {
        let g = geometry(input, output, self.kernel, self.stride, self.padding);
        let groups = self.groups.max(1) as usize;
        let inputs = input.planes().0 as usize / groups;
        let window = g.window[0] * g.window[1];
        Sizes {
            g,
            groups,
            inputs,
            outputs: self.channels as usize / groups,
            window,
            filter: inputs * window,
            input_plane: g.input[0] * g.input[1],
            output_plane: g.output[0] * g.output[1],
        }
    }

    pub(super) fn forward<N: Number>(&self, io: Forward<'_, N>) {
        let s = self.sizes(io.input, io.output);
        let sum = io.scales.x + io.scales.weight;
        let Some(patch) = io.scratch.get_mut(..s.filter) else { return };
        for group in 0..s.groups {
            let x = part(io.x, group, s.inputs * s.input_plane);
            let w = part(io.parameters.weight, group, s.outputs * s.filter);
            let b = part(io.parameters.bias, group, s.outputs);
            let Some(y) = part_mut(io.y, group, s.outputs * s.output_plane) else { return };
            if s.g.stride == [1, 1]
                && let (Some(x), Some(w), Some(b)) = (N::floats(x), N::floats(w), N::floats(b))
                && let Some(y) = N::floats_mut(y)
            {
                match s.g.window[1] {
                    3 => {
                        conv_slide::forward::<3>(x, w, b, y, &s);
                        continue;
                    }
                    5 => {
                        conv_slide::forward::<5>(x, w, b, y, &s);
                        continue;
                    }
                    _ => {}
                }
            }
            for oy in 0..s.g.output[0] {
                for ox in 0..s.g.output[1] {
                    kernel::gather::<N>(x, &s.g, oy, ox, patch);
                    let y = y.get_mut(oy * s.g.output[1] + ox..).unwrap_or_default();
                    kernel::matrix_vector::<N>(w, patch, b, y, s.output_plane, sum - io.scales.bias, sum - io.scales.y);
                }
            }
        }
    }

    /// `dx[i, q] = Σ_o Σ_ky Σ_kx W[o, i, ky, kx] dy[o, (q + padding - k) / stride]`, in that order.
    pub(super) fn backward_input<N: Number>(&self, io: Backward<'_, N>) {
        let s = self.sizes(io.input, io.output);
        let shift = io.scales.weight + io.scales.dy - io.scales.dx;
        let Some(patch) = N::view_mut(io.scratch).get_mut(..s.outputs * s.window) else { return };
        for group in 0..s.groups {
            let dy = part(io.dy, group, s.outputs * s.output_plane);
            let w = part(io.parameters.weight, group, s.outputs * s.filter);
            let Some(dx) = part_mut(io.dx, group, s.inputs * s.input_plane) else { return };
            // An error that is added to another is summed by itself first: not here.
            if s.g.stride == [1, 1]
                && s.g.padding[1] < s.g.window[1]
                && !io.accumulate
                && let (Some(dy), Some(w)) = (N::floats(dy), N::floats(w))
                && let Some(dx) = N::floats_mut(dx)
            {
                match s.g.window[1] {
                    3 => {
                        conv_slide::backward_input::<3>(dy, w, dx, &s);
                        continue;
                    }
                    5 => {
                        conv_slide::backward_input::<5>(dy, w, dx, &s);
                        continue;
                    }
                    _ => {}
                }
            }
            for iy in 0..s.g.input[0] {
                for ix in 0..s.g.input[1] {
                    kernel::gather_transposed::<N>(dy, &s.g, iy, ix, patch);
                    let at = iy * s.g.input[1] + ix;
                    let mut targets = dx.get_mut(at..).unwrap_or_default().iter_mut().step_by(s.input_plane.max(1));
                    let mut store = |sum: N::Accumulator| {
                        if let Some(dx) = targets.next() {
                            let new = N::finish(sum, shift);
                            *dx = if io.accumulate { N::add_values(*dx, new) } else { new };
                        }
                    };
                    let mut i = 0;
                    while i < s.inputs {
                        let four = i + 4 <= s.inputs;
                        let sums = error_sums::<N>(w.get(i * s.window..).unwrap_or_default(), &s, patch, four);
                        store(sums[0]);
                        if four {
                            store(sums[1]);
                            store(sums[2]);
                            store(sums[3]);
                        }
                        i += if four { 4 } else { 1 };
                    }
                }
            }
        }
    }

    /// `dW[o, i, ky, kx] = Σ_p dy[o, p] x[i, p*stride + k - padding]`, `db[o] = Σ_p dy[o, p]`, p ascending.
    pub(super) fn backward_parameters<N: Number, S: ParameterGradient<N>>(&self, io: Backward<'_, N>, sink: &mut S) {
        let s = self.sizes(io.input, io.output);
        let frac = io.scales.x + io.scales.dy;
        let scratch = view_gradients_mut::<N>(io.scratch);
        let plane = |channel: usize| part(io.dy, channel, s.output_plane);
        let mut o = 0;
        while o < s.groups * s.outputs && sink.wants(0) {
            let within = o % s.outputs.max(1);
            let together = if within + 4 <= s.outputs { 4 } else { 1 };
            let x = part(io.x, o / s.outputs.max(1), s.inputs * s.input_plane);
            let errors = if together == 4 {
                [plane(o), plane(o + 1), plane(o + 2), plane(o + 3)]
            } else {
                [plane(o), &[], &[], &[]]
            };
            let mut index = 0;
            for x in x.chunks_exact(s.input_plane.max(1)) {
                for ky in 0..s.g.window[0] {
                    let mut put = |sums: &[[N::Accumulator; 4]]| {
                        for sums in sums {
                            for (k, &sum) in sums.iter().enumerate().take(together) {
                                if let Some(g) = scratch.get_mut(k * s.filter + index) {
                                    *g = N::gradient(sum, frac);
                                }
                            }
                            index += 1;
                        }
                    };
                    // Fixed point has no registers for that many sums of 64 bits.
                    let slide = together == 4 && s.g.stride == [1, 1] && N::FORMAT == Format::F32;
                    match s.g.window[1] {
                        3 if slide => put(&correlate_rows::<N, 3>(x, errors, &s.g, ky)),
                        5 if slide => put(&correlate_rows::<N, 5>(x, errors, &s.g, ky)),
                        _ => (0..s.g.window[1]).for_each(|kx| {
                            put(&[correlate::<N>(x, errors, &s.g, ky, kx, together == 4)]);
                        }),
                    }
                }
            }
            sink.row(0, o * s.filter, scratch.get(..together * s.filter).unwrap_or_default());
            o += together;
        }
        if sink.wants(1) {
            for (o, errors) in io.dy.chunks_exact(s.output_plane.max(1)).enumerate() {
                let sum = errors.iter().fold(N::ZERO, |sum, &dy| N::add(sum, dy, 0));
                sink.row(1, o, &[N::gradient(sum, io.scales.dy)]);
            }
        }
    }
}

/// The sums over outputs and window elements of weight times gathered error, for four inputs or for one. `w` starts at
/// the (first) input's window.
#[inline]
fn error_sums<N: Number>(w: &[N::Value], s: &Sizes, patch: &[N::Value], four: bool) -> [N::Accumulator; 4] {
    match s.window {
        3 if four => return kernel::gather_products::<N, 3>(w, s.filter, patch),
        5 if four => return kernel::gather_products::<N, 5>(w, s.filter, patch),
        9 if four => return kernel::gather_products::<N, 9>(w, s.filter, patch),
        _ => {}
    }
    let mut sums = [N::ZERO; 4];
    for (filters, patch) in w.chunks(s.filter.max(1)).zip(patch.chunks_exact(s.window.max(1))) {
        let row = |k: usize| filters.get(k * s.window..(k + 1) * s.window).unwrap_or_default();
        if four {
            sums = kernel::mac4::<N>(sums, [row(0), row(1), row(2), row(3)], patch);
        } else {
            sums[0] = kernel::mac::<N>(sums[0], row(0), patch);
        }
    }
    sums
}

/// The sums over all positions for every column of one window row, stride 1 in both directions, four error planes.
#[inline]
fn correlate_rows<N: Number, const K: usize>(
    x: &[N::Value],
    errors: [&[N::Value]; 4],
    g: &Geometry,
    ky: usize,
) -> [[N::Accumulator; 4]; K] {
    let sums = [[N::ZERO; 4]; K];
    // Error row r meets input row r + ky - padding.
    let (skip, x_skip) = (g.padding[0].saturating_sub(ky), ky.saturating_sub(g.padding[0]));
    let (width, x_width) = (g.output[1], g.input[1]);
    let errors = errors.map(|e| e.get(skip * width..).unwrap_or_default());
    let x = x.get(x_skip * x_width..).unwrap_or_default();
    kernel::correlate_rows::<N, K>(sums, x, x_width, g.padding[1], errors, width)
}

/// The sums over all positions of error times shifted input, for one window element and up to four error planes.
#[inline]
fn correlate<N: Number>(
    x: &[N::Value],
    errors: [&[N::Value]; 4],
    g: &Geometry,
    ky: usize,
    kx: usize,
    four: bool,
) -> [N::Accumulator; 4] {
    let mut sums = [N::ZERO; 4];
    let [height, width] = g.input;
    let [stride_y, stride_x] = [g.stride[0].max(1), g.stride[1].max(1)];
    // Output columns whose input column lies inside: first and one past the last.
    let first = g.padding[1].saturating_sub(kx).div_ceil(stride_x);
    let end = ((width + g.padding[1]).saturating_sub(kx).div_ceil(stride_x)).min(g.output[1]);
    if first >= end {
        return sums;
    }
    for oy in 0..g.output[0] {
        let Some(iy) = (oy * stride_y + ky).checked_sub(g.padding[0]).filter(|&iy| iy < height) else { continue };
        let left = iy * width + first * stride_x + kx - g.padding[1];
        let errors = errors.map(|e| e.get(oy * g.output[1] + first..oy * g.output[1] + end).unwrap_or_default());
        let x = x.get(left..(iy + 1) * width).unwrap_or_default();
        if stride_x == 1 {
            // As long as the errors: rows and vector of one length, or four at a time they come out of step.
            let x = x.get(..end - first).unwrap_or_default();
            if four {
                sums = kernel::mac4::<N>(sums, errors, x);
            } else {
                sums[0] = kernel::mac::<N>(sums[0], errors[0], x);
            }
        } else {
            for (i, &x) in x.iter().step_by(stride_x).enumerate() {
                for (sum, errors) in sums.iter_mut().zip(errors) {
                    if let Some(&dy) = errors.get(i) {
                        *sum = N::mac(*sum, dy, x);
                    }
                }
            }
        }
    }
    sums
}

/// The `index`-th part of `len` elements, or nothing.
fn part<T>(values: &[T], index: usize, len: usize) -> &[T] {
    values.get(index * len..(index + 1) * len).unwrap_or_default()
}

fn part_mut<T>(values: &mut [T], index: usize, len: usize) -> Option<&mut [T]> {
    values.get_mut(index * len..(index + 1) * len)
}
