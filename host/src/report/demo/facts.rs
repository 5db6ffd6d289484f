//! What a report of learning on the device says; [`demo`](super::demo) makes the page.

use serde::{Deserialize, Serialize};

use crate::report::facts::{Confusion, FileFacts, Pairs};

/// A demonstration of learning on the device: a model from one place (one wrist, one person, one room) learns another on
/// the chip itself, run for run. Its JSON has these very names; a part that is missing is left out of the page or said to
/// be missing, and a name that isn't known is an error.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DemoReport {
    /// The page's title.
    pub title: String,
    /// What is shown, in a sentence or two.
    pub description: String,
    /// What changes between the places, such as `wrist`; `place` if empty.
    pub domain: String,
    /// What ran it, such as `STM32F401RE (Cortex-M4F, 64 KiB RAM), in QEMU`.
    pub device: String,
    /// Which model, such as `8,039 parameters, fixed16`.
    pub model: String,
    /// The accuracy of guessing, 0 to 1.
    pub chance: Option<f64>,
    /// Every run, in the order shown.
    pub runs: Vec<DemoRun>,
    /// What the device's program takes.
    pub memory: DeviceMemory,
    /// Other costs, such as instructions a training step.
    pub costs: Pairs,
    /// Which classes were taken for which at the new place before learning, in the run that is looked at closely.
    pub confusion_before: Confusion,
    /// The same after learning.
    pub confusion_after: Confusion,
    /// The settings that the device learnt with.
    pub settings: Pairs,
    /// Lines that repeat it, in order.
    pub reproduce: Vec<String>,
    /// What a reader should know, a paragraph each: how samples were split, what the seconds count.
    pub notes: Vec<String>,
    /// Files that went in or came out.
    pub files: Vec<FileFacts>,
    /// Programs and libraries, each with its version.
    pub versions: Pairs,
}

/// One model that learnt on the device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DemoRun {
    /// Where the model comes from, such as `right`.
    pub from: String,
    /// What it learns on the device, such as `left`.
    pub to: String,
    /// The seed of the model that it starts from.
    pub seed: u64,
    /// Accuracy at the new place, on samples that it doesn't learn from.
    pub new: BeforeAfter,
    /// Accuracy at the first place: what it forgets.
    pub first: BeforeAfter,
    /// Training steps on the device.
    pub steps: u64,
    /// Those among them that were skipped, because a number would have become infinite.
    pub skipped: u64,
    /// How long the device learnt, in seconds; a note says of which clock.
    pub seconds: Option<f64>,
    /// How the device's result compares with the simulation's.
    pub parity: Option<Parity>,
    /// What was measured on the way, by ascending step.
    pub curve: Vec<CurvePoint>,
}

/// Accuracy before and after learning on the device, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BeforeAfter {
    /// Before.
    pub before: Option<f64>,
    /// After.
    pub after: Option<f64>,
    /// Samples judged each time.
    pub samples: Option<u64>,
}

/// The device's trained bytes beside the simulation's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parity {
    /// Whether every byte is the same.
    pub identical: bool,
    /// Bytes compared.
    pub bytes: u64,
    /// Bytes that differ, where they were counted.
    pub different: Option<u64>,
}

/// A moment of learning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CurvePoint {
    /// Steps done.
    pub step: u64,
    /// The loss, of the step or as a mean since the point before.
    pub loss: Option<f64>,
    /// Accuracy at the new place, 0 to 1.
    pub new: Option<f64>,
    /// Accuracy at the first place, 0 to 1.
    pub first: Option<f64>,
}

/// What the device's program takes; `None` for what wasn't measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeviceMemory {
    /// Bytes of the learner's arena: parameters, state, gradients, activations.
    pub arena_bytes: Option<u64>,
    /// Bytes of all statics, the arena among them.
    pub static_bytes: Option<u64>,
    /// The deepest that the stack became, in bytes.
    pub stack_bytes: Option<u64>,
    /// Bytes kept for the stack.
    pub stack_reserved_bytes: Option<u64>,
    /// Bytes of RAM that there are.
    pub ram_bytes: Option<u64>,
    /// Bytes of flash: code, constants and the model's file.
    pub flash_used_bytes: Option<u64>,
    /// The model's file among them.
    pub model_bytes: Option<u64>,
    /// Bytes of flash that there are.
    pub flash_bytes: Option<u64>,
}
