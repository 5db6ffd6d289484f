//! A device that keeps learning: the factory model lies in flash, a host sends labelled digits over the serial port, and
//! reads back what was learnt. Nothing in it can panic or allocate, which the ELF shows.
#![no_std]
#![no_main]

use emberlite::{
    Tensor,
    graph::layout_hash,
    image::Aligned,
    learner::{LearnError, Learner, Model, Outcome},
};
use emberlite_firmware::{Exit, Owned, board, println, program, stack, uart::Uart};
use emberlite_link::{Device, Info, Receiver, Refusal, Server, VERSION, floats, put_floats};
use emberlite_models::Digits;

program!(main);

/// Bytes of the longest message: a training step's 64 pixels and what is around them.
const MESSAGE: usize = 320;

static FACTORY: &Aligned<[u8]> = &Aligned(*include_bytes!("../../models/digits.safetensors"));
static LEARNER: Owned<Learner<'static, Digits>> = Owned::new(Learner::new());
static RECEIVER: Owned<Receiver<MESSAGE>> = Owned::new(Receiver::new());
static SERVER: Owned<Server<MESSAGE>> = Owned::new(Server::new());

fn main() -> Exit {
    let (Some(learner), Some(receiver), Some(server)) = (LEARNER.take(), RECEIVER.take(), SERVER.take()) else {
        return Exit::Failed;
    };
    if learner.load(&FACTORY.0).is_err() {
        println!("the model in flash is refused");
        return Exit::Failed;
    }
    let mut device = FineTuned { learner, finished: false };
    let mut uart = Uart::start();
    let mut frame = [0; MESSAGE + 16];
    while !device.finished {
        if let Some(received) = receiver.push(uart.read()) {
            let len = server.answer(&mut device, received, &mut frame);
            uart.write(frame.get(..len).unwrap_or_default());
        }
    }
    println!("arena {} B, stack {} B", Digits::PLAN.summary.arena_bytes(), stack::high_water_bytes());
    Exit::Passed
}

struct FineTuned {
    learner: &'static mut Learner<'static, Digits>,
    finished: bool,
}

fn input(bytes: &[u8]) -> Result<Tensor<f32, 64>, Refusal> {
    let mut input = Tensor::zeros();
    let values = input.as_mut_slice();
    if bytes.len() != values.len() * 4 {
        return Err(Refusal::WrongLength { needed: values.len() as u32, got: bytes.len() as u32 / 4 });
    }
    for (to, from) in values.iter_mut().zip(floats(bytes)) {
        *to = from;
    }
    Ok(input)
}

fn class(label: u32) -> Result<u16, Refusal> {
    let classes = Digits::PLAN.summary.outputs;
    u16::try_from(label).ok().filter(|_| label < classes).ok_or(Refusal::WrongLabel { classes, got: label })
}

fn refusal(error: LearnError) -> Refusal {
    match error {
        LearnError::InputNotFinite { .. } | LearnError::InputOutOfRange { .. } => Refusal::NotFinite,
        LearnError::InputLength { needed, got } => Refusal::WrongLength { needed, got },
        LearnError::Label { classes, got } => Refusal::WrongLabel { classes, got },
        _ => Refusal::Failed,
    }
}

impl Device for FineTuned {
    fn info(&self) -> Info<'static> {
        let summary = Digits::PLAN.summary;
        Info {
            sequence: 0,
            version: VERSION,
            board: board::NAME,
            layout_hash: layout_hash(&Digits::GRAPH),
            input_len: summary.inputs,
            output_len: summary.outputs,
            parameter_bytes: self.tensors().map(|tensor| tensor.len() as u32 * 4).sum(),
            step: self.learner.progress().updates,
        }
    }

    fn predict(&mut self, bytes: &[u8], output: &mut [u8]) -> Result<usize, Refusal> {
        let values = self.learner.predict(&input(bytes)?).map_err(refusal)?;
        Ok(put_floats(values.as_slice(), output))
    }

    fn train(&mut self, bytes: &[u8], label: u32) -> Result<f32, Refusal> {
        let report = self.learner.train_step(&input(bytes)?, class(label)?).map_err(refusal)?;
        match report.outcome {
            Outcome::Skipped => Err(Refusal::NotFinite),
            Outcome::Updated | Outcome::Accumulated => Ok(report.loss),
        }
    }

    fn evaluate(&mut self, bytes: &[u8], label: u32) -> Result<(f32, bool), Refusal> {
        let label = class(label)?;
        let mut engine = self.learner.engine().map_err(refusal)?;
        let input = input(bytes)?;
        let evaluation = engine.evaluate(input.as_slice(), emberlite::loss::Target::Class(label)).map_err(refusal)?;
        Ok((evaluation.loss, evaluation.class == label))
    }

    fn read(&self, offset: u32, out: &mut [u8]) -> Result<usize, Refusal> {
        let len = self.info().parameter_bytes;
        if offset > len || offset % 4 != 0 {
            return Err(Refusal::WrongOffset { len, got: offset });
        }
        let mut skip = offset as usize / 4;
        let mut written = 0;
        for tensor in self.tensors() {
            let rest = tensor.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(tensor.len());
            written += put_floats(rest, out.get_mut(written..).unwrap_or_default());
        }
        Ok(written)
    }

    fn finish(&mut self) {
        self.finished = true;
    }
}

impl FineTuned {
    /// All trained parameters: weight and bias of each node in turn.
    fn tensors(&self) -> impl Iterator<Item = &[f32]> {
        let nodes = 0..Digits::GRAPH.nodes.len();
        nodes.flat_map(|node| [self.learner.parameter(node, 0), self.learner.parameter(node, 1)])
    }
}
