//! `emberlite report`.

use std::io::Write;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::CliError;
use crate::export::{self, Bytes};
use crate::report;

/// Makes the page of a report that was saved as JSON: of a demonstration on the device, or of a training run.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The report's values, as JSON
    file: PathBuf,
    /// Where the page goes [default: beside the values, ending in .html]
    #[arg(long)]
    out: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let json = Bytes::read(&arguments.file)?;
    let json = json.as_slice();
    // Every report of a demonstration has its runs; those of training have epochs instead.
    let page = match read::<serde_json::Value>(arguments, json)?.get("runs") {
        Some(_) => report::demo(&read(arguments, json)?),
        None => report::training(&read(arguments, json)?),
    };
    let path = arguments.out.clone().unwrap_or_else(|| arguments.file.with_extension("html"));
    if path == arguments.file {
        let message = format!("{}: the page would replace its values; say where it goes with --out", path.display());
        return Err(CliError::Message(message));
    }
    export::write(&path, page.as_bytes())?;
    Ok(writeln!(out, "wrote {}: {} bytes", path.display(), page.len())?)
}

fn read<T: DeserializeOwned>(arguments: &Arguments, json: &[u8]) -> Result<T, CliError> {
    serde_json::from_slice(json).map_err(|error| {
        let what = "expected the JSON of a report, as `emberlite train` and `cargo xtask demo` write it";
        CliError::Message(format!("{}: {error}; {what}", arguments.file.display()))
    })
}
