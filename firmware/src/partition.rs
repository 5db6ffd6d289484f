//! The end of flash, where a model's file lies that the program was not built with.
#![allow(unsafe_code)]

use core::slice;

use crate::board;

/// All bytes of the partition; whether they are a file, and how long it is, its first bytes tell.
pub fn partition() -> &'static [u8] {
    let start = board::FLASH_ORIGIN + board::FLASH_BYTES - board::PARTITION_BYTES;
    // SAFETY: flash of the part that the linker keeps free of code, readable, and never written while a program runs.
    unsafe { slice::from_raw_parts(start as *const u8, board::PARTITION_BYTES as usize) }
}
