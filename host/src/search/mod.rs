//! Search: which values of a description give the best model that fits the device.
//!
//! ```text
//! model.toml with [search]  ->  candidates (values by path)  ->  text, spec, price  ->  training  ->  score  ->  best model.toml
//! ```
//!
//! A candidate is the description's own text with some values changed, so it passes the same checks, and the best one can
//! be written out, comments and all. The planner prices it before it is trained: what doesn't fit `[device]` or
//! `[search.budget]`, or isn't valid, is refused, kept with its reason, and doesn't count as a trial. A candidate is trained
//! as `emberlite train` would train it, from the same seed, and its score is the figure of the parameters that training
//! keeps: training the best description gives that score again, bit for bit on the CPU.
//!
//! ```toml
//! [search]
//! method = "tpe"                      # grid, random, tpe; or { name = "tpe", startup_trials = 6, startup = "latin_hypercube",
//!                                     # candidates = 24, multivariate = true }; startup: or "random"
//! trials = 50                         # beyond those that are refused
//! seed = 0
//! metric = "validation_accuracy"      # default: validation_loss
//! folds = 5                           # cross-validated; or a table as in `[data]`
//! parallel = 2                        # trials at the same time
//! pruning = "median"                  # none, median, successive_halving; or { name = "median", startup_trials = 5, warmup_steps = 0 },
//!                                     # { name = "successive_halving", minimum_steps = 1, reduction_factor = 4 }
//!
//! [search.budget]                     # beside that of [device]
//! ram = "16 KiB"
//! flash = "32 KiB"
//! macs = 100000                       # of a prediction
//!
//! [search.space]                      # paths in this file; layers by index or name
//! "training.optimizer.learning_rate" = { log_uniform = [1e-4, 1e-1], points = 4 }    # points: for a grid
//! "training.optimizer.name" = { choice = ["sgd", "adam"] }
//! "training.optimizer.momentum" = { uniform = [0.0, 0.9], step = 0.1, when = { "training.optimizer.name" = "sgd" } }
//! "model.layers.0.outputs" = { int = [8, 64], step = 8 }                            # or log_int
//! "training.batch" = { choice = [8, 16, 32] }
//! ```
//!
//! A range may have `points` (for a grid), a parameter `when` it varies (other parameters above it with their values). A path may
//! name a key that isn't written; an item of a list is named by its index or its `name`. With `folds` the score is the mean over
//! folds, each judged by the last epoch of a model fitted on the rest, and pruning looks at the mean after each fold instead of
//! each epoch.
//!
//! The search itself (samplers, pruning, parallel trials, the file of trials) is the room [`crate::study`], whose names are
//! here, too. Trials at the same time share the processor's threads; how many there are changes no result, as long as the
//! number of the machine's threads stays the same (see [`crate::train`]).

mod cross_validation;
mod description;
pub mod document;
mod error;
mod fit;
mod identity;
mod judge;
mod objective;
mod prices;
mod run;
#[cfg(test)]
mod tests;

pub use crate::study::*;
pub use cross_validation::{CrossValidation, FoldScore, cross_validate, one_fold};
pub use description::Description;
pub use error::SearchError;
pub use fit::{AfterEpoch, Prepared, fit};
pub use judge::Judge;
pub use objective::Training;
pub use prices::{Priced, prices};
pub use run::{Options, SearchEvent, Searched};
