//! `max_pool`, `average_pool` (1d and 2d) and `global_average_pool`.

use super::conv::{geometry, window_count};
use super::{Backward, Facts, Forward, Keep, OpError, OpKind, OpSet};
use crate::kernel::{self, Geometry};
use crate::number::Number;
use crate::shape::Shape;

/// Extra fraction bits while a fixed-point sum is divided, so that it is rounded once.
const GUARD_BITS: i32 = 8;

/// Which pooling.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PoolKind {
    /// The largest value; the first one where several are equal.
    Max,
    /// The mean over the whole window, padding counted as zeros (PyTorch's `count_include_pad`).
    Average,
}

/// Pooling over windows of each channel. Max pooling keeps one byte per output (the place of the maximum).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pool {
    /// Maximum or average.
    pub kind: PoolKind,
    /// 1 for sequences, 2 for images.
    pub rank: u8,
    /// Window height and width, at most 255 elements together; a sequence has height 1.
    pub window: [u8; 2],
    /// Step of the window.
    pub stride: [u8; 2],
    /// Padding on each side, at most half the window.
    pub padding: [u8; 2],
    /// Drop the end where windows don't cover the input exactly, as PyTorch does; else that is an error.
    pub floor: bool,
}

impl Pool {
    pub(super) const fn name(&self) -> &'static str {
        match (self.kind, self.rank) {
            (PoolKind::Max, 1) => "max_pool1d",
            (PoolKind::Max, _) => "max_pool2d",
            (PoolKind::Average, 1) => "average_pool1d",
            (PoolKind::Average, _) => "average_pool2d",
        }
    }

    const fn count(&self, dimension: usize, size: u16) -> Result<u16, OpError> {
        let (window, stride, padding) = (self.window[dimension], self.stride[dimension], self.padding[dimension]);
        let count = match window_count(size, window, stride, padding) {
            Ok(n) => n,
            Err(e) => return Err(e),
        };
        if padding > window / 2 {
            return Err(OpError::PaddingTooLarge { padding: padding as u16, limit: window as u16 / 2 });
        }
        let padded = size + 2 * padding as u16;
        if !self.floor && !(padded - window as u16).is_multiple_of(stride as u16) {
            return Err(OpError::WindowDoesNotDivide { window: window as u16, stride: stride as u16, input: padded });
        }
        Ok(count)
    }

    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if x.rank() != self.rank + 1 {
            return Err(OpError::Rank { needed: self.rank + 1, got: x });
        }
        if self.window[0] as u16 * self.window[1] as u16 > 255 {
            return Err(OpError::Attribute("a pooling window has at most 255 elements"));
        }
        let (channels, h, w) = x.planes();
        let oh = if self.rank == 1 {
            1
        } else {
            match self.count(0, h) {
                Ok(n) => n,
                Err(e) => return Err(e),
            }
        };
        let ow = match self.count(1, w) {
            Ok(n) => n,
            Err(e) => return Err(e),
        };
        let output = if self.rank == 1 { Shape::d2(channels, ow) } else { Shape::d3(channels, oh, ow) };
        let mut facts = Facts::plain(output);
        if let PoolKind::Max = self.kind {
            facts.keep = Keep { words: output.elements().div_ceil(4), ..Keep::NOTHING };
            facts.same_scale = true;
        }
        Ok(facts)
    }

    /// No element is in more windows than a window has elements.
    #[inline(always)]
    pub(super) fn gain(&self) -> f32 {
        f32::from(self.window[0]) * f32::from(self.window[1])
    }

    /// The usual maximum, of squares of two by two that don't overlap: a kernel of its own, a fifth of the instructions.
    fn is_squares(&self) -> bool {
        matches!(self, Pool { kind: PoolKind::Max, window: [2, 2], stride: [2, 2], padding: [0, 0], .. })
    }

    pub(super) fn forward<N: Number>(&self, linked: OpSet, io: Forward<'_, N>) {
        let g = geometry(io.input, io.output, self.window, self.stride, self.padding);
        match self.kind {
            PoolKind::Max if linked.has_kind(OpKind::MaxPool) => {
                let saved: &mut [u8] = bytemuck::must_cast_slice_mut(io.saved);
                if self.is_squares() {
                    return kernel::largest_in_squares::<N>(io.x, g.input, io.y, saved);
                }
                let mut saved = saved.iter_mut();
                each_output::<N>(&g, io.x, io.y, |x, oy, ox| {
                    let (value, place) = maximum::<N>(x, &g, oy, ox);
                    if let Some(saved) = saved.next() {
                        *saved = place;
                    }
                    value
                });
            }
            PoolKind::Average if linked.has_kind(OpKind::AveragePool) => {
                let area = self.window[0] as u32 * self.window[1] as u32;
                each_output::<N>(&g, io.x, io.y, |x, oy, ox| {
                    let mut sum = N::ZERO;
                    visit(&g, oy, ox, |_, i| sum = N::add(sum, x.get(i).copied().unwrap_or_default(), GUARD_BITS));
                    N::finish(N::divide(sum, area), io.scales.x + GUARD_BITS - io.scales.y)
                });
            }
            // Not linked.
            PoolKind::Max | PoolKind::Average => {}
        }
    }

    /// Max: the error goes to the place of the maximum. Average: `dy / window` to every element. Outputs ascending.
    pub(super) fn backward_input<N: Number>(&self, linked: OpSet, io: Backward<'_, N>) {
        let g = geometry(io.input, io.output, self.window, self.stride, self.padding);
        let saved: &[u8] = bytemuck::must_cast_slice(io.saved);
        if self.is_squares() && linked.has_kind(OpKind::MaxPool) {
            let shift = io.scales.dy - io.scales.dx;
            return kernel::error_to_squares::<N>(io.dy, saved, g.input, io.dx, shift, io.accumulate);
        }
        if !io.accumulate {
            io.dx.fill(N::Value::default());
        }
        let mut errors = io.dy.iter().enumerate();
        let area = self.window[0] as u32 * self.window[1] as u32;
        for dx in io.dx.chunks_exact_mut((g.input[0] * g.input[1]).max(1)) {
            for oy in 0..g.output[0] {
                for ox in 0..g.output[1] {
                    let Some((at, &dy)) = errors.next() else { return };
                    let mut add = |i: usize, new: N::Value| {
                        if let Some(dx) = dx.get_mut(i) {
                            *dx = N::add_values(*dx, new);
                        }
                    };
                    match self.kind {
                        PoolKind::Max if linked.has_kind(OpKind::MaxPool) => {
                            let place = saved.get(at).copied().unwrap_or_default();
                            if let Some(i) = locate(&g, oy, ox, place) {
                                add(i, N::finish(N::start(dy, 0), io.scales.dy - io.scales.dx));
                            }
                        }
                        PoolKind::Average if linked.has_kind(OpKind::AveragePool) => {
                            let share = N::divide(N::start(dy, GUARD_BITS), area);
                            let share = N::finish(share, io.scales.dy + GUARD_BITS - io.scales.dx);
                            visit(&g, oy, ox, |_, i| add(i, share));
                        }
                        // Not linked.
                        PoolKind::Max | PoolKind::Average => {}
                    }
                }
            }
        }
    }
}

/// Every output from its plane of the input and its row and column, in order.
#[inline(always)]
fn each_output<N: Number>(
    g: &Geometry,
    x: &[N::Value],
    y: &mut [N::Value],
    mut f: impl FnMut(&[N::Value], usize, usize) -> N::Value,
) {
    let mut y = y.iter_mut();
    for x in x.chunks_exact((g.input[0] * g.input[1]).max(1)) {
        for oy in 0..g.output[0] {
            for ox in 0..g.output[1] {
                let Some(y) = y.next() else { return };
                *y = f(x, oy, ox);
            }
        }
    }
}

/// Calls `f(place in the window, index in the plane)` for the window's elements inside the input, row by row.
#[inline(always)]
fn visit(g: &Geometry, oy: usize, ox: usize, mut f: impl FnMut(u8, usize)) {
    let mut place = 0u8;
    for ky in 0..g.window[0] {
        let iy = (oy * g.stride[0] + ky).wrapping_sub(g.padding[0]);
        for kx in 0..g.window[1] {
            let ix = (ox * g.stride[1] + kx).wrapping_sub(g.padding[1]);
            if iy < g.input[0] && ix < g.input[1] {
                f(place, iy * g.input[1] + ix);
            }
            place = place.wrapping_add(1);
        }
    }
}

#[inline(always)]
fn maximum<N: Number>(x: &[N::Value], g: &Geometry, oy: usize, ox: usize) -> (N::Value, u8) {
    let mut best: Option<(N::Value, u8)> = None;
    visit(g, oy, ox, |place, i| {
        let value = x.get(i).copied().unwrap_or_default();
        if best.is_none_or(|(largest, _)| value > largest) {
            best = Some((value, place));
        }
    });
    best.unwrap_or_default()
}

/// The index in the plane of a place in the window.
#[inline(always)]
fn locate(g: &Geometry, oy: usize, ox: usize, place: u8) -> Option<usize> {
    let width = g.window[1].max(1) as u32;
    let (ky, kx) = ((place as u32 / width) as usize, (place as u32 % width) as usize);
    let iy = (oy * g.stride[0] + ky).checked_sub(g.padding[0])?;
    let ix = (ox * g.stride[1] + kx).checked_sub(g.padding[1])?;
    Some(iy * g.input[1] + ix)
}

/// The mean of each channel over all positions: `[c, ...] -> [c]`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GlobalAveragePool;

impl GlobalAveragePool {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if x.rank() < 2 {
            return Err(OpError::Rank { needed: 2, got: x });
        }
        Ok(Facts::plain(Shape::d1(x.planes().0)))
    }
}

pub(super) fn global_forward<N: Number>(io: Forward<'_, N>) {
    let positions = io.input.positions();
    for (y, x) in io.y.iter_mut().zip(io.x.chunks_exact(positions.max(1) as usize)) {
        let sum = x.iter().fold(N::ZERO, |sum, &x| N::add(sum, x, GUARD_BITS));
        *y = N::finish(N::divide(sum, positions), io.scales.x + GUARD_BITS - io.scales.y);
    }
}

pub(super) fn global_backward<N: Number>(io: Backward<'_, N>) {
    let positions = io.input.positions();
    for (dx, &dy) in io.dx.chunks_exact_mut(positions.max(1) as usize).zip(io.dy) {
        let share = N::divide(N::start(dy, GUARD_BITS), positions);
        let share = N::finish(share, io.scales.dy + GUARD_BITS - io.scales.dx);
        for dx in dx {
            *dx = if io.accumulate { N::add_values(*dx, share) } else { share };
        }
    }
}
