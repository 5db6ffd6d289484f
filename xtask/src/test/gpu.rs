//! Training through a graphics adapter, compared with the CPU's: on Mesa's lavapipe where that is installed, a driver
//! that computes on the CPU, else on whatever there is. Skipped where there is no driver.
//!
//! The framework's part for adapters is most of what this costs: it is built at the level that compiles fastest (see
//! the root's `Cargo.toml`), without kernel fusion and without tuning, which tiny models don't need. Its features reach
//! into what the CPU's trainer is made of, so a second build would be most of the first: the steps `units`, `gpu` and `mpi`
//! share one, with [`super::trainer_features`].

use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::Cases;
use crate::{
    doctor::{VULKAN, is_lavapipe, vulkan_driver},
    paths, toolchain,
};

pub fn run(cases: &mut Cases) -> Result<()> {
    let Some(driver) = vulkan_driver() else {
        let why = format!("there is no Vulkan driver; on Debian: apt-get install {}", VULKAN.join(" "));
        cases.skip("train_wgpu", &why);
        return Ok(());
    };
    let mut command = toolchain::host_cargo()?;
    command.current_dir(paths::root()).args(["test", "--quiet", "--workspace", "--test", "train_wgpu"]);
    command.args(super::trainer_features()).args(["--", "--nocapture"]);
    let lavapipe = is_lavapipe(&driver);
    if lavapipe {
        // The loader's old and its present name for the only driver that it is to load.
        command.env("VK_DRIVER_FILES", &driver).env("VK_ICD_FILENAMES", &driver);
    }
    match tried(&mut command) {
        Ok(Some(why)) if !lavapipe => cases.skip("train_wgpu", &why),
        Ok(Some(why)) => cases.case("train_wgpu", Err(anyhow::anyhow!("{}: {why}", driver.display()))),
        result => cases.case("train_wgpu", result.map(|_| ())),
    }
    Ok(())
}

/// Runs the tests; `Some`: what they say who found no adapter.
fn tried(command: &mut Command) -> Result<Option<String>> {
    let output = command.stdin(Stdio::null()).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    print!("{text}");
    if !output.status.success() {
        bail!("cargo test --test train_wgpu: {}", output.status);
    }
    Ok(text.lines().find_map(|line| line.split_once("skipped: ")).map(|(_, why)| why.into()))
}
