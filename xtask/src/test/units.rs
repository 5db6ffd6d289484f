//! `cargo test` over all that runs on the host, the library with each of its square roots, the trainer built as the steps
//! `gpu` and `mpi` need it: it is built once.

use anyhow::Result;

use super::Cases;
use crate::{firmware::run_to_success, paths, toolchain};

pub fn run(cases: &mut Cases) -> Result<()> {
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).args(["test", "--quiet", "--workspace", "--no-fail-fast"]);
    command.args(super::trainer_features());
    cases.case("root", run_to_success(&mut command));

    // The library with another square root: its certificate must hold for that too.
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).args(["test", "--quiet", "--no-fail-fast"]);
    command.args(["--package", "emberlite", "--package", "emberlite-tests", "--features", "emberlite-tests/micromath"]);
    cases.case("micromath", run_to_success(&mut command));

    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::firmware()).args(["test", "--quiet", "--package", "emberlite-link", "--no-fail-fast"]);
    command.args(["--features", "std"]);
    cases.case("link", run_to_success(&mut command));
    Ok(())
}
