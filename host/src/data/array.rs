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
        let (samples, shape) = match self.shape[..] {
            [] => {
                return Err(mismatch("features", "an array of samples", "a single number".into()));
            }
            [samples] => (samples, vec![1]),
            [samples, ref rest @ ..] => (samples, rest.to_vec()),
        };
        let labels = target.labels()?;
        if samples == 0 || self.values.is_empty() {
            return Err(mismatch("features", "at least one sample", format!("shape {:?}", self.shape)));
        }
        Dataset::new(self.values, shape, labels)
    }
}

impl Target {
    /// As labels.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if a class isn't a whole number from 0 to 65535.
    pub(super) fn labels(self) -> Result<Labels, DataError> {
        match self {
            Target::None => Ok(Labels::None),
            Target::Value(array) => Ok(Labels::Value(array.values)),
            Target::Class(array) => classes(&array.values),
        }
    }
}

fn classes(values: &[f32]) -> Result<Labels, DataError> {
    let wrong = |value: &&f32| !(**value >= 0.0 && **value < MOST_CLASSES && value.fract() == 0.0);
    if let Some(value) = values.iter().find(wrong) {
        return Err(mismatch("classes", "whole numbers from 0 to 65535", value.to_string()));
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
    let help = "check that the right arrays are named";
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
