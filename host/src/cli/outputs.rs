//! Files that a command will write: looked at before it works, so that no hour of training ends in a wrong path, and no
//! description or data under a model.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Component, Path, PathBuf};

use super::CliError;
use crate::export::FileError;
use crate::regular;
use crate::spec::{Files, Part, Spec};
use crate::train;

/// [`check_places`], and that no output which was typed replaces a description or data of whatever model.
///
/// # Errors
/// The first output that can't be, in one sentence.
pub(super) fn check(outputs: &[(&str, &Path)], inputs: &[(&str, &Path)]) -> Result<(), CliError> {
    check_places(outputs, inputs)?;
    outputs.iter().filter(|(name, _)| name.starts_with("--")).try_for_each(|(name, path)| spare_inputs(name, path))
}

/// Makes sure that every output can be a file, that no two are the same and none is an input; each with the words that
/// name it in a message. Nothing is made.
///
/// What was typed, which has the name of its flag, must lie in a folder that is there, since a mistyped one would be made and
/// the file be looked for elsewhere; or in that of the other outputs, the run's folder, which is made.
///
/// # Errors
/// The first output that can't be, in one sentence.
pub(super) fn check_places(outputs: &[(&str, &Path)], inputs: &[(&str, &Path)]) -> Result<(), CliError> {
    for (i, (name, path)) in outputs.iter().enumerate() {
        let wrong = |what: &str| Err(CliError::Message(format!("{name} {}: {what}", path.display())));
        if path.is_dir() {
            return wrong("is a folder; name a file in it");
        }
        if let Some(kind) = fs::metadata(path).ok().and_then(|facts| regular::instead(&facts)) {
            return wrong(&format!("is {kind}, not a regular file; choose another path"));
        }
        if path.file_name().is_none() {
            return wrong("isn't the name of a file");
        }
        // Folders on the way are made, but not where a file is.
        if path.ancestors().skip(1).find(|parent| parent.exists()).is_some_and(|parent| !parent.is_dir()) {
            return wrong("can't be made, since a part of the path is a file; choose another path");
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let own = |(name, other): &(&str, &Path)| {
            !name.starts_with("--")
                && other.parent().is_some_and(|run| self::place(folder).starts_with(self::place(run)))
        };
        if name.starts_with("--") && !folder.is_dir() && !outputs.iter().any(own) {
            return wrong(&format!("there is no folder {}; make it, or mend the path", folder.display()));
        }
        let place = place(path);
        let taken = |other: &&(&str, &Path)| self::place(other.1) == place;
        if let Some((other, _)) = inputs.iter().find(taken) {
            return wrong(&format!("is {other} too, which would be overwritten; choose another path"));
        }
        // A folder of samples; what is written there anew says so when it is read.
        let among = |(_, folder): &&(&str, &Path)| folder.is_dir() && place.starts_with(self::place(folder));
        let ours = ending(path).is_some_and(|ending| ["safetensors", "html", "json"].contains(&ending.as_str()));
        if name.starts_with("--")
            && !ours
            && path.exists()
            && let Some((_, folder)) = inputs.iter().find(among)
        {
            let folder = folder.display();
            return wrong(&format!("is one of the samples in {folder} and would be overwritten; choose another path"));
        }
        let within = |(name, other): &(&str, &Path)| {
            !name.starts_with("--") && other.parent().is_some_and(|run| self::place(run) == place)
        };
        if outputs.iter().any(within) {
            return wrong("is the run's folder too; name a file in it");
        }
        if let Some((other, _)) = outputs.iter().take(i).find(taken) {
            return wrong(&format!("is {other} too; choose another path"));
        }
    }
    Ok(())
}

fn ending(path: &Path) -> Option<String> {
    path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase)
}

/// Makes sure that an output doesn't replace a description or data, whose ending nothing that is written there has, nor what a
/// training could go on from.
///
/// # Errors
/// It is there already.
fn spare_inputs(name: &str, path: &Path) -> Result<(), CliError> {
    let inputs =
        ["toml", "csv", "tsv", "parquet", "pack", "npz", "npy", "gz", "jsonl", "pth", "pt", "wav", "jpg", "jpeg"];
    match ending(path) {
        Some(ending) if inputs.contains(&ending.as_str()) && path.exists() => Err(CliError::Message(format!(
            "{name} {}: is there already, and by its ending a description or data; choose another path",
            path.display()
        ))),
        Some(ending) if ending == "safetensors" && path.is_file() && train::is_checkpoint_file(path) => {
            Err(CliError::Message(format!(
                "{name} {}: is a checkpoint, of a training that could go on; choose another path",
                path.display()
            )))
        }
        _ => Ok(()),
    }
}

/// Makes sure that a run's folder isn't a file.
///
/// # Errors
/// It is one.
pub(super) fn check_folder(folder: &Path) -> Result<(), CliError> {
    match folder.is_file() {
        true => Err(CliError::Message(format!("{}: is a file; name a folder with --run", folder.display()))),
        false => Ok(()),
    }
}

/// Makes the folders on the way and, for a moment, a file beside the output: what the system doesn't let be written is
/// known now, and the file that is there stays as it is.
///
/// # Errors
/// [`FileError`].
pub(super) fn try_to_write(path: &Path) -> Result<(), FileError> {
    let failed = |source| FileError { path: path.into(), doing: "can't write", source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    // As long as the name that the file is written under.
    name.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(name);
    File::create(&beside).and_then(|_| fs::remove_file(&beside)).map_err(failed)
}

/// The files that `[data]` names.
pub(super) fn data_files(spec: &Spec) -> Vec<&Path> {
    let Some(data) = &spec.data else { return Vec::new() };
    let parts = [&data.validation, &data.test].into_iter().flatten().filter_map(|part| match part {
        Part::Files(files) => Some(files),
        Part::Rule(_) | Part::Tail { .. } => None,
    });
    std::iter::once(&data.files).chain(parts).flat_map(Files::paths).collect()
}

/// The one name of a file, whether it is there or not: links are followed as far as there is anything.
fn place(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let found = whole.ancestors().find_map(|known| Some((fs::canonicalize(known).ok()?, known)));
    let Some((mut place, known)) = found else { return whole };
    for part in whole.strip_prefix(known).unwrap_or(Path::new("")).components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            part => place.push(part),
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_name() {
        let here = fs::canonicalize(std::env::temp_dir()).unwrap();
        assert_eq!(place(&here.join("x-that-is-not").join("..").join("y-neither")), here.join("y-neither"));
        assert_eq!(place(&here.join(".").join("y-neither")), here.join("y-neither"));
        assert_eq!(place(Path::new("Cargo.toml")), place(Path::new("./src/../Cargo.toml")));
    }
}
