//! `emberlite import`.

use std::io::Write;
use std::path::PathBuf;

use emberlite::image::Profile;

use super::train::MOST_CALIBRATED;
use super::weights::not_imported;
use super::{CliError, outputs};
use crate::data::Standardise;
use crate::export::{self, Bytes, ImportError, Trained};
use crate::spec::{Sets, Spec, class_names};

/// Makes the device's file from a state dict: safetensors, or what torch.save wrote (.pth, .pt), in f32, f64, f16 or bf16.
///
/// Tensors are named 0.weight, 0.bias, … by the layer's index, or by the layer's name in the description, or as its
/// [import] says; where no layer is found so, modules are taken in the order of their names, by their shapes. A model that
/// no device runs becomes a plain file for `train --from` and PyTorch. What the device normalises with is what the weights'
/// file says (a tensor ~normalisation [2, channels], mean and 1 / deviation, or `normalisation` in its metadata), or what
/// [preprocessing] says (`mean` and `std`, or a `scaling` that is fitted on the training part); else nothing. fixed16 is
/// calibrated on that part.
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
    let spec = Spec::read(&arguments.model)?;
    let mut read = vec![("the state dict", arguments.file.as_path()), ("the description", &arguments.model)];
    read.extend(outputs::data_files(&spec).into_iter().map(|path| ("a file of [data]", path)));
    outputs::check(&[("--out", &arguments.out)], &read)?;
    let imported = export::import_file(&arguments.file, &spec).map_err(|error| match error {
        ImportError::File(error) => CliError::from(error),
        error => not_imported(&arguments.file, &error),
    })?;
    let spec = spec.scaled_as_said();
    super::say_packing(&spec, false);
    let sets = spec.data.as_ref().map(|_| spec.load_sets()).transpose()?;
    let (standardise, source) = constants(&spec, imported.standardise, sets.as_ref())?;
    let train = sets.as_ref().map(|sets| sets.train.spread(MOST_CALIBRATED)).transpose()?;
    let classes = sets.as_ref().map(|sets| class_names(&sets.train)).unwrap_or_default();
    let trained = Trained {
        parameters: &imported.parameters,
        standardise: standardise.as_ref(),
        samples: train.as_ref(),
        classes: &classes,
        encoder: sets.as_ref().map(|sets| &sets.prepare.encoder),
    };
    let (bytes, reader) = match spec.host_only() {
        Some(reason) if arguments.raw => return Err(reason.into()),
        Some(_) => (Bytes::new(&export::state_file(&spec, &trained)?), ", for the host alone"),
        None => {
            let profile = if arguments.raw { Profile::Raw } else { Profile::Safetensors };
            (export::seal(&spec, &trained, profile)?, "")
        }
    };
    export::write(&arguments.out, bytes.as_slice())?;
    writeln!(out, "wrote {}: {} bytes{reader}", arguments.out.display(), bytes.as_slice().len())?;
    let constants = standardise.as_ref().map_or(String::new(), export::in_words);
    writeln!(out, "normalisation: {constants}{source}")?;
    Ok(())
}

/// The constants that go into the file, and where they come from, in words. Weights were trained on inputs that were
/// normalised in one way: what the weights' file says of it counts, then what the description says, and nothing is made up.
fn constants(
    spec: &Spec,
    of_file: Option<Standardise>,
    sets: Option<&Sets>,
) -> Result<(Option<Standardise>, &'static str), CliError> {
    let given = spec.data.as_ref().and_then(|data| data.given.as_ref());
    if let Some(own) = of_file {
        let differ = |given: &&Standardise| given.mean != own.mean || given.inverse_std != own.inverse_std;
        if let Some(given) = given.filter(differ) {
            return Err(CliError::Message(format!(
                "the weights' file is normalised with {}, `mean` and `std` in [preprocessing] say {}; take one of both out",
                export::in_words(&own),
                export::in_words(given)
            )));
        }
        return Ok((Some(own), ", as the weights' file says"));
    }
    let fitted = sets.map(|sets| spec.fit_sets(sets)).transpose()?.flatten();
    Ok(match (fitted, given, &spec.data) {
        (Some(given), Some(_), _) => (Some(given), ", `mean` and `std` of [preprocessing]"),
        (Some(fitted), ..) => {
            (Some(fitted), ", fitted on the training part as the description says; the weights must be trained so too")
        }
        (None, _, Some(data)) if data.scaling_said => (None, "none, as [preprocessing] says"),
        (None, ..) => (
            None,
            "none, samples go in as they are; if the weights were trained on normalised ones, give `mean` and `std` in \
             [preprocessing], or standardise = true to have them fitted on [data]",
        ),
    })
}
