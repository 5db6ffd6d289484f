//! Gathers what the `bench_…` programs print and what their ELFs weigh, in one golden table for each board.
//!
//! Counts are exact and the same on any host, so the table is compared exactly. They are one compiler version's: with another
//! compiler the table is made and shown, and the comparison is skipped.

use std::{collections::BTreeMap, env, fs};

use anyhow::{Context, Result, bail};

use super::Cases;
use crate::{
    board::{self, Board},
    elf::Elf,
    firmware::elf_path,
    golden,
    program::{self, Golden, Program},
    qemu, toolchain,
};

/// The program that the flash of the others is counted beyond.
const EMPTY: &str = "empty";

pub fn run(cases: &mut Cases) -> Result<()> {
    let programs = program::all()?;
    // The bits of each bench's loss, with the first board that printed them.
    let mut losses: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (name, board) in board::all()? {
        let benches: Vec<&Program> =
            programs.iter().filter(|p| p.expect.golden == Golden::Bench && p.is_for(&name)).collect();
        if benches.is_empty() {
            continue;
        }
        if toolchain::in_path(&board.qemu.program).is_none() {
            cases.skip(&name, &format!("no {}", board.qemu.program));
            continue;
        }
        let version = toolchain::choose(&board.target, false)?.version()?;
        let mut table = header(&name, &board, &version);
        let mut complete = true;
        for program in benches {
            let row = measure(&name, &board, program).and_then(|row| {
                same_loss(&mut losses, &program.name, &name, &row)?;
                table += &line(&program.name, &row)?;
                Ok(())
            });
            complete &= row.is_ok();
            cases.case(&format!("{} on {name}", program.name), row);
        }
        print!("{table}");
        if complete {
            compare(cases, &name, &version, &table);
        }
    }
    Ok(())
}

fn compare(cases: &mut Cases, board: &str, version: &str, table: &str) {
    let file = format!("bench.{board}.txt");
    let blessing = env::var_os("EMBERLITE_BLESS").is_some_and(|value| value == "1");
    let other = fs::read_to_string(golden::path(&file))
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .filter(|first| !first.ends_with(version));
    match other {
        Some(first) if !blessing => {
            cases.skip(&file, &format!("made by another compiler ({first})"));
        }
        _ => cases.case(&file, golden::compare_file(&file, table)),
    }
}

/// What one bench gave: the program's own `key value` lines, `flash` beyond the empty program, and `ram`.
type Row = BTreeMap<String, u64>;

fn measure(name: &str, board: &Board, program: &Program) -> Result<Row> {
    let path = elf_path(name, &program.name);
    let run = qemu::run(board, &path, program.time_limit())?;
    if run.status != 0 {
        bail!("ended with status {}:\n{}", run.status, run.stdout);
    }
    let mut row = Row::new();
    for text in run.stdout.lines() {
        let (key, value) = text.split_once(' ').with_context(|| format!("not 'key value': {text}"))?;
        let value = value.parse().with_context(|| format!("no number: {text}"))?;
        row.insert(key.into(), value);
    }
    let elf = Elf::read(&path, board.ram.origin)?;
    let empty = Elf::read(&elf_path(name, EMPTY), board.ram.origin)?;
    row.insert("flash".into(), elf.flash_bytes.saturating_sub(empty.flash_bytes));
    let ram = get(&row, "arena")? + get(&row, "stack")?;
    row.insert("ram".into(), ram);
    Ok(row)
}

fn get(row: &Row, key: &str) -> Result<u64> {
    row.get(key).copied().with_context(|| format!("the bench printed no '{key}'"))
}

/// f32 is computed in one order everywhere, so every board must end with the same bits.
fn same_loss(losses: &mut BTreeMap<String, (String, String)>, program: &str, board: &str, row: &Row) -> Result<()> {
    let loss = get(row, "loss")?.to_string();
    let (first_board, first) = losses.entry(program.into()).or_insert_with(|| (board.into(), loss.clone()));
    if *first != loss {
        bail!("the loss's bits are {loss} here and {first} on {first_board}");
    }
    Ok(())
}

fn header(name: &str, board: &Board, version: &str) -> String {
    format!(
        "# {name} ({}), counted by cargo xtask test bench, {version}\n\
         # Instructions of one call; flash beyond an empty program; RAM: arena and stack.\n\
         {:20} {:>9} {:>10} {:>10} {:>9} {:>8} {:>8} {:>7} {:>8}\n",
        board.part, "case", "predict", "train", "train most", "MACs", "flash B", "arena B", "stack B", "RAM B"
    )
}

fn line(program: &str, row: &Row) -> Result<String> {
    Ok(format!(
        "{:20} {:9} {:10} {:10} {:9} {:8} {:8} {:7} {:8}\n",
        program.trim_start_matches("bench_"),
        get(row, "predict")?,
        get(row, "train")?,
        get(row, "train_most")?,
        get(row, "macs_train")?,
        get(row, "flash")?,
        get(row, "arena")?,
        get(row, "stack")?,
        get(row, "ram")?,
    ))
}
