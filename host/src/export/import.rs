//! From a state dict, PyTorch's or Hugging Face's, to parameters.
//!
//! Two kinds of file: safetensors, and what `torch.save` writes (`.pth`, `.pt`). Tensors are found by name: the layer's
//! name in `model.toml`, or what `[import]` says for it, or its index as in a `Sequential`; where no layer is found
//! so, by their order and shapes ([`order`]). Nothing is guessed beyond that, and nothing left over.

mod dict;
mod fuse;
mod order;

use std::path::Path;

use emberlite::graph::Graph;
use emberlite::image::{Image, ImageError, Kind, MODEL, Name};
use emberlite::number::Format;
use emberlite::plan::PlanError;
use safetensors::tensor::SafeTensors;
use thiserror::Error;

use super::normalisation::{self, NormalisationError};
use super::tensors::ShapeError;
use super::{Bytes, FileError, constants};
use crate::Parameters;
use crate::data::Standardise;
use crate::layout::{Piece, infer, pieces};
use crate::spec::Spec;
use dict::Dict;

/// Why a file can't be imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It isn't safetensors.
    #[error("not a safetensors file: {0}; save one with safetensors.torch.save_file(model.state_dict(), …)")]
    Format(String),
    /// It is something else altogether.
    #[error(
        "neither safetensors nor a file of PyTorch, but {0}; save one with safetensors.torch.save_file(model.state_dict(), …) or \
         torch.save(model.state_dict(), …)"
    )]
    Foreign(String),
    /// It isn't what `torch.save` writes.
    #[error("not a file of PyTorch: {0}; save one with torch.save(model.state_dict(), …)")]
    PyTorch(String),
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
    /// The normalisation has numbers that make no sense.
    #[error(transparent)]
    Constant(#[from] NormalisationError),
    /// The constants in the metadata aren't the model's.
    #[error(
        "metadata `normalisation`: expected {{\"mean\": […], \"std\": […]}} with {channels} numbers each, one a channel of the \
         model's input, every `std` above 0, and in a `repair` no `low` above its `high`; mend it, or take it out"
    )]
    Constants {
        /// Channels of the model's input.
        channels: usize,
    },
    /// The file is empty.
    #[error("the file is empty; save it again, or fetch it again")]
    Empty,
    /// The model can't be planned.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// The numbers of a tensor are of another type.
    #[error("tensor `{name}`: expected F32, F64, F16 or BF16, found {found}; convert it with .float()")]
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
    /// A number is one in f64, and f32 doesn't hold it.
    #[error(
        "tensor `{name}`: element {index} is {value:e}, beyond what f32 holds (3.4e38); train again with a smaller rate"
    )]
    Beyond {
        /// The tensor.
        name: String,
        /// The element.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// The file has tensors that no layer takes.
    #[error("nothing takes tensor `{name}`; the model takes: {known}; take it out, or rename it to the one that it is")]
    Unused {
        /// The tensor.
        name: String,
        /// The names that the model takes.
        known: String,
    },
    /// No layer is found by name, and in their order and by their shapes layers and modules don't go together.
    #[error(
        "no layer is found by its name, and by order and shape layers and modules don't go together: {0}; name the layers as \
         the file does, or say which module a layer is in `[import]`"
    )]
    Order(String),
}

/// A model read from a plain file.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The parameters of the model as it is written, in real numbers.
    pub parameters: Parameters,
    /// Normalisation constants, if the file has `~normalisation`, f32 `[2, channels]`, or `normalisation` in its metadata.
    pub standardise: Option<Standardise>,
}

/// A layer that has parameters.
struct Wanted<'a> {
    layer: usize,
    operation: &'static str,
    /// Its name in the description, or empty.
    given: &'a str,
    /// Its module's name in the file, where the description says one.
    module: Option<&'a str>,
    pieces: Vec<Piece>,
}

impl Wanted<'_> {
    /// The module's names to look for, best first.
    fn modules(&self) -> Vec<String> {
        match self.module {
            Some(module) => vec![module.into()],
            None if self.given.is_empty() => vec![self.layer.to_string()],
            None => vec![self.given.into(), self.layer.to_string()],
        }
    }

    fn shown(&self) -> String {
        if self.given.is_empty() { self.layer.to_string() } else { format!("{} {}", self.layer, self.given) }
    }
}

/// Reads the parameters of the model of `spec` from a file: safetensors, or what `torch.save` wrote, by its first bytes.
///
/// # Errors
/// As [`import`].
pub fn import_file(path: &Path, spec: &Spec) -> Result<Imported, ImportError> {
    let bytes = Bytes::read(path)?;
    // A ZIP archive, a pickle, or a TAR archive; a safetensors file begins with the length of its header.
    let first = bytes.as_slice();
    let pytorch = first.starts_with(b"PK\x03\x04") || (first.starts_with(&[0x80]) && first.get(8) != Some(&b'{'));
    if pytorch || first.get(257..262) == Some(b"ustar") {
        return assign(Dict::of_pytorch(path)?, spec);
    }
    import(first, spec)
}

/// Reads parameters for the model of `spec` from a safetensors file: tensors `0.weight`, `0.bias`, … where the number is the
/// layer's index, as in a PyTorch `Sequential` with the same layers, or the layer's name in `model.toml`, or what its
/// `[import]` says; where no layer is found so, modules in the order of their names, by their shapes. Prefixes that every
/// name has (`module.`, `_orig_mod.`, `model.`, `net.`) are taken off. Attention may have query, key and value apart, as
/// Hugging Face's models do.
///
/// Every tensor must have its layer's shape exactly, and no other may be there: a misspelt `~normalisation` that is silently
/// left out costs a model its accuracy. Passed over are what PyTorch counts and derives (`num_batches_tracked`, `pe`,
/// `position_ids`), and what only a sealed file of ours has besides parameters: graph, table and seal, scales,
/// self-check, optimizer state. A sealed file must be whole: what is made of it gets a seal of its own, which would vouch
/// for the damage.
///
/// # Errors
/// [`ImportError`] naming the tensor, what was expected and what was found; never a panic, whatever the bytes.
pub fn import(bytes: &[u8], spec: &Spec) -> Result<Imported, ImportError> {
    if bytes.is_empty() {
        return Err(ImportError::Empty);
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| match foreign(bytes) {
        Some(what) => ImportError::Foreign(what),
        None => ImportError::Format(error.to_string()),
    })?;
    if file.names().into_iter().any(sealed) {
        Image::open(bytes)?;
    }
    let mut imported = assign(Dict::of_safetensors(&file), spec)?;
    if imported.standardise.is_none() {
        imported.standardise = constants_of(bytes, spec)?;
    }
    Ok(imported)
}

/// What a file is that has nothing of safetensors, if that can be told.
fn foreign(bytes: &[u8]) -> Option<String> {
    if bytes.starts_with(b"\x93NUMPY") {
        return Some("an array of NumPy".into());
    }
    // A character may be cut at the end of what is looked at.
    let start = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    let text = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => std::str::from_utf8(start.get(..error.valid_up_to())?).ok()?,
        Err(_) => return None,
    };
    if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
        return None;
    }
    if text.starts_with("version https://git-lfs.") {
        return Some("the pointer that Git LFS has in place of the file (`git lfs pull` fetches it)".into());
    }
    let line: String = text.trim_start().lines().next().unwrap_or_default().chars().take(40).collect();
    Some(format!("a text that begins with `{line}`"))
}

/// Bytes in which a text shows.
const LOOKED_AT: usize = 512;

/// The constants that a plain file has in its metadata.
fn constants_of(bytes: &[u8], spec: &Spec) -> Result<Option<Standardise>, ImportError> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| ImportError::Format(error.to_string()))?;
    let Some(text) = header.metadata().as_ref().and_then(|texts| texts.get(constants::KEY)) else { return Ok(None) };
    let channels = usize::from(spec.model.input.planes().0);
    constants::from_text(text, channels).map(Some).ok_or(ImportError::Constants { channels })
}

fn assign(dict: Dict<'_>, spec: &Spec) -> Result<Imported, ImportError> {
    let dict = dict.unwrapped();
    let graph = Graph::new(Format::F32, spec.model.input, &spec.model.nodes);
    let layers = infer(&graph)?;
    let mut wanted = Vec::new();
    for (layer, (node, inferred)) in graph.nodes.iter().zip(&layers).enumerate() {
        let pieces = pieces(&node.op, inferred.input, &inferred.facts);
        if !pieces.is_empty() {
            let given = spec.model.names.get(layer).map_or("", String::as_str);
            let module = spec.import_module(layer);
            wanted.push(Wanted { layer, operation: node.op.name(), given, module, pieces });
        }
    }
    let has_attention = wanted.iter().any(|layer| layer.pieces.iter().any(|piece| piece.name == "in_proj_weight"));
    let dict = if has_attention { fuse::attention(dict) } else { dict };
    let by_name = by_name(&wanted, &dict);
    let names = if by_name.iter().flatten().any(|(_, there)| *there) || wanted.iter().any(|w| w.module.is_some()) {
        by_name.into_iter().map(|layer| layer.into_iter().map(|(name, _)| name).collect()).collect()
    } else {
        order::match_in_order(&wanted, &dict, passed_or_ours).map_err(ImportError::Order)?
    };
    let mut parameters = Parameters::new();
    let mut known = Vec::new();
    for (layer, names) in wanted.iter().zip(names) {
        for (piece, name) in layer.pieces.iter().zip(names) {
            let expected: Vec<u32> = piece.dims.iter().map(|&dim| dim as u32).collect();
            let (layer, operation) = (layer.layer, layer.operation);
            let Some(entry) = dict.tensors.get(&name) else {
                return Err(ShapeError::Missing { name, layer, operation, expected }.into());
            };
            if !order::same(&entry.dims, &piece.dims) {
                let found = entry.dims.iter().map(|&dim| u32::try_from(dim).unwrap_or(u32::MAX)).collect();
                return Err(ShapeError::Shape { name, layer, operation, expected, found }.into());
            }
            let mut values = entry.numbers(&name)?;
            let node = layer as u8;
            // Packed one after the other.
            if let Some(before) = parameters.get(node, piece.kind) {
                values.splice(0..0, before.iter().copied());
            }
            parameters.set(node, piece.kind, values);
            known.push(name);
        }
    }
    known.push(Name { node: MODEL, kind: Kind::Normalisation }.to_string());
    if let Some(name) = dict.tensors.keys().find(|name| !known.contains(name) && !passed(name)) {
        return Err(ImportError::Unused { name: name.clone(), known: known.join(", ") });
    }
    Ok(Imported { parameters, standardise: standardise(&dict, spec)? })
}

/// For each piece the name under which it is in the file, or should be, and whether it is there.
fn by_name(wanted: &[Wanted<'_>], dict: &Dict<'_>) -> Vec<Vec<(String, bool)>> {
    let piece = |layer: &Wanted<'_>, piece: &Piece| {
        let modules = layer.modules();
        // A parameter that isn't a module's, such as positions, has the module's name alone.
        let names = |module: &String| [format!("{module}.{}", piece.name), module.clone()];
        let all: Vec<String> = modules.iter().flat_map(names).collect();
        match all.iter().find(|name| dict.tensors.contains_key(*name)) {
            Some(name) => (name.clone(), true),
            None => (all.into_iter().next().unwrap_or_default(), false),
        }
    };
    wanted.iter().map(|layer| layer.pieces.iter().map(|p| piece(layer, p)).collect()).collect()
}

/// Tensors that only a sealed file has. Either will do: damage to the name of one must not make the file a plain one.
fn sealed(name: &str) -> bool {
    matches!(name, "~toc" | "~seal")
}

fn passed_or_ours(name: &str) -> bool {
    passed(name) || name == Name { node: MODEL, kind: Kind::Normalisation }.to_string()
}

/// Tensors that have no part in a model of real numbers, ours and PyTorch's.
fn passed(name: &str) -> bool {
    let pad = name.strip_prefix("~pad").is_some_and(|number| number.parse::<u32>().is_ok());
    let last = name.rsplit('.').next().unwrap_or_default();
    // Counters and tables that PyTorch keeps beside parameters.
    let derived = matches!(last, "num_batches_tracked" | "position_ids" | "pe");
    let frame = pad || sealed(name) || derived;
    let global = |kind: &Kind| kind.is_global() && *kind != Kind::Normalisation;
    let states = [Kind::WeightState0, Kind::WeightState1, Kind::BiasState0, Kind::BiasState1];
    let is_state = |kind| (0..MODEL).any(|node| Name { node, kind }.to_string() == name);
    let named = |kind| Name { node: MODEL, kind }.to_string() == name;
    frame || Kind::ALL.into_iter().filter(global).any(named) || states.into_iter().any(is_state)
}

/// The normalisation, which must be of the model's input.
fn standardise(dict: &Dict<'_>, spec: &Spec) -> Result<Option<Standardise>, ImportError> {
    let name = Name { node: MODEL, kind: Kind::Normalisation }.to_string();
    let Some(entry) = dict.tensors.get(&name) else { return Ok(None) };
    let channels = usize::from(spec.model.input.planes().0);
    let rows = match entry.dims[..] {
        [rows @ (2 | 5), found] if found == channels => rows,
        _ => return Err(ImportError::Normalisation { expected: channels, found: entry.dims.clone() }),
    };
    Ok(Some(normalisation::from_numbers(&entry.any_numbers(&name)?, rows)?))
}
