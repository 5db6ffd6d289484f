//! What a report of a training run says; [`training`](super::training) makes the page.

use serde::{Deserialize, Serialize};

use super::judged::Judged;
use crate::report::facts::{Confusion, FileFacts, Pairs};
use crate::spec::Costs;
use crate::train::EpochRecord;

/// A training run, as its page shows it. Every part may stay empty: its section then says so or is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingReport {
    /// The model's name.
    pub name: String,
    /// A sentence on what it does.
    pub description: String,
    /// How well it does on the set that it was judged by, the host's figures first, then those of the device's own
    /// arithmetic. The last one is the headline: it is what a device will do.
    pub scores: Vec<Score>,
    /// The share of samples that the host and the device's arithmetic put in the same class, 0 to 1.
    pub agreement: Option<f64>,
    /// Every epoch.
    pub history: Vec<EpochRecord>,
    /// The epoch whose parameters were kept, from 1; 0 if there was none.
    pub best_epoch: u32,
    /// Whether patience ran out before the last epoch.
    pub stopped_early: bool,
    /// Wall time of the whole run in seconds, where it is known; else the epochs' sum is shown.
    pub seconds: Option<f64>,
    /// What trained, such as `CPU, 2 threads`.
    pub trained_on: String,
    /// Which classes were taken for which.
    pub confusion: Confusion,
    /// What else the set says that judged it.
    pub judged: Judged,
    /// The parts of the data, in order.
    pub parts: Vec<PartFacts>,
    /// Where the data come from, a sample's shape and the like.
    pub data: Pairs,
    /// What it costs on the device.
    pub model: ModelFacts,
    /// The settings of the run.
    pub settings: Pairs,
    /// The settings that the device learns with.
    pub device_settings: Pairs,
    /// The line that ran it.
    pub command: String,
    /// Seeds, each with what it decides.
    pub seeds: Pairs,
    /// The files that were written.
    pub files: Vec<FileFacts>,
    /// Programs and libraries, each with its version.
    pub versions: Pairs,
}

/// How well a model does on a set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Score {
    /// What computed, such as `host` or `device arithmetic (f32)`.
    pub runner: String,
    /// The set, such as `test`.
    pub set: String,
    /// Its samples.
    pub samples: u64,
    /// The share of right classes, 0 to 1; `None` where numbers are predicted.
    pub accuracy: Option<f64>,
    /// The mean loss.
    pub loss: Option<f64>,
    /// Which loss, such as `Huber, delta 0.5`; empty where all scores are of the same one.
    pub loss_name: String,
}

/// A part of the data.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartFacts {
    /// `train`, `validation` or `test`.
    pub name: String,
    /// Its samples.
    pub samples: u64,
    /// Samples of each class, in the order of the outputs; empty where numbers are predicted.
    pub class_counts: Vec<u64>,
}

/// A model and what it costs on the device, as a plan says: `ModelFacts::from(&costs)`, then the budgets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelFacts {
    /// The number format, `f32` or `fixed16`.
    pub format: String,
    /// Whether the plan is for learning, or for prediction alone.
    pub training: bool,
    /// Layer by layer.
    pub layers: Vec<LayerFacts>,
    /// All parameters, as a number.
    pub parameters: u64,
    /// Those that learn, as a number.
    pub trainable: u64,
    /// Bytes of parameters in RAM.
    pub parameter_bytes: u64,
    /// Bytes of the optimizer's state.
    pub state_bytes: u64,
    /// Bytes of accumulated gradients.
    pub gradient_bytes: u64,
    /// Bytes of activations, errors and scratch at the worst moment.
    pub working_bytes: u64,
    /// Bytes of the arena, the sum of the above and what alignment adds.
    pub arena_bytes: u64,
    /// Bytes that the arena may have.
    pub ram_budget_bytes: Option<u64>,
    /// Bytes of the sealed file.
    pub file_bytes: u64,
    /// Bytes that the file may have.
    pub flash_budget_bytes: Option<u64>,
    /// Multiply-accumulates of a prediction.
    pub macs_predict: u64,
    /// Multiply-accumulates of a training step.
    pub macs_step: u64,
    /// The board that the budgets are of.
    pub board: String,
}

/// A layer and what it costs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerFacts {
    /// Its name; empty where none was given.
    pub name: String,
    /// Its operation.
    pub operation: String,
    /// Its output's shape.
    pub output: String,
    /// Parameters, as a number.
    pub parameters: u64,
    /// Multiply-accumulates of the forward pass.
    pub macs: u64,
    /// What learning changes.
    pub update: String,
}

impl From<&Costs> for ModelFacts {
    /// All but the budgets and the board, which a [`Costs`] doesn't know.
    fn from(costs: &Costs) -> Self {
        let layers = costs.layers.iter().map(|layer| LayerFacts {
            name: layer.name.clone(),
            operation: layer.operation.into(),
            output: layer.output.clone(),
            parameters: layer.parameters,
            macs: layer.macs,
            update: layer.update.into(),
        });
        ModelFacts {
            format: costs.format.into(),
            training: costs.training,
            layers: layers.collect(),
            parameters: costs.parameters,
            trainable: costs.trainable,
            parameter_bytes: costs.parameter_bytes,
            state_bytes: costs.state_bytes,
            gradient_bytes: costs.gradient_bytes,
            working_bytes: costs.working_bytes,
            arena_bytes: costs.arena_bytes,
            ram_budget_bytes: None,
            file_bytes: costs.file_bytes,
            flash_budget_bytes: None,
            macs_predict: costs.macs_predict,
            macs_step: costs.macs_step,
            board: String::new(),
        }
    }
}
