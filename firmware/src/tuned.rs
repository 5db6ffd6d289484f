//! A device that keeps learning while a host looks on: a learner behind the link, in any number format.

use emberlite::{
    Values,
    graph::layout_hash,
    learner::{LearnError, Learner, Model, Outcome},
    loss::Target,
    number::{self, Format, Number},
};
use emberlite_link::{self as link, Device, Info, Numbers, Receiver, Refusal, Server, VERSION};

use crate::{board, uart::Uart};

/// Turns what came over the line into the model's input.
pub type Decode<M> = fn(&[u8], &mut Learner<'static, M>, &mut <M as Model>::Input) -> Result<(), Refusal>;

/// A learner as the link's device.
#[allow(missing_debug_implementations)]
pub struct Tuned<M: Model + 'static> {
    learner: &'static mut Learner<'static, M>,
    decode: Decode<M>,
    finished: bool,
}

/// Answers the host on the serial port until it has finished. `N` is the bytes of the longest message; frames are written
/// from a buffer of `FRAME` bytes, at least `N + 6 + (N + 4) / 254`.
pub fn serve<M: Model, const N: usize, const FRAME: usize>(
    learner: &'static mut Learner<'static, M>,
    decode: Decode<M>,
    receiver: &mut Receiver<N>,
    server: &mut Server<N>,
) {
    const {
        assert!(FRAME >= N + 6 + (N + 4) / 254, "a frame is longer than its message: six bytes, and one for every 254");
        let output_bytes = (M::PLAN.summary.outputs * M::Number::FORMAT.value_bytes()) as usize;
        assert!(N >= output_bytes + 16, "a message must hold the model's output and 16 bytes around it");
    }
    let mut device = Tuned { learner, decode, finished: false };
    let mut uart = Uart::start();
    let mut frame = [0; FRAME];
    while !device.finished {
        if let Some(received) = receiver.push(uart.read()) {
            let len = server.answer(&mut device, received, &mut frame);
            uart.write(frame.get(..len).unwrap_or_default());
        }
    }
}

impl<M: Model> Tuned<M> {
    /// Bytes of one number.
    const BYTES: usize = M::Number::FORMAT.value_bytes() as usize;

    fn input(&mut self, bytes: &[u8]) -> Result<M::Input, Refusal> {
        let mut input = M::Input::default();
        (self.decode)(bytes, self.learner, &mut input)?;
        Ok(input)
    }

    /// All trained parameters: weight and bias of each node in turn.
    fn tensors(&self) -> impl Iterator<Item = &[u8]> {
        let nodes = 0..M::GRAPH.nodes.len();
        let tensors = nodes.flat_map(|node| [self.learner.parameter(node, 0), self.learner.parameter(node, 1)]);
        tensors.map(number::bytes::<M::Number>)
    }
}

fn class<M: Model>(label: u32) -> Result<u16, Refusal> {
    let classes = M::PLAN.summary.outputs;
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

/// Copies as many bytes as fit and returns how many.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let len = from.len().min(to.len());
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
    len
}

impl<M: Model> Device for Tuned<M> {
    fn info(&self) -> Info<'static> {
        let summary = M::PLAN.summary;
        Info {
            sequence: 0,
            version: VERSION,
            board: board::NAME,
            layout_hash: layout_hash(&M::GRAPH),
            numbers: match M::Number::FORMAT {
                Format::F32 => Numbers::F32,
                Format::Fixed16 => Numbers::Fixed16,
            },
            input_len: summary.inputs,
            output_len: summary.outputs,
            parameter_bytes: self.tensors().map(|tensor| tensor.len() as u32).sum(),
            step: self.learner.progress().updates,
        }
    }

    fn predict(&mut self, bytes: &[u8], output: &mut [u8]) -> Result<usize, Refusal> {
        let input = self.input(bytes)?;
        let values = self.learner.predict(&input).map_err(refusal)?;
        Ok(copy(number::bytes::<M::Number>(values.values()), output))
    }

    fn train(&mut self, bytes: &[u8], label: u32) -> Result<link::Step, Refusal> {
        let (input, label) = (self.input(bytes)?, class::<M>(label)?);
        let report = self.learner.train_step(&input, label).map_err(refusal)?;
        let outcome = match report.outcome {
            Outcome::Updated => link::Outcome::Updated,
            Outcome::Accumulated => link::Outcome::Accumulated,
            Outcome::Skipped => link::Outcome::Skipped,
        };
        Ok(link::Step { loss_bits: M::Number::loss_bits(report.loss), outcome })
    }

    fn evaluate(&mut self, bytes: &[u8], label: u32) -> Result<(u32, bool), Refusal> {
        let (input, label) = (self.input(bytes)?, class::<M>(label)?);
        let mut engine = self.learner.engine().map_err(refusal)?;
        let evaluation = engine.evaluate(input.values(), Target::Class(label)).map_err(refusal)?;
        Ok((M::Number::loss_bits(evaluation.loss), evaluation.class == label))
    }

    fn read(&self, offset: u32, out: &mut [u8]) -> Result<usize, Refusal> {
        let len = self.info().parameter_bytes;
        if offset > len || offset % Self::BYTES as u32 != 0 {
            return Err(Refusal::WrongOffset { len, got: offset });
        }
        // Whole numbers, so that every reply can be read by itself.
        let room = out.len() - out.len() % Self::BYTES;
        let out = out.get_mut(..room).unwrap_or_default();
        let mut skip = offset as usize;
        let mut written = 0;
        for tensor in self.tensors() {
            let rest = tensor.get(skip..).unwrap_or_default();
            skip = skip.saturating_sub(tensor.len());
            written += copy(rest, out.get_mut(written..).unwrap_or_default());
        }
        Ok(written)
    }

    fn finish(&mut self) {
        self.finished = true;
    }
}
