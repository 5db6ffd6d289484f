//! `emberlite inspect`.

use std::io::Write;
use std::path::PathBuf;

use super::weights::not_sealed;
use super::{CliError, harmless};
use crate::export::{self, Bytes};

/// Describes a model's file: header, graph, every tensor with its range.
///
/// Exit status 1 if the file is damaged, unfinished or not a model's.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The file: exported, or saved by a device
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let path = &arguments.file;
    let bytes = Bytes::read(path)?;
    let text = export::inspect(&bytes).map_err(|error| not_sealed(path, bytes.as_slice(), error, "looked at"))?;
    // Metadata come from anywhere.
    Ok(out.write_all(harmless(&text).as_bytes())?)
}
