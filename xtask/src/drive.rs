//! Fine-tuning over the serial port: the firmware in the emulator, the host's program `emberlite-drive` on its line.

use std::{env, fs, path::PathBuf, process};

use anyhow::{Context, Result, bail};

use crate::{board::Board, firmware::elf_path, paths, program::Program, qemu, toolchain};

/// The program that is driven.
pub const PROGRAM: &str = "fine_tune";

/// What both ends said.
pub struct Conversation {
    /// The driver's text, the same on every board.
    pub host: String,
    /// The device's text.
    pub device: String,
}

/// A folder for the socket: short, since a socket's path may have about 100 bytes only; gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Result<Self> {
        let folder = env::temp_dir().join(format!("emberlite-{}-{name}", process::id()));
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Folder(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind is an empty folder of the system's temporary ones.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Starts the built program on the board and drives it to its end.
pub fn drive(name: &str, board: &Board, program: &Program) -> Result<Conversation> {
    let folder = Folder::new(name)?;
    let socket = folder.0.join("line");
    let mut emulator = qemu::command(board, &elf_path(name, PROGRAM));
    emulator
        .arg("-chardev")
        .arg(format!("socket,id=line,path={},server=on,wait=off", socket.display()))
        .args(["-serial", "chardev:line"]);
    let mut child = qemu::start(board, &mut emulator)?;

    let driven = toolchain::host_cargo()?
        .current_dir(paths::firmware())
        .args(["run", "--quiet", "--package", "emberlite-drive", "--", "fine-tune"])
        .arg(&socket)
        .arg(paths::root().join("data/digits.csv"))
        .arg(paths::firmware().join("models/digits.safetensors"))
        .output();
    let driven = match driven {
        Ok(output) if output.status.success() => output,
        Ok(output) => {
            child.kill()?;
            let run = qemu::finish(child, program.time_limit());
            let said = run.map_or_else(|e| e.to_string(), |run| run.stdout);
            bail!(
                "{}{}the device said: {said}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Err(error) => {
            child.kill()?;
            child.wait()?;
            return Err(error).context("starting the driver");
        }
    };
    // The device was told to finish, so it ends by itself.
    let run = qemu::finish(child, program.time_limit())?;
    if run.status != program.expect.exit {
        bail!("ended with status {}:\n{}", run.status, run.stdout);
    }
    let host = String::from_utf8_lossy(&driven.stdout).into_owned();
    Ok(Conversation { host, device: run.stdout })
}
