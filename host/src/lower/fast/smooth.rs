//! GELU and its like, as vector code; see `sequence.rs`.

use super::maths::{erf, exp};
use emberlite::op::Smooth;
use macerator::{AutoArch, Simd, WithSimd};
use rayon::prelude::*;

/// Elements of a thread's part.
const PART: usize = 1 << 14;

/// `y = f(x)`.
pub(super) fn forward(kind: Smooth, x: &[f32], y: &mut [f32]) {
    let parts = y.par_chunks_mut(PART).zip(x.par_chunks(PART));
    parts.for_each(|(y, x)| AutoArch::new().dispatch(Forward { kind, x, y }));
}

/// The error of `x` in place of that of `y`.
pub(super) fn backward(kind: Smooth, x: &[f32], dy: &mut [f32]) {
    let parts = dy.par_chunks_mut(PART).zip(x.par_chunks(PART));
    parts.for_each(|(dy, x)| AutoArch::new().dispatch(Backward { kind, x, dy }));
}

struct Forward<'a> {
    kind: Smooth,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let pairs = self.y.iter_mut().zip(self.x);
        match self.kind {
            Smooth::Gelu => pairs.for_each(|(y, &x)| *y = x * normal(x).0),
            Smooth::GeluTanh => pairs.for_each(|(y, &x)| *y = x * by_tanh(x).0),
            Smooth::Silu => pairs.for_each(|(y, &x)| *y = x / (1.0 + exp(-x))),
            Smooth::HardSwish => pairs.for_each(|(y, &x)| *y = x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        }
    }
}

struct Backward<'a> {
    kind: Smooth,
    x: &'a [f32],
    dy: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self) {
        let pairs = self.dy.iter_mut().zip(self.x);
        match self.kind {
            Smooth::Gelu => pairs.for_each(|(d, &x)| {
                let (share, density) = normal(x);
                *d *= share + x * density;
            }),
            Smooth::GeluTanh => pairs.for_each(|(d, &x)| {
                let (share, slope) = by_tanh(x);
                *d *= share + x * slope;
            }),
            Smooth::Silu => pairs.for_each(|(d, &x)| {
                let s = 1.0 / (1.0 + exp(-x));
                *d *= s * (1.0 + x * (1.0 - s));
            }),
            Smooth::HardSwish => pairs.for_each(|(d, &x)| {
                // PyTorch's sides at the kinks.
                let slope = if x <= -3.0 { 0.0 } else { x / 3.0 + 0.5 };
                *d *= if x >= 3.0 { 1.0 } else { slope };
            }),
        }
    }
}

/// The normal distribution's function and density.
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let gauss = exp(-0.5 * x * x);
    (0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2, gauss), gauss * 0.398_942_3)
}

/// `(1 + tanh u) / 2` and its slope, `u = sqrt(2/π) (x + 0.044715 x³)`.
#[inline(always)]
fn by_tanh(x: f32) -> (f32, f32) {
    const FACTOR: f32 = 0.797_884_6;
    // Beyond, the share is 0 or 1 in all its bits, and a square might overflow.
    let x = x.clamp(-12.0, 12.0);
    let square = x * x;
    let u = FACTOR * x * (1.0 + 0.044_715 * square);
    // (1 + tanh u) / 2 = 1 / (1 + e^(-2u)).
    let share = 1.0 / (1.0 + exp(-2.0 * u));
    (share, 2.0 * share * (1.0 - share) * FACTOR * (1.0 + 3.0 * 0.044_715 * square))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_out_is_the_identity_or_nothing() {
        for kind in [Smooth::Gelu, Smooth::GeluTanh, Smooth::Silu, Smooth::HardSwish] {
            for x in [100.0, 1e10, 1e25] {
                let (mut y, mut dy) = ([0.0; 2], [1.0; 2]);
                forward(kind, &[x, -x], &mut y);
                backward(kind, &[x, -x], &mut dy);
                assert_eq!((y, dy), ([x, 0.0], [1.0, 0.0]), "{kind:?} of {x}");
            }
        }
    }
}
