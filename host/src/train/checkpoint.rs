//! Checkpoints: all that a run needs to go on as if it had never stopped.
//!
//! One safetensors file, `checkpoint.safetensors`, that any reader opens: the parameters under the names that the model's
//! file gives them, the optimizer's state as `~state.…`, the best parameters so far as `best.…` where they aren't the
//! last ones, and the run's counters and history as JSON in the metadata. It is written beside and renamed, so at every
//! moment there is one whole checkpoint, the new one or the one before. The resumed run gives the same bits on the CPU.

use super::error::TrainError;
use super::header::{self, HeaderError};
use super::history::EpochRecord;
pub(crate) use super::identity::Identity;
use super::settings::PlateauState;
use super::tally::Within;
use crate::Parameters;
use crate::export;
use crate::lower::Slot;
use emberlite::image::{Kind, Name};
use flate2::Crc;
use safetensors::tensor::{Dtype, Metadata, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const FILE: &str = "checkpoint.safetensors";
const KEY: &str = "emberlite_checkpoint";
/// 2 added early stopping and the validation set to the identity; 3 has settings by name, and can lie within an epoch.
const VERSION: u32 = 3;

/// Where and how often to save.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The folder; made if it isn't there.
    pub dir: PathBuf,
    /// Epochs between two savings; 0 for none but the last, which is always saved.
    pub every_epochs: u32,
    /// Also after every so many updates, counted from the run's start.
    pub every_steps: Option<u32>,
    /// How many are kept, at least 1: `checkpoint.safetensors` and before it `checkpoint-UPDATES.safetensors`. To go on from
    /// one of these, rename it.
    pub keep: u32,
}

impl Checkpoint {
    /// After every epoch, of which the last is kept.
    pub fn new(dir: impl Into<PathBuf>) -> Checkpoint {
        Checkpoint { dir: dir.into(), every_epochs: 1, every_steps: None, keep: 1 }
    }

    pub(super) fn check(&self) -> Result<(), &'static str> {
        if self.every_steps == Some(0) {
            return Err("a checkpoint needs at least 1 step between two savings");
        }
        if self.keep == 0 {
            return Err("at least 1 checkpoint must be kept");
        }
        Ok(())
    }
}

/// The run's counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// When the run began, in microseconds since 1970; older programs didn't say.
    #[serde(default)]
    pub begun: u64,
    /// Epochs that are done.
    pub epoch: u32,
    /// The one at hand.
    pub within: Within,
    pub updates: u32,
    pub samples: u32,
    pub best_epoch: u32,
    pub best_figure: Option<f64>,
    pub waited: u32,
    pub plateau: PlateauState,
    pub history: Vec<EpochRecord>,
    /// Whether the run came to its end; older programs didn't say.
    #[serde(default)]
    pub finished: bool,
    /// Devices or processes that shared each batch when it was saved; left out, and not told by older programs, for one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub ranks: u32,
}

const fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's own way to ask")]
fn is_one(ranks: &u32) -> bool {
    *ranks == one()
}

impl Counters {
    /// Whether the last parameters are the best ones.
    fn last_is_best(&self) -> bool {
        self.best_epoch == self.epoch && self.within.step == 0
    }
}

/// What every version has: it is read first.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    version: u32,
    /// Of all else here and of the tensors, see [`checksum`]. Programs before wrote none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<u32>,
    identity: Identity,
    counters: Counters,
}

/// CRC-32 of the metadata as JSON without the checksum, then of each tensor's name and numbers, in the order of names.
fn checksum<'a>(meta: &Meta, tensors: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Result<u32, serde_json::Error> {
    let mut crc = Crc::new();
    crc.update(&serde_json::to_vec(meta)?);
    let mut tensors: Vec<_> = tensors.into_iter().collect();
    tensors.sort_unstable();
    for (name, numbers) in tensors {
        crc.update(name.as_bytes());
        crc.update(numbers);
    }
    Ok(crc.sum())
}

/// A checkpoint's content.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Saved {
    pub identity: Identity,
    pub counters: Counters,
    pub parameters: Parameters,
    /// Of each trained parameter, in order.
    pub state: Vec<Vec<Vec<f32>>>,
    /// The moving average of each trained parameter; empty before the first update, or without one.
    pub average: Vec<Vec<f32>>,
    pub best: Parameters,
}

impl Checkpoint {
    /// The file's path.
    pub fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// Writes the file and puts it in the old one's place. `before` are the updates of this run's file that is there.
    pub(crate) fn save(&self, saved: &Saved, trained: &[Slot], before: Option<u32>) -> Result<PathBuf, TrainError> {
        let path = self.path();
        let failed = |e: &dyn std::fmt::Display| TrainError::Checkpoint {
            path: path.clone(),
            reason: format!("can't be written: {e}; check the folder, its permissions and the space left"),
        };
        let bytes = encode(saved, trained).map_err(|e| failed(&e))?;
        // One that only says now that the run is finished has no second name.
        let other = before.filter(|&updates| updates != saved.counters.updates);
        if let (Some(updates), true) = (other, self.keep > 1) {
            self.set_aside(updates).map_err(|e| failed(&e))?;
        }
        export::write(&path, &bytes).map_err(|e| failed(&e.source))?;
        if self.keep > 1 {
            // Those of another run in this folder go with its last one, which has just been replaced.
            self.prune(if before.is_some() { self.keep as usize - 1 } else { 0 }).map_err(|e| failed(&e))?;
        }
        Ok(path)
    }

    /// Gives the newest file a second name, which stays when the first one gets the new content.
    fn set_aside(&self, updates: u32) -> io::Result<()> {
        let (path, kept) = (self.path(), self.dir.join(format!("checkpoint-{updates}.safetensors")));
        // Who went on from an earlier one has left these behind, and may come to the same numbers with other bits.
        for (_, path) in self.kept()?.iter().filter(|(number, _)| *number >= updates) {
            fs::remove_file(path)?;
        }
        match fs::hard_link(&path, &kept) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            // Some file systems have no second names.
            Err(_) => export::write(&kept, &fs::read(&path)?).map_err(|e| e.source),
        }
    }

    /// Those set aside, with their updates, in order.
    fn kept(&self) -> io::Result<Vec<(u32, PathBuf)>> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            let updates = name.to_str().and_then(|name| name.strip_prefix("checkpoint-")?.strip_suffix(".safetensors"));
            kept.extend(updates.and_then(|updates| updates.parse().ok()).map(|updates| (updates, entry.path())));
        }
        kept.sort();
        Ok(kept)
    }

    /// The newest of those set aside.
    pub(super) fn newest_kept(&self) -> Option<PathBuf> {
        // A folder that isn't there has none; what else can be wrong with it shows when the file itself is read.
        self.kept().ok()?.pop().map(|(_, path)| path)
    }

    /// Removes all but the last so many of those set aside.
    fn prune(&self, keep: usize) -> io::Result<()> {
        let kept = self.kept()?;
        let surplus = kept.len().saturating_sub(keep);
        kept.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }

    /// Reads the file; `None` if there is none. `slots` are all parameters, `states` the optimizer's slots of each.
    pub(crate) fn load(
        &self,
        identity: &Identity,
        slots: &[Slot],
        states: usize,
        averaged: bool,
    ) -> Result<Option<Saved>, TrainError> {
        self.read(|file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map_err(Fault::Io)?;
            decode(&bytes, identity, slots, states, averaged)
        })
    }

    /// The counters alone, of any run; `None` if there is no file. Only the header is read.
    pub(super) fn counters(&self) -> Result<Option<Counters>, TrainError> {
        self.read(|file| Ok(meta(&header::read(file)?)?.counters))
    }

    fn read<T>(&self, decode: impl FnOnce(&mut File) -> Result<T, Fault>) -> Result<Option<T>, TrainError> {
        let path = self.path();
        let read = match File::open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(Fault::Io).and_then(|mut file| decode(&mut file)),
        };
        read.map(Some).map_err(|fault| match fault {
            Fault::Io(e) => TrainError::Checkpoint { path, reason: format!("can't be read: {e}") },
            Fault::Other => TrainError::Checkpoint { path, reason: "is a safetensors file, but no checkpoint".into() },
            Fault::Damaged(reason) => TrainError::Damaged { path, reason, kept: self.newest_kept() },
            Fault::Version(version) => TrainError::Version { path, version, reads: VERSION },
            Fault::Changed(changes) => TrainError::Changed { path, changes },
        })
    }
}

/// Why a file can't be gone on with.
enum Fault {
    /// The system's reason.
    Io(io::Error),
    /// What is wrong with it.
    Damaged(String),
    /// It is whole, and no checkpoint.
    Other,
    /// It is another program's, of this version.
    Version(u32),
    /// It is another run's: what differs.
    Changed(String),
}

impl From<HeaderError> for Fault {
    fn from(error: HeaderError) -> Fault {
        match error {
            HeaderError::Io(error) => Fault::Io(error),
            HeaderError::Damaged(reason) => Fault::Damaged(reason),
        }
    }
}

fn damaged(e: &dyn std::fmt::Display) -> Fault {
    Fault::Damaged(e.to_string())
}

/// Whether these bytes are a checkpoint rather than a model.
pub(crate) fn is_checkpoint(bytes: &[u8]) -> bool {
    SafeTensors::read_metadata(bytes).is_ok_and(|(_, header)| tells_of_a_run(&header))
}

/// The same of a file, of which the header alone is read.
pub(crate) fn is_checkpoint_file(path: &Path) -> bool {
    File::open(path)
        .ok()
        .and_then(|mut file| header::read(&mut file).ok())
        .is_some_and(|header| tells_of_a_run(&header))
}

fn tells_of_a_run(header: &Metadata) -> bool {
    header.metadata().as_ref().is_some_and(|texts| texts.contains_key(KEY))
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

fn average_name(node: u8, kind: Kind) -> String {
    format!("average.{}", name(node, kind))
}

fn encode(saved: &Saved, trained: &[Slot]) -> Result<Vec<u8>, String> {
    let mut tensors: Vec<(String, &[f32])> = Vec::new();
    tensors.extend(saved.parameters.iter().map(|(node, kind, v)| (name(node, kind), v)));
    for (slot, states) in trained.iter().zip(&saved.state) {
        let named = states.iter().enumerate().map(|(i, v)| (name(slot.node, state_kind(slot.kind, i)), v.as_slice()));
        tensors.extend(named);
    }
    let averages = trained.iter().zip(&saved.average);
    tensors.extend(averages.map(|(slot, v)| (average_name(slot.node, slot.kind), v.as_slice())));
    if !saved.counters.last_is_best() || !saved.average.is_empty() {
        tensors.extend(saved.best.iter().map(|(node, kind, v)| (best_name(node, kind), v)));
    }
    let (identity, counters) = (saved.identity.clone(), saved.counters.clone());
    let mut meta = Meta { version: VERSION, checksum: None, identity, counters };
    let bytes: Vec<(String, Vec<u8>, usize)> = tensors
        .into_iter()
        .map(|(name, v)| (name, v.iter().flat_map(|v| v.to_le_bytes()).collect(), v.len()))
        .collect();
    let named = bytes.iter().map(|(name, bytes, _)| (name.as_str(), bytes.as_slice()));
    meta.checksum = Some(checksum(&meta, named).map_err(|e| e.to_string())?);
    let meta = serde_json::to_string(&meta).map_err(|e| e.to_string())?;
    let views = bytes
        .iter()
        .map(|(name, bytes, len)| Ok((name.as_str(), TensorView::new(Dtype::F32, vec![*len], bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>();
    let metadata = Some(HashMap::from([(KEY.to_string(), meta)]));
    views.and_then(|views| serialize(views, metadata)).map_err(|e| e.to_string())
}

/// What stands beside the tensors.
fn meta(header: &Metadata) -> Result<Meta, Fault> {
    let meta = header.metadata().as_ref().and_then(|texts| texts.get(KEY)).ok_or(Fault::Other)?;
    let Version { version } = serde_json::from_str(meta).map_err(|e| damaged(&e))?;
    if version != VERSION {
        return Err(Fault::Version(version));
    }
    serde_json::from_str(meta).map_err(|e| damaged(&e))
}

fn decode(bytes: &[u8], identity: &Identity, slots: &[Slot], states: usize, averaged: bool) -> Result<Saved, Fault> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
    let mut meta = meta(&header)?;
    meta.identity.agrees(identity).map_err(Fault::Changed)?;
    let averaged = averaged && meta.counters.updates > 0;
    let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
    let read = |name: &str, len: usize| -> Result<Vec<f32>, Fault> {
        let tensor = file.tensor(name).map_err(|e| damaged(&e))?;
        let values: Vec<f32> = tensor.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        if tensor.dtype() == Dtype::F32 && values.len() == len {
            Ok(values)
        } else {
            Err(damaged(&format!("tensor {name} isn't {len} numbers")))
        }
    };
    let (mut parameters, mut best) = (Parameters::new(), Parameters::new());
    let (mut state, mut average) = (Vec::new(), Vec::new());
    for slot in slots {
        let values = read(&name(slot.node, slot.kind), slot.len)?;
        let best_values = if meta.counters.last_is_best() && !averaged {
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
        if slot.trained && averaged {
            average.push(read(&average_name(slot.node, slot.kind), slot.len)?);
        }
    }
    // Last, as all else says better what is wrong.
    if let Some(written) = meta.checksum.take() {
        let tensors = file.tensors();
        let named = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor.data()));
        if checksum(&meta, named).map_err(|e| damaged(&e))? != written {
            return Err(Fault::Damaged("its numbers aren't those that were written".into()));
        }
    }
    Ok(Saved { identity: meta.identity, counters: meta.counters, parameters, state, average, best })
}
