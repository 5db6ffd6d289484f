//! What the watch's programs share: a window of readings, the way from the partition of flash to the line, the layers.

use emberlite::{
    graph::Node,
    image::Image,
    learner::{Learner, Model},
    op::{Conv, Op},
};
use emberlite_link::{Receiver, Refusal, Server};

use crate::{Exit, Owned, partition::partition, println, stack, tuned};

/// Channels of the sensor: acceleration and rotation, three axes each.
pub const CHANNELS: usize = 6;
/// Readings of a window: two seconds at 25 Hz.
pub const READINGS: usize = 50;
/// Bytes of a window on the line.
const WINDOW: usize = READINGS * CHANNELS * 2;
/// Bytes of the longest message: a window and what is around it.
const MESSAGE: usize = WINDOW + 32;

static RECEIVER: Owned<Receiver<MESSAGE>> = Owned::new(Receiver::new());
static SERVER: Owned<Server<MESSAGE>> = Owned::new(Server::new());

/// A convolution of kernel 5 that keeps the length.
pub const fn conv(channels: u16) -> Node {
    let (kernel, stride, padding) = ([1, 5], [1, 1], [0, 2]);
    Node::new(Op::Conv(Conv { rank: 1, channels, kernel, stride, padding, groups: 1, bias: true }))
}

/// Loads the model that lies in the partition of flash, answers the host until it has finished, and says what memory that
/// took.
pub fn run<M: Model>(learner: Option<&'static mut Learner<'static, M>>, decode: tuned::Decode<M>) -> Exit {
    let (Some(learner), Some(receiver), Some(server)) = (learner, RECEIVER.take(), SERVER.take()) else {
        return Exit::Failed;
    };
    let partition = partition();
    let len = Image::stored_len(partition).ok().and_then(|len| usize::try_from(len).ok()).unwrap_or_default();
    if learner.load(partition.get(..len).unwrap_or_default()).is_err() {
        println!("the model in flash is refused");
        return Exit::Failed;
    }
    tuned::serve::<M, MESSAGE, { MESSAGE + 16 }>(learner, decode, receiver, server);
    println!("arena {}", M::PLAN.summary.arena_bytes());
    println!("stack {}", stack::high_water_bytes());
    Exit::Passed
}

/// Hands out a window as the sensor gives it, `[readings, channels]` of little-endian 16-bit integers: channel, place in time,
/// value. The model takes `[channels, readings]`.
///
/// # Errors
///
/// `WrongLength`; then nothing was handed out.
pub fn readings(bytes: &[u8], mut put: impl FnMut(usize, usize, i16)) -> Result<(), Refusal> {
    if bytes.len() != WINDOW {
        return Err(Refusal::WrongLength { needed: (READINGS * CHANNELS) as u32, got: bytes.len() as u32 / 2 });
    }
    let readings = bytes.as_chunks::<2>().0.as_chunks::<CHANNELS>().0;
    for (at, reading) in readings.iter().enumerate() {
        for (channel, value) in reading.iter().enumerate() {
            put(channel, at, i16::from_le_bytes(*value));
        }
    }
    Ok(())
}
