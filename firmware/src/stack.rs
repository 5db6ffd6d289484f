//! How much of the stack was used: start-up paints it, the first byte that lost its paint is the high-water mark.
#![allow(unsafe_code)]

use core::ptr;

/// The word that start-up fills the stack with; also named in `arch`.
pub(crate) const PAINT: u32 = 0xC0DE_C0DE;

unsafe extern "C" {
    static _stack_low: u32;
    /// The same address as `_stack_top`, which the vector table needs as a function.
    static _stack_end: u32;
}

/// Bytes of this program's stack: the board's, or what the program's `.toml` says instead.
pub fn bytes() -> usize {
    (&raw const _stack_end).addr() - (&raw const _stack_low).addr()
}

/// Most bytes of the stack that were in use at any time since the start, in steps of 4.
///
/// Exact but for frames whose lowest words were reserved and never written.
pub fn high_water_bytes() -> usize {
    let low = &raw const _stack_low;
    let words = bytes() / 4;
    let untouched = (0..words)
        // SAFETY: `low..low + words` is the stack, RAM that is always there; volatile because the frames in use lie in it.
        .take_while(|&i| unsafe { ptr::read_volatile(low.add(i)) } == PAINT)
        .count();
    (words - untouched) * 4
}
