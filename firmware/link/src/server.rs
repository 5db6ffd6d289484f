//! The device's side: a frame in, a frame out.

use crate::{
    frame::{FrameError, encode},
    message::{Body, Info, Outcome, Refusal, Reply, Request},
};

/// What a program offers over the link. Outputs, parameters and losses are in the numbers that [`Info::numbers`] says.
pub trait Device {
    /// Who this is; `sequence` is filled in by the server.
    fn info(&self) -> Info<'static>;

    /// Runs the model on `input` and writes the output tensor; returns its bytes.
    ///
    /// # Errors
    ///
    /// `WrongLength`, `NotFinite`, `Failed`.
    fn predict(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, Refusal>;

    /// One training step. A refused one has changed nothing, so that it may be asked for again.
    ///
    /// # Errors
    ///
    /// `WrongLength`, `WrongLabel`, `NotFinite`, `Failed`.
    fn train(&mut self, input: &[u8], label: u32) -> Result<Step, Refusal>;

    /// The bits of an example's loss, and whether its class is the one predicted.
    ///
    /// # Errors
    ///
    /// `WrongLength`, `WrongLabel`, `NotFinite`, `Failed`.
    fn evaluate(&mut self, input: &[u8], label: u32) -> Result<(u32, bool), Refusal>;

    /// Copies parameters from `offset` on and returns how many bytes; 0 at the end.
    ///
    /// # Errors
    ///
    /// `WrongOffset`, `Failed`.
    fn read(&self, offset: u32, out: &mut [u8]) -> Result<usize, Refusal>;

    /// The host is done; the program ends when the reply is sent, or waits for another host.
    fn finish(&mut self);
}

/// A training step that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The bits of the loss before it.
    pub loss_bits: u32,
    /// What came of it.
    pub outcome: Outcome,
}

/// The step that was made last, to answer its repetition. Gone with the next request of another number, since numbers wrap.
#[derive(Debug, Clone, Copy)]
struct LastTrained {
    sequence: u16,
    made: Step,
    updates: u32,
}

impl LastTrained {
    fn reply(self) -> Reply<'static> {
        let LastTrained { sequence, made: Step { loss_bits, outcome }, updates } = self;
        Reply::Trained { sequence, loss_bits, outcome, step: updates }
    }
}

/// Answers frames. `N` is the bytes that one reply's tensor or piece of parameters may have.
#[derive(Debug)]
pub struct Server<const N: usize> {
    data: [u8; N],
    message: [u8; N],
    last: Option<LastTrained>,
}

impl<const N: usize> Default for Server<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Server<N> {
    /// Bytes of a reply around its data: variant, number, offset and length as postcard writes them, at most.
    const AROUND: usize = 16;

    /// A server that has answered nothing yet.
    pub const fn new() -> Self {
        const { assert!(N >= 96, "a server needs room for its Info") };
        Server { data: [0; N], message: [0; N], last: None }
    }

    /// Answers what a receiver handed out, and returns the length of the reply's frame in `out`; 0 where `out` is too short for
    /// even a refusal. `out` of `N + 6 + (N + 4) / 254` bytes always suffices.
    pub fn answer(&mut self, device: &mut impl Device, frame: Result<&[u8], FrameError>, out: &mut [u8]) -> usize {
        let (data, message) = (&mut self.data, &mut self.message);
        let reply = match frame {
            Ok(payload) => match postcard::from_bytes::<Request<'_>>(payload) {
                Ok(request) => reply(&mut self.last, device, &request, data),
                Err(_) => refused(0, Refusal::Unknown),
            },
            Err(FrameError::TooLong) => refused(0, Refusal::TooLong),
            Err(FrameError::Cut | FrameError::Damaged) => refused(0, Refusal::Damaged),
        };
        let used = postcard::to_slice(&reply, message).map_or(0, |bytes| bytes.len());
        let bytes = message.get(..used).unwrap_or_default();
        encode(bytes, out).unwrap_or(0)
    }
}

fn refused(sequence: u16, refusal: Refusal) -> Reply<'static> {
    Reply::Refused { sequence, refusal }
}

fn reply<'d, const N: usize>(
    last: &mut Option<LastTrained>,
    device: &mut impl Device,
    request: &Request<'_>,
    data: &'d mut [u8; N],
) -> Reply<'d> {
    let sequence = request.sequence;
    // Less than the whole buffer, so that the message around the data fits too.
    let room = data.get_mut(..N.saturating_sub(Server::<N>::AROUND)).unwrap_or_default();
    *last = last.filter(|last| last.sequence == sequence);
    match request.body {
        Body::Hello => {
            *last = None;
            Reply::Info(Info { sequence, ..device.info() })
        }
        Body::Predict { input } => match device.predict(input, room) {
            Ok(len) => Reply::Prediction { sequence, output: room.get(..len).unwrap_or_default() },
            Err(refusal) => refused(sequence, refusal),
        },
        Body::Train { input, label } => {
            if let Some(last) = *last {
                return last.reply();
            }
            match device.train(input, label) {
                Ok(made) => {
                    let trained = LastTrained { sequence, made, updates: device.info().step };
                    *last = Some(trained);
                    trained.reply()
                }
                Err(refusal) => refused(sequence, refusal),
            }
        }
        Body::Evaluate { input, label } => match device.evaluate(input, label) {
            Ok((loss_bits, correct)) => Reply::Evaluated { sequence, loss_bits, correct },
            Err(refusal) => refused(sequence, refusal),
        },
        Body::Finish => {
            device.finish();
            Reply::Finished { sequence }
        }
        Body::Read { offset } => match device.read(offset, room) {
            Ok(len) => Reply::Parameters { sequence, offset, bytes: room.get(..len).unwrap_or_default() },
            Err(refusal) => refused(sequence, refusal),
        },
    }
}
