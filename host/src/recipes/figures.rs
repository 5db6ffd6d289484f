//! The figures of a trained model, and whether they will do.

use super::expected::{Bound, Expectation};
use super::{RecipeError, record::Got};
use crate::data::{Dataset, Labels};
use crate::export::{self, Bytes};
use crate::metrics::{Metric, UnknownMetric};
use crate::spec::Spec;
use crate::train::{self, DeviceChoice, Judgement};
use emberlite::executor::Everything;
use emberlite::graph::{Graph, MAX_NODES};
use emberlite::image::{Image, Kind};
use emberlite::learner::{Engine, Status};
use emberlite::number::{F32, Format};
use emberlite::plan::{Plan, plan};
use std::collections::BTreeMap;
use std::fmt::Display;

/// A figure beside its bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The figure's name.
    pub figure: String,
    /// What it is compared with.
    pub bound: Bound,
    /// What it is.
    pub got: f64,
}

impl Verdict {
    /// Whether it will do.
    pub fn holds(&self) -> bool {
        self.bound.holds(self.got)
    }

    /// As it is recorded.
    pub fn got(&self) -> Got {
        Got { figure: self.figure.clone(), expected: self.bound.to_string(), got: self.got, reached: self.holds() }
    }
}

/// The outputs of a model's f32 file for raw samples, as a device gives them: `[samples, outputs]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// Row by row.
    pub values: Vec<f32>,
    /// Numbers a row.
    pub outputs: usize,
}

/// Computes every figure that is expected, from the file that the training wrote and the parts of the description's data.
///
/// `reference` holds what other implementations got. Costs the evaluation of the judged part, once.
///
/// # Errors
/// [`RecipeError::Figure`] if a figure can't be computed: an unknown name, a metric that doesn't fit the labels, data or a
/// file that can't be read.
pub fn judge(
    spec: &Spec,
    file: &Bytes,
    expect: &[Expectation],
    reference: &BTreeMap<String, Vec<f64>>,
) -> Result<Vec<Verdict>, RecipeError> {
    let mut judged = Judged { spec, file, judgement: None };
    let mut verdicts = Vec::new();
    for expectation in expect {
        let failed = |message: String| RecipeError::Figure { figure: expectation.figure.clone(), message };
        let bound = expectation.bound(reference).ok_or_else(|| failed("has no bound".into()))?;
        let values = expectation.reference.as_ref().and_then(|name| reference.get(name));
        let got = match expectation.figure.as_str() {
            "prediction" => judged.prediction(&expectation.input),
            "coefficients" => judged.difference(values.map_or(&[], Vec::as_slice)),
            name => judged.metric(name),
        };
        verdicts.push(Verdict { figure: expectation.name(), bound, got: got.map_err(failed)? });
    }
    Ok(verdicts)
}

/// What the figures are computed from; the part is read and evaluated for the first metric.
struct Judged<'a> {
    spec: &'a Spec,
    file: &'a Bytes,
    judgement: Option<Judgement>,
}

impl Judged<'_> {
    fn image(&self) -> Result<Image<'_>, String> {
        Image::open(self.file.as_slice()).map_err(|error| format!("the model's file: {error}"))
    }

    fn prediction(&self, input: &[f32]) -> Result<f64, String> {
        let samples = Dataset::new(input.to_vec(), vec![input.len()], Labels::None).map_err(|e| e.to_string())?;
        let outputs = outputs(self.spec, self.file, &samples)?;
        outputs.values.first().map(|&y| f64::from(y)).ok_or_else(|| "the model has no outputs".into())
    }

    /// The largest difference between the first layer's numbers and those.
    fn difference(&self, expected: &[f64]) -> Result<f64, String> {
        let parameters = export::parameters(&self.image()?);
        let of = |kind| parameters.get(0, kind).unwrap_or_default().iter().map(|&x| f64::from(x)).collect::<Vec<_>>();
        let (weights, biases) = (of(Kind::Weight), of(Kind::Bias));
        if weights.len() + biases.len() != expected.len() {
            let found = weights.len() + biases.len();
            return Err(format!("the first layer has {found} numbers, the reference {}", expected.len()));
        }
        let (expected, expected_biases) = expected.split_at(weights.len());
        let found: Vec<f64> = weights.into_iter().chain(centred(&biases)).collect();
        let expected: Vec<f64> = expected.iter().copied().chain(centred(expected_biases)).collect();
        let differences = found.iter().zip(&expected).map(|(a, b)| (a - b).abs());
        // A number that is none stays one: `max` alone would drop it.
        Ok(differences.fold(0.0, |a: f64, b| if b.is_nan() { b } else { a.max(b) }))
    }

    fn metric(&mut self, name: &str) -> Result<f64, String> {
        let metric: Metric = name.parse().map_err(|error: UnknownMetric| error.to_string())?;
        if self.judgement.is_none() {
            self.judgement = Some(self.evaluate()?);
        }
        let judgement = self.judgement.as_ref().ok_or("nothing was evaluated")?;
        judgement.metric(metric).map_err(|error| error.to_string())
    }

    /// Every sample of the judged part, as it is predicted in f32.
    fn evaluate(&self) -> Result<Judgement, String> {
        let sets = self.spec.load_sets().map_err(|error| error.to_string())?;
        let (parameters, standardise) = match self.spec.host_only() {
            None => {
                let image = self.image()?;
                let standardise = export::standardise(&image).map_err(|error| format!("the model's file: {error}"))?;
                (export::parameters(&image), standardise)
            }
            // What no device runs isn't sealed: its weights have PyTorch's names.
            Some(_) => {
                let imported = export::import(self.file.as_slice(), self.spec);
                let imported = imported.map_err(|error| format!("the model's file: {error}"))?;
                (imported.parameters, imported.standardise)
            }
        };
        let set = sets.test.unwrap_or(sets.train).standardised(standardise.as_ref());
        let set = set.map_err(|error| error.to_string())?;
        let nodes = self.spec.host_nodes();
        let graph = Graph::new(Format::F32, self.spec.model.input, &nodes);
        let loss = &self.spec.training.settings.loss;
        train::judge(graph, loss, &parameters, set.source(), DeviceChoice::Cpu, &[]).map_err(|error| error.to_string())
    }
}

/// Biases without what they have in common, where there is one a class: a softmax doesn't see it, so nothing decides it.
fn centred(biases: &[f64]) -> Vec<f64> {
    let mean = if biases.len() > 1 { biases.iter().sum::<f64>() / biases.len() as f64 } else { 0.0 };
    biases.iter().map(|bias| bias - mean).collect()
}

/// The outputs of an f32 model's file for raw samples, computed by the executor that a device runs.
///
/// # Errors
/// One sentence if file, model and samples don't fit together.
pub fn outputs(spec: &Spec, file: &Bytes, samples: &Dataset) -> Result<Outputs, String> {
    let text = |error: &dyn Display| error.to_string();
    let graph = spec.graph();
    let plan: Box<Plan<MAX_NODES>> = plan(&graph, None).map(Box::new).map_err(|error| text(&error))?;
    let (mut arena, mut status) = (vec![0u32; plan.words()], Status::EMPTY);
    let mut engine = Engine::<F32, Everything>::new(graph, plan.view(), None, &mut arena, &mut status)
        .map_err(|error| text(&error))?;
    engine.load(file.as_slice()).map_err(|error| text(&error))?;
    let constants = engine.normalisation();
    let mut values = Vec::new();
    for index in 0..samples.len() {
        let mut input = samples.sample(index).to_vec();
        if let Some(constants) = &constants {
            constants.apply(&mut input);
        }
        values.extend_from_slice(engine.predict(&input).map_err(|error| text(&error))?);
    }
    Ok(Outputs { values, outputs: plan.summary.outputs as usize })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of several is 3; one alone is decided by the data.
    #[test]
    fn only_biases_of_several_outputs_are_compared_without_their_mean() {
        assert_eq!(centred(&[1.0, 2.0, 6.0]), [-2.0, -1.0, 3.0]);
        assert_eq!(centred(&[5.0]), [5.0]);
        assert!(centred(&[]).is_empty());
    }
}
