//! Normalisation of raw sensor values with the constants that the host fitted.

use crate::number::{F32, Fixed16, Format, Number, round_shift, saturate16};

/// Per-channel constants as they lie in the file.
///
/// f32: `(raw - mean) * inverse_deviation`, one subtraction and one product, in that order. Fixed16: raw values are
/// integers; `(raw * multiplier + offset) >> shift`, rounded half up and saturated, in 64 bits. The offset carries the
/// mean's fraction, so with the host's constants the result is the real formula's, rounded once, for every raw value.
#[derive(Clone, Copy, Debug)]
pub struct Normalisation<'w, N: Number> {
    words: &'w [i32],
    channels: usize,
    format: core::marker::PhantomData<N>,
}

impl<'w, N: Number> Normalisation<'w, N> {
    /// Rows of the table, one word a channel in each. f32: mean, 1 / deviation. Fixed16: low and high half of the
    /// offset, multiplier, shift.
    pub const ROWS: usize = if matches!(N::FORMAT, Format::F32) { 2 } else { 4 };

    /// The table `[ROWS, channels]`, f32 as its bits; none if `words` isn't one of `channels` channels. Any word will
    /// do: what constants of a damaged or hostile file make of a value is wrong, but nothing panics.
    pub fn new(words: &'w [i32], channels: usize) -> Option<Self> {
        let right = channels > 0 && channels.checked_mul(Self::ROWS) == Some(words.len());
        right.then_some(Normalisation { words, channels, format: core::marker::PhantomData })
    }

    pub(super) fn from_bytes(image: &'w [u8], at: u32, channels: u32) -> Option<Self> {
        let bytes = image.get(at as usize..)?.get(..channels as usize * Self::ROWS * 4)?;
        Self::new(bytemuck::try_cast_slice(bytes).ok()?, channels as usize)
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
        let offsets = self.row(0).iter().zip(self.row(1));
        let constants = offsets.zip(self.row(2)).zip(self.row(3));
        for (plane, (((&low, &high), &multiplier), &shift)) in values.chunks_mut(positions).zip(constants) {
            let offset = i64::from(high) << 32 | i64::from(low as u32);
            for x in plane {
                // 16 by 32 bits can't overflow. The sum can, where a file is hostile: then it wraps.
                let product = i64::from(*x) * i64::from(multiplier);
                *x = saturate16(round_shift(product.wrapping_add(offset), shift));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Constants `(offset, multiplier, shift)` of one channel as words.
    fn words(offset: i64, multiplier: i32, shift: i32) -> [i32; 4] {
        [offset as i32, (offset >> 32) as i32, multiplier, shift]
    }

    fn apply(words: &[i32], raw: i16) -> i16 {
        let mut values = [raw];
        Normalisation::<Fixed16>::new(words, 1).unwrap().apply(&mut values);
        values[0]
    }

    #[test]
    fn integers_by_hand() {
        // (raw * 3 - 10) / 4: 7 -> 2.75, 4 -> 0.5, 2 -> -1, 0 -> -2.5; halves go up.
        let table = words(-10, 3, 2);
        assert_eq!([7, 4, 2, 0].map(|raw| apply(&table, raw)), [3, 1, -1, -2]);
        // An offset of more than 32 bits: 1000 * 2^23 - 999.5 * 2^23, times 2^-13.
        let table = words(-(1999 << 22), 1 << 23, 13);
        assert_eq!([1000, 999].map(|raw| apply(&table, raw)), [512, -512]);
        assert_eq!([i16::MAX, i16::MIN].map(|raw| apply(&table, raw)), [i16::MAX, i16::MIN]);
    }

    #[test]
    fn channels_are_planes() {
        let table = [[0, 1], [0, 0], [2, 4], [0, 1]].concat();
        let mut values = [1, 2, 3, 4];
        Normalisation::<Fixed16>::new(&table, 2).unwrap().apply(&mut values);
        // 2 raw, then (4 raw + 1) / 2 = 6.5 and 8.5.
        assert_eq!(values, [2, 4, 7, 9]);
    }

    #[test]
    fn no_table_makes_it_panic() {
        const EXTREMES: [i32; 9] = [i32::MIN, i32::MIN + 1, -64, -1, 0, 1, 63, 64, i32::MAX];
        let mut tried = 0;
        for low in EXTREMES {
            for high in EXTREMES {
                for multiplier in EXTREMES {
                    for shift in EXTREMES {
                        for raw in [i16::MIN, -1, 0, 1, i16::MAX] {
                            apply(&[low, high, multiplier, shift], raw);
                            tried += 1;
                        }
                    }
                }
            }
        }
        assert_eq!(tried, 9 * 9 * 9 * 9 * 5);
    }

    #[test]
    fn what_is_no_table_is_none() {
        for (len, channels) in [(0, 0), (4, 0), (3, 1), (5, 1), (4, 2), (4, usize::MAX)] {
            assert!(Normalisation::<Fixed16>::new(&[0; 8][..len], channels).is_none(), "{len} {channels}");
        }
        assert!(Normalisation::<F32>::new(&[0; 4], 2).is_some());
    }
}
