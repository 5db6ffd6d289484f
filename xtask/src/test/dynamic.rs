//! The program that meets models which it was not built with: each file of `firmware/models/dynamic`, put into the flash of
//! each board, must give its golden text, the refused ones a status of failure.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

use super::Cases;
use crate::{
    board::{self, Board},
    firmware::elf_path,
    golden, paths,
    program::{self, Golden, Program},
    qemu, toolchain,
};

const PROGRAM: &str = "dynamic";
/// What the firmware ends with where it refuses.
const REFUSED: i32 = 3;

pub fn run(cases: &mut Cases) -> Result<()> {
    let folder = paths::firmware().join("models/dynamic");
    let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    let programs = program::select(Some(PROGRAM))?;
    for (name, board) in board::all()? {
        for program in programs.iter().filter(|p| p.is_for(&name)) {
            if toolchain::in_path(&board.qemu.program).is_none() {
                cases.skip(&name, &format!("no {}", board.qemu.program));
                continue;
            }
            for file in &files {
                let model = file.file_stem().unwrap_or_default().to_string_lossy();
                cases.case(&format!("{model} on {name}"), check(&name, &board, program, file, &model));
            }
            cases.case(&format!("no file on {name}"), check_empty(&name, &board, program));
        }
    }
    Ok(())
}

fn check(name: &str, board: &Board, program: &Program, file: &Path, model: &str) -> Result<()> {
    let mut command = qemu::command(board, &elf_path(name, PROGRAM));
    command.args(["-serial", "none", "-device"]).arg(format!(
        "loader,file={},addr={:#x},force-raw=on",
        file.display(),
        board.partition()
    ));
    compare(name, board, program, model, &mut command)
}

/// Flash without a file.
fn check_empty(name: &str, board: &Board, program: &Program) -> Result<()> {
    let mut command = qemu::command(board, &elf_path(name, PROGRAM));
    command.args(["-serial", "none"]);
    compare(name, board, program, "nothing", &mut command)
}

fn compare(
    name: &str,
    board: &Board,
    program: &Program,
    model: &str,
    command: &mut std::process::Command,
) -> Result<()> {
    let run = qemu::finish(qemu::start(board, command)?, program.time_limit())?;
    let expected = if run.stdout.contains("refused: ") { REFUSED } else { 0 };
    if run.status != expected {
        bail!("ended with status {}, expected {expected}:\n{}", run.status, run.stdout);
    }
    golden::compare(Golden::Shared, &format!("{PROGRAM}.{model}"), name, &run.stdout)
}
