//! The learner of a model known at compile time.

use super::engine::{Engine, Status};
use super::load::LoadError;
use super::metrics::Metrics;
use super::model::Model;
use super::normalise::Normalisation;
use super::report::{Evaluation, LearnError, Progress, StepReport};
use super::self_check::SelfCheckError;
use crate::loss::Target;
use crate::number::Number;
use crate::tensor::Values;

type Value<M> = <<M as Model>::Number as Number>::Value;
type Loss<M> = <<M as Model>::Number as Number>::Loss;

/// A model with all of its memory, made to live in a `static`: parameters that are trained, optimizer state,
/// activations and errors, `M::PLAN.summary.arena_bytes()` bytes and a few words.
#[derive(Debug)]
pub struct Learner<'w, M: Model> {
    memory: M::Memory,
    status: Status<'w>,
}

impl<M: Model> Default for Learner<'_, M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'w, M: Model> Learner<'w, M> {
    /// A learner without parameters.
    pub const fn new() -> Self {
        Learner { memory: M::EMPTY, status: Status::EMPTY }
    }

    /// The same as an [`Engine`], over this learner's memory.
    pub fn engine(&mut self) -> Result<Engine<'_, 'w, M::Number, M>, LearnError> {
        Engine::new(M::GRAPH, M::PLAN, M::TRAINING, self.memory.as_mut(), &mut self.status)
    }

    /// Loads parameters, optimizer state if there is any, and normalisation from a file in flash, where the frozen
    /// parameters stay. A refused file changes nothing.
    pub fn load(&mut self, image: &'w [u8]) -> Result<(), LoadError> {
        let mut engine = self.engine().map_err(|_| LoadError::Arena)?;
        engine.load(image)
    }

    /// Whether this device computes what the file says, bit for bit; see [`Engine::self_check`].
    pub fn self_check(&mut self) -> Result<(), SelfCheckError> {
        self.engine().map_err(SelfCheckError::Predict)?.self_check()
    }

    /// Fills the parameters at random, to train from scratch; see [`Engine::initialize`].
    pub fn initialize(&mut self, seed: u32) -> Result<(), LearnError> {
        self.engine()?.initialize(seed)
    }

    /// The output for one input.
    pub fn predict(&mut self, input: &M::Input) -> Result<M::Output, LearnError> {
        let mut engine = self.engine()?;
        let values = engine.predict(input.values())?;
        let mut output = M::Output::default();
        for (to, &from) in output.values_mut().iter_mut().zip(values) {
            *to = from;
        }
        Ok(output)
    }

    /// The class with the largest output for one input.
    pub fn classify(&mut self, input: &M::Input) -> Result<u16, LearnError> {
        let mut engine = self.engine()?;
        Ok(super::engine::largest(engine.predict(input.values())?))
    }

    /// One training step towards a class; see [`Engine::train_step`].
    pub fn train_step(&mut self, input: &M::Input, label: u16) -> Result<StepReport<Loss<M>>, LearnError> {
        self.engine()?.train_step(input.values(), Target::Class(label))
    }

    /// One training step towards an output, for losses that take values.
    pub fn train_step_towards(
        &mut self,
        input: &M::Input,
        target: &M::Output,
    ) -> Result<StepReport<Loss<M>>, LearnError> {
        self.engine()?.train_step(input.values(), Target::Values(target.values()))
    }

    /// Loss and class of one labelled input, without learning, added to `metrics`.
    pub fn evaluate<const CLASSES: usize>(
        &mut self,
        input: &M::Input,
        label: u16,
        metrics: &mut Metrics<M::Number, CLASSES>,
    ) -> Result<Evaluation<Loss<M>>, LearnError> {
        let evaluation = self.engine()?.evaluate(input.values(), Target::Class(label))?;
        metrics.add(label, &evaluation);
        Ok(evaluation)
    }

    /// Loss of one input against an output, without learning.
    pub fn evaluate_towards(
        &mut self,
        input: &M::Input,
        target: &M::Output,
    ) -> Result<Evaluation<Loss<M>>, LearnError> {
        self.engine()?.evaluate(input.values(), Target::Values(target.values()))
    }

    /// The normalisation that came with the parameters, if any.
    pub fn normalisation(&mut self) -> Option<Normalisation<'w, M::Number>> {
        self.engine().ok()?.normalisation()
    }

    /// A trained parameter of node `node`: 0 is the weight, 1 the bias. Empty if it isn't trained.
    pub fn parameter(&self, node: usize, index: usize) -> &[Value<M>] {
        let Some(p) = M::PLAN.steps.get(node).and_then(|s| s.parameters.get(index)) else { return &[] };
        let words = self.memory.as_ref().get(p.region.range()).unwrap_or_default();
        M::Number::view(words).get(..p.len as usize).unwrap_or_default()
    }

    /// How far learning has come.
    pub const fn progress(&self) -> Progress {
        self.status.progress
    }
}
