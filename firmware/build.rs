//! Turns the board file into memory.x, constants and cfgs.
//!
//! The board is named by `EMBERLITE_BOARD` (default `m4f`); `cargo xtask build --board NAME` sets it.

#[path = "boards/schema.rs"]
#[allow(dead_code)]
mod schema;

use std::{env, error::Error, fs, path::PathBuf};

use schema::{Board, Machine, Region};

fn main() -> Result<(), Box<dyn Error>> {
    let name = env::var("EMBERLITE_BOARD").unwrap_or_else(|_| "m4f".into());
    let path = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("boards").join(format!("{name}.toml"));
    let path_text = path.display().to_string();
    println!("cargo::rerun-if-env-changed=EMBERLITE_BOARD");
    println!("cargo::rerun-if-changed={path_text}");
    println!("cargo::rerun-if-changed=layout/sections.x");
    println!("cargo::rerun-if-changed=boards/schema.rs");

    let text = fs::read_to_string(&path).map_err(|e| format!("{path_text}: {e}"))?;
    let board: Board = toml::from_str(&text).map_err(|e| format!("{path_text}: {e}"))?;
    let target = env::var("TARGET")?;
    if target != board.target {
        return Err(format!(
            "board {name} is built for {}, not for {target}: build it with `cargo xtask build --board {name}`",
            board.target
        )
        .into());
    }

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("memory.x"), memory_x(&board))?;
    fs::copy("layout/sections.x", out.join("sections.x"))?;
    fs::write(out.join("board.rs"), constants(&name, &board)?)?;
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tmemory.x");
    println!("cargo::rustc-link-arg-bins=-Tsections.x");
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }
    stacks()?;
    cfgs(&board);
    Ok(())
}

/// Hands the linker the stack of each program whose `.toml` asks for another one than the board's.
fn stacks() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=src/bin");
    for entry in fs::read_dir("src/bin")? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let path_text = path.display().to_string();
        println!("cargo::rerun-if-changed={path_text}");
        let table: toml::Table = fs::read_to_string(&path)?.parse().map_err(|e| format!("{path_text}: {e}"))?;
        let (Some(bytes), Some(name)) = (table.get("stack_bytes"), path.file_stem()) else { continue };
        let bytes = bytes.as_integer().ok_or_else(|| format!("{path_text}: stack_bytes must be a whole number"))?;
        println!("cargo::rustc-link-arg-bin={}=--defsym=_program_stack_bytes={bytes}", name.display());
    }
    Ok(())
}

/// The conditions of the source, decided here and nowhere else.
fn cfgs(board: &Board) {
    println!("cargo::rustc-check-cfg=cfg(arch, values(\"arm\", \"riscv\"))");
    println!("cargo::rustc-check-cfg=cfg(machine, values(\"mps2\", \"virt\"))");
    println!("cargo::rustc-check-cfg=cfg(v6m)");
    println!("cargo::rustc-check-cfg=cfg(fpu)");
    let arch = if board.target.starts_with("thumb") { "arm" } else { "riscv" };
    println!("cargo::rustc-cfg=arch=\"{arch}\"");
    println!("cargo::rustc-cfg=machine=\"{}\"", board.machine.name());
    if board.target.starts_with("thumbv6m") {
        println!("cargo::rustc-cfg=v6m");
    }
    if board.fpu {
        println!("cargo::rustc-cfg=fpu");
    }
}

fn memory_x(board: &Board) -> String {
    let Board { flash, ram, .. } = board;
    format!(
        "MEMORY\n{{\n  FLASH : ORIGIN = {:#010x}, LENGTH = {}K\n  RAM : ORIGIN = {:#010x}, LENGTH = {}K\n}}\n\
         _stack_bytes = DEFINED(_program_stack_bytes) ? _program_stack_bytes : {};\n",
        flash.origin,
        flash.kib - schema::PARTITION_KIB,
        ram.origin,
        ram.kib,
        board.stack_bytes
    )
}

fn constants(name: &str, board: &Board) -> Result<String, Box<dyn Error>> {
    let mut text = format!(
        "/// The board's name, as in `boards/`.\npub const NAME: &str = {name:?};\n\
         /// The real part whose memory the board has.\npub const PART: &str = {:?};\n\
         /// Bytes of the stack.\npub const STACK_BYTES: usize = {};\n",
        board.part, board.stack_bytes
    );
    text += &format!(
        "/// Bytes at the end of flash that hold a model's file.\npub const PARTITION_BYTES: u32 = {};\n",
        schema::PARTITION_KIB * 1024
    );
    for (what, region) in [("FLASH", board.flash), ("RAM", board.ram)] {
        text += &format!(
            "/// First address of {what}.\npub const {what}_ORIGIN: u32 = {:#010x};\n\
             /// Bytes of {what}.\npub const {what}_BYTES: u32 = {};\n",
            region.origin,
            region.bytes()
        );
        if board.machine == Machine::Mps2 {
            let value = mpu_size(region).map_err(|e| format!("board {name}, {what}: {e}"))?;
            text += &format!(
                "/// The size bits and the disabled eighths of {what}'s MPU region.\n\
                 pub const {what}_MPU_SIZE: u32 = {value:#010x};\n"
            );
        }
    }
    Ok(text)
}

/// The SIZE and SRD fields of a v7-M region that covers exactly `region`: a power of two, less the last eighths.
fn mpu_size(region: Region) -> Result<u32, String> {
    let covered = region.bytes().next_power_of_two();
    let eighth = covered / 8;
    if !region.bytes().is_multiple_of(eighth) || !region.origin.is_multiple_of(covered) {
        return Err(format!(
            "an MPU region can't cover {} KiB at {:#x}: the size must be a power of two less whole eighths of it, and the \
             origin a multiple of that power",
            region.kib, region.origin
        ));
    }
    let enabled = region.bytes() / eighth;
    let disabled = 0xFFu32 << enabled & 0xFF;
    Ok(disabled << 8 | (covered.trailing_zeros() - 1) << 1)
}
