//! Models that are trained on a host and keep learning on the microcontroller.
#![no_std]
#![forbid(unsafe_code)]

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
mod tensor;

pub use tensor::{ConstZero, Tensor, Values};
