//! The programs of the firmware: `firmware/src/bin/NAME.rs`, and beside it `NAME.toml`, which says what to expect of it.

use std::{fs, time::Duration};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{elf::Trait, paths};

/// One program.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// What is expected of it.
    pub expect: Expect,
}

/// The keys of `NAME.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The exit status that is right (the numbers of `Exit` in the firmware).
    #[serde(default)]
    pub exit: i32,
    /// Which golden text its output is compared with.
    #[serde(default)]
    pub golden: Golden,
    /// The boards that it is for; empty: all.
    #[serde(default)]
    pub boards: Vec<String>,
    /// Most seconds that a run may take.
    #[serde(default = "default_time_limit_s")]
    pub time_limit_s: u64,
    /// What must not be linked.
    #[serde(default = "default_forbids")]
    pub forbids: Vec<Trait>,
    /// What must be linked: a control that shows that the check can see it.
    #[serde(default)]
    pub contains: Vec<Trait>,
    /// False: built and checked, but not run by itself (a test drives it).
    #[serde(default = "default_run")]
    pub run: bool,
    /// Bytes of its stack, where it needs another one than the board's; the firmware's build script reads it.
    pub stack_bytes: Option<u32>,
    /// Features of the firmware that it is built with.
    #[serde(default)]
    pub features: Vec<String>,
}

/// Which golden text, in `firmware/golden`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Golden {
    /// None: only the exit status counts.
    #[default]
    None,
    /// `NAME.txt`, the same on every board.
    Shared,
    /// `NAME.BOARD.txt`.
    Board,
    /// For each `== NAME` in its output the text that `cargo test` compares with too: `tests/golden/NAME.txt`.
    Programs,
    /// A row of `bench.BOARD.txt`, made by the step `bench`.
    Bench,
}

fn default_time_limit_s() -> u64 {
    60
}

fn default_forbids() -> Vec<Trait> {
    vec![Trait::Allocator, Trait::SoftFloat]
}

fn default_run() -> bool {
    true
}

impl Program {
    /// Most time that a run may take.
    pub fn time_limit(&self) -> Duration {
        Duration::from_secs(self.expect.time_limit_s)
    }

    /// Whether the program is for this board.
    pub fn is_for(&self, board: &str) -> bool {
        self.expect.boards.is_empty() || self.expect.boards.iter().any(|name| name == board)
    }
}

/// All programs, sorted by name. The folder is the list; a program without its expectations is an error.
pub fn all() -> Result<Vec<Program>> {
    let folder = paths::firmware().join("src/bin");
    let mut programs = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let expect = path.with_extension("toml");
        let text = fs::read_to_string(&expect).with_context(|| {
            format!("{} says what to expect of its program and must lie beside it", expect.display())
        })?;
        programs.push(Program {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            expect: toml::from_str(&text).with_context(|| expect.display().to_string())?,
        });
    }
    programs.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(programs)
}

/// The programs that `name` selects: one, or all.
pub fn select(name: Option<&str>) -> Result<Vec<Program>> {
    let programs = all()?;
    let Some(name) = name else {
        return Ok(programs);
    };
    let names: Vec<String> = programs.iter().map(|p| p.name.clone()).collect();
    let selected: Vec<_> = programs.into_iter().filter(|p| p.name == name).collect();
    if selected.is_empty() {
        bail!("no program '{name}' in firmware/src/bin; there are: {}", names.join(", "));
    }
    Ok(selected)
}
