//! The one type that every step takes and gives.

use super::error::DataError;

/// Samples of equal shape with their labels, group columns and origins.
///
/// Everything is per sample and in the same order: `features [samples, shape…]` row-major, `labels [samples]`, each
/// column `[samples]`, `origins [samples]`. Whoever changes one of the fields keeps their lengths equal.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// `[samples, shape…]`, row-major.
    pub features: Vec<f32>,
    /// The shape of one sample: `[features]` for rows, `[channels, length]` for windows, `[channels, height, width]`.
    pub shape: Vec<usize>,
    /// What is to be learnt.
    pub labels: Labels,
    /// Group columns: person, wrist, device, … Splits go by them; models don't see them.
    pub columns: Vec<Column>,
    /// Where each sample came from.
    pub origins: Vec<Origin>,
}

/// What is to be learnt of each sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Labels {
    /// Nothing: data to predict on.
    None,
    /// One of several classes; `ids` index `names`.
    Class {
        /// `[samples]`, each below `names.len()`.
        ids: Vec<u32>,
        /// The classes in the order of the model's outputs.
        names: Vec<String>,
    },
    /// One number, `[samples]`.
    Value(Vec<f32>),
    /// A class at each position of a sequence: the token that comes next, or a tag.
    Tokens {
        /// `[samples, length]`, each below `names.len()`; empty where the source reads them with the samples, see
        /// [`Source::read_tokens`](super::Source::read_tokens).
        ids: Vec<u32>,
        /// Positions of a sample.
        length: usize,
        /// The vocabulary, in the order of the model's outputs at each position.
        names: Vec<String>,
    },
}

/// A per-sample text value that groups samples; equal texts are stored once.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The column's name.
    pub name: String,
    /// The distinct values in order of appearance.
    pub values: Vec<String>,
    /// `[samples]`, indices into `values`.
    pub ids: Vec<u32>,
}

/// The place of a sample in its recording, before any row was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// Recordings are numbered from 0 in order of appearance.
    pub recording: u32,
    /// The sample's first row within the recording.
    pub row: u32,
    /// How many rows it covers: 1, or the length of the window.
    pub rows: u32,
}

impl Dataset {
    /// A set without group columns, all of one recording.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if the shape is empty or the lengths don't fit together.
    pub fn new(features: Vec<f32>, shape: Vec<usize>, labels: Labels) -> Result<Self, DataError> {
        let mismatch = |what: &str, expected: String, found: usize| DataError::Mismatch {
            what: what.into(),
            expected,
            found: found.to_string(),
            help: "give one feature block and one label a sample",
        };
        let size = shape.iter().try_fold(1usize, |size, &dim| size.checked_mul(dim)).unwrap_or(0);
        if size == 0 || shape.is_empty() || !features.len().is_multiple_of(size) {
            return Err(mismatch("features", format!("a multiple of the shape {shape:?}"), features.len()));
        }
        let samples = features.len() / size;
        if let Some(found) = labels.len().filter(|&found| found != samples) {
            return Err(mismatch("labels", samples.to_string(), found));
        }
        if let Labels::Tokens { ids, length, .. } = &labels
            && ids.len() != samples.saturating_mul(*length)
        {
            return Err(mismatch("tokens", format!("{length} for each of {samples} samples"), ids.len()));
        }
        if u32::try_from(samples).is_err() {
            return Err(mismatch("samples", format!("at most {}", u32::MAX), samples));
        }
        let origins = (0..samples as u32).map(|row| Origin { recording: 0, row, rows: 1 }).collect();
        Ok(Self { features, shape, labels, columns: Vec::new(), origins })
    }

    /// The number of samples.
    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Numbers in one sample, the product of the shape.
    pub fn sample_len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The features of sample `index`, `[shape…]` row-major; panics beyond the end, as indexing does.
    pub fn sample(&self, index: usize) -> &[f32] {
        let size = self.sample_len();
        &self.features[index * size..][..size]
    }

    /// The samples at `indices`, in that order; panics beyond the end, as indexing does. Class names stay all there, so
    /// that a part without some class still fits the same model.
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut features = Vec::with_capacity(indices.len() * self.sample_len());
        indices.iter().for_each(|&index| features.extend_from_slice(self.sample(index)));
        Self {
            features,
            shape: self.shape.clone(),
            labels: self.labels.select(indices),
            columns: self.columns.iter().map(|column| column.select(indices)).collect(),
            origins: pick(&self.origins, indices),
        }
    }

    /// The same numbers under another shape of the same size, such as 64 pixels as `[1, 8, 8]`.
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

    /// The group column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Samples of each class, in the order of the class names; empty without classes.
    pub fn class_counts(&self) -> Vec<usize> {
        let Labels::Class { ids, names } = &self.labels else {
            return Vec::new();
        };
        let mut counts = vec![0; names.len()];
        ids.iter().for_each(|&id| counts[id as usize] += 1);
        counts
    }
}

impl Labels {
    /// The labels of the samples at `indices`, in that order; panics beyond the end, as indexing does.
    pub fn select(&self, indices: &[usize]) -> Self {
        match self {
            Self::None => Self::None,
            Self::Class { ids, names } => Self::Class { ids: pick(ids, indices), names: names.clone() },
            Self::Value(values) => Self::Value(pick(values, indices)),
            Self::Tokens { ids, length, names } => {
                // A source that reads them with the samples has none here.
                let rows = indices.iter().filter(|_| !ids.is_empty()).flat_map(|&i| &ids[i * length..][..*length]);
                Self::Tokens { ids: rows.copied().collect(), length: *length, names: names.clone() }
            }
        }
    }

    /// The number of labels; none where nothing is to be learnt.
    pub fn len(&self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Class { ids, .. } => Some(ids.len()),
            Self::Value(values) => Some(values.len()),
            Self::Tokens { ids, length, .. } => Some(ids.len() / (*length).max(1)),
        }
    }

    /// The labels as words of a hash.
    pub(super) fn words(&self) -> Box<dyn Iterator<Item = u64> + '_> {
        match self {
            Self::None => Box::new(std::iter::empty()),
            Self::Class { ids, .. } | Self::Tokens { ids, .. } => Box::new(ids.iter().map(|&id| id.into())),
            Self::Value(values) => Box::new(values.iter().map(|v| v.to_bits().into())),
        }
    }

    /// The number that one of `outputs` outputs should have for a sample, for losses that compare outputs with numbers.
    ///
    /// A value is itself, for a model of one output. Classes are 1 at the class's output and 0 elsewhere ("one-hot")
    /// where each has an output; of two classes one output is enough, which is the class then, 0 or 1. `None` where
    /// labels and outputs don't go together so, and beyond the end.
    pub fn number(&self, sample: usize, output: usize, outputs: usize) -> Option<f32> {
        match self {
            Self::Class { ids, names } if outputs == 1 && names.len() == 2 => ids.get(sample).map(|&id| id as f32),
            Self::Class { ids, names } if names.len() == outputs => {
                ids.get(sample).map(|&id| f32::from(id as usize == output))
            }
            Self::Value(values) if outputs == 1 => values.get(sample).copied(),
            _ => None,
        }
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.len().unwrap_or(0) == 0
    }
}

impl Column {
    /// The text of sample `index`; panics beyond the end, as indexing does.
    pub fn text(&self, index: usize) -> &str {
        &self.values[self.ids[index] as usize]
    }

    /// The samples at `indices`.
    pub(super) fn select(&self, indices: &[usize]) -> Self {
        Self { name: self.name.clone(), values: self.values.clone(), ids: pick(&self.ids, indices) }
    }
}

/// `values` at `indices`.
pub(super) fn pick<T: Copy>(values: &[T], indices: &[usize]) -> Vec<T> {
    indices.iter().map(|&index| values[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_fit() {
        assert_eq!(Dataset::new(vec![0.0; 6], vec![3], Labels::None).unwrap().len(), 2);
        let labels = Labels::Value(vec![0.0; 3]);
        let error = Dataset::new(vec![0.0; 6], vec![3], labels).unwrap_err().to_string();
        assert_eq!(error, "labels: expected 2, found 3; give one feature block and one label a sample");
        for shape in [vec![], vec![0], vec![4], vec![usize::MAX, 2]] {
            assert!(Dataset::new(vec![0.0; 6], shape, Labels::None).is_err());
        }
    }

    #[test]
    fn classes_as_numbers() {
        let classes = |names: &[&str]| Labels::Class {
            ids: (0..names.len() as u32).collect(),
            names: names.iter().map(|name| name.to_string()).collect(),
        };
        let numbers = |labels: &Labels, sample, outputs| -> Option<Vec<f32>> {
            (0..outputs).map(|output| labels.number(sample, output, outputs)).collect()
        };
        let (two, three) = (classes(&["a", "b"]), classes(&["a", "b", "c"]));
        assert_eq!(numbers(&two, 1, 1), Some(vec![1.0]));
        assert_eq!(numbers(&two, 0, 1), Some(vec![0.0]));
        assert_eq!(numbers(&two, 1, 2), Some(vec![0.0, 1.0]));
        assert_eq!(numbers(&three, 1, 3), Some(vec![0.0, 1.0, 0.0]));
        assert_eq!((numbers(&three, 0, 1), numbers(&three, 0, 2), numbers(&three, 3, 3)), (None, None, None));
        let values = Labels::Value(vec![0.25, 7.0]);
        assert_eq!((numbers(&values, 1, 1), numbers(&values, 0, 2)), (Some(vec![7.0]), None));
        assert_eq!(numbers(&Labels::None, 0, 1), None);
    }

    #[test]
    fn selection_keeps_rows_together_and_all_class_names() {
        let names = vec!["a".to_string(), "b".to_string()];
        let labels = Labels::Class { ids: vec![0, 1, 0], names: names.clone() };
        let set = Dataset::new(vec![0.0, 0.5, 1.0, 1.5, 2.0, 2.5], vec![2], labels).unwrap();
        assert_eq!(set.class_counts(), [2, 1]);
        let part = set.select(&[2, 0]);
        assert_eq!(part.features, [2.0, 2.5, 0.0, 0.5]);
        assert_eq!(part.labels, Labels::Class { ids: vec![0, 0], names });
        assert_eq!(part.origins[0].row, 2);
        assert_eq!(part.reshape(&[1, 2]).unwrap().shape, [1, 2]);
        assert!(set.reshape(&[3]).is_err());
    }
}
