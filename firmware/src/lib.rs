//! What a program on a device needs around the library: start-up, memory guard, output, exact instruction counts.
//!
//! A program is one file in `src/bin` beside a `.toml` that says what to expect of it; a board is one file in `boards`.
//! Start-up is our own (about 100 lines for two architectures) because the guard, the stack paint and the fault report need
//! every step of it, and it is the same on Arm and RISC-V.
//!
//! ```text
//! arch/     start-up, memory protection, trap entry, the semihosting trap     (arm, riscv)
//! machine/  UART and counter                                                  (mps2, virt)
//! the rest  the same on every board
//! ```
//!
//! Memory: the stack lies at the low end of RAM, painted at start; whatever the real part doesn't have is fenced off, so a
//! stack that overflows and a static that doesn't fit both stop the program with a message, although the emulator has more.
#![no_std]

#[cfg_attr(arch = "arm", path = "arch/arm.rs")]
#[cfg_attr(arch = "riscv", path = "arch/riscv.rs")]
mod arch;
#[cfg_attr(machine = "mps2", path = "machine/mps2.rs")]
#[cfg_attr(machine = "virt", path = "machine/virt.rs")]
mod machine;

pub mod bench;
pub mod board;
pub mod console;
pub mod count;
pub mod fault;
#[cfg(feature = "heap")]
pub mod heap;
#[cfg(feature = "defmt")]
pub mod log;
pub mod owned;
pub mod partition;
pub mod semihosting;
pub mod stack;
pub mod tuned;
pub mod uart;
pub mod watch;

pub use count::count;
pub use fault::Exit;
pub use owned::Owned;

/// Makes `$main: fn() -> Exit` the program of this binary.
#[macro_export]
macro_rules! program {
    ($main:path) => {
        #[allow(unsafe_code)]
        // SAFETY: the only definition of this name; start-up calls it with this signature.
        #[unsafe(no_mangle)]
        extern "C" fn emberlite_program() -> ! {
            let main: fn() -> $crate::Exit = $main;
            $crate::semihosting::exit(main())
        }
    };
}
