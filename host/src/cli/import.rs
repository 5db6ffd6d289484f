//! `emberlite import`.

use std::io::Write;
use std::path::PathBuf;

use emberlite::image::Profile;

use super::{CliError, outputs};
use crate::export::{self, ImportError, Trained};
use crate::spec::{Spec, class_names};

/// Makes the device's file from a state dict: safetensors, or what torch.save wrote (.pth, .pt), in f32, f64, f16 or bf16.
///
/// Tensors are named 0.weight, 0.bias, … by the layer's index, or by the layer's name in the description, or as its
/// [import] says; where no layer is found so, modules are taken in the order of their names, by their shapes. A model that
/// no device runs becomes a plain file for `train --from` and PyTorch. Normalisation constants come from a tensor ~normalisation [2, channels] in the file (mean, 1 / deviation), else they are fitted on
/// the training part of [data]. fixed16 is calibrated on that part.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The state dict
    file: PathBuf,
    /// The model's description
    #[arg(long, default_value = "model.toml")]
    model: PathBuf,
    /// The device's file
    #[arg(long)]
    out: PathBuf,
    /// Leave out the JSON: for the device alone
    #[arg(long)]
    raw: bool,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    outputs::check(&[("--out", &arguments.out)], &[])?;
    let spec = Spec::read(&arguments.model)?;
    let imported = export::import_file(&arguments.file, &spec).map_err(|error| match error {
        ImportError::File(error) => CliError::from(error),
        error => CliError::Message(format!("{}: {error}", arguments.file.display())),
    })?;
    let (train, prepare) = match spec.data {
        Some(_) => spec.load_parts().map(|parts| (Some(parts.train), parts.prepare))?,
        None => Default::default(),
    };
    let standardise = match (imported.standardise, &train) {
        (Some(given), _) => Some(given),
        (None, Some(train)) => spec.fit_standardise(train, &prepare)?,
        (None, None) => None,
    };
    let classes = train.as_ref().map(class_names).unwrap_or_default();
    let trained = Trained {
        parameters: &imported.parameters,
        standardise: standardise.as_ref(),
        samples: train.as_ref(),
        classes: &classes,
        encoder: Some(&prepare.encoder),
    };
    if let Some(reason) = spec.host_only() {
        if arguments.raw {
            return Err(reason.into());
        }
        let file = export::state_file(&spec, &trained)?;
        export::write(&arguments.out, &file)?;
        writeln!(out, "wrote {}: {} bytes, for the host alone", arguments.out.display(), file.len())?;
        return Ok(());
    }
    let profile = if arguments.raw { Profile::Raw } else { Profile::Safetensors };
    let file = export::seal(&spec, &trained, profile)?;
    export::write(&arguments.out, file.as_slice())?;
    let normalised = if standardise.is_some() { "normalises raw values" } else { "takes values as they are" };
    writeln!(out, "wrote {}: {} bytes, {normalised}", arguments.out.display(), file.as_slice().len())?;
    Ok(())
}
