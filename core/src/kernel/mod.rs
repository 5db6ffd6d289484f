//! Innermost loops on slices.
//!
//! `portable` is the reference: plain Rust, always compiled, generic over the number format. Instruction-set kernels
//! stand beside it in folders of their own with the same function names, and this file selects; `build.rs` says what the
//! target has. Every kernel states the order of its sums, which is part of its contract: a replacement gives the same bits.

#[cfg(kernel_arm_vfp)]
#[allow(unsafe_code)]
mod arm_vfp;
pub mod portable;

#[cfg(kernel_arm_vfp)]
use arm_vfp as selected;
#[cfg(not(kernel_arm_vfp))]
use portable as selected;

pub use portable::{Geometry, gather, gather_products, gather_transposed, mac, mac4, slide1};
pub use selected::{
    correlate_rows, descend, descend_rows, matrix_vector, matrix_vector_transposed, slide4, square_root,
};
