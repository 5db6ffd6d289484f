//! A set as the trainer sees it: checked against the model, read a batch at a time, handed to the device.
//!
//! Reading ([`Samples::read`]) and handing over ([`Read::upload`]) are two steps, so that a thread of its own can read the
//! batches that come next while the device computes; see [`feed`](super::feed).

use super::error::TrainError;
use crate::data::{Blend, DataError, Draw, Labels, Source};
use crate::lower::Lowered;
use burn_tensor::{Device, Int, Tensor, TensorData};
use emberlite::loss::Loss;

/// A set that fits the model and the loss.
#[derive(Clone, Copy)]
pub(crate) struct Samples<'a> {
    set: &'a dyn Source,
    kind: Kind,
    outputs: usize,
    /// What inputs must be below where they are token ids.
    vocabulary: Option<u16>,
    /// [`Lowered::widest`].
    widest: usize,
}

/// What the loss compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The class of a sample.
    Class,
    /// The same as numbers, for losses that compare outputs with numbers.
    Marks,
    /// One number a sample.
    Value,
    /// A class for each of `length` positions.
    Tokens { length: usize },
}

/// Some samples as they were read.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    count: usize,
    /// `[batch, inputs]`.
    x: Vec<f32>,
    /// Classes `[batch]`, or tokens `[batch, length]`; empty for values.
    ids: Vec<i32>,
    /// Values `[batch]`, marks or blended classes `[batch, outputs]`; empty where the ids say it all.
    numbers: Vec<f32>,
    kind: Kind,
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
    /// Shares of the classes `[batch, outputs]`, each row's sum 1, and the class of the largest `[batch, 1]`.
    Shares(Tensor<2>, Box<Tensor<2, Int>>),
    /// The right classes of each of `length` positions, `[batch * length, 1]`; the outputs are `[batch, length *
    /// vocabulary]`.
    Tokens(Tensor<2, Int>, usize),
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
    pub fn new(
        what: &'static str,
        set: &'a dyn Source,
        lowered: &Lowered<'_>,
        loss: &Loss,
    ) -> Result<Self, TrainError> {
        let error = |expected: String, found: String, help| TrainError::Data { what, expected, found, help };
        let shape: Vec<usize> = lowered.graph().input.dims().iter().map(|&d| d.into()).collect();
        if set.shape() != shape {
            let help = "reshape the samples or change the model's input";
            return Err(error(format!("samples of shape {shape:?}"), format!("{:?}", set.shape()), help));
        }
        if set.is_empty() {
            return Err(error("at least one sample".into(), "none".into(), "check the split"));
        }
        let outputs = lowered.output().elements() as usize;
        let kind = match (set.labels(), loss.takes_class()) {
            (Labels::Class { ids, .. }, true) => {
                if let Some(id) = ids.iter().find(|&&id| id as usize >= outputs) {
                    let found = format!("class {id}");
                    let help = "give the last layer as many outputs as there are classes";
                    return Err(error(format!("classes below the model's {outputs} outputs"), found, help));
                }
                Kind::Class
            }
            (Labels::Tokens { length, names, .. }, true) => {
                let dims: Vec<usize> = lowered.output().dims().iter().map(|&d| d.into()).collect();
                if !matches!(dims[..], [positions, vocabulary] if positions == *length && vocabulary >= names.len()) {
                    let expected = format!("an output of [{length}, {}], a row a position", names.len());
                    let help = "end the model with a score for each token at each position";
                    return Err(error(expected, format!("{dims:?}"), help));
                }
                Kind::Tokens { length: *length }
            }
            (Labels::Value(_), false) => {
                if outputs != 1 {
                    let help = "end the model with one output";
                    return Err(error(format!("{outputs} values a sample"), "1 value".into(), help));
                }
                Kind::Value
            }
            (Labels::Class { names, .. }, false) => {
                if set.labels().number(0, 0, outputs).is_none() {
                    let found = format!("{} classes and {outputs} outputs", names.len());
                    let help = "give the last layer as many outputs as there are classes, or one for two classes";
                    return Err(error(format!("an output a class for {}", loss.name()), found, help));
                }
                Kind::Marks
            }
            (labels, classes) => {
                let found = match labels {
                    Labels::None => "no labels",
                    Labels::Tokens { .. } => "tokens",
                    _ => "values",
                };
                let expected = if classes { "class labels" } else { "class labels or values" };
                let help =
                    "use softmax cross-entropy with classes; squared error, Huber or binary cross-entropy with either";
                return Err(error(format!("{expected} for {}", loss.name()), found.into(), help));
            }
        };
        Ok(Samples { set, kind, outputs, vocabulary: lowered.vocabulary(), widest: lowered.widest() })
    }

    /// The set itself.
    pub fn source(&self) -> &'a dyn Source {
        self.set
    }

    /// The largest number of a sample, whatever its sign.
    pub fn largest(&self, index: usize) -> Result<f32, DataError> {
        let read = self.read(&[index], None)?;
        Ok(read.x.iter().fold(0.0, |most, x| if x.abs() > f32::abs(most) { *x } else { most }))
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.set.len()
    }

    /// What is to be learnt.
    pub fn labels(&self) -> &'a Labels {
        self.set.labels()
    }

    /// The number to be predicted; 0 where there are classes.
    pub fn value(&self, index: usize) -> f32 {
        match self.set.labels() {
            Labels::Value(values) => values[index],
            _ => 0.0,
        }
    }

    /// How many samples are predicted at once: `most`, or fewer large ones, so that the batches that wait to be looked at
    /// take some 100 MiB at most, and one operation's numbers some 128 MiB.
    pub fn at_once(&self, most: usize) -> usize {
        /// Numbers of a batch, as it was read and within an operation.
        const NUMBERS: [usize; 2] = [1 << 22, 1 << 25];
        let fit = NUMBERS[0] / self.set.sample_len().max(1);
        fit.min(NUMBERS[1] / self.widest.max(1)).clamp(1, most)
    }

    /// Whether reading is no more than copying.
    pub fn in_memory(&self) -> bool {
        self.set.in_memory()
    }

    /// Whether each position of a sample has a label of its own.
    pub fn has_tokens(&self) -> bool {
        matches!(self.kind, Kind::Tokens { .. })
    }

    /// Reads the samples at `indices`, as they are or as they are in that epoch.
    pub fn read(&self, indices: &[usize], epoch: Option<u32>) -> Result<Read, DataError> {
        let draw = Draw { indices, epoch };
        let count = indices.len();
        let mut x = vec![0.0; count * self.set.sample_len()];
        self.set.read(draw, &mut x)?;
        if let Some(vocabulary) = self.vocabulary
            && let Some(id) = x.iter().find(|id| !(**id >= 0.0 && **id < f32::from(vocabulary) && id.fract() == 0.0))
        {
            return Err(DataError::Mismatch {
                what: "token ids".into(),
                expected: format!("whole numbers below the embedding's vocabulary of {vocabulary}"),
                found: id.to_string(),
                help: "give the embedding the tokenizer's vocabulary, and set standardise = false in [preprocessing]",
            });
        }
        let blends = self.set.blends(draw);
        let labels = self.set.labels();
        let mut ids = Vec::new();
        let mut numbers = Vec::new();
        match (self.kind, labels) {
            (Kind::Tokens { length }, _) => {
                let mut tokens = vec![0; count * length];
                self.set.read_tokens(draw, &mut tokens)?;
                let vocabulary = self.outputs / length.max(1);
                if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocabulary) {
                    return Err(DataError::Mismatch {
                        what: "tokens".into(),
                        expected: format!("numbers below the model's {vocabulary} outputs a position"),
                        found: token.to_string(),
                        help: "give the last layer as many outputs as the vocabulary has tokens",
                    });
                }
                ids = tokens.into_iter().map(|token| token as i32).collect();
            }
            (_, Labels::Class { ids: classes, .. }) => {
                ids = indices.iter().map(|&i| classes[i] as i32).collect();
                if self.kind == Kind::Marks || blends.is_some() {
                    numbers = self.numbers(indices, blends.as_deref());
                }
            }
            _ => numbers = self.numbers(indices, blends.as_deref()),
        }
        Ok(Read { count, x, ids, numbers, kind: self.kind })
    }

    /// Labels as numbers `[indices, outputs]`, or `[indices]` for values; mixed where samples are.
    fn numbers(&self, indices: &[usize], blends: Option<&[Blend]>) -> Vec<f32> {
        let (labels, outputs) = (self.set.labels(), if self.kind == Kind::Value { 1 } else { self.outputs });
        let number = |sample, output| match (self.kind, labels) {
            // The model may have more outputs than there are classes.
            (Kind::Class, Labels::Class { ids, .. }) => f32::from(ids[sample] as usize == output),
            _ => labels.number(sample, output, outputs).unwrap_or_default(),
        };
        let at = |(place, &index): (usize, &usize)| {
            let blend = blends.and_then(|blends| blends.get(place)).copied();
            (0..outputs).map(move |output| match blend {
                None => number(index, output),
                Some(Blend { other, share }) => share * number(index, output) + (1.0 - share) * number(other, output),
            })
        };
        indices.iter().enumerate().flat_map(at).collect()
    }

    /// The class of a sample, or for values whether it is above one half; 0 where positions have labels of their own.
    pub fn class(&self, index: usize) -> u32 {
        match self.set.labels() {
            Labels::Class { ids, .. } => ids[index],
            Labels::Value(values) => (values[index] > 0.5).into(),
            Labels::None | Labels::Tokens { .. } => 0,
        }
    }

    /// The set's identity: a checkpoint continues on the same samples only.
    pub fn fingerprint(&self) -> Result<u64, DataError> {
        self.set.fingerprint()
    }
}

impl Read {
    /// The number of samples.
    pub fn len(&self) -> usize {
        self.count
    }

    /// What the samples count together, each by the weight of its class; mixed ones and values count 1.
    pub fn weight(&self, of: impl Fn(i32) -> f64) -> f64 {
        match self.kind {
            Kind::Class if self.numbers.is_empty() => self.ids.iter().map(|&id| of(id)).sum(),
            Kind::Marks => self.ids.iter().map(|&id| of(id)).sum(),
            Kind::Tokens { length } => self.ids.iter().map(|&id| of(id)).sum::<f64>() / length.max(1) as f64,
            Kind::Class | Kind::Value => self.count as f64,
        }
    }

    /// Copies the samples to a device.
    pub fn upload(self, device: &Device) -> Batch {
        let Read { count, x, ids, numbers, kind } = self;
        let matrix = |values: Vec<f32>| {
            let columns = values.len() / count.max(1);
            Tensor::from_data(TensorData::new(values, [count, columns]), device)
        };
        let classes = |ids: Vec<i32>| {
            let rows = ids.len();
            Tensor::from_data(TensorData::new(ids, [rows, 1]), device)
        };
        let target = match kind {
            Kind::Class if numbers.is_empty() => Target::Class(classes(ids)),
            Kind::Class => Target::Shares(matrix(numbers), Box::new(classes(ids))),
            Kind::Marks => Target::Marks(matrix(numbers), Box::new(classes(ids))),
            Kind::Value => Target::Values(matrix(numbers)),
            Kind::Tokens { length } => Target::Tokens(classes(ids), length),
        };
        Batch { x: matrix(x), target }
    }
}
