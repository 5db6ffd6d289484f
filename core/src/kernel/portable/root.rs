//! The square root.

/// The square root, correctly rounded: every implementation has the same bits. 52 instructions on Cortex-M4.
#[inline(always)]
pub fn square_root(x: f32) -> f32 {
    libm::sqrtf(x)
}
