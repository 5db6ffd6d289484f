//! Number formats: what a stored value is, what sums are kept in, and how a sum becomes a value again.
//!
//! Everything above this folder is generic over [`Number`]. A format is a zero-sized type ([`F32`], [`Fixed16`]); the
//! elements that lie in memory are its [`Number::Value`]. Kernels use only the operations of this trait, so a loop is
//! written once and monomorphised, and an instruction-set kernel for one format can replace it later without the
//! operations noticing.
//!
//! Scales: a fixed-point tensor has one power-of-two scale, given as its number of *fraction bits* `frac`
//! (`real = value / 2^frac`). [`F32`] ignores every `frac` and shift that it is handed.

mod fixed16;
mod float;
pub mod random;
mod rate;

pub use fixed16::{Fixed16, GRADIENT_FRAC, LOSS_FRAC, round_shift, saturate16};
pub use float::F32;
pub(crate) use float::largest_magnitude;
pub use rate::Rate;

use bytemuck::Pod;
use random::Key;

/// The number format of a model.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Format {
    /// IEEE 754 single precision.
    F32,
    /// `i16` values with a power-of-two scale per tensor, 64-bit accumulators, saturating.
    Fixed16,
}

impl Format {
    /// Bytes of one stored value.
    pub const fn value_bytes(self) -> u32 {
        match self {
            Format::F32 => 4,
            Format::Fixed16 => 2,
        }
    }

    /// 32-bit words that hold `len` values; tensors start on a word.
    pub const fn words(self, len: u32) -> u32 {
        match self {
            Format::F32 => len,
            Format::Fixed16 => len.div_ceil(2),
        }
    }

    /// The name used in `model.toml`, in files and in messages.
    pub const fn name(self) -> &'static str {
        match self {
            Format::F32 => "f32",
            Format::Fixed16 => "fixed16",
        }
    }
}

/// A number format; see the module's head.
pub trait Number: Copy + Default + core::fmt::Debug + 'static {
    /// The element of parameters, activations and error tensors.
    type Value: Pod + Default + PartialOrd + core::fmt::Debug;
    /// What products are summed in.
    type Accumulator: Copy;
    /// The element of accumulated gradients and of optimizer state, four bytes.
    type Gradient: Pod + Default + PartialOrd + core::fmt::Debug;
    /// A loss value as reported.
    type Loss: Copy + Default + PartialOrd + core::fmt::Debug;
    /// A sum of losses.
    type LossSum: Copy + Default + core::fmt::Debug;

    /// Which format this is.
    const FORMAT: Format;
    /// The empty sum.
    const ZERO: Self::Accumulator;

    /// A sum that starts from `bias`, which has `shift` fraction bits fewer than the sum.
    fn start(bias: Self::Value, shift: i32) -> Self::Accumulator;
    /// `sum + a * b`. For [`F32`]: one rounding for the product, one for the sum, in that order.
    fn mac(sum: Self::Accumulator, a: Self::Value, b: Self::Value) -> Self::Accumulator;
    /// `sum + a`, with `a` having `shift` fraction bits fewer than the sum.
    fn add(sum: Self::Accumulator, a: Self::Value, shift: i32) -> Self::Accumulator;
    /// The sum as a stored value that has `shift` fraction bits fewer: rounded half up, saturated.
    fn finish(sum: Self::Accumulator, shift: i32) -> Self::Value;
    /// `sum / n`, rounded half up.
    fn divide(sum: Self::Accumulator, n: u32) -> Self::Accumulator;
    /// `old + new`, saturating; how an error is added to one that is already there.
    fn add_values(old: Self::Value, new: Self::Value) -> Self::Value;

    /// One element of a parameter gradient from a sum with `frac` fraction bits.
    fn gradient(sum: Self::Accumulator, frac: i32) -> Self::Gradient;
    /// One element of an outer product `a * b`; `frac` are the fraction bits of the product.
    fn gradient_product(a: Self::Value, b: Self::Value, frac: i32) -> Self::Gradient;
    /// `old + new`, saturating; how samples of a mini-batch are summed.
    fn add_gradients(old: Self::Gradient, new: Self::Gradient) -> Self::Gradient;
    /// `w - rate * g`: the plain step. Fixed point rounds without bias with the bits `key.at(index)` gives.
    fn descend(w: Self::Value, g: Self::Gradient, rate: Rate, frac: i32, key: Key, index: u32) -> Self::Value;

    /// Whether a value is finite; always true where numbers saturate.
    fn is_finite(value: Self::Value) -> bool;
    /// The value as a real number, for hosts and tests.
    fn to_f32(value: Self::Value, frac: i32) -> f32;
    /// The nearest value to a real number, saturated, for hosts and tests.
    fn from_f32(real: f32, frac: i32) -> Self::Value;
    /// `sum + loss`.
    fn add_loss(sum: Self::LossSum, loss: Self::Loss) -> Self::LossSum;
    /// `sum / count`, 0 for no losses.
    fn mean_loss(sum: Self::LossSum, count: u32) -> Self::Loss;
    /// Whether a loss is finite; always true where numbers saturate.
    fn loss_is_finite(loss: Self::Loss) -> bool;
    /// The bit pattern of a loss, for traces.
    fn loss_bits(loss: Self::Loss) -> u32;
    /// A loss as a real number, for hosts and tests.
    fn loss_to_f32(loss: Self::Loss) -> f32;

    /// The same memory as `f32`s where the format is [`F32`], else `None`. What only f32 can do goes through here.
    fn floats(values: &[Self::Value]) -> Option<&[f32]>;
    /// See [`Number::floats`].
    fn floats_mut(values: &mut [Self::Value]) -> Option<&mut [f32]>;
    /// See [`Number::floats`], for gradients and optimizer state.
    fn gradient_floats_mut(values: &mut [Self::Gradient]) -> Option<&mut [f32]>;

    /// See [`Number::floats`], for sums.
    fn sum_floats_mut(sums: &mut [Self::Accumulator]) -> Option<&mut [f32]>;

    /// Views words as values.
    fn view(words: &[u32]) -> &[Self::Value];
    /// Views words as values.
    fn view_mut(words: &mut [u32]) -> &mut [Self::Value];

    /// See [`Number::floats`], for gradients and optimizer state.
    fn gradient_floats(values: &[Self::Gradient]) -> Option<&[f32]>;
    /// The same memory as `i16`s where the format is [`Fixed16`], else `None`.
    fn fixed(values: &[Self::Value]) -> Option<&[i16]>;
    /// See [`Number::fixed`].
    fn fixed_mut(values: &mut [Self::Value]) -> Option<&mut [i16]>;
    /// See [`Number::fixed`], for gradients and optimizer state.
    fn gradient_fixed(values: &[Self::Gradient]) -> Option<&[i32]>;
    /// See [`Number::fixed`], for gradients and optimizer state.
    fn gradient_fixed_mut(values: &mut [Self::Gradient]) -> Option<&mut [i32]>;
    /// A loss from a real number where the format is [`F32`]; the empty loss elsewhere.
    fn loss_from_f32(loss: f32) -> Self::Loss;
    /// A loss from an integer with [`LOSS_FRAC`] fraction bits where the format is [`Fixed16`]; the empty loss elsewhere.
    fn loss_from_fixed(loss: i32) -> Self::Loss;
}

/// Views words as gradients; both formats keep a gradient in one word.
#[inline(always)]
pub fn view_gradients<N: Number>(words: &[u32]) -> &[N::Gradient] {
    bytemuck::must_cast_slice(words)
}

/// Views words as gradients; both formats keep a gradient in one word.
#[inline(always)]
pub fn view_gradients_mut<N: Number>(words: &mut [u32]) -> &mut [N::Gradient] {
    bytemuck::must_cast_slice_mut(words)
}

/// The bytes of values, little-endian as on every machine that this library runs on.
pub fn bytes<N: Number>(values: &[N::Value]) -> &[u8] {
    bytemuck::cast_slice(values)
}
