//! The commands that plain cargo cannot do: build firmware for a board, run it in the emulator, judge everything.
//!
//! Few dependencies, since every command compiles this first.

mod board;
mod demo;
mod doctor;
mod drive;
mod elf;
mod firmware;
mod golden;
mod paths;
mod program;
mod qemu;
mod test;
mod toolchain;

use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
cargo xtask COMMAND

  doctor [--dry-run]            install what is missing, or say what to type
  build [--board B] [--bin P]   build programs (default: all) for boards (default: all)
  run --board B --bin P         run one program in the emulator; its exit status is the verdict
  test [STEP...]                all checks, or the named steps; 'test --list' names them
  demo [--quick] [--board B]    train, flash, learn the other wrist on the device, compare every bit
                                (boards m4f, the default, in f32, and m0 in 16-bit integers)
  fine-tune [--board B]         a smaller one: handwritten digits, any board, no training on the host
  boards | programs             what there is

EMBERLITE_BLESS=1 makes 'test' rewrite the golden text instead of comparing with it.";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match dispatch(&args) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(args: &[String]) -> Result<ExitCode> {
    let Some((command, rest)) = args.split_first() else {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    };
    match command.as_str() {
        "doctor" => {
            let options = Options::parse(rest, &[], &["--dry-run"])?;
            options.no_names()?;
            doctor::doctor(options.flag("--dry-run"))?;
        }
        "build" => {
            let options = Options::parse(rest, &["--board", "--bin"], &[])?;
            options.no_names()?;
            firmware::build_command(options.value("--board"), options.value("--bin"))?;
        }
        "run" => {
            let options = Options::parse(rest, &["--board", "--bin"], &[])?;
            options.no_names()?;
            let (Some(board), Some(bin)) = (options.value("--board"), options.value("--bin")) else {
                bail!("run needs --board and --bin\n\n{USAGE}");
            };
            return firmware::run_command(board, bin);
        }
        "test" => {
            let options = Options::parse(rest, &[], &["--list"])?;
            return test::run(&options.names, options.flag("--list"));
        }
        "fine-tune" => {
            let options = Options::parse(rest, &["--board"], &[])?;
            options.no_names()?;
            fine_tune(options.value("--board").unwrap_or("m4f"))?;
        }
        "demo" => {
            let options = Options::parse(rest, &["--board"], &["--quick"])?;
            options.no_names()?;
            demo::run(options.value("--board").unwrap_or(demo::BOARD), options.flag("--quick"), demo::Host::Build)?;
        }
        "boards" => {
            for (name, board) in board::all()? {
                println!(
                    "{name:10} {:12} {:4} flash {:5} KiB, RAM {:4} KiB, stack {:5} B, {}",
                    board.part,
                    board.machine.name(),
                    board.flash.kib,
                    board.ram.kib,
                    board.stack_bytes,
                    board.target
                );
            }
        }
        "programs" => {
            for program in program::all()? {
                println!("{}", program.name);
            }
        }
        "help" | "--help" | "-h" => println!("{USAGE}"),
        other => bail!("unknown command '{other}'\n\n{USAGE}"),
    }
    Ok(ExitCode::SUCCESS)
}

/// A device that learns a new writer's hand over its serial port, in the emulator.
fn fine_tune(board_name: &str) -> Result<()> {
    let boards = board::select(Some(board_name))?;
    let board = &boards[board_name];
    let programs = program::select(Some(drive::PROGRAM))?;
    println!("building {} for {board_name} ({})", drive::PROGRAM, board.part);
    firmware::build(board_name, board, &[&programs[0]])?;
    let conversation = drive::drive(board_name, board, &programs[0])?;
    print!("{}on the device: {}", conversation.host, conversation.device);
    Ok(())
}

/// A command's arguments: `--key value`, `--flag`, and plain names.
struct Options {
    values: Vec<(String, String)>,
    flags: Vec<String>,
    names: Vec<String>,
}

impl Options {
    fn parse(args: &[String], keys: &[&str], flags: &[&str]) -> Result<Self> {
        let mut parsed = Options { values: Vec::new(), flags: Vec::new(), names: Vec::new() };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if keys.contains(&arg.as_str()) {
                let Some(value) = args.next() else {
                    bail!("{arg} needs a value");
                };
                parsed.values.push((arg.clone(), value.clone()));
            } else if flags.contains(&arg.as_str()) {
                parsed.flags.push(arg.clone());
            } else if arg.starts_with('-') {
                bail!("unknown option '{arg}'\n\n{USAGE}");
            } else {
                parsed.names.push(arg.clone());
            }
        }
        Ok(parsed)
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.values.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    fn flag(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }

    fn no_names(&self) -> Result<()> {
        match self.names.first() {
            Some(name) => bail!("unexpected argument '{name}'\n\n{USAGE}"),
            None => Ok(()),
        }
    }
}
