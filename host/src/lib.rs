//! The host side of Emberlite.

pub mod cli;
pub mod data;
pub mod export;
mod parameters;
pub mod simulate;
pub mod spec;

pub use parameters::Parameters;
