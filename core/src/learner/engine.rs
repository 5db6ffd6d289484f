//! The engine: predict, evaluate and train over borrowed memory.

use super::normalise::Normalisation;
use super::report::{Evaluation, INPUT_LIMIT, LearnError, Outcome, Progress, StepReport};
use crate::executor::{self, Context, Linked, Moment, Pass};
use crate::graph::Graph;
use crate::loss::Target;
use crate::number::{Format, Number};
use crate::plan::{Place, PlanView, Region, Training};

/// A model at work: its graph and plan, an arena of `plan.summary.words` words, and the file that its frozen
/// parameters are read from.
///
/// Every check comes first: a refused call has changed nothing. An update is all or nothing: parameters,
/// optimizer state and running statistics are changed together, or the step is skipped and counted.
#[derive(Debug)]
pub struct Engine<'a, 'w, N: Number, L: Linked> {
    pub(super) graph: Graph<'a>,
    pub(super) plan: PlanView<'a>,
    pub(super) training: Option<&'a Training>,
    pub(super) arena: &'a mut [u32],
    pub(super) status: &'a mut Status<'w>,
    linked: core::marker::PhantomData<(N, L)>,
}

/// What an engine remembers besides its arena.
#[derive(Clone, Copy, Debug, Default)]
pub struct Status<'w> {
    /// `None` rather than an empty slice: a fresh learner is all zeros, and a `static` one costs no flash.
    pub(super) image: Option<&'w [u8]>,
    pub(super) progress: Progress,
    pub(super) ready: bool,
    /// Where the normalisation lies in the image: first byte and words.
    pub(super) normalisation: (u32, u32),
}

impl Status<'_> {
    /// Nothing loaded.
    pub const EMPTY: Status<'static> = Status {
        image: None,
        progress: Progress { samples: 0, updates: 0, pending: 0, skipped: 0 },
        ready: false,
        normalisation: (0, 0),
    };
}

impl<'a, 'w, N: Number, L: Linked> Engine<'a, 'w, N, L> {
    /// An engine over borrowed memory; `LearnError::Arena` if the arena is smaller than the plan or the formats differ.
    pub fn new(
        graph: Graph<'a>,
        plan: PlanView<'a>,
        training: Option<&'a Training>,
        arena: &'a mut [u32],
        status: &'a mut Status<'w>,
    ) -> Result<Self, LearnError> {
        let fits = arena.len() >= plan.summary.words as usize && plan.steps.len() == graph.nodes.len();
        if !fits || graph.format != N::FORMAT {
            return Err(LearnError::Arena);
        }
        Ok(Engine { graph, plan, training, arena, status, linked: core::marker::PhantomData })
    }

    /// How far learning has come.
    pub fn progress(&self) -> Progress {
        self.status.progress
    }

    /// The normalisation that came with the parameters, if any.
    pub fn normalisation(&self) -> Option<Normalisation<'w, N>> {
        let (at, words) = self.status.normalisation;
        let channels = usize::from(self.graph.input.planes().0);
        Normalisation::from_bytes(self.status.image.unwrap_or_default(), at, words, channels)
    }

    pub(super) fn context(&self) -> Context<'a>
    where
        'w: 'a,
    {
        Context {
            graph: self.graph,
            plan: self.plan,
            training: self.training,
            image: self.status.image.unwrap_or_default(),
        }
    }

    fn moment(&self, training: bool) -> Moment {
        let Progress { samples, updates, .. } = self.status.progress;
        Moment { sample: samples, update: updates, training, error_frac: 0 }
    }

    fn check_input(&self, input: &[N::Value]) -> Result<(), LearnError> {
        if !self.status.ready {
            return Err(LearnError::NoParameters);
        }
        let (needed, got) = (self.plan.summary.inputs, input.len() as u32);
        if needed != got {
            return Err(LearnError::InputLength { needed, got });
        }
        for (index, x) in N::floats(input).unwrap_or_default().iter().enumerate() {
            let within = x.abs() <= INPUT_LIMIT; // false for a NaN
            if !within {
                let index = index as u32;
                let error = if x.is_finite() {
                    LearnError::InputOutOfRange { index }
                } else {
                    LearnError::InputNotFinite { index }
                };
                return Err(error);
            }
        }
        Ok(())
    }

    fn check_target(&self, training: &Training, target: Target<'_, N>) -> Result<(), LearnError> {
        let outputs = self.plan.summary.outputs;
        match target {
            Target::Class(label) => {
                if !training.loss.takes_class() {
                    return Err(LearnError::TargetKind);
                }
                if u32::from(label) >= outputs {
                    return Err(LearnError::Label { classes: outputs, got: u32::from(label) });
                }
            }
            Target::Values(values) => {
                if training.loss.takes_class() {
                    return Err(LearnError::TargetKind);
                }
                if values.len() as u32 != outputs {
                    return Err(LearnError::TargetLength { needed: outputs, got: values.len() as u32 });
                }
                if let Some(index) = values.iter().position(|&v| !N::is_finite(v)) {
                    return Err(LearnError::TargetNotFinite { index: index as u32 });
                }
            }
        }
        Ok(())
    }

    /// The output region's values after a forward pass; the input itself for a model that only flattens.
    fn output<'s>(&'s self, input: &'s [N::Value]) -> &'s [N::Value] {
        match self.plan.summary.output {
            Place::Arena(region) => self.values(region, self.plan.summary.outputs),
            _ => input,
        }
    }

    fn values(&self, region: Region, len: u32) -> &[N::Value] {
        N::view(self.arena.get(region.range()).unwrap_or_default()).get(..len as usize).unwrap_or_default()
    }

    /// The fraction bits of the output; 0 in f32.
    pub fn output_frac(&self) -> i32 {
        self.value_frac(self.plan.summary.output_scale)
    }

    /// The fraction bits that the input must have; 0 in f32.
    pub fn input_frac(&self) -> i32 {
        self.value_frac(0)
    }

    fn value_frac(&self, value: u8) -> i32 {
        self.scales_entry(value, 0)
    }

    /// Fraction bits from the table of scales: 0 value, 3 error; 0 in f32, which has no table.
    fn scales_entry(&self, value: u8, column: usize) -> i32 {
        let table = self.arena.get(self.plan.summary.scales.range()).unwrap_or_default();
        let entry = table.get(value as usize).and_then(|w| w.to_le_bytes().get(column).copied());
        entry.map_or(0, |frac| i32::from(frac as i8))
    }

    fn run_forward(&mut self, input: &[N::Value], training: bool) -> Result<(), LearnError>
    where
        'w: 'a,
    {
        let (context, moment) = (self.context(), self.moment(training));
        executor::forward::<N, L>(&context, self.arena, input, &moment).ok_or(LearnError::Arena)?;
        if self.output(input).iter().all(|&y| N::is_finite(y)) { Ok(()) } else { Err(LearnError::OutputNotFinite) }
    }

    /// Computes the output and hands it to the caller; it stays valid until the next call.
    pub fn predict<'s>(&'s mut self, input: &'s [N::Value]) -> Result<&'s [N::Value], LearnError>
    where
        'w: 'a,
    {
        self.check_input(input)?;
        self.run_forward(input, false)?;
        Ok(self.output(input))
    }

    /// Computes the output's loss and class without learning.
    pub fn evaluate(&mut self, input: &[N::Value], target: Target<'_, N>) -> Result<Evaluation<N::Loss>, LearnError>
    where
        'w: 'a,
    {
        let training = self.training.ok_or(LearnError::NotTrainable)?;
        self.check_input(input)?;
        self.check_target(training, target)?;
        self.run_forward(input, false)?;
        let output = self.output(input);
        let loss = training.loss.value::<N>(L::LOSSES, output, target, self.output_frac());
        Ok(Evaluation { loss, class: largest(output) })
    }

    /// One training step on one sample; with a mini-batch, the update comes with the batch's last sample.
    pub fn train_step(&mut self, input: &[N::Value], target: Target<'_, N>) -> Result<StepReport<N::Loss>, LearnError>
    where
        'w: 'a,
    {
        let training = self.training.ok_or(LearnError::NotTrainable)?;
        self.check_input(input)?;
        self.check_target(training, target)?;
        match self.run_forward(input, true) {
            Ok(()) => {}
            Err(LearnError::OutputNotFinite) => return Ok(self.skip(N::Loss::default(), 0)),
            Err(e) => return Err(e),
        }
        let class = largest(self.output(input));
        let (loss, error_frac) = self.loss_backward(training, input, target)?;
        if !N::loss_is_finite(loss) || !self.statistics_are_finite() {
            return Ok(self.skip(loss, class));
        }
        let context = self.context();
        let moment = Moment { error_frac, ..self.moment(true) };
        let first = self.status.progress.pending == 0;
        let done = if training.needs_gradient_buffer() {
            executor::backward::<N, L>(&context, self.arena, input, &moment, Pass::Accumulate)
                .ok_or(LearnError::Arena)?;
            self.status.progress.pending += 1;
            if self.status.progress.pending < training.batch {
                self.status.progress.samples = self.status.progress.samples.wrapping_add(1);
                self.commit_statistics(first, false);
                return Ok(StepReport { loss, class, outcome: Outcome::Accumulated });
            }
            executor::apply::<N, L>(&context, self.arena, &moment).ok_or(LearnError::Arena)?
        } else {
            let safe = N::FORMAT != Format::F32 || self.is_safe(training, input, target, &moment)?;
            if safe {
                executor::backward::<N, L>(&context, self.arena, input, &moment, Pass::Update)
                    .ok_or(LearnError::Arena)?;
            }
            safe
        };
        if !done {
            return Ok(self.skip(loss, class));
        }
        self.commit_statistics(first, true);
        let progress = &mut self.status.progress;
        progress.samples = progress.samples.wrapping_add(1);
        progress.updates = progress.updates.wrapping_add(1);
        progress.pending = 0;
        Ok(StepReport { loss, class, outcome: Outcome::Updated })
    }

    /// Writes the error at the output; returns the loss and the error's fraction bits.
    fn loss_backward(
        &mut self,
        training: &Training,
        input: &[N::Value],
        target: Target<'_, N>,
    ) -> Result<(N::Loss, i32), LearnError> {
        let summary = self.plan.summary;
        let (frac, outputs) = (self.output_frac(), summary.outputs as usize);
        let output = match summary.output {
            Place::Arena(region) => region,
            _ => Region::NONE,
        };
        let ranges = [output.range(), summary.output_error.range()];
        let [y, dy] = self.arena.get_disjoint_mut(ranges).map_err(|_| LearnError::Arena)?;
        let y = if output.is_some() { N::view(y).get(..outputs).unwrap_or_default() } else { input };
        let dy = N::view_mut(dy).get_mut(..outputs).unwrap_or_default();
        let (loss, bits) = training.loss.backward::<N>(L::LOSSES, y, target, frac, training.batch, dy);
        // The table holds every error's fraction bits relative to one that all share: the output's, less its own entry.
        Ok((loss, bits - self.scales_entry(summary.output_scale, 3)))
    }

    /// Whether a fused update stays finite: by the certificate, by one from fresh bounds, or by trying it on copies.
    fn is_safe(
        &mut self,
        training: &Training,
        input: &[N::Value],
        target: Target<'_, N>,
        moment: &Moment,
    ) -> Result<bool, LearnError>
    where
        'w: 'a,
    {
        let context = self.context();
        let rate = executor::rate::<N, L>(training, moment.update).real();
        if executor::certify::<N, L>(&context, self.arena, input, rate) {
            return Ok(true);
        }
        executor::measure_bounds::<N, L>(&context, self.arena);
        if executor::certify::<N, L>(&context, self.arena, input, rate) {
            return Ok(true);
        }
        // The bounds hold neither after an uncertified step nor after none; the next one is to measure them.
        executor::distrust_bounds(&context, self.arena);
        let finite =
            executor::backward::<N, L>(&context, self.arena, input, moment, Pass::Check).ok_or(LearnError::Arena)?;
        if finite {
            // The trial consumed the errors and the masks of in-place layers: run forward again.
            executor::forward::<N, L>(&context, self.arena, input, moment).ok_or(LearnError::Arena)?;
            self.loss_backward(training, input, target)?;
        }
        Ok(finite)
    }

    /// Whether the statistics that were taken from this sample may be learnt from. A rectifier can hide from the output
    /// that they overflowed.
    fn statistics_are_finite(&self) -> bool {
        let mut finite = true;
        for (node, step) in self.graph.nodes.iter().zip(self.plan.steps) {
            if L::OPS.has_statistics() && step.running[0].region.is_some() {
                let saved = self.arena.get(step.saved.range()).unwrap_or_default();
                finite &= node.op.statistics_are_finite(L::OPS, saved);
            }
        }
        finite
    }

    /// Counts a skipped step and drops its mini-batch, as if neither had come.
    fn skip(&mut self, loss: N::Loss, class: u16) -> StepReport<N::Loss>
    where
        'w: 'a,
    {
        let context = self.context();
        executor::reset_gradients(&context, self.arena);
        let progress = &mut self.status.progress;
        progress.skipped = progress.skipped.saturating_add(1);
        progress.samples = progress.updates.wrapping_mul(self.training.map_or(1, |t| t.batch));
        progress.pending = 0;
        StepReport { loss, class, outcome: Outcome::Skipped }
    }

    /// Moves running statistics to those of a sample. Those of a mini-batch move on a copy, which its `first` sample makes
    /// and its `last` one makes valid: where the mini-batch is lost, so are they.
    fn commit_statistics(&mut self, first: bool, last: bool) {
        for (node, step) in self.graph.nodes.iter().zip(self.plan.steps) {
            if !L::OPS.has_statistics() || !step.running[0].region.is_some() {
                continue;
            }
            let [m, v] = &step.running;
            let regions = [m.region, v.region, m.gradient, v.gradient, step.saved];
            let Ok([m, v, next_m, next_v, saved]) = self.arena.get_disjoint_mut(regions.map(Region::range)) else {
                continue;
            };
            if next_m.is_empty() {
                node.op.move_statistics::<N>(L::OPS, [N::view_mut(m), N::view_mut(v)], saved, step.input);
                continue;
            }
            if first {
                copy(next_m, m);
                copy(next_v, v);
            }
            node.op.move_statistics::<N>(L::OPS, [N::view_mut(next_m), N::view_mut(next_v)], saved, step.input);
            if last {
                copy(m, next_m);
                copy(v, next_v);
            }
        }
    }

    /// A trained parameter of node `node`: 0 is the weight, 1 the bias. Empty if it isn't trained.
    pub fn parameter(&self, node: usize, index: usize) -> &[N::Value] {
        match self.plan.steps.get(node).and_then(|s| s.parameters.get(index)) {
            Some(p) if p.region.is_some() => self.values(p.region, p.len),
            _ => &[],
        }
    }
}

fn copy(to: &mut [u32], from: &[u32]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from;
    }
}

/// The index of the largest element, the first of equals.
pub(super) fn largest<T: PartialOrd + Copy>(values: &[T]) -> u16 {
    let mut best: Option<(usize, T)> = None;
    for (i, &v) in values.iter().enumerate() {
        if best.is_none_or(|(_, largest)| v > largest) {
            best = Some((i, v));
        }
    }
    best.map_or(0, |(i, _)| i as u16)
}
