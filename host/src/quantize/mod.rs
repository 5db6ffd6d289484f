//! From a model in real numbers to one in 16-bit fixed point that keeps learning.
//!
//! ```text
//! (nodes, Parameters) -> fold_batch_norm -> calibrate on samples -> Quantised: tensors, scales, normalisation -> export
//! ```
//!
//! A fixed-point tensor has one power-of-two scale, so all that a range decides is how many of the 16 bits stand behind
//! the point, and [`Range`] needs nothing but a histogram of binary exponents. [`calibrate`] finds these ranges by running
//! core's own f32 executor over samples, node by node: what every node gives out, and, for a model that learns, how large
//! the error at every node is compared with the largest error at the output, because the loss scales the errors of each
//! step anew and the table of scales is relative to that.
//!
//! What learning needs beyond calibration is room: parameters grow, and the data that a device meets isn't the data that
//! the factory had. [`Headroom`] says how many bits are kept free, and why.
//!
//! Measured (`cargo test -p emberlite-host --release --test quantize_learning -- --ignored --nocapture`): the figures
//! stand in that file.

mod calibrate;
mod error;
mod fold;
mod normalisation;
mod probe;
mod quantised;
mod range;

pub use calibrate::{Calibration, Headroom, calibrate};
pub use error::QuantizeError;
pub use fold::{fold_batch_norm, without_dropout};
pub use normalisation::normalisation_fixed;
pub use quantised::{Quantised, Tensor};
pub use range::Range;
