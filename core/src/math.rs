//! The elementary functions, from one place, so that host and device use the same ones.
//!
//! `libm` on both sides: every function to within an ulp or so. The square root is correctly rounded, whether libm's or
//! the instruction of a processor that has one, so that both have the same bits. The feature `micromath` replaces the
//! square root alone, where that crate wins on cores without a square-root instruction, at a price: its result is off
//! by up to 6.1 % (never too small; measured over all exponents of normal numbers), which normalisations and Adam's denominators then are as well. It is
//! for parts where that matters less than the time: on a Cortex-M3, which has no FPU, a step of Adam takes 81 of 1,017
//! instructions less a parameter (`bench_mlp64_adam_micromath` beside `bench_mlp64_adam`, `firmware/golden/bench.m3.txt`).
//! The bits differ, so a simulation must be built with the same feature as the device; [`NAME`] says which it is.

pub use crate::kernel::{MATHS as NAME, ROOT_EXCESS as SQRT_EXCESS};

/// `e^x`.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    libm::expf(x)
}
/// The natural logarithm.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    libm::logf(x)
}
/// `ln(1 + x)`.
#[inline(always)]
pub fn ln_1p(x: f32) -> f32 {
    libm::log1pf(x)
}
/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    libm::tanhf(x)
}
/// The logistic function, without overflow for any finite `x`.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    if x >= 0.0 {
        1.0 / (1.0 + exp(-x))
    } else {
        let e = exp(x);
        e / (1.0 + e)
    }
}
/// The square root, correctly rounded; with micromath that of a normal number is up to [`SQRT_EXCESS`] times as large.
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    crate::kernel::square_root(x)
}
