//! Programs that a host and every board run: what they print must be the same text, byte for byte.
//!
//! They print integers and bit patterns only, so that no formatting of floating point is part of the comparison, and
//! take their data from counters, so that no file is. The golden text of program `name` is `golden/name.txt`.

pub mod data;
pub mod kernels;
pub mod training_trace;

/// A program: writes its text, and fails only if the writer does.
pub type Program = fn(&mut dyn core::fmt::Write) -> core::fmt::Result;

/// Every program by name.
pub const PROGRAMS: &[(&str, Program)] = &[("kernels", kernels::run), ("training_trace", training_trace::run)];
