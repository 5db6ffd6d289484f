//! `emberlite devices`.

use std::io::Write;

use super::CliError;
use crate::train::devices;

/// Lists what this build can train on here.
///
/// Each line is what --device and `device` in model.toml take, what it is, and what --precision and `precision` may be there;
/// or why there is nothing of that kind.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let devices = devices();
    let width = devices.iter().map(|device| device.choice.len()).max().unwrap_or(0);
    for device in devices {
        let precisions: Vec<&str> = device.precisions.iter().map(|precision| precision.name()).collect();
        let precisions = precisions.join(", ");
        let text = match device.found {
            // What the CPU has of it is there to be tried: it converts.
            Ok(name) if device.choice == "cpu" => format!("{name}; {}", precisions.replace("bf16", "bf16 (slower)")),
            Ok(name) if device.hardware => format!("{name}; {precisions}"),
            Ok(name) => format!("{name} (a program on the CPU; `auto` leaves it out); {precisions}"),
            Err(reason) => format!("- {reason}"),
        };
        writeln!(out, "{:width$}  {text}", device.choice)?;
    }
    Ok(())
}
