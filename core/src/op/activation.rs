//! `relu`, `relu6`, `leaky_relu`, `sigmoid`, `tanh`: in place, element by element.
//!
//! The rectifiers need one bit per element for the backward pass, or nothing at all where the next layer keeps their
//! output anyway; sigmoid and tanh need their output. The bits are written while the values are in registers.

use super::{Bounded, Elementwise, Facts, Keep, OpError, OpKind, OpSet};
use crate::math;
use crate::number::{Number, largest_magnitude};
use crate::shape::Shape;

/// Which activation function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ActivationKind {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` above zero, `slope * x` otherwise.
    LeakyRelu,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// The hyperbolic tangent.
    Tanh,
}

/// An activation function.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Activation {
    /// Which one.
    pub kind: ActivationKind,
    /// The slope below zero of `leaky_relu`, in `[0, 1)`; PyTorch's default is 0.01. Others ignore it.
    pub slope: f32,
}

impl Activation {
    pub(super) const fn name(&self) -> &'static str {
        match self.kind {
            ActivationKind::Relu => "relu",
            ActivationKind::Relu6 => "relu6",
            ActivationKind::LeakyRelu => "leaky_relu",
            ActivationKind::Sigmoid => "sigmoid",
            ActivationKind::Tanh => "tanh",
        }
    }

    pub(super) const fn facts(&self, x: Shape) -> Result<Facts, OpError> {
        let keep = match self.kind {
            ActivationKind::Sigmoid | ActivationKind::Tanh => Keep { output: true, ..Keep::NOTHING },
            ActivationKind::Relu | ActivationKind::Relu6 | ActivationKind::LeakyRelu => {
                Keep { mask_or_output: true, ..Keep::NOTHING }
            }
        };
        if matches!(self.kind, ActivationKind::LeakyRelu) && !(self.slope >= 0.0 && self.slope < 1.0) {
            return Err(OpError::Attribute("slope must be in [0, 1)"));
        }
        Ok(Facts::elementwise(x, keep))
    }

    /// At most 1 where every number that the derivative comes from is one.
    #[inline(always)]
    pub(super) fn gain<N: Number>(&self, linked: OpSet, at: &Bounded<'_, N>) -> f32 {
        match self.kind {
            // 0, 1, or the slope, which is below 1; whatever the values are.
            ActivationKind::Relu | ActivationKind::Relu6 | ActivationKind::LeakyRelu => 1.0,
            // The output is in ±1 or NaN.
            ActivationKind::Sigmoid | ActivationKind::Tanh
                if linked.has_kind(OpKind::Sigmoid) || linked.has_kind(OpKind::Tanh) =>
            {
                largest_magnitude(1.0, N::floats(at.y).unwrap_or_default())
            }
            ActivationKind::Sigmoid | ActivationKind::Tanh => f32::INFINITY,
        }
    }

    #[inline(always)]
    pub(super) fn forward<N: Number>(&self, linked: OpSet, io: Elementwise<'_, N>) {
        let zero = N::Value::default();
        match self.kind {
            ActivationKind::Relu if linked.has_kind(OpKind::Relu) => {
                masked::<N>(io.values, io.mask, |x| if x > zero { (x, true) } else { (zero, false) });
            }
            ActivationKind::Relu6 if linked.has_kind(OpKind::Relu6) => {
                floats_masked::<N>(io, |x| (x.clamp(0.0, 6.0), x > 0.0 && x < 6.0));
            }
            ActivationKind::LeakyRelu if linked.has_kind(OpKind::LeakyRelu) => {
                let slope = self.slope;
                floats_masked::<N>(io, |x| if x > 0.0 { (x, true) } else { (slope * x, false) });
            }
            ActivationKind::Sigmoid if linked.has_kind(OpKind::Sigmoid) => each::<N>(io, math::sigmoid),
            ActivationKind::Tanh if linked.has_kind(OpKind::Tanh) => each::<N>(io, math::tanh),
            // Not linked.
            ActivationKind::Relu | ActivationKind::Relu6 | ActivationKind::LeakyRelu => {}
            ActivationKind::Sigmoid | ActivationKind::Tanh => {}
        }
    }

    /// `dx = dy f'(x)`, with `f'` from the mask or from the output.
    #[inline(always)]
    pub(super) fn backward<N: Number>(&self, linked: OpSet, io: Elementwise<'_, N>) {
        let zero = N::Value::default();
        match self.kind {
            ActivationKind::Relu if linked.has_kind(OpKind::Relu) => gate::<N>(io, |y| y > zero, |_| zero),
            ActivationKind::Relu6 if linked.has_kind(OpKind::Relu6) => {
                // Zero and six themselves count as cut off, as in PyTorch.
                gate::<N>(io, |y| N::floats(&[y]).is_some_and(|y| y.iter().all(|&y| y > 0.0 && y < 6.0)), |_| zero);
            }
            ActivationKind::LeakyRelu if linked.has_kind(OpKind::LeakyRelu) => {
                let slope = self.slope;
                let scaled = |dy: N::Value| {
                    let mut dy = [dy];
                    if let Some([dy]) = N::floats_mut(&mut dy) {
                        *dy *= slope;
                    }
                    dy[0]
                };
                gate::<N>(io, |y| y > zero, scaled);
            }
            ActivationKind::Sigmoid if linked.has_kind(OpKind::Sigmoid) => from_output::<N>(io, |y| y * (1.0 - y)),
            ActivationKind::Tanh if linked.has_kind(OpKind::Tanh) => from_output::<N>(io, |y| 1.0 - y * y),
            // Not linked.
            ActivationKind::Relu | ActivationKind::Relu6 | ActivationKind::LeakyRelu => {}
            ActivationKind::Sigmoid | ActivationKind::Tanh => {}
        }
    }
}

#[inline(always)]
fn each<N: Number>(io: Elementwise<'_, N>, f: impl Fn(f32) -> f32) {
    for x in N::floats_mut(io.values).unwrap_or_default() {
        *x = f(*x);
    }
}

/// Applies `f`, which also says whether the derivative is 1, and collects those bits if `mask` isn't empty.
#[inline(always)]
fn masked<N: Number>(values: &mut [N::Value], mask: &mut [u32], f: impl Fn(N::Value) -> (N::Value, bool)) {
    if mask.is_empty() {
        return values.iter_mut().for_each(|x| *x = f(*x).0);
    }
    let mut mask = mask.iter_mut();
    for values in values.chunks_mut(32) {
        let mut bits = 0;
        // From the last, so that every bit moves by one place only.
        for x in values.iter_mut().rev() {
            let (y, pass) = f(*x);
            *x = y;
            bits = bits << 1 | u32::from(pass);
        }
        if let Some(mask) = mask.next() {
            *mask = bits;
        }
    }
}

#[inline(always)]
fn floats_masked<N: Number>(io: Elementwise<'_, N>, f: impl Fn(f32) -> (f32, bool)) {
    if let Some(values) = N::floats_mut(io.values) {
        masked::<crate::number::F32>(values, io.mask, f);
    }
}

/// Lets the error through where the derivative is 1, else takes `cut` of it.
#[inline(always)]
fn gate<N: Number>(io: Elementwise<'_, N>, passes: impl Fn(N::Value) -> bool, cut: impl Fn(N::Value) -> N::Value) {
    if io.y.is_empty() {
        for (values, &bits) in io.values.chunks_mut(32).zip(io.mask.iter()) {
            let mut bits = bits;
            for dy in values {
                if bits & 1 == 0 {
                    *dy = cut(*dy);
                }
                bits >>= 1;
            }
        }
    } else {
        for (dy, &y) in io.values.iter_mut().zip(io.y) {
            if !passes(y) {
                *dy = cut(*dy);
            }
        }
    }
}

#[inline(always)]
fn from_output<N: Number>(io: Elementwise<'_, N>, derivative: impl Fn(f32) -> f32) {
    if let (Some(errors), Some(y)) = (N::floats_mut(io.values), N::floats(io.y)) {
        for (dy, &y) in errors.iter_mut().zip(y) {
            *dy *= derivative(y);
        }
    }
}
