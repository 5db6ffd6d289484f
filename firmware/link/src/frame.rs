//! Frames: COBS of (payload, CRC-32C little-endian), ended by a zero byte.

use crc::{CRC_32_ISCSI, Crc};

/// CRC-32C, by the name of its first user. It finds all 3-bit errors up to 256 MiB.
const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);
const CRC_LEN: usize = 4;

/// Most bytes that a frame is longer than its payload, for payloads up to 64 KiB: CRC, end, and a COBS code in every 254.
pub const MAX_OVERHEAD: usize = CRC_LEN + 1 + 1 + 260;

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// The frame is longer than the buffer, or what is to be sent doesn't fit.
    TooLong,
    /// It ended in the middle of a COBS block, or before its CRC.
    Cut,
    /// The CRC is that of other bytes.
    Damaged,
}

/// Writes the frame of `payload` into `out` and returns its length, the ending zero included.
///
/// # Errors
///
/// `TooLong` where `out` is shorter than the frame; `payload.len() + (payload.len() + 4) / 254 + 6` bytes always suffice.
pub fn encode(payload: &[u8], out: &mut [u8]) -> Result<usize, FrameError> {
    let crc = CRC.checksum(payload).to_le_bytes();
    let mut stuffer = Stuffer { out, code_at: 0, len: 1 };
    for &byte in payload.iter().chain(&crc) {
        stuffer.push(byte)?;
    }
    stuffer.finish()
}

/// The writing half of COBS: each block is a code (its length plus 1) and up to 254 bytes that aren't zero.
struct Stuffer<'a> {
    out: &'a mut [u8],
    code_at: usize,
    len: usize,
}

impl Stuffer<'_> {
    fn set(&mut self, at: usize, byte: u8) -> Result<(), FrameError> {
        *self.out.get_mut(at).ok_or(FrameError::TooLong)? = byte;
        Ok(())
    }

    /// Writes the code of the open block and opens the next.
    fn close(&mut self) -> Result<(), FrameError> {
        // At most 255: a block is closed when it reaches that.
        self.set(self.code_at, (self.len - self.code_at) as u8)?;
        self.code_at = self.len;
        self.len += 1;
        Ok(())
    }

    fn push(&mut self, byte: u8) -> Result<(), FrameError> {
        // A full block closes only when more comes, so that none is opened at the end for nothing.
        if self.len - self.code_at == 255 {
            self.close()?;
        }
        if byte == 0 {
            return self.close();
        }
        self.set(self.len, byte)?;
        self.len += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<usize, FrameError> {
        self.close()?;
        // `close` left room for the next block's code: the end takes it.
        self.set(self.len - 1, 0)?;
        Ok(self.len)
    }
}

/// Takes bytes as they come and hands out the payload of each sound frame. `N` bytes hold one payload and its CRC.
#[derive(Debug)]
pub struct Receiver<const N: usize> {
    buffer: [u8; N],
    len: usize,
    /// Bytes until the next code, that one included; 0 between frames.
    left: u8,
    /// Whether a zero follows the open block.
    zero_due: bool,
    /// The frame is longer than the buffer: wait for its end.
    overflow: bool,
}

impl<const N: usize> Default for Receiver<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Receiver<N> {
    /// An empty receiver.
    pub const fn new() -> Self {
        Receiver { buffer: [0; N], len: 0, left: 0, zero_due: false, overflow: false }
    }

    /// Takes one byte. `Some` at the end of a frame: its payload, or why it is none. Empty frames (two zeros in a row, which
    /// senders use to end whatever noise came before) are skipped.
    pub fn push(&mut self, byte: u8) -> Option<Result<&[u8], FrameError>> {
        if byte != 0 {
            self.take(byte);
            return None;
        }
        let (len, cut, overflow) = (self.len, self.left > 1, self.overflow);
        let empty = self.left == 0;
        self.len = 0;
        self.left = 0;
        self.zero_due = false;
        self.overflow = false;
        if empty {
            return None;
        }
        Some(if overflow {
            Err(FrameError::TooLong)
        } else if cut {
            Err(FrameError::Cut)
        } else {
            self.check(len)
        })
    }

    fn check(&self, len: usize) -> Result<&[u8], FrameError> {
        let bytes = self.buffer.get(..len).ok_or(FrameError::TooLong)?;
        let (payload, crc) = bytes.split_last_chunk::<CRC_LEN>().ok_or(FrameError::Cut)?;
        if CRC.checksum(payload) == u32::from_le_bytes(*crc) { Ok(payload) } else { Err(FrameError::Damaged) }
    }

    fn take(&mut self, byte: u8) {
        match self.left {
            // A code: the first, or the one after a block.
            0 | 1 => {
                if self.left == 1 && self.zero_due {
                    self.store(0);
                }
                self.left = byte;
                self.zero_due = byte != u8::MAX;
            }
            _ => {
                self.store(byte);
                self.left -= 1;
            }
        }
    }

    fn store(&mut self, byte: u8) {
        match self.buffer.get_mut(self.len) {
            Some(slot) => {
                *slot = byte;
                self.len += 1;
            }
            None => self.overflow = true,
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    fn decode<const N: usize>(bytes: &[u8]) -> Vec<Result<Vec<u8>, FrameError>> {
        let mut receiver = Receiver::<N>::new();
        let mut frames = Vec::new();
        for &byte in bytes {
            if let Some(frame) = receiver.push(byte) {
                frames.push(frame.map(<[u8]>::to_vec));
            }
        }
        frames
    }

    /// Lengths around the block size of 254, contents with and without zeros.
    fn payloads() -> impl Iterator<Item = Vec<u8>> {
        (0..3usize).flat_map(|kind| {
            (0..=20).chain(245..=262).chain(500..=516).map(move |len: usize| {
                (0..len)
                    .map(|i| match kind {
                        0 => (i % 255 + 1) as u8,
                        1 => 0,
                        _ => (i * 7 % 5) as u8,
                    })
                    .collect()
            })
        })
    }

    #[test]
    fn what_is_framed_comes_back() {
        for payload in payloads() {
            let mut out = [0; 600];
            let len = encode(&payload, &mut out).unwrap();
            assert!(len <= payload.len() + (payload.len() + 4) / 254 + 6);
            assert_eq!(decode::<600>(&out[..len]), [Ok(payload)]);
        }
    }

    #[test]
    fn frames_are_those_of_an_independent_cobs() {
        for payload in payloads() {
            let mut out = [0; 600];
            let len = encode(&payload, &mut out).unwrap();
            let mut sealed = payload.clone();
            sealed.extend(CRC.checksum(&payload).to_le_bytes());
            let mut expected = cobs::encode_vec(&sealed);
            expected.push(0);
            assert_eq!(&out[..len], expected, "{} bytes", payload.len());
        }
    }

    #[test]
    fn crc_is_crc_32c() {
        // The check value of the catalogue of CRC algorithms.
        assert_eq!(CRC.checksum(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn too_short_a_buffer_is_an_error_at_every_length() {
        let payload = [1, 0, 2, 0, 3];
        let mut out = [0; 16];
        let needed = encode(&payload, &mut out).unwrap();
        for len in 0..needed {
            assert_eq!(encode(&payload, &mut out[..len]), Err(FrameError::TooLong));
        }
    }

    #[test]
    fn a_long_frame_is_refused_and_the_next_one_read() {
        let mut line = Vec::new();
        let mut out = [0; 128];
        for payload in [&[9u8; 40][..], &[1, 2, 3]] {
            let len = encode(payload, &mut out).unwrap();
            line.extend(&out[..len]);
        }
        assert_eq!(decode::<32>(&line), [Err(FrameError::TooLong), Ok([1, 2, 3].to_vec())]);
    }

    #[test]
    fn every_single_bit_error_is_found() {
        let mut out = [0; 32];
        let len = encode(b"gradient", &mut out).unwrap();
        for bit in 0..(len - 1) * 8 {
            let mut damaged = out;
            damaged[bit / 8] ^= 1 << (bit % 8);
            let frames = decode::<32>(&damaged[..len]);
            assert!(frames.iter().all(|frame| frame.is_err()), "bit {bit}: {frames:?}");
        }
    }

    #[test]
    fn a_receiver_that_joins_late_reads_the_next_frame() {
        let mut out = [0; 32];
        let len = encode(b"weights", &mut out).unwrap();
        for from in 1..len {
            let mut line = out[from..len].to_vec();
            line.extend(&out[..len]);
            let frames = decode::<32>(&line);
            assert_eq!(frames.last(), Some(&Ok(b"weights".to_vec())), "from {from}");
        }
    }
}
