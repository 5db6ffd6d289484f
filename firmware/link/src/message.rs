//! What host and device say to each other.

use serde::{Deserialize, Serialize};

/// The protocol's version, in [`Info`]. A host that knows another one stops.
pub const VERSION: u16 = 2;

/// From the host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Request<'a> {
    /// Chosen by the host, one more for each request, the same when it is sent again.
    pub sequence: u16,
    /// What is asked for.
    #[serde(borrow)]
    pub body: Body<'a>,
}

/// What a host asks for. A tensor's bytes are what the program of the device takes: its model's numbers, or raw ones of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Body<'a> {
    /// Who is there? Also starts a new conversation: the device forgets which training step it answered last.
    Hello,
    /// Run the model forward.
    Predict {
        /// The input tensor.
        input: &'a [u8],
    },
    /// One training step.
    Train {
        /// The input tensor.
        input: &'a [u8],
        /// The class.
        label: u32,
    },
    /// Loss and correctness of one example; nothing is learned.
    Evaluate {
        /// The input tensor.
        input: &'a [u8],
        /// The class.
        label: u32,
    },
    /// A piece of the parameters.
    Read {
        /// Where it begins, in bytes of all parameters one after the other.
        offset: u32,
    },
    /// No more is asked for: the device ends what it does for the host.
    Finish,
}

/// From the device; [`Reply::sequence`] is the request's, or 0 where the request could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Reply<'a> {
    /// To `Hello`.
    Info(Info<'a>),
    /// To `Predict`: the output tensor in the model's numbers.
    Prediction {
        /// The request's number.
        sequence: u16,
        /// The output tensor.
        output: &'a [u8],
    },
    /// To `Train`.
    Trained {
        /// The request's number.
        sequence: u16,
        /// Loss before the step, see [`Numbers`].
        loss_bits: u32,
        /// What came of it.
        outcome: Outcome,
        /// Updates so far.
        step: u32,
    },
    /// To `Evaluate`.
    Evaluated {
        /// The request's number.
        sequence: u16,
        /// The loss, see [`Numbers`].
        loss_bits: u32,
        /// Whether the largest output is the label's.
        correct: bool,
    },
    /// To `Read`: as much as one frame holds, in the model's numbers; empty at the end.
    Parameters {
        /// The request's number.
        sequence: u16,
        /// Where it begins.
        offset: u32,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// To `Finish`.
    Finished {
        /// The request's number.
        sequence: u16,
    },
    /// To what can't be answered.
    Refused {
        /// The request's number.
        sequence: u16,
        /// Why.
        refusal: Refusal,
    },
}

impl Reply<'_> {
    /// The number of the request that this answers.
    pub fn sequence(&self) -> u16 {
        match *self {
            Reply::Info(Info { sequence, .. })
            | Reply::Prediction { sequence, .. }
            | Reply::Trained { sequence, .. }
            | Reply::Evaluated { sequence, .. }
            | Reply::Parameters { sequence, .. }
            | Reply::Finished { sequence }
            | Reply::Refused { sequence, .. } => sequence,
        }
    }
}

/// What came of a training step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// The parameters moved.
    Updated,
    /// The example joined a mini-batch that isn't full yet.
    Accumulated,
    /// A number would have become infinite: nothing moved, and the mini-batch is dropped.
    Skipped,
}

/// What a model computes with: how outputs, parameters and losses are to be read. Losses are sent as bits, so that a device
/// without floating point sends its own, and a comparison is one of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Numbers {
    /// Little-endian `f32`; a loss has the bits of one.
    F32,
    /// Little-endian `i16`, with the fraction bits that the model's file gives; a loss is an `i32` with 16 fraction bits.
    Fixed16,
}

/// The device and its model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info<'a> {
    /// The request's number.
    pub sequence: u16,
    /// [`VERSION`] of the device.
    pub version: u16,
    /// The board.
    pub board: &'a str,
    /// The layout hash of the model's graph: whose parameters these are.
    pub layout_hash: u64,
    /// What the model computes with.
    pub numbers: Numbers,
    /// Elements of the input tensor.
    pub input_len: u32,
    /// Elements of the output tensor.
    pub output_len: u32,
    /// Bytes of all parameters.
    pub parameter_bytes: u32,
    /// Training steps so far.
    pub step: u32,
}

/// Why a request isn't carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The frame is damaged or cut: send it again.
    Damaged,
    /// The frame is longer than the device's buffer: send less.
    TooLong,
    /// The frame is sound, its message unknown: another version of the protocol.
    Unknown,
    /// A tensor of another length.
    WrongLength {
        /// Elements that the model takes.
        needed: u32,
        /// Elements that came.
        got: u32,
    },
    /// A class that the model doesn't have.
    WrongLabel {
        /// Classes that the model has.
        classes: u32,
        /// The label that came.
        got: u32,
    },
    /// An offset behind the last parameter.
    WrongOffset {
        /// Bytes of all parameters.
        len: u32,
        /// The offset that came.
        got: u32,
    },
    /// A value is not a number, infinite, or larger than the learner takes; learning from it would destroy the parameters.
    NotFinite,
    /// The device can't: its learner stopped with an error.
    Failed,
}

/// The reply that a sound frame carries; `None`: bytes of another protocol or version.
pub fn reply(payload: &[u8]) -> Option<Reply<'_>> {
    postcard::from_bytes(payload).ok()
}

/// The `f32` values of little-endian bytes; trailing bytes that make no value are left out.
pub fn floats(bytes: &[u8]) -> impl ExactSizeIterator<Item = f32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk))
}

/// Writes values as little-endian bytes and returns how many bytes; as many values as fit.
pub fn put_floats(values: &[f32], out: &mut [u8]) -> usize {
    let (chunks, _) = out.as_chunks_mut::<4>();
    let count = chunks.len().min(values.len());
    for (chunk, value) in chunks.iter_mut().zip(values) {
        *chunk = value.to_le_bytes();
    }
    count * 4
}
