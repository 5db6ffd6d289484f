//! The square root of the crate micromath; see [`crate::math`]'s head for what it costs and where it wins.

/// The square root, within 6.1 %.
#[inline(always)]
pub fn square_root(x: f32) -> f32 {
    ::micromath::F32(x).sqrt().0
}

#[cfg(test)]
mod tests {
    #[test]
    fn micromaths_square_root_is_within_its_stated_error() {
        for i in 0..200_000u32 {
            let x = f32::from_bits(0x3000_0000 + i * 2000);
            let error = (super::square_root(x) / libm::sqrtf(x) - 1.0).abs();
            assert!(error <= 0.061, "sqrt({x}) is off by {error}");
        }
    }
}
