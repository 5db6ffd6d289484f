//! Searching for the best of many candidates: a space, samplers, pruning, parallel trials, a file to go on from.
//!
//! Nothing here knows of models: [`crate::search`] makes candidates of a description's text and trains them.
//!
//! ```
//! use emberlite_host::study::{Candidate, Direction, Distribution, Method, Parameter, Space, Study, Tpe, ranking};
//! use std::sync::atomic::AtomicBool;
//!
//! let real = Distribution::Real { low: -5.0, high: 5.0, step: None, log: false };
//! let parameter = |path: &str| Parameter { path: path.into(), distribution: real.clone(), points: None, when: vec![] };
//! let space = Space { parameters: vec![parameter("x"), parameter("y")] };
//! let study = Study {
//!     space: &space,
//!     method: Method::Tpe(Tpe::default()),
//!     direction: Direction::Minimize,
//!     trials: 100,
//!     seed: 1,
//!     parallel: 2,
//!     pruning: None,
//! };
//! let bowl = |candidate: &Candidate<'_>| {
//!     let [x, y] = ["x", "y"].map(|path| candidate.number_at(path).unwrap_or(f64::NAN));
//!     Ok((x - 1.0).powi(2) + (y + 2.0).powi(2))
//! };
//! let trials = study.run(Vec::new(), &bowl, &mut |_| Ok(()), &AtomicBool::new(false))?;
//! // A random point is 8.3 + 8.3 + 1 + 4 = 21.7 away on average.
//! assert!(ranking(&trials, Direction::Minimize)[0].score < Some(0.2));
//! # Ok::<(), emberlite_host::study::StudyError>(())
//! ```

mod dice;
mod log;
mod parzen;
mod prune;
mod run;
mod space;
mod startup;
mod tpe;
mod trial;

#[cfg(test)]
mod tests;

pub use log::{Change, FORM, Identity, Log, LogError};
pub use prune::Pruning;
pub use run::{Candidate, MOST_PARALLEL, MOST_REFUSED, Method, Objective, Progress, Score, Study, StudyError};
pub use space::{Condition, Distribution, Parameter, Point, Space};
pub use startup::Startup;
pub use tpe::Tpe;
pub use trial::{Direction, Price, State, Trial, deviation, mean, ranking, refused_last};

pub(crate) use trial::placed;
