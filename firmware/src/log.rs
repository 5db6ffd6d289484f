//! Where the `defmt` macros send their frames: the host's standard error, through semihosting.
//!
//! A frame is a few bytes, whatever its text: `cargo xtask` finds the texts in the ELF (package `emberlite-logs`). Each piece
//! of a frame is one trap, which is slow; log outside of what is counted.
#![allow(unsafe_code)]

use core::cell::UnsafeCell;

use crate::semihosting;

#[defmt::global_logger]
struct Logger;

struct Encoder(UnsafeCell<defmt::Encoder>);

// SAFETY: there is one thread, interrupts stay off, and `defmt` never logs while it logs.
unsafe impl Sync for Encoder {}

static ENCODER: Encoder = Encoder(UnsafeCell::new(defmt::Encoder::new()));

fn with_encoder(work: impl FnOnce(&mut defmt::Encoder)) {
    // SAFETY: as for `Sync`; none of the calls below nests in another.
    work(unsafe { &mut *ENCODER.0.get() });
}

// SAFETY: one thread without interrupts needs no lock; `flush` has nothing to wait for. `defmt` calls `write` and `release`
// between an `acquire` and the `release` that ends it, as the trait asks of it, and nobody else calls them.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        with_encoder(|encoder| encoder.start_frame(semihosting::write_err));
    }

    // SAFETY: as said at the impl.
    unsafe fn flush() {}

    // SAFETY: as said at the impl.
    unsafe fn release() {
        with_encoder(|encoder| encoder.end_frame(semihosting::write_err));
    }

    // SAFETY: as said at the impl.
    unsafe fn write(bytes: &[u8]) {
        with_encoder(|encoder| encoder.write(bytes, semihosting::write_err));
    }
}
