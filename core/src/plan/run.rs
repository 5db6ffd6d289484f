//! The planning itself, in order: shapes, who needs what, lifetimes, places, totals.

use super::arena;
use super::assemble::assemble;
use super::error::{PlanError, PlanErrorKind};
use super::lifetimes::lifetimes;
use super::settings::Training;
use super::shapes::{check_settings, shapes};
use super::sharing::share_memory;
use super::step::Plan;
use super::value::MAX_ELEMENTS;
use crate::graph::Graph;

/// Plans a graph: for training with `Some` settings (then the input must be kept by the caller during a step), for
/// prediction alone with `None` (every parameter stays in flash).
///
/// `N` is the most nodes the plan can hold. Costs about `25 N²` steps of buffer comparison.
pub const fn plan<const N: usize>(graph: &Graph<'_>, training: Option<&Training>) -> Result<Plan<N>, PlanError> {
    let n = graph.nodes.len();
    if n == 0 {
        return Err(PlanError::general(PlanErrorKind::Empty));
    }
    if n > N || n > 250 {
        return Err(PlanError::general(PlanErrorKind::TooManyNodes {
            limit: if N > 250 { 250 } else { N as u32 },
            got: n as u32,
        }));
    }
    if graph.input.rank() == 0 || graph.input.elements() == 0 || graph.input.elements() > MAX_ELEMENTS {
        return Err(PlanError::general(PlanErrorKind::InputShape));
    }
    let mut values = match shapes::<N>(graph, training) {
        Ok(values) => values,
        Err(e) => return Err(e),
    };
    if let Some(settings) = training
        && let Err(e) = check_settings(graph, settings, &values, n)
    {
        return Err(e);
    }
    share_memory(graph, &mut values);
    let buffers = lifetimes(graph, &mut values, training.is_some());
    let (buffers, height) = arena::place(&buffers, 2 * n as u32 + 1);
    let live = arena::live_peak(&buffers, 2 * n as u32 + 1);
    Ok(assemble(graph, training, &values, &buffers, height, live))
}
