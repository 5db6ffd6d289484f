//! The device on the host: core's own executor over a model's file and raw samples, so every bit is the device's.
//!
//! Inputs are raw numbers; the normalisation constants come from the file and are applied by core. In f32 the order of
//! every operation is part of core's contract, in fixed point all is integer: both sides run the same code over the same
//! arena. Training takes the samples in their order, from the first again after the last, one call of `train_step` each.
//!
//! ```
//! use emberlite::image::{Kind, Profile};
//! use emberlite_host::data::{Dataset, Labels};
//! use emberlite_host::export::{Export, Weights, encode};
//! use emberlite_host::simulate::{Options, run};
//! use emberlite_host::{Parameters, spec::Spec};
//!
//! let text = "[model]\ninput = [2]\nlayers = [{ op = \"linear\", outputs = 2 }]\n\
//!             [device.training]\noptimizer = { name = \"sgd\", learning_rate = 0.5 }\n";
//! let spec = Spec::parse("model.toml", text, std::path::Path::new(""))?;
//! let mut parameters = Parameters::new();
//! parameters.set(0, Kind::Weight, vec![0.0; 4]);
//! parameters.set(0, Kind::Bias, vec![0.0; 2]);
//! let weights = Weights::Real { graph: spec.graph(), parameters: &parameters };
//! let (name, classes, encoder, profile) = ("", &[][..], None, Profile::Raw);
//! let file = encode(&Export { weights, standardise: None, golden: None, name, classes, encoder, profile })?;
//!
//! let labels = Labels::Class { ids: vec![0, 1], names: vec!["left".into(), "right".into()] };
//! let rows = Dataset::new(vec![1.0, 0.0, 0.0, 1.0], vec![2], labels)?;
//! let simulation = run(&spec, &file, &rows, &Options { steps: Some(2), trace: true })?;
//! // The first step starts from zero weights: both classes are as likely, so the loss is ln 2.
//! assert!((simulation.report.trace.unwrap().loss[0] - 2f32.ln()).abs() < 1e-6);
//! assert_eq!((simulation.report.updates, simulation.report.accuracy), (2, Some(1.0)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The program's `simulate` is this function between files, and its interface is stable: the arguments, the file's format,
//! and the fields of [`Report`] in the JSON.

mod input;
mod report;
mod target;

pub use input::stored;
pub use report::{Report, Running, Trace};

use emberlite::executor::Everything;
use emberlite::graph::{MAX_NODES, layout_hash};
use emberlite::image::{Image, ImageError, Profile, Sink};
use emberlite::learner::{Engine, LearnError, LoadError, Outcome, SaveError, Status, saved_len};
use emberlite::loss::LossSet;
use emberlite::number::{F32, Fixed16, Format, Number};
use std::convert::Infallible;
use thiserror::Error;

use crate::data::{Dataset, Labels};
use crate::export::{self, Bytes, Device, NormalisationError};
use crate::spec::{Spec, SpecError, class_names};
use report::Tally;
use target::{Targets, class_of};

/// What to simulate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Training steps before the evaluation; `None` evaluates only and makes no file.
    pub steps: Option<u32>,
    /// Whether to keep every step's loss.
    pub trace: bool,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Simulation {
    /// The figures.
    pub report: Report,
    /// The class that each sample was taken for when all were evaluated; without classes they say nothing.
    pub predicted: Vec<u32>,
    /// The file that the device would save after the steps; `None` where there were none.
    pub file: Option<Vec<u8>>,
}

/// Why a simulation ended.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// The model, at its line.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The weights' file is damaged or another model's.
    #[error("weights: {0}")]
    Image(#[from] ImageError),
    /// The weights don't fit the model.
    #[error("weights: {0}")]
    Load(#[from] LoadError),
    /// The weights' normalisation makes no sense.
    #[error("weights: {0}")]
    Normalisation(#[from] NormalisationError),
    /// The labels aren't what the loss and the outputs need.
    #[error("labels: expected {expected}, found {found}; change the label, the loss or the model's last layer")]
    Labels {
        /// What is needed.
        expected: String,
        /// What there is.
        found: String,
    },
    /// A raw number of a fixed-point model isn't a sensor's integer.
    #[error(
        "sample {sample}: a fixed16 device reads whole numbers from -32768 to 32767, found {value}; set `scale` in `[preprocessing]`, for example scale = 10"
    )]
    NotWhole {
        /// The sample, from 0.
        sample: usize,
        /// Its number.
        value: f32,
    },
    /// The device refuses a sample.
    #[error("sample {sample}: {error}")]
    Sample {
        /// The sample, from 0.
        sample: usize,
        /// The device's answer.
        error: LearnError,
    },
    /// The device can't learn at all.
    #[error("{0}")]
    Learn(#[from] LearnError),
    /// The result can't be saved.
    #[error("after {steps} steps: {error}; steps must be a multiple of `batch`")]
    Save {
        /// The steps made.
        steps: u32,
        /// The device's answer.
        error: SaveError<Infallible>,
    },
    /// There are no samples.
    #[error("no samples: training and evaluation need at least one")]
    Empty,
}

/// Runs a model's file over raw samples: trains `options.steps` steps if asked, then evaluates all samples.
///
/// `spec` gives the model and `[device.training]`, `weights` is a sealed file of that model, `rows` are raw samples of its
/// input shape. Costs a training step a step and a prediction a sample; holds the arena and the samples twice.
///
/// # Errors
/// [`SimulateError`]; no result is half there.
pub fn run(spec: &Spec, weights: &Bytes, rows: &Dataset, options: &Options) -> Result<Simulation, SimulateError> {
    let image = Image::open(weights.as_slice())?;
    image.check_layout(layout_hash(&spec.graph()))?;
    match image.format() {
        Format::F32 => run_as::<F32>(spec, weights, &image, rows, options),
        Format::Fixed16 => run_as::<Fixed16>(spec, weights, &image, rows, options),
    }
}

fn run_as<N: Device>(
    spec: &Spec,
    weights: &Bytes,
    image: &Image<'_>,
    rows: &Dataset,
    options: &Options,
) -> Result<Simulation, SimulateError> {
    if rows.is_empty() {
        return Err(SimulateError::Empty);
    }
    let training = &spec.device.training;
    // A model whose every layer is frozen can still be evaluated.
    let planned_for = options.steps.map(|_| training);
    let plan = spec.plan_with(planned_for)?;
    let mut arena = vec![0u32; plan.words()];
    let mut status = Status::EMPTY;
    let graph = spec.graph();
    let mut engine = Engine::<N, Everything>::new(graph, plan.view(), planned_for, &mut arena, &mut status)?;
    engine.load(weights.as_slice())?;
    // A device takes any finite numbers; here they would be taken for what the model has learnt.
    export::standardise(image)?;

    let outputs = plan.summary.outputs as usize;
    let (input_frac, output_frac) = (engine.input_frac(), engine.output_frac());
    let inputs = input::inputs::<N>(rows, input_frac, engine.normalisation().as_ref())?;
    let inputs: Vec<&[N::Value]> = inputs.chunks(plan.summary.inputs as usize).collect();
    let targets = Targets::new::<N>(rows, &training.loss, outputs, output_frac)?;
    let label = |sample: usize| match &rows.labels {
        Labels::Class { ids, .. } => ids.get(sample).copied(),
        _ => None,
    };
    let classes = class_names(rows);
    let mut report = Report {
        format: N::FORMAT.name().into(),
        maths: emberlite::math::NAME.into(),
        layout: format!("{:016x}", image.layout_hash()),
        classes: classes.clone(),
        ..Report::default()
    };
    let mut file = None;
    if let Some(steps) = options.steps {
        let before = engine.progress();
        // One output says its class by its size, which a step's report doesn't.
        let mut tally = Tally::new(if outputs > 1 { classes.len() } else { 0 });
        let mut trace = options.trace.then(Trace::default);
        for sample in (0..rows.len()).cycle().take(steps as usize) {
            let target = targets.of::<N>(sample, outputs);
            let input = inputs.get(sample).copied().unwrap_or_default();
            let step = engine.train_step(input, target).map_err(|error| SimulateError::Sample { sample, error })?;
            tally.add(N::loss_to_f32(step.loss), label(sample), usize::from(step.class));
            if let Some(trace) = &mut trace {
                trace.loss.push(N::loss_to_f32(step.loss));
                trace.loss_bits.push(N::loss_bits(step.loss));
                trace.class.push(step.class);
                trace.outcome.push(match step.outcome {
                    Outcome::Updated => "updated",
                    Outcome::Accumulated => "accumulated",
                    Outcome::Skipped => "skipped",
                });
            }
        }
        let after = engine.progress();
        report.steps = steps;
        report.updates = after.updates.wrapping_sub(before.updates);
        report.skipped = after.skipped - before.skipped;
        report.training = Some(tally.running());
        report.trace = trace;
        file = Some(save(&engine, image.sequence().wrapping_add(1), steps)?);
    }
    let mut tally = Tally::new(classes.len());
    let mut predicted = Vec::with_capacity(inputs.len());
    for (sample, input) in inputs.iter().enumerate() {
        let output = engine.predict(input).map_err(|error| SimulateError::Sample { sample, error })?;
        let loss = training.loss.value::<N>(LossSet::ALL, output, targets.of::<N>(sample, outputs), output_frac);
        let class = class_of::<N>(&training.loss, output, output_frac);
        tally.add(N::loss_to_f32(loss), label(sample), class);
        predicted.push(class as u32);
    }
    let running = tally.running();
    (report.count, report.accuracy, report.loss) = (running.count, running.accuracy, running.loss);
    report.confusion = tally.confusion;
    Ok(Simulation { report, predicted, file })
}

/// Takes a file into memory.
struct Memory(Vec<u8>);

impl Sink for Memory {
    type Error = Infallible;
    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

fn save<N: Number>(
    engine: &Engine<'_, '_, N, Everything>,
    sequence: u32,
    steps: u32,
) -> Result<Vec<u8>, SimulateError> {
    let mut memory = Memory(Vec::new());
    let saved = engine.save::<_, { saved_len(MAX_NODES) }>(sequence, Profile::Safetensors, &mut memory);
    saved.map_err(|error| SimulateError::Save { steps, error })?;
    Ok(memory.0)
}
