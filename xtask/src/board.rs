//! The boards: `firmware/boards/*.toml`.

use std::{collections::BTreeMap, fs};

use anyhow::{Context, Result, bail};

use crate::paths;

#[path = "../../firmware/boards/schema.rs"]
mod schema;

pub use schema::{Board, PARTITION_KIB};

/// All boards by name.
pub fn all() -> Result<BTreeMap<String, Board>> {
    let folder = paths::firmware().join("boards");
    let mut boards = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let board: Board = toml::from_str(&text).with_context(|| path.display().to_string())?;
        if (board.budget.flash_kib + PARTITION_KIB) * 1024 > board.flash.bytes()
            || board.budget.ram_kib * 1024 > board.ram.bytes()
        {
            bail!(
                "{}: a budget is larger than the part's memory (without the {PARTITION_KIB} KiB of flash that hold a model's file)",
                path.display()
            );
        }
        boards.insert(name, board);
    }
    if boards.is_empty() {
        bail!("no board file in {}", folder.display());
    }
    Ok(boards)
}

/// The boards that `name` selects: one, or all.
pub fn select(name: Option<&str>) -> Result<BTreeMap<String, Board>> {
    let mut boards = all()?;
    let Some(name) = name else {
        return Ok(boards);
    };
    match boards.remove_entry(name) {
        Some(entry) => Ok(BTreeMap::from([entry])),
        None => bail!(
            "no board '{name}' in firmware/boards; there are: {}",
            boards.keys().cloned().collect::<Vec<_>>().join(", ")
        ),
    }
}
