//! Innermost loops on slices.
//!
//! `portable` is the reference: plain Rust, always compiled, generic over the number format. Instruction-set kernels
//! stand beside it in folders of their own with the same function names, and this file selects; `build.rs` says what
//! the target has. Every kernel states the order of its sums, which is part of its contract: a replacement gives the
//! same bits. Folders don't know each other: what a folder doesn't have goes to `portable`.

#[cfg(kernel_dsp)]
#[allow(unsafe_code)]
mod arm_dsp;
#[cfg(kernel_vfp)]
#[allow(unsafe_code)]
mod arm_vfp;
#[cfg(kernel_dsp)]
mod by_format;
#[cfg(feature = "micromath")]
mod micromath;
pub mod portable;

#[cfg(kernel_vfp)]
use arm_vfp as selected;
#[cfg(not(kernel_vfp))]
use portable as selected;

/// Where the elementary functions come from: `libm`, or `micromath` for the square root.
#[cfg(not(feature = "micromath"))]
pub const MATHS: &str = "libm";
/// Where the elementary functions come from: `libm`, or `micromath` for the square root.
#[cfg(feature = "micromath")]
pub const MATHS: &str = "micromath";

/// The most by which [`square_root`] is too large, as a factor; but for a rounding it is never too small.
#[cfg(not(feature = "micromath"))]
pub const ROOT_EXCESS: f32 = 1.0;
// micromath's root has other bits, and so has every step that takes one.
#[cfg(feature = "micromath")]
pub use self::micromath::{ROOT_EXCESS, adam, square_root};
#[cfg(not(feature = "micromath"))]
pub use selected::{adam, square_root};

#[cfg(kernel_dsp)]
pub use by_format::matrix_vector;
#[cfg(not(kernel_dsp))]
pub use selected::matrix_vector;

pub use portable::{
    AdamStep, Geometry, error_to_squares, gather, gather_products, gather_transposed, largest_in_squares, mac, mac4,
    slide1,
};
pub use selected::{correlate_rows, descend, descend_rows, matrix_vector_transposed, slide4};
