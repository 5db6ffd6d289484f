//! A second implementation of training, naive on purpose, to compare the executor with.
//!
//! It has no arena and shares nothing: every value, every error and every gradient has a `Vec` of its own, and nothing is
//! updated before everything is computed. Operations with weights are lists of wires (`wiring`): output, weight, input;
//! forward, error and gradient are three sums over the same list, in the order that the operations document.
//!
//! - [`Network`] with `f32` does every sum in that order, so the executor must give the same bits;
//! - [`Network`] with `f64` is the same text with errors near 1e-16: its gradients are compared with differences of its
//!   own loss, which knows nothing of backward passes;
//! - [`FixedNetwork`] holds exact sums in `i128` and rounds where the documentation says so.
//!
//! What it takes from the library instead of writing it again, because other tests hold it: random keys, the rate of a
//! schedule, elementary functions of f32, and for fixed point the loss, Adam, and plain descent along an outer product.

mod choices;
mod file;
mod fixed;
mod generate;
mod hostile;
mod loss;
mod machine;
mod network;
mod norm;
mod optimizer;
mod real;
mod wiring;

pub use choices::Choices;
pub use file::{File, Numbers, Out, fixed_bytes, float_bytes, parameter_lens, write_file};
pub use fixed::FixedNetwork;
pub use generate::{Case, Goal, Sample, generate};
pub use hostile::{harden, hostile_sample, spoil};
pub use machine::{Machine, NODES};
pub use network::{Network, Stepped};
pub use real::Real;
pub use wiring::shapes;
