//! Training on the host: in f32, or in bf16 with f32 weights ([`Precision`]), on the CPU or a GPU, from the settings that the device knows too.
//!
//! ```
//! use emberlite::graph::{Graph, Shape, linear, relu};
//! use emberlite::{loss::Loss, number::Format, optimizer::Optimizer, plan::Training};
//! use emberlite_host::data::{Dataset, Labels};
//! use emberlite_host::train::{DeviceChoice, Job, Silent, train};
//!
//! // The exclusive or, which no linear model can learn.
//! let names = vec!["same".to_string(), "different".to_string()];
//! let labels = Labels::Class { ids: vec![0, 1, 1, 0], names };
//! let set = Dataset::new(vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0], vec![2], labels)?;
//!
//! let nodes = [linear(8), relu(), linear(2)];
//! let graph = Graph::new(Format::F32, Shape::d1(2), &nodes);
//! let training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.03)).batch(4);
//! let device = DeviceChoice::Cpu;
//! let trained = train(Job { epochs: 200, seed: 1, device, ..Job::new(graph, &training, &set, &mut Silent) })?;
//! assert_eq!(trained.confusion, [[2, 0], [0, 2]]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **Reproducible.** Initial weights, the order of samples and dropout are functions of the seed and a counter. On the CPU
//! two runs with as many threads give the same bits, and a run that was interrupted and resumed gives those of one that
//! wasn't. On a GPU sums may be taken in another order from run to run.
//!
//! **What the device will compute.** Losses, optimizers, schedules, penalties and clipping are the core's, formula by
//! formula, and so are the operations: a test compares each with the core's executor, forward and after a step. Batch
//! norm alone differs by design, taking its statistics over the batch, and an update on the CPU keeps no subnormal numbers, which
//! the core's does.
//!
//! **The loss is read rarely.** Each reading makes a GPU wait, so losses are collected on the device and looked at
//! every few dozen steps; a diverging run ends there, with the very step at which the loss ceased to be a number.

mod average;
mod batches;
mod checkpoint;
mod checks;
mod culprit;
mod device;
mod devices;
mod error;
mod evaluate;
mod exchange;
mod feed;
mod fused;
mod gpu;
mod group;
mod header;
mod history;
mod host_rules;
mod identity;
mod initialize;
mod job;
mod judge;
mod loss;
pub mod memory;
#[cfg(feature = "mpi")]
mod mpi;
mod objective;
mod observer;
mod optimizer;
mod predict;
mod progress;
mod reached;
mod replicas;
mod run;
mod save;
pub mod settings;
mod subnormal;
mod tally;
#[cfg(test)]
mod vectors;

pub use checkpoint::Checkpoint;
pub use device::{DeviceChoice, FoundDevice, check_precision, devices, resolve};
pub use devices::Devices;
pub use error::TrainError;
pub use evaluate::{Evaluation, evaluate, evaluate_metrics};
pub use group::{Group, GroupError, local_rank};
pub use history::{EarlyStopping, EpochRecord};
pub use job::{Job, Trained};
pub use judge::{Judgement, judge};
#[cfg(feature = "mpi")]
pub use mpi::Mpi;
pub use observer::{Event, JsonLines, Observer, Silent};
pub use predict::predict;
pub use progress::Progress;
pub(crate) use progress::decimals;
pub use reached::Reached;
pub use run::train;
pub use settings::{Course, Ema, HostOptimizer, HostSchedule, HostSettings, Plateau, Sampling};

pub(crate) use checkpoint::{is_checkpoint, is_checkpoint_file};
pub(crate) use loss::middle;

pub use crate::lower::{ParameterError, Precision};
pub use crate::metrics::Monitor;
