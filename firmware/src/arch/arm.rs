//! Arm v6-M and v7-M: vectors, start-up, MPU, faults, the semihosting trap.
//!
//! Everything before `start` is assembly: until .data and .bss are in place no Rust may run.
#![allow(unsafe_code)]

use core::{
    arch::{asm, global_asm},
    ptr,
};

use crate::{board, fault, machine, stack::PAINT};

const VECTOR_COUNT: usize = 16;

/// The first words of flash: the initial stack pointer, then the handlers. Interrupts stay off, so there are no more.
#[unsafe(link_section = ".vectors")]
#[used]
static VECTORS: [unsafe extern "C" fn(); VECTOR_COUNT] = {
    let mut vectors = [emberlite_trap as unsafe extern "C" fn(); VECTOR_COUNT];
    vectors[0] = _stack_top;
    vectors[1] = _start;
    vectors
};

unsafe extern "C" {
    /// Not a function: the address after the stack, from the linker script. Only its address is used.
    fn _stack_top();
    fn _start();
    fn emberlite_trap();
    fn emberlite_program() -> !;
}

// Instructions of v6-M only, so that it serves all.
global_asm!(
    ".syntax unified",
    ".section .start, \"ax\"",
    ".global _start",
    ".type _start, %function",
    ".thumb_func",
    "_start:",
    // A debugger may start here with any stack pointer.
    "ldr r0, =_stack_top",
    "mov sp, r0",
    "ldr r1, =_stack_low",
    "ldr r2, ={paint}",
    "0: stmia r1!, {{r2}}",
    "cmp r1, r0",
    "blo 0b",
    "ldr r0, =_data_start",
    "ldr r1, =_data_end",
    "ldr r2, =_data_load",
    "b 2f",
    "1: ldmia r2!, {{r3}}",
    "stmia r0!, {{r3}}",
    "2: cmp r0, r1",
    "blo 1b",
    "ldr r0, =_bss_start",
    "ldr r1, =_bss_end",
    "movs r2, #0",
    "b 4f",
    "3: stmia r0!, {{r2}}",
    "4: cmp r0, r1",
    "blo 3b",
    "bl {start}",
    "udf #0",
    // A fault: with less than 1 KiB of stack left (or a stray stack pointer) the handler starts again at the top, since
    // nothing returns; else it goes on below the exception frame, which names the place of the fault.
    ".global emberlite_trap",
    ".type emberlite_trap, %function",
    ".thumb_func",
    "emberlite_trap:",
    "mov r1, sp",
    "ldr r0, =_stack_low + 1024",
    "cmp r1, r0",
    "bhs 5f",
    "ldr r0, =_stack_top",
    "mov sp, r0",
    "5: mrs r0, ipsr",
    "bl {trapped}",
    "udf #0",
    ".pool",
    paint = const PAINT,
    start = sym start,
    trapped = sym trapped,
);

/// The first Rust: memory is set up.
extern "C" fn start() -> ! {
    #[cfg(fpu)]
    enable_fpu();
    fence();
    machine::start();
    // SAFETY: `program!` defines it in every binary.
    unsafe { emberlite_program() }
}

#[cfg(fpu)]
const CPACR: *mut u32 = 0xE000_ED88usize as _;
const SHCSR: *mut u32 = 0xE000_ED24usize as _;
const CFSR: *const u32 = 0xE000_ED28usize as _;
const MMFAR: *const u32 = 0xE000_ED34usize as _;
const BFAR: *const u32 = 0xE000_ED38usize as _;
const MPU_TYPE: *const u32 = 0xE000_ED90usize as _;
const MPU_CTRL: *mut u32 = 0xE000_ED94usize as _;
const MPU_RBAR: *mut u32 = 0xE000_ED9Cusize as _;
const MPU_RASR: *mut u32 = 0xE000_EDA0usize as _;

#[cfg(fpu)]
fn enable_fpu() {
    // SAFETY: full access to coprocessors 10 and 11, before any float is touched: `start` has no float in it.
    unsafe {
        CPACR.write_volatile(CPACR.read_volatile() | 0xF << 20);
        asm!("dsb", "isb", options(nostack));
    }
}

/// Fences off all memory that the real part doesn't have: the first GiB is closed, then flash and RAM are opened (a region
/// with a higher number wins). The stack at the low end of RAM thus runs into a closed GiB, at no cost in RAM.
///
/// A part without an MPU (most Cortex-M0) has no memory there either and faults by itself.
fn fence() {
    const ENABLE: u32 = 1;
    const GIB: u32 = 29 << 1;
    const NORMAL_MEMORY: u32 = 1 << 17;
    const READ_WRITE: u32 = 0b011 << 24;
    const READ_ONLY: u32 = 0b110 << 24;
    const NEVER_EXECUTE: u32 = 1 << 28;
    const VALID: u32 = 1 << 4;
    const BACKGROUND_MAP: u32 = 1 << 2;
    let regions = [
        (0, GIB | NEVER_EXECUTE),
        (board::FLASH_ORIGIN, board::FLASH_MPU_SIZE | READ_ONLY | NORMAL_MEMORY),
        (board::RAM_ORIGIN, board::RAM_MPU_SIZE | READ_WRITE | NORMAL_MEMORY | NEVER_EXECUTE),
    ];
    // SAFETY: the MPU's and system control's registers, written once, before the program, in the order that the architecture
    // manual gives; what the program uses (flash, RAM, peripherals by the background map) stays accessible.
    unsafe {
        if MPU_TYPE.read_volatile() >> 8 & 0xFF < regions.len() as u32 {
            return;
        }
        for (number, (origin, attributes)) in regions.into_iter().enumerate() {
            MPU_RBAR.write_volatile(origin | VALID | number as u32);
            MPU_RASR.write_volatile(attributes | ENABLE);
        }
        MPU_CTRL.write_volatile(ENABLE | BACKGROUND_MAP);
        // Usage, bus and memory faults by their own names; v6-M has only the hard fault.
        if !cfg!(v6m) {
            SHCSR.write_volatile(SHCSR.read_volatile() | 0b111 << 16);
        }
        asm!("dsb", "isb", options(nostack));
    }
}

/// Reads what the fault was about. `sp` points at the exception frame, if there was room for one.
extern "C" fn trapped(exception: u32, sp: u32) -> ! {
    const FRAME_PC: u32 = 24;
    const STACKING_FAILED: u32 = 1 << 4 | 1 << 5 | 1 << 12 | 1 << 13;
    const MMFAR_VALID: u32 = 1 << 7;
    const BFAR_VALID: u32 = 1 << 15;
    let in_ram = (board::RAM_ORIGIN..board::RAM_ORIGIN + board::RAM_BYTES - FRAME_PC).contains(&sp);
    // SAFETY: fault status registers, readable at any time (zero on v6-M); the frame is read only where it lies in RAM.
    let (status, address, pc) = unsafe {
        let status = CFSR.read_volatile();
        let address = if status & MMFAR_VALID != 0 {
            Some(MMFAR.read_volatile())
        } else if status & BFAR_VALID != 0 {
            Some(BFAR.read_volatile())
        } else {
            None
        };
        let pc =
            if in_ram && status & STACKING_FAILED == 0 { ptr::read_volatile((sp + FRAME_PC) as *const u32) } else { 0 };
        (status, address, pc)
    };
    // The status first: on v6-M code everything arrives as a hard fault.
    let cause = match exception {
        _ if status & 1 != 0 => "execution of memory that is no code",
        _ if status & 0xFF != 0 => "access to memory that the part doesn't have",
        _ if status & 0xFF00 != 0 => "bus fault",
        _ if status & 1 << 16 != 0 => "undefined instruction",
        _ if status & 1 << 24 != 0 => "unaligned access",
        _ if status & 1 << 25 != 0 => "division by zero",
        2 => "non-maskable interrupt",
        3 => "hard fault",
        _ => "unexpected exception",
    };
    fault::stop(fault::Report { cause, pc, address, sp })
}

/// Calls the host: `operation` of the semihosting specification with a pointer to (or the value of) its argument.
pub(crate) fn host_call(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the host reads the argument block and what it points to; the callers keep both alive. No call that we make lets
    // the host write into memory other than the result register.
    unsafe {
        asm!(
            "bkpt #0xAB",
            inlateout("r0") operation => result,
            in("r1") argument,
            options(nostack, readonly)
        );
    }
    result
}
