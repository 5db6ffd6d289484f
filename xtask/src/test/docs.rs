//! `cargo doc`, a broken link or a missing sentence being an error.

use anyhow::Result;

use super::Cases;
use crate::{firmware::run_to_success, paths, toolchain};

pub fn run(cases: &mut Cases) -> Result<()> {
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).env("RUSTDOCFLAGS", "-D warnings").args([
        "doc",
        "--quiet",
        "--workspace",
        "--no-deps",
    ]);
    cases.case("root", run_to_success(&mut command));
    Ok(())
}
