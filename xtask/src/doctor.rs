//! What this machine lacks, and how it gets it.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Result, bail};

use crate::{board, firmware::run_to_success, toolchain};

/// Finds what is missing; installs it where that is possible without a question, otherwise says what to type.
///
/// # Errors
///
/// Something is missing that can't be done without and could not be installed; the message is the line to type.
pub fn doctor(dry_run: bool) -> Result<()> {
    if !dry_run {
        add_targets()?;
    }
    let missing = missing()?;
    if missing.is_empty() {
        println!("nothing is missing");
        return Ok(());
    }
    for thing in &missing {
        println!("missing: {}", thing.what);
    }
    match install(&missing, dry_run) {
        // What only makes a step be skipped is no reason to stop.
        Err(reason) if missing.iter().all(|thing| thing.optional) => {
            println!("going on without: {reason:#}");
            Ok(())
        }
        result => result,
    }
}

/// Lets rustup add the targets that no compiler here builds for, where it may download; elsewhere nothing happens.
fn add_targets() -> Result<()> {
    let targets: BTreeSet<String> = board::all()?.into_values().map(|board| board.target).collect();
    for target in targets {
        // Where that fails, `missing` says what else can be done.
        let _ = toolchain::choose(&target, true);
    }
    Ok(())
}

fn install(missing: &[Missing], dry_run: bool) -> Result<()> {
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
    match left.iter().find(|thing| !thing.optional) {
        None => Ok(()),
        Some(thing) => bail!("still missing after the installation: {}", thing.what),
    }
}

struct Missing {
    what: String,
    packages: Vec<&'static str>,
    /// Without it a step is skipped, and nothing fails.
    optional: bool,
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
            let what = format!("the emulator {emulator}");
            missing.push(Missing { what, packages: vec![package], optional: false });
        }
    }
    let targets: BTreeSet<&str> = boards.values().map(|b| b.target.as_str()).collect();
    for target in targets {
        if let Some(problem) = toolchain::problem(target) {
            let packages = vec!["cargo-web", "lld-22", "rust-web-src", "rustc-web"];
            missing.push(Missing { what: problem, packages, optional: false });
        }
    }
    if cfg!(target_os = "linux") && vulkan_driver().is_none() {
        let what = "a Vulkan driver; without one the GPU's code isn't tested".into();
        missing.push(Missing { what, packages: VULKAN.to_vec(), optional: true });
    }
    if cfg!(target_os = "linux") && !has_mpi() {
        let what = "MPI with libclang; without it training by several processes isn't tested".into();
        missing.push(Missing { what, packages: MPI.to_vec(), optional: true });
    }
    Ok(missing)
}

/// Debian's packages with Open MPI, its launcher, and the library that reads its headers.
pub const MPI: [&str; 3] = ["libclang-dev", "libopenmpi-dev", "openmpi-bin"];

/// Whether programs can be built with MPI and started by it.
pub fn has_mpi() -> bool {
    let tools = ["mpicc", "mpirun"].iter().all(|tool| toolchain::in_path(tool).is_some());
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let libraries = folders.filter(|folder| folder.file_name().to_string_lossy().starts_with("llvm"));
    let files = libraries.flat_map(|folder| fs::read_dir(folder.path().join("lib")).into_iter().flatten().flatten());
    tools && files.map(|file| file.file_name()).any(|name| name.to_string_lossy().starts_with("libclang.so"))
}

/// Debian's packages with Vulkan's loader and a driver that needs no GPU.
pub const VULKAN: [&str; 2] = ["libvulkan1", "mesa-vulkan-drivers"];

/// The manifest of a Vulkan driver: Mesa's lavapipe, which computes on the CPU and so is the same everywhere, before
/// any other.
pub fn vulkan_driver() -> Option<PathBuf> {
    let folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let files = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
    let manifests = files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    manifests.min_by_key(|path| (!is_lavapipe(path), path.clone()))
}

/// Whether a driver's manifest is lavapipe's, going by the name that Mesa gives it.
pub fn is_lavapipe(manifest: &Path) -> bool {
    manifest.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd"))
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
