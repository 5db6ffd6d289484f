//! RISC-V, 32 bits, machine mode: start-up, PMP, traps, the semihosting trap.
//!
//! Everything before `start` is assembly: until .data and .bss are in place no Rust may run.
#![allow(unsafe_code)]

use core::arch::{asm, global_asm};

use crate::{board, fault, machine, stack::PAINT};

unsafe extern "C" {
    fn emberlite_program() -> !;
}

global_asm!(
    ".section .start, \"ax\"",
    ".global _start",
    "_start:",
    ".option push",
    ".option norelax",
    "la gp, __global_pointer$",
    ".option pop",
    "la t0, emberlite_trap",
    "csrw mtvec, t0",
    "la sp, _stack_top",
    "la t0, _stack_low",
    "li t1, {paint}",
    "0: sw t1, 0(t0)",
    "addi t0, t0, 4",
    "bltu t0, sp, 0b",
    "la t0, _data_start",
    "la t1, _data_end",
    "la t2, _data_load",
    "j 2f",
    "1: lw t3, 0(t2)",
    "sw t3, 0(t0)",
    "addi t0, t0, 4",
    "addi t2, t2, 4",
    "2: bltu t0, t1, 1b",
    "la t0, _bss_start",
    "la t1, _bss_end",
    "j 4f",
    "3: sw zero, 0(t0)",
    "addi t0, t0, 4",
    "4: bltu t0, t1, 3b",
    "call {start}",
    "unimp",
    // A trap: the stack pointer may be anywhere, and nothing returns, so the handler takes the whole stack.
    ".balign 4",
    "emberlite_trap:",
    "mv a0, sp",
    "la sp, _stack_top",
    "call {trapped}",
    "unimp",
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
fn enable_fpu() {
    // SAFETY: mstatus.FS = initial, before any float is touched; then round to nearest, no flags.
    unsafe {
        asm!(
            "csrs mstatus, {}",
            "csrw fcsr, zero",
            in(reg) 1 << 13,
            options(nostack)
        );
    }
}

/// Fences off all memory that the real part doesn't have: flash may be read and executed, RAM and the peripherals below
/// 1 GiB read and written, and the last entry closes the rest. Locked, since only locked entries bind machine mode.
fn fence() {
    const READ: u32 = 1;
    const WRITE: u32 = 2;
    const EXECUTE: u32 = 4;
    const UP_TO_HERE: u32 = 1 << 3;
    const POWER_OF_TWO: u32 = 3 << 3;
    const LOCKED: u32 = 1 << 7;
    // Pairs of addresses: a bound without rights, then the range up to the next. The addresses come in units of 4 bytes.
    let flash_end = board::FLASH_ORIGIN + board::FLASH_BYTES;
    let ram_end = board::RAM_ORIGIN + board::RAM_BYTES;
    let flash = (LOCKED | UP_TO_HERE | READ | EXECUTE) << 8;
    let ram = (LOCKED | UP_TO_HERE | READ | WRITE) << 24;
    let devices = (LOCKED | UP_TO_HERE | READ | WRITE) << 8;
    let closed = (LOCKED | POWER_OF_TWO) << 16;
    // SAFETY: PMP registers, written once, before the program; what the program uses stays accessible. The entry that
    // closes the rest comes last, or the next instruction could not be fetched.
    unsafe {
        asm!(
            "csrw pmpaddr0, {flash_start}",
            "csrw pmpaddr1, {flash_end}",
            "csrw pmpaddr2, {ram_start}",
            "csrw pmpaddr3, {ram_end}",
            "csrw pmpaddr4, zero",
            "csrw pmpaddr5, {devices_end}",
            "csrw pmpaddr6, {all}",
            "csrw pmpcfg0, {low}",
            "csrw pmpcfg1, {high}",
            flash_start = in(reg) board::FLASH_ORIGIN >> 2,
            flash_end = in(reg) flash_end >> 2,
            ram_start = in(reg) board::RAM_ORIGIN >> 2,
            ram_end = in(reg) ram_end >> 2,
            devices_end = in(reg) 0x4000_0000u32 >> 2,
            all = in(reg) u32::MAX,
            high = in(reg) devices | closed,
            low = in(reg) flash | ram,
            options(nostack)
        );
    }
}

/// Reads what the trap was about.
extern "C" fn trapped(sp: u32) -> ! {
    let (cause, pc, value): (u32, u32, u32);
    // SAFETY: reads the trap registers.
    unsafe {
        asm!(
            "csrr {}, mcause",
            "csrr {}, mepc",
            "csrr {}, mtval",
            out(reg) cause,
            out(reg) pc,
            out(reg) value,
            options(nostack)
        );
    }
    let (cause, address) = match cause {
        1 => ("execution of memory that is no code", Some(value)),
        2 => ("undefined instruction", None),
        3 => ("breakpoint without a debugger", None),
        4 | 6 => ("unaligned access", Some(value)),
        5 | 7 => ("access to memory that the part doesn't have", Some(value)),
        _ => ("unexpected trap", None),
    };
    fault::stop(fault::Report { cause, pc, address, sp })
}

/// Calls the host: `operation` of the semihosting specification with a pointer to (or the value of) its argument.
pub(crate) fn host_call(operation: usize, argument: usize) -> usize {
    let result;
    // SAFETY: the host reads the argument block and what it points to; the callers keep both alive. No call that we make lets
    // the host write into memory other than the result register. The three instructions are the specification's mark: not
    // compressed, and in one page, which the alignment ensures.
    unsafe {
        asm!(
            ".balign 16",
            ".option push",
            ".option norvc",
            "slli x0, x0, 0x1f",
            "ebreak",
            "srai x0, x0, 7",
            ".option pop",
            inlateout("a0") operation => result,
            in("a1") argument,
            options(nostack, readonly)
        );
    }
    result
}
