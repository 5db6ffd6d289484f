//! The trainer's code for NVIDIA GPUs: type-checked, for want of one.
//!
//! The framework downloads a compiler's library to build that part; told that it is being documented, it doesn't, and
//! everything but the linking can be checked.

use anyhow::Result;

use super::Cases;
use crate::{firmware::run_to_success, paths, toolchain};

pub fn run(cases: &mut Cases) -> Result<()> {
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).env("DOCS_RS", "1").args(["check", "--quiet", "--package", "emberlite-host"]);
    command.args(["--no-default-features", "--features", "cuda"]);
    cases.case("cuda", run_to_success(&mut command));
    Ok(())
}
