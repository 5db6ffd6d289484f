//! Proves that RAM which the emulator has and the real part lacks can't be used.
#![no_std]
#![no_main]
#![allow(unsafe_code)]

use emberlite_firmware::{Exit, board, println, program};

program!(main);

fn main() -> Exit {
    println!("writing the first word after the RAM of the part");
    let end = (board::RAM_ORIGIN + board::RAM_BYTES) as *mut u32;
    // SAFETY: no object of the program is there; the write must end it.
    unsafe { end.write_volatile(1) };
    println!("written: the fence did not hold");
    Exit::Failed
}
