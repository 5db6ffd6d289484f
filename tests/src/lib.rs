//! What spans crates: oracles, programs run by host and emulator, golden text.
#![cfg_attr(not(feature = "std"), no_std)]

#[cfg(feature = "std")]
pub mod oracle;
pub mod programs;
#[cfg(feature = "std")]
pub mod reference;

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
