//! Runs every program on every board that it is for: exit status and golden text.

use anyhow::{Result, bail};

use super::{Cases, Job};
use crate::{
    board::{self, Board},
    firmware::elf_path,
    golden,
    program::{self, Golden, Program},
    qemu, toolchain,
};

pub fn run(cases: &mut Cases) -> Result<()> {
    let programs = program::all()?;
    let boards = board::all()?;
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (name, board) in &boards {
        let chosen = programs.iter().filter(|p| p.expect.run && p.expect.golden != Golden::Bench && p.is_for(name));
        for program in chosen {
            let case = format!("{} on {name}", program.name);
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
    let run = qemu::run(board, &elf_path(name, &program.name), program.time_limit())?;
    if run.status != program.expect.exit {
        bail!(
            "ended with status {}, expected {}; it printed:\n{}{}",
            run.status,
            program.expect.exit,
            run.stdout,
            String::from_utf8_lossy(&run.stderr)
        );
    }
    golden::compare(program.expect.golden, &program.name, name, &run.stdout)
}
