//! What flows between nodes: a batch of vectors, sequences or images.

use burn_tensor::{FloatDType, Tensor};
use emberlite::graph::Shape;

/// A batch of activations; the first dimension counts samples.
///
/// Kept in the rank of the operations that work on it: a flat tensor would make a GPU's convolutions, which like
/// channels last, copy before and after every layer.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// `[batch, features]`.
    Vector(Tensor<2>),
    /// `[batch, channels, length]`.
    Sequence(Tensor<3>),
    /// `[batch, channels, height, width]`.
    Image(Tensor<4>),
}

/// A function of one element, or of elements in the same place, for tensors of any rank.
pub(super) trait Elementwise {
    /// Computes it.
    fn of<const D: usize>(&self, x: Tensor<D>) -> Tensor<D>;
}

impl Value {
    /// From `[batch, elements]`, in the shape of one sample.
    pub fn shaped(x: Tensor<2>, shape: Shape) -> Value {
        let batch = x.dims()[0];
        match *shape.dims() {
            [c, l] => Value::Sequence(x.reshape([batch, c.into(), l.into()])),
            [c, h, w] => Value::Image(x.reshape([batch, c.into(), h.into(), w.into()])),
            _ => Value::Vector(x),
        }
    }

    /// As `[batch, elements]`.
    pub fn flat(self) -> Tensor<2> {
        match self {
            Value::Vector(x) => x,
            Value::Sequence(x) => x.flatten(1, 2),
            Value::Image(x) => x.flatten(1, 3),
        }
    }

    /// The format of its numbers.
    pub fn dtype(&self) -> FloatDType {
        match self {
            Value::Vector(x) => x.dtype().into(),
            Value::Sequence(x) => x.dtype().into(),
            Value::Image(x) => x.dtype().into(),
        }
    }

    /// The same in another format; itself if it has it. The way back casts too.
    pub fn cast(self, dtype: FloatDType) -> Value {
        match self {
            Value::Vector(x) => Value::Vector(x.cast(dtype)),
            Value::Sequence(x) => Value::Sequence(x.cast(dtype)),
            Value::Image(x) => Value::Image(x.cast(dtype)),
        }
    }

    /// Two values in one format: f32 unless both have another.
    pub fn alike(a: Value, b: Value) -> (Value, Value) {
        if a.dtype() == b.dtype() { (a, b) } else { (a.cast(FloatDType::F32), b.cast(FloatDType::F32)) }
    }

    /// Applies an elementwise function.
    pub fn map(self, f: &impl Elementwise) -> Value {
        match self {
            Value::Vector(x) => Value::Vector(f.of(x)),
            Value::Sequence(x) => Value::Sequence(f.of(x)),
            Value::Image(x) => Value::Image(f.of(x)),
        }
    }
}
