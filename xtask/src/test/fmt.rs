//! `cargo fmt --check` in both workspaces.

use anyhow::Result;

use super::Cases;
use crate::{firmware::run_to_success, paths, toolchain};

pub fn run(cases: &mut Cases) -> Result<()> {
    for (name, folder) in [("root", paths::root()), ("firmware", paths::firmware())] {
        let mut command = toolchain::host_cargo()?;
        command
            .current_dir(folder)
            .args(["fmt", "--all", "--check"]);
        cases.case(name, run_to_success(&mut command));
    }
    Ok(())
}
