//! Normalisation of raw sensor values with the constants that the host fitted.

use crate::number::{F32, Fixed16, Format, Number, round_shift, saturate16};

/// Per-channel constants as they lie in the file.
///
/// f32: `(raw - mean) * inverse_deviation`, one subtraction and one product, in that order. Fixed16: raw values are
/// integers; `(raw * multiplier + offset) >> shift`, rounded half up and saturated, in 64 bits. The offset carries the
/// mean's fraction, so with the host's constants the result is the real formula's, rounded once, for every raw value.
///
/// Where the host was told to clean its data, the table has more rows and readings are repaired first, by comparisons
/// only. f32: a NaN becomes the channel's fill value (NaN where there is none: then the model refuses the input), anything
/// else is clipped to the channel's limits. Fixed16: integers are clipped; a missing one can't be told from others.
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

    /// Rows of a table that repairs too. f32: fill value, low and high limit more (NaN and infinities where there is none).
    /// Fixed16: low and high limit more.
    pub const ROWS_WITH_REPAIR: usize = if matches!(N::FORMAT, Format::F32) { 5 } else { 6 };

    /// The table `[ROWS, channels]` or `[ROWS_WITH_REPAIR, channels]`, f32 as its bits; none if `words` isn't one of
    /// `channels` channels. Any word will do: what constants of a damaged or hostile file make of a value is wrong, but
    /// nothing panics.
    pub fn new(words: &'w [i32], channels: usize) -> Option<Self> {
        let is = |rows: usize| channels.checked_mul(rows) == Some(words.len());
        let right = channels > 0 && (is(Self::ROWS) || is(Self::ROWS_WITH_REPAIR));
        right.then_some(Normalisation { words, channels, format: core::marker::PhantomData })
    }

    /// `words` of the file from byte `at` on.
    pub(super) fn from_bytes(image: &'w [u8], at: u32, words: u32, channels: usize) -> Option<Self> {
        let bytes = image.get(at as usize..)?.get(..words as usize * 4)?;
        Self::new(bytemuck::try_cast_slice(bytes).ok()?, channels)
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
        // Without these rows there is no plane to repair.
        let limits = self.row(3).iter().zip(self.row(4));
        for ((plane, &fill), (&low, &high)) in values.chunks_mut(positions).zip(self.row(2)).zip(limits) {
            let [fill, low, high] = [fill, low, high].map(|word| f32::from_bits(word as u32));
            for x in plane {
                *x = if x.is_nan() {
                    fill
                } else if *x < low {
                    low
                } else if *x > high {
                    high
                } else {
                    *x
                };
            }
        }
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
        for (plane, (&low, &high)) in values.chunks_mut(positions).zip(self.row(4).iter().zip(self.row(5))) {
            for x in plane {
                let value = i32::from(*x);
                let clipped = if value < low { low } else { value.min(high) };
                *x = saturate16(i64::from(clipped));
            }
        }
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
        assert!(Normalisation::<F32>::new(&[0; 10], 2).is_some());
        assert!(Normalisation::<F32>::new(&[0; 8], 2).is_none());
    }

    /// A table of one channel: mean 1, factor 2, and what repairs.
    fn repaired(fill: f32, low: f32, high: f32, raw: f32) -> f32 {
        let words = [1.0, 2.0, fill, low, high].map(|x: f32| x.to_bits() as i32);
        let mut values = [raw];
        Normalisation::<F32>::new(&words, 1).unwrap().apply(&mut values);
        values[0]
    }

    #[test]
    fn gaps_are_filled_and_outliers_clipped_before_scaling() {
        const NONE: f32 = f32::INFINITY;
        let cases = [(f32::NAN, 9.0), (-5.0, -2.0), (0.0, -2.0), (0.5, -1.0), (3.0, 4.0), (4.0, 4.0), (NONE, 4.0)];
        for (raw, expected) in cases {
            // The fill value isn't clipped: 5.5 is beyond the limits 0 and 3.
            assert_eq!(repaired(5.5, 0.0, 3.0, raw), expected, "{raw}");
        }
        assert!(repaired(f32::NAN, 0.0, 3.0, f32::NAN).is_nan(), "nothing to fill with");
        assert_eq!(repaired(0.0, -NONE, NONE, -1e30), (-1e30 - 1.0) * 2.0);
    }

    #[test]
    fn each_channel_is_repaired_by_its_own_rows() {
        let rows = [[0.0, 10.0], [1.0, 1.0], [7.0, 8.0], [-1.0, -2.0], [1.0, 2.0]];
        let words = rows.as_flattened().iter().map(|x: &f32| x.to_bits() as i32);
        let mut table = [0; 10];
        table.iter_mut().zip(words).for_each(|(to, word)| *to = word);
        let mut values = [f32::NAN, 5.0, f32::NAN, -5.0];
        Normalisation::<F32>::new(&table, 2).unwrap().apply(&mut values);
        assert_eq!(values, [7.0, 1.0, -2.0, -12.0]);
    }

    #[test]
    fn integers_are_clipped_before_scaling() {
        // 2 raw, between -3 and 4; limits beyond 16 bits are none.
        let apply = |low, high, raw| {
            let mut values = [raw];
            Normalisation::<Fixed16>::new(&[0, 0, 2, 0, low, high], 1).unwrap().apply(&mut values);
            values[0]
        };
        assert_eq!([-9, -3, 0, 4, 5].map(|raw| apply(-3, 4, raw)), [-6, -6, 0, 8, 8]);
        assert_eq!([-9, 9].map(|raw| apply(i32::MIN, i32::MAX, raw)), [-18, 18]);
        // A hostile file's limits: nothing panics.
        apply(i32::MAX, i32::MIN, 0);
        apply(i32::MAX, i32::MAX, 0);
    }
}
