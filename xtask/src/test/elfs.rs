//! What may be in a program, and how large it may be, read from the built ELFs.

use anyhow::{Result, bail};

use super::Cases;
use crate::{
    board::{self, Board},
    elf::Elf,
    firmware::elf_path,
    program::{self, Program},
};

pub fn run(cases: &mut Cases) -> Result<()> {
    let programs = program::all()?;
    for (name, board) in board::all()? {
        for program in programs.iter().filter(|p| p.is_for(&name)) {
            cases.case(&format!("{} on {name}", program.name), check(&name, &board, program));
        }
    }
    Ok(())
}

fn check(name: &str, board: &Board, program: &Program) -> Result<()> {
    let elf = Elf::read(&elf_path(name, &program.name), board.ram.origin)?;
    let limits = [("flash", elf.flash_bytes, board.budget.flash_kib), ("RAM", elf.ram_bytes, board.budget.ram_kib)];
    for (what, bytes, kib) in limits {
        let budget = u64::from(kib) * 1024;
        if bytes > budget {
            bail!("{what}: {bytes} B, the budget in firmware/boards/{name}.toml is {budget} B");
        }
    }
    for &forbidden in &program.expect.forbids {
        let evidence = elf.evidence(forbidden, board.fpu);
        if !evidence.is_empty() {
            bail!("{} is forbidden and linked: {}", forbidden.name(), evidence.join(", "));
        }
    }
    for &wanted in &program.expect.contains {
        if elf.evidence(wanted, board.fpu).is_empty() {
            bail!("{} should be linked and isn't seen: the check is blind", wanted.name());
        }
    }
    Ok(())
}
