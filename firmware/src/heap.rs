//! A heap with a fixed end, in a static.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;

use embedded_alloc::LlffHeap;

/// Bytes of the heap.
pub const HEAP_BYTES: usize = 24 * 1024;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

#[repr(align(16))]
struct Memory(UnsafeCell<[u8; HEAP_BYTES]>);

// SAFETY: reached through the allocator alone.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; HEAP_BYTES]));

/// Gives the heap its memory; again, it does nothing.
pub fn start() {
    if HEAP.used() + HEAP.free() == 0 {
        // SAFETY: the heap has no memory yet, so this runs once, and the memory is its own for ever.
        unsafe { HEAP.init(MEMORY.0.get() as usize, HEAP_BYTES) }
    }
}

/// Bytes in use, the allocator's own included.
pub fn used_bytes() -> usize {
    HEAP.used()
}

struct NoInterrupts;
critical_section::set_impl!(NoInterrupts);

// SAFETY: one thread, and interrupts stay off, so every section is critical as it is.
unsafe impl critical_section::Impl for NoInterrupts {
    unsafe fn acquire() -> critical_section::RawRestoreState {}

    unsafe fn release(_: critical_section::RawRestoreState) {}
}
