//! A set as the trainer sees it: checked against the model, handed to the device a batch at a time.

use super::error::TrainError;
use crate::data::{Dataset, Labels};
use crate::lower::Lowered;
use burn_tensor::{Device, Int, Tensor, TensorData};
use emberlite::loss::Loss;
use std::iter::once;

/// A set that fits the model and the loss.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Samples<'a> {
    set: &'a Dataset,
    labels: SampleLabels<'a>,
    outputs: usize,
}

#[derive(Clone, Copy, Debug)]
enum SampleLabels<'a> {
    /// For a loss that takes classes.
    Class(&'a [u32]),
    /// The same for one that compares outputs with numbers.
    Marks(&'a [u32]),
    Value(&'a [f32]),
}

/// What a batch's outputs are compared with.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// `[batch, 1]`, the right classes.
    Class(Tensor<2, Int>),
    /// `[batch, 1]`.
    Values(Tensor<2>),
    /// Classes as numbers `[batch, outputs]`, see [`Labels::number`], and as such `[batch, 1]`.
    Marks(Tensor<2>, Box<Tensor<2, Int>>),
}

/// Some samples on a device.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// `[batch, inputs]`.
    pub x: Tensor<2>,
    /// What is to be learnt.
    pub target: Target,
}

impl<'a> Samples<'a> {
    /// Checks shape and labels; `what` names the set in errors.
    pub fn new(what: &'static str, set: &'a Dataset, lowered: &Lowered<'_>, loss: &Loss) -> Result<Self, TrainError> {
        let error = |expected: String, found: String, help| TrainError::Data { what, expected, found, help };
        let shape: Vec<usize> = lowered.graph().input.dims().iter().map(|&d| d.into()).collect();
        if set.shape != shape {
            let help = "reshape the samples or change the model's input";
            return Err(error(format!("samples of shape {shape:?}"), format!("{:?}", set.shape), help));
        }
        if set.is_empty() {
            return Err(error("at least one sample".into(), "none".into(), "check the split"));
        }
        let outputs = lowered.output().elements() as usize;
        let labels = match (&set.labels, loss.takes_class()) {
            (Labels::Class { ids, .. }, true) => {
                if let Some(id) = ids.iter().find(|&&id| id as usize >= outputs) {
                    let found = format!("class {id}");
                    let help = "give the last layer as many outputs as there are classes";
                    return Err(error(format!("classes below the model's {outputs} outputs"), found, help));
                }
                SampleLabels::Class(ids)
            }
            (Labels::Value(values), false) => {
                if outputs != 1 {
                    let help = "end the model with one output";
                    return Err(error(format!("{outputs} values a sample"), "1 value".into(), help));
                }
                SampleLabels::Value(values)
            }
            (Labels::Class { ids, names }, false) => {
                if set.labels.number(0, 0, outputs).is_none() {
                    let found = format!("{} classes and {outputs} outputs", names.len());
                    let help = "give the last layer as many outputs as there are classes, or one for two classes";
                    return Err(error(format!("an output a class for {}", loss.name()), found, help));
                }
                SampleLabels::Marks(ids)
            }
            (labels, classes) => {
                let found = if *labels == Labels::None { "no labels" } else { "values" };
                let expected = if classes { "class labels" } else { "class labels or values" };
                let help =
                    "use softmax cross-entropy with classes; squared error, Huber or binary cross-entropy with either";
                return Err(error(format!("{expected} for {}", loss.name()), found.into(), help));
            }
        };
        Ok(Samples { set, labels, outputs })
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// Copies the samples at `indices` to a device.
    pub fn batch(&self, indices: &[usize], device: &Device) -> Batch {
        let (count, size) = (indices.len(), self.set.sample_len());
        let mut x = Vec::with_capacity(count * size);
        indices.iter().for_each(|&i| x.extend_from_slice(self.set.sample(i)));
        let x = Tensor::from_data(TensorData::new(x, [count, size]), device);
        let classes = |ids: &[u32]| {
            let ids: Vec<i32> = indices.iter().map(|&i| ids[i] as i32).collect();
            Tensor::from_data(TensorData::new(ids, [count, 1]), device)
        };
        let target = match self.labels {
            SampleLabels::Class(ids) => Target::Class(classes(ids)),
            SampleLabels::Marks(ids) => {
                let all = indices.iter().flat_map(|&i| (0..self.outputs).map(move |output| (i, output)));
                let number = |(i, output)| self.set.labels.number(i, output, self.outputs).unwrap_or_default();
                let marks: Vec<f32> = all.map(number).collect();
                let marks = Tensor::from_data(TensorData::new(marks, [count, self.outputs]), device);
                Target::Marks(marks, Box::new(classes(ids)))
            }
            SampleLabels::Value(values) => {
                let values: Vec<f32> = indices.iter().map(|&i| values[i]).collect();
                Target::Values(Tensor::from_data(TensorData::new(values, [count, 1]), device))
            }
        };
        Batch { x, target }
    }

    /// The class of a sample, or for values whether it is above one half.
    pub fn class(&self, index: usize) -> u32 {
        match self.labels {
            SampleLabels::Class(ids) | SampleLabels::Marks(ids) => ids[index],
            SampleLabels::Value(values) => (values[index] > 0.5).into(),
        }
    }

    /// The set's identity: a checkpoint continues on the same samples only.
    pub fn fingerprint(&self) -> u64 {
        let labels: Box<dyn Iterator<Item = u32>> = match self.labels {
            SampleLabels::Class(ids) | SampleLabels::Marks(ids) => Box::new(ids.iter().copied()),
            SampleLabels::Value(values) => Box::new(values.iter().map(|v| v.to_bits())),
        };
        let bits = self.set.features.iter().map(|v| v.to_bits()).chain(labels);
        // FNV-1a over words: a check against mistakes, not against malice.
        let step = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x0100_0000_01b3);
        once(self.len() as u64).chain(bits.map(u64::from)).fold(0xcbf2_9ce4_8422_2325, step)
    }
}
