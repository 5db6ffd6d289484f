//! Functions of one element, or of elements in the same place.

use crate::lower::Mode;
use emberlite::number::random::Key;
use emberlite::op::{Activation, ActivationKind};
use rayon::prelude::*;

/// Elements of a thread's part.
const PART: usize = 1 << 15;

/// `y = f(x)`, with the core's and PyTorch's values at the kinks.
pub(super) fn activation(a: &Activation, x: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| activate(a, x, y));
}

fn activate(a: &Activation, x: &[f32], y: &mut [f32]) {
    let pairs = y.iter_mut().zip(x);
    match a.kind {
        ActivationKind::Relu => pairs.for_each(|(y, &x)| *y = if x < 0.0 { 0.0 } else { x }),
        ActivationKind::Relu6 => pairs.for_each(|(y, &x)| {
            let x = if x < 0.0 { 0.0 } else { x };
            *y = if x > 6.0 { 6.0 } else { x };
        }),
        ActivationKind::LeakyRelu => pairs.for_each(|(y, &x)| *y = if x <= 0.0 { x * a.slope } else { x }),
        ActivationKind::Sigmoid => pairs.for_each(|(y, &x)| *y = 1.0 / (1.0 + (-x).exp())),
        ActivationKind::Tanh => pairs.for_each(|(y, &x)| *y = x.tanh()),
    }
}

/// The error of `x` in place of that of `y`.
pub(super) fn activation_back(a: &Activation, x: &[f32], y: &[f32], dy: &mut [f32]) {
    let parts = dy.par_chunks_mut(PART).zip(x.par_chunks(PART)).zip(y.par_chunks(PART));
    parts.for_each(|((dy, x), y)| activate_back(a, x, y, dy));
}

fn activate_back(a: &Activation, x: &[f32], y: &[f32], dy: &mut [f32]) {
    let all = dy.iter_mut().zip(x).zip(y);
    match a.kind {
        ActivationKind::Relu => all.for_each(|((d, _), &y)| *d = if y > 0.0 { *d } else { 0.0 }),
        ActivationKind::Relu6 => all.for_each(|((d, &x), _)| *d = if (x > 0.0) & (x < 6.0) { *d } else { 0.0 }),
        ActivationKind::LeakyRelu => all.for_each(|((d, &x), _)| *d = if x > 0.0 { *d } else { *d * a.slope }),
        ActivationKind::Sigmoid => all.for_each(|((d, _), &y)| *d *= y * (1.0 - y)),
        ActivationKind::Tanh => all.for_each(|((d, _), &y)| *d *= 1.0 - y * y),
    }
}

/// What dropout multiplies each element with, or nothing where it drops nothing; see `lower/dropout.rs`.
pub(super) fn mask(rate: f32, mode: Mode, node: usize, batch: usize, elements: usize) -> Vec<f32> {
    let Mode::Train { seed, first_sample } = mode else { return Vec::new() };
    if rate <= 0.0 {
        return Vec::new();
    }
    let scale = 1.0 / (1.0 - rate);
    let mut mask = vec![0.0; batch * elements];
    mask.par_chunks_mut(elements.max(1)).enumerate().for_each(|(row, mask)| {
        let key = Key::new(seed, first_sample.wrapping_add(row as u32), node as u32);
        mask.iter_mut().zip(0..).for_each(|(m, i)| *m = if key.uniform(i) >= rate { scale } else { 0.0 });
    });
    mask
}

/// `y = x mask`, or `x` without one.
pub(super) fn masked(x: &[f32], mask: &[f32], y: &mut [f32]) {
    if mask.is_empty() {
        return copy(x, y);
    }
    let parts = y.par_chunks_mut(PART).zip(x.par_chunks(PART)).zip(mask.par_chunks(PART));
    parts.for_each(|((y, x), mask)| y.iter_mut().zip(x).zip(mask).for_each(|((y, x), m)| *y = x * m));
}

/// `y = a + b`.
pub(super) fn sum(a: &[f32], b: &[f32], y: &mut [f32]) {
    let parts = y.par_chunks_mut(PART).zip(a.par_chunks(PART)).zip(b.par_chunks(PART));
    parts.for_each(|((y, a), b)| y.iter_mut().zip(a).zip(b).for_each(|((y, a), b)| *y = a + b));
}

/// `y = y + x`.
pub(super) fn add(x: &[f32], y: &mut [f32]) {
    let parts = y.par_chunks_mut(PART).zip(x.par_chunks(PART));
    parts.for_each(|(y, x)| y.iter_mut().zip(x).for_each(|(y, x)| *y += x));
}

/// `y = x`.
pub(super) fn copy(x: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| y.copy_from_slice(x));
}
