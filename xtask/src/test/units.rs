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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    /// A member that is forgotten there would be built as others' crates are: for long.
    #[test]
    fn every_member_has_its_own_level_of_optimisation() {
        let read = |path: &str| fs::read_to_string(paths::root().join(path)).unwrap().parse::<toml::Table>().unwrap();
        let root = read("Cargo.toml");
        let members = root["workspace"]["members"].as_array().unwrap().iter();
        let names = members.map(|member| read(&format!("{}/Cargo.toml", member.as_str().unwrap())));
        let names: BTreeSet<String> = names.map(|table| table["package"]["name"].as_str().unwrap().into()).collect();
        let levels = root["profile"]["dev"]["package"].as_table().unwrap();
        let own = levels.iter().filter(|(_, level)| level["opt-level"].as_integer() == Some(1));
        assert_eq!(own.map(|(name, _)| name.clone()).collect::<BTreeSet<_>>(), names);
    }
}
