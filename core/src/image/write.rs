//! The writer: checks what it is given, then streams the file; no buffer of the file's size anywhere.

mod json;

use core::fmt::{self, Write};

use super::kind::{DType, Kind, MODEL};
use super::toc::{
    COMMIT, HEAD_LEN, Head, MAJOR, MAX_RECORDS, MINOR, RECORD_LEN, Record, SEAL_LEN, SEAL_MAGIC, format_code,
    optimizer_code, tensor_len,
};
use super::{ALIGNMENT, Count, ImageError, MAX_RANK, Sink, crc32c};
use crate::graph::{Graph, layout_hash, write_graph};
use crate::optimizer::OptimizerKind;

/// What the file is to be opened by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// Any safetensors reader, and this library.
    Safetensors,
    /// This library alone: no JSON, so about 100 bytes less a tensor. Has no metadata.
    Raw,
}

/// All of a file that isn't a tensor.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// The model; it travels as text, as number format and as layout hash.
    pub graph: Graph<'a>,
    /// The [`identity`](super::Image::identity) of the file that learning started from; 0 for a first file.
    pub base_hash: u64,
    /// Counts the checkpoints of one device: larger is newer.
    pub sequence: u32,
    /// The training steps done.
    pub step: u32,
    /// The seed that training had: a note for the reader, who brings a seed of its own.
    pub seed: u32,
    /// Whose the optimizer state is, so that no other takes it for its own; `None` where there is none or it isn't known.
    pub optimizer: Option<OptimizerKind>,
    /// Further keys and texts for the header's `__metadata__`; `graph` and `emberlite` are there already.
    pub metadata: &'a [(&'a str, &'a str)],
    /// Who is to read the file.
    pub profile: Profile,
}

impl<'a> Header<'a> {
    /// A first file of a model: no base, no steps, seed 0, no optimizer, no further metadata, for any reader.
    pub const fn new(graph: Graph<'a>) -> Header<'a> {
        let profile = Profile::Safetensors;
        Header { graph, base_hash: 0, sequence: 0, step: 0, seed: 0, optimizer: None, metadata: &[], profile }
    }
}

/// One tensor to write.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The node, or [`MODEL`] for kinds that belong to the whole model.
    pub node: u8,
    /// What it is; every kind but [`Kind::Graph`], which the writer makes.
    pub kind: Kind,
    /// The type of its elements.
    pub dtype: DType,
    /// Its dimensions, at most [`MAX_RANK`].
    pub dims: &'a [u32],
    /// Fraction bits of a fixed-point tensor, else 0.
    pub frac: i8,
    /// Its elements, row-major, little-endian.
    pub bytes: &'a [u8],
}

/// A file that has been checked and measured, ready to be written as often as you like.
#[derive(Clone, Copy, Debug)]
pub struct Writer<'a> {
    header: Header<'a>,
    entries: &'a [Entry<'a>],
    /// Bytes of the graph's text.
    graph_len: u32,
    /// Bytes of the JSON header, padding included; 0 in the raw profile.
    json_len: u32,
    /// Bytes from the table of contents to the end.
    data_len: u32,
}

/// What lies in one tensor of the file.
enum Content<'a> {
    Toc,
    Graph,
    Entry(&'a Entry<'a>),
    Pad(u32),
    Seal,
}

/// One tensor of the file, in the order of offsets.
struct Section<'a> {
    content: Content<'a>,
    start: u64,
    len: u64,
}

impl<'a> Writer<'a> {
    /// Checks and measures a file; entries are written in the order given.
    ///
    /// Writing twice gives the same bytes. Costs a walk over the entries and over the header's text, and no byte of a
    /// tensor is read.
    ///
    /// # Errors
    /// [`ImageError`] with the entry's place in `entries`: `Kind`, `Twice`, `Rank`, `Size`; `Metadata` and `TooLarge`.
    pub fn new(header: Header<'a>, entries: &'a [Entry<'a>]) -> Result<Writer<'a>, ImageError> {
        if entries.len() >= usize::from(MAX_RECORDS) || header.metadata.len() > usize::from(MAX_RECORDS) {
            return Err(ImageError::TooLarge);
        }
        check_entries(entries)?;
        check_metadata(&header)?;
        let size = |size: u64| u32::try_from(size).map_err(|_| ImageError::TooLarge);
        let mut writer = Writer { header, entries, graph_len: 0, json_len: 0, data_len: 0 };
        writer.graph_len = size(measure(|out| write_graph(&header.graph, out)))?;
        let mut data_len = 0;
        // The visitor never fails.
        let _ = writer.sections(&mut |section| {
            data_len = section.start.saturating_add(section.len);
            Ok(())
        });
        writer.data_len = size(data_len)?;
        if header.profile == Profile::Safetensors {
            // The data starts at a multiple, so the header ends 8 bytes, its own length, before one.
            let end = measure(|out| writer.json(out)).saturating_add(8).checked_next_multiple_of(ALIGNMENT.into());
            writer.json_len = size(end.unwrap_or(u64::MAX))?.saturating_sub(8);
        }
        let _ = size(writer.json_start() + u64::from(writer.json_len) + u64::from(writer.data_len))?;
        Ok(writer)
    }

    /// The length of the file in bytes.
    pub fn encoded_len(&self) -> u32 {
        // `new` checked that the sum fits.
        (self.json_start() as u32).saturating_add(self.json_len).saturating_add(self.data_len)
    }

    /// Writes the file: every byte once, in order, the commit word last and by itself.
    ///
    /// # Errors
    /// The sink's; what it has taken until then isn't a file that opens.
    pub fn write<S: Sink>(&self, sink: &mut S) -> Result<(), S::Error> {
        let mut out = Out { sink, checksum: crc32c::digest(), error: None };
        match (self.stream(&mut out), out.error) {
            (Err(_), Some(error)) => Err(error),
            // Formatting itself has no errors: whatever failed is in `error`.
            _ => Ok(()),
        }
    }

    fn stream<S: Sink>(&self, out: &mut Out<'_, S>) -> fmt::Result {
        if self.header.profile == Profile::Safetensors {
            out.bytes(&u64::from(self.json_len).to_le_bytes())?;
            let written = measure(|count| self.json(count));
            self.json(out)?;
            out.repeat(b' ', u64::from(self.json_len).saturating_sub(written))?;
        }
        self.sections(&mut |section| match section.content {
            Content::Toc => self.table(out),
            Content::Graph => write_graph(&self.header.graph, out),
            Content::Entry(entry) => out.bytes(entry.bytes),
            Content::Pad(_) => out.repeat(0, section.len),
            Content::Seal => {
                out.bytes(&SEAL_MAGIC)?;
                out.bytes(&self.encoded_len().to_le_bytes())?;
                let checksum = out.checksum.clone().finalize();
                out.bytes(&checksum.to_le_bytes())?;
                out.bytes(&COMMIT.to_le_bytes())
            }
        })
    }

    fn json_start(&self) -> u64 {
        if self.header.profile == Profile::Safetensors { 8 } else { 0 }
    }

    /// Visits every tensor of the file, padding included, in the order of offsets.
    fn sections(&self, visit: &mut dyn FnMut(&Section<'_>) -> fmt::Result) -> fmt::Result {
        let toc_len = HEAD_LEN as u64 + RECORD_LEN as u64 * (self.entries.len() as u64 + 1);
        let tensors = [(Content::Toc, toc_len), (Content::Graph, self.graph_len.into())].into_iter();
        let tensors = tensors.chain(self.entries.iter().map(|entry| (Content::Entry(entry), entry.bytes.len() as u64)));
        let (mut start, mut pads) = (0u64, 0);
        for (content, len) in tensors.chain([(Content::Seal, SEAL_LEN as u64)]) {
            let aligned = start.checked_next_multiple_of(ALIGNMENT.into()).unwrap_or(u64::MAX);
            if aligned > start {
                visit(&Section { content: Content::Pad(pads), start, len: aligned - start })?;
                pads += 1;
            }
            visit(&Section { content, start: aligned, len })?;
            start = aligned.saturating_add(len);
        }
        Ok(())
    }

    /// The table of contents.
    fn table<S: Sink>(&self, out: &mut Out<'_, S>) -> fmt::Result {
        let header = &self.header;
        let head = Head {
            major: MAJOR,
            minor: MINOR,
            head_len: HEAD_LEN as u16,
            record_len: RECORD_LEN as u16,
            layout_hash: layout_hash(&header.graph),
            base_hash: header.base_hash,
            sequence: header.sequence,
            step: header.step,
            seed: header.seed,
            data_len: self.data_len,
            records: self.entries.len() as u16 + 1,
            format: format_code(header.graph.format),
            optimizer: optimizer_code(header.optimizer),
        };
        out.bytes(&head.encode())?;
        self.sections(&mut |section| {
            let (node, kind, dtype, frac) = match section.content {
                Content::Graph => (MODEL, Kind::Graph, DType::U8, 0),
                Content::Entry(entry) => (entry.node, entry.kind, entry.dtype, entry.frac),
                _ => return Ok(()),
            };
            let (rank, dims) = section.dims();
            let (offset, len) = (section.start as u32, section.len as u32);
            let record = Record { node, kind: kind as u8, dtype: dtype as u8, rank, flags: 0, frac, offset, len, dims };
            out.bytes(&record.encode())
        })
    }
}

impl Section<'_> {
    fn dtype(&self) -> DType {
        if let Content::Entry(entry) = self.content { entry.dtype } else { DType::U8 }
    }

    /// Rank and dimensions, unused ones 1.
    fn dims(&self) -> (u8, [u32; MAX_RANK]) {
        let mut dims = [1; MAX_RANK];
        let bytes = [self.len as u32];
        let given = if let Content::Entry(entry) = self.content { entry.dims } else { &bytes };
        for (dim, given) in dims.iter_mut().zip(given) {
            *dim = *given;
        }
        (given.len() as u8, dims)
    }
}

/// The length of the file that [`Writer::write`] would write.
///
/// # Errors
/// As [`Writer::new`].
pub fn encoded_len(header: Header<'_>, entries: &[Entry<'_>]) -> Result<u32, ImageError> {
    Ok(Writer::new(header, entries)?.encoded_len())
}

fn check_entries(entries: &[Entry<'_>]) -> Result<(), ImageError> {
    for (index, entry) in entries.iter().enumerate() {
        let at = index as u16;
        if entry.kind == Kind::Graph || entry.kind.is_global() != (entry.node == MODEL) {
            return Err(ImageError::Kind { entry: at, kind: entry.kind as u8, node: entry.node });
        }
        let same = |other: &Entry<'_>| other.node == entry.node && other.kind == entry.kind;
        if let Some(first) = entries.iter().take(index).position(same) {
            return Err(ImageError::Twice { entry: at, first: first as u16 });
        }
        if entry.dims.len() > MAX_RANK {
            return Err(ImageError::Rank { entry: at, got: entry.dims.len() as u32 });
        }
        let (needed, got) = (tensor_len(entry.dims, entry.dtype.bytes()), entry.bytes.len() as u64);
        if needed != got {
            return Err(ImageError::Size { entry: at, needed, got });
        }
    }
    Ok(())
}

fn check_metadata(header: &Header<'_>) -> Result<(), ImageError> {
    for (index, (key, _)) in header.metadata.iter().enumerate() {
        let taken =
            matches!(*key, "graph" | "emberlite") || header.metadata.iter().take(index).any(|(other, _)| other == key);
        if taken || header.profile == Profile::Raw {
            return Err(ImageError::Metadata { index: index as u16 });
        }
    }
    Ok(())
}

/// The bytes that a text has, without keeping it.
fn measure(write: impl FnOnce(&mut dyn Write) -> fmt::Result) -> u64 {
    let mut count = Count::default();
    // Counting has no errors.
    let _ = write(&mut count);
    count.0
}

/// The sink with the checksum of what went into it; keeps the sink's error, which `fmt::Error` can't carry.
struct Out<'s, S: Sink> {
    sink: &'s mut S,
    checksum: crc::Digest<'static, u32, crc::Table<1>>,
    error: Option<S::Error>,
}

impl<S: Sink> Out<'_, S> {
    fn bytes(&mut self, bytes: &[u8]) -> fmt::Result {
        self.checksum.update(bytes);
        self.sink.write(bytes).map_err(|error| {
            self.error = Some(error);
            fmt::Error
        })
    }

    /// Fewer than [`ALIGNMENT`] equal bytes.
    fn repeat(&mut self, byte: u8, count: u64) -> fmt::Result {
        let bytes = [byte; ALIGNMENT as usize];
        self.bytes(bytes.get(..count as usize).unwrap_or(&bytes))
    }
}

impl<S: Sink> Write for Out<'_, S> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes())
    }
}
