//! Why a file isn't a model's file, or not this model's.

use core::fmt;

/// A file that can't be used, with the numbers that explain it. Entries are counted from 0 in the order of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ImageError {
    /// There is no table of contents where the file's first bytes place it: another kind of file, or an empty slot.
    NotAnImage,
    /// The file was written by an incompatible library: update the older of the two.
    MajorVersion {
        /// The version that this library reads.
        needed: u16,
        /// The file's version.
        got: u16,
    },
    /// The file is shorter or longer than it says: cut off while it was copied, or a slot that wasn't cut to the file.
    Length {
        /// The bytes that the file says it has, at least.
        needed: u64,
        /// The bytes given.
        got: u64,
    },
    /// The seal or its commit word is missing: writing was interrupted.
    NotSealed {
        /// What stands in place of the commit word.
        got: u32,
    },
    /// The checksum doesn't fit the bytes: the file is damaged.
    Checksum {
        /// The checksum in the seal.
        needed: u32,
        /// The checksum of the bytes.
        got: u32,
    },
    /// The table of contents doesn't fit into the file, or its records are shorter than this version's.
    Table {
        /// The bytes that the table needs, or a record at least.
        needed: u32,
        /// The bytes that there are.
        got: u32,
    },
    /// The table has more records than any model needs.
    TooManyRecords {
        /// The most that there may be.
        limit: u16,
        /// How many there are.
        got: u16,
    },
    /// The number format isn't known.
    Format {
        /// Its code.
        got: u8,
    },
    /// A tensor of a kind that this library doesn't know, and that says the file makes no sense without it.
    Critical {
        /// The entry.
        entry: u16,
        /// Its kind.
        kind: u8,
    },
    /// The kind is not one that a file of this version can have, or the node doesn't go with it.
    Kind {
        /// The entry.
        entry: u16,
        /// Its kind.
        kind: u8,
        /// Its node.
        node: u8,
    },
    /// Two entries have the same node and kind.
    Twice {
        /// The later entry.
        entry: u16,
        /// The earlier one.
        first: u16,
    },
    /// The element type isn't known.
    DataType {
        /// The entry.
        entry: u16,
        /// Its code.
        got: u8,
    },
    /// A tensor has at most [`MAX_RANK`](super::MAX_RANK) dimensions.
    Rank {
        /// The entry.
        entry: u16,
        /// Its dimensions.
        got: u32,
    },
    /// The bytes of a tensor are not as many as its dimensions and element type need.
    Size {
        /// The entry.
        entry: u16,
        /// The bytes needed.
        needed: u64,
        /// The bytes it has.
        got: u64,
    },
    /// A tensor doesn't start at a multiple of [`ALIGNMENT`](super::ALIGNMENT).
    Alignment {
        /// The entry.
        entry: u16,
        /// Where it starts.
        offset: u32,
    },
    /// A tensor starts before the end of what lies before it.
    Overlap {
        /// The entry.
        entry: u16,
        /// The first offset that it may have.
        needed: u32,
        /// Where it starts.
        got: u32,
    },
    /// A tensor reaches into the seal or beyond the file.
    Bounds {
        /// The entry.
        entry: u16,
        /// Where it ends.
        end: u64,
        /// Where it must have ended.
        limit: u32,
    },
    /// Writing: more tensors or bytes than a file can have (1023 besides the graph, 4 GiB).
    TooLarge,
    /// Writing: a key of the metadata is one of the file's own, or stands there twice, or the profile has no metadata.
    Metadata {
        /// Its place in the list.
        index: u16,
    },
    /// The file is another model's.
    OtherModel {
        /// The layout hash of the model at hand.
        needed: u64,
        /// The layout hash of the file.
        got: u64,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            ImageError::NotAnImage => f.write_str("not a model's file: it has no table of contents"),
            ImageError::MajorVersion { needed, got } => {
                write!(
                    f,
                    "the file has version {got}, this library reads version {needed}: update the older of the two"
                )
            }
            ImageError::Length { needed, got } => {
                write!(f, "the file needs {needed} bytes, there are {got}")
            }
            ImageError::NotSealed { got } => {
                write!(f, "the file is not sealed (commit word {got:#010x}): writing it was interrupted")
            }
            ImageError::Checksum { needed, got } => {
                write!(f, "the file is damaged: checksum {got:#010x}, its seal says {needed:#010x}")
            }
            ImageError::Table { needed, got } => {
                write!(f, "the table of contents needs {needed} bytes, there are {got}")
            }
            ImageError::TooManyRecords { limit, got } => {
                write!(f, "the file has {got} tensors, at most {limit} are possible")
            }
            ImageError::Format { got } => write!(f, "number format {got} is not known"),
            ImageError::Critical { entry, kind } => {
                write!(
                    f,
                    "entry {entry}: kind {kind} is not known and the file makes no sense without it: update the library"
                )
            }
            ImageError::Kind { entry, kind, node } => {
                write!(f, "entry {entry}: kind {kind} at node {node} is not possible")
            }
            ImageError::Twice { entry, first } => {
                write!(f, "entry {entry}: the same tensor as entry {first}")
            }
            ImageError::DataType { entry, got } => {
                write!(f, "entry {entry}: element type {got} is not known")
            }
            ImageError::Rank { entry, got } => {
                write!(f, "entry {entry}: {got} dimensions, at most {} are possible", super::MAX_RANK)
            }
            ImageError::Size { entry, needed, got } => {
                write!(f, "entry {entry}: its dimensions need {needed} bytes, it has {got}")
            }
            ImageError::Alignment { entry, offset } => {
                write!(f, "entry {entry}: starts at {offset}, not a multiple of {}", super::ALIGNMENT)
            }
            ImageError::Overlap { entry, needed, got } => {
                write!(f, "entry {entry}: starts at {got}, what lies before it ends at {needed}")
            }
            ImageError::Bounds { entry, end, limit } => {
                write!(f, "entry {entry}: ends at {end}, the tensors end at {limit}")
            }
            ImageError::TooLarge => f.write_str("a file has at most 1024 tensors and 4 GiB"),
            ImageError::Metadata { index } => {
                write!(f, "metadata {index}: the key is taken, or this profile of the file has no metadata")
            }
            ImageError::OtherModel { needed, got } => {
                write!(f, "the file is another model's: its layout is {got:016x}, this model's is {needed:016x}")
            }
        }
    }
}

impl core::error::Error for ImageError {}
