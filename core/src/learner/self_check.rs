//! Whether this device computes what the file's maker computed.

use super::engine::Engine;
use super::load::view;
use super::report::LearnError;
use crate::executor::Linked;
use crate::image::{Image, Kind, MODEL, Name};
use crate::number::Number;

/// Why a self-check failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SelfCheckError {
    /// The parameters are from no file, or from one without this tensor: files that a device saved have none.
    Missing {
        /// [`Kind::GoldenInput`] or [`Kind::GoldenOutput`].
        kind: Kind,
    },
    /// Parameters were updated since they were loaded, so that the output may be another.
    Learnt {
        /// Updates since.
        updates: u32,
    },
    /// The prediction was refused.
    Predict(LearnError),
    /// The output has another number of elements than the file's.
    Length {
        /// The model's.
        needed: u32,
        /// The file's.
        got: u32,
    },
    /// An element of the output has other bits than the file's.
    Differs {
        /// The first such element.
        index: u32,
    },
}

impl core::fmt::Display for SelfCheckError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            SelfCheckError::Missing { kind } => {
                write!(f, "no file with a tensor {} is loaded", Name { node: MODEL, kind })
            }
            SelfCheckError::Learnt { updates } => {
                write!(f, "{updates} updates since the file was loaded: check before learning")
            }
            SelfCheckError::Predict(e) => write!(f, "{e}"),
            SelfCheckError::Length { needed, got } => {
                write!(f, "the file's golden output has {got} elements, the model's output {needed}")
            }
            SelfCheckError::Differs { index } => {
                write!(f, "output element {index} has other bits than the file's golden output: is the ")?;
                f.write_str("library built with the same features?")
            }
        }
    }
}

impl core::error::Error for SelfCheckError {}

impl<'a, 'w: 'a, N: Number, L: Linked> Engine<'a, 'w, N, L> {
    /// Predicts the file's golden input and compares with its golden output, bit for bit, in either format: for use at
    /// install, after [`Engine::load`] and before the first update.
    ///
    /// Costs a prediction and the file's checksum.
    ///
    /// # Errors
    /// [`SelfCheckError`], with the first element that differs.
    pub fn self_check(&mut self) -> Result<(), SelfCheckError> {
        let file = self.status.image.and_then(|image| Image::open(image).ok());
        let golden = |kind| {
            let tensor = file.as_ref().and_then(|file| file.tensor(MODEL, kind));
            tensor.and_then(|tensor| view::<N>(&tensor)).ok_or(SelfCheckError::Missing { kind })
        };
        let (input, expected) = (golden(Kind::GoldenInput)?, golden(Kind::GoldenOutput)?);
        let updates = self.progress().updates.wrapping_sub(file.as_ref().map_or(0, Image::step));
        if updates > 0 {
            return Err(SelfCheckError::Learnt { updates });
        }
        let output = self.predict(input).map_err(SelfCheckError::Predict)?;
        let (needed, got) = (output.len() as u32, expected.len() as u32);
        if needed != got {
            return Err(SelfCheckError::Length { needed, got });
        }
        // Values are f32 or i16, so equal bytes are equal bits.
        let same = |(a, b): (&N::Value, &N::Value)| bytemuck::bytes_of(a) == bytemuck::bytes_of(b);
        match output.iter().zip(expected).position(|pair| !same(pair)) {
            Some(index) => Err(SelfCheckError::Differs { index: index as u32 }),
            None => Ok(()),
        }
    }
}
