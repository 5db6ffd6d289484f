//! The one file, on the host: made from trained parameters, read back, converted, described.

mod file;
mod inspect;

pub use file::{Bytes, FileError, write};
pub use inspect::{inspect, metadata};
