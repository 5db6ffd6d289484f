//! A value that lives in a `static` and is borrowed once, mutably, for ever.
#![allow(unsafe_code)]

use core::{
    cell::UnsafeCell,
    sync::atomic::{AtomicBool, Ordering},
};

/// Memory that a program takes at its start. In a `static`, so that it is counted at link time and never on the stack.
#[derive(Debug)]
pub struct Owned<T> {
    value: UnsafeCell<T>,
    taken: AtomicBool,
}

// SAFETY: the value is reached through `take` alone, which hands it out once.
unsafe impl<T: Send> Sync for Owned<T> {}

impl<T> Owned<T> {
    /// Not yet taken.
    pub const fn new(value: T) -> Self {
        Owned { value: UnsafeCell::new(value), taken: AtomicBool::new(false) }
    }

    /// The value, the first time; `None` afterwards.
    pub fn take(&'static self) -> Option<&'static mut T> {
        // Load and store, no swap: v6-M has none, and the programs have one thread and no interrupts.
        if self.taken.load(Ordering::Relaxed) {
            return None;
        }
        self.taken.store(true, Ordering::Relaxed);
        // SAFETY: the flag lets this line run once.
        Some(unsafe { &mut *self.value.get() })
    }
}
