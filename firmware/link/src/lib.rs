//! How a host talks to a device that learns, over any line of bytes.
//!
//! ```text
//! Client ── Request ──> frame ──> line ──> Receiver ──> Server ──> Device (the program's own)
//!        <── Reply  <── frame <── line <──
//! ```
//!
//! A message is [postcard](https://docs.rs/postcard), sealed with a CRC-32C and framed with COBS, so that a zero byte is
//! always the end of a frame and a receiver that joins late or sees noise finds its way back at the next one. Each frame that
//! isn't understood gets a typed refusal. A request carries a number; a training step that is repeated because its reply was
//! lost is answered again, not trained again.
//!
//! Nothing here allocates, panics or knows the library: tensors travel as bytes, losses as bits, and [`Numbers`] says of which
//! numbers.
//!
//! Tried and dropped: COBS in place by the crate `cobs` (needs the whole frame twice, and links panics into the device).
#![no_std]
#![forbid(unsafe_code)]

mod client;
mod frame;
mod message;
mod server;
#[cfg(feature = "std")]
mod stream;

pub use client::{CallError, Client, Port};
pub use frame::{FrameError, MAX_OVERHEAD, Receiver, encode};
pub use message::{Body, Info, Numbers, Outcome, Refusal, Reply, Request, VERSION, floats, put_floats, reply};
pub use server::{Device, Server, Step};
#[cfg(feature = "std")]
pub use stream::Stream;
