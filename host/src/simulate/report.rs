//! What a simulation found, as other programs read it.

use serde::Serialize;

/// The result of a simulation; its JSON is a stable interface: fields may be added, none changes its meaning.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The number format, `f32` or `fixed16`.
    pub format: String,
    /// Whose elementary functions were used, `libm` or `micromath`: a device has the same bits only with the same ones.
    pub maths: String,
    /// The layout hash, 16 hexadecimal digits.
    pub layout: String,
    /// Class names in the order of the outputs; empty where numbers are predicted.
    pub classes: Vec<String>,
    /// Samples evaluated: all rows that were given, after the training steps if there were any.
    pub count: u32,
    /// Right ones as a share of all; absent where numbers are predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// Their mean loss.
    pub loss: f64,
    /// `confusion[label][predicted]`; empty where numbers are predicted.
    pub confusion: Vec<Vec<u32>>,
    /// Training steps asked for.
    pub steps: u32,
    /// Updates made by these steps.
    pub updates: u32,
    /// Steps skipped because a number would have become infinite.
    pub skipped: u32,
    /// The samples as they were met while training, each judged before its step; absent without steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub training: Option<Running>,
    /// One entry a training step; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// Figures over the samples of the training steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Running {
    /// Steps.
    pub count: u32,
    /// Right ones as a share of all; absent where numbers are predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The mean loss.
    pub loss: f64,
}

/// One entry a training step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trace {
    /// The loss before the step; a loss that isn't finite is null.
    pub loss: Vec<f32>,
    /// The bits of a loss in f32, the loss times 65536 in fixed16: for comparisons without rounding.
    pub loss_bits: Vec<u32>,
    /// The class with the largest output before the step.
    pub class: Vec<u16>,
    /// `updated`, `accumulated` or `skipped`.
    pub outcome: Vec<&'static str>,
}

/// Adds up what a [`Report`] says of a set.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) confusion: Vec<Vec<u32>>,
    loss: f64,
    correct: u32,
    count: u32,
}

impl Tally {
    pub(super) fn new(classes: usize) -> Tally {
        Tally { confusion: vec![vec![0; classes]; classes], ..Tally::default() }
    }

    /// Adds a sample; `label` is its class, if it has one.
    pub(super) fn add(&mut self, loss: f32, label: Option<u32>, class: usize) {
        self.count += 1;
        self.loss += f64::from(loss);
        let Some(label) = label else { return };
        self.correct += u32::from(label as usize == class);
        if let Some(cell) = self.confusion.get_mut(label as usize).and_then(|row| row.get_mut(class)) {
            *cell += 1;
        }
    }

    pub(super) fn running(&self) -> Running {
        let share = |sum: f64| if self.count == 0 { 0.0 } else { sum / f64::from(self.count) };
        let accuracy = (!self.confusion.is_empty()).then(|| share(f64::from(self.correct)));
        Running { count: self.count, accuracy, loss: share(self.loss) }
    }
}
