//! `softmax`: shares that sum to one.

use super::{Facts, OpError, Shape};

pub(super) const fn facts(x: Shape) -> Result<Facts, OpError> {
    Ok(super::facts(x, [0; 2], 0))
}
