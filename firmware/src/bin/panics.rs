//! The control of the check that nothing can panic: an index that only the run knows. It must be found in the ELF, and
//! running it must say where.
#![no_std]
#![no_main]

use core::hint::black_box;

use emberlite_firmware::{Exit, println, program};

program!(main);

fn main() -> Exit {
    let values = black_box([1, 2, 3]);
    println!("indexing 3 values");
    println!("value 3 is {}", values[black_box(3)]);
    Exit::Failed
}
