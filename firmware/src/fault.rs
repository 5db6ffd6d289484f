//! How a program ends: its verdict, a panic, a fault, a full stack.

use crate::{board, println, semihosting, stack};

/// The exit status of a program. The emulator itself uses 1, so none of ours is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All that the program checks holds.
    Passed = 0,
    /// A check of the program failed; it has said which.
    Failed = 3,
    /// A panic.
    Panicked = 4,
    /// A fault of the processor: a bad address, a bad instruction.
    Faulted = 5,
    /// The stack grew into the guard.
    StackOverflow = 6,
}

/// What the processor said at a fault, gathered by `arch`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    /// Name of the cause.
    pub cause: &'static str,
    /// Where the program was, 0 where unknown.
    pub pc: u32,
    /// The address that could not be accessed, where known.
    pub address: Option<u32>,
    /// The stack pointer at the fault.
    pub sp: u32,
}

/// Says what happened and ends the program. Runs on a fresh stack.
pub(crate) fn stop(report: Report) -> ! {
    // The guard ends where RAM begins. On Arm the exception frame is what tips a push over the edge, so the pointer is below
    // even when the last store was above.
    if report.sp < board::RAM_ORIGIN || report.address.is_some_and(in_guard) {
        let bytes = stack::bytes();
        println!(
            "stack overflow: the stack of {bytes} bytes (stack_bytes in the board's file or the program's) is full"
        );
        semihosting::exit(Exit::StackOverflow);
    }
    match report.address {
        Some(address) => println!(
            "fault: {} at address {address:#010x}, pc {:#010x}, sp {:#010x}",
            report.cause, report.pc, report.sp
        ),
        None => println!("fault: {}, pc {:#010x}, sp {:#010x}", report.cause, report.pc, report.sp),
    }
    semihosting::exit(Exit::Faulted)
}

/// Whether an address lies in the 64 KiB below RAM, where a large frame's first store lands.
fn in_guard(address: u32) -> bool {
    (board::RAM_ORIGIN - 0x1_0000..board::RAM_ORIGIN).contains(&address)
}

#[panic_handler]
fn panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    emberlite_panicked(info)
}

/// Linked exactly when something that can panic is linked, which the check of the ELF looks for; so it has a plain name and
/// is never inlined.
#[allow(unsafe_code)]
// SAFETY: the only definition of this name.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn emberlite_panicked(info: &core::panic::PanicInfo<'_>) -> ! {
    println!("{info}");
    semihosting::exit(Exit::Panicked)
}
