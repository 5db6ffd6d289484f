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
//! The search itself (samplers, pruning, parallel trials, the file of trials) is the room [`crate::study`], whose names are
//! here, too. Trials at the same time share the processor's threads; how many there are changes no result, as long as the
//! number of the machine's threads stays the same (see [`crate::train`]).

mod description;
pub mod document;
mod error;
mod fit;
mod judge;
mod objective;
mod prices;
mod run;

pub use crate::study::*;
pub use description::Description;
pub use error::SearchError;
pub use fit::{AfterEpoch, Prepared, fit};
pub use judge::Judge;
pub use objective::Training;
pub use prices::{Priced, prices};
pub use run::{Options, Searched};
