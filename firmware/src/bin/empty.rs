//! Nothing: what start-up and output cost, to subtract from the benches' flash.
#![no_std]
#![no_main]

use emberlite_firmware::{Exit, println, program};

program!(main);

fn main() -> Exit {
    println!("nothing {}", 0);
    Exit::Passed
}
