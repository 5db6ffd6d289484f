//! IEEE 754 single precision.

use super::{Format, Number, Rate, random::Key};

/// The f32 format. Sums are kept in f32 in the order that each kernel states; no fused multiply-add anywhere, since
/// Cortex-M4 gains no cycles from it and portable Rust has none.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct F32;

impl Number for F32 {
    type Value = f32;
    type Accumulator = f32;
    type Gradient = f32;
    type Loss = f32;
    type LossSum = f32;

    const FORMAT: Format = Format::F32;
    const ZERO: f32 = 0.0;

    #[inline(always)]
    fn start(bias: f32, _shift: i32) -> f32 {
        bias
    }
    #[inline(always)]
    fn mac(sum: f32, a: f32, b: f32) -> f32 {
        sum + a * b
    }
    #[inline(always)]
    fn add(sum: f32, a: f32, _shift: i32) -> f32 {
        sum + a
    }
    #[inline(always)]
    fn finish(sum: f32, _shift: i32) -> f32 {
        sum
    }
    #[inline(always)]
    fn divide(sum: f32, n: u32) -> f32 {
        sum / n as f32
    }
    #[inline(always)]
    fn add_values(old: f32, new: f32) -> f32 {
        old + new
    }
    #[inline(always)]
    fn gradient(sum: f32, _frac: i32) -> f32 {
        sum
    }
    #[inline(always)]
    fn gradient_product(a: f32, b: f32, _frac: i32) -> f32 {
        a * b
    }
    #[inline(always)]
    fn add_gradients(old: f32, new: f32) -> f32 {
        old + new
    }
    #[inline(always)]
    fn descend(w: f32, g: f32, rate: Rate, _frac: i32, _key: Key, _index: u32) -> f32 {
        w - rate.real() * g
    }
    #[inline(always)]
    fn is_finite(value: f32) -> bool {
        value.is_finite()
    }
    #[inline(always)]
    fn to_f32(value: f32, _frac: i32) -> f32 {
        value
    }
    #[inline(always)]
    fn from_f32(real: f32, _frac: i32) -> f32 {
        real
    }
    #[inline(always)]
    fn add_loss(sum: f32, loss: f32) -> f32 {
        sum + loss
    }
    #[inline(always)]
    fn mean_loss(sum: f32, count: u32) -> f32 {
        sum / count.max(1) as f32
    }
    #[inline(always)]
    fn loss_is_finite(loss: f32) -> bool {
        loss.is_finite()
    }
    fn loss_bits(loss: f32) -> u32 {
        loss.to_bits()
    }
    #[inline(always)]
    fn loss_to_f32(loss: f32) -> f32 {
        loss
    }
    #[inline(always)]
    fn floats(values: &[f32]) -> Option<&[f32]> {
        Some(values)
    }
    #[inline(always)]
    fn floats_mut(values: &mut [f32]) -> Option<&mut [f32]> {
        Some(values)
    }
    #[inline(always)]
    fn gradient_floats_mut(values: &mut [f32]) -> Option<&mut [f32]> {
        Some(values)
    }
    #[inline(always)]
    fn sum_floats_mut(sums: &mut [f32]) -> Option<&mut [f32]> {
        Some(sums)
    }
    #[inline(always)]
    fn view(words: &[u32]) -> &[f32] {
        bytemuck::must_cast_slice(words)
    }
    #[inline(always)]
    fn view_mut(words: &mut [u32]) -> &mut [f32] {
        bytemuck::must_cast_slice_mut(words)
    }

    #[inline(always)]
    fn gradient_floats(values: &[f32]) -> Option<&[f32]> {
        Some(values)
    }
    #[inline(always)]
    fn fixed(_values: &[f32]) -> Option<&[i16]> {
        None
    }
    #[inline(always)]
    fn fixed_mut(_values: &mut [f32]) -> Option<&mut [i16]> {
        None
    }
    #[inline(always)]
    fn gradient_fixed(_values: &[f32]) -> Option<&[i32]> {
        None
    }
    #[inline(always)]
    fn gradient_fixed_mut(_values: &mut [f32]) -> Option<&mut [i32]> {
        None
    }
    #[inline(always)]
    fn loss_from_f32(loss: f32) -> f32 {
        loss
    }
    #[inline(always)]
    fn loss_from_fixed(_loss: i32) -> f32 {
        0.0
    }
}

/// The largest of `bound` and the magnitudes of `values`, NaN counting as larger than infinity.
#[inline(never)]
pub(crate) fn largest_magnitude(bound: f32, values: &[f32]) -> f32 {
    // As integers, magnitudes sort like the numbers, infinity above all of them and NaN above infinity; without the
    // sign's bit, which the shift drops in the comparing instruction.
    let twice = values.iter().fold(bound.to_bits() << 1, |most, &v| most.max(v.to_bits() << 1));
    f32::from_bits(twice >> 1)
}
