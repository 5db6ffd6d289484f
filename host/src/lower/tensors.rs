//! A model's parameters on a device.

use super::{Lowered, Precision, Slot, Statistics};
use crate::Parameters;
use burn_tensor::{Device, ExecutionError, Tensor, TensorData};
use emberlite::graph::Update;
use emberlite::image::{Kind, Name};

/// The parameters of one node, flat, in PyTorch's row-major order; those that it hasn't are `None`.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeTensors {
    /// As [`Kind::Weight`].
    pub weight: Option<Tensor<1>>,
    /// As [`Kind::Bias`].
    pub bias: Option<Tensor<1>>,
    /// As [`Kind::RunningMean`].
    pub mean: Option<Tensor<1>>,
    /// As [`Kind::RunningVariance`].
    pub variance: Option<Tensor<1>>,
}

/// Why parameters don't fit a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// A tensor that the model needs isn't there.
    #[error("the parameters have no tensor {name}; were they made for another model?")]
    Missing {
        /// Its name in a file.
        name: String,
    },
    /// A tensor has another number of elements.
    #[error("tensor {name} has {found} elements, the model needs {expected}; were they made for another model?")]
    Length {
        /// Its name in a file.
        name: String,
        /// Elements that the model needs.
        expected: usize,
        /// Elements there.
        found: usize,
    },
    /// A tensor holds NaN or an infinite number.
    #[error("tensor {name} holds a number that is not finite")]
    NotFinite {
        /// Its name in a file.
        name: String,
    },
}

/// Every parameter of a model, one entry a node. A clone shares the memory.
#[derive(Clone, Debug)]
pub(crate) struct Tensors {
    /// One a node, in order.
    pub nodes: Vec<NodeTensors>,
}

impl NodeTensors {
    fn get(&self, kind: Kind) -> &Option<Tensor<1>> {
        match kind {
            Kind::Bias => &self.bias,
            Kind::RunningMean => &self.mean,
            Kind::RunningVariance => &self.variance,
            _ => &self.weight,
        }
    }
    fn get_mut(&mut self, kind: Kind) -> &mut Option<Tensor<1>> {
        match kind {
            Kind::Bias => &mut self.bias,
            Kind::RunningMean => &mut self.mean,
            Kind::RunningVariance => &mut self.variance,
            _ => &mut self.weight,
        }
    }

    /// Weight and bias as operands of products.
    pub(super) fn operands(&self, precision: Precision) -> NodeTensors {
        let cast = |tensor: &Option<Tensor<1>>| tensor.clone().map(|tensor| precision.of(tensor));
        NodeTensors { weight: cast(&self.weight), bias: cast(&self.bias), ..NodeTensors::default() }
    }

    // `Tensors::upload` has made every tensor that the planner names, so these find it.
    pub(super) fn weight(&self) -> Tensor<1> {
        present(&self.weight)
    }
    pub(super) fn bias(&self) -> Tensor<1> {
        present(&self.bias)
    }
    pub(super) fn mean(&self) -> Tensor<1> {
        present(&self.mean)
    }
    pub(super) fn variance(&self) -> Tensor<1> {
        present(&self.variance)
    }
}

fn present(tensor: &Option<Tensor<1>>) -> Tensor<1> {
    tensor.clone().expect("every tensor of the plan was uploaded")
}

impl Tensors {
    /// Copies parameters to a device; those that learning may change record gradients.
    ///
    /// # Errors
    /// [`ParameterError`] if a tensor is missing, has another length or isn't finite.
    pub fn upload(lowered: &Lowered<'_>, parameters: &Parameters, device: &Device) -> Result<Self, ParameterError> {
        let device = device.clone().without_autodiff();
        let mut nodes = vec![NodeTensors::default(); lowered.graph().nodes.len()];
        for &Slot { node, kind, len, trained } in lowered.slots() {
            let name = || Name { node, kind }.to_string();
            let values = parameters.get(node, kind).ok_or_else(|| ParameterError::Missing { name: name() })?;
            if values.len() != len {
                return Err(ParameterError::Length { name: name(), expected: len, found: values.len() });
            }
            if !values.iter().all(|v| v.is_finite()) {
                return Err(ParameterError::NotFinite { name: name() });
            }
            let tensor = upload(values.to_vec(), &device);
            *nodes[usize::from(node)].get_mut(kind) = Some(if trained { track(tensor) } else { tensor });
        }
        Ok(Tensors { nodes })
    }

    /// Reads everything back.
    ///
    /// # Errors
    /// The device's, if it failed to compute what is read.
    pub fn download(&self, lowered: &Lowered<'_>) -> Result<Parameters, ExecutionError> {
        let mut parameters = Parameters::new();
        for &Slot { node, kind, .. } in lowered.slots() {
            if let Some(tensor) = self.nodes[usize::from(node)].get(kind) {
                parameters.set(node, kind, download(tensor.clone())?);
            }
        }
        Ok(parameters)
    }

    /// The same without recording gradients, for predictions.
    pub fn constant(&self) -> Tensors {
        let plain = |t: &Option<Tensor<1>>| t.clone().map(Tensor::without_autodiff);
        let node = |n: &NodeTensors| NodeTensors {
            weight: plain(&n.weight),
            bias: plain(&n.bias),
            mean: plain(&n.mean),
            variance: plain(&n.variance),
        };
        Tensors { nodes: self.nodes.iter().map(node).collect() }
    }

    /// The tensor of a slot; it must be one of the model's.
    pub fn tensor(&self, slot: &Slot) -> Tensor<1> {
        present(self.nodes[usize::from(slot.node)].get(slot.kind))
    }

    /// Takes a slot's tensor out, so that an optimizer may work in its memory; put another in its place.
    pub fn take(&mut self, slot: &Slot) -> Tensor<1> {
        let place = self.nodes[usize::from(slot.node)].get_mut(slot.kind).take();
        place.expect("every tensor of the plan was uploaded")
    }

    /// Replaces the tensor of a trained slot; it records gradients again.
    pub fn replace(&mut self, slot: &Slot, tensor: Tensor<1>) {
        *self.nodes[usize::from(slot.node)].get_mut(slot.kind) = Some(track(tensor));
    }

    /// Takes over the running statistics of a training step.
    pub fn commit(&mut self, statistics: Vec<Statistics>) {
        for Statistics { node, mean, variance } in statistics {
            let node = &mut self.nodes[usize::from(node)];
            (node.mean, node.variance) = (Some(mean), Some(variance));
        }
    }
}

impl Tensors {
    /// The running statistics of trained nodes, in the order of the slots.
    pub fn running(&self, lowered: &Lowered<'_>) -> Vec<Tensor<1>> {
        running(lowered).map(|slot| self.tensor(slot).without_autodiff()).collect()
    }

    /// Replaces them.
    pub fn set_running(&mut self, lowered: &Lowered<'_>, tensors: Vec<Tensor<1>>) {
        for (slot, tensor) in running(lowered).zip(tensors) {
            *self.nodes[usize::from(slot.node)].get_mut(slot.kind) = Some(tensor);
        }
    }
}

fn running<'s>(lowered: &'s Lowered<'_>) -> impl Iterator<Item = &'s Slot> {
    let moves = |slot: &Slot| lowered.graph().nodes[usize::from(slot.node)].update != Update::Frozen;
    let kinds = [Kind::RunningMean, Kind::RunningVariance];
    lowered.slots().iter().filter(move |slot| kinds.contains(&slot.kind) && moves(slot))
}

fn track(tensor: Tensor<1>) -> Tensor<1> {
    tensor.autodiff().require_grad()
}

/// Numbers as a tensor.
pub(crate) fn upload(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let len = values.len();
    Tensor::from_data(TensorData::new(values, [len]), device)
}

/// A tensor's numbers.
pub(crate) fn download(tensor: Tensor<1>) -> Result<Vec<f32>, ExecutionError> {
    let data = tensor.without_autodiff().try_into_data()?;
    Ok(data.iter::<f32>().collect())
}
