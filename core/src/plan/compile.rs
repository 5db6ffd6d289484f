//! Planning inside rustc: checks that end compilation, and what a model must link.

use super::error::{PlanError, PlanErrorKind, panic};
use super::{Plan, Training, plan};
use crate::graph::Graph;
use crate::loss::LossSet;
use crate::op::OpSet;
use crate::optimizer::{OptimizerSet, Schedule};
use crate::shape::Shape;

/// The error of a plan that exceeds `budget` bytes of arena.
pub const fn check_budget<const N: usize>(plan: &Plan<N>, budget: u32) -> Result<(), PlanError> {
    let s = &plan.summary;
    let needed = s.arena_bytes();
    if needed <= budget {
        return Ok(());
    }
    Err(PlanError::general(PlanErrorKind::Memory {
        needed,
        parameters: s.parameter_bytes,
        state: s.state_bytes,
        gradients: s.gradient_bytes,
        working: s.working_bytes,
        budget,
    }))
}

/// Plans a static model, or ends compilation with the mistake's text.
pub const fn plan_or_panic<const N: usize>(
    graph: &Graph<'_>,
    training: Option<&Training>,
    output: Shape,
    budget: u32,
) -> Plan<N> {
    let plan = match plan::<N>(graph, training) {
        Ok(plan) => plan,
        Err(e) => panic(e),
    };
    if plan.summary.outputs != output.elements() {
        let kind = PlanErrorKind::Output { declared: output.elements(), outputs: plan.summary.outputs };
        panic(PlanError::general(kind));
    }
    match check_budget(&plan, budget) {
        Ok(()) => plan,
        Err(e) => panic(e),
    }
}

/// The operations of a graph.
pub const fn operations(graph: &Graph<'_>) -> OpSet {
    let (mut set, mut i) = (OpSet::NONE, 0);
    while i < graph.nodes.len() {
        set = set.with(&graph.nodes[i].op);
        i += 1;
    }
    set
}

/// The loss of some settings.
pub const fn losses(training: Option<&Training>) -> LossSet {
    match training {
        Some(t) => LossSet::NONE.with(&t.loss),
        None => LossSet::NONE,
    }
}

/// The schedule of some settings.
pub const fn schedule(training: Option<&Training>) -> Option<Schedule> {
    match training {
        Some(t) => Some(t.schedule),
        None => Some(Schedule::CONSTANT),
    }
}

/// The optimizer of some settings.
pub const fn optimizers(training: Option<&Training>) -> OptimizerSet {
    match training {
        Some(t) => OptimizerSet::NONE.with(&t.optimizer),
        None => OptimizerSet::NONE,
    }
}
