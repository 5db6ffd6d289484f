//! What the quantisation tests share: models that run on core's engine, files for them, and the data of the repository.

#![allow(dead_code, reason = "each test program uses a part")]

use emberlite::executor::Everything;
use emberlite::graph::{Graph, MAX_NODES};
use emberlite::image::{DType, Entry, Header, Kind, MODEL, Profile, Writer};
use emberlite::learner::{Engine, Status};
use emberlite::loss::Target;
use emberlite::number::{F32, Fixed16, Number};
use emberlite::plan::{Plan, Training, plan};
use emberlite_host::Parameters;
use emberlite_host::data::{CsvSpec, Dataset, Labels, Standardise, Window, csv, random, split, windows};
use emberlite_host::quantize::Quantised;

/// One tensor of a file.
pub struct Piece {
    node: u8,
    kind: Kind,
    dtype: DType,
    frac: i8,
    bytes: Vec<u8>,
}

/// The pieces of an f32 model.
pub fn pieces_f32(parameters: &Parameters) -> Vec<Piece> {
    let bytes = |values: &[f32]| values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let piece = |(node, kind, values)| Piece { node, kind, dtype: DType::F32, frac: 0, bytes: bytes(values) };
    parameters.iter().map(piece).collect()
}

/// The pieces of a quantised model.
pub fn pieces_fixed(quantised: &Quantised) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = quantised
        .tensors
        .iter()
        .map(|t| {
            let bytes = t.values.iter().flat_map(|v| v.to_le_bytes()).collect();
            Piece { node: t.node, kind: t.kind, dtype: DType::I16, frac: t.frac, bytes }
        })
        .collect();
    let bytes = quantised.scales.iter().flatten().map(|&s| s as u8).collect();
    pieces.push(Piece { node: MODEL, kind: Kind::Scales, dtype: DType::I8, frac: 0, bytes });
    pieces
}

/// The piece that holds integer normalisation, from [`normalisation_fixed`](emberlite_host::quantize::normalisation_fixed).
pub fn piece_normalisation(table: &[i32]) -> Piece {
    let bytes = table.iter().flat_map(|v| v.to_le_bytes()).collect();
    Piece { node: MODEL, kind: Kind::NormalisationFixed, dtype: DType::I32, frac: 0, bytes }
}

/// A file in words, so that it is aligned; its length in bytes is a multiple of 4.
pub fn file(graph: Graph<'_>, pieces: &[Piece]) -> Vec<u32> {
    let dims: Vec<[u32; 1]> = pieces.iter().map(|p| [p.bytes.len() as u32 / p.dtype.bytes()]).collect();
    let entries: Vec<Entry<'_>> = pieces
        .iter()
        .zip(&dims)
        .map(|(p, dims)| Entry { node: p.node, kind: p.kind, dtype: p.dtype, dims, frac: p.frac, bytes: &p.bytes })
        .collect();
    let header = Header { profile: Profile::Raw, ..Header::new(graph) };
    let writer = Writer::new(header, &entries).unwrap();
    let mut out = Out(Vec::new());
    writer.write(&mut out).unwrap();
    assert!(out.0.len().is_multiple_of(4));
    out.0.chunks(4).map(|c| u32::from_le_bytes(c.try_into().unwrap())).collect()
}

struct Out(Vec<u8>);
impl emberlite::image::Sink for Out {
    type Error = std::convert::Infallible;
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// The plan of a graph for training.
pub fn planned(graph: Graph<'_>, training: &Training) -> Box<Plan<MAX_NODES>> {
    Box::new(plan(&graph, Some(training)).unwrap())
}

/// Runs `work` on an engine that has loaded `pieces`, or initial parameters from `seed` where there are none.
pub fn run<N: Number, R>(
    graph: Graph<'_>,
    training: &Training,
    pieces: &[Piece],
    seed: u32,
    work: impl FnOnce(&mut Engine<'_, '_, N, Everything>) -> R,
) -> R {
    let plan = planned(graph, training);
    let mut arena = vec![0; plan.words()];
    let mut status = Status::EMPTY;
    let image = if pieces.is_empty() { Vec::new() } else { file(graph, pieces) };
    let mut engine = Engine::<N, Everything>::new(graph, plan.view(), Some(training), &mut arena, &mut status).unwrap();
    if pieces.is_empty() {
        engine.initialize(seed).unwrap();
    } else {
        engine.load(bytemuck::cast_slice(&image)).unwrap();
    }
    work(&mut engine)
}

/// A set in a model's number format: the samples and their classes.
pub struct Samples<N: Number> {
    pub inputs: Vec<Vec<N::Value>>,
    pub classes: Vec<u16>,
}

impl<N: Number> Samples<N> {
    pub fn new(set: &Dataset, frac: i32) -> Self {
        let Labels::Class { ids, .. } = &set.labels else { panic!("no classes") };
        let convert = |sample: usize| set.sample(sample).iter().map(|&x| N::from_f32(x, frac)).collect();
        Samples { inputs: (0..set.len()).map(convert).collect(), classes: ids.iter().map(|&id| id as u16).collect() }
    }
}

/// The share of samples whose class is right.
pub fn accuracy<N: Number>(engine: &mut Engine<'_, '_, N, Everything>, set: &Samples<N>) -> f64 {
    let mut right = 0;
    for (x, &class) in set.inputs.iter().zip(&set.classes) {
        right += usize::from(engine.evaluate(x, Target::Class(class)).unwrap().class == class);
    }
    right as f64 / set.inputs.len() as f64
}

/// `passes` over the set, each in an order of its own that `seed` decides.
pub fn learn<N: Number>(
    engine: &mut Engine<'_, '_, N, Everything>,
    set: &Samples<N>,
    passes: std::ops::Range<u64>,
    seed: u64,
) {
    for pass in passes {
        for i in random::order(random::hash(seed, pass), set.inputs.len()) {
            engine.train_step(&set.inputs[i], Target::Class(set.classes[i])).unwrap();
        }
    }
}

/// All trained parameters of an f32 engine.
pub fn parameters(engine: &Engine<'_, '_, F32, Everything>, nodes: usize) -> Parameters {
    let mut parameters = Parameters::new();
    for node in 0..nodes {
        for (index, kind) in [Kind::Weight, Kind::Bias].into_iter().enumerate() {
            let values = engine.parameter(node, index);
            if !values.is_empty() {
                parameters.set(node as u8, kind, values.to_vec());
            }
        }
    }
    parameters
}

pub fn path(name: &str) -> String {
    format!("{}/../data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Digits, standardised: training and test part.
pub fn digits() -> (Dataset, Dataset) {
    let all = csv::read(path("digits.csv"), &CsvSpec::class("digit").groups(["writer"])).unwrap();
    let (mut train, mut test) = split::stratified(&all, 0.8, 1).unwrap().of(&all);
    // One scale for all pixels: a pixel that is nearly always blank has a deviation near 0.
    train.features.iter_mut().chain(&mut test.features).for_each(|x| *x = (*x - 4.9) / 6.0);
    (train, test)
}

/// The drift experiment in one direction, windows `[6, 50]`, standardised by the factory's constants.
pub struct Drift {
    /// The factory's wrist: the first 80 % of each recording, and the rest.
    pub factory: Dataset,
    pub factory_test: Dataset,
    /// The other wrist: the first 20 % of each recording, and the rest.
    pub user: Dataset,
    pub user_test: Dataset,
    pub standardise: Standardise,
}

pub fn drift(factory_wrist: &str) -> Drift {
    let spec = CsvSpec::class("exercise").recording("recording").groups(["person", "wrist"]);
    let rows = csv::read(path("watch/watch.csv.gz"), &spec).unwrap();
    let (first, other) = split::filter(&rows, &[format!("wrist={factory_wrist}")]).unwrap().of(&rows);
    let cut = |rows: &Dataset, share| {
        let (a, b) = split::head(rows, share).unwrap().of(rows);
        (windows(&a, Window::new(50, 25)).unwrap(), windows(&b, Window::new(50, 25)).unwrap())
    };
    let ((mut factory, mut factory_test), (mut user, mut user_test)) = (cut(&first, 0.8), cut(&other, 0.2));
    let standardise = Standardise::fit(&factory).unwrap();
    for set in [&mut factory, &mut factory_test, &mut user, &mut user_test] {
        standardise.apply(set).unwrap();
    }
    Drift { factory, factory_test, user, user_test, standardise }
}

/// A fixed-point engine's saturated parameters: how many stand at either end of the range.
pub fn saturated(engine: &Engine<'_, '_, Fixed16, Everything>, nodes: usize) -> usize {
    let ends = |v: &&i16| **v == i16::MAX || **v == i16::MIN;
    (0..nodes).flat_map(|n| [0, 1].map(|k| engine.parameter(n, k).iter().filter(ends).count())).sum()
}
