//! `layer_norm` and `batch_norm`.

use super::value::Elementwise;
use super::{NodeTensors, Value};
use burn_tensor::{Tensor, module};
use emberlite::graph::Shape;
use emberlite::op::{BatchNorm, LayerNorm};

/// What a training step makes of a batch norm's running statistics.
#[derive(Debug)]
pub(crate) struct Statistics {
    /// The node.
    pub node: u8,
    /// The new running mean `[channels]`.
    pub mean: Tensor<1>,
    /// The new running variance `[channels]`.
    pub variance: Tensor<1>,
}

/// Normalises each whole sample; weight and bias have the sample's shape.
pub(super) fn layer(a: &LayerNorm, x: Value, shape: Shape, parameters: &NodeTensors) -> Value {
    let y = module::layer_norm(x.flat(), parameters.weight(), parameters.bias.clone(), a.epsilon.into());
    Value::shaped(y, shape)
}

/// Batch norm with the running statistics.
pub(super) fn predict(a: &BatchNorm, x: Value, parameters: &NodeTensors) -> Value {
    x.map(&Predict(a, parameters))
}

struct Predict<'a>(&'a BatchNorm, &'a NodeTensors);

impl Elementwise for Predict<'_> {
    fn of<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let p = self.1;
        module::batch_norm(x, p.weight(), p.bias(), p.mean(), p.variance(), self.0.epsilon.into())
    }
}

/// Batch norm with the statistics of the batch over samples and positions, and the running ones moved towards them:
/// `running = (1 - momentum) running + momentum batch`, with the unbiased variance, as PyTorch does.
///
/// The core normalises each sample by itself, which is the same for a batch of one.
pub(super) fn train(a: &BatchNorm, x: Value, node: u8, parameters: &NodeTensors) -> (Value, Statistics) {
    match x {
        Value::Vector(x) => {
            let (y, statistics) = train_rank(a, x, node, parameters);
            (Value::Vector(y), statistics)
        }
        Value::Sequence(x) => {
            let (y, statistics) = train_rank(a, x, node, parameters);
            (Value::Sequence(y), statistics)
        }
        Value::Image(x) => {
            let (y, statistics) = train_rank(a, x, node, parameters);
            (Value::Image(y), statistics)
        }
    }
}

fn train_rank<const D: usize>(a: &BatchNorm, x: Tensor<D>, node: u8, p: &NodeTensors) -> (Tensor<D>, Statistics) {
    let dims = x.dims();
    let values = (dims.iter().product::<usize>() / dims[1].max(1)) as f32;
    let unbiased = if values > 1.0 { values / (values - 1.0) } else { 1.0 };
    let out = module::batch_norm_train(x, p.weight(), p.bias(), a.epsilon.into());
    let moved = |running: Tensor<1>, batch: Tensor<1>| {
        running.mul_scalar(1.0 - a.momentum) + batch.without_autodiff().mul_scalar(a.momentum)
    };
    let statistics = Statistics {
        node,
        mean: moved(p.mean(), out.mean),
        variance: moved(p.variance(), out.variance.mul_scalar(unbiased)),
    };
    (out.output, statistics)
}
