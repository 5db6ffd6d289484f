//! The control of the check that no allocator is linked: a box from a heap that only grows.
#![no_std]
#![no_main]
#![allow(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use core::{
    alloc::{GlobalAlloc, Layout},
    cell::UnsafeCell,
    hint::black_box,
    ptr,
};

use emberlite_firmware::{Exit, println, program};

program!(main);

/// Hands its 64 bytes out once and takes nothing back.
struct Once(UnsafeCell<Option<[u64; 8]>>);

// SAFETY: the program has one thread and no interrupts.
unsafe impl Sync for Once {}

// SAFETY: the pointer is to 64 bytes, aligned to 8, handed out once; anything else gets null.
unsafe impl GlobalAlloc for Once {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and the reference ends here.
        let slot = unsafe { &mut *self.0.get() };
        if layout.size() > 64 || layout.align() > 8 || slot.is_some() {
            return ptr::null_mut();
        }
        slot.insert([0; 8]).as_mut_ptr().cast()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static HEAP: Once = Once(UnsafeCell::new(None));

fn main() -> Exit {
    let boxed = black_box(Box::new(black_box(42)));
    println!("the box holds {boxed}");
    Exit::Passed
}
