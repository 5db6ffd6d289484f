//! The calls to the host that a debugger or an emulator serves: write, and exit with a status.
//!
//! Both architectures share the numbers of Arm's semihosting specification; only the trap differs (`arch`).

use core::sync::atomic::{AtomicUsize, Ordering};

use crate::{arch, fault::Exit};

const SYS_OPEN: usize = 0x01;
const SYS_WRITE: usize = 0x05;
const SYS_EXIT_EXTENDED: usize = 0x20;
const ADP_STOPPED_APPLICATION_EXIT: usize = 0x2_0026;
/// The special file: standard output when opened for writing, standard error when opened for appending.
const TERMINAL: &[u8] = b":tt\0";
const MODE_WRITE: usize = 4;
const MODE_APPEND: usize = 8;

/// Handles, 0 while not yet opened (the specification has no handle 0).
static OUT: AtomicUsize = AtomicUsize::new(0);
static ERR: AtomicUsize = AtomicUsize::new(0);

fn handle(slot: &AtomicUsize, mode: usize) -> usize {
    // Load and store, no read-modify-write: v6-M has none, and there is one thread.
    let known = slot.load(Ordering::Relaxed);
    if known != 0 {
        return known;
    }
    let block = [TERMINAL.as_ptr() as usize, mode, TERMINAL.len() - 1];
    let opened = arch::host_call(SYS_OPEN, block.as_ptr() as usize);
    slot.store(opened, Ordering::Relaxed);
    opened
}

fn write(handle: usize, bytes: &[u8]) {
    let block = [handle, bytes.as_ptr() as usize, bytes.len()];
    // The number of bytes not written comes back; there is nobody to tell.
    arch::host_call(SYS_WRITE, block.as_ptr() as usize);
}

/// Writes to the host's standard output.
pub fn write_out(bytes: &[u8]) {
    write(handle(&OUT, MODE_WRITE), bytes);
}

/// Writes to the host's standard error, which carries the log frames and nothing else.
pub fn write_err(bytes: &[u8]) {
    write(handle(&ERR, MODE_APPEND), bytes);
}

/// Ends the program; the host's exit status is `status as i32`.
pub fn exit(status: Exit) -> ! {
    let block = [ADP_STOPPED_APPLICATION_EXIT, status as usize];
    loop {
        arch::host_call(SYS_EXIT_EXTENDED, block.as_ptr() as usize);
    }
}
