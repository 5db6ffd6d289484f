//! The host side of Emberlite.

pub mod data;
