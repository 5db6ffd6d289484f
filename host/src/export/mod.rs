//! The one file, on the host: made from trained parameters, read back, converted, described.

mod convert;
mod device;
mod encode;
mod file;
mod import;
mod inspect;
mod seal;
mod tensors;

pub use convert::{ConvertError, convert, plain};
pub use device::Device;
pub use encode::{Export, ExportError, Weights, encode};
pub use file::{Bytes, FileError, write};
pub use import::{ImportError, Imported, import};
pub use inspect::{inspect, metadata};
pub use seal::{Trained, seal};
#[cfg(test)]
pub(crate) use tensors::normalisation;
pub use tensors::{ShapeError, parameters, standardise};
