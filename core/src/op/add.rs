//! `add`: the sum of two tensors, and the passing on of an error, which is its backward.

use super::{Backward, Facts, Forward, OpError};
use crate::number::Number;
use crate::shape::Shape;

pub(super) const fn facts(x: Shape, x2: Shape) -> Result<Facts, OpError> {
    if !x.same(x2) {
        return Err(OpError::ShapesDiffer { first: x, second: x2 });
    }
    let mut facts = Facts::plain(x);
    facts.passes_error = true;
    Ok(facts)
}

/// `y = x + x2`; fixed point aligns both to the finer of the two scales, then rounds once.
pub(super) fn forward<N: Number>(io: Forward<'_, N>) {
    let s = io.scales;
    let sum = if s.x > s.x2 { s.x } else { s.x2 };
    for ((y, &a), &b) in io.y.iter_mut().zip(io.x).zip(io.x2) {
        *y = N::finish(N::add(N::start(a, sum - s.x), b, sum - s.x2), sum - s.y);
    }
}

/// `dx = dy`, or added to what is there: the error of `add` for either input, and of an elementwise operation once
/// its error was computed in place.
pub(super) fn pass_error<N: Number>(io: Backward<'_, N>) {
    let shift = io.scales.dy - io.scales.dx;
    for (dx, &dy) in io.dx.iter_mut().zip(io.dy) {
        let new = N::finish(N::start(dy, 0), shift);
        *dx = if io.accumulate { N::add_values(*dx, new) } else { new };
    }
}
