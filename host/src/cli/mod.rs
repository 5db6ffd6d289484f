//! The program `emberlite`: one command a file, each a few calls of the library.
//!
//! Exit status: 0 done, 1 failed with one message on standard error, 2 called wrongly, 130 ended by Ctrl-C.

mod compare;
mod contact_sheet;
mod cross_validate;
mod data;
mod data_media;
mod devices;
mod error;
mod evaluate;
mod export;
mod import;
mod inspect;
mod interrupt;
mod line;
mod new;
mod outputs;
mod page;
mod plan;
mod prepared;
mod ranks;
mod recipes;
mod report;
mod run_folder;
mod search;
mod simulate;
mod train;
mod unfinished;
mod weights;
mod words;

pub use error::CliError;

use crate::spec::{DataSpec, Spec};
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Train models on this machine, keep them learning on the chip.
#[derive(Debug, Parser)]
#[command(name = "emberlite", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The text of each command's help is that of its arguments.
#[derive(Debug, Subcommand)]
enum Command {
    New(new::Arguments),
    Data(data::Arguments),
    Plan(plan::Arguments),
    Train(train::Arguments),
    Devices(devices::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Inspect(inspect::Arguments),
    CrossValidate(cross_validate::Arguments),
    Search(search::Arguments),
    Simulate(simulate::Arguments),
    Recipes(recipes::Arguments),
    Report(page::Arguments),
    Evaluate(evaluate::Arguments),
    Compare(compare::Arguments),
}

/// Runs the program with the process's arguments and standard output.
pub fn main() -> ExitCode {
    // Before anything is allocated: training asks for the same megabytes again and again.
    crate::train::memory::keep_freed();
    crate::threads::join_pool();
    let mut out = io::stdout().lock();
    let status = run(std::env::args_os(), &mut out, &mut io::stderr());
    let _ = out.flush();
    ExitCode::from(status)
}

/// Runs the program; the first argument is its name. Returns the exit status.
pub fn run<T: Into<OsString>>(
    arguments: impl IntoIterator<Item = T>,
    out: &mut dyn Write,
    error: &mut dyn Write,
) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let line = line::Line::typed(&arguments);
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and version are answers, the rest is a wrong call.
            let to: &mut dyn Write = if answer.use_stderr() { error } else { out };
            let _ = write!(to, "{answer}");
            return if answer.use_stderr() { 2 } else { 0 };
        }
    };
    let done = match cli.command {
        Command::New(arguments) => new::run(&arguments, out),
        Command::Train(arguments) => train::run(&arguments, &line, out),
        Command::Devices(arguments) => devices::run(&arguments, out),
        Command::Export(arguments) => export::run(&arguments, out),
        Command::Import(arguments) => import::run(&arguments, out),
        Command::Data(arguments) => data::run(&arguments, out),
        Command::Plan(arguments) => plan::run(&arguments, out),
        Command::Inspect(arguments) => inspect::run(&arguments, out),
        Command::CrossValidate(arguments) => cross_validate::run(&arguments, &line, out),
        Command::Search(arguments) => search::run(&arguments, &line, out),
        Command::Simulate(arguments) => simulate::run(&arguments, out),
        Command::Recipes(arguments) => recipes::run(&arguments, &line, out),
        Command::Report(arguments) => page::run(&arguments, out),
        Command::Evaluate(arguments) => evaluate::run(&arguments, out),
        Command::Compare(arguments) => compare::run(&arguments, out),
    };
    match done {
        Ok(()) => 0,
        // Whoever reads the output has seen enough (`| head`).
        Err(CliError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
        Err(CliError::Interrupted(how)) => {
            let _ = writeln!(error, "{}", harmless(&how));
            interrupt::STATUS
        }
        Err(failure) => {
            let _ = writeln!(error, "error: {}", harmless(&failure.to_string()));
            1
        }
    }
}

/// Bytes of a table that is packed for longer than one waits without a word, about half a second of it.
const LONG: u64 = 64 << 20;

/// Says that large tables will be packed first, which is done once and takes a while.
fn say_packing(spec: &Spec, quiet: bool) {
    let tables = spec.data.as_ref().map(DataSpec::to_pack).unwrap_or_default();
    for (path, bytes) in tables.into_iter().filter(|(_, bytes)| *bytes > LONG && !quiet) {
        let table = harmless(&path.display().to_string());
        // Nobody can be told that this can't be told.
        let _ = writeln!(io::stderr(), "packing {table} ({} MiB), once", bytes >> 20);
    }
}

/// Says what is no error but must be known, where it doesn't mix with the result.
fn warn(message: &str) {
    // Nobody can be told that this can't be told.
    let _ = writeln!(io::stderr(), "warning: {}", harmless(message));
}

/// A message without the characters that a terminal obeys: messages quote files, and those come from anywhere. Lines
/// stay lines.
fn harmless(message: &str) -> String {
    let mut text = String::with_capacity(message.len());
    for c in message.chars() {
        // The ranges turn the direction of writing, so that a text reads as another one.
        let obeyed =
            c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if obeyed && c != '\n' { text.extend(c.escape_debug()) } else { text.push(c) }
    }
    text
}
