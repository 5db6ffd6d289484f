//! The pictures of `emberlite data`: a contact sheet of samples, as they are and as augmentation changes them.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{CliError, outputs};
use crate::data::Source;
use crate::data::sheet::Sheet;
use crate::export;
use crate::spec::Spec;

/// What is drawn.
#[derive(Debug, clap::Args)]
pub(super) struct SheetArguments {
    /// Draw samples of the training part side by side into this PNG file; with [augmentation] a row is one sample, as it is and
    /// in the epochs that follow
    #[arg(long, value_name = "PNG")]
    pub(super) images: Option<PathBuf>,
    /// Samples that are drawn
    #[arg(long, default_value_t = 16, requires = "images", value_parser = clap::value_parser!(u32).range(1..=1024))]
    samples: u32,
    /// Epochs of each sample
    #[arg(long, default_value_t = 7, requires = "images", value_parser = clap::value_parser!(u32).range(1..=64))]
    draws: u32,
    /// Leave augmentation out
    #[arg(long, requires = "images")]
    plain: bool,
}

/// Draws, if that was asked for.
pub(super) fn run(arguments: &SheetArguments, spec: &Spec, model: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let Some(path) = &arguments.images else { return Ok(()) };
    let mut read = vec![("the description", model)];
    read.extend(outputs::data_files(spec).into_iter().map(|path| ("a file of [data]", path)));
    outputs::check(&[("--images", path)], &read)?;
    super::say_packing(spec, false);
    let sets = spec.load_sets()?;
    let set = spec.augmented(&sets.train, None, spec.training.settings.seed.into())?;
    let (len, count) = (set.len(), arguments.samples as usize);
    let sheet = match spec.augmentation {
        Some(_) if !arguments.plain => Sheet::epochs(len, count, arguments.draws),
        _ => Sheet::samples(len, count),
    };
    let bytes = sheet.png(set.source())?;
    export::write(path, &bytes)?;
    writeln!(out, "wrote {}: {} samples in rows of {}", path.display(), sheet.cells.len(), sheet.columns)?;
    Ok(())
}
