//! Samples by index, wherever they lie: in memory, on disk, or made as they are asked for.
//!
//! Training draws samples in an order that depends on the seed alone, so all it needs is to read any of them. A set in
//! memory copies; one on disk reads at an offset and may decode; augmentation wraps another source and changes what it
//! read, by random numbers that depend on the seed, the sample and how often it has been drawn ([`Draw`]). Nothing here
//! holds more than what was asked for, so a set larger than memory trains in the memory of a batch.

use super::dataset::{Dataset, Labels};
use super::error::DataError;
use std::iter::once;

/// Which samples, for which use.
#[derive(Clone, Copy, Debug)]
pub struct Draw<'a> {
    /// Indices of samples, in the order of the batch.
    pub indices: &'a [usize],
    /// The pass over the set, from 1, for sources that change what they read; none where the samples are wanted as they
    /// are, for evaluation.
    pub epoch: Option<u32>,
}

/// Samples that can be read by index, any number at a time, from several threads at once.
pub trait Source: Send + Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample.
    fn shape(&self) -> &[usize];

    /// What is to be learnt of each sample: 4 bytes a sample, held in memory. Tokens alone may be read as they are needed,
    /// see [`Source::read_tokens`].
    fn labels(&self) -> &Labels;

    /// Writes the drawn samples one after the other, each `[shape…]` row-major, into `out`, which is as long.
    ///
    /// # Errors
    /// [`DataError`] with the file and place of a sample that can't be read or decoded.
    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError>;

    /// Numbers in one sample, the product of the shape.
    fn sample_len(&self) -> usize {
        self.shape().iter().product()
    }

    /// Writes what is to be learnt at each position of the drawn samples, `[indices, length]`, where the labels are
    /// [`Labels::Tokens`]. By default those that the labels hold.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if there are none for a sample, or as [`Source::read`].
    fn read_tokens(&self, draw: Draw<'_>, out: &mut [u32]) -> Result<(), DataError> {
        let Labels::Tokens { ids, length, .. } = self.labels() else { return Err(no_tokens()) };
        for (&index, out) in draw.indices.iter().zip(out.chunks_exact_mut((*length).max(1))) {
            let tokens = ids.get(index.saturating_mul(*length)..).and_then(|ids| ids.get(..*length));
            out.copy_from_slice(tokens.ok_or_else(no_tokens)?);
        }
        Ok(())
    }

    /// For each drawn sample the other one that is mixed into it, whose label counts too ("mixup"); `None` where samples
    /// are what they are.
    fn blends(&self, draw: Draw<'_>) -> Option<Vec<Blend>> {
        let _ = draw;
        None
    }

    /// Where a sample comes from, for messages: its file, or its row; `None` where nothing is known.
    fn place(&self, index: usize) -> Option<String> {
        let _ = index;
        None
    }

    /// Whether reading is no more than copying: then nothing is gained by reading ahead.
    fn in_memory(&self) -> bool {
        false
    }

    /// What tells this set from another, so that a checkpoint continues on the same samples only: by default of its size,
    /// its labels and up to [`PROBED`] samples, evenly spread. A check against mistakes, not against malice.
    ///
    /// # Errors
    /// As [`Source::read`].
    fn fingerprint(&self) -> Result<u64, DataError> {
        let probes = self.len().min(PROBED);
        let indices: Vec<usize> = (0..probes).map(|i| i * self.len() / probes.max(1)).collect();
        let mut values = vec![0.0; self.sample_len()];
        let mut hash = fnv(once(self.len() as u64).chain(self.labels().words()));
        for index in indices {
            self.read(Draw { indices: &[index], epoch: None }, &mut values)?;
            hash = fnv(once(hash).chain(values.iter().map(|v| v.to_bits().into())));
        }
        Ok(hash)
    }
}

/// Samples that are read to tell a set from another.
pub const PROBED: usize = 64;

/// Another sample that is mixed into a drawn one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blend {
    /// The other sample.
    pub other: usize,
    /// The share of the drawn sample and its label, 0.5 to 1; the other one has the rest.
    pub share: f32,
}

/// FNV-1a over words.
pub(crate) fn fnv(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |hash, word| (hash ^ word).wrapping_mul(0x0100_0000_01b3))
}

fn no_tokens() -> DataError {
    DataError::Mismatch {
        what: "labels".into(),
        expected: "a token for each position".into(),
        found: "none".into(),
        help: "read the set as text for a language model",
    }
}

impl Source for Dataset {
    fn len(&self) -> usize {
        Dataset::len(self)
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        for (&index, out) in draw.indices.iter().zip(out.chunks_exact_mut(Dataset::sample_len(self).max(1))) {
            out.copy_from_slice(self.sample(index));
        }
        Ok(())
    }

    /// The row within its recording, the only one of most sets.
    fn place(&self, index: usize) -> Option<String> {
        let origin = self.origins.get(index)?;
        Some(match origin.recording {
            0 => format!("row {}, counted from 0", origin.row),
            other => format!("row {} of recording {other}, counted from 0", origin.row),
        })
    }

    fn in_memory(&self) -> bool {
        true
    }

    /// Of every number.
    fn fingerprint(&self) -> Result<u64, DataError> {
        let features = self.features.iter().map(|v| v.to_bits().into());
        Ok(fnv(once(Dataset::len(self) as u64).chain(features).chain(self.labels.words())))
    }
}

/// Every sample of a source as a set in memory.
///
/// # Errors
/// As [`Source::read`]; [`DataError::TooLarge`] above `limit` bytes of features.
pub fn collect(source: &dyn Source, limit: u64) -> Result<Dataset, DataError> {
    let numbers = source.len().saturating_mul(source.sample_len());
    if numbers as u64 > limit / 4 {
        return Err(DataError::TooLarge { file: format!("{} samples of {:?}", source.len(), source.shape()), limit });
    }
    let indices: Vec<usize> = (0..source.len()).collect();
    let mut features = vec![0.0; numbers];
    source.read(Draw { indices: &indices, epoch: None }, &mut features)?;
    let labels = match source.labels() {
        Labels::Tokens { length, names, .. } => {
            let mut ids = vec![0; indices.len().saturating_mul(*length)];
            source.read_tokens(Draw { indices: &indices, epoch: None }, &mut ids)?;
            Labels::Tokens { ids, length: *length, names: names.clone() }
        }
        labels => labels.clone(),
    };
    Dataset::new(features, source.shape().to_vec(), labels)
}
