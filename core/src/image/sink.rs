//! Where a written file goes.

use core::convert::Infallible;
use core::fmt;

/// Takes the bytes of a file in order: a buffer, flash, a link.
///
/// Pieces are of any size, many of a few bytes; the last one of a file is its commit word, four bytes. A host writes to
/// `std::io::Write` through
///
/// ```
/// # use emberlite::image::Sink;
/// struct Out<W>(W);
/// impl<W: std::io::Write> Sink for Out<W> {
///     type Error = std::io::Error;
///     fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
///         self.0.write_all(bytes)
///     }
/// }
/// ```
///
/// around a `BufWriter`, which it flushes when the file is written.
pub trait Sink {
    /// Why bytes couldn't be taken.
    type Error;
    /// Takes the next bytes, all of them.
    ///
    /// # Errors
    /// Whatever keeps the sink from taking them; writing ends with that error.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

/// There is no room for the next piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SinkFull {
    /// The bytes of the piece.
    pub needed: usize,
    /// The bytes that there is room for.
    pub got: usize,
}

impl fmt::Display for SinkFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the next {} bytes of the file do not fit, there is room for {}", self.needed, self.got)
    }
}

impl core::error::Error for SinkFull {}

impl<const N: usize> Sink for heapless::Vec<u8, N> {
    type Error = SinkFull;
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        let full = SinkFull { needed: bytes.len(), got: N.saturating_sub(self.len()) };
        self.extend_from_slice(bytes).map_err(|_| full)
    }
}

/// Writes to the front of the slice and leaves the rest in it, as `std::io::Write` does for slices.
impl Sink for &mut [u8] {
    type Error = SinkFull;
    fn write(&mut self, bytes: &[u8]) -> Result<(), SinkFull> {
        let full = SinkFull { needed: bytes.len(), got: self.len() };
        let (here, rest) = core::mem::take(self).split_at_mut_checked(bytes.len()).ok_or(full)?;
        here.copy_from_slice(bytes);
        *self = rest;
        Ok(())
    }
}

/// Counts bytes and keeps none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Count(
    /// The bytes so far.
    pub u64,
);

impl Sink for Count {
    type Error = Infallible;
    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 = self.0.saturating_add(bytes.len() as u64);
        Ok(())
    }
}

impl fmt::Write for Count {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.saturating_add(text.len() as u64);
        Ok(())
    }
}
