//! `add`: the sum of two values of one shape.

use super::Value;

/// `y = a + b`.
pub(super) fn forward(a: Value, b: Value) -> Value {
    match Value::alike(a, b) {
        (Value::Sequence(a), Value::Sequence(b)) => Value::Sequence(a + b),
        (Value::Image(a), Value::Image(b)) => Value::Image(a + b),
        // The planner has checked that the shapes are the same.
        (a, b) => Value::Vector(a.flat() + b.flat()),
    }
}
