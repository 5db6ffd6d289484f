//! Why a command failed: one message, and nothing else.

use std::io;
use std::path::PathBuf;

use emberlite::image::ImageError;
use thiserror::Error;

use crate::data::DataError;
use crate::export::{ExportError, FileError};
use crate::search::SearchError;
use crate::simulate::SimulateError;
use crate::spec::{LoadError, SpecError};
use crate::train::TrainError;

/// The failure of a command.
#[derive(Debug, Error)]
pub enum CliError {
    /// `model.toml`.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A simulation.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// A search or a cross-validation.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A file can't be made.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A model's file.
    #[error("{}: {}", path.display(), image(error))]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: ImageError,
    },
    /// Ctrl-C, in one sentence that says how to go on.
    #[error("{0}")]
    Interrupted(String),
    /// Anything else, in one sentence.
    #[error("{0}")]
    Message(String),
    /// The result can't be printed.
    #[error("can't write the result: {0}")]
    Output(#[from] io::Error),
}

/// What is wrong with a model's file, in words.
fn image(error: &ImageError) -> String {
    match error {
        ImageError::Length { got: 0, .. } => "the file is empty; save it again, or fetch it again".into(),
        error => error.to_string(),
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Data(error) => CliError::Data(error),
            LoadError::Spec(error) => CliError::Spec(error),
        }
    }
}
