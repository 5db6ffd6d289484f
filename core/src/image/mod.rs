//! The one file: a sealed safetensors, read and written without allocation, and read without JSON.
//!
//! One file carries a model from the host to a device, a checkpoint back, and a backup between them. Any safetensors reader
//! opens it. A device doesn't read the JSON: the first tensor is a binary table of contents whose place follows from the
//! header's length, and the last is a seal that makes one damaged or missing bit an error.
//!
//! | where | what |
//! |---|---|
//! | 0 | u64: length N of the header |
//! | 8 | N bytes of JSON, ended by spaces so that the data starts at a multiple of 16 |
//! | 8 + N = D | tensor `~toc`: the table of contents, below |
//! | D + … | tensor `~graph`, then the others, each at a multiple of 16; tensors `~pad0`, `~pad1`, … of zeros fill the gaps |
//! | end - 16 | tensor `~seal` |
//!
//! All numbers are little-endian, and so are the machines that this library runs on. Offsets in the table count from D, as
//! safetensors' do, so they are right whatever the header's length. **Raw profile**: for parts with little flash the file may
//! start at D; the first eight bytes tell which it is.
//!
//! Table of contents: 64 bytes, then 32 for each tensor (without `~toc`, `~pad…`, `~seal`), in the order of offsets:
//!
//! | byte | table | | byte | tensor |
//! |---|---|---|---|---|
//! | 0 | `EMBERTOC` | | 0 | u8 node, 255: the model |
//! | 8 | u16 major version, 1 | | 1 | u8 [`Kind`] |
//! | 10 | u16 minor version, 0 | | 2 | u8 [`DType`] |
//! | 12 | u16 bytes before the first record, 64 | | 3 | u8 rank, at most 4 |
//! | 14 | u16 bytes of one record, 32 | | 4 | u8 flags; bit 0: critical |
//! | 16 | u64 layout hash of the graph | | 5 | i8 fraction bits (fixed point) |
//! | 24 | u64 [`identity`](Image::identity) of the file that learning started from | | 6 | u16 zero |
//! | 32 | u32 sequence: larger is newer | | 8 | u32 offset from D |
//! | 36 | u32 step: training steps done, the counter of all randomness | | 12 | u32 length in bytes |
//! | 40 | u32 seed | | 16 | u32 × 4 dimensions, unused ones 1 |
//! | 44 | u32 bytes from D to the end of the file | | | |
//! | 48 | u16 number of records, at most 1024 | | | |
//! | 50 | u8 number format: 0 f32, 1 fixed16 | | | |
//! | 51 | u8 optimizer whose state is there: 1 sgd with momentum, 2 with Nesterov's, 3 rmsprop, 4 adagrad, 5 adam, 6 adamw; 0 unknown or none | | | |
//! | 52 | zeros | | | |
//!
//! Seal: `SEAL`, u32 length of the file, u32 CRC-32C of every byte before it, and the commit word `DONE`. A writer hands over
//! the commit word last and by itself, so on flash a file counts only once everything else is there.
//!
//! Versions: another major version is refused. A greater minor version may add kinds, lengthen the table's head and its
//! records; what this library doesn't know is ignored, unless its critical bit is set.
//!
//! CRC-32C (Castagnoli, polynomial 0x1EDC6F41) rather than the IEEE polynomial: up to 2^31 - 1 bits any three wrong bits
//! show, which IEEE loses above 11.4 KB. Of the forms that crate `crc` has we take the table of 256 words: 1 KB of flash and
//! nine instructions a byte (the loop as compiled for a Cortex-M4 at `opt-level = "s"`). Without a table every byte costs
//! eight rounds of shift and xor; 16 tables are faster still, for 16 KB.
//!
//! A tensor can be viewed as numbers only where the file starts at an address that is a multiple of 4 (8 for i64); see
//! [`Aligned`].

mod crc32c;
mod error;
mod kind;
mod read;
mod sink;
mod toc;
mod write;

pub use crc32c::crc32c;
pub use error::ImageError;
pub use kind::{DType, Kind, MODEL, Name};
pub use read::{Image, Tensor};
pub use sink::{Count, Sink, SinkFull};
pub use toc::{MAJOR, MINOR};
pub use write::{Entry, Header, Profile, Writer, encoded_len};

/// What tensors start at a multiple of, counted from the start of the file.
pub const ALIGNMENT: u32 = 16;

/// The most dimensions of a tensor.
pub const MAX_RANK: usize = 4;

const _: () =
    assert!(u16::from_ne_bytes([1, 0]) == 1, "the file is little-endian, and its tensors are used where they lie");

/// Puts bytes at an address that is a multiple of 16, as a file that is part of the program must be.
///
/// ```
/// use emberlite::image::Aligned;
/// // In a program: `Aligned(*include_bytes!("model.safetensors"))`.
/// static MODEL: &Aligned<[u8]> = &Aligned([1u8, 2, 3]);
/// assert_eq!(MODEL.0.as_ptr().addr() % 16, 0);
/// ```
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Aligned<T: ?Sized>(
    /// The bytes.
    pub T,
);
