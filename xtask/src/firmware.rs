//! Builds programs for boards, and runs one.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{
    board::{self, Board},
    paths,
    program::{self, Program},
    qemu, toolchain,
};

/// Where the built program lies. Boards of one target share the compiler's folder, so the result is copied out of it.
pub fn elf_path(board: &str, program: &str) -> PathBuf {
    paths::firmware_target().join("elf").join(board).join(program)
}

/// Builds these programs for the board. The compiler's messages go to `stderr` as they come.
pub fn build(name: &str, board: &Board, programs: &[&Program]) -> Result<()> {
    let toolchain = toolchain::choose(&board.target, true)?;
    // One call for each set of features, since a feature is the whole build's.
    let mut groups: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
    for program in programs {
        groups.entry(&program.expect.features).or_default().push(&program.name);
    }
    for (features, names) in groups {
        let mut command = toolchain.cargo(&board.target);
        command
            .current_dir(paths::firmware())
            .env("EMBERLITE_BOARD", name)
            .arg("build")
            .args(["--release", "--quiet", "--package", "emberlite-firmware"])
            .args(["--target", &board.target])
            .arg("--target-dir")
            .arg(paths::firmware_target())
            .args(toolchain.build_args());
        if !features.is_empty() {
            command.arg("--features").arg(features.join(","));
            // Without a filter the logging crate compiles errors only.
            command.env("DEFMT_LOG", "info");
        }
        for name in &names {
            command.args(["--bin", name]);
        }
        run_to_success(&mut command)?;
        let built = paths::firmware_target().join(&board.target).join("release");
        for program in names {
            copy(&built.join(program), &elf_path(name, program))?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

/// Runs a command whose output people see, and makes any other end than success an error.
pub fn run_to_success(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("starting {program}"))?;
    if !status.success() {
        let args: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        bail!("{program} {}: {status}", args.join(" "));
    }
    Ok(())
}

/// `cargo xtask build`.
pub fn build_command(board: Option<&str>, bin: Option<&str>) -> Result<()> {
    let programs = program::select(bin)?;
    for (name, board) in board::select(board)? {
        let toolchain = toolchain::choose(&board.target, true)?;
        println!("{name} ({}): {}", board.target, toolchain.describe());
        let programs: Vec<&Program> = programs.iter().filter(|p| p.is_for(&name)).collect();
        build(&name, &board, &programs)?;
        for program in programs {
            let elf = crate::elf::Elf::read(&elf_path(&name, &program.name), board.ram.origin)?;
            println!("  {:16} flash {:7} B, RAM {:7} B", program.name, elf.flash_bytes, elf.ram_bytes);
        }
    }
    Ok(())
}

/// `cargo xtask run`: builds, runs, and ends with the program's own status.
pub fn run_command(board_name: &str, bin: &str) -> Result<ExitCode> {
    let boards = board::select(Some(board_name))?;
    let board = &boards[board_name];
    let programs = program::select(Some(bin))?;
    let program = &programs[0];
    if !program.is_for(board_name) {
        bail!("{bin} is not for board {board_name}, only for: {}", program.expect.boards.join(", "));
    }
    build(board_name, board, &[program])?;
    let limit = program.time_limit();
    let run = qemu::run(board, &elf_path(board_name, bin), limit)?;
    print!("{}", run.stdout);
    if program.expect.features.is_empty() {
        eprint!("{}", String::from_utf8_lossy(&run.stderr));
    }
    println!("exit status {}", run.status);
    Ok(u8::try_from(run.status).map_or(ExitCode::FAILURE, ExitCode::from))
}
