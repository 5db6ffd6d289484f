//! What a sample's output is compared with, and which class an output says.

use emberlite::loss::{Loss, Target};
use emberlite::number::Number;

use super::SimulateError;
use crate::data::{Dataset, Labels};

/// The labels of a set as targets of a loss.
pub(super) enum Targets<V> {
    /// Classes.
    Classes(Vec<u16>),
    /// As many values a sample as the model has outputs.
    Values(Vec<V>),
}

/// How many of something a label stands for.
fn mismatch(expected: String, found: String) -> SimulateError {
    SimulateError::Labels { expected, found }
}

impl<V: Copy> Targets<V> {
    /// The targets of a set for a model of `outputs` outputs with `frac` fraction bits.
    ///
    /// Classes become the index for softmax, and for losses of values: 0 or 1 where there is one output and two classes,
    /// else 1 at the class's output and 0 elsewhere.
    pub(super) fn new<N: Number<Value = V>>(
        set: &Dataset,
        loss: &Loss,
        outputs: usize,
        frac: i32,
    ) -> Result<Targets<V>, SimulateError> {
        let real = |x: f32| N::from_f32(x, frac);
        match &set.labels {
            Labels::None => Err(mismatch("labelled samples".into(), "samples without labels".into())),
            Labels::Class { ids, names } if loss.takes_class() => {
                if names.len() != outputs {
                    return Err(mismatch(
                        format!("{outputs} classes, one an output"),
                        format!("{} classes", names.len()),
                    ));
                }
                Ok(Targets::Classes(ids.iter().map(|&id| id as u16).collect()))
            }
            Labels::Class { ids, names } if outputs == 1 && names.len() == 2 => {
                Ok(Targets::Values(ids.iter().map(|&id| real(id as f32)).collect()))
            }
            Labels::Class { ids, names } if names.len() == outputs => {
                let mut values = vec![real(0.0); ids.len() * outputs];
                for (row, &id) in values.chunks_mut(outputs).zip(ids) {
                    if let Some(value) = row.get_mut(id as usize) {
                        *value = real(1.0);
                    }
                }
                Ok(Targets::Values(values))
            }
            Labels::Class { names, .. } => {
                Err(mismatch(format!("{outputs} classes, one an output"), format!("{} classes", names.len())))
            }
            Labels::Value(_) if loss.takes_class() => {
                Err(mismatch(format!("classes, as {} needs", loss.name()), "a number a sample".into()))
            }
            Labels::Value(values) if outputs == 1 => Ok(Targets::Values(values.iter().map(|&x| real(x)).collect())),
            Labels::Value(_) => Err(mismatch(format!("{outputs} numbers a sample"), "1".into())),
        }
    }

    /// The target of one sample.
    pub(super) fn of<N: Number<Value = V>>(&self, sample: usize, outputs: usize) -> Target<'_, N> {
        match self {
            Targets::Classes(classes) => Target::Class(classes.get(sample).copied().unwrap_or_default()),
            Targets::Values(values) => {
                Target::Values(values.get(sample * outputs..(sample + 1) * outputs).unwrap_or_default())
            }
        }
    }
}

/// The class that an output says: the first of the largest, or for one output whether it is above 0.
pub(super) fn class_of<N: Number>(output: &[N::Value]) -> usize {
    if let [one] = output {
        return usize::from(*one > N::from_f32(0.0, 0));
    }
    let mut best: Option<(usize, N::Value)> = None;
    for (index, &value) in output.iter().enumerate() {
        if best.is_none_or(|(_, largest)| value > largest) {
            best = Some((index, value));
        }
    }
    best.map_or(0, |(index, _)| index)
}
