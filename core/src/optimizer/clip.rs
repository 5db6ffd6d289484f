//! Gradient clipping.

use super::range::is_positive;
use crate::math;
use crate::number::Format;

/// How gradients are kept from growing too large.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Clip {
    /// They aren't.
    #[default]
    None,
    /// Each element is clamped to `± the value`, as PyTorch's `clip_grad_value_`.
    Value(f32),
    /// All gradients are scaled so that the root of their sum of squares is at most the value, as PyTorch's
    /// `clip_grad_norm_`. f32 only.
    GlobalNorm(f32),
}

impl Clip {
    /// Whether all gradients must be known before the first weight changes.
    pub const fn needs_gradient_buffer(&self) -> bool {
        matches!(self, Clip::GlobalNorm(_))
    }

    /// What [`super::StepSettings::clip_value`] must be.
    pub const fn value(&self) -> f32 {
        match *self {
            Clip::Value(limit) => limit,
            _ => f32::INFINITY,
        }
    }

    /// Whether the format has this clipping.
    pub const fn exists_in(&self, format: Format) -> bool {
        matches!((format, self), (Format::F32, _) | (_, Clip::None | Clip::Value(_)))
    }

    /// Checks the limit; the error says what is asked of it.
    pub const fn check(&self) -> Result<(), &'static str> {
        match *self {
            Clip::Value(limit) | Clip::GlobalNorm(limit) if !is_positive(limit) => {
                Err("a clipping limit must be positive and finite")
            }
            _ => Ok(()),
        }
    }
}

/// The factor that brings a gradient of this sum of squares to a norm of at most `limit`: `limit / (norm + 1e-6)`, at most
/// 1; NaN stays NaN.
pub fn norm_factor(sum_of_squares: f32, limit: f32) -> f32 {
    let factor = limit / (math::sqrt(sum_of_squares) + 1e-6);
    if factor > 1.0 { 1.0 } else { factor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(feature = "micromath", ignore = "its square root is not exact")]
    fn norms_by_hand() {
        assert_eq!(norm_factor(25.0, 10.0), 1.0);
        // 1 / (5 + 1e-6)
        assert!((norm_factor(25.0, 1.0) - 0.2).abs() < 1e-7);
        assert!(norm_factor(f32::NAN, 1.0).is_nan());
        assert!(Clip::Value(0.0).check().is_err() && Clip::GlobalNorm(f32::INFINITY).check().is_err());
        assert!(Clip::None.check().is_ok() && Clip::Value(0.5).check().is_ok());
        assert!(!Clip::GlobalNorm(1.0).exists_in(Format::Fixed16) && Clip::Value(1.0).exists_in(Format::Fixed16));
        assert_eq!((Clip::None.value(), Clip::Value(2.0).value()), (f32::INFINITY, 2.0));
    }
}
