//! Checkpoints: all that a run needs to go on as if it had never stopped.
//!
//! One safetensors file, `checkpoint.safetensors`, that any reader opens: the parameters under the names that the model's
//! file gives them, the optimizer's state as `~state.…`, the best parameters so far as `best.…` where they aren't the
//! last ones, and the run's counters and history as JSON in the metadata. It is written beside and renamed, so at every
//! moment there is one whole checkpoint, the new one or the one before. The resumed run gives the same bits on the CPU.

use super::error::TrainError;
use super::history::{EarlyStopping, EpochRecord};
use crate::Parameters;
use crate::export;
use crate::lower::Slot;
use emberlite::image::{Kind, Name};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;

const FILE: &str = "checkpoint.safetensors";
const KEY: &str = "emberlite_checkpoint";
/// 2 added early stopping and the validation set to the identity.
const VERSION: u32 = 2;

/// Where and how often to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The folder; made if it isn't there.
    pub dir: PathBuf,
    /// Epochs between two savings, at least 1; the last epoch is always saved.
    pub every_epochs: u32,
}

/// What a run must agree on with the checkpoint that it continues.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub graph: String,
    pub training: String,
    pub samples: u64,
    pub seed: u64,
    /// The counters' best figure is of this one's metric.
    pub early_stopping: Option<EarlyStopping>,
    /// The validation set's fingerprint: the best figure was measured on it.
    pub validation: Option<u64>,
}

/// The run's counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counters {
    pub epoch: u32,
    pub updates: u32,
    pub samples: u32,
    pub best_epoch: u32,
    pub best_figure: Option<f64>,
    pub waited: u32,
    pub history: Vec<EpochRecord>,
}

/// What every version has: it is read first.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    version: u32,
    identity: Identity,
    counters: Counters,
}

/// A checkpoint's content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Saved {
    pub identity: Identity,
    pub counters: Counters,
    pub parameters: Parameters,
    /// Of each trained parameter, in order.
    pub state: Vec<Vec<Vec<f32>>>,
    pub best: Parameters,
}

impl Checkpoint {
    /// The file's path.
    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// Writes the file and puts it in the old one's place.
    pub(crate) fn save(&self, saved: &Saved, trained: &[Slot]) -> Result<PathBuf, TrainError> {
        let path = self.path();
        let failed = |e: &dyn std::fmt::Display| TrainError::Checkpoint {
            path: path.clone(),
            reason: format!("can't be written: {e}; check the folder, its permissions and the space left"),
        };
        let bytes = encode(saved, trained).map_err(|e| failed(&e))?;
        export::write(&path, &bytes).map_err(|e| failed(&e.source))?;
        Ok(path)
    }

    /// Reads the file; `None` if there is none. `slots` are all parameters, `states` the optimizer's slots of each.
    pub(crate) fn load(&self, identity: &Identity, slots: &[Slot], states: usize) -> Result<Option<Saved>, TrainError> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(TrainError::Checkpoint { path, reason: format!("can't be read: {e}") }),
        };
        decode(&bytes, identity, slots, states).map(Some).map_err(|reason| TrainError::Checkpoint { path, reason })
    }
}

/// The kind of a parameter's optimizer state.
const fn state_kind(kind: Kind, state: usize) -> Kind {
    match (kind, state) {
        (Kind::Bias, 0) => Kind::BiasState0,
        (Kind::Bias, _) => Kind::BiasState1,
        (_, 0) => Kind::WeightState0,
        _ => Kind::WeightState1,
    }
}

fn name(node: u8, kind: Kind) -> String {
    Name { node, kind }.to_string()
}

fn best_name(node: u8, kind: Kind) -> String {
    format!("best.{}", name(node, kind))
}

fn encode(saved: &Saved, trained: &[Slot]) -> Result<Vec<u8>, String> {
    let mut tensors: Vec<(String, &[f32])> = Vec::new();
    tensors.extend(saved.parameters.iter().map(|(node, kind, v)| (name(node, kind), v)));
    for (slot, states) in trained.iter().zip(&saved.state) {
        let named = states.iter().enumerate().map(|(i, v)| (name(slot.node, state_kind(slot.kind, i)), v.as_slice()));
        tensors.extend(named);
    }
    if saved.counters.best_epoch != saved.counters.epoch {
        tensors.extend(saved.best.iter().map(|(node, kind, v)| (best_name(node, kind), v)));
    }
    let meta = Meta { version: VERSION, identity: saved.identity.clone(), counters: saved.counters.clone() };
    let meta = serde_json::to_string(&meta).map_err(|e| e.to_string())?;
    let bytes: Vec<(String, Vec<u8>, usize)> = tensors
        .into_iter()
        .map(|(name, v)| (name, v.iter().flat_map(|v| v.to_le_bytes()).collect(), v.len()))
        .collect();
    let views = bytes
        .iter()
        .map(|(name, bytes, len)| Ok((name.as_str(), TensorView::new(Dtype::F32, vec![*len], bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let metadata = Some(HashMap::from([(KEY.to_string(), meta)]));
    views.and_then(|views| serialize(views, metadata)).map_err(|e| e.to_string())
}

fn decode(bytes: &[u8], identity: &Identity, slots: &[Slot], states: usize) -> Result<Saved, String> {
    let damaged = |e: &dyn std::fmt::Display| format!("is damaged: {e}; delete it to start anew");
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
    let meta =
        metadata.metadata().as_ref().and_then(|m| m.get(KEY)).ok_or("is a safetensors file, but no checkpoint")?;
    let Version { version } = serde_json::from_str(meta).map_err(|e| damaged(&e))?;
    if version != VERSION {
        let other = if version < VERSION { "an older" } else { "a newer" };
        return Err(format!(
            "is of {other} program: it has version {version}, this one reads {VERSION}; finish the run with that program, \
             or delete the file to start anew"
        ));
    }
    let meta: Meta = serde_json::from_str(meta).map_err(|e| damaged(&e))?;
    same(&meta.identity, identity)?;
    let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
    let read = |name: &str, len: usize| -> Result<Vec<f32>, String> {
        let tensor = file.tensor(name).map_err(|e| damaged(&e))?;
        let values: Vec<f32> = tensor.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if tensor.dtype() == Dtype::F32 && values.len() == len {
            Ok(values)
        } else {
            Err(damaged(&format!("tensor {name} isn't {len} numbers")))
        }
    };
    let (mut parameters, mut best, mut state) = (Parameters::new(), Parameters::new(), Vec::new());
    for slot in slots {
        let values = read(&name(slot.node, slot.kind), slot.len)?;
        let best_values = if meta.counters.best_epoch == meta.counters.epoch {
            values.clone()
        } else {
            read(&best_name(slot.node, slot.kind), slot.len)?
        };
        best.set(slot.node, slot.kind, best_values);
        parameters.set(slot.node, slot.kind, values);
        if slot.trained {
            let read = |i| read(&name(slot.node, state_kind(slot.kind, i)), slot.len);
            state.push((0..states).map(read).collect::<Result<_, _>>()?);
        }
    }
    Ok(Saved { identity: meta.identity, counters: meta.counters, parameters, state, best })
}

/// Says what differs.
fn same(saved: &Identity, now: &Identity) -> Result<(), String> {
    let differs = |what: &str, saved: &dyn std::fmt::Display, now: &dyn std::fmt::Display| {
        Err(format!("was made with another {what} ({saved}, now {now}); restore it, or delete the file to start anew"))
    };
    if saved.graph != now.graph {
        return differs("model", &saved.graph.replace('\n', "; "), &now.graph.replace('\n', "; "));
    }
    if saved.training != now.training {
        return differs("training", &saved.training, &now.training);
    }
    if saved.seed != now.seed {
        return differs("seed", &saved.seed, &now.seed);
    }
    if saved.samples != now.samples {
        return differs("training set", &format!("{:016x}", saved.samples), &format!("{:016x}", now.samples));
    }
    if saved.validation != now.validation {
        let set = |print: Option<u64>| print.map_or("none".into(), |print| format!("{print:016x}"));
        return differs("validation set", &set(saved.validation), &set(now.validation));
    }
    if saved.early_stopping != now.early_stopping {
        let words = |stopping: Option<EarlyStopping>| stopping.map_or("none".into(), |stopping| stopping.to_string());
        return differs("early stopping", &words(saved.early_stopping), &words(now.early_stopping));
    }
    Ok(())
}
