//! The two precisions of the floating-point oracle.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use emberlite::math;

/// `f32` with the library's elementary functions, or `f64` with the standard library's.
pub trait Real:
    Copy
    + Default
    + PartialOrd
    + Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// The same number, or the nearest.
    fn of(real: f64) -> Self;
    /// The same number.
    fn wide(self) -> f64;
    /// `e^x`.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// `ln(1 + x)`.
    fn ln_1p(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;

    /// 0.
    fn zero() -> Self {
        Self::of(0.0)
    }
    /// 1.
    fn one() -> Self {
        Self::of(1.0)
    }
    /// The absolute value.
    fn abs(self) -> Self {
        if self < Self::zero() { -self } else { self }
    }
    /// `1 / (1 + e^-x)`, with exponentials of negative numbers only.
    fn sigmoid(self) -> Self {
        if self >= Self::zero() {
            Self::one() / (Self::one() + (-self).exp())
        } else {
            self.exp() / (Self::one() + self.exp())
        }
    }
}

impl Real for f32 {
    fn of(real: f64) -> f32 {
        real as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn exp(self) -> f32 {
        math::exp(self)
    }
    fn ln(self) -> f32 {
        math::ln(self)
    }
    fn ln_1p(self) -> f32 {
        math::ln_1p(self)
    }
    fn tanh(self) -> f32 {
        math::tanh(self)
    }
    fn sqrt(self) -> f32 {
        f32::sqrt(self)
    }
}

impl Real for f64 {
    fn of(real: f64) -> f64 {
        real
    }
    fn wide(self) -> f64 {
        self
    }
    fn exp(self) -> f64 {
        f64::exp(self)
    }
    fn ln(self) -> f64 {
        f64::ln(self)
    }
    fn ln_1p(self) -> f64 {
        f64::ln_1p(self)
    }
    fn tanh(self) -> f64 {
        f64::tanh(self)
    }
    fn sqrt(self) -> f64 {
        f64::sqrt(self)
    }
}
