//! `group_norm`: each group of channels by itself.

use super::value::Elementwise;
use super::{NodeTensors, Value};
use burn_tensor::{Tensor, module};
use emberlite::op::GroupNorm;

/// Statistics over a group's channels and positions; a weight and a bias a channel.
pub(super) fn forward(attributes: &GroupNorm, x: Value, parameters: &NodeTensors) -> Value {
    x.map(&Groups(attributes, parameters))
}

struct Groups<'a>(&'a GroupNorm, &'a NodeTensors);

impl Elementwise for Groups<'_> {
    fn of<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let Groups(a, p) = self;
        let dims = x.dims();
        let (batch, channels, groups) = (dims[0], dims[1], usize::from(a.groups));
        let size = dims[1..].iter().product::<usize>() / groups.max(1);
        let device = x.device().without_autodiff();
        // A layer norm of each group, whose own scale is 1.
        let y = module::layer_norm(
            x.reshape([batch * groups, size]),
            Tensor::<1>::ones([size], &device),
            None,
            a.epsilon.into(),
        );
        let positions = dims[2..].iter().product::<usize>();
        let y = y.reshape([batch, channels, positions]);
        let (weight, bias) = (p.weight().reshape([1, channels, 1]), p.bias().reshape([1, channels, 1]));
        (y * weight + bias).reshape(dims)
    }
}
