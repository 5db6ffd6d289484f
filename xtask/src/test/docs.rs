//! `cargo doc`, a broken link or a missing sentence being an error. With the features of the step `clippy`, which has made all
//! that this needs of other crates.

use anyhow::Result;

use super::Cases;
use crate::{firmware::run_to_success, paths, toolchain};

pub fn run(cases: &mut Cases) -> Result<()> {
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).env("RUSTDOCFLAGS", "-D warnings").env("DOCS_RS", "1");
    command.args(["doc", "--quiet", "--workspace", "--no-deps", "--features", "emberlite-host/cuda"]);
    cases.case("root", run_to_success(&mut command));
    Ok(())
}
