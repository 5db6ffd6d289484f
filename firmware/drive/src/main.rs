//! The host's end of the link.
//!
//! - `emberlite-drive factory DATA IMAGE` trains the factory model on the first three writers and writes the file that the
//!   firmware carries in its flash.
//! - `emberlite-drive strangers FOLDER` writes files of models that the firmware has never seen.
//! - `emberlite-drive fine-tune SOCKET DATA IMAGE` lets the device learn a new writer's hand, simulates the same on the host
//!   with the same library, and fails unless every parameter has the same bits.

mod digits;
mod factory;
mod fine_tune;
mod garbage;
mod line;
mod strangers;

use std::{env, path::Path, process::ExitCode};

use anyhow::{Result, bail};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        ["factory", data, image] => factory::factory(Path::new(data), Path::new(image)),
        ["strangers", folder] => strangers::write(Path::new(folder)),
        ["fine-tune", socket, data, image] => {
            fine_tune::fine_tune(Path::new(socket), Path::new(data), Path::new(image))
        }
        _ => bail!("call it with: factory DATA IMAGE | strangers FOLDER | fine-tune SOCKET DATA IMAGE"),
    }
}
