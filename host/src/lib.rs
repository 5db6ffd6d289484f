//! The host side of Emberlite.

pub mod data;
mod parameters;

pub use parameters::Parameters;
