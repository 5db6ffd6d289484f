//! A model's parameters as a state dict of PyTorch: the names and shapes that `load_state_dict` takes.

use emberlite::graph::{Graph, write_graph};
use emberlite::image::{Kind, MODEL, Name};
use emberlite::number::Format;
use serde_json::{Value, json};

use super::normalisation::normalisation;
use super::{ExportError, ShapeError, Trained, constants};
use crate::Parameters;
use crate::layout::{infer, pieces};
use crate::spec::Spec;

/// One tensor of a state dict.
#[derive(Clone, Debug, PartialEq)]
pub struct StateTensor {
    /// `MODULE.weight` and the like; the module is the layer's name in `model.toml`, or its index.
    pub name: String,
    /// Its shape.
    pub dims: Vec<usize>,
    /// Its numbers, row-major.
    pub values: Vec<f32>,
}

/// The parameters of the written layers, as PyTorch's modules have them: those that are packed here are apart there.
///
/// # Errors
/// [`ExportError`] if a tensor is missing or has another length.
pub fn state_dict(spec: &Spec, parameters: &Parameters) -> Result<Vec<StateTensor>, ExportError> {
    let graph = Graph::new(Format::F32, spec.model.input, &spec.model.nodes);
    let mut tensors = Vec::new();
    for (layer, (node, inferred)) in graph.nodes.iter().zip(infer(&graph)?).enumerate() {
        let module = match spec.model.names.get(layer).map(String::as_str) {
            None | Some("") => layer.to_string(),
            Some(name) => name.to_string(),
        };
        let pieces = pieces(&node.op, inferred.input, &inferred.facts);
        for kind in [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance] {
            let of_kind: Vec<_> = pieces.iter().filter(|piece| piece.kind == kind).collect();
            let (needed, operation) = (of_kind.iter().map(|piece| piece.len()).sum::<usize>(), node.op.name());
            if needed == 0 {
                continue;
            }
            let (name, expected) = (Name { node: layer as u8, kind }.to_string(), vec![needed as u32]);
            let Some(values) = parameters.get(layer as u8, kind) else {
                return Err(ShapeError::Missing { name, layer, operation, expected }.into());
            };
            if values.len() != needed {
                let found = vec![values.len() as u32];
                return Err(ShapeError::Shape { name, layer, operation, expected, found }.into());
            }
            let mut rest = values;
            for piece in of_kind {
                let (own, after) = rest.split_at(piece.len());
                let name = format!("{module}.{}", piece.name);
                tensors.push(StateTensor { name, dims: piece.dims.clone(), values: own.to_vec() });
                rest = after;
            }
        }
    }
    Ok(tensors)
}

/// The same as a safetensors file that this program reads again: its metadata have the graph, the model's name and the
/// classes. With normalisation constants a tensor `~normalisation` as a sealed one has is in it too, which PyTorch's module
/// doesn't have.
///
/// # Errors
/// As [`state_dict`].
pub fn state_file(spec: &Spec, trained: &Trained<'_>) -> Result<Vec<u8>, ExportError> {
    let mut tensors = state_dict(spec, trained.parameters)?;
    if let Some(standardise) = trained.standardise {
        let values = normalisation(standardise);
        let name = Name { node: MODEL, kind: Kind::Normalisation }.to_string();
        let channels = standardise.mean.len();
        tensors.push(StateTensor { name, dims: vec![values.len() / channels.max(1), channels], values });
    }
    Ok(with_metadata(spec, trained, &tensors, &[]))
}

/// The same for PyTorch: what `safetensors.torch.load_file` gives to `load_state_dict`, no tensor more. Normalisation
/// constants are in the metadata, under `normalisation`: JSON, `{"mean": […], "std": […]}`.
///
/// # Errors
/// As [`state_dict`].
pub fn pytorch_file(spec: &Spec, trained: &Trained<'_>) -> Result<Vec<u8>, ExportError> {
    let tensors = state_dict(spec, trained.parameters)?;
    let constants = trained.standardise.map(constants::to_text);
    let further: Vec<(&str, &str)> = constants.iter().map(|text| (constants::KEY, text.as_str())).collect();
    Ok(with_metadata(spec, trained, &tensors, &further))
}

fn with_metadata(spec: &Spec, trained: &Trained<'_>, tensors: &[StateTensor], further: &[(&str, &str)]) -> Vec<u8> {
    let mut graph = String::new();
    // Writing to a text has no errors.
    let _ = write_graph(&Graph::new(Format::F32, spec.model.input, &spec.model.nodes), &mut graph);
    let classes = serde_json::to_string(trained.classes).unwrap_or_default();
    let inputs = serde_json::to_string(&trained.encoder).unwrap_or_default();
    // `format` is what PyTorch's own loader asks for.
    let mut metadata = vec![("format", "pt"), ("graph", graph.as_str()), ("name", &spec.name)];
    if !trained.classes.is_empty() {
        metadata.push(("classes", &classes));
    }
    if trained.encoder.is_some_and(|encoder| encoder.has_categories()) {
        metadata.push(("inputs", &inputs));
    }
    metadata.extend(further);
    safetensors(tensors, &metadata)
}

/// The bytes of a safetensors file. By hand, since the library writes metadata in an order that changes from run to run, and
/// the same weights are to be the same file.
fn safetensors(tensors: &[StateTensor], metadata: &[(&str, &str)]) -> Vec<u8> {
    // A map of this library is sorted by key.
    let mut header = serde_json::Map::new();
    let texts: serde_json::Map<String, Value> =
        metadata.iter().map(|(key, text)| (key.to_string(), Value::from(*text))).collect();
    header.insert("__metadata__".into(), texts.into());
    let mut end = 0;
    for tensor in tensors {
        let start = end;
        end += tensor.values.len() * 4;
        let entry = json!({ "dtype": "F32", "shape": tensor.dims, "data_offsets": [start, end] });
        header.insert(tensor.name.clone(), entry);
    }
    let mut header = Value::from(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(tensors.iter().flat_map(|tensor| &tensor.values).flat_map(|value| value.to_le_bytes()));
    file
}
