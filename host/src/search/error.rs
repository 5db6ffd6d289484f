//! Why a search can't begin or go on.

use thiserror::Error;

use crate::data::DataError;
use crate::spec::{LoadError, SpecError};
use crate::study::{LogError, StudyError};
use crate::train::TrainError;

/// An error of a search or a cross-validation as a whole; a trial's own is in its line of the table.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The description.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Training, where there is only one to be done.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The search.
    #[error(transparent)]
    Study(#[from] StudyError),
    /// The file of trials.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<LoadError> for SearchError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Data(error) | LoadError::Folds(error) => SearchError::Data(error),
            LoadError::Spec(error) => SearchError::Spec(error),
        }
    }
}
