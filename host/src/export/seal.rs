//! From what the host trained to the device's file: folding and quantising where the format asks for it.

use emberlite::graph::{Graph, MAX_NODES};
use emberlite::image::Profile;
use emberlite::number::Format;
use emberlite::plan::{PlanErrorKind, plan};

use super::{Bytes, Export, ExportError, Weights, encode};
use crate::Parameters;
use crate::data::{DataError, Dataset, Standardise};
use crate::quantize::{Calibration, QuantizeError, calibrate};
use crate::spec::{Spec, for_device};

impl Spec {
    /// Fits the constants that raw samples are normalised with; `None` where `[preprocessing]` says not to.
    ///
    /// In fixed16 the means are rounded to whole raw units, as integers are all that the device subtracts: so host and
    /// device normalise by the same constants.
    ///
    /// # Errors
    /// [`DataError`] for an empty set.
    pub fn fit_standardise(&self, train: &Dataset) -> Result<Option<Standardise>, DataError> {
        if !self.data.as_ref().is_some_and(|data| data.standardise) {
            return Ok(None);
        }
        let mut fitted = Standardise::fit(train)?;
        if self.model.format == Format::Fixed16 {
            fitted.mean.iter_mut().for_each(|mean| *mean = mean.round());
        }
        Ok(Some(fitted))
    }
}

/// The parameters of the model as it is written, with what goes along into the file.
#[derive(Clone, Copy, Debug)]
pub struct Trained<'a> {
    /// The parameters, in real numbers.
    pub parameters: &'a Parameters,
    /// What raw samples are normalised with.
    pub standardise: Option<&'a Standardise>,
    /// Raw samples of the training part: the first is the self-check's; fixed16 is calibrated on them.
    pub samples: Option<&'a Dataset>,
    /// The classes in the order of the outputs; empty for none.
    pub classes: &'a [String],
}

/// Makes the device's file in the spec's number format.
///
/// # Errors
/// [`ExportError`]; fixed16 without samples is [`QuantizeError::Data`].
pub fn seal(spec: &Spec, trained: &Trained<'_>, profile: Profile) -> Result<Bytes, ExportError> {
    let &Trained { parameters, standardise, samples, classes } = trained;
    let golden = samples.filter(|samples| !samples.is_empty()).map(|samples| samples.sample(0));
    let export = |weights| Export { weights, standardise, golden, name: &spec.name, classes, profile };
    match spec.model.format {
        Format::F32 => encode(&export(Weights::Real { graph: spec.graph(), parameters })),
        Format::Fixed16 => {
            let samples = samples.ok_or_else(|| QuantizeError::Data {
                expected: "samples to calibrate fixed16 on".into(),
                found: "none".into(),
                help: "describe the training data in `[data]`",
            })?;
            let mut normalised = samples.clone();
            if let Some(standardise) = standardise {
                let applied = standardise.apply(&mut normalised);
                applied.map_err(|error| QuantizeError::Data {
                    expected: "samples that the normalisation fits".into(),
                    found: error.to_string(),
                    help: "give the data that the model was trained on",
                })?;
            }
            let (nodes, parameters) = for_device(&spec.model.nodes, parameters)?;
            let graph = Graph::new(Format::F32, spec.model.input, &nodes);
            let training = &spec.device.training;
            let learns = match plan::<MAX_NODES>(&Graph { format: Format::Fixed16, ..graph }, Some(training)) {
                Err(error) if error.kind == PlanErrorKind::NothingToTrain => None,
                _ => Some(training),
            };
            let quantised = calibrate(&graph, learns, &parameters, &normalised, &Calibration::default())?;
            encode(&export(Weights::Fixed(&quantised)))
        }
    }
}
