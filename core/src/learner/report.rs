//! What a learner answers: reports and errors.

/// Inputs larger than this in magnitude are refused: normalise them first. (f32 models.)
pub const INPUT_LIMIT: f32 = 1.0e6;

/// Why a prediction or a training step was refused. Nothing was touched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LearnError {
    /// No parameters were loaded or initialised yet.
    NoParameters,
    /// The input has another number of elements than the model's.
    InputLength {
        /// What the model takes.
        needed: u32,
        /// What came.
        got: u32,
    },
    /// An element of the input is NaN or infinite.
    InputNotFinite {
        /// Its index.
        index: u32,
    },
    /// An element of the input is beyond [`INPUT_LIMIT`].
    InputOutOfRange {
        /// Its index.
        index: u32,
    },
    /// The label is not a class of the model.
    Label {
        /// How many classes there are.
        classes: u32,
        /// The label.
        got: u32,
    },
    /// The loss takes another kind of target: a class where values were given, or the other way round.
    TargetKind,
    /// The target has another number of elements than the output.
    TargetLength {
        /// The output's elements.
        needed: u32,
        /// What came.
        got: u32,
    },
    /// An element of the target is NaN or infinite.
    TargetNotFinite {
        /// Its index.
        index: u32,
    },
    /// The model was planned for prediction alone.
    NotTrainable,
    /// The output is not finite: the parameters and this input overflow the format.
    OutputNotFinite,
    /// The arena doesn't fit the plan; can't happen to a `Learner`.
    Arena,
}

impl core::fmt::Display for LearnError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            LearnError::NoParameters => f.write_str("no parameters are loaded: call load or initialize first"),
            LearnError::InputLength { needed, got } => {
                write!(f, "the input has {got} elements, the model takes {needed}")
            }
            LearnError::InputNotFinite { index } => write!(f, "input element {index} is not a finite number"),
            LearnError::InputOutOfRange { index } => {
                write!(f, "input element {index} is beyond 1e6 in magnitude: normalise it")
            }
            LearnError::Label { classes, got } => {
                write!(f, "label {got} is not one of the {classes} classes 0..{classes}")
            }
            LearnError::TargetKind => f.write_str("the loss takes the other kind of target (a class label or values)"),
            LearnError::TargetLength { needed, got } => write!(f, "the target has {got} elements, the output {needed}"),
            LearnError::TargetNotFinite { index } => write!(f, "target element {index} is not a finite number"),
            LearnError::NotTrainable => f.write_str("the model was planned for prediction alone"),
            LearnError::OutputNotFinite => {
                f.write_str("the output is not finite: parameters and input overflow the format")
            }
            LearnError::Arena => f.write_str("the arena does not fit the plan"),
        }
    }
}

impl core::error::Error for LearnError {}

/// What a training step did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Outcome {
    /// The parameters were updated.
    Updated,
    /// The gradient was added to the mini-batch, which isn't full yet; nothing that predictions depend on has changed.
    Accumulated,
    /// The step would have made a parameter or optimizer state non-finite, or its loss was; no parameter, no state and no
    /// running statistic was changed. Its mini-batch, if any, is lost, and all is as before its first sample.
    Skipped,
}

/// A training step's report; `loss` and `class` are those before the step.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StepReport<L> {
    /// The sample's loss.
    pub loss: L,
    /// The class with the largest output.
    pub class: u16,
    /// What became of the step.
    pub outcome: Outcome,
}

/// An evaluation's report.
#[derive(Clone, Copy, PartialEq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Evaluation<L> {
    /// The sample's loss.
    pub loss: L,
    /// The class with the largest output; the first of several equal ones.
    pub class: u16,
}

/// How far learning has come; travels in a saved model.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Progress {
    /// Samples trained on, without those of skipped steps: the counter behind dropout. It is the number of updates times
    /// the batch, plus `pending`, so it needs no place in a saved model.
    pub samples: u32,
    /// Updates made: the counter behind schedules and stochastic rounding.
    pub updates: u32,
    /// Samples in the unfinished mini-batch.
    pub pending: u32,
    /// Steps that were skipped since the parameters were loaded.
    pub skipped: u32,
}
