//! How much of the stack was used: start-up paints it, the first byte that lost its paint is the high-water mark.
#![allow(unsafe_code)]

use core::ptr;

use crate::board;

/// The word that start-up fills the stack with; also named in `arch`.
pub(crate) const PAINT: u32 = 0xC0DE_C0DE;

unsafe extern "C" {
    static _stack_low: u32;
}

/// Most bytes of the stack that were in use at any time since the start, in steps of 4.
///
/// Exact but for frames whose lowest words were reserved and never written.
pub fn high_water_bytes() -> usize {
    let low = &raw const _stack_low;
    let words = board::STACK_BYTES / 4;
    let untouched = (0..words)
        // SAFETY: `low..low + words` is the stack, RAM that is always there; volatile because the frames in use lie in it.
        .take_while(|&i| unsafe { ptr::read_volatile(low.add(i)) } == PAINT)
        .count();
    (words - untouched) * 4
}
