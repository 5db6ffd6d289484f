//! The first stage: shapes, who reads whom, what is trained; and the checks of the training settings.

use super::error::{PlanError, PlanErrorKind};
use super::settings::Training;
use super::value::{INPUT, MAX_ELEMENTS, Value, has_trained, read, shape_of};
use crate::graph::Graph;
use crate::op::{Facts, Op, OpError};
use crate::shape::Shape;

/// The most words of everything together: bytes stay inside `u32`.
const MAX_WORDS: u64 = 1 << 29;

/// What a node can take at most: parameters with state and gradient, running statistics twice, output and error, what is
/// saved, scratch.
const fn most_words(facts: &Facts) -> u64 {
    let [weight, bias, mean, variance] = facts.parameters;
    let parameters = weight as u64 + bias as u64;
    let scratch = facts.scratch_forward as u64 + facts.scratch_error as u64 + facts.scratch_gradient as u64;
    let own = 2 * (mean as u64 + variance as u64) + facts.keep.words as u64 + scratch;
    4 * parameters + 3 * facts.output.elements() as u64 + own + 8
}

pub(super) const fn shapes<const N: usize>(
    graph: &Graph<'_>,
    training: Option<&Training>,
) -> Result<[Value; N], PlanError> {
    let unknown = Value {
        facts: Facts::plain(Shape::d1(0)),
        consumers: 0,
        needs_error: false,
        root: INPUT,
        overwritten: false,
        error_root: INPUT,
        scale: 0,
        in_place: false,
        reads_output: false,
    };
    let mut values = [unknown; N];
    let n = graph.nodes.len();
    let (mut i, mut total) = (0, 0);
    while i < n {
        let node = &graph.nodes[i];
        let name = node.op.name();
        if let Op::Host(op) = node.op {
            return Err(PlanError::at(i, name, PlanErrorKind::HostOnly { op }));
        }
        if !node.op.exists_in(graph.format) {
            let missing = PlanErrorKind::NotInFormat { what: name, format: graph.format.name() };
            return Err(PlanError::at(i, name, missing));
        }
        let mut needs_error = false;
        let mut k = 0;
        while k < node.op.inputs() {
            let value = read(graph, i, k);
            if value > i {
                return Err(PlanError::at(i, name, PlanErrorKind::Source { node: (value - 1) as u8 }));
            }
            if value > 0 {
                values[value - 1].consumers += 1;
                needs_error = needs_error || values[value - 1].needs_error;
            }
            k += 1;
        }
        let x = shape_of(graph, &values, read(graph, i, 0));
        let x2 = if node.op.inputs() == 2 { shape_of(graph, &values, read(graph, i, 1)) } else { x };
        let facts = match node.op.facts(x, x2) {
            Ok(facts) => facts,
            Err(e) => return Err(PlanError::at(i, name, PlanErrorKind::Operation(e))),
        };
        let too_large = facts.output.elements() == 0
            || facts.output.elements() > MAX_ELEMENTS
            || facts.parameters[0] > MAX_ELEMENTS
            || facts.scratch_backward_words() > MAX_ELEMENTS;
        if too_large {
            return Err(PlanError::at(i, name, PlanErrorKind::Operation(OpError::TooLarge)));
        }
        let has_trained = has_trained(node, &facts);
        if training.is_some()
            && has_trained
            && let Err(e) = node.op.check_trained(x)
        {
            return Err(PlanError::at(i, name, PlanErrorKind::Operation(e)));
        }
        total += most_words(&facts);
        if total > MAX_WORDS {
            return Err(PlanError::at(i, name, PlanErrorKind::TooLarge));
        }
        values[i].facts = facts;
        values[i].needs_error = training.is_some() && (needs_error || has_trained);
        i += 1;
    }
    let mut i = 0;
    while i + 1 < n {
        if values[i].consumers == 0 {
            return Err(PlanError::at(i, graph.nodes[i].op.name(), PlanErrorKind::Unused));
        }
        i += 1;
    }
    Ok(values)
}

pub(super) const fn check_settings<const N: usize>(
    graph: &Graph<'_>,
    t: &Training,
    values: &[Value; N],
    n: usize,
) -> Result<(), PlanError> {
    let format = graph.format;
    let missing = if !t.loss.exists_in(format) {
        t.loss.name()
    } else if !t.optimizer.exists_in(format) {
        t.optimizer.name()
    } else if !t.schedule.exists_in(format) {
        "this schedule"
    } else if !t.clip.exists_in(format) {
        "clipping by the global norm"
    } else {
        ""
    };
    if !missing.is_empty() {
        return Err(PlanError::general(PlanErrorKind::NotInFormat { what: missing, format: format.name() }));
    }
    let checks = [
        t.loss.check(),
        t.optimizer.check_in(format),
        t.schedule.check(),
        t.clip.check(),
        t.penalty.check_in(format),
        if t.batch >= 1 && t.batch <= 65536 { Ok(()) } else { Err("batch must be 1 to 65536") },
        if matches!(format, crate::number::Format::F32) || t.batch.is_power_of_two() {
            Ok(())
        } else {
            Err("batch must be a power of two in fixed16")
        },
    ];
    let mut i = 0;
    while i < checks.len() {
        if let Err(text) = checks[i] {
            return Err(PlanError::general(PlanErrorKind::Setting(text)));
        }
        i += 1;
    }
    if !values[n - 1].needs_error {
        return Err(PlanError::general(PlanErrorKind::NothingToTrain));
    }
    let output = values[n - 1].facts.output;
    if t.loss.takes_class() && (output.rank() != 1 || output.elements() < 2) {
        return Err(PlanError::general(PlanErrorKind::LabelNeedsClasses { outputs: output.elements() }));
    }
    Ok(())
}
