//! Learning and predicting: the types that a user meets.
//!
//! [`Learner`] is for a model known at compile time: it owns its memory, its inputs and outputs are typed by shape,
//! and it links only what the model uses. [`Engine`] is the same thing over borrowed memory, for a model that is known
//! at run time (the host's simulation, a model that comes over the air); the learner is a thin shell around it.

mod engine;
mod initialize;
mod load;
mod macros;
mod metrics;
mod model;
mod normalise;
mod report;
mod save;
mod self_check;
mod static_learner;

pub use engine::{Engine, Status};
pub use load::LoadError;
pub use metrics::Metrics;
pub use model::Model;
pub use normalise::Normalisation;
pub use report::{Evaluation, INPUT_LIMIT, LearnError, Outcome, Progress, StepReport};
pub use save::{SaveError, saved_len};
pub use self_check::SelfCheckError;
pub use static_learner::Learner;
