//! Which sample it was, where an evaluation gives no number although the parameters are numbers.

use super::batches::Samples;
use super::error::TrainError;
use super::evaluate::each;
use crate::data::{sample_name, shown};
use crate::lower::{Lowered, Tensors};
use burn_tensor::Device;
use std::path::PathBuf;

/// The largest output whose square is finite: that of a larger one makes a loss infinite.
const MOST: f32 = 1.8e19;

/// The first sample whose outputs aren't finite, or so large that a loss of them isn't. `None` where no sample is to blame: where
/// most of several are so, it is the model.
pub(super) fn find(
    lowered: &Lowered<'_>,
    tensors: &Tensors,
    samples: Samples<'_>,
    device: &Device,
) -> Result<Option<usize>, TrainError> {
    let (mut first, mut bad) = (None, 0);
    each(lowered, tensors, samples, device, 0, |indices, output, _| {
        let width = output.dims()[1].max(1);
        let data = output.try_into_data();
        let data = data.map_err(|e| TrainError::Execution { epoch: 0, reason: format!("{e:?}") })?;
        let outputs: Vec<f32> = data.iter::<f32>().collect();
        for (&index, outputs) in indices.iter().zip(outputs.chunks(width)) {
            // NaN isn't below anything.
            if !outputs.iter().all(|output| output.abs() < MOST) {
                bad += 1;
                first.get_or_insert(index);
            }
        }
        Ok(())
    })?;
    Ok(first.filter(|_| bad * 2 <= samples.len() || samples.len() == 1))
}

/// The error that names it.
pub(super) fn error(set: &str, samples: Samples<'_>, sample: usize, checkpoint: Option<PathBuf>) -> TrainError {
    let (set, name) = (set.into(), sample_name(samples.source(), sample));
    match samples.largest(sample) {
        Ok(largest) => TrainError::Sample { set, sample: name, largest: shown(largest), checkpoint },
        Err(error) => error.into(),
    }
}
