//! A model known at compile time.

use crate::executor::Linked;
use crate::graph::Graph;
use crate::number::Number;
use crate::plan::{PlanView, Training};
use crate::tensor::Values;

/// What [`model!`](crate::model) makes of a description: types and constants, no values.
pub trait Model: Linked {
    /// The number format.
    type Number: Number;
    /// One input sample, typed by shape.
    type Input: Values<<Self::Number as Number>::Value>;
    /// One output, typed by shape.
    type Output: Values<<Self::Number as Number>::Value>;
    /// The arena: `[u32; PLAN.words()]`.
    type Memory: AsRef<[u32]> + AsMut<[u32]>;

    /// The arena, all zeros.
    const EMPTY: Self::Memory;
    /// The graph.
    const GRAPH: Graph<'static>;
    /// Its plan.
    const PLAN: PlanView<'static>;
    /// How it learns; `None` if it only predicts.
    const TRAINING: Option<&'static Training>;
}
