//! A model that is known at run time, with its own memory: what the host's simulation is made of, in small.

use emberlite::executor::Everything;
use emberlite::graph::{Graph, Node, Shape};
use emberlite::image::{DType, Entry, Header, Kind, Writer};
use emberlite::learner::{Engine, Status};
use emberlite::loss::Target;
use emberlite::number::{F32, Format};
use emberlite::plan::{Parameter, Plan, Region, Training, plan};

/// The most nodes of a model here.
const NODES: usize = 16;

/// One tensor to load: node, kind, values.
pub type Loaded = (u8, Kind, Vec<f32>);

pub struct Machine {
    graph: Graph<'static>,
    plan: Plan<NODES>,
    training: Training,
    arena: Vec<u32>,
    status: Status<'static>,
}

impl Machine {
    /// Plans the model and loads its parameters from a sealed file. The file and the nodes live as long as the test.
    pub fn new(input: Shape, nodes: &[Node], training: Training, tensors: &[Loaded]) -> Machine {
        let graph = Graph::new(Format::F32, input, Vec::leak(nodes.to_vec()));
        let plan = plan::<NODES>(&graph, Some(&training)).unwrap_or_else(|error| panic!("{error}"));
        let arena = vec![0; plan.words()];
        let mut machine = Machine { graph, plan, training, arena, status: Status::EMPTY };
        let file = file(graph, tensors);
        machine.engine().load(file).unwrap_or_else(|error| panic!("{error}"));
        machine
    }

    fn engine(&mut self) -> Engine<'_, 'static, F32, Everything> {
        Engine::new(self.graph, self.plan.view(), Some(&self.training), &mut self.arena, &mut self.status).unwrap()
    }

    /// One training step; returns the loss before it.
    pub fn train(&mut self, x: &[f32], target: Target<'_, F32>) -> f32 {
        self.engine().train_step(x, target).unwrap().loss
    }

    /// The loss, without learning.
    pub fn evaluate(&mut self, x: &[f32], target: Target<'_, F32>) -> f32 {
        self.engine().evaluate(x, target).unwrap().loss
    }

    /// The output.
    pub fn predict(&mut self, x: &[f32]) -> Vec<f32> {
        self.engine().predict(x).unwrap().to_vec()
    }

    /// A trained tensor of a node, or nothing where it isn't trained.
    pub fn trained(&self, node: u8, kind: Kind) -> Vec<f32> {
        let parameter = self.parameter(node, kind);
        self.floats(parameter.region).into_iter().take(parameter.len as usize).collect()
    }

    /// The optimizer's state of a tensor; empty slots where there is none.
    pub fn state(&self, node: u8, kind: Kind) -> [Vec<f32>; 2] {
        self.parameter(node, kind).state.map(|region| self.floats(region))
    }

    fn parameter(&self, node: u8, kind: Kind) -> &Parameter {
        let step = &self.plan.steps[usize::from(node)];
        match kind {
            Kind::Weight => &step.parameters[0],
            Kind::Bias => &step.parameters[1],
            Kind::RunningMean => &step.running[0],
            Kind::RunningVariance => &step.running[1],
            other => panic!("{other:?} is no parameter"),
        }
    }

    fn floats(&self, region: Region) -> Vec<f32> {
        self.arena[region.range()].iter().map(|&word| f32::from_bits(word)).collect()
    }
}

/// A sealed file of the tensors, aligned to words.
fn file(graph: Graph<'_>, tensors: &[Loaded]) -> &'static [u8] {
    let dims: Vec<[u32; 1]> = tensors.iter().map(|(_, _, values)| [values.len() as u32]).collect();
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let entries: Vec<Entry<'_>> = tensors
        .iter()
        .zip(&dims)
        .zip(&bytes)
        .map(|((&(node, kind, _), dims), bytes)| Entry { node, kind, dtype: DType::F32, dims, frac: 0, bytes })
        .collect();
    let writer = Writer::new(Header::new(graph), &entries).unwrap_or_else(|error| panic!("{error}"));
    // Its numbers are read in place, so it must start at an aligned address.
    let len = writer.encoded_len() as usize;
    let buffer: &'static mut [u8] = Vec::leak(vec![0; len + 16]);
    let start = buffer.as_ptr().align_offset(16);
    let file = &mut buffer[start..start + len];
    let mut out = &mut *file;
    writer.write(&mut out).unwrap();
    file
}
