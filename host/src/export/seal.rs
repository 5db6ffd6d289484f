//! From what the host trained to the device's file: folding and quantising where the format asks for it.

use emberlite::graph::{Graph, MAX_NODES};
use emberlite::image::Profile;
use emberlite::number::Format;
use emberlite::plan::{PlanErrorKind, plan};

use super::{Bytes, Export, ExportError, Weights, encode};
use crate::Parameters;
use crate::data::{Dataset, Encoder, Prepare, Standardise};
use crate::quantize::{Calibration, QuantizeError, calibrate};
use crate::spec::{LoadError, Spec, for_device};

impl Spec {
    /// Fits the constants that raw samples are filled, clipped and normalised with, on the training part as the model takes
    /// it; `prepare` is what was fitted to its rows before. `None` where `[preprocessing]` says not to.
    ///
    /// The same constants for every format: a fixed16 device takes the mean's fraction off too, in the offset that is added
    /// to the product (see [`normalisation_fixed`](crate::quantize::normalisation_fixed)); only limits are whole numbers there.
    ///
    /// # Errors
    /// As [`Prepare::constants`] and [`Spec::given_standardise`].
    pub fn fit_standardise(&self, train: &Dataset, prepare: &Prepare) -> Result<Option<Standardise>, LoadError> {
        let whole = self.model.format == Format::Fixed16;
        match self.given_standardise(&train.shape)? {
            Some(given) => Ok(Some(Standardise { repair: prepare.repairs(train, whole)?, ..given })),
            None => Ok(prepare.constants(train, whole)?),
        }
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
    /// How a row of a table becomes the model's inputs; none for other samples.
    pub encoder: Option<&'a Encoder>,
}

/// Makes the device's file in the spec's number format.
///
/// # Errors
/// [`ExportError`]; fixed16 without samples is [`QuantizeError::Data`].
pub fn seal(spec: &Spec, trained: &Trained<'_>, profile: Profile) -> Result<Bytes, ExportError> {
    let &Trained { parameters, standardise, samples, classes, encoder } = trained;
    let golden = samples.filter(|samples| !samples.is_empty()).map(|samples| samples.sample(0));
    let export = |weights| Export { weights, standardise, golden, name: &spec.name, classes, encoder, profile };
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Labels;
    use emberlite::image::{Image, Kind, MODEL};
    use emberlite::learner::Normalisation;
    use emberlite::number::Fixed16;
    use std::path::Path;

    /// Measures of iris flowers in millimetres: deviations of a few units, means between two of them.
    const FLOWERS: [[f32; 4]; 6] = [
        [51.0, 35.0, 14.0, 2.0],
        [49.0, 30.0, 14.0, 2.0],
        [70.0, 32.0, 47.0, 14.0],
        [64.0, 32.0, 45.0, 15.0],
        [63.0, 33.0, 60.0, 25.0],
        [58.0, 27.0, 51.0, 19.0],
    ];

    fn spec(format: &str) -> Spec {
        let text = format!(
            "[data]\nfile = \"iris.csv\"\nlabel = {{ class = \"species\" }}\n\
             [model]\ninput = [4]\nformat = \"{format}\"\nlayers = [{{ op = \"linear\", outputs = 3 }}]\n\
             [training]\noptimizer = {{ name = \"adam\", learning_rate = 0.01 }}\n\
             [device.training]\noptimizer = {{ name = \"sgd\", learning_rate = 0.01 }}\n"
        );
        Spec::parse("model.toml", &text, Path::new("")).unwrap()
    }

    #[test]
    fn means_keep_their_fraction_to_the_device() {
        let names = ["setosa", "versicolor", "virginica"].map(String::from).to_vec();
        let labels = Labels::Class { ids: vec![0, 0, 1, 1, 2, 2], names: names.clone() };
        let raw = Dataset::new(FLOWERS.concat(), vec![4], labels).unwrap();
        let fixed = spec("fixed16");
        let prepare = Prepare::default();
        let fitted = fixed.fit_standardise(&raw, &prepare).unwrap().unwrap();
        let real = spec("f32").fit_standardise(&raw, &prepare).unwrap();
        assert_eq!(Some(&fitted), real.as_ref(), "one fit for both formats");
        assert!(fitted.mean.iter().filter(|mean| (*mean - mean.round()).abs() > 0.1).count() >= 3, "{:?}", fitted.mean);

        let mut parameters = Parameters::new();
        parameters.set(0, Kind::Weight, (0..12).map(|i| 0.1 * (i % 5) as f32 - 0.2).collect());
        parameters.set(0, Kind::Bias, vec![0.0; 3]);
        let trained = Trained {
            parameters: &parameters,
            standardise: Some(&fitted),
            samples: Some(&raw),
            classes: &names,
            encoder: None,
        };
        let file = seal(&fixed, &trained, Profile::Safetensors).unwrap();
        let image = Image::open(file.as_slice()).unwrap();
        let table = image.tensor(MODEL, Kind::NormalisationFixed).unwrap().as_i32().unwrap();
        // The table of scales begins with the input's fraction bits.
        let frac = image.tensor(MODEL, Kind::Scales).unwrap().as_i8().unwrap()[0];
        // What host and device make of the same flowers, in units of the device's last place.
        let mut host = raw.clone();
        fitted.apply(&mut host).unwrap();
        for (flower, host) in FLOWERS.iter().zip(host.features.chunks(4)) {
            let mut device = flower.map(|x| x as i16);
            Normalisation::<Fixed16>::new(table, 4).unwrap().apply(&mut device);
            for (device, host) in device.iter().zip(host) {
                let host = host * f32::from(frac).exp2();
                assert!((f32::from(*device) - host).abs() <= 0.51, "{flower:?}: {device}, the host has {host}");
            }
        }
    }
}
