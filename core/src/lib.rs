//! Models that are trained on a host and **keep learning on the microcontroller**.
//!
//! `no_std`, no allocator, no panics, no `unsafe` but in kernels for instruction sets that have their own. A model is data, planned by
//! rustc: shapes, memory and costs are known before anything is flashed, and a mistake is a compile error that names the
//! layer. Training on the device has the bits of its simulation on a host.
//!
//! # Learn something
//!
//! ```
//! use emberlite::{learner::{Learner, Metrics, Model, Outcome}, loss::Loss, model, number::F32, optimizer::Optimizer, plan::Training};
//!
//! model! {
//!     /// Tells which of its two inputs is larger.
//!     pub struct Larger {
//!         format: F32,
//!         input: [2],
//!         layers: [linear(8), relu(), linear(2)],
//!         output: [2],
//!         training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
//!         ram: 256,
//!     }
//! }
//!
//! // In firmware a `static`; it owns all of its memory: parameters, activations, errors.
//! assert_eq!(Larger::PLAN.summary.arena_bytes(), 256);
//! let mut learner = Learner::<Larger>::new();
//! learner.initialize(1).unwrap();
//!
//! let sample = |i: u32| ([(i * 7 % 11) as f32 / 11.0, (i * 5 % 13) as f32 / 13.0]);
//! for i in 0..500 {
//!     let [a, b] = sample(i);
//!     let report = learner.train_step(&[a, b].into(), (b > a) as u16).unwrap();
//!     assert_eq!(report.outcome, Outcome::Updated);
//! }
//!
//! let mut metrics = Metrics::<F32, 2>::new();
//! for i in 500..643 {
//!     let [a, b] = sample(i);
//!     learner.evaluate(&[a, b].into(), (b > a) as u16, &mut metrics).unwrap();
//! }
//! assert_eq!(metrics.count(), 143);
//! assert!(metrics.accuracy() > 0.95, "{}", metrics.accuracy());
//! // The same on every machine, to the last bit:
//! assert_eq!(metrics.correct(), 141);
//! ```
//!
//! # The rooms, from below
//!
//! | module | what is there |
//! |---|---|
//! | [`number`] | the formats [`F32`](number::F32) and [`Fixed16`](number::Fixed16), their sums and roundings; counter-based randomness |
//! | [`kernel`] | innermost loops on slices |
//! | [`math`] | the elementary functions, one choice for host and device |
//! | [`op`] | operations: shape rule, cost, forward, backward |
//! | [`loss`], [`optimizer`] | as PyTorch defines them |
//! | [`graph`] | a model as data; its text form and layout hash |
//! | [`plan`] | the `const` planner, and training settings |
//! | [`executor`] | runs a plan over an arena |
//! | [`image`] | the one file: a sealed safetensors |
//! | [`learner`] | [`Learner`](learner::Learner): load, predict, train, evaluate, save; [`model!`] |
//!
//! # Features
//!
//! - `defmt`: every public error and report implements `defmt::Format`.
//! - `host`: the graph has the operations that large models need on a host ([`op::HostOp`]); the planner refuses them by name.
//!   Firmware leaves it out, and then they cost nothing.
//! - `micromath`: takes the square root from micromath instead of libm; see [`math`].
#![no_std]
#![deny(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod executor;
pub mod graph;
pub mod image;
pub mod kernel;
pub mod learner;
pub mod loss;
pub mod math;
pub mod number;
pub mod op;
pub mod optimizer;
pub mod plan;
mod shape;
mod tensor;

pub use tensor::{ConstZero, Tensor, Values};
