//! Kernels in f32 for Cortex-M4F and M7, in assembly.
//!
//! Compilers load one register at a time here, even where addresses follow each other: a dense loop in Rust takes 3.0
//! instructions a MAC. Load-multiple brings eight values at once and so it takes 1.3. `VMLA` and `VMLS` round the
//! product and the sum, each to f32, as `*` and `+` do, so that every kernel has the bits of its portable twin; the
//! fused `VFMA` rounds once and is of no use. Compilers choose `VMLA` as well. By Cortex-M4's timing table it takes 3
//! cycles where `VMUL` and `VADD` take one each: in their place the matrix kernel would need 112 cycles for 32 MACs and
//! not 144, but 71 instructions and not 39.
//!
//! Assembly gets pointers and counts, because it can take no operand in a floating-point register on this target.
//! Formats but f32 go to the portable kernels, where the selector doesn't know better. Every
//! block of `unsafe` runs over memory that slices vouch for; each names the lengths that it relies on. The program
//! `kernels` of the tests compares all of them with their twins.

// Of no use where another root is asked for.
#[cfg(not(feature = "micromath"))]
mod adam;
mod correlate;
mod descend;
mod linear;
#[cfg(not(feature = "micromath"))]
mod root;
mod slide;
mod window;

#[cfg(not(feature = "micromath"))]
pub use adam::adam;
pub use correlate::correlate_rows;
pub use descend::{descend, descend_rows};
pub use linear::{matrix_vector, matrix_vector_transposed};
#[cfg(not(feature = "micromath"))]
pub use root::square_root;
pub use slide::slide4;
