//! `cargo fmt --check` in both workspaces.

use anyhow::Result;

use super::Cases;
use crate::{firmware::run_to_success, paths, toolchain};

pub fn run(cases: &mut Cases) -> Result<()> {
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).args(["fmt", "--all", "--check"]);
    cases.case("root", run_to_success(&mut command));

    // Not `--all`, which would go on to the packages of the root.
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::firmware()).args(["fmt", "--check"]);
    for package in ["emberlite-firmware", "emberlite-drive", "emberlite-link", "emberlite-logs", "emberlite-models"] {
        command.args(["--package", package]);
    }
    cases.case("firmware", run_to_success(&mut command));
    Ok(())
}
