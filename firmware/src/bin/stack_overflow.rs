//! Proves that the guard fires: recurses until the stack is full, which must end the program with a message and its own
//! exit status before any static is overwritten.
#![no_std]
#![no_main]

use core::hint::black_box;

use emberlite_firmware::{Exit, println, program};

program!(main);

fn main() -> Exit {
    println!("recursing without end");
    println!("came back with {}: the guard did not fire", recurse(1));
    Exit::Failed
}

#[inline(never)]
fn recurse(depth: u32) -> u32 {
    let frame = black_box([depth; 16]);
    if depth == u32::MAX {
        return 0;
    }
    recurse(depth + 1).wrapping_add(frame[depth as usize % 16])
}
