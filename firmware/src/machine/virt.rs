//! The RISC-V `virt` machine: a 16550 UART, and the processor's own count of retired instructions.
#![allow(unsafe_code)]

use core::{
    arch::asm,
    ptr,
    sync::atomic::{AtomicU32, Ordering},
};

const UART: usize = 0x1000_0000;
const UART_DATA: usize = UART;
const UART_FIFO_CONTROL: usize = UART + 2;
const UART_LINE_CONTROL: usize = UART + 3;
const UART_LINE_STATUS: usize = UART + 5;
const UART_DATA_READY: u8 = 1;
const UART_TX_EMPTY: u8 = 1 << 5;

fn read(register: usize) -> u8 {
    // SAFETY: only called with the addresses above, registers that the board has and that reading doesn't upset.
    unsafe { ptr::read_volatile(register as *const u8) }
}

fn write(register: usize, value: u8) {
    // SAFETY: only called with the addresses above; no register there lets the device touch memory.
    unsafe { ptr::write_volatile(register as *mut u8, value) }
}

/// Ticks of `minstret` for one instruction. A real core counts 1; QEMU 7.2 under `-icount` counts virtual nanoseconds.
static TICKS_PER_INSTRUCTION: AtomicU32 = AtomicU32::new(1);

/// Finds out what `minstret` counts, over 101 known instructions.
pub(crate) fn start() {
    let (before, after): (u32, u32);
    // SAFETY: reads a counter around a loop of 2 x 50 instructions.
    unsafe {
        asm!(
            "csrr {before}, minstret",
            "0: addi {turns}, {turns}, -1",
            "bnez {turns}, 0b",
            "csrr {after}, minstret",
            before = out(reg) before,
            after = out(reg) after,
            turns = inout(reg) 50 => _,
            options(nostack)
        );
    }
    TICKS_PER_INSTRUCTION.store(after.wrapping_sub(before) / 101, Ordering::Relaxed);
}

/// The counter, both halves; the low half has not wrapped in between if the high half stayed.
pub(crate) fn now() -> u64 {
    loop {
        let (high, low, again): (u32, u32, u32);
        // SAFETY: reads a counter that every RISC-V core has in machine mode.
        unsafe {
            asm!(
                "csrr {high}, minstreth",
                "csrr {low}, minstret",
                "csrr {again}, minstreth",
                high = out(reg) high,
                low = out(reg) low,
                again = out(reg) again,
                options(nostack)
            );
        }
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Instructions since `start`.
pub(crate) fn instructions_since(start: u64) -> u64 {
    let ticks = u64::from(TICKS_PER_INSTRUCTION.load(Ordering::Relaxed));
    // Never 0; the maximum tells the compiler, which else links a panic.
    (now() - start) / ticks.max(1)
}

pub(crate) fn uart_start() {
    // 8 data bits, FIFO on; the emulator has no line whose speed could matter.
    write(UART_LINE_CONTROL, 0b11);
    write(UART_FIFO_CONTROL, 1);
}

/// Nothing to wait with: the port is polled.
pub(crate) fn uart_wait() {}

pub(crate) fn uart_try_read() -> Option<u8> {
    (read(UART_LINE_STATUS) & UART_DATA_READY != 0).then(|| read(UART_DATA))
}

pub(crate) fn uart_try_write(byte: u8) -> bool {
    let free = read(UART_LINE_STATUS) & UART_TX_EMPTY != 0;
    if free {
        write(UART_DATA, byte);
    }
    free
}
