//! Recipes: whole systems, each a folder with a `model.toml` and the figure that it must reach.
//!
//! A recipe is `recipes/NAME/model.toml`, which `emberlite train` takes as it is, and beside it `recipe.toml`, which says
//! what to expect. Both are text that is packed into the program, so recipes need no checkout: [`Recipe::place`] writes them
//! into a folder, with the small tables they read, and that folder is a project like any other. In the repository
//! `host/recipes` is such a folder already.
//!
//! ```text
//! recipes/NAME/model.toml, recipe.toml  ->  place  ->  emberlite train  ->  figures  ->  verdicts  ->  record  ->  table
//! ```
//!
//! A recipe with `[searches]` runs searches of its description in place of the training; see [`compare`].
//!
//! Data that are too large to be packed come from `fetch.py`, which lies in the same folder.
//!
//! ```
//! use emberlite_host::recipes;
//!
//! let recipe = recipes::find("linear")?;
//! assert_eq!(recipe.expected.title, "Linear regression");
//! // Three predictions, MSE and RMSE.
//! assert_eq!(recipe.expected.expect.len(), 5);
//! assert!(recipes::find("lineer").unwrap_err().to_string().contains("linear"));
//! # Ok::<(), recipes::RecipeError>(())
//! ```

mod expected;
mod figures;
mod packed;
mod place;
mod record;
mod searches;
mod table;
mod today;

pub use expected::{Bound, Expectation, Expected, Quick, Searches};
pub use figures::{Outputs, Verdict, judge, outputs};
pub use packed::{Recipe, all, find};
pub use place::{Place, write_all};
pub(crate) use record::number;
pub use record::{Got, Record};
pub use searches::{Comparison, Keeping, SeedScores, compare};
pub use table::{BEGIN, END, Row, rows, table};
pub use today::{machine, today};

use std::path::PathBuf;
use thiserror::Error;

/// Why a recipe can't be had or judged.
#[derive(Debug, Error)]
pub enum RecipeError {
    /// There is no such recipe.
    #[error("no recipe `{name}`{hint}; `emberlite recipes` lists them")]
    Unknown {
        /// What was asked for.
        name: String,
        /// A name that is like it, as a half sentence.
        hint: String,
    },
    /// A file of a recipe isn't what it must be.
    #[error("{file}: {message}")]
    Text {
        /// The file.
        file: String,
        /// What is wrong, and where.
        message: String,
    },
    /// A file that would be overwritten isn't the recipe's any more.
    #[error("{}: isn't the recipe's any more", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A figure can't be computed from this model or these data.
    #[error("`{figure}`: {message}")]
    Figure {
        /// The figure.
        figure: String,
        /// Why not.
        message: String,
    },
    /// A search.
    #[error(transparent)]
    Search(#[from] crate::search::SearchError),
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] crate::export::FileError),
}
