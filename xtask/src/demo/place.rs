//! Where a demo happens: board, program, folder.

use std::{
    fs::{self, File, TryLockError},
    path::PathBuf,
};

use anyhow::{Context, Result, bail};
use emberlite_link::Numbers;

use super::BOARD;
use crate::{
    board::{self, Board},
    paths,
    program::{self, Program},
};

/// The programs that can be it, and what they compute with.
const PROGRAMS: [(&str, Numbers); 2] = [("watch", Numbers::F32), ("watch_fixed", Numbers::Fixed16)];

/// Where it happens.
pub struct Place {
    /// The board's name.
    pub name: String,
    pub board: Board,
    pub program: Program,
    /// What the program computes with.
    pub numbers: Numbers,
    /// Where everything goes.
    pub folder: PathBuf,
    /// Held while the demo runs: two of them would write the same files.
    _lock: File,
}

impl Place {
    /// The board of that name, the program that is for it, and a folder that no other demo writes into.
    ///
    /// # Errors
    ///
    /// No such board, no program for it, or another demo is at work.
    pub fn new(name: &str, quick: bool) -> Result<Self> {
        let board = board::select(Some(name))?.remove(name).with_context(|| format!("no board {name}"))?;
        let programs = program::all()?;
        let found = PROGRAMS.iter().find_map(|(wanted, numbers)| {
            let program = programs.iter().find(|program| program.name == *wanted && program.is_for(name))?;
            Some((program.clone(), *numbers))
        });
        let Some((program, numbers)) = found else {
            let of = |(wanted, _): &(&str, Numbers)| programs.iter().find(|program| program.name == *wanted);
            let boards = PROGRAMS.iter().filter_map(of).flat_map(|program| program.expect.boards.clone());
            bail!("the demo has no program for board {name}, only for: {}", boards.collect::<Vec<_>>().join(", "));
        };
        let quick = if quick { "-quick" } else { "" };
        let board_of = if name == BOARD { String::new() } else { format!("-{name}") };
        let folder = paths::root().join("runs").join(format!("demo{board_of}{quick}"));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let path = folder.join("lock");
        let lock = File::create(&path).with_context(|| path.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => Ok(Place { name: name.into(), board, program, numbers, folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!("another demo is at work in {}; wait for its end", folder.display()),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| path.display().to_string()),
        }
    }
}
