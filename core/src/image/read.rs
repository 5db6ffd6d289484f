//! The reader: checks a file once, then hands out views of it.

use super::kind::{DType, Kind, MODEL, Name};
use super::toc::{
    COMMIT, CRITICAL, HEAD_LEN, Head, MAGIC, MAJOR, MAX_RECORDS, MINOR, RECORD_LEN, Record, SEAL_LEN, Seal,
    format_from_code, optimizer_from_code, tensor_len,
};
use super::{ALIGNMENT, ImageError, MAX_RANK, crc32c};
use crate::number::Format;
use crate::optimizer::OptimizerKind;

/// A file that has been checked; everything it hands out borrows the file's bytes.
///
/// ```
/// use emberlite::graph::{Graph, Shape, layout_hash, linear};
/// use emberlite::image::{DType, Entry, Header, Image, Kind, Writer};
/// use emberlite::number::Format;
///
/// let nodes = [linear(1)];
/// let graph = Graph::new(Format::F32, Shape::d1(2), &nodes);
/// let weight = [0.5f32, -2.0];
/// let bytes = bytemuck::cast_slice(&weight);
/// let entries = [Entry { node: 0, kind: Kind::Weight, dtype: DType::F32, dims: &[1, 2], frac: 0, bytes }];
/// let mut file = heapless::Vec::<u8, 2048>::new();
/// Writer::new(Header::new(graph), &entries).unwrap().write(&mut file).unwrap();
///
/// let image = Image::open(&file).unwrap();
/// image.check_layout(layout_hash(&graph)).unwrap();
/// assert_eq!(image.tensor(0, Kind::Weight).unwrap().dims(), [1, 2]);
/// file[100] ^= 1;
/// assert!(Image::open(&file).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// The whole file.
    bytes: &'a [u8],
    /// The JSON header; empty in the raw profile.
    json: &'a [u8],
    /// From the table of contents to the end of the file.
    data: &'a [u8],
    head: Head,
    /// The table's records, `head.record_len` bytes each.
    records: &'a [u8],
    format: Format,
    checksum: u32,
}

/// A tensor of the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tensor<'a> {
    dims: [u32; MAX_RANK],
    rank: u8,
    /// The type of its elements.
    pub dtype: DType,
    /// Fraction bits of a fixed-point tensor: `real = element / 2^frac`.
    pub frac: i8,
    /// Its elements, row-major, little-endian; as many as the dimensions say.
    pub bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// The dimensions, as many as the rank.
    pub fn dims(&self) -> &[u32] {
        self.dims.get(..usize::from(self.rank)).unwrap_or_default()
    }
    /// The number of elements.
    pub fn elements(&self) -> usize {
        self.bytes.len() / self.dtype.bytes() as usize
    }
    /// The elements as f32; `None` if they are of another type, or the file isn't [`Aligned`](super::Aligned).
    pub fn as_f32(&self) -> Option<&'a [f32]> {
        self.view(DType::F32)
    }
    /// The elements as i16; `None` as for [`Tensor::as_f32`].
    pub fn as_i16(&self) -> Option<&'a [i16]> {
        self.view(DType::I16)
    }
    /// The elements as i32; `None` as for [`Tensor::as_f32`].
    pub fn as_i32(&self) -> Option<&'a [i32]> {
        self.view(DType::I32)
    }
    /// The elements as i64; `None` as for [`Tensor::as_f32`].
    pub fn as_i64(&self) -> Option<&'a [i64]> {
        self.view(DType::I64)
    }
    /// The elements as i8; `None` if they are of another type.
    pub fn as_i8(&self) -> Option<&'a [i8]> {
        self.view(DType::I8)
    }
    /// The elements as u8; `None` if they are of another type.
    pub fn as_u8(&self) -> Option<&'a [u8]> {
        self.view(DType::U8)
    }
    fn view<T: bytemuck::AnyBitPattern>(&self, dtype: DType) -> Option<&'a [T]> {
        if self.dtype == dtype { bytemuck::try_cast_slice(self.bytes).ok() } else { None }
    }
}

impl<'a> Image<'a> {
    /// Checks a file: its length, seal, commit word and checksum, its version, and every record of its table.
    ///
    /// `bytes` is exactly the file; [`Image::stored_len`] tells where it ends in a larger slot. Reads each byte once
    /// (about one table look-up a byte) and compares each record with the earlier ones; the accessors cost a walk over
    /// the table.
    ///
    /// # Errors
    /// [`ImageError`]; never a panic, whatever the bytes.
    pub fn open(bytes: &'a [u8]) -> Result<Image<'a>, ImageError> {
        let (start, head) = locate(bytes)?;
        let (json, data) = bytes.split_at_checked(start).ok_or(ImageError::NotAnImage)?;
        let needed = start as u64 + u64::from(head.data_len);
        let length = ImageError::Length { needed, got: bytes.len() as u64 };
        if needed != bytes.len() as u64 {
            return Err(length);
        }
        let (_, seal) = data.split_last_chunk::<SEAL_LEN>().ok_or(length)?;
        let seal = Seal::decode(seal).ok_or(ImageError::NotSealed { got: 0 })?;
        if seal.commit != COMMIT {
            return Err(ImageError::NotSealed { got: seal.commit });
        }
        if u64::from(seal.file_len) != needed {
            return Err(length);
        }
        // The checksum and the commit word are all that the checksum doesn't cover.
        let checksum = crc32c(bytes.get(..bytes.len().saturating_sub(8)).unwrap_or_default());
        if checksum != seal.crc {
            return Err(ImageError::Checksum { needed: seal.crc, got: checksum });
        }
        let format = format_from_code(head.format).ok_or(ImageError::Format { got: head.format })?;
        let image = Image { bytes, json, data, head, records: records(data, &head)?, format, checksum };
        image.check_records()?;
        Ok(image)
    }

    /// The length of the file whose first bytes these are, as its table says; nothing else is checked.
    ///
    /// The bytes must reach to the end of the table's head; a whole slot of flash does.
    ///
    /// # Errors
    /// [`ImageError::NotAnImage`], [`ImageError::MajorVersion`], or [`ImageError::Length`] where the bytes end too early.
    pub fn stored_len(bytes: &[u8]) -> Result<u64, ImageError> {
        let (start, head) = locate(bytes)?;
        Ok(start as u64 + u64::from(head.data_len))
    }

    fn check_records(&self) -> Result<(), ImageError> {
        let newer = self.head.minor > MINOR;
        let limit = self.head.data_len.saturating_sub(SEAL_LEN as u32);
        let mut free = u32::from(self.head.head_len).saturating_add(self.records.len() as u32);
        for (entry, record) in self.records() {
            let Record { node, kind, .. } = record;
            let known = Kind::from_code(kind);
            match known {
                None if record.flags & CRITICAL != 0 => {
                    return Err(ImageError::Critical { entry, kind });
                }
                None if newer => {}
                Some(known) if known.is_global() == (node == MODEL) => {}
                _ => return Err(ImageError::Kind { entry, kind, node }),
            }
            if let Some((first, _)) = self.find(node, kind).filter(|(first, _)| *first != entry) {
                return Err(ImageError::Twice { entry, first });
            }
            if !record.offset.is_multiple_of(ALIGNMENT) {
                return Err(ImageError::Alignment { entry, offset: record.offset });
            }
            if record.offset < free {
                return Err(ImageError::Overlap { entry, needed: free, got: record.offset });
            }
            let end = u64::from(record.offset) + u64::from(record.len);
            if end > u64::from(limit) {
                return Err(ImageError::Bounds { entry, end, limit });
            }
            free = end as u32;
            if known.is_some() {
                check_shape(entry, &record)?;
            }
        }
        Ok(())
    }

    fn records(&self) -> impl Iterator<Item = (u16, Record)> + use<'a> {
        let chunks = self.records.chunks_exact(usize::from(self.head.record_len).max(RECORD_LEN));
        (0..=u16::MAX).zip(chunks.filter_map(|chunk| Some(Record::decode(chunk.first_chunk()?))))
    }

    fn find(&self, node: u8, kind: u8) -> Option<(u16, Record)> {
        self.records().find(|(_, record)| record.node == node && record.kind == kind)
    }

    fn view(&self, record: &Record) -> Option<Tensor<'a>> {
        let start = record.offset as usize;
        Some(Tensor {
            dims: record.dims,
            rank: record.rank,
            dtype: DType::from_code(record.dtype)?,
            frac: record.frac,
            bytes: self.data.get(start..start.checked_add(record.len as usize)?)?,
        })
    }

    /// The tensor of a node ([`MODEL`] for the whole model's), or `None` if the file doesn't have it.
    pub fn tensor(&self, node: u8, kind: Kind) -> Option<Tensor<'a>> {
        self.find(node, kind as u8).and_then(|(_, record)| self.view(&record))
    }

    /// Every tensor of a known kind, in the order of the file.
    pub fn tensors(&self) -> impl Iterator<Item = (Name, Tensor<'a>)> + use<'a> {
        let image = *self;
        self.records().filter_map(move |(_, record)| {
            let name = Name { node: record.node, kind: Kind::from_code(record.kind)? };
            Some((name, image.view(&record)?))
        })
    }

    /// The graph as text, for [`parse_graph`](crate::graph::parse_graph).
    pub fn graph_text(&self) -> Option<&'a str> {
        self.tensor(MODEL, Kind::Graph).and_then(|tensor| core::str::from_utf8(tensor.bytes).ok())
    }

    /// Says whether the file's parameters fit the model with this layout hash.
    ///
    /// # Errors
    /// [`ImageError::OtherModel`] with both hashes.
    pub fn check_layout(&self, expected: u64) -> Result<(), ImageError> {
        if self.head.layout_hash == expected {
            return Ok(());
        }
        Err(ImageError::OtherModel { needed: expected, got: self.head.layout_hash })
    }

    /// The layout hash of the model, see [`layout_hash`](crate::graph::layout_hash).
    pub fn layout_hash(&self) -> u64 {
        self.head.layout_hash
    }
    /// The [`Image::identity`] of the file that learning started from; 0 for a first file.
    pub fn base_hash(&self) -> u64 {
        self.head.base_hash
    }
    /// This file's length (upper half) and checksum: what a later file names as its base.
    pub fn identity(&self) -> u64 {
        (self.bytes.len() as u64) << 32 | u64::from(self.checksum)
    }
    /// Counts the checkpoints of one device: larger is newer.
    pub fn sequence(&self) -> u32 {
        self.head.sequence
    }
    /// The training steps done, which is also the counter of all randomness.
    pub fn step(&self) -> u32 {
        self.head.step
    }
    /// The seed that training had when the file was saved: a note. Loading doesn't take it over; a learner's seed is that of
    /// its [`Training`](crate::plan::Training).
    pub fn seed(&self) -> u32 {
        self.head.seed
    }
    /// Whose the optimizer state is; `None` if there is none, or the file doesn't say, as older ones don't.
    pub fn optimizer(&self) -> Option<OptimizerKind> {
        optimizer_from_code(self.head.optimizer)
    }
    /// What values are stored as.
    pub fn format(&self) -> Format {
        self.format
    }
    /// The file's version, major and minor.
    pub fn version(&self) -> (u16, u16) {
        (self.head.major, self.head.minor)
    }
    /// The JSON header with its padding, for readers that know JSON; `None` in the raw profile.
    pub fn json(&self) -> Option<&'a str> {
        self.json.get(8..).and_then(|json| core::str::from_utf8(json).ok())
    }
    /// Whether tensors of 4-byte elements can be viewed where the file lies, see [`Aligned`](super::Aligned).
    pub fn is_aligned(&self) -> bool {
        self.bytes.as_ptr().cast::<u32>().is_aligned()
    }
}

/// Where the table of contents starts, and its head.
fn locate(bytes: &[u8]) -> Result<(usize, Head), ImageError> {
    let got = bytes.len() as u64;
    let too_short = |start: u64| ImageError::Length { needed: start.saturating_add((HEAD_LEN + SEAL_LEN) as u64), got };
    let first = bytes.first_chunk::<8>().ok_or(too_short(0))?;
    let mut start = 0;
    if *first != MAGIC {
        if bytes.get(8).is_some_and(|byte| *byte != b'{') {
            return Err(ImageError::NotAnImage);
        }
        start = u64::from_le_bytes(*first).saturating_add(8);
    }
    let place = usize::try_from(start).map_err(|_| too_short(start))?;
    let head = bytes.get(place..).and_then(|data| data.first_chunk::<HEAD_LEN>()).ok_or(too_short(start))?;
    if !head.starts_with(&MAGIC) || !start.is_multiple_of(u64::from(ALIGNMENT)) {
        return Err(ImageError::NotAnImage);
    }
    let head = Head::decode(head);
    if head.major != MAJOR {
        return Err(ImageError::MajorVersion { needed: MAJOR, got: head.major });
    }
    Ok((place, head))
}

/// The bytes of the table's records.
fn records<'a>(data: &'a [u8], head: &Head) -> Result<&'a [u8], ImageError> {
    let too_short = |needed: usize, got: u16| ImageError::Table { needed: needed as u32, got: got.into() };
    if usize::from(head.head_len) < HEAD_LEN {
        return Err(too_short(HEAD_LEN, head.head_len));
    }
    if usize::from(head.record_len) < RECORD_LEN {
        return Err(too_short(RECORD_LEN, head.record_len));
    }
    if head.records > MAX_RECORDS {
        return Err(ImageError::TooManyRecords { limit: MAX_RECORDS, got: head.records });
    }
    // At most 2^16 + 2^10 * 2^16, which is below 2^32.
    let end = u32::from(head.head_len) + u32::from(head.records) * u32::from(head.record_len);
    let limit = data.len().saturating_sub(SEAL_LEN);
    let table = data.get(..limit).and_then(|data| data.get(..end as usize));
    let table = table.ok_or(ImageError::Table { needed: end, got: limit as u32 })?;
    Ok(table.get(usize::from(head.head_len)..).unwrap_or_default())
}

/// Whether a record's length is that of its dimensions.
fn check_shape(entry: u16, record: &Record) -> Result<(), ImageError> {
    let dims = record.dims.get(..usize::from(record.rank));
    let dims = dims.ok_or(ImageError::Rank { entry, got: record.rank.into() })?;
    let dtype = DType::from_code(record.dtype).ok_or(ImageError::DataType { entry, got: record.dtype })?;
    let (needed, got) = (tensor_len(dims, dtype.bytes()), u64::from(record.len));
    if needed != got {
        return Err(ImageError::Size { entry, needed, got });
    }
    Ok(())
}
