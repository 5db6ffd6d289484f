//! The reference kernels: plain loops over slices, no bounds that can panic, no allocation.

mod adam;
mod correlate;
mod descend;
mod linear;
mod mac;
mod patch;
mod root;
mod slide;
mod squares;

pub use adam::{AdamStep, adam, adam_by};
pub use correlate::{correlate_rows, gather_products};
pub use descend::{descend, descend_rows};
pub use linear::{matrix_vector, matrix_vector_transposed};
pub use mac::{mac, mac4};
pub use patch::{Geometry, gather, gather_transposed};
pub use root::square_root;
pub use slide::{slide1, slide4};
pub use squares::{error_to_squares, largest_in_squares};
