//! Arm's MPS2 boards: CMSDK UART 0 and CMSDK timer 0, both on the 25 MHz peripheral clock.
#![allow(unsafe_code)]

use core::ptr;

const TIMER: usize = 0x4000_0000;
const TIMER_CTRL: usize = TIMER;
const TIMER_VALUE: usize = TIMER + 4;
const TIMER_RELOAD: usize = TIMER + 8;

const UART: usize = 0x4000_4000;
const UART_DATA: usize = UART;
const UART_STATE: usize = UART + 4;
const UART_CTRL: usize = UART + 8;
const UART_INTERRUPT: usize = UART + 0xC;
const UART_BAUDDIV: usize = UART + 0x10;
const NVIC_ISER: usize = 0xE000_E100;
const NVIC_ICPR: usize = 0xE000_E280;
const UART_RECEIVE: u32 = 1;
const UART_TX_FULL: u32 = 1;
const UART_RX_FULL: u32 = 2;

fn read(register: usize) -> u32 {
    // SAFETY: only called with the addresses above, registers that the board has and that reading doesn't upset.
    unsafe { ptr::read_volatile(register as *const u32) }
}

fn write(register: usize, value: u32) {
    // SAFETY: only called with the addresses above; no register there lets the device touch memory.
    unsafe { ptr::write_volatile(register as *mut u32, value) }
}

/// Starts the timer; it counts down from 2^32 - 1 and never stops.
pub(crate) fn start() {
    write(TIMER_RELOAD, u32::MAX);
    write(TIMER_VALUE, u32::MAX);
    write(TIMER_CTRL, 1);
}

/// The clock.
pub(crate) fn now() -> u64 {
    u64::from(read(TIMER_VALUE))
}

/// Instructions since `start`: a tick is 40 ns and an instruction 256 ns, so n instructions are 6.4 n ticks, off by less than
/// one tick; the rounding undoes that.
pub(crate) fn instructions_since(start: u64) -> u64 {
    let ticks = start.wrapping_sub(now()) & u64::from(u32::MAX);
    (ticks * 40 + 128) / 256
}

pub(crate) fn uart_start() {
    write(UART_BAUDDIV, 25_000_000 / 115_200);
    write(UART_CTRL, 0b1011);
    // Interrupts stay masked: a pending one only ends a wait.
    // SAFETY: masks interrupts, of which no handler of this program exists.
    unsafe { core::arch::asm!("cpsid i", options(nomem, nostack)) }
    write(NVIC_ISER, UART_RECEIVE);
}

/// Sleeps until something arrives, or a moment.
pub(crate) fn uart_wait() {
    // SAFETY: waits; touches no memory.
    unsafe { core::arch::asm!("wfi", options(nomem, nostack)) }
    write(NVIC_ICPR, UART_RECEIVE);
    write(UART_INTERRUPT, 0b10);
}

pub(crate) fn uart_try_read() -> Option<u8> {
    (read(UART_STATE) & UART_RX_FULL != 0).then(|| read(UART_DATA) as u8)
}

pub(crate) fn uart_try_write(byte: u8) -> bool {
    let free = read(UART_STATE) & UART_TX_FULL == 0;
    if free {
        write(UART_DATA, u32::from(byte));
    }
    free
}
