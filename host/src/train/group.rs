//! Several processes, or devices of one process, that train one model: each takes its share of every batch, gradients are added
//! up.
//!
//! All ranks hold the same parameters and make the same updates. A batch is cut into as many runs of neighbouring samples as
//! there are ranks; each rank's gradient is a sum over its samples, and what is divided by is the weight of all, so that the
//! update is that of one process but for the order of the sum: with `n` samples a batch a relative `n * 2^-24` of the sum of
//! the terms' sizes at most. A batch norm takes its statistics over a rank's share; running statistics are averaged
//! by samples.

use super::error::TrainError;
use crate::lower::{download, upload};
use burn_tensor::{Device, ExecutionError, Tensor};
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// The ranks of a run, processes or devices. Every rank makes the same calls in the same order; each waits for all.
pub trait Group {
    /// This rank's number, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks, at least 1.
    fn size(&self) -> usize;

    /// This rank's place among those on its machine, from 0: it decides which GPU is its own.
    fn local_rank(&self) -> usize;

    /// Adds up what the ranks have, element by element; every rank gets the same bits.
    ///
    /// # Errors
    /// [`GroupError`] if a rank is gone.
    fn sum(&self, values: &mut [f32]) -> Result<(), GroupError>;

    /// The same in f64.
    ///
    /// # Errors
    /// As [`Group::sum`].
    fn sum64(&self, values: &mut [f64]) -> Result<(), GroupError>;

    /// Told what this rank's device is called.
    fn opened(&self, _device: &str) {}

    /// What the devices of all ranks are called, once each has taken part in an exchange; `None` where that isn't known.
    fn devices(&self) -> Option<String> {
        None
    }

    /// Whether any rank says so.
    fn any(&self, here: bool) -> bool {
        let mut sum = [f64::from(u8::from(here))];
        // A rank that is gone is found at the next sum, which can say so.
        self.sum64(&mut sum).is_ok() && sum[0] > 0.0
    }
}

/// A rank's place among those on its machine, from the machine of each rank: how many earlier ones share it.
pub fn local_rank<T: PartialEq>(machines: &[T], rank: usize) -> usize {
    let Some((here, before)) = machines.get(..=rank).and_then(<[T]>::split_last) else { return 0 };
    before.iter().filter(|machine| *machine == here).count()
}

/// A rank is gone, or can't be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupError {
    /// What the engine said.
    pub reason: String,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for GroupError {}

impl GroupError {
    pub(super) fn at(self, epoch: u32, checkpoint: Option<PathBuf>) -> TrainError {
        TrainError::Group { epoch, reason: self.reason, checkpoint }
    }
}

/// Why [`sum`] has none.
#[derive(Debug)]
pub(super) enum SumError {
    /// This rank's device failed to compute what is read.
    Device(ExecutionError),
    /// Another rank is gone.
    Group(GroupError),
}

impl From<GroupError> for SumError {
    fn from(error: GroupError) -> SumError {
        SumError::Group(error)
    }
}

/// A rank's part of `len` neighbours: as even as it comes out.
pub(super) fn share(len: usize, rank: usize, ranks: usize) -> Range<usize> {
    len * rank / ranks..len * (rank + 1) / ranks
}

/// Gradients, their weight and the mean of running statistics over all ranks, in one exchange. `samples` are this rank's of the
/// update: its statistics count by them, and not at all where it had none.
#[allow(clippy::type_complexity, reason = "named once, taken apart at once")]
pub(super) fn sum(
    group: &dyn Group,
    gradients: Vec<Tensor<1>>,
    weight: f64,
    statistics: Vec<Tensor<1>>,
    samples: usize,
    device: &Device,
) -> Result<(Vec<Tensor<1>>, f64, Vec<Tensor<1>>), SumError> {
    let count = gradients.len();
    let mut lens = Vec::new();
    let mut all = Vec::new();
    for tensor in gradients.into_iter().chain(statistics) {
        let values = download(tensor).map_err(SumError::Device)?;
        let share = if lens.len() < count { 1.0 } else { samples as f32 };
        lens.push(values.len());
        all.extend(values.into_iter().map(|value| value * share));
    }
    group.sum(&mut all)?;
    let mut weights = [weight, samples as f64];
    group.sum64(&mut weights)?;
    let device = device.clone().without_autodiff();
    let mut rest = all.as_slice();
    let mut tensors = lens.into_iter().enumerate().map(|(i, len)| {
        let (values, after) = rest.split_at(len);
        rest = after;
        let samples = weights[1] as f32;
        let values = if i < count { values.to_vec() } else { values.iter().map(|v| v / samples).collect() };
        upload(values, &device)
    });
    let gradients = tensors.by_ref().take(count).collect();
    let means = tensors.collect();
    Ok((gradients, weights[0], means))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two ranks as the first sees them: what the second has is added to whatever is summed.
    struct Pair {
        other: Vec<f32>,
        other64: [f64; 2],
    }

    impl Group for Pair {
        fn rank(&self) -> usize {
            0
        }

        fn size(&self) -> usize {
            2
        }

        fn local_rank(&self) -> usize {
            0
        }

        fn sum(&self, values: &mut [f32]) -> Result<(), GroupError> {
            assert_eq!(values.len(), self.other.len());
            values.iter_mut().zip(&self.other).for_each(|(value, other)| *value += other);
            Ok(())
        }

        fn sum64(&self, values: &mut [f64]) -> Result<(), GroupError> {
            assert_eq!(values.len(), self.other64.len());
            values.iter_mut().zip(&self.other64).for_each(|(value, other)| *value += other);
            Ok(())
        }
    }

    /// Gradients are sums already and are added; a mean over 3 samples counts three times one over 1 sample. All numbers here
    /// are exact in f32.
    #[test]
    fn gradients_are_added_and_running_statistics_weighted_by_samples() {
        let device = Device::flex();
        let of = |group: &Pair, samples| {
            let (gradients, means) = ([vec![1.0, -2.0], vec![0.5]], [vec![2.0, 8.0], vec![-4.0]]);
            let [gradients, means] = [gradients, means].map(|all| all.map(|v| upload(v, &device)).to_vec());
            let (gradients, weight, means) = sum(group, gradients, 2.5, means, samples, &device).unwrap();
            let read = |all: Vec<Tensor<1>>| all.into_iter().map(|t| download(t).unwrap()).collect::<Vec<_>>();
            (read(gradients), weight, read(means))
        };
        // The other's gradients, then its means 6, 0 and 4, over 1 sample: sums as they are sent.
        let group = Pair { other: vec![10.0, 20.0, 30.0, 6.0, 0.0, 4.0], other64: [0.5, 1.0] };
        let gradients = vec![vec![11.0, 18.0], vec![30.5]];
        // (3 * 2 + 6) / 4, (3 * 8 + 0) / 4, (3 * -4 + 4) / 4.
        assert_eq!(of(&group, 3), (gradients.clone(), 3.0, vec![vec![3.0, 6.0], vec![-2.0]]));
        // A rank that had no sample of the update has statistics all the same, which count for nothing.
        assert_eq!(of(&group, 0), (gradients, 3.0, vec![vec![6.0, 0.0], vec![4.0]]));
    }

    #[test]
    fn ranks_count_on_their_own_machine() {
        let local: Vec<_> = (0..6).map(|rank| local_rank(&["a", "a", "b", "a", "b"], rank)).collect();
        assert_eq!(local, [0, 1, 0, 2, 1, 0]);
    }

    #[test]
    fn shares_cover_a_batch_once_and_evenly() {
        for (len, ranks) in [(10, 1), (10, 3), (2, 4), (0, 2), (33, 8)] {
            let shares: Vec<_> = (0..ranks).map(|rank| share(len, rank, ranks)).collect();
            let all: Vec<usize> = shares.iter().cloned().flatten().collect();
            assert_eq!(all, (0..len).collect::<Vec<_>>());
            let sizes = shares.iter().map(|share| share.len());
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1, "{len} on {ranks}");
        }
    }
}
