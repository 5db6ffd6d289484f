//! The number types of binary files: how bytes become an f32.

/// A number type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) kind: Kind,
    /// Bytes: 4 or 8 for floats, 1, 2, 4 or 8 for integers.
    pub(super) size: usize,
    pub(super) big_endian: bool,
}

/// The kinds of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Also booleans.
    Unsigned,
    Signed,
    Float,
}

impl Element {
    /// A byte, 0 to 255.
    pub(super) const BYTE: Element = Element { kind: Kind::Unsigned, size: 1, big_endian: false };

    /// The numbers of `bytes`, as many as `out` has.
    pub(super) fn numbers(self, bytes: &[u8], out: &mut [f32]) {
        // The two that large sets have are a plain loop, an order of magnitude faster.
        match (self.kind, self.size, self.big_endian) {
            (Kind::Unsigned, 1, _) => out.iter_mut().zip(bytes).for_each(|(out, &byte)| *out = byte.into()),
            (Kind::Float, 4, false) => {
                let words = bytes.as_chunks::<4>().0;
                out.iter_mut().zip(words).for_each(|(out, &word)| *out = f32::from_le_bytes(word));
            }
            _ => {
                let elements = bytes.chunks_exact(self.size.max(1));
                out.iter_mut().zip(elements).for_each(|(out, element)| *out = self.number(element));
            }
        }
    }

    /// A number that f32 doesn't hold, in words: as it stands in the file, and why, where it is a number there.
    pub(super) fn refused(self, bytes: &[u8]) -> String {
        let mut word = [0; 8];
        word.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let wide = if self.big_endian { f64::from_be_bytes(word) } else { f64::from_le_bytes(word) };
        match (self.kind, bytes.len()) {
            (Kind::Float, 8) if wide.is_finite() => format!("{wide:e}, beyond what f32 holds (3.4e38)"),
            _ => self.number(bytes).to_string(),
        }
    }

    /// The number in up to 8 bytes, rounded to f32.
    pub(super) fn number(self, bytes: &[u8]) -> f32 {
        // As a little-endian word.
        let mut word = [0; 8];
        for (place, &byte) in bytes.iter().take(8).enumerate() {
            word[if self.big_endian { bytes.len().min(8) - 1 - place } else { place }] = byte;
        }
        let word = u64::from_le_bytes(word);
        let unused = 64 - 8 * bytes.len().clamp(1, 8) as u32;
        match (self.kind, bytes.len()) {
            (Kind::Float, 4) => f32::from_bits(word as u32),
            (Kind::Float, _) => f64::from_bits(word) as f32,
            (Kind::Signed, _) => ((word << unused) as i64 >> unused) as f32,
            (Kind::Unsigned, _) => word as f32,
        }
    }
}
