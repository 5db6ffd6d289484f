//! Innermost loops on slices.
//!
//! `portable` is the reference: plain Rust, always compiled, generic over the number format. Instruction-set kernels
//! will stand beside it in folders of their own with the same function names; this file selects. Every kernel states
//! the order of its sums, which is part of its contract: a replacement must give the same bits.

pub mod portable;

pub use portable::{
    Geometry, correlate_row, gather, gather_products, gather_transposed, mac, mac4, matrix_vector,
    matrix_vector_transposed, slide1, slide4,
};
