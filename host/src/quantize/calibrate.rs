//! Calibration: from samples to scales.

use super::QuantizeError;
use super::probe::{Probe, checked};
use super::quantised::{Quantised, Tensor, to_fixed};
use super::range::{Magnitudes, Range, fraction_bits};
use crate::Parameters;
use crate::data::{Dataset, Labels};
use emberlite::graph::{Graph, MAX_NODES, Node, Update};
use emberlite::image::Kind;
use emberlite::loss::{Loss, Target};
use emberlite::number::Format;
use emberlite::op::{ActivationKind, Op};
use emberlite::optimizer::Optimizer;
use emberlite::plan::{Plan, Training, plan};
use serde::{Deserialize, Serialize};

/// Bits below the sign that the largest error at the output uses: the contract of core's fixed-point losses.
const LOSS_BITS: i32 = 14;
/// A parameter has a range of at least ±1: one that is small, or zero as yet, may grow.
const MOST_PARAMETER_BITS: i32 = 15;
/// Fraction bits of a value that calibration has only seen as zero, as core's default.
const UNSEEN_BITS: i32 = 10;

/// Bits kept free above what calibration saw.
///
/// On the watch data, learning came out the same within its noise for 0 to 2 bits of values, weights and biases and 0 to 3
/// of errors, with [`Range::Largest`] and [`Range::AllBut`]`(0.001)` alike: 16 bits are plenty. So one bit for each is the
/// default, for drift that goes further than the one between two wrists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Headroom {
    /// The input and every node's output.
    pub value: u8,
    /// Weights.
    pub weight: u8,
    /// Biases.
    pub bias: u8,
    /// Errors.
    pub error: u8,
}

impl Headroom {
    /// For a model that only predicts: parameters stay, values get one bit for inputs that calibration didn't see.
    pub const PREDICTION: Headroom = Headroom { value: 1, weight: 0, bias: 0, error: 0 };
    /// For a model that learns.
    pub const LEARNING: Headroom = Headroom { value: 1, weight: 1, bias: 1, error: 1 };
}

impl Default for Headroom {
    fn default() -> Self {
        Self::LEARNING
    }
}

/// How calibration measures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Calibration {
    /// What counts as the range of a value or an error. Parameters always count whole.
    pub range: Range,
    /// Bits kept free.
    pub headroom: Headroom,
    /// At most so many samples, evenly spread over the set.
    pub samples: usize,
}

impl Default for Calibration {
    fn default() -> Self {
        Self { range: Range::Largest, headroom: Headroom::LEARNING, samples: 1024 }
    }
}

/// Quantises a trained model for prediction and, with `training`, for learning on the device.
///
/// `data` holds normalised samples as the model was trained on, with labels if it is to learn. Weights and biases are
/// rounded to the nearest. Costs a forward pass and, for learning, a backward pass for each sample in f32.
///
/// Give the parameters of a *trained* model. An untrained one's outputs are small, and headroom doesn't reach from there to
/// a trained one's: digits calibrated before the first pass stay at chance, calibrated after two passes in f32 they learn
/// as f32 does. To train from scratch on the device, use core's `initialize`, whose scales are made for that.
///
/// A layer's output keeps its scales through ReLU, flatten and max pooling. Where only a ReLU reads a value, its negative
/// half may saturate, as it becomes 0 anyway.
///
/// # Errors
/// [`QuantizeError::Plan`] for what fixed16 doesn't have, by layer; otherwise what is wrong with parameters or data.
pub fn calibrate(
    graph: &Graph<'_>,
    training: Option<&Training>,
    parameters: &Parameters,
    data: &Dataset,
    settings: &Calibration,
) -> Result<Quantised, QuantizeError> {
    let fixed = Graph { format: Format::Fixed16, ..*graph };
    // In its own format first: what doesn't exist there is the answer, whatever else is wrong.
    let plan: Box<Plan<MAX_NODES>> = Box::new(plan(&fixed, training)?);
    check(graph, training, plan.summary.outputs as usize, data, settings)?;
    // Every node trained: errors are measured everywhere, parameters lie in RAM.
    let all: Vec<Node> = graph.nodes.iter().map(|node| Node { update: Update::Full, ..*node }).collect();
    let only_predicts = Training::new(Loss::MeanSquaredError, Optimizer::sgd(0.0));
    let mut probe = Probe::new(Graph { nodes: &all, ..*graph }, training.unwrap_or(&only_predicts), parameters)?;
    let seen = measure(&mut probe, graph, training, data, settings.samples)?;

    let headroom = settings.headroom;
    let mut scales = vec![[0i8; 4]; graph.nodes.len() + 1];
    let mut tensors = Vec::new();
    for (value, scales) in scales.iter_mut().enumerate() {
        // The value whose scale it has; the input has its own.
        let root = value.checked_sub(1).map_or(0, |node| usize::from(plan.steps[node].scales[2]));
        let bits = seen.values[root].bound(settings.range).map(|k| fraction_bits(k, headroom.value.into()));
        scales[0] = bits.unwrap_or(UNSEEN_BITS).clamp(-16, 24) as i8;
        // The largest error at the output is 2^14 at most; a ratio of 2^k makes 2^(14 + k) of it, to be within 2^15.
        let error = seen.errors[root].bound(settings.range).map(|k| 15 - LOSS_BITS - k - i32::from(headroom.error));
        let is_output = root == usize::from(plan.summary.output_scale);
        scales[3] = if is_output { 0 } else { error.unwrap_or(0).clamp(-16, 24) as i8 };
    }
    for (node, step) in plan.view().steps.iter().enumerate() {
        let spare = [(Kind::Weight, headroom.weight), (Kind::Bias, headroom.bias)];
        for (column, (parameter, (kind, headroom))) in step.parameters.iter().zip(spare).enumerate() {
            let values = checked(parameters, node as u8, kind, parameter.len as usize)?;
            if values.is_empty() {
                continue;
            }
            let mut sizes = Magnitudes::default();
            values.iter().for_each(|&v| sizes.add(v));
            let bound = sizes.bound(Range::Largest).map(|k| fraction_bits(k, headroom.into()));
            let frac = bound.unwrap_or(MOST_PARAMETER_BITS).clamp(-16, MOST_PARAMETER_BITS) as i8;
            scales[node + 1][column + 1] = frac;
            tensors.push(Tensor { node: node as u8, kind, frac, values: to_fixed(values, frac) });
        }
    }
    Ok(Quantised { input: graph.input, nodes: graph.nodes.to_vec(), scales, tensors })
}

/// What the samples showed, by value: entry 0 is the graph's input, entry `i + 1` the output of node `i`.
struct Seen {
    values: Vec<Magnitudes>,
    /// Errors as multiples of the largest one at the output in the same step.
    errors: Vec<Magnitudes>,
}

fn measure(
    probe: &mut Probe<'_>,
    graph: &Graph<'_>,
    training: Option<&Training>,
    data: &Dataset,
    samples: usize,
) -> Result<Seen, QuantizeError> {
    let n = graph.nodes.len();
    let roots: Vec<usize> = probe.plan().steps.iter().map(|step| usize::from(step.scales[2])).collect();
    let rectified: Vec<bool> = (0..n).map(|node| only_a_relu_reads(graph, node)).collect();
    let empty = || vec![Magnitudes::default(); n + 1];
    let mut seen = Seen { values: empty(), errors: empty() };
    let used = samples.min(data.len());
    let outputs = probe.plan().summary.outputs as usize;
    let mut numbers = vec![0.0; outputs];
    for k in 0..used {
        let sample = k * data.len() / used;
        let input = data.sample(sample);
        if let Some(index) = input.iter().position(|x| !x.is_finite()) {
            return Err(QuantizeError::Data {
                expected: "finite numbers".into(),
                found: format!("{} at {index} of sample {sample}", input[index]),
                help: "clean the data",
            });
        }
        input.iter().for_each(|&x| seen.values[0].add(x));
        probe.forward(input, |node, values| {
            if let Some(&value) = values.iter().find(|v| !v.is_finite()) {
                let operation = graph.nodes[node].op.name();
                return Err(QuantizeError::Overflow { sample, node: node as u8, operation, value });
            }
            let least = if rectified[node] { 0.0 } else { f32::NEG_INFINITY };
            values.iter().for_each(|&v| seen.values[roots[node]].add(v.max(least)));
            Ok(())
        })?;
        if let Some(training) = training {
            let target = match &data.labels {
                Labels::Class { ids, .. } if training.loss.takes_class() => Target::Class(ids[sample] as u16),
                labels => {
                    let number = |output| labels.number(sample, output, outputs).unwrap_or_default();
                    numbers.iter_mut().enumerate().for_each(|(output, to)| *to = number(output));
                    Target::Values(&numbers)
                }
            };
            let mut largest = 0.0f32;
            probe.backward(input, target, |node, errors| {
                if node + 1 == n {
                    largest = errors.iter().fold(0.0, |m, e| m.max(e.abs()));
                }
                if largest > 0.0 {
                    errors.iter().for_each(|&e| seen.errors[roots[node]].add(e / largest));
                }
            });
        }
    }
    Ok(seen)
}

/// Whether the output of a node goes into a ReLU and nowhere else.
fn only_a_relu_reads(graph: &Graph<'_>, node: usize) -> bool {
    let mut readers = graph.nodes.iter().enumerate().flat_map(|(index, reader)| {
        let inputs = reader.inputs.iter().take(reader.op.inputs());
        inputs.filter(move |source| source.value(index) == node + 1).map(move |_| reader.op)
    });
    let is_relu = |op: Op| matches!(op, Op::Activation(a) if a.kind == ActivationKind::Relu);
    readers.next().is_some_and(is_relu) && readers.next().is_none()
}

fn check(
    graph: &Graph<'_>,
    training: Option<&Training>,
    outputs: usize,
    data: &Dataset,
    settings: &Calibration,
) -> Result<(), QuantizeError> {
    if let Range::AllBut(share) = settings.range
        && !(0.0..=0.1).contains(&share)
    {
        let expected = "a share of 0 to 0.1 that may saturate";
        return Err(QuantizeError::Setting { what: "range", expected, found: share.to_string() });
    }
    if settings.samples == 0 {
        return Err(QuantizeError::Setting { what: "samples", expected: "at least 1", found: "0".into() });
    }
    let Headroom { value, weight, bias, error } = settings.headroom;
    for (what, bits) in [("value", value), ("weight", weight), ("bias", bias), ("error", error)] {
        if bits > 8 {
            return Err(QuantizeError::Setting { what, expected: "0 to 8 bits of headroom", found: bits.to_string() });
        }
    }
    let refuse = |expected: String, found: String, help| Err(QuantizeError::Data { expected, found, help });
    if data.is_empty() {
        return refuse("at least one sample".into(), "none".into(), "calibrate on a part of the training set");
    }
    if data.sample_len() != graph.input.elements() as usize {
        let (expected, found) = (format!("samples of shape {:?}", graph.input.dims()), format!("{:?}", data.shape));
        return refuse(expected, found, "give the data that the model was trained on");
    }
    let Some(training) = training else { return Ok(()) };
    let help = "calibrate on labelled samples, or without training settings for a model that only predicts";
    match &data.labels {
        Labels::Class { names, .. } if training.loss.takes_class() => {
            if names.len() > outputs {
                let (expected, found) = (format!("at most {outputs} classes"), names.len().to_string());
                return refuse(expected, found, "give the model one output a class");
            }
            Ok(())
        }
        Labels::Class { names, .. } => match data.labels.number(0, 0, outputs) {
            Some(_) => Ok(()),
            None => refuse(format!("{outputs} classes"), names.len().to_string(), "give the model one output a class"),
        },
        Labels::Value(_) if !training.loss.takes_class() => match outputs {
            1 => Ok(()),
            n => refuse(format!("{n} target values a sample"), "1".into(), "give the model one output"),
        },
        labels => {
            let kind = if training.loss.takes_class() { "class labels" } else { "class labels or values" };
            let found = match labels {
                Labels::None => "none",
                Labels::Tokens { .. } => "tokens",
                _ => "values",
            };
            refuse(kind.into(), found.into(), help)
        }
    }
}
