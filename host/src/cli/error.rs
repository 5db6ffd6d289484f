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
use crate::study::{LogError, StudyError};
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
    #[error("{}{}", .0, search_flags(.0))]
    Search(#[from] SearchError),
    /// Training.
    #[error("{}{}", .0, train_flags(.0))]
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

/// What one can type where a run can't begin: the library doesn't know the program's flags.
fn train_flags(error: &TrainError) -> &'static str {
    match error {
        TrainError::Damaged { kept: None, .. } => "; a new run can replace it: --fresh",
        TrainError::Version { .. } => ", or let a new one replace it: --fresh",
        TrainError::Changed { .. } => ", or start anew with --fresh",
        TrainError::NothingToResume { .. } => ", or leave --resume out to start anew",
        TrainError::Unfinished { .. } => "; go on with it by --resume, or give it up by --fresh",
        TrainError::OnlyOlder { .. } => " and say --resume; to give them up, say --fresh",
        _ => "",
    }
}

/// The same of a search.
fn search_flags(error: &SearchError) -> &'static str {
    match error {
        SearchError::Train(error) => train_flags(error),
        SearchError::Log(error) | SearchError::Study(StudyError::Log(error)) => match error {
            LogError::Exists { .. } => {
                "; go on with --resume, replace them with --fresh, or give another folder with --run"
            }
            LogError::Nothing { .. } => ", or leave --resume out to start anew",
            LogError::Enough { .. } => ", by --trials",
            LogError::Foreign { .. } => ", replace it with --fresh, or give another folder with --run",
            LogError::Form { .. } | LogError::Other { .. } => {
                ", start anew with --fresh, or give another folder with --run"
            }
            _ => "",
        },
        _ => "",
    }
}

impl From<LoadError> for CliError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Data(error) | LoadError::Folds(error) => CliError::Data(error),
            LoadError::Spec(error) => CliError::Spec(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_states_facts_and_the_program_adds_its_flags() {
        let (dir, path) = (PathBuf::from("run"), PathBuf::from("run/checkpoint.safetensors"));
        let kept = PathBuf::from("run/checkpoint-3.safetensors");
        let damaged = |kept| TrainError::Damaged { path: path.clone(), reason: "it has 7 bytes".into(), kept };
        let errors = [
            (TrainError::NothingToResume { dir: dir.clone() }, "check its name, or leave --resume out to start anew"),
            (
                TrainError::Unfinished { dir: dir.clone(), epochs: 3, within: 0 },
                "of 3 epochs, and a new one would replace it; go on with it by --resume, or give it up by --fresh",
            ),
            (
                TrainError::OnlyOlder { dir, newest: kept.clone() },
                "rename run/checkpoint-3.safetensors to checkpoint.safetensors and say --resume; to give them up, say \
                 --fresh",
            ),
            (damaged(None), "is damaged: it has 7 bytes; a new run can replace it: --fresh"),
            (
                damaged(Some(kept)),
                "7 bytes; to go on from the one before, rename run/checkpoint-3.safetensors to checkpoint.safetensors",
            ),
            (
                TrainError::Version { path: path.clone(), version: 2, reads: 3 },
                "is of an older program: it has version 2, this one reads 3; finish the run with that program, or let a new \
                 one replace it: --fresh",
            ),
            (
                TrainError::Changed { path, changes: "the seed (1, now 2)".into() },
                "a change of the seed (1, now 2); undo the change, or start anew with --fresh",
            ),
        ];
        for (error, expected) in errors {
            assert!(!error.to_string().contains("--"), "{error}");
            let said = CliError::from(error).to_string();
            assert!(said.ends_with(expected), "{said}");
        }
        let path = PathBuf::from("run/trials.jsonl");
        for (error, expected) in [
            (LogError::Exists { path: path.clone(), trials: 2, changes: None }, "or give another folder with --run"),
            (LogError::Nothing { path: path.clone() }, "check the folder, or leave --resume out to start anew"),
            (
                LogError::Other { path, changes: Vec::new() },
                "change that back, start anew with --fresh, or give another folder with --run",
            ),
        ] {
            assert!(!error.to_string().contains("--"), "{error}");
            let said = CliError::from(SearchError::Log(error)).to_string();
            assert!(said.ends_with(expected), "{said}");
        }
    }
}
