//! The square root of the crate micromath; see [`crate::math`]'s head for what it costs and where it wins.

use super::portable::{self, AdamStep};

/// The most by which the root is too large, as a factor.
pub const ROOT_EXCESS: f32 = 1.061;

/// The square root: of normal numbers within 6.1 %, and never too small but for a rounding; of all others (zeros, subnormal
/// and negative numbers, infinities, NaN) libm's, because micromath's have nothing to do with the root.
#[inline(always)]
pub fn square_root(x: f32) -> f32 {
    // Below the first normal number it wraps around, and a sign is far above.
    let above = x.to_bits().wrapping_sub(f32::MIN_POSITIVE.to_bits());
    if above < f32::INFINITY.to_bits() - f32::MIN_POSITIVE.to_bits() { ::micromath::F32(x).sqrt().0 } else { other(x) }
}

#[cold]
#[inline(never)]
fn other(x: f32) -> f32 {
    portable::square_root(x)
}

/// [`portable::adam`] with this root.
#[inline(never)]
pub fn adam(w: &mut [f32], m: &mut [f32], v: &mut [f32], x: &[f32], step: &AdamStep) {
    portable::adam_by(square_root, w, m, v, x, step);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_a_normal_number_is_within_its_stated_excess() {
        // Every exponent, with mantissas from end to end.
        for exponent in 1..255u32 {
            for i in 0..=1024u32 {
                let mantissa = (i << 13).min(0x7f_ffff);
                let x = f32::from_bits(exponent << 23 | mantissa);
                let excess = f64::from(square_root(x)) / libm::sqrt(f64::from(x));
                assert!((1.0 - 1e-6..=f64::from(ROOT_EXCESS)).contains(&excess), "sqrt({x:e}) is off by {excess}");
            }
        }
    }

    #[test]
    fn other_numbers_have_libms_root() {
        let special = [0.0, -0.0, f32::from_bits(1), f32::from_bits(0x7f_ffff), f32::INFINITY];
        for x in special {
            assert_eq!(square_root(x).to_bits(), libm::sqrtf(x).to_bits(), "sqrt({x:e})");
        }
        for x in [f32::NAN, -f32::NAN, -1.0, -f32::from_bits(1), f32::NEG_INFINITY] {
            assert!(square_root(x).is_nan(), "sqrt({x:e})");
        }
    }
}
