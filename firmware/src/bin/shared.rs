//! The programs that the host's tests run too; what they print must be the same text, byte for byte.
#![no_std]
#![no_main]

use emberlite_firmware::{Exit, console::Console, println, program};
use emberlite_tests::programs::PROGRAMS;

program!(main);

fn main() -> Exit {
    for (name, run) in PROGRAMS {
        println!("== {name}");
        if run(&mut Console).is_err() {
            println!("the writer failed");
            return Exit::Failed;
        }
    }
    Exit::Passed
}
