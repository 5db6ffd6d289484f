//! A model that the program has never seen: its file lies in flash, its graph is read from the file, planned on the device,
//! and trained in a heap with a fixed end. Whatever is wrong with the file is one line of text, and no crash: every
//! allocation is asked for first, and refusing needs none.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{collections::TryReserveError, vec::Vec};
use core::fmt;

use emberlite::{
    executor::Everything,
    graph::{Graph, TextError, parse_graph},
    image::{Image, ImageError},
    learner::{Engine, LearnError, LoadError, Status},
    loss::{Loss, Target},
    number::{F32, Fixed16, Format, Number},
    optimizer::Optimizer,
    plan::{Plan, PlanError, Training, plan},
};
use emberlite_firmware::{
    Exit,
    heap::{self, HEAP_BYTES},
    partition::partition,
    println, program,
};

program!(main);

/// Most nodes that there is room to plan: the planner takes about 1.3 KB of stack a node while it works.
const NODES: usize = 8;
const STEPS: u32 = 30;
const TRAINING: Training = Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.02)).seed(3);

fn main() -> Exit {
    heap::start();
    match meet(partition()) {
        Ok(()) => Exit::Passed,
        Err(why) => {
            println!("refused: {why}");
            Exit::Failed
        }
    }
}

/// Why a model isn't trained here. A value that prints itself: where the heap is full there is no room for a text.
enum Refusal {
    Image(ImageError),
    Truncated { needed: u64, there: usize },
    NoGraph,
    Graph(TextError),
    Plan(PlanError),
    Arena { needed: usize, left: usize },
    Heap { left: usize },
    Load(LoadError),
    Learn(LearnError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Image(e) => write!(f, "{e}"),
            Refusal::Truncated { needed, there } => {
                write!(f, "the file has {needed} bytes, the partition {there}")
            }
            Refusal::NoGraph => f.write_str("the file carries no graph"),
            Refusal::Graph(e) => write!(f, "{e}"),
            Refusal::Plan(e) => write!(f, "{e}"),
            Refusal::Arena { needed, left } => {
                write!(f, "training needs {needed} bytes, the heap has {left} left")
            }
            Refusal::Heap { left } => write!(f, "the heap is full: {left} bytes are left"),
            Refusal::Load(e) => write!(f, "{e}"),
            Refusal::Learn(e) => write!(f, "{e}"),
        }
    }
}

fn meet(partition: &'static [u8]) -> Result<(), Refusal> {
    let len = Image::stored_len(partition).map_err(Refusal::Image)?;
    let bytes = usize::try_from(len).ok().and_then(|len| partition.get(..len));
    let bytes = bytes.ok_or(Refusal::Truncated { needed: len, there: partition.len() })?;
    let image = Image::open(bytes).map_err(Refusal::Image)?;
    let text = image.graph_text().ok_or(Refusal::NoGraph)?;
    println!("{}", text.trim_ascii_end());

    let mut buffer = room(1).map_err(full)?;
    buffer.push(parse_graph(text).map_err(Refusal::Graph)?);
    let graph = buffer[0].graph();
    let mut plans: Vec<Plan<NODES>> = room(1).map_err(full)?;
    plans.push(plan(&graph, Some(&TRAINING)).map_err(Refusal::Plan)?);
    let plan = &plans[0];

    let words = plan.words();
    let left = left();
    let mut arena = room(words).map_err(|_| Refusal::Arena { needed: words * 4, left })?;
    arena.resize(words, 0);
    println!("planned: {} bytes to train", plan.summary.arena_bytes());

    match graph.format {
        Format::F32 => learn::<F32>(graph, plan, &mut arena, bytes),
        Format::Fixed16 => learn::<Fixed16>(graph, plan, &mut arena, bytes),
    }
}

/// An empty vector with room for exactly `len` elements: nothing that is put there allocates again.
fn room<T>(len: usize) -> Result<Vec<T>, TryReserveError> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(len)?;
    Ok(vec)
}

fn left() -> usize {
    HEAP_BYTES - heap::used_bytes()
}

fn full(_: TryReserveError) -> Refusal {
    Refusal::Heap { left: left() }
}

fn learn<N: Number>(
    graph: Graph<'_>,
    plan: &Plan<NODES>,
    arena: &mut [u32],
    image: &'static [u8],
) -> Result<(), Refusal> {
    let mut status = Status::EMPTY;
    let mut engine = Engine::<N, Everything>::new(graph, plan.view(), Some(&TRAINING), arena, &mut status)
        .map_err(Refusal::Learn)?;
    engine.load(image).map_err(Refusal::Load)?;

    let inputs = plan.summary.inputs as usize;
    let mut input = room(inputs).map_err(full)?;
    input.resize(inputs, N::Value::default());
    for step in 1..=STEPS {
        let label = step % plan.summary.outputs;
        for (index, value) in (0u32..).zip(input.iter_mut()) {
            // A ramp that begins elsewhere for every class.
            let ramp = (index * 5 + label * 11) % 32;
            *value = N::from_f32(ramp as f32 / 16.0 - 1.0, engine.input_frac());
        }
        let report = engine.train_step(&input, Target::Class(label as u16)).map_err(Refusal::Learn)?;
        if step % 10 == 0 {
            println!("step {step}: loss bits {:08x}, {:?}", N::loss_bits(report.loss), report.outcome);
        }
    }
    Ok(())
}
