//! `emberlite report`.

use std::io::Write;
use std::path::PathBuf;

use serde::de::DeserializeOwned;

use super::{CliError, outputs};
use crate::export::{self, Bytes};
use crate::report;

const EXPECTED: &str =
    "expected the JSON of a report, as `emberlite train`, `emberlite search` and `cargo xtask demo` write it";

/// Makes the page of a report that was saved as JSON: of a demonstration on the device, of a training run or of a search.
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
    let path = arguments.out.clone().unwrap_or_else(|| arguments.file.with_extension("html"));
    outputs::check(&[("--out", &path)], &[("the report's values", &arguments.file)])?;
    let json = json.as_slice();
    // Reports of a demonstration have runs, those of training have epochs, those of a search trials.
    let value: serde_json::Value = read(arguments, json)?;
    let page = if value.get("runs").is_some() {
        report::demo(&read(arguments, json)?)
    } else if value.get("history").is_some() {
        report::training(&read(arguments, json)?)
    } else if value.get("search_trials").is_some() {
        report::search(&read(arguments, json)?)
    } else {
        let what = "neither the `runs` of a demonstration, nor the `history` of a training run, nor the `search_trials` of a search";
        return Err(CliError::Message(format!("{}: {what}; {EXPECTED}", arguments.file.display())));
    };
    export::write(&path, page.as_bytes())?;
    Ok(writeln!(out, "wrote {}: {} bytes", path.display(), page.len())?)
}

fn read<T: DeserializeOwned>(arguments: &Arguments, json: &[u8]) -> Result<T, CliError> {
    serde_json::from_slice(json)
        .map_err(|error| CliError::Message(format!("{}: {error}; {EXPECTED}", arguments.file.display())))
}
