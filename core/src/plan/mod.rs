//! The planner: `(Graph, Training)` to a [`Plan`], one `const fn` that runs inside rustc, on the host and on the device.
//!
//! Time is a line of `2n + 1` moments for `n` nodes: node `i` runs forward at moment `i`, the loss at `n`, node `i`
//! backward at `2n - i`. Every buffer lives over an interval of that line; buffers whose intervals meet get different
//! places in one arena, others may share. What decides the intervals:
//!
//! - elementwise operations and `flatten` work in the memory of their input where nobody else needs it;
//! - an input is kept until its layer's backward moment only if a weight gradient (or a normalisation) needs it, so a
//!   frozen prefix keeps nothing and the graph's own input, which the caller owns, is never copied;
//! - rectifiers keep one bit per element, or nothing where the next layer keeps their output anyway;
//! - errors pass through elementwise operations in place and are freed by the layer that consumes them;
//! - a gradient is stored only where a mini-batch or the global norm needs it whole.
//!
//! Placement tries four orders (by size, by life, by birth, by size times life), first fit, and takes the best. The
//! [`Summary`] also holds the sum of what is live at the worst moment, the bound that no placement can beat.

mod arena;
mod assemble;
mod compile;
mod error;
#[cfg(all(test, feature = "host"))]
mod host_tests;
mod lifetimes;
mod run;
mod settings;
mod shapes;
mod sharing;
mod step;
mod value;

pub use compile::{check_budget, losses, operations, optimizers, plan_or_panic, schedule};
pub use error::{PlanError, PlanErrorKind, panic};
pub use run::plan;
pub use settings::Training;
pub use step::{Dx, Errors, Parameter, Place, Plan, PlanView, Region, Step, Summary};
