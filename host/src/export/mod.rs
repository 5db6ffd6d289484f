//! The one file, on the host: made from trained parameters, read back, converted, described.

mod constants;
mod convert;
mod device;
mod encode;
mod file;
mod import;
mod inspect;
mod normalisation;
pub(crate) mod part_file;
mod seal;
mod state;
mod tensors;

pub use constants::in_words;
pub use convert::{ConvertError, convert, plain};
pub use device::Device;
pub use encode::{Export, ExportError, Weights, encode};
pub use file::{Bytes, FileError, write};
pub use import::{ImportError, Imported, import, import_file};
pub use inspect::{inspect, metadata};
#[cfg(test)]
pub(crate) use normalisation::normalisation;
pub use normalisation::{NormalisationError, standardise};
pub use seal::{Trained, seal};
pub use state::{StateTensor, pytorch_file, state_dict, state_file};
pub use tensors::{ShapeError, parameters};
