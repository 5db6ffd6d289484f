//! `dropout`, with the very elements that the core would drop.
//!
//! The mask is a function of (seed, sample, node, element), computed on the host and multiplied in. A generator of the
//! framework would be faster by some nanoseconds an element, but differ from device to device, and a run resumed from a
//! checkpoint would need its state.

use super::value::Elementwise;
use super::{Mode, Value};
use burn_tensor::{Tensor, TensorData};
use emberlite::number::random::Key;
use emberlite::op::Dropout;

/// In training an element is kept with probability `1 - rate` and divided by it; else the identity.
pub(super) fn forward(attributes: &Dropout, x: Value, mode: Mode, node: u32) -> Value {
    match mode {
        Mode::Train { seed, first_sample } if attributes.rate > 0.0 => {
            x.map(&Mask { rate: attributes.rate, seed, first_sample, node })
        }
        _ => x,
    }
}

struct Mask {
    rate: f32,
    seed: u32,
    first_sample: u32,
    node: u32,
}

impl Elementwise for Mask {
    fn of<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let dims = x.dims();
        let elements = dims[1..].iter().product::<usize>() as u32;
        let scale = 1.0 / (1.0 - self.rate);
        let mut mask = Vec::with_capacity(dims.iter().product());
        for row in 0..dims[0] as u32 {
            let key = Key::new(self.seed, self.first_sample.wrapping_add(row), self.node);
            mask.extend((0..elements).map(|i| if key.uniform(i) >= self.rate { scale } else { 0.0 }));
        }
        let device = x.device().without_autodiff();
        x * Tensor::from_data(TensorData::new(mask, dims), &device)
    }
}
