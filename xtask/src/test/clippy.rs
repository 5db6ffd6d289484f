//! Clippy over all that compiles for the host: the root workspace, the library with its features, and the firmware's packages
//! without its programs.
//!
//! The root workspace with the trainer's code for NVIDIA GPUs: for want of one, this is what checks it. The framework downloads
//! a compiler's library to build that part; told that it is being documented, it doesn't, and everything but the linking
//! can be checked.

use anyhow::Result;

use super::Cases;
use crate::{firmware::run_to_success, paths, toolchain};

pub fn run(cases: &mut Cases) -> Result<()> {
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).env("DOCS_RS", "1").args(["clippy", "--quiet", "--workspace", "--all-targets"]);
    command.args(["--features", "emberlite-host/cuda", "--", "-D", "warnings"]);
    cases.case("root", run_to_success(&mut command));

    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).args(["clippy", "--quiet", "--package", "emberlite", "--all-targets"]);
    command.args(["--features", "micromath,defmt", "--", "-D", "warnings"]);
    cases.case("features", run_to_success(&mut command));

    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::firmware()).args(["clippy", "--quiet", "--all-targets"]);
    for package in ["emberlite-drive", "emberlite-link", "emberlite-logs", "emberlite-models"] {
        command.args(["--package", package]);
    }
    command.args(["--", "-D", "warnings"]);
    cases.case("firmware", run_to_success(&mut command));
    Ok(())
}
