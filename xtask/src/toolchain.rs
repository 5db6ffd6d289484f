//! Which compiler builds for a target.
//!
//! 1. The target is installed for the active compiler: use it.
//! 2. A compiler has the source of its library beside it (the active one, or the distribution's): build `core` from it. Only a
//!    compiler and a source of the same version fit, so each is tried only with its own.
//! 3. rustup may download (its auto-install isn't switched off): let it add the target.
//! 4. Otherwise one message says what to type.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

/// A compiler that can build for the target that it was chosen for.
#[derive(Debug, Clone)]
pub struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// `core` and `alloc` are built from source.
    build_std: bool,
    /// Given where the target's default linker isn't there.
    linker: Option<PathBuf>,
}

impl Toolchain {
    /// A `cargo` command that uses this compiler for `target`.
    pub fn cargo(&self, target: &str) -> Command {
        let mut command = Command::new(&self.cargo);
        // What this process was built with must not leak into a build with another compiler.
        for variable in
            ["CARGO", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "LD_LIBRARY_PATH", "RUSTFLAGS", "RUSTUP_TOOLCHAIN"]
        {
            command.env_remove(variable);
        }
        command.env("RUSTC", &self.rustc);
        if let Some(linker) = &self.linker {
            let variable = target.to_uppercase().replace('-', "_");
            command.env(format!("CARGO_TARGET_{variable}_LINKER"), linker);
        }
        if self.build_std {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command
    }

    /// The arguments of `cargo build` that this choice needs.
    pub fn build_args(&self) -> &'static [&'static str] {
        if self.build_std {
            // `alloc` too: one program proves that the check for a heap can see one.
            &["-Zbuild-std=core,alloc"]
        } else {
            &[]
        }
    }

    /// The compiler's version, such as `rustc 1.96.0`.
    pub fn version(&self) -> Result<String> {
        let output = Command::new(&self.rustc).arg("--version").output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        format!(
            "{}{}{}",
            self.rustc.display(),
            if self.build_std { ", core built from source" } else { "" },
            self.linker.as_ref().map_or(String::new(), |linker| format!(", linker {}", linker.display()))
        )
    }
}

/// Decides for one target. Downloads nothing unless `may_install` and rustup's own setting allow it.
pub fn choose(target: &str, may_install: bool) -> Result<Toolchain> {
    let active = active();
    let candidates = [active.clone(), distribution()];
    for (cargo, rustc) in candidates.iter().flatten() {
        let Some(sysroot) = sysroot(rustc) else {
            continue;
        };
        let installed = sysroot.join("lib/rustlib").join(target).join("lib").is_dir();
        let source = sysroot.join("lib/rustlib/src/rust/library/Cargo.lock").is_file();
        if !installed && !source {
            continue;
        }
        let linker = match linker(&sysroot) {
            Linker::Default => None,
            Linker::At(path) => Some(path),
            Linker::Missing => continue,
        };
        return Ok(Toolchain { cargo: cargo.clone(), rustc: rustc.clone(), build_std: !installed, linker });
    }
    let forbidden = env::var_os("RUSTUP_AUTO_INSTALL").is_some_and(|value| value == "0");
    let line = format!("rustup target add {target}");
    if active.is_some() && in_path("rustup").is_some() && !forbidden && may_install {
        println!("{line}");
        let status = Command::new("rustup").args(["target", "add", target]).status()?;
        if status.success() {
            return choose(target, false);
        }
    }
    bail!(
        "no compiler here builds for {target}; type: {line}, or on Debian: apt-get install rustc-web rust-web-src cargo-web lld-22"
    )
}

/// The `cargo` that runs us and its `rustc`.
fn active() -> Option<(PathBuf, PathBuf)> {
    let cargo = env::var_os("CARGO").map(PathBuf::from).or_else(|| in_path("cargo"))?;
    // Of a rustup toolchain this is the compiler itself, which a proxy in the path could not be told apart from.
    let beside = cargo.with_file_name("rustc");
    let rustc = if beside.is_file() { beside } else { in_path("rustc")? };
    Some((cargo, rustc))
}

/// The distribution's own compiler, where its library's source can be installed beside it.
fn distribution() -> Option<(PathBuf, PathBuf)> {
    let (cargo, rustc) = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
    (cargo.is_file() && rustc.is_file()).then_some((cargo, rustc))
}

fn sysroot(rustc: &Path) -> Option<PathBuf> {
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(text.trim()))
}

enum Linker {
    /// The one that the compiler brings.
    Default,
    At(PathBuf),
    Missing,
}

/// The bare-metal targets link with `rust-lld`, which distributions leave out; any lld does the same.
fn linker(sysroot: &Path) -> Linker {
    if rust_lld(sysroot).is_some() {
        return Linker::Default;
    }
    let versioned = (15..=30).rev().map(|version| format!("ld.lld-{version}"));
    for name in versioned.chain(["ld.lld".into(), "rust-lld".into()]) {
        if let Some(path) = in_path(&name) {
            return Linker::At(path);
        }
    }
    let toolchains = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".rustup")))
        .map(|home| home.join("toolchains"));
    let found = toolchains
        .and_then(|folder| folder.read_dir().ok())
        .into_iter()
        .flatten()
        .filter_map(|entry| rust_lld(&entry.ok()?.path()))
        .next();
    found.map_or(Linker::Missing, Linker::At)
}

fn rust_lld(sysroot: &Path) -> Option<PathBuf> {
    sysroot
        .join("lib/rustlib")
        .read_dir()
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/rust-lld")))
        .find(|path| path.is_file())
}

/// The first executable of that name in the path.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path: OsString = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// What stands in the way of building for `target`, as one line; `None`: nothing.
pub fn problem(target: &str) -> Option<String> {
    choose(target, false).err().map(|error| format!("{error:#}"))
}

/// The active cargo, for the host's own builds.
pub fn host_cargo() -> Result<Command> {
    let (cargo, _) = active().context("no cargo in the path")?;
    let mut command = Command::new(cargo);
    if env::var_os("XDG_RUNTIME_DIR").is_none() {
        // Without one, drivers of graphics adapters complain on every start of a program that asks for them.
        command.env("XDG_RUNTIME_DIR", env::temp_dir());
    }
    Ok(command)
}
