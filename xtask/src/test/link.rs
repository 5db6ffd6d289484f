//! Fine-tuning over the serial port, on every board.
//!
//! The driver simulates the device with the same library and compares every loss and every parameter bit for bit, so what it
//! prints is the same on every board.

use anyhow::Result;

use super::{Cases, Job};
use crate::{
    board::{self, Board},
    drive::{PROGRAM, drive},
    golden,
    program::{self, Golden, Program},
    toolchain,
};

pub fn run(cases: &mut Cases) -> Result<()> {
    if !cfg!(unix) {
        cases.skip(PROGRAM, "the line is a Unix socket");
        return Ok(());
    }
    let programs = program::select(Some(PROGRAM))?;
    let boards = board::all()?;
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (name, board) in &boards {
        for program in programs.iter().filter(|p| p.is_for(name)) {
            let case = format!("{PROGRAM} on {name}");
            if toolchain::in_path(&board.qemu.program).is_none() {
                cases.skip(&case, &format!("no {}", board.qemu.program));
                continue;
            }
            jobs.push((case, Box::new(move || check(name, board, program))));
        }
    }
    cases.parallel(&jobs);
    Ok(())
}

fn check(name: &str, board: &Board, program: &Program) -> Result<()> {
    let conversation = drive(name, board, program)?;
    print!("{name}: {}", conversation.device);
    golden::compare(Golden::Shared, &format!("{PROGRAM}.link"), name, &conversation.host)
}
