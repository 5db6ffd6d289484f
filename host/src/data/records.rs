//! Fixed-size records in files, read where they lie: a set larger than memory needs the memory of a batch.
//!
//! IDX, NPY, CIFAR's binary batches and packed tables all are a header and then records of one size, so one reader does
//! for all: seek, read, convert. Nothing of the file is kept; the system's page cache keeps what there is room for.
//! Gzip can't be read at an offset, so packed files are refused by name.

use super::bytes;
use super::dataset::Labels;
use super::element::Element;
use super::error::DataError;
use super::source::{Draw, Source};
use flate2::Crc;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A file that is read at offsets, from any thread.
#[derive(Debug)]
pub(super) struct RandomFile {
    pub(super) name: String,
    pub(super) len: u64,
    // Not `read_at`: seeking works on every system, and one thread reads ahead.
    file: Mutex<File>,
}

impl RandomFile {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let failed = |source| DataError::Read { file: bytes::name(path), source };
        let file = bytes::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        Ok(Self { name: bytes::name(path), len, file: Mutex::new(file) })
    }

    /// Fills `out` from byte `at` on.
    pub(super) fn read(&self, at: u64, out: &mut [u8]) -> Result<(), DataError> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file.seek(SeekFrom::Start(at)).and_then(|_| file.read_exact(out));
        read.map_err(|source| match source.kind() {
            std::io::ErrorKind::UnexpectedEof => DataError::Format {
                file: self.name.clone(),
                at,
                expected: "a whole record",
                found: "the end of the file".into(),
                help: "the file has become shorter since it was opened, fetch it again",
            },
            _ => DataError::Read { file: self.name.clone(), source },
        })
    }

    /// The first `len` bytes, or all of a shorter file.
    pub(super) fn head(&self, len: u64) -> Result<Vec<u8>, DataError> {
        let mut head = vec![0; self.len.min(len) as usize];
        self.read(0, &mut head)?;
        if head.starts_with(&[0x1f, 0x8b]) {
            return Err(DataError::Format {
                file: self.name.clone(),
                at: 0,
                expected: "a file that isn't packed, to read it at offsets",
                found: "gzip".into(),
                help: "unpack it with gunzip, or leave out stream = true",
            });
        }
        Ok(head)
    }
}

/// One file of records.
#[derive(Debug)]
pub(super) struct RecordFile {
    pub(super) file: RandomFile,
    /// The byte where the first record starts.
    pub(super) start: u64,
    pub(super) count: usize,
}

/// How the records of all files are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// Bytes from record to record.
    pub(super) stride: usize,
    /// Bytes of a record before its features.
    pub(super) skip: usize,
    pub(super) element: Element,
    /// What every number is multiplied by.
    pub(super) scale: f32,
    /// Whether the CRC-32 of a record's features follows them.
    pub(super) checked: bool,
}

/// Samples in fixed-size records, one file after the other.
#[derive(Debug)]
pub struct Records {
    files: Vec<RecordFile>,
    layout: Layout,
    shape: Vec<usize>,
    labels: Labels,
    count: usize,
}

impl Records {
    /// The caller has checked that the files are as long as their counts say.
    pub(super) fn new(files: Vec<RecordFile>, layout: Layout, shape: Vec<usize>, labels: Labels) -> Self {
        let count = files.iter().map(|file| file.count).sum();
        Self { files, layout, shape, labels, count }
    }

    /// The shape of one sample.
    pub(super) fn source_shape(&self) -> &[usize] {
        &self.shape
    }

    /// What is to be learnt, to be named; whoever changes it keeps its length.
    pub(crate) fn labels_mut(&mut self) -> &mut Labels {
        &mut self.labels
    }

    /// The file of a sample, and its number in there.
    fn file_of(&self, mut index: usize) -> Option<(&RecordFile, usize)> {
        for file in &self.files {
            match index.checked_sub(file.count) {
                Some(rest) => index = rest,
                None => return Some((file, index)),
            }
        }
        None
    }

    /// The same numbers under another shape of the same size.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if the sizes differ.
    pub fn reshape(mut self, shape: &[usize]) -> Result<Self, DataError> {
        let size = shape.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim));
        if shape.is_empty() || size != Some(self.sample_len()) {
            return Err(DataError::Mismatch {
                what: "new shape of a sample".into(),
                expected: format!("{} numbers as in {:?}", self.sample_len(), self.shape),
                found: format!("{shape:?}"),
                help: "give a shape with the same product",
            });
        }
        self.shape = shape.to_vec();
        Ok(self)
    }
}

impl Source for Records {
    fn len(&self) -> usize {
        self.count
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn place(&self, index: usize) -> Option<String> {
        let (file, record) = self.file_of(index)?;
        Some(format!("{}, record {record}, counted from 0", file.file.name))
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        let Layout { stride, skip, element, scale, checked } = self.layout;
        let size = self.sample_len();
        let mut record = vec![0; size * element.size + if checked { 4 } else { 0 }];
        for (&index, out) in draw.indices.iter().zip(out.chunks_exact_mut(size.max(1))) {
            let (file, index) = self.file_of(index).ok_or_else(|| beyond(self.count))?;
            let at = file.start + (index as u64) * stride as u64 + skip as u64;
            file.file.read(at, &mut record)?;
            let (features, sum) = record.split_at(size * element.size);
            if checked && !has_checksum(features, sum) {
                return Err(DataError::Format {
                    file: file.file.name.clone(),
                    at,
                    expected: "a row with its checksum",
                    found: "another".into(),
                    help: "the file is damaged; remove it, and it is made again",
                });
            }
            element.numbers(features, out);
            if let Some(place) = out.iter().position(|value| !value.is_finite()) {
                return Err(DataError::Format {
                    file: file.file.name.clone(),
                    at: at + (place * element.size) as u64,
                    expected: "finite numbers",
                    found: element
                        .refused(features.get(place * element.size..(place + 1) * element.size).unwrap_or_default()),
                    help: "mend or remove the sample",
                });
            }
            if scale != 1.0 {
                out.iter_mut().for_each(|x| *x *= scale);
            }
        }
        Ok(())
    }
}

/// Whether `sum` is the CRC-32 of `bytes`.
fn has_checksum(bytes: &[u8], sum: &[u8]) -> bool {
    let mut crc = Crc::new();
    crc.update(bytes);
    sum == crc.sum().to_le_bytes()
}

/// The error of a sample that isn't there.
pub(super) fn beyond(len: usize) -> DataError {
    DataError::Mismatch {
        what: "sample".into(),
        expected: format!("an index below {len}"),
        found: "a larger one".into(),
        help: "draw from the set's own samples",
    }
}
