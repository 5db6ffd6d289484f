//! What this machine lacks, and how it gets it.

use std::{
    collections::BTreeSet,
    env, fs,
    process::{Command, Stdio},
};

use anyhow::{Result, bail};

use crate::{board, firmware::run_to_success, toolchain};

/// Finds what is missing; installs it where that is possible without a question, otherwise says what to type.
///
/// # Errors
///
/// Something is missing and could not be installed; the message is the line to type.
pub fn doctor(dry_run: bool) -> Result<()> {
    let missing = missing()?;
    if missing.is_empty() {
        println!("nothing is missing");
        return Ok(());
    }
    for thing in &missing {
        println!("missing: {}", thing.what);
    }
    if !is_debian() {
        bail!(
            "install: QEMU 7.2 or newer with the emulators for arm and riscv32, and for each target above: rustup target add \
             TARGET"
        );
    }
    let packages: BTreeSet<&str> = missing.iter().flat_map(|thing| &thing.packages).copied().collect();
    let packages: Vec<&str> = packages.into_iter().collect();
    let line = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    let Some(prefix) = privileged() else {
        bail!("type: sudo apt-get update && sudo {line}");
    };
    if dry_run {
        bail!("'cargo xtask doctor' would run: {prefix}{line}");
    }
    println!("{prefix}{line}");
    apt(prefix, &["update", "--quiet"])?;
    let mut install = vec!["install", "--quiet", "--yes", "--no-install-recommends"];
    install.extend(&packages);
    apt(prefix, &install)?;
    let left = self::missing()?;
    match left.first() {
        None => Ok(()),
        Some(thing) => bail!("still missing after the installation: {}", thing.what),
    }
}

struct Missing {
    what: String,
    packages: Vec<&'static str>,
}

fn missing() -> Result<Vec<Missing>> {
    let mut missing = Vec::new();
    let boards = board::all()?;
    let emulators: BTreeSet<&str> = boards.values().map(|b| b.qemu.program.as_str()).collect();
    for emulator in emulators {
        if toolchain::in_path(emulator).is_none() {
            let package = match emulator {
                "qemu-system-arm" => "qemu-system-arm",
                _ => "qemu-system-misc",
            };
            missing.push(Missing { what: format!("the emulator {emulator}"), packages: vec![package] });
        }
    }
    let targets: BTreeSet<&str> = boards.values().map(|b| b.target.as_str()).collect();
    for target in targets {
        if let Some(problem) = toolchain::problem(target) {
            missing.push(Missing { what: problem, packages: vec!["cargo-web", "lld-22", "rust-web-src", "rustc-web"] });
        }
    }
    Ok(missing)
}

/// Whether packages are installed with apt: Debian, Ubuntu and what descends from them.
fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| {
        (line.starts_with("ID=") || line.starts_with("ID_LIKE="))
            && (line.contains("debian") || line.contains("ubuntu"))
    }) && toolchain::in_path("apt-get").is_some()
}

/// How to run a command as root without a question: directly, or with `sudo`.
fn privileged() -> Option<&'static str> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if root {
        return Some("");
    }
    let sudo = Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    sudo.then_some("sudo ")
}

fn apt(prefix: &str, args: &[&str]) -> Result<()> {
    let mut command = if prefix.is_empty() {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", "apt-get"]);
        sudo
    };
    command.args(args);
    // sudo drops the environment, but has no terminal to ask on either.
    if env::var_os("DEBIAN_FRONTEND").is_none() {
        command.env("DEBIAN_FRONTEND", "noninteractive");
    }
    run_to_success(&mut command)
}
