//! `model.toml`: one file that says which data, which model, how the host trains and how the device learns.
//!
//! ```toml
//! name = "digits"
//!
//! [data]
//! file = "digits.csv"                 # or files = […], images = … and labels = … (IDX); pictures, sounds and text: [`Media`]
//! label = { class = "digit" }
//! groups = ["writer"]
//! test = { by = "group", columns = ["writer"], share = 0.2 }
//!
//! [model]
//! input = [64]
//! layers = [
//!     { op = "linear", outputs = 32 },
//!     { op = "relu" },
//!     { op = "linear", outputs = 10 },
//! ]
//!
//! [training]
//! optimizer = { name = "adam", learning_rate = 0.001 }
//!
//! [device]
//! ram = "16 KiB"
//! training = { optimizer = { name = "sgd", learning_rate = 0.01 } }
//! ```
//!
//! Every key stands in `MODEL.md` of this package.
//!
//! `stream = true` in `[data]` reads IDX, NPZ (not compressed), CSV and Parquet as samples are needed, for sets larger than
//! memory; a table is packed once into a file beside it, or in the folder `pack`. `[augmentation]` is described with [`AugmentationSpec`].
//!
//! `[training]` has, besides what `[device.training]` has too (`loss`, `optimizer`, `schedule`, `penalty`, `clip`, `batch`,
//! `seed`), what only the host can; [`HostSettings`](crate::train::HostSettings) says what each means:
//!
//! ```toml
//! [training]
//! epochs = 40
//! optimizer = { name = "adamw", learning_rate = 0.001 }        # also nadam, lion, lamb, adadelta, adamax
//! schedule = { name = "one_cycle" }                            # linear, polynomial, cosine, cosine_restarts, plateau; over the
//!                                                              # whole run where no `steps` are given; `warmup`, `start`
//! accumulate = 4                                               # batches an update
//! precision = "bf16"                                           # products in bf16, weights in f32; else f32
//! label_smoothing = 0.1
//! class_weights = "balanced"                                   # or { rare = 4.0 }
//! sampling = "shuffled"                                        # balanced, in_order
//! ema = 0.999                                                  # averaged weights are what is evaluated and handed out
//! metrics = ["f1_macro", "roc_auc"]                            # of the validation part, after each epoch
//! early_stopping = { patience = 5, monitor = "validation_f1_macro" }
//! layers = [{ layer = "stem*", frozen = true }, { layer = "head", learning_rate_scale = 10 }]
//! steps_per_epoch = 500
//! max_steps = 20000
//! log_every = 32                                               # updates between two readings of the loss
//! checkpoint = { every_epochs = 1, every_steps = 500, keep = 3 }
//! device = "auto"                                              # cpu, wgpu, vulkan, cuda, cuda:1
//! ```
//!
//! Operations and attributes have the names of [`emberlite::graph`]; the same numbers give the same [`Graph`]. Every error
//! says file, line, what was expected, what was found and what to do; an unknown key is an error, since a misspelt setting
//! that is silently ignored costs a training run.
//!
//! ```
//! use emberlite_host::spec::Spec;
//! use std::path::Path;
//!
//! let text = "[model]\ninput = [64]\nlayers = [{ op = \"linear\", outputs = 10 }]\n";
//! let spec = Spec::parse("model.toml", text, Path::new(""))?;
//! let costs = spec.costs(Some(&spec.device.training))?;
//! // 64 * 10 weights and 10 biases; Adam, which is the default, keeps two numbers for each of the 650.
//! assert_eq!((costs.parameters, costs.state_bytes, costs.macs_predict), (650, 650 * 2 * 4, 640));
//!
//! let error = Spec::parse("model.toml", &text.replace("linear", "linaer"), Path::new("")).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "model.toml:3: `model.layers[0].op`: unknown operation `linaer`; did you mean `linear`?"
//! );
//! # Ok::<(), emberlite_host::spec::SpecError>(())
//! ```

mod augmentation;
mod classes;
mod clean;
mod costs;
mod data;
mod device;
mod empty_classes;
mod error;
mod fixed;
mod folds;
mod host_layers;
mod host_training;
mod import;
mod layers;
mod load;
mod load_media;
mod load_text;
mod media;
mod places;
mod search;
mod section;
mod training;

pub use augmentation::AugmentationSpec;
pub use costs::{Budget, Costs, LayerCosts};
pub use data::{DataSpec, Files, Part};
pub use device::DeviceSpec;
pub use empty_classes::EmptyClasses;
pub use error::SpecError;
pub use fixed::for_device;
pub use host_training::CheckpointSpec;
pub use layers::ModelSpec;
pub use load::{DividedRows, Folded, LoadError, Parts, Stored, class_names};
pub use load_media::Sets;
pub use media::Media;
pub use search::{SearchBudget, SearchSpec};
pub use training::{EarlyStopping, HostTraining};

use emberlite::graph::{Graph, MAX_NODES, Node, Update};
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::op::{Op, OpError};
use emberlite::plan::{Plan, PlanError, PlanErrorKind, Training, plan};
use error::Source;
use std::path::{Path, PathBuf};

use crate::data::Label;
use crate::layout::{Layer, infer};

/// A whole `model.toml`, read and checked line by line; whether the layers fit together is [`Spec::plan`]'s to say.
#[derive(Clone, Debug, PartialEq)]
pub struct Spec {
    /// The model's name; that of the file's folder where none is given.
    pub name: String,
    /// The samples; a spec without any can be planned, exported and inspected.
    pub data: Option<DataSpec>,
    /// What happens to the samples of the training part in each epoch.
    pub augmentation: Option<AugmentationSpec>,
    /// The model.
    pub model: ModelSpec,
    /// How the host trains.
    pub training: HostTraining,
    /// What the device has and how it learns.
    pub device: DeviceSpec,
    /// What `emberlite search` varies; nothing else looks at it.
    pub search: Option<SearchSpec>,
    file: String,
    /// The device's nodes, and the written layer that each comes from.
    nodes: Vec<Node>,
    layers: Vec<usize>,
    /// What `[import]` says.
    modules: Vec<(usize, String)>,
    /// Where every key stands.
    places: places::Places,
}

/// A plan of a model from a file, on the heap: it is some 20 KB.
pub type HostPlan = Box<Plan<MAX_NODES>>;

impl Spec {
    /// Reads a file.
    ///
    /// # Errors
    /// [`SpecError`] with the line of the first mistake; line 0 if the file can't be read.
    pub fn read(path: impl AsRef<Path>) -> Result<Spec, SpecError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| {
            let message = if path.is_dir() {
                format!("this is a folder; give the file in it, {}", path.join("model.toml").display())
            } else {
                format!("{error}; check the path, or make one with `emberlite new`")
            };
            SpecError { file: file.clone(), line: 0, message }
        })?;
        Spec::parse(&file, &text, path.parent().unwrap_or(Path::new("")))
    }

    /// Reads a text; `file` is its name in errors, paths in it start from `base`.
    ///
    /// # Errors
    /// [`SpecError`] with the line of the first mistake.
    pub fn parse(file: &str, text: &str, base: &Path) -> Result<Spec, SpecError> {
        let mut root = section::parse(Source { file, text })?;
        let places = places::Places::new(&root, base);
        let table = "a table";
        let name = match root.take("name") {
            None => folder_name(base),
            Some(value) => {
                let name = value.string("a name")?;
                let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
                if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
                    return Err(value.expected("a name of letters, digits, `-`, `_` and `.`"));
                }
                name.to_string()
            }
        };
        let preprocessing = root.take("preprocessing").map(|value| value.section(table)).transpose()?;
        let data = match root.take("data") {
            Some(value) => Some(data::data(value.section(table)?, preprocessing, base)?),
            None => {
                if let Some(section) = preprocessing {
                    return Err(section.error("without `[data]` there is nothing to preprocess; remove it".into()));
                }
                None
            }
        };
        let augmentation = root.take("augmentation").map(|value| value.section(table)).transpose()?;
        let augmentation = augmentation.map(augmentation::augmentation).transpose()?;
        if let (Some(augmentation), None) = (&augmentation, &data) {
            let message = "`augmentation`: without `[data]` there is nothing to change; remove it".into();
            return Err(SpecError { file: file.into(), line: augmentation.line, message });
        }
        let model = root.need("model", "`[model]` with `input` and `layers`")?;
        let model = layers::model(model.section(table)?)?;
        let (nodes, layers) = fixed::device_nodes(&model).map_err(|(layer, message)| {
            let line = layer.and_then(|layer| model.lines.get(usize::from(layer))).copied();
            SpecError { file: file.into(), line: line.unwrap_or(model.input_line), message }
        })?;
        let loss = match data.as_ref().map(|data| data.files.label()) {
            Some(Label::Value(_)) => Loss::MeanSquaredError,
            _ => Loss::SoftmaxCrossEntropy,
        };
        let section = root.take("training");
        let line = section.as_ref().map_or(1, section::Value::line);
        let training = match section {
            Some(value) => training::host(value.section(table)?, loss, &model)?,
            None => training::default_host(loss),
        };
        let section = root.take("device").map(|value| value.section(table)).transpose()?;
        let device = device::device(section, &training.settings, line)?;
        let search = match root.take("search") {
            Some(value) => {
                let label = data.as_ref().map_or(&Label::None, |data| data.files.label());
                Some(search::search(value.section(table)?, label)?)
            }
            None => None,
        };
        let modules = match root.take("import") {
            Some(value) => import::import(value.section(table)?, &model)?,
            None => Vec::new(),
        };
        root.finish()?;
        Ok(Spec {
            name,
            data,
            augmentation,
            model,
            training,
            device,
            search,
            file: file.into(),
            nodes,
            layers,
            modules,
            places,
        })
    }

    /// The model as the device has it: in fixed16 without batch norm and dropout, see [`for_device`].
    pub fn graph(&self) -> Graph<'_> {
        Graph::new(self.model.format, self.model.input, &self.nodes)
    }

    /// The nodes that the host trains: those written, every parameter of them, but for those that `[training] layers`
    /// freezes. (`update` says what the device trains.)
    pub fn host_nodes(&self) -> Vec<Node> {
        let frozen = |layer: usize| self.training.frozen.get(layer).copied().unwrap_or(false);
        let update = |layer| if frozen(layer) { Update::Frozen } else { Update::Full };
        self.model.nodes.iter().enumerate().map(|(layer, node)| Node { update: update(layer), ..*node }).collect()
    }

    /// Shapes and costs of the written layers as the host trains them, whatever a device has.
    ///
    /// # Errors
    /// [`SpecError`] at the line of the layer at fault.
    pub fn layers(&self) -> Result<Vec<Layer>, SpecError> {
        let graph = Graph::new(Format::F32, self.model.input, &self.model.nodes);
        infer(&graph).map_err(|error| {
            let line = error.node.and_then(|node| self.model.lines.get(usize::from(node))).copied();
            self.error(line.unwrap_or(self.model.input_line), self.explained(&error))
        })
    }

    /// Why no device can run this model and the host can train it, if that is so: a layer that the device doesn't have, or
    /// more layers than it plans. At the line of that layer.
    pub fn host_only(&self) -> Option<SpecError> {
        if self.model.format != Format::F32 {
            return None;
        }
        let got = self.model.nodes.len();
        let lacking = self.model.nodes.iter().enumerate().find_map(|(index, node)| match node.op {
            Op::Host(op) => Some((index, node.op.name(), PlanErrorKind::HostOnly { op })),
            _ => None,
        });
        let error = match lacking {
            Some((index, operation, kind)) => PlanError { node: Some(index as u8), operation, kind },
            None if got > MAX_NODES => {
                let kind = PlanErrorKind::TooManyNodes { limit: MAX_NODES as u32, got: got as u32 };
                PlanError { node: None, operation: "", kind }
            }
            None => return None,
        };
        Some(self.place(&error))
    }

    /// A plan's error with what to write instead, where sequences meet an operation of vectors.
    fn explained(&self, error: &PlanError) -> String {
        let sequence =
            matches!(error.kind, PlanErrorKind::Operation(OpError::Rank { needed: 1, got }) if got.rank() == 2);
        let help = if sequence && error.operation == "linear" {
            "; `flatten` it, or take `sequence_linear` for the features of every position of [length, features]"
        } else {
            ""
        };
        format!("{error}{help}")
    }

    /// The name of a node of the device's graph; empty where its layer has none.
    pub fn layer_name(&self, node: usize) -> &str {
        let layer = self.layers.get(node).and_then(|&layer| self.model.names.get(layer));
        layer.map_or("", String::as_str)
    }

    /// The module that a written layer's parameters are in a foreign file, where `[import]` says one.
    pub fn import_module(&self, layer: usize) -> Option<&str> {
        self.modules.iter().find(|(index, _)| *index == layer).map(|(_, module)| module.as_str())
    }

    /// The line of a node of the device's graph.
    fn layer_line(&self, node: usize) -> Option<u32> {
        self.layers.get(node).and_then(|&layer| self.model.lines.get(layer)).copied()
    }

    /// Plans learning on the device.
    ///
    /// # Errors
    /// [`SpecError`] at the line of the layer or setting at fault.
    pub fn plan(&self) -> Result<HostPlan, SpecError> {
        self.plan_with(Some(&self.device.training))
    }

    /// Plans with other settings, or for prediction alone.
    ///
    /// # Errors
    /// As [`Spec::plan`].
    pub fn plan_with(&self, training: Option<&Training>) -> Result<HostPlan, SpecError> {
        let planned = plan::<MAX_NODES>(&self.graph(), training).map(Box::new);
        planned.map_err(|error| self.place(&error))
    }

    /// A plan's error at the line that caused it.
    pub fn place(&self, error: &PlanError) -> SpecError {
        let lines = &self.device.lines;
        let line = match (error.node, &error.kind) {
            (Some(node), _) => self.layer_line(node.into()).unwrap_or(self.model.input_line),
            (None, PlanErrorKind::InputShape | PlanErrorKind::Empty | PlanErrorKind::TooManyNodes { .. }) => {
                self.model.input_line
            }
            (None, PlanErrorKind::Memory { .. }) => {
                if lines.ram > 0 {
                    lines.ram
                } else {
                    lines.board.max(1)
                }
            }
            (None, PlanErrorKind::LabelNeedsClasses { .. } | PlanErrorKind::Classes { .. }) => {
                self.model.lines.last().copied().unwrap_or_default()
            }
            _ => lines.training,
        };
        self.error(line, self.explained(error))
    }

    /// An error at a line of this file.
    pub fn error(&self, line: u32, message: String) -> SpecError {
        SpecError { file: self.file.clone(), line, message }
    }
}

fn folder_name(base: &Path) -> String {
    let folder = base.canonicalize().unwrap_or_else(|_| PathBuf::from(base));
    folder.file_name().map_or("model".into(), |name| name.to_string_lossy().into_owned())
}

/// A part's memory as a board file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// The file's name without its extension.
    pub name: String,
    /// The real part.
    pub part: String,
    /// Bytes of flash.
    pub flash: u32,
    /// Bytes of RAM.
    pub ram: u32,
    /// Bytes of RAM that the stack takes.
    pub stack: u32,
}

impl Board {
    /// Reads what matters here of a board file's text; the rest belongs to the firmware.
    ///
    /// # Errors
    /// [`SpecError`] with the line.
    pub fn parse(file: &str, text: &str, name: &str) -> Result<Board, SpecError> {
        let mut root = section::parse(Source { file, text })?;
        let part = root.need("part", "the name of the part")?.string("the name of the part")?.to_string();
        let stack = root.need("stack_bytes", "the bytes of the stack")?.whole(0, u32::MAX.into())? as u32;
        let mut size = |key| -> Result<u32, SpecError> {
            let mut region = root.need(key, "a table with `kib`")?.section("a table with `kib`")?;
            let kib = region.need("kib", "the size in KiB")?.whole(1, 1 << 21)? as u32;
            region.ignore_rest();
            Ok(kib * 1024)
        };
        let (flash, ram) = (size("flash")?, size("ram")?);
        root.ignore_rest();
        Ok(Board { name: name.into(), part, flash, ram, stack })
    }
}

#[cfg(test)]
mod defaults;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
