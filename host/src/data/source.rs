//! Samples by index, wherever they lie: in memory, on disk, or made as they are asked for.
//!
//! Training draws samples in an order that depends on the seed alone, so all it needs is to read any of them. A set in
//! memory copies; one on disk reads at an offset and may decode; augmentation wraps another source and changes what it
//! read, by random numbers that depend on the seed, the sample and how often it has been drawn ([`Draw`]). Nothing here
//! holds more than what was asked for, so a set larger than memory trains in the memory of a batch.

use super::dataset::{Dataset, Labels};
use super::error::DataError;

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
pub trait Source: Sync {
    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample.
    fn shape(&self) -> &[usize];

    /// What is to be learnt of each sample: 4 bytes a sample, held in memory.
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
}
