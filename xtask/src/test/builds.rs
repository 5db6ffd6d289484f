//! Builds every program for every board that it is for.

use anyhow::Result;

use super::Cases;
use crate::{
    board, firmware,
    program::{self, Program},
    toolchain,
};

pub fn run(cases: &mut Cases) -> Result<()> {
    let programs = program::all()?;
    for (name, board) in board::all()? {
        let chosen: Vec<&Program> = programs.iter().filter(|p| p.is_for(&name)).collect();
        let built = toolchain::choose(&board.target, true).and_then(|toolchain| {
            println!("{name} ({}): {}", board.target, toolchain.describe());
            firmware::build(&name, &board, &chosen)
        });
        cases.case(&name, built);
    }
    Ok(())
}
