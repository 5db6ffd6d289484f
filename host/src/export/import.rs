//! From a plain safetensors file, as PyTorch saves a state dict, to parameters.

use emberlite::graph::{Graph, MAX_NODES};
use emberlite::image::{Image, ImageError, Kind, MODEL, Name};
use emberlite::number::Format;
use emberlite::plan::{PlanError, plan};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use thiserror::Error;

use super::tensors::{ShapeError, from_normalisation, needed};
use crate::Parameters;
use crate::data::Standardise;
use crate::spec::Spec;

/// Why a file can't be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It isn't safetensors.
    #[error("not a safetensors file: {0}; save one with safetensors.torch.save_file(model.state_dict(), …)")]
    Format(String),
    /// It is a sealed file, one with `~toc` or `~seal`, and its seal or its table doesn't fit it.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A tensor isn't the model's.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The normalisation has another shape than `[2, channels]`: means, then one over each standard deviation; or
    /// `[5, channels]`, with fill values (NaN for none) and limits (infinite for none).
    #[error(
        "tensor `~normalisation` has shape {found:?}, the model's input needs [2, {expected}]: a row of means and a row of \
         1/deviation; or [5, {expected}] with fill values and limits"
    )]
    Normalisation {
        /// Channels of the model's input.
        expected: usize,
        /// The tensor's shape.
        found: Vec<usize>,
    },
    /// The model can't be planned.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// The numbers of a tensor are of another type.
    #[error("tensor `{name}`: expected F32 or F64, found {found}; convert it with .float()")]
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
    },
    /// A number isn't finite.
    #[error("tensor `{name}`: element {index} is {value}; train again with a smaller rate")]
    NotFinite {
        /// The tensor.
        name: String,
        /// The element.
        index: usize,
        /// What it is.
        value: f32,
    },
    /// The file has tensors that no layer takes.
    #[error("nothing takes tensor `{name}`; the model takes: {known}; take it out, or rename it to the one that it is")]
    Unused {
        /// The tensor.
        name: String,
        /// The names that the model takes.
        known: String,
    },
}

/// A model read from a plain file.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The parameters of the model as it is written, in real numbers.
    pub parameters: Parameters,
    /// Normalisation constants, if the file has `~normalisation`, f32 `[2, channels]`.
    pub standardise: Option<Standardise>,
}

/// Reads parameters for the model of `spec`: tensors `0.weight`, `0.bias`, … where the number is the layer's index, as in
/// a PyTorch `Sequential` with the same layers, or the layer's name in `model.toml`.
///
/// Every tensor must have its layer's shape exactly, and no other may be there: a misspelt `~normalisation` that is silently
/// left out costs a model its accuracy. Passed over are PyTorch's `num_batches_tracked`, and what only a sealed file of ours
/// has besides parameters: graph, table and seal, scales, self-check, optimizer state. A sealed file must be whole: what is
/// made of it gets a seal of its own, which would vouch for the damage.
///
/// # Errors
/// [`ImportError`] naming the tensor, what was expected and what was found; never a panic, whatever the bytes.
pub fn import(bytes: &[u8], spec: &Spec) -> Result<Imported, ImportError> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| ImportError::Format(error.to_string()))?;
    if file.names().into_iter().any(sealed) {
        Image::open(bytes)?;
    }
    let nodes = spec.host_nodes();
    let graph = Graph::new(Format::F32, spec.model.input, &nodes);
    let planned = Box::new(plan::<MAX_NODES>(&graph, None)?);
    let mut parameters = Parameters::new();
    let mut known = Vec::new();
    for (layer, (node, step)) in graph.nodes.iter().zip(planned.view().steps).enumerate() {
        for (kind, expected) in needed(&node.op, step) {
            let name = Name { node: layer as u8, kind }.to_string();
            let given = spec.model.names.get(layer).filter(|name| !name.is_empty());
            let own = given.map(|given| name.replacen(&layer.to_string(), given, 1));
            let found = own.as_deref().and_then(|own| Some((own, file.tensor(own).ok()?)));
            let found = found.or_else(|| Some((name.as_str(), file.tensor(&name).ok()?)));
            let operation = node.op.name();
            let Some((used, view)) = found else {
                let name = own.unwrap_or(name);
                return Err(ShapeError::Missing { name, layer, operation, expected }.into());
            };
            let dims: Vec<u32> = view.shape().iter().map(|&dim| u32::try_from(dim).unwrap_or(u32::MAX)).collect();
            if dims != expected {
                return Err(ShapeError::Shape { name: used.into(), layer, operation, expected, found: dims }.into());
            }
            parameters.set(layer as u8, kind, numbers(used, &view)?);
            known.push(used.to_string());
        }
    }
    known.push(Name { node: MODEL, kind: Kind::Normalisation }.to_string());
    let mut names = file.names();
    names.sort_unstable();
    if let Some(name) = names.into_iter().find(|name| !known.iter().any(|known| known == name) && !passed(name)) {
        return Err(ImportError::Unused { name: name.to_string(), known: known.join(", ") });
    }
    Ok(Imported { parameters, standardise: standardise(&file, spec)? })
}

/// Tensors that only a sealed file has. Either will do: damage to the name of one must not make the file a plain one.
fn sealed(name: &str) -> bool {
    matches!(name, "~toc" | "~seal")
}

/// Tensors that have no part in a model of real numbers, ours and PyTorch's.
fn passed(name: &str) -> bool {
    let pad = name.strip_prefix("~pad").is_some_and(|number| number.parse::<u32>().is_ok());
    let frame = pad || sealed(name) || name.ends_with("num_batches_tracked");
    let global = |kind: &Kind| kind.is_global() && *kind != Kind::Normalisation;
    let states = [Kind::WeightState0, Kind::WeightState1, Kind::BiasState0, Kind::BiasState1];
    let is_state = |kind| (0..MODEL).any(|node| Name { node, kind }.to_string() == name);
    let named = |kind| Name { node: MODEL, kind }.to_string() == name;
    frame || Kind::ALL.into_iter().filter(global).any(named) || states.into_iter().any(is_state)
}

/// The normalisation, which must be of the model's input.
fn standardise(file: &SafeTensors<'_>, spec: &Spec) -> Result<Option<Standardise>, ImportError> {
    let name = Name { node: MODEL, kind: Kind::Normalisation }.to_string();
    let Ok(view) = file.tensor(&name) else { return Ok(None) };
    let channels = usize::from(spec.model.input.planes().0);
    let wrong = || ImportError::Normalisation { expected: channels, found: view.shape().to_vec() };
    let rows = match *view.shape() {
        [rows @ (2 | 5), found] if found == channels => rows,
        _ => return Err(wrong()),
    };
    // What fills and limits may be anything: not being finite says that there is none.
    let numbers = any_numbers(&name, &view)?;
    finite(&name, numbers.get(..2 * channels).unwrap_or_default())?;
    from_normalisation(&numbers, rows).map(Some).ok_or_else(wrong)
}

fn numbers(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, ImportError> {
    let numbers = any_numbers(name, view)?;
    finite(name, &numbers)?;
    Ok(numbers)
}

fn any_numbers(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, ImportError> {
    let bytes = view.data();
    Ok(match view.dtype() {
        Dtype::F32 => bytes.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
        Dtype::F64 => bytes.as_chunks::<8>().0.iter().map(|&bytes| f64::from_le_bytes(bytes) as f32).collect(),
        other => return Err(ImportError::Type { name: name.into(), found: format!("{other:?}") }),
    })
}

fn finite(name: &str, numbers: &[f32]) -> Result<(), ImportError> {
    match numbers.iter().position(|number| !number.is_finite()) {
        None => Ok(()),
        Some(index) => {
            let value = numbers.get(index).copied().unwrap_or_default();
            Err(ImportError::NotFinite { name: name.into(), index, value })
        }
    }
}
