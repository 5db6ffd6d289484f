//! The best description that a search before has written: that one is replaced, and no other file.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::cli::CliError;
use crate::search::{Description, Judge, Trial};

/// Of the page of a search.
#[derive(Deserialize)]
struct Page {
    best: String,
}

/// Makes sure that what is there is the best description of this folder's search, as it was written; `typed` tells whether its name was.
///
/// # Errors
/// It is somebody's work.
pub(super) fn check_own(
    best: &Path,
    typed: bool,
    folder: &Path,
    description: &Description,
    judge: Judge,
) -> Result<(), CliError> {
    let Ok(text) = fs::read(best) else { return Ok(()) };
    let page = fs::read(folder.join("report.json")).ok().and_then(|json| serde_json::from_slice::<Page>(&json).ok());
    if page.is_some_and(|page| page.best.as_bytes() == text) {
        return Ok(());
    }
    // Killed before the page was written.
    let trials = fs::read(folder.join("trials.jsonl")).unwrap_or_default();
    let own = trials.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut trial: Trial = serde_json::from_slice(line).ok()?;
        trial.point = description.search.space.point_of(|name| trial.parameters.get(name))?;
        trial.score?;
        description.text_of_trial(&trial, judge).ok()
    });
    if own.into_iter().any(|own| own.as_bytes() == text) {
        return Ok(());
    }
    let (flag, what) = if typed { ("--out ", "give --out another") } else { ("", "name another by --out") };
    Err(CliError::Message(format!(
        "{flag}{}: is there already, and not as a search in {} has written it; move it away, or {what}",
        best.display(),
        folder.display()
    )))
}
