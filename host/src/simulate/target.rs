//! What a sample's output is compared with, and which class an output says.

use emberlite::loss::{Loss, Target};
use emberlite::number::Number;

use super::SimulateError;
use crate::data::{Dataset, Labels};
use crate::train::middle;

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
    /// Classes become the index for softmax, and numbers for losses of values, as [`Labels::number`] says.
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
            Labels::Value(_) if loss.takes_class() => {
                Err(mismatch(format!("classes, as {} needs", loss.name()), "a number a sample".into()))
            }
            Labels::Tokens { .. } => {
                Err(mismatch("a class or a number a sample".into(), "a token for each position".into()))
            }
            labels => {
                let all = (0..set.len()).flat_map(|sample| (0..outputs).map(move |output| (sample, output)));
                let numbers = all.map(|(sample, output)| labels.number(sample, output, outputs).map(real));
                numbers.collect::<Option<_>>().map(Targets::Values).ok_or_else(|| match labels {
                    Labels::Class { names, .. } => {
                        mismatch(format!("{outputs} classes, one an output"), format!("{} classes", names.len()))
                    }
                    _ => mismatch(format!("{outputs} numbers a sample"), "1".into()),
                })
            }
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

/// The class that an output says: the first of the largest; for one output the likelier of two, which is the sign of a
/// logit, and for other losses the nearer of the numbers 0 and 1.
pub(super) fn class_of<N: Number>(loss: &Loss, output: &[N::Value], frac: i32) -> usize {
    if let [one] = output {
        return usize::from(*one > N::from_f32(middle(loss), frac));
    }
    let mut best: Option<(usize, N::Value)> = None;
    for (index, &value) in output.iter().enumerate() {
        if best.is_none_or(|(_, largest)| value > largest) {
            best = Some((index, value));
        }
    }
    best.map_or(0, |(index, _)| index)
}
