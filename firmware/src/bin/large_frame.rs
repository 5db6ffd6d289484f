//! Proves that one frame larger than the whole RAM can't jump over the guard.
#![no_std]
#![no_main]

use core::hint::black_box;

use emberlite_firmware::{Exit, board, println, program};

program!(main);

fn main() -> Exit {
    println!("taking a frame that is larger than the stack");
    println!("came back with {}: the guard did not fire", take(3));
    Exit::Failed
}

#[inline(never)]
fn take(value: u8) -> u8 {
    let mut frame = [0u8; 4 * board::STACK_BYTES];
    black_box(&mut frame).fill(value);
    frame[black_box(17)]
}
