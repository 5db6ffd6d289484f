//! Randomness as a counter: every random number is a hash of (seed, step, tensor, index).
//!
//! There is no generator state, so neither the order of evaluation nor parallelism can change a bit, and a training
//! run is resumed by knowing its step. The mixer is Chris Wellons' `lowbias32` (two multiplications, three
//! xor-shifts; avalanche bias 0.17, see <https://nullprogram.com/blog/2018/07/31/>).

/// One round of the mixer: a bijection on 32 bits.
pub const fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The numbers of one tensor in one step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key(u32);

impl Key {
    /// The key of tensor `tensor` in step `step` of a run with `seed`.
    pub const fn new(seed: u32, step: u32, tensor: u32) -> Key {
        Key(mix(mix(mix(seed ^ 0x9e37_79b9) ^ step).wrapping_add(tensor.wrapping_mul(0x85eb_ca6b))))
    }

    /// The key of one of several tensors that belong together.
    #[inline(always)]
    pub const fn tensor(self, tensor: u32) -> Key {
        Key(mix(self.0 ^ (tensor + 1).wrapping_mul(0x27d4_eb2f)))
    }

    /// 32 uniform bits for element `index`.
    #[inline(always)]
    pub const fn at(self, index: u32) -> u32 {
        mix(self.0.wrapping_add(index.wrapping_mul(0x9e37_79b9)))
    }

    /// A uniform number in `[0, 1)` with 24 bits for element `index`.
    pub const fn uniform(self, index: u32) -> f32 {
        (self.at(index) >> 8) as f32 * (1.0 / 16_777_216.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_balanced_and_keys_differ() {
        // 32 bits x 4096 numbers: each bit's count of ones has standard deviation 32, six of them are allowed.
        let key = Key::new(1, 2, 3);
        for bit in 0..32 {
            let ones: u32 = (0..4096).map(|i| key.at(i) >> bit & 1).sum();
            assert!((ones as i32 - 2048).abs() < 192, "bit {bit}: {ones} of 4096");
        }
        assert_ne!(Key::new(1, 2, 3), Key::new(1, 3, 2));
        assert_ne!(Key::new(1, 2, 3), Key::new(2, 2, 3));
    }
}
