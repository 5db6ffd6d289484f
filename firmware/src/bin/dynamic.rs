//! A model that the program has never seen: its file lies in flash, its graph is read from the file, planned on the device,
//! and trained in a heap with a fixed end. Whatever is wrong with the file is one line of text, and no crash.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{
    collections::TryReserveError,
    format,
    string::{String, ToString},
    vec::Vec,
};

use emberlite::{
    executor::Everything,
    graph::{Graph, parse_graph},
    image::Image,
    learner::{Engine, Status},
    loss::{Loss, Target},
    number::{F32, Fixed16, Format, Number},
    optimizer::Optimizer,
    plan::{Plan, Training, plan},
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

fn meet(partition: &'static [u8]) -> Result<(), String> {
    let len = Image::stored_len(partition).map_err(|e| e.to_string())?;
    let bytes = usize::try_from(len).ok().and_then(|len| partition.get(..len));
    let bytes = bytes.ok_or_else(|| format!("the file has {len} bytes, the partition {}", partition.len()))?;
    let image = Image::open(bytes).map_err(|e| e.to_string())?;
    let text = image.graph_text().ok_or("the file carries no graph")?;
    println!("{}", text.trim_ascii_end());

    let mut buffer = Vec::new();
    buffer.try_reserve_exact(1).map_err(full)?;
    buffer.push(parse_graph(text).map_err(|e| e.to_string())?);
    let graph = buffer[0].graph();
    let mut plans: Vec<Plan<NODES>> = Vec::new();
    plans.try_reserve_exact(1).map_err(full)?;
    plans.push(plan(&graph, Some(&TRAINING)).map_err(|e| e.to_string())?);
    let plan = &plans[0];

    let words = plan.words();
    let mut arena = Vec::new();
    let room = HEAP_BYTES - heap::used_bytes();
    arena
        .try_reserve_exact(words)
        .map_err(|_| format!("training needs {} bytes, the heap has {room} left", words * 4))?;
    arena.resize(words, 0);
    println!("planned: {} bytes to train", plan.summary.arena_bytes());

    match graph.format {
        Format::F32 => learn::<F32>(graph, plan, &mut arena, bytes),
        Format::Fixed16 => learn::<Fixed16>(graph, plan, &mut arena, bytes),
    }
}

fn full(_: TryReserveError) -> String {
    "the heap is full".into()
}

fn learn<N: Number>(
    graph: Graph<'_>,
    plan: &Plan<NODES>,
    arena: &mut [u32],
    image: &'static [u8],
) -> Result<(), String> {
    let mut status = Status::EMPTY;
    let mut engine = Engine::<N, Everything>::new(graph, plan.view(), Some(&TRAINING), arena, &mut status)
        .map_err(|e| e.to_string())?;
    engine.load(image).map_err(|e| e.to_string())?;

    let mut input = Vec::new();
    let inputs = plan.summary.inputs as usize;
    input.try_reserve_exact(inputs).map_err(full)?;
    input.resize(inputs, N::Value::default());
    for step in 1..=STEPS {
        let label = step % plan.summary.outputs;
        for (index, value) in (0u32..).zip(input.iter_mut()) {
            // A ramp that begins elsewhere for every class.
            let ramp = (index * 5 + label * 11) % 32;
            *value = N::from_f32(ramp as f32 / 16.0 - 1.0, engine.input_frac());
        }
        let report = engine.train_step(&input, Target::Class(label as u16)).map_err(|e| e.to_string())?;
        if step % 10 == 0 {
            println!("step {step}: loss bits {:08x}, {:?}", N::loss_bits(report.loss), report.outcome);
        }
    }
    Ok(())
}
