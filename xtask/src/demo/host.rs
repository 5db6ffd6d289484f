//! The host's program `emberlite`, called as people call it.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::{firmware::run_to_success, paths, toolchain};

/// The built program.
#[derive(Debug, Clone)]
pub struct Emberlite(PathBuf);

/// What is simulated.
#[derive(Debug, Clone, Copy)]
pub struct Simulated<'a> {
    /// Where the description lies, and what comes of it.
    pub folder: &'a Path,
    /// The model's description, a file in the folder.
    pub description: &'a str,
    /// The sealed file of weights.
    pub weights: &'a Path,
}

/// What the demo reads of a simulation's figures.
#[derive(Debug, Clone, Deserialize)]
pub struct Figures {
    /// Windows judged.
    pub count: u64,
    /// Right ones among them, from 0 to 1.
    pub accuracy: f64,
    /// `[exercise][predicted]`, counts.
    pub confusion: Vec<Vec<u32>>,
    /// Steps that were skipped, because a number would have become infinite.
    pub skipped: u64,
    /// Of a training run: every step.
    pub trace: Option<Trace>,
}

/// Every step of a simulated training run.
#[derive(Debug, Clone, Deserialize)]
pub struct Trace {
    /// The bits of the loss before each step.
    pub loss_bits: Vec<u32>,
}

impl Emberlite {
    /// Builds the program, with what cargo says going to `stderr`.
    pub fn build() -> Result<Self> {
        let mut cargo = toolchain::host_cargo()?;
        cargo.current_dir(paths::root()).args(["build", "--package", "emberlite-host", "--bin", "emberlite"]);
        if !Self::path().is_file() {
            eprintln!("building the host's program, which takes minutes the first time");
        } else {
            cargo.arg("--quiet");
        }
        run_to_success(&mut cargo)?;
        Ok(Emberlite(Self::path()))
    }

    /// The program that lies there already.
    pub fn built() -> Result<Self> {
        let path = Self::path();
        ensure!(path.is_file(), "{} is not built; the step 'units' does that", path.display());
        Ok(Emberlite(path))
    }

    /// A whole path: the program is called from other folders.
    fn path() -> PathBuf {
        target(env::var_os("CARGO_TARGET_DIR")).join("debug").join(format!("emberlite{}", env::consts::EXE_SUFFIX))
    }

    /// Trains the model of `folder`, from its seed to a sealed file.
    pub fn train(&self, folder: &Path, seed: u32, epochs: Option<u32>, out: &Path) -> Result<()> {
        let run = out.with_extension("train");
        let mut args: Vec<&OsStr> = vec!["train".as_ref(), "--quiet".as_ref(), "--fresh".as_ref()];
        args.extend::<[&OsStr; 2]>(["--out".as_ref(), out.as_ref()]);
        args.extend::<[&OsStr; 2]>(["--run".as_ref(), run.as_ref()]);
        let (seed, epochs) = (seed.to_string(), epochs.map(|epochs| epochs.to_string()));
        args.extend::<[&OsStr; 2]>(["--seed".as_ref(), seed.as_ref()]);
        if let Some(epochs) = &epochs {
            args.extend::<[&OsStr; 2]>(["--epochs".as_ref(), epochs.as_ref()]);
        }
        self.call(folder, &args)
    }

    /// Makes of a trained file the one of a description in another number format.
    pub fn quantize(&self, folder: &Path, description: &str, file: &Path, out: &Path) -> Result<()> {
        let args: [&OsStr; 6] = [
            "export".as_ref(),
            file.as_ref(),
            "--model".as_ref(),
            description.as_ref(),
            "--out".as_ref(),
            out.as_ref(),
        ];
        self.call(folder, &args)
    }

    /// Makes of a sealed file the one for flash: the same tensors without the JSON, which only other readers need.
    pub fn export(&self, folder: &Path, file: &Path, out: &Path) -> Result<()> {
        let args: [&OsStr; 6] =
            ["export".as_ref(), file.as_ref(), "--profile".as_ref(), "raw".as_ref(), "--out".as_ref(), out.as_ref()];
        self.call(folder, &args)
    }

    /// Trains as the device does: `steps` windows of `data`, from the first again after the last.
    pub fn simulate(&self, of: &Simulated<'_>, data: &Path, steps: usize, out: &Path) -> Result<Figures> {
        let steps = steps.to_string();
        self.figures(
            of,
            data,
            &["--steps".as_ref(), steps.as_ref(), "--trace".as_ref(), "--out".as_ref(), out.as_ref()],
        )
    }

    /// Judges every window of `data` as the device does.
    pub fn evaluate(&self, of: &Simulated<'_>, data: &Path) -> Result<Figures> {
        self.figures(of, data, &[])
    }

    fn figures(&self, of: &Simulated<'_>, data: &Path, further: &[&OsStr]) -> Result<Figures> {
        let Simulated { folder, description, weights } = of;
        let (name, part) = (weights.file_stem().unwrap_or_default(), data.file_stem().unwrap_or_default());
        let json = folder.join(format!("{}.{}.json", name.to_string_lossy(), part.to_string_lossy()));
        let mut args: Vec<&OsStr> = vec!["simulate".as_ref(), "--model".as_ref(), description.as_ref()];
        args.extend::<[&OsStr; 2]>(["--weights".as_ref(), weights.as_ref()]);
        args.extend::<[&OsStr; 4]>(["--data".as_ref(), data.as_ref(), "--metrics".as_ref(), json.as_ref()]);
        args.extend(further);
        self.call(folder, &args)?;
        let text = std::fs::read_to_string(&json).with_context(|| json.display().to_string())?;
        serde_json::from_str(&text).with_context(|| json.display().to_string())
    }

    /// Makes the page of a report.
    pub fn report(&self, folder: &Path, json: &Path) -> Result<()> {
        self.call(folder, &["report".as_ref(), json.as_ref()])
    }

    /// Runs the program in `folder`, whose `model.toml` it reads; shows what it says only where it fails.
    fn call(&self, folder: &Path, args: &[&OsStr]) -> Result<()> {
        let mut command = Command::new(&self.0);
        command.current_dir(folder).args(args).stdin(Stdio::null());
        let output = command.output().with_context(|| format!("starting {}", self.0.display()))?;
        if !output.status.success() {
            let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("in {}: emberlite {}: {}\n{}", folder.display(), args.join(" "), output.status, said.trim_end());
        }
        Ok(())
    }
}

/// Where cargo builds, given `CARGO_TARGET_DIR`: it runs in the repository's root, and a relative folder is relative to that.
fn target(given: Option<OsString>) -> PathBuf {
    paths::root().join(given.unwrap_or_else(|| "target".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_a_whole_path() {
        let root = paths::root();
        assert!(root.is_absolute());
        assert_eq!(target(None), root.join("target"));
        assert_eq!(target(Some("elsewhere".into())), root.join("elsewhere"));
        let whole = env::temp_dir().join("elsewhere");
        assert_eq!(target(Some(whole.clone().into())), whole);
    }
}
