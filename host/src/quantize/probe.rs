//! The probe: core's f32 executor, one node at a time, so that every value and every error can be looked at before its
//! memory is used again.
//!
//! The executor walks plan steps; a step without an output place or an error region is passed over. The probe keeps a
//! copy of the plan in which every step is such a blank, and fills in one at a time: the arithmetic is the executor's own,
//! and core needs no hook.

use super::QuantizeError;
use crate::Parameters;
use emberlite::executor::{self, Context, Everything, Moment, Pass};
use emberlite::graph::{Graph, MAX_NODES};
use emberlite::image::Kind;
use emberlite::loss::{LossSet, Target};
use emberlite::number::{F32, Format, Number};
use emberlite::plan::{Place, Plan, PlanErrorKind, PlanView, Region, Step, Training, plan};

/// An f32 model with all parameters in RAM, and its samples' values and errors on the way.
pub(super) struct Probe<'a> {
    graph: Graph<'a>,
    training: &'a Training,
    plan: Box<Plan<MAX_NODES>>,
    /// The plan's steps, all but the one at work blanked.
    steps: Vec<Step>,
    arena: Vec<u32>,
}

impl<'a> Probe<'a> {
    /// Plans `graph`, whose nodes must all be trained, and loads its parameters.
    pub(super) fn new(
        graph: Graph<'a>,
        training: &'a Training,
        parameters: &Parameters,
    ) -> Result<Probe<'a>, QuantizeError> {
        let graph = Graph { format: Format::F32, ..graph };
        let plan = match plan::<MAX_NODES>(&graph, Some(training)) {
            Err(e) if e.kind == PlanErrorKind::NothingToTrain => plan(&graph, None),
            other => other,
        };
        let plan = Box::new(plan?);
        let mut arena = vec![0; plan.words()];
        for (node, step) in plan.view().steps.iter().enumerate() {
            for (parameter, kind) in step.parameters.iter().zip([Kind::Weight, Kind::Bias]) {
                let values = checked(parameters, node as u8, kind, parameter.len as usize)?;
                let words = arena.get_mut(parameter.region.range()).unwrap_or_default();
                F32::view_mut(words).copy_from_slice(values);
            }
        }
        let steps = plan.view().steps.iter().copied().map(blank).collect();
        Ok(Probe { graph, training, plan, steps, arena })
    }

    /// The plan's steps.
    pub(super) fn plan(&self) -> PlanView<'_> {
        self.plan.view()
    }

    /// Runs one sample forward and shows every node's output; `Err` from `visit` ends the run.
    pub(super) fn forward<E>(
        &mut self,
        input: &[f32],
        mut visit: impl FnMut(usize, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let moment = Moment { sample: 0, update: 0, training: false, error_frac: 0 };
        for node in 0..self.steps.len() {
            let step = self.plan.steps[node];
            self.at(node, |context, arena| executor::forward::<F32, Everything>(context, arena, input, &moment));
            let len = step.output.elements() as usize;
            match step.y {
                Place::Arena(region) => visit(node, values(&self.arena, region, len))?,
                _ => visit(node, input)?,
            }
        }
        Ok(())
    }

    /// After [`Probe::forward`] of the same input: runs the loss and the errors backward, and shows the error at every
    /// node's output, from the last node down. Changes no parameter.
    pub(super) fn backward(&mut self, input: &[f32], target: Target<'_, F32>, mut visit: impl FnMut(usize, &[f32])) {
        let summary = self.plan.summary;
        let outputs = summary.outputs as usize;
        let output = match summary.output {
            Place::Arena(region) => values(&self.arena, region, outputs).to_vec(),
            _ => input.to_vec(),
        };
        let words = self.arena.get_mut(summary.output_error.range()).unwrap_or_default();
        let dy = F32::view_mut(words).get_mut(..outputs).unwrap_or_default();
        self.training.loss.backward::<F32>(LossSet::ALL, &output, target, 0, 1, dy);
        let moment = Moment { sample: 0, update: 0, training: true, error_frac: 0 };
        for node in (0..self.steps.len()).rev() {
            let step = self.plan.steps[node];
            if !step.errors.dy.is_some() {
                continue;
            }
            visit(node, values(&self.arena, step.errors.dy, step.output.elements() as usize));
            self.at(node, |context, arena| {
                executor::backward::<F32, Everything>(context, arena, input, &moment, Pass::Update)
            });
        }
    }

    /// Does something with the step of one node alone. That the executor gives `None` is ruled out: the arena is the plan's.
    fn at<R>(&mut self, node: usize, run: impl FnOnce(&Context<'_>, &mut [u32]) -> Option<R>) {
        // Untrained: no parameter gradient, no update.
        self.steps[node] = Step { trained: false, ..self.plan.steps[node] };
        let plan = PlanView { steps: &self.steps, summary: &self.plan.summary };
        let context = Context { graph: self.graph, plan, training: Some(self.training), image: &[] };
        let _ = run(&context, &mut self.arena);
        self.steps[node] = blank(self.plan.steps[node]);
    }
}

/// The step that the executor passes over.
fn blank(mut step: Step) -> Step {
    step.y = Place::None;
    step.errors.dy = Region::NONE;
    step
}

fn values(arena: &[u32], region: Region, len: usize) -> &[f32] {
    F32::view(arena.get(region.range()).unwrap_or_default()).get(..len).unwrap_or_default()
}

/// A parameter with as many elements as its node has, all finite; empty where the node has none.
pub(super) fn checked(parameters: &Parameters, node: u8, kind: Kind, needed: usize) -> Result<&[f32], QuantizeError> {
    if needed == 0 {
        return Ok(&[]);
    }
    let values = parameters.get(node, kind).ok_or(QuantizeError::Missing { node, kind })?;
    if values.len() != needed {
        return Err(QuantizeError::Length { node, kind, needed, got: values.len() });
    }
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(QuantizeError::NotFinite { node, kind, index, value: values[index] }),
        None => Ok(values),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use emberlite::graph::{Shape, linear, relu};
    use emberlite::loss::Loss;
    use emberlite::optimizer::Optimizer;

    #[test]
    fn every_value_and_error_is_seen_before_its_memory_is_used_again() {
        let nodes = [linear(2), relu(), linear(1)];
        let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(1.0));
        let mut parameters = Parameters::new();
        parameters.set(0, Kind::Weight, vec![2.0, -3.0]);
        parameters.set(0, Kind::Bias, vec![0.5, 0.0]);
        parameters.set(2, Kind::Weight, vec![4.0, 1.0]);
        parameters.set(2, Kind::Bias, vec![-1.0]);
        let mut probe = Probe::new(Graph::new(Format::F32, Shape::d1(1), &nodes), &training, &parameters).unwrap();
        // Twice: looking changes nothing.
        for _ in 0..2 {
            let (mut values, mut errors) = (Vec::new(), Vec::new());
            let result: Result<(), ()> = probe.forward(&[1.0], |node, v| {
                values.push((node, v.to_vec()));
                Ok(())
            });
            assert_eq!(result, Ok(()));
            assert_eq!(values, [(0, vec![2.5, -3.0]), (1, vec![2.5, 0.0]), (2, vec![9.0])]);
            // dy = 2 (9 - 8); through (4, 1); the second is behind an inactive ReLU.
            probe.backward(&[1.0], Target::Values(&[8.0]), |node, e| errors.push((node, e.to_vec())));
            assert_eq!(errors, [(2, vec![2.0]), (1, vec![8.0, 2.0]), (0, vec![8.0, 0.0])]);
        }
    }
}
