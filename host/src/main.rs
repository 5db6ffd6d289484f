//! The program `emberlite`.

use std::process::ExitCode;

fn main() -> ExitCode {
    emberlite_host::cli::main()
}
