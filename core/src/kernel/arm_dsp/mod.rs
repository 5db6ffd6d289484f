//! Kernels in 16-bit fixed point for cores with the DSP extension (Cortex-M4 and M7, with or without FPU), in assembly.
//!
//! `SMLALD` adds two products of 16 bits to a 64-bit sum, which compilers don't form from Rust: 1.5 instructions a MAC
//! where the portable loop takes 7. Sums are exact, so any order has the same bits.
//!
//! Formats but fixed point go to the portable kernels. The program `kernels` of the tests compares with their twins.

mod linear;

pub use linear::matrix_vector;
