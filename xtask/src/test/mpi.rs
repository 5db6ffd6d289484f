//! Training by several processes, compared with one: with Debian's Open MPI, on this machine. Skipped where it isn't
//! installed.

use anyhow::Result;

use super::Cases;
use crate::{
    doctor::{MPI, has_mpi},
    firmware::run_to_success,
    paths, toolchain,
};

pub fn run(cases: &mut Cases) -> Result<()> {
    if !has_mpi() {
        let why = format!("there is no MPI, or no libclang to bind it; on Debian: apt-get install {}", MPI.join(" "));
        cases.skip("mpi", &why);
        return Ok(());
    }
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).args(["test", "--quiet", "--workspace", "--test", "mpi"]);
    command.args(super::trainer_features());
    cases.case("mpi", run_to_success(&mut command));
    Ok(())
}
