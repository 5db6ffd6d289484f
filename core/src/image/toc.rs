//! The binary table of contents, its records and the seal: bytes to numbers and back. `mod.rs` documents the bytes.

use super::MAX_RANK;
use crate::number::Format;
use crate::optimizer::OptimizerKind;

/// The major version that this library reads and writes: files of another one are refused.
pub const MAJOR: u16 = 1;
/// The minor version that this library writes; greater ones are read as far as they are known.
pub const MINOR: u16 = 0;

/// The most records: 64 nodes with weight, bias, statistics and two states each need 518. Bounds the time that a file
/// can keep the reader busy, which compares each record with the earlier ones.
pub(super) const MAX_RECORDS: u16 = 1024;

pub(super) const MAGIC: [u8; 8] = *b"EMBERTOC";
pub(super) const HEAD_LEN: usize = 64;
pub(super) const RECORD_LEN: usize = 32;
pub(super) const SEAL_LEN: usize = 16;
pub(super) const SEAL_MAGIC: [u8; 4] = *b"SEAL";
pub(super) const COMMIT: u32 = u32::from_le_bytes(*b"DONE");
/// Flag: a reader that doesn't know the kind must refuse the file.
pub(super) const CRITICAL: u8 = 1;

/// The head of the table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub major: u16,
    pub minor: u16,
    pub head_len: u16,
    pub record_len: u16,
    pub layout_hash: u64,
    pub base_hash: u64,
    pub sequence: u32,
    pub step: u32,
    pub seed: u32,
    pub data_len: u32,
    pub records: u16,
    pub format: u8,
    pub optimizer: u8,
}

/// One tensor's record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub node: u8,
    pub kind: u8,
    pub dtype: u8,
    pub rank: u8,
    pub flags: u8,
    pub frac: i8,
    pub offset: u32,
    pub len: u32,
    pub dims: [u32; MAX_RANK],
}

/// The seal, without its magic.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seal {
    pub file_len: u32,
    pub crc: u32,
    pub commit: u32,
}

/// `N` bytes at a place; zeros where the buffer ends, which callers have excluded by its length.
fn at<const N: usize>(bytes: &[u8], place: usize) -> [u8; N] {
    bytes.get(place..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or([0; N])
}

fn put(bytes: &mut [u8], place: usize, value: &[u8]) {
    for (byte, value) in bytes.iter_mut().skip(place).zip(value) {
        *byte = *value;
    }
}

impl Head {
    pub fn decode(bytes: &[u8; HEAD_LEN]) -> Head {
        Head {
            major: u16::from_le_bytes(at(bytes, 8)),
            minor: u16::from_le_bytes(at(bytes, 10)),
            head_len: u16::from_le_bytes(at(bytes, 12)),
            record_len: u16::from_le_bytes(at(bytes, 14)),
            layout_hash: u64::from_le_bytes(at(bytes, 16)),
            base_hash: u64::from_le_bytes(at(bytes, 24)),
            sequence: u32::from_le_bytes(at(bytes, 32)),
            step: u32::from_le_bytes(at(bytes, 36)),
            seed: u32::from_le_bytes(at(bytes, 40)),
            data_len: u32::from_le_bytes(at(bytes, 44)),
            records: u16::from_le_bytes(at(bytes, 48)),
            format: u8::from_le_bytes(at(bytes, 50)),
            optimizer: u8::from_le_bytes(at(bytes, 51)),
        }
    }

    pub fn encode(&self) -> [u8; HEAD_LEN] {
        let mut bytes = [0; HEAD_LEN];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &self.major.to_le_bytes());
        put(&mut bytes, 10, &self.minor.to_le_bytes());
        put(&mut bytes, 12, &self.head_len.to_le_bytes());
        put(&mut bytes, 14, &self.record_len.to_le_bytes());
        put(&mut bytes, 16, &self.layout_hash.to_le_bytes());
        put(&mut bytes, 24, &self.base_hash.to_le_bytes());
        put(&mut bytes, 32, &self.sequence.to_le_bytes());
        put(&mut bytes, 36, &self.step.to_le_bytes());
        put(&mut bytes, 40, &self.seed.to_le_bytes());
        put(&mut bytes, 44, &self.data_len.to_le_bytes());
        put(&mut bytes, 48, &self.records.to_le_bytes());
        put(&mut bytes, 50, &[self.format, self.optimizer]);
        bytes
    }
}

impl Record {
    pub fn decode(bytes: &[u8; RECORD_LEN]) -> Record {
        let [node, kind, dtype, rank, flags, frac, ..] = *bytes;
        Record {
            node,
            kind,
            dtype,
            rank,
            flags,
            frac: i8::from_le_bytes([frac]),
            offset: u32::from_le_bytes(at(bytes, 8)),
            len: u32::from_le_bytes(at(bytes, 12)),
            dims: [16, 20, 24, 28].map(|place| u32::from_le_bytes(at(bytes, place))),
        }
    }

    pub fn encode(&self) -> [u8; RECORD_LEN] {
        let mut bytes = [0; RECORD_LEN];
        put(&mut bytes, 0, &[self.node, self.kind, self.dtype, self.rank, self.flags]);
        put(&mut bytes, 5, &self.frac.to_le_bytes());
        put(&mut bytes, 8, &self.offset.to_le_bytes());
        put(&mut bytes, 12, &self.len.to_le_bytes());
        for (place, dim) in [16, 20, 24, 28].into_iter().zip(self.dims) {
            put(&mut bytes, place, &dim.to_le_bytes());
        }
        bytes
    }
}

impl Seal {
    /// `None` if it isn't a seal at all.
    pub fn decode(bytes: &[u8; SEAL_LEN]) -> Option<Seal> {
        (at(bytes, 0) == SEAL_MAGIC).then(|| Seal {
            file_len: u32::from_le_bytes(at(bytes, 4)),
            crc: u32::from_le_bytes(at(bytes, 8)),
            commit: u32::from_le_bytes(at(bytes, 12)),
        })
    }
}

/// The bytes that dimensions and element size need; saturates far above what a file holds.
pub(super) fn tensor_len(dims: &[u32], element_bytes: u32) -> u64 {
    dims.iter().fold(u64::from(element_bytes), |len, dim| len.saturating_mul(u64::from(*dim)))
}

/// The file's code of a number format.
pub(super) const fn format_code(format: Format) -> u8 {
    match format {
        Format::F32 => 0,
        Format::Fixed16 => 1,
    }
}

/// The number format of a code.
pub(super) fn format_from_code(code: u8) -> Option<Format> {
    [Format::F32, Format::Fixed16].into_iter().find(|format| format_code(*format) == code)
}

/// The file's code of the optimizer whose state it holds; 0 for none.
pub(super) const fn optimizer_code(optimizer: Option<OptimizerKind>) -> u8 {
    match optimizer {
        None | Some(OptimizerKind::Descent) => 0,
        Some(OptimizerKind::Momentum) => 1,
        Some(OptimizerKind::Nesterov) => 2,
        Some(OptimizerKind::RmsProp) => 3,
        Some(OptimizerKind::AdaGrad) => 4,
        Some(OptimizerKind::Adam) => 5,
        Some(OptimizerKind::AdamW) => 6,
    }
}

/// The optimizer of a code.
pub(super) fn optimizer_from_code(code: u8) -> Option<OptimizerKind> {
    OptimizerKind::ALL.into_iter().find(|kind| code != 0 && optimizer_code(Some(*kind)) == code)
}
