//! The control of the check that no soft float is linked: a product of doubles, which no board here has in hardware.
#![no_std]
#![no_main]

use core::hint::black_box;

use emberlite_firmware::{Exit, println, program};

program!(main);

fn main() -> Exit {
    let product = black_box(1.5f64) * black_box(2.25f64);
    println!("1.5 * 2.25 = {} / 1000", (product * 1000.0) as u32);
    Exit::Passed
}
