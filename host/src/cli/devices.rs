//! `emberlite devices`.

use std::io::Write;

use super::CliError;
use crate::train::devices;

/// Lists what this build can train on here.
///
/// Each line is what --device and `device` in model.toml take, and what it is; or why there is nothing of that kind.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let devices = devices();
    let width = devices.iter().map(|device| device.choice.len()).max().unwrap_or(0);
    for device in devices {
        let text = match device.found {
            Ok(name) if device.hardware || device.choice == "cpu" => name,
            Ok(name) => format!("{name} (a program on the CPU; `auto` leaves it out)"),
            Err(reason) => format!("- {reason}"),
        };
        writeln!(out, "{:width$}  {text}", device.choice)?;
    }
    Ok(())
}
