//! The elementary functions, from one place, so that host and device use the same ones.
//!
//! `libm` on both sides. With the feature `micromath` the square root, where that crate was measured to win on cores
//! without a square-root instruction, comes from there; both ends of a link must then be built with it, since the bits
//! differ.

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
/// The square root, correctly rounded (libm) or to about 1 in 2^23 (micromath).
#[inline(always)]
pub fn sqrt(x: f32) -> f32 {
    #[cfg(not(feature = "micromath"))]
    return libm::sqrtf(x);
    #[cfg(feature = "micromath")]
    return micromath::F32(x).sqrt().0;
}
/// The cosine, for schedules.
#[inline(always)]
pub fn cos(x: f32) -> f32 {
    libm::cosf(x)
}
/// `base^exponent`, for schedules.
#[inline(always)]
pub fn pow(base: f32, exponent: f32) -> f32 {
    libm::powf(base, exponent)
}
