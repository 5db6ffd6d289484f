//! From trained parameters to the sealed file.

use emberlite::executor::Everything;
use emberlite::graph::{Graph, MAX_NODES};
use emberlite::image::{Entry, Header, ImageError, Kind, MODEL, Profile, Sink, Writer};
use emberlite::learner::{Engine, LearnError, LoadError, Status};
use emberlite::number::{F32, Fixed16, Format};
use emberlite::plan::{Plan, PlanError, plan};
use std::convert::Infallible;
use thiserror::Error;

use super::normalisation::normalisation;
use super::tensors::{Owned, ShapeError, of_fixed, of_parameters};
use super::{Bytes, Device};
use crate::Parameters;
use crate::data::{Encoder, Standardise, random};
use crate::quantize::{Quantised, QuantizeError, normalisation_fixed};

/// A model to put into a file.
#[derive(Clone, Copy, Debug)]
pub struct Export<'a> {
    /// The device's graph with the parameters in its format.
    pub weights: Weights<'a>,
    /// What raw samples are normalised with; without it they go in as they are.
    pub standardise: Option<&'a Standardise>,
    /// A raw sample for the self-check at install; without it one is made up.
    pub golden: Option<&'a [f32]>,
    /// The model's name, for the metadata; empty for none.
    pub name: &'a str,
    /// The classes in the order of the outputs, for the metadata; empty for none.
    pub classes: &'a [String],
    /// How a row of a table becomes the model's inputs, for the metadata (`inputs`) where categories are encoded; none
    /// for other samples.
    pub encoder: Option<&'a Encoder>,
    /// Who is to read the file. The raw profile has no metadata.
    pub profile: Profile,
}

/// Parameters in the format of the device.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// f32.
    Real {
        /// The graph.
        graph: Graph<'a>,
        /// Its parameters.
        parameters: &'a Parameters,
    },
    /// fixed16.
    Fixed(&'a Quantised),
}

/// Why there is no file.
#[derive(Debug, Error)]
pub enum ExportError {
    /// The model can't be planned.
    #[error("{0}")]
    Plan(#[from] PlanError),
    /// The parameters aren't the model's.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// It can't be done in fixed point.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// The file can't be described.
    #[error("the file can't be made: {0}")]
    Image(#[from] ImageError),
    /// The device would refuse the file.
    #[error("the device would refuse the file: {0}")]
    Load(#[from] LoadError),
    /// The self-check can't be computed.
    #[error("the sample of the self-check: {0}")]
    Golden(#[from] LearnError),
    /// The sample of the self-check isn't one.
    #[error("the sample of the self-check: expected {needed} numbers that the device can read, found {got}")]
    Sample {
        /// Numbers of an input.
        needed: usize,
        /// What was given.
        got: String,
    },
}

/// Makes the file: parameters under PyTorch's names, scales, normalisation, graph, metadata, and one input with the output
/// that core's executor computes from this very file, for the device to check itself with.
///
/// # Errors
/// [`ExportError`]; a file that is returned loads on the device.
pub fn encode(export: &Export<'_>) -> Result<Bytes, ExportError> {
    match export.weights {
        Weights::Real { graph, parameters } => {
            let graph = Graph { format: Format::F32, ..graph };
            let plan = Box::new(plan::<MAX_NODES>(&graph, None)?);
            let mut tensors = of_parameters(&graph, &plan, parameters)?;
            if let Some(standardise) = export.standardise {
                let numbers = normalisation(standardise);
                let channels = standardise.channels().max(1);
                let dims = [(numbers.len() / channels) as u32, channels as u32];
                tensors.push(Owned::new(MODEL, Kind::Normalisation, &dims, &numbers));
            }
            finish::<F32>(export, graph, &plan, tensors)
        }
        Weights::Fixed(quantised) => {
            let graph = quantised.graph();
            let plan = Box::new(plan::<MAX_NODES>(&graph, None)?);
            let mut tensors = of_fixed(&graph, &plan, quantised)?;
            if let Some(standardise) = export.standardise {
                let numbers = normalisation_fixed(standardise, quantised.input_frac())?;
                let channels = standardise.channels().max(1);
                let dims = [(numbers.len() / channels) as u32, channels as u32];
                tensors.push(Owned::new(MODEL, Kind::NormalisationFixed, &dims, &numbers));
            }
            finish::<Fixed16>(export, graph, &plan, tensors)
        }
    }
}

/// Adds the self-check and writes.
fn finish<N: Device>(
    export: &Export<'_>,
    graph: Graph<'_>,
    plan: &Plan<MAX_NODES>,
    mut tensors: Vec<Owned>,
) -> Result<Bytes, ExportError> {
    let image = write(export, graph, &tensors)?;
    let mut arena = vec![0u32; plan.words()];
    let mut status = Status::EMPTY;
    let mut engine = Engine::<N, Everything>::new(graph, plan.view(), None, &mut arena, &mut status)?;
    engine.load(image.as_slice())?;
    let normalisation = engine.normalisation();
    let needed = plan.summary.inputs as usize;
    let input = match export.golden {
        Some(raw) if raw.len() != needed => {
            return Err(ExportError::Sample { needed, got: raw.len().to_string() });
        }
        Some(raw) => {
            let mut values = N::raw(raw, engine.input_frac(), normalisation.is_some())
                .map_err(|at| ExportError::Sample { needed, got: raw.get(at).map_or(String::new(), f32::to_string) })?;
            if let Some(normalisation) = &normalisation {
                N::normalise(normalisation, &mut values);
            }
            values
        }
        None => (0..needed as u64).map(|index| N::from_f32(made_up(index), engine.input_frac())).collect(),
    };
    let output = engine.predict(&input)?.to_vec();
    let dims: Vec<u32> = graph.input.dims().iter().map(|&dim| dim.into()).collect();
    tensors.push(Owned::new(MODEL, Kind::GoldenInput, &dims, &input));
    tensors.push(Owned::new(MODEL, Kind::GoldenOutput, &[output.len() as u32], &output));
    Ok(write(export, graph, &tensors)?)
}

/// A number in [-1, 1) for each index, the same in every file.
fn made_up(index: u64) -> f32 {
    (random::hash(1, index) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
}

fn write(export: &Export<'_>, graph: Graph<'_>, tensors: &[Owned]) -> Result<Bytes, ImageError> {
    let classes = serde_json::to_string(export.classes).unwrap_or_default();
    let inputs = serde_json::to_string(&export.encoder).unwrap_or_default();
    let mut metadata = Vec::new();
    if export.profile == Profile::Safetensors {
        // By key, as they come out of the file again.
        if !export.classes.is_empty() {
            metadata.push(("classes", classes.as_str()));
        }
        if export.encoder.is_some_and(|encoder| encoder.has_categories()) {
            metadata.push(("inputs", inputs.as_str()));
        }
        if !export.name.is_empty() {
            metadata.push(("name", export.name));
        }
    }
    let header = Header { metadata: &metadata, profile: export.profile, ..Header::new(graph) };
    to_bytes(header, &tensors.iter().map(Owned::entry).collect::<Vec<_>>())
}

/// Writes a file into memory.
pub(super) fn to_bytes(header: Header<'_>, entries: &[Entry<'_>]) -> Result<Bytes, ImageError> {
    let mut memory = Memory(Vec::new());
    match Writer::new(header, entries)?.write(&mut memory) {
        Ok(()) => Ok(Bytes::new(&memory.0)),
        Err(never) => match never {},
    }
}

struct Memory(Vec<u8>);

impl Sink for Memory {
    type Error = Infallible;
    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}
