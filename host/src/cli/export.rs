//! `emberlite export`.

use std::io::Write;
use std::path::PathBuf;

use emberlite::graph::layout_hash;
use emberlite::image::{Image, Kind, MODEL, Profile};

use super::{CliError, outputs};
use crate::data::Standardise;
use crate::export::{self, Bytes, Trained};
use crate::spec::{Parts, Spec, class_names};

/// Makes another file of a sealed one: for another reader, or in the number format of a model's description.
///
/// Without `--model` the model stays as it is and only the profile changes, without loss. With a `--model` in fixed16 the
/// real numbers of the file are quantised, calibrated on the training part of [data]. With a `--model` the plain profile has the
/// names and shapes of PyTorch's modules, for `load_state_dict`: those of the layers in the description, or their indices.
/// Normalisation is no part of a module: a plain file has its constants as JSON in the metadata, under `normalisation`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The sealed file
    file: PathBuf,
    /// Where the new one goes
    #[arg(long)]
    out: PathBuf,
    /// Who is to read it
    #[arg(long, value_enum, default_value = "safetensors")]
    profile: To,
    /// A model's description: gives the number format, and the metadata that the raw profile lacks
    #[arg(long)]
    model: Option<PathBuf>,
}

/// The reader of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum To {
    /// Device and any safetensors reader
    Safetensors,
    /// Device alone: shorter, without JSON and metadata
    Raw,
    /// Any safetensors reader: the weights alone, not for a device
    Plain,
}

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let path = &arguments.file;
    let spec = arguments.model.as_deref().map(Spec::read).transpose()?;
    let mut read = vec![("the sealed file", path.as_path())];
    read.extend(arguments.model.iter().map(|path| ("the description", path.as_path())));
    read.extend(spec.iter().flat_map(outputs::data_files).map(|path| ("a file of [data]", path)));
    outputs::check(&[("--out", &arguments.out)], &read)?;
    let bytes = Bytes::read(path)?;
    // PyTorch's names need the description alone, and what no device runs is never sealed.
    match &spec {
        Some(spec) if arguments.profile == To::Plain => return state_dict(arguments, spec, out),
        Some(spec) => {
            if let Some(mut reason) = spec.host_only() {
                reason.message += "; `--profile plain` gives its weights to PyTorch";
                return Err(reason.into());
            }
        }
        None => {}
    }
    let image = Image::open(bytes.as_slice()).map_err(|error| CliError::Image { path: path.clone(), error })?;
    let profile = if arguments.profile == To::Raw { Profile::Raw } else { Profile::Safetensors };
    let file = match &spec {
        // Of another layout than the description's: then it must be what the description's is made from.
        Some(spec) if layout_hash(&spec.graph()) != image.layout_hash() => {
            let parameters = super::train::parameters_of(path, spec)?;
            let standardise = super::train::standardise_of(path, &image)?;
            let Parts { train, prepare, .. } = spec.load_parts()?;
            let classes = class_names(&train);
            let trained = Trained {
                parameters: &parameters,
                standardise: standardise.as_ref(),
                samples: Some(&train),
                classes: &classes,
                encoder: Some(&prepare.encoder),
            };
            export::seal(spec, &trained, profile)?
        }
        _ => {
            let classes = spec.as_ref().map(Spec::named_classes).unwrap_or_default();
            let classes = serde_json::to_string(&classes).unwrap_or_default();
            let mut further = Vec::new();
            if let Some(spec) = &spec {
                further.push(("name", spec.name.as_str()));
                if classes != "[]" {
                    further.push(("classes", classes.as_str()));
                }
            }
            let converted = export::convert(&bytes, profile, &further);
            converted.map_err(|error| CliError::Message(format!("{}: {error}", path.display())))?
        }
    };
    let len = if arguments.profile == To::Plain {
        let plain = export::plain(&file).map_err(|error| CliError::Message(format!("{}: {error}", path.display())))?;
        export::write(&arguments.out, &plain)?;
        plain.len()
    } else {
        export::write(&arguments.out, file.as_slice())?;
        file.as_slice().len()
    };
    writeln!(out, "wrote {}: {len} bytes", arguments.out.display())?;
    if arguments.profile != To::Plain {
        return Ok(());
    }
    if image.tensor(MODEL, Kind::NormalisationFixed).is_some() {
        let text = "normalisation: not in the file; a fixed16 model normalises raw readings in integers. The real constants \
                    are in the f32 file that `train` wrote beside it: export that one";
        return Ok(writeln!(out, "{text}")?);
    }
    left_out(super::train::standardise_of(path, &image)?.as_ref(), out)
}

/// Says what is done to samples before the network, which PyTorch's module doesn't do.
fn left_out(standardise: Option<&Standardise>, out: &mut dyn Write) -> Result<(), CliError> {
    let text = match standardise {
        None => "normalisation: none, the network takes samples as they are".into(),
        Some(standardise) => format!(
            "normalisation: not one of the tensors; give the network (x - mean) / std of each channel, with {}. The \
             numbers are in the file's metadata as `normalisation`",
            export::in_words(standardise)
        ),
    };
    Ok(writeln!(out, "{text}")?)
}

/// The weights as a state dict.
fn state_dict(arguments: &Arguments, spec: &Spec, out: &mut dyn Write) -> Result<(), CliError> {
    let path = &arguments.file;
    let imported = export::import_file(path, spec);
    let imported = imported.map_err(|error| CliError::Message(format!("{}: {error}", path.display())))?;
    let classes = spec.named_classes();
    let trained = Trained {
        parameters: &imported.parameters,
        standardise: imported.standardise.as_ref(),
        samples: None,
        classes: &classes,
        encoder: None,
    };
    let file = export::pytorch_file(spec, &trained)?;
    export::write(&arguments.out, &file)?;
    writeln!(out, "wrote {}: {} bytes, for load_state_dict", arguments.out.display(), file.len())?;
    left_out(imported.standardise.as_ref(), out)
}
