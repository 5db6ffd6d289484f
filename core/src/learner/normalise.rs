//! Normalisation of raw sensor values with the constants that the host fitted.

use crate::number::{F32, Fixed16, Format, Number, round_shift, saturate16};

/// Per-channel constants as they lie in the file.
///
/// f32: `(raw - mean) * inverse_deviation`, one subtraction and one product, in that order. Fixed16: raw values are
/// integers; `((raw - offset) * multiplier) >> shift`, rounded half up and saturated, in 64 bits.
#[derive(Clone, Copy, Debug)]
pub struct Normalisation<'w, N: Number> {
    words: &'w [i32],
    channels: usize,
    format: core::marker::PhantomData<N>,
}

impl<'w, N: Number> Normalisation<'w, N> {
    pub(super) fn from_bytes(image: &'w [u8], at: u32, channels: u32) -> Option<Self> {
        if channels == 0 {
            return None;
        }
        let rows = if N::FORMAT == Format::F32 { 2 } else { 3 };
        let bytes = image.get(at as usize..)?.get(..channels as usize * rows * 4)?;
        let words = bytemuck::try_cast_slice(bytes).ok()?;
        Some(Normalisation { words, channels: channels as usize, format: core::marker::PhantomData })
    }

    /// How many channels there are; an input `[channels, positions]` is normalised plane by plane.
    pub fn channels(&self) -> usize {
        self.channels
    }

    fn row(&self, row: usize) -> &'w [i32] {
        self.words.get(row * self.channels..(row + 1) * self.channels).unwrap_or_default()
    }
}

impl Normalisation<'_, F32> {
    /// Normalises `values` (`[channels, positions]`) in place.
    pub fn apply(&self, values: &mut [f32]) {
        let positions = values.len().checked_div(self.channels).unwrap_or_default().max(1);
        for ((plane, &mean), &scale) in values.chunks_mut(positions).zip(self.row(0)).zip(self.row(1)) {
            let (mean, scale) = (f32::from_bits(mean as u32), f32::from_bits(scale as u32));
            for x in plane {
                *x = (*x - mean) * scale;
            }
        }
    }
}

impl Normalisation<'_, Fixed16> {
    /// Normalises integer raw `values` (`[channels, positions]`) in place, to the input's fraction bits.
    pub fn apply(&self, values: &mut [i16]) {
        let positions = values.len().checked_div(self.channels).unwrap_or_default().max(1);
        let constants = self.row(0).iter().zip(self.row(1)).zip(self.row(2));
        for (plane, ((&offset, &multiplier), &shift)) in values.chunks_mut(positions).zip(constants) {
            for x in plane {
                let centred = i64::from(*x) - i64::from(offset);
                *x = saturate16(round_shift(centred * i64::from(multiplier), shift));
            }
        }
    }
}
