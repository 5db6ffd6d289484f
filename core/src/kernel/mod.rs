//! Innermost loops on slices.
//!
//! `portable` is the reference: plain Rust, always compiled, generic over the number format. Instruction-set kernels
//! stand beside it in folders of their own with the same function names, and this file selects; `build.rs` says what
//! the target has. Every kernel states the order of its sums, which is part of its contract: a replacement gives the
//! same bits.

#[cfg(kernel_arm)]
#[allow(unsafe_code)]
mod arm_dsp;
#[cfg(kernel_arm)]
#[allow(unsafe_code)]
mod arm_vfp;
#[cfg(feature = "micromath")]
mod micromath;
pub mod portable;

#[cfg(kernel_arm)]
use arm_vfp as selected;
#[cfg(not(kernel_arm))]
use portable as selected;

/// Where the elementary functions come from: `libm`, or `micromath` for the square root.
#[cfg(not(feature = "micromath"))]
pub const MATHS: &str = "libm";
/// Where the elementary functions come from: `libm`, or `micromath` for the square root.
#[cfg(feature = "micromath")]
pub const MATHS: &str = "micromath";
// micromath's root has other bits, and so has every step that takes one.
#[cfg(feature = "micromath")]
pub use self::micromath::square_root;
#[cfg(feature = "micromath")]
pub use portable::adam;
#[cfg(not(feature = "micromath"))]
pub use selected::{adam, square_root};

pub use portable::{
    AdamStep, Geometry, error_to_squares, gather, gather_products, gather_transposed, largest_in_squares, mac, mac4,
    slide1,
};
pub use selected::{correlate_rows, descend, descend_rows, matrix_vector, matrix_vector_transposed, slide4};
