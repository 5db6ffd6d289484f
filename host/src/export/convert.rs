//! The same model in another profile of the file.

use emberlite::graph::parse_graph;
use emberlite::image::{Entry, Header, Image, ImageError, Kind, Profile};
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::collections::HashMap;
use thiserror::Error;

use super::encode::to_bytes;
use super::{Bytes, NormalisationError, constants, metadata};

/// Why a file can't be converted.
#[derive(Debug, Error)]
pub enum ConvertError {
    /// It isn't a whole, sealed file.
    #[error("{0}")]
    Image(#[from] ImageError),
    /// Its graph is missing or newer than this program.
    #[error("its graph can't be read: {0}")]
    Graph(String),
    /// Its normalisation makes no sense.
    #[error(transparent)]
    Normalisation(#[from] NormalisationError),
    /// The plain file can't be made.
    #[error("the file can't be made: {0}")]
    Plain(String),
}

/// Rewrites a sealed file for another reader: every tensor, counter and seed stays as it is, bit for bit, and is sealed
/// anew. The raw profile has no metadata, so names of classes go with it; `further` replaces what is missing on the way
/// back.
///
/// # Errors
/// [`ConvertError`].
pub fn convert(bytes: &Bytes, profile: Profile, further: &[(&str, &str)]) -> Result<Bytes, ConvertError> {
    let image = Image::open(bytes.as_slice())?;
    let text = image.graph_text().ok_or_else(|| ConvertError::Graph("there is none".into()))?;
    let buffer = parse_graph(text).map_err(|error| ConvertError::Graph(error.to_string()))?;
    let own = metadata(&image);
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    if profile == Profile::Safetensors {
        let own = own.iter().map(|(key, text)| (key.as_str(), text.as_str()));
        for (key, text) in own.chain(further.iter().copied()) {
            if !matches!(key, "graph" | "emberlite") && !pairs.iter().any(|(other, _)| *other == key) {
                pairs.push((key, text));
            }
        }
        // As `encode` orders them.
        pairs.sort_unstable();
    }
    let header = Header {
        graph: buffer.graph(),
        base_hash: image.base_hash(),
        sequence: image.sequence(),
        step: image.step(),
        seed: image.seed(),
        optimizer: image.optimizer(),
        metadata: &pairs,
        profile,
    };
    let tensors: Vec<_> = image.tensors().filter(|(name, _)| name.kind != Kind::Graph).collect();
    let entries = tensors.iter().map(|(name, tensor)| Entry {
        node: name.node,
        kind: name.kind,
        dtype: tensor.dtype,
        dims: tensor.dims(),
        frac: tensor.frac,
        bytes: tensor.bytes,
    });
    Ok(to_bytes(header, &entries.collect::<Vec<_>>())?)
}

/// The weights alone, under PyTorch's names, as a plain safetensors file without a seal; fixed-point numbers become real
/// ones. What a device normalises readings with is in the metadata, under `normalisation`: `{"mean": […], "std": […]}`.
///
/// # Errors
/// [`ConvertError`].
pub fn plain(bytes: &Bytes) -> Result<Vec<u8>, ConvertError> {
    let image = Image::open(bytes.as_slice())?;
    let parameters = super::parameters(&image);
    let mut tensors = Vec::new();
    for (name, tensor) in image.tensors() {
        if let Some(values) = parameters.get(name.node, name.kind) {
            let dims: Vec<usize> = tensor.dims().iter().map(|&dim| dim as usize).collect();
            tensors.push((name.to_string(), dims, bytemuck::cast_slice::<f32, u8>(values).to_vec()));
        }
    }
    let failed = |error: safetensors::SafeTensorError| ConvertError::Plain(error.to_string());
    let views = tensors.iter().map(|(name, dims, bytes)| {
        Ok((name.as_str(), TensorView::new(Dtype::F32, dims.clone(), bytes).map_err(failed)?))
    });
    let views = views.collect::<Result<Vec<_>, ConvertError>>()?;
    // `format` is what PyTorch's own loader asks for.
    let mut metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    if let Some(standardise) = super::standardise(&image)? {
        metadata.insert(constants::KEY.into(), constants::to_text(&standardise));
    }
    serialize(views, Some(metadata)).map_err(failed)
}
