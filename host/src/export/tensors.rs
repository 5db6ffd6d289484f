//! Tensors on their way into a file and out of one.

use bytemuck::NoUninit;
use emberlite::graph::{Graph, MAX_NODES};
use emberlite::image::{DType, Entry, Image, Kind, MODEL, Name};
use emberlite::number::{Fixed16, Format, Number};
use emberlite::op::Op;
use emberlite::plan::{Plan, Step};
use thiserror::Error;

use crate::Parameters;
use crate::quantize::Quantised;

/// A tensor that isn't the model's.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShapeError {
    /// It isn't there.
    #[error("tensor `{name}` is missing: layer {layer} ({operation}) needs it, of shape {expected:?}")]
    Missing {
        /// The tensor.
        name: String,
        /// The layer.
        layer: usize,
        /// Its operation.
        operation: &'static str,
        /// The shape that it must have.
        expected: Vec<u32>,
    },
    /// It has another shape.
    #[error("tensor `{name}`: layer {layer} ({operation}) needs shape {expected:?}, found {found:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// The layer.
        layer: usize,
        /// Its operation.
        operation: &'static str,
        /// The shape that it must have.
        expected: Vec<u32>,
        /// The shape that it has.
        found: Vec<u32>,
    },
}

/// A tensor with its bytes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Owned {
    node: u8,
    kind: Kind,
    dtype: DType,
    dims: Vec<u32>,
    frac: i8,
    bytes: Vec<u8>,
}

impl Owned {
    /// The element type follows from the numbers' type.
    pub(super) fn new<T: NoUninit>(node: u8, kind: Kind, dims: &[u32], numbers: &[T]) -> Owned {
        let dtype = match (size_of::<T>(), kind) {
            (1, _) => DType::I8,
            (2, _) => DType::I16,
            (_, Kind::NormalisationFixed) => DType::I32,
            _ => DType::F32,
        };
        Owned { node, kind, dtype, dims: dims.to_vec(), frac: 0, bytes: bytemuck::cast_slice(numbers).to_vec() }
    }

    pub(super) fn entry(&self) -> Entry<'_> {
        let Owned { node, kind, dtype, dims, frac, bytes } = self;
        Entry { node: *node, kind: *kind, dtype: *dtype, dims, frac: *frac, bytes }
    }
}

/// The tensors that a node has, with the dimensions that PyTorch gives them.
pub(super) fn needed(op: &Op, step: &Step) -> Vec<(Kind, Vec<u32>)> {
    let (dims, rank) = op.weight_dims(step.input);
    let weight = dims.get(..rank).unwrap_or_default().to_vec();
    let kinds = [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance];
    let parameters = step.parameters.iter().chain(&step.running).zip(kinds).filter(|(p, _)| p.len > 0);
    parameters
        .map(|(p, kind)| match (kind, op) {
            // A layer norm's bias has its weight's shape.
            (Kind::Weight, _) | (Kind::Bias, Op::LayerNorm(_)) => (kind, weight.clone()),
            _ => (kind, vec![p.len]),
        })
        .collect()
}

/// The f32 tensors of a model, checked against its graph.
pub(super) fn of_parameters(
    graph: &Graph<'_>,
    plan: &Plan<MAX_NODES>,
    parameters: &Parameters,
) -> Result<Vec<Owned>, ShapeError> {
    let mut tensors = Vec::new();
    for (layer, (node, step)) in graph.nodes.iter().zip(plan.view().steps).enumerate() {
        for (kind, dims) in needed(&node.op, step) {
            let values = parameters.get(layer as u8, kind);
            let values = check(layer, node.op.name(), kind, &dims, values)?;
            tensors.push(Owned::new(layer as u8, kind, &dims, values));
        }
    }
    Ok(tensors)
}

/// The fixed-point tensors of a model and its scales, checked against its graph.
pub(super) fn of_fixed(
    graph: &Graph<'_>,
    plan: &Plan<MAX_NODES>,
    quantised: &Quantised,
) -> Result<Vec<Owned>, ShapeError> {
    let mut tensors = Vec::new();
    for (layer, (node, step)) in graph.nodes.iter().zip(plan.view().steps).enumerate() {
        for (kind, dims) in needed(&node.op, step) {
            let tensor = quantised.tensor(layer as u8, kind);
            let values = tensor.map(|tensor| tensor.values.as_slice());
            let values = check(layer, node.op.name(), kind, &dims, values)?;
            let frac = tensor.map_or(0, |tensor| tensor.frac);
            tensors.push(Owned { frac, ..Owned::new(layer as u8, kind, &dims, values) });
        }
    }
    let scales: Vec<i8> = quantised.scales.iter().flatten().copied().collect();
    tensors.push(Owned::new(MODEL, Kind::Scales, &[quantised.scales.len() as u32, 4], &scales));
    Ok(tensors)
}

fn check<'v, T>(
    layer: usize,
    operation: &'static str,
    kind: Kind,
    dims: &[u32],
    values: Option<&'v [T]>,
) -> Result<&'v [T], ShapeError> {
    let name = Name { node: layer as u8, kind }.to_string();
    let Some(values) = values else {
        return Err(ShapeError::Missing { name, layer, operation, expected: dims.to_vec() });
    };
    if values.len() as u64 != dims.iter().map(|&dim| u64::from(dim)).product::<u64>() {
        let found = vec![values.len() as u32];
        return Err(ShapeError::Shape { name, layer, operation, expected: dims.to_vec(), found });
    }
    Ok(values)
}

/// The parameters of a file as real numbers: weights, biases, running statistics.
pub fn parameters(image: &Image<'_>) -> Parameters {
    let mut parameters = Parameters::new();
    for (name, tensor) in image.tensors() {
        if !matches!(name.kind, Kind::Weight | Kind::Bias | Kind::RunningMean | Kind::RunningVariance) {
            continue;
        }
        let values = match image.format() {
            Format::F32 => tensor.as_f32().map(<[f32]>::to_vec),
            Format::Fixed16 => {
                let real = |&v: &i16| Fixed16::to_f32(v, tensor.frac.into());
                tensor.as_i16().map(|values| values.iter().map(real).collect())
            }
        };
        parameters.set(name.node, name.kind, values.unwrap_or_default());
    }
    parameters
}
