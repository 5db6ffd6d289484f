//! `dropout`: zeroes elements at random while training, scales the rest so that the mean stays.

use super::{Elementwise, Facts, Keep, OpError};
use crate::number::Number;
use crate::shape::Shape;

/// Inverted dropout: in training an element is kept with probability `1 - rate` and divided by it; else the identity.
///
/// Which elements are kept is a function of (seed, step, node, index), so the backward pass computes it again and
/// nothing is stored.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Dropout {
    /// The probability that an element is zeroed, in `[0, 1)`.
    pub rate: f32,
}

impl Dropout {
    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        if !(self.rate >= 0.0 && self.rate < 1.0) {
            return Err(OpError::Attribute("rate must be in [0, 1)"));
        }
        Ok(Facts::elementwise(x, Keep::NOTHING))
    }

    #[inline(always)]
    pub(super) fn gain(&self) -> f32 {
        1.0 / (1.0 - self.rate)
    }

    /// Forward and backward are the same: multiply by the mask.
    #[inline(always)]
    pub(super) fn apply<N: Number>(&self, io: Elementwise<'_, N>) {
        if !io.training {
            return;
        }
        let scale = 1.0 / (1.0 - self.rate);
        for (i, x) in N::floats_mut(io.values).unwrap_or_default().iter_mut().enumerate() {
            *x = if io.key.uniform(i as u32) >= self.rate { *x * scale } else { 0.0 };
        }
    }
}
