//! `concat`: two tensors side by side.

use super::{Facts, OpError, Shape, attempt, dimension, facts};

/// The first input, then the second, along one dimension; the others must be equal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Concat {
    /// The dimension of a sample, from 0 (its channels, or the positions of `[length, features]`).
    pub axis: u16,
}

impl Concat {
    pub(super) const fn facts(&self, x: Shape, x2: Shape) -> Result<Facts, OpError> {
        let (a, b) = (x.dims(), x2.dims());
        if self.axis as usize >= a.len() {
            return Err(OpError::Attribute("axis must be a dimension of the sample, counted from 0"));
        }
        let mut dims = [1u16; 3];
        let mut i = 0;
        while i < a.len() {
            if a.len() != b.len() || (i != self.axis as usize && a[i] != b[i]) {
                return Err(OpError::ShapesDiffer { first: x, second: x2 });
            }
            dims[i] = if i == self.axis as usize { attempt!(dimension(a[i] as u32 + b[i] as u32)) } else { a[i] };
            i += 1;
        }
        Ok(facts(Shape::new(dims.split_at(a.len()).0), [0; 2], 0))
    }
}
