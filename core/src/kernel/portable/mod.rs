//! The reference kernels: plain loops over slices, no bounds that can panic, no allocation.

mod linear;
mod mac;
mod patch;

pub use linear::{matrix_vector, matrix_vector_transposed};
pub use mac::{mac, mac4};
pub use patch::{Geometry, gather, gather_transposed};
