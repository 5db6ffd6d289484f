//! Programs that log send frames; decoded, they must be the golden text.

use std::fs;

use anyhow::{Context, Result, bail};

use super::Cases;
use crate::{
    board::{self, Board},
    firmware::elf_path,
    golden, paths,
    program::{self, Golden, Program},
    qemu, toolchain,
};

pub fn run(cases: &mut Cases) -> Result<()> {
    let programs = program::all()?;
    for (name, board) in board::all()? {
        let logging = programs.iter().filter(|p| p.expect.features.iter().any(|f| f == "defmt") && p.is_for(&name));
        for program in logging {
            let case = format!("{} on {name}", program.name);
            if toolchain::in_path(&board.qemu.program).is_none() {
                cases.skip(&case, &format!("no {}", board.qemu.program));
                continue;
            }
            cases.case(&case, check(&name, &board, program));
        }
    }
    Ok(())
}

fn check(name: &str, board: &Board, program: &Program) -> Result<()> {
    let elf = elf_path(name, &program.name);
    let run = qemu::run(board, &elf, program.time_limit())?;
    let frames = elf.with_extension("frames");
    fs::write(&frames, &run.stderr).with_context(|| frames.display().to_string())?;
    let output = toolchain::host_cargo()?
        .current_dir(paths::firmware())
        .args(["run", "--quiet", "--package", "emberlite-logs", "--"])
        .args([&elf, &frames])
        .output()?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    golden::compare(Golden::Shared, &format!("{}.log", program.name), name, &text)
}
