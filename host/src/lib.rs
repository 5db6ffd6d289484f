//! The host side of Emberlite.

// The framework's types nest deeply with a GPU.
#![recursion_limit = "256"]

pub mod cli;
pub mod data;
pub mod export;
pub mod layout;
mod lower;
pub mod metrics;
mod parameters;
pub mod quantize;
pub mod recipes;
mod regular;
pub mod report;
pub mod search;
pub mod simulate;
pub mod spec;
pub mod study;
pub mod threads;
pub mod train;

pub use parameters::Parameters;
