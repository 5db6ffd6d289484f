//! An array of numbers from NPY, NPZ or IDX, and how arrays become a set.

use super::dataset::{Dataset, Labels};
use super::error::DataError;

/// Numbers and their shape, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// The axes; the first counts samples.
    pub shape: Vec<usize>,
    /// All numbers, finite.
    pub values: Vec<f32>,
}

/// What is to be learnt, as an array of one number a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// Nothing.
    None,
    /// Class numbers from 0; there are as many classes as the largest needs.
    Class(Array),
    /// Numbers to predict.
    Value(Array),
}

/// More classes than any model here tells apart: a larger number is a wrong array.
const MOST_CLASSES: f32 = 65536.0;

impl Array {
    /// The samples along the first axis; a plain list becomes samples of shape `[1]`. Class `n` is named `n`.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if lengths differ or a class isn't a whole number from 0 to 65535.
    pub fn into_dataset(self, target: Target) -> Result<Dataset, DataError> {
        self.into_dataset_of(target, Names { features: "features", labels: "labels" })
    }

    /// The same of files and arrays with those names.
    pub(super) fn into_dataset_of(self, target: Target, names: Names<'_>) -> Result<Dataset, DataError> {
        let (samples, shape) = match self.shape[..] {
            [] => {
                return Err(mismatch(names.features, "an array of samples", "a single number".into()));
            }
            [samples] => (samples, vec![1]),
            [samples, ref rest @ ..] => (samples, rest.to_vec()),
        };
        if samples == 0 || self.values.is_empty() {
            return Err(mismatch(names.features, "at least one sample", format!("shape {:?}", self.shape)));
        }
        let labels = target.labels(samples, names)?;
        Dataset::new(self.values, shape, labels)
    }
}

/// What the two arrays of a set are called in errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    pub features: &'a str,
    pub labels: &'a str,
}

impl Target {
    /// As labels of so many samples.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if there isn't one number a sample, or a class isn't a whole number from 0 to 65535.
    pub(super) fn labels(self, samples: usize, names: Names<'_>) -> Result<Labels, DataError> {
        let (Target::Class(array) | Target::Value(array)) = &self else { return Ok(Labels::None) };
        // As many rows of several numbers would be another set's labels.
        if array.values.len() != samples || array.shape.first().is_some_and(|&rows| rows != samples) {
            let expected = format!("one number for each of the {samples} samples of {}", names.features);
            let found = match array.shape[..] {
                [count] => count.to_string(),
                ref shape => format!("an array of shape {shape:?}"),
            };
            return Err(mismatch(names.labels, &expected, found));
        }
        match self {
            Target::None => Ok(Labels::None),
            Target::Value(array) => Ok(Labels::Value(array.values)),
            Target::Class(array) => classes(&array.values, names.labels),
        }
    }
}

fn classes(values: &[f32], name: &str) -> Result<Labels, DataError> {
    let wrong = |value: &&f32| !(**value >= 0.0 && **value < MOST_CLASSES && value.fract() == 0.0);
    if let Some(value) = values.iter().find(wrong) {
        return Err(mismatch(name, "classes as whole numbers from 0 to 65535", value.to_string()));
    }
    let ids: Vec<u32> = values.iter().map(|&value| value as u32).collect();
    let count = ids.iter().max().map_or(0, |&largest| largest + 1);
    Ok(Labels::Class { ids, names: (0..count).map(|class| class.to_string()).collect() })
}

/// The number of elements of a shape from a file, if it fits memory.
pub(super) fn elements(shape: &[usize]) -> Option<usize> {
    // A zero hides an overflow of the others, and the others alone are used for strides: they must fit too.
    let product = shape.iter().filter(|&&dim| dim > 0).try_fold(1usize, |product, &dim| product.checked_mul(dim))?;
    Some(if shape.contains(&0) { 0 } else { product })
}

fn mismatch(what: &str, expected: &str, found: String) -> DataError {
    let help = "check that the right files and arrays are named, and that they are whole";
    DataError::Mismatch { what: what.into(), expected: expected.into(), found, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn array(shape: &[usize], values: &[f32]) -> Array {
        Array { shape: shape.to_vec(), values: values.to_vec() }
    }

    #[test]
    fn first_axis_counts_samples() {
        let set =
            array(&[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]).into_dataset(Target::Class(array(&[2], &[2.0, 0.0]))).unwrap();
        assert_eq!((set.len(), &set.shape[..], set.class_counts()), (2, &[1, 2][..], vec![1, 0, 1]));
        let set = array(&[2], &[1.0, 2.0]).into_dataset(Target::Value(array(&[2], &[0.5, 1.5]))).unwrap();
        assert_eq!((set.shape, set.labels), (vec![1], Labels::Value(vec![0.5, 1.5])));
    }

    #[test]
    fn wrong_arrays_are_refused() {
        let features = array(&[2, 1], &[1.0, 2.0]);
        for wrong in [-1.0, 0.5, 65536.0, f32::NAN] {
            assert!(features.clone().into_dataset(Target::Class(array(&[2], &[0.0, wrong]))).is_err());
        }
        assert!(features.into_dataset(Target::Value(array(&[1], &[0.0]))).is_err());
        assert!(array(&[], &[1.0]).into_dataset(Target::None).is_err());
        assert!(array(&[0, 2], &[]).into_dataset(Target::None).is_err());
        assert_eq!(elements(&[usize::MAX, 2, 0]), None);
    }
}
