//! The model's own slot of flash: the last 64 KiB, written apart from the program.
//!
//! So one program serves any weights of its model, and a new model is flashed without building anything. The program must end
//! below the slot, which whoever flashes checks (`cargo xtask demo` does).
#![allow(unsafe_code)]

use core::slice;

use emberlite::image::Image;

use crate::board;

/// Bytes of the slot.
pub const BYTES: u32 = 64 * 1024;
/// Its first address.
pub const ORIGIN: u32 = board::FLASH_ORIGIN + board::FLASH_BYTES - BYTES;

/// The file in the slot, cut to its own length; empty where none lies there. Whether it is sound, loading decides.
pub fn model() -> &'static [u8] {
    // SAFETY: the slot lies within flash (a board with less would not compile: `ORIGIN` would underflow), which is readable
    // memory that nothing writes while the program runs.
    let slot = unsafe { slice::from_raw_parts(ORIGIN as *const u8, BYTES as usize) };
    let len = Image::stored_len(slot).ok().and_then(|len| usize::try_from(len).ok());
    slot.get(..len.unwrap_or_default()).unwrap_or_default()
}
