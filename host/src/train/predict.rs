//! What a model says of samples.

use super::device::{self, DeviceChoice};
use super::error::TrainError;
use crate::Parameters;
use crate::lower::{Lowered, Mode, Tensors, download};
use burn_tensor::{Tensor, TensorData};
use emberlite::graph::Graph;

/// Samples that are predicted at once.
const BATCH: usize = 64;

/// The outputs `[samples, outputs]` of a model for samples `[samples, inputs]`, both row-major; batch norm with its running
/// statistics, no dropout.
///
/// # Errors
/// [`TrainError`] if the graph doesn't fit together, parameters are missing, `inputs` aren't whole samples, or the device fails.
///
/// ```
/// use emberlite::{graph::{Graph, Shape, linear}, image::Kind, number::Format};
/// use emberlite_host::{Parameters, train::{DeviceChoice, predict}};
///
/// let nodes = [linear(1)];
/// let graph = Graph::new(Format::F32, Shape::d1(2), &nodes);
/// let mut parameters = Parameters::new();
/// parameters.set(0, Kind::Weight, vec![2.0, -1.0]);
/// parameters.set(0, Kind::Bias, vec![0.5]);
/// let outputs = predict(graph, &parameters, &[1.0, 1.0, 3.0, 0.0], DeviceChoice::Cpu)?;
/// assert_eq!(outputs, [1.5, 6.5]);
/// # Ok::<(), emberlite_host::train::TrainError>(())
/// ```
pub fn predict(
    graph: Graph<'_>,
    parameters: &Parameters,
    inputs: &[f32],
    device: DeviceChoice,
) -> Result<Vec<f32>, TrainError> {
    let lowered = Lowered::new(graph)?;
    let size = graph.input.elements() as usize;
    if !inputs.len().is_multiple_of(size) {
        return Err(TrainError::Data {
            what: "the inputs",
            expected: format!("whole samples of {size} numbers"),
            found: format!("{} numbers", inputs.len()),
            help: "give one sample after the other",
        });
    }
    let device = device::open(device)?.device;
    let tensors = Tensors::upload(&lowered, parameters, &device)?.constant();
    let mut outputs = Vec::new();
    for samples in inputs.chunks(BATCH * size) {
        let x = Tensor::<2>::from_data(TensorData::new(samples.to_vec(), [samples.len() / size, size]), &device);
        let (y, _) = lowered.forward(&tensors, x, Mode::Predict);
        let failed = |e| TrainError::Execution { epoch: 0, reason: format!("{e:?}") };
        outputs.extend(download(y.flatten(0, 1)).map_err(failed)?);
    }
    Ok(outputs)
}
