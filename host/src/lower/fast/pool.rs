//! Pooling of images whose channels come last, one sample at a time.

use super::window::Window;

/// Calls `f` for each place of an output's window that lies within the input: number within the window, number of the
/// input's place.
fn window_of(g: &Window, [oy, ox]: [usize; 2], mut f: impl FnMut(usize, usize)) {
    for ky in 0..g.kernel[0] {
        let Some(y) = (oy * g.stride[0] + ky).checked_sub(g.padding[0]).filter(|&y| y < g.input[0]) else { continue };
        for kx in 0..g.kernel[1] {
            let x = (ox * g.stride[1] + kx).checked_sub(g.padding[1]).filter(|&x| x < g.input[1]);
            if let Some(x) = x {
                f(ky * g.kernel[1] + kx, y * g.input[1] + x);
            }
        }
    }
}

/// The same of every output, with its number in front.
fn places(g: &Window, mut f: impl FnMut(usize, usize, usize)) {
    for oy in 0..g.output[0] {
        for ox in 0..g.output[1] {
            window_of(g, [oy, ox], |k, i| f(oy * g.output[1] + ox, k, i));
        }
    }
}

/// Channels that are compared side by side.
const LANES: usize = 16;

/// The largest of each window, and in `from` which of the window it was: the first of equal ones; one that isn't a number
/// counts as the largest.
pub(super) fn maximum(g: &Window, x: &[f32], y: &mut [f32], from: &mut [u32]) {
    let c = g.channels;
    let mut window = Vec::with_capacity(g.kernel[0] * g.kernel[1]);
    for oy in 0..g.output[0] {
        for ox in 0..g.output[1] {
            window.clear();
            window_of(g, [oy, ox], |k, i| window.push((k as u32, i * c)));
            let o = (oy * g.output[1] + ox) * c;
            let (y, from) = (&mut y[o..o + c], &mut from[o..o + c]);
            let whole = c - c % LANES;
            for first in (0..whole).step_by(LANES) {
                largest::<LANES>(&x[first..], &window, &mut y[first..], &mut from[first..]);
            }
            for first in whole..c {
                largest::<1>(&x[first..], &window, &mut y[first..], &mut from[first..]);
            }
        }
    }
}

/// The largest of the places in `window`, `N` channels. Counted loops, as in `product.rs`.
#[allow(clippy::needless_range_loop, reason = "see above")]
#[inline(always)]
fn largest<const N: usize>(x: &[f32], window: &[(u32, usize)], y: &mut [f32], from: &mut [u32]) {
    let (mut best, mut place) = ([f32::NEG_INFINITY; N], [window.first().map_or(0, |&(k, _)| k); N]);
    for &(k, at) in window {
        let x = &x[at..at + N];
        for c in 0..N {
            // Without a branch, for vectors.
            let larger = (x[c] > best[c]) | x[c].is_nan();
            best[c] = if larger { x[c] } else { best[c] };
            place[c] = if larger { k } else { place[c] };
        }
    }
    y[..N].copy_from_slice(&best);
    from[..N].copy_from_slice(&place);
}

/// Adds the error of the outputs to where they came from. With `rectified` an output that isn't above 0 had none.
pub(super) fn maximum_back(
    g: &Window,
    dy: &[f32],
    y: &[f32],
    from: &[u32],
    rectified: bool,
    dx: &mut [f32],
    stride: usize,
) {
    let c = g.channels;
    places(g, |o, k, i| {
        let outputs = o * c..(o + 1) * c;
        let (dy, y, from) = (&dy[outputs.clone()], &y[outputs.clone()], &from[outputs]);
        for (((dx, &dy), &y), &from) in dx[i * stride..i * stride + c].iter_mut().zip(dy).zip(y).zip(from) {
            let here = (from == k as u32) & (!rectified | (y > 0.0));
            *dx += if here { dy } else { 0.0 };
        }
    });
}

/// The mean of each window, padding counted as zeros; summed row by row.
pub(super) fn average(g: &Window, x: &[f32], y: &mut [f32]) {
    let (c, factor) = (g.channels, 1.0 / (g.kernel[0] * g.kernel[1]) as f32);
    y.fill(0.0);
    places(g, |o, _, i| {
        let y = &mut y[o * c..(o + 1) * c];
        y.iter_mut().zip(&x[i * c..(i + 1) * c]).for_each(|(y, x)| *y += x);
    });
    y.iter_mut().for_each(|y| *y *= factor);
}

/// Adds each window's share of the error.
pub(super) fn average_back(g: &Window, dy: &[f32], dx: &mut [f32]) {
    let (c, factor) = (g.channels, 1.0 / (g.kernel[0] * g.kernel[1]) as f32);
    places(g, |o, _, i| {
        let dx = &mut dx[i * c..(i + 1) * c];
        dx.iter_mut().zip(&dy[o * c..(o + 1) * c]).for_each(|(dx, dy)| *dx += dy * factor);
    });
}

/// The mean of each channel of `x [positions, c]`.
pub(super) fn global(x: &[f32], y: &mut [f32]) {
    let positions = x.len() / y.len().max(1);
    y.fill(0.0);
    for x in x.chunks_exact(y.len().max(1)) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
    }
    y.iter_mut().for_each(|y| *y /= positions as f32);
}

/// Each position's share of the error.
pub(super) fn global_back(dy: &[f32], dx: &mut [f32]) {
    let positions = (dx.len() / dy.len().max(1)) as f32;
    for dx in dx.chunks_exact_mut(dy.len().max(1)) {
        dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx += dy / positions);
    }
}
