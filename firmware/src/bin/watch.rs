//! A watch that keeps learning: the model lies in its own partition of flash, a host sends what the inertial sensor read, labelled,
//! over the serial port, and reads back what was learnt. `cargo xtask demo` drives it.
#![no_std]
#![no_main]

use emberlite::{
    Tensor, Values,
    image::Image,
    learner::{Learner, Model},
    loss::Loss,
    model,
    op::{Conv, Op},
    optimizer::Optimizer,
    plan::Training,
};
use emberlite_firmware::{Exit, Owned, partition::partition, println, program, stack, tuned};
use emberlite_link::{Receiver, Refusal, Server};

program!(main);

/// Channels of the sensor: acceleration and rotation, three axes each.
const CHANNELS: usize = 6;
/// Readings of a window: two seconds at 25 Hz.
const READINGS: usize = 50;

model! {
    /// Which of seven exercises an arm does, from two seconds of readings: the model of `demo/model.toml`.
    pub struct Watch {
        format: F32,
        input: [6, 50],
        layers: [
            conv(32), relu(), max_pool1d(2),
            conv(32), relu(), max_pool1d(5),
            flatten(), linear(7),
        ],
        output: [7],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.01)),
        // What 64 KiB leave beside 16 KiB of stack and the buffers of the link.
        ram: 45 * 1024,
    }
}

/// A convolution of kernel 5 that keeps the length.
const fn conv(channels: u16) -> emberlite::graph::Node {
    let (kernel, stride, padding) = ([1, 5], [1, 1], [0, 2]);
    emberlite::graph::Node::new(Op::Conv(Conv { rank: 1, channels, kernel, stride, padding, groups: 1, bias: true }))
}

/// Bytes of a window on the line.
const WINDOW: usize = READINGS * CHANNELS * 2;
/// Bytes of the longest message: a window and what is around it.
const MESSAGE: usize = WINDOW + 32;

static LEARNER: Owned<Learner<'static, Watch>> = Owned::new(Learner::new());
static RECEIVER: Owned<Receiver<MESSAGE>> = Owned::new(Receiver::new());
static SERVER: Owned<Server<MESSAGE>> = Owned::new(Server::new());

fn main() -> Exit {
    let (Some(learner), Some(receiver), Some(server)) = (LEARNER.take(), RECEIVER.take(), SERVER.take()) else {
        return Exit::Failed;
    };
    let partition = partition();
    let len = Image::stored_len(partition).ok().and_then(|len| usize::try_from(len).ok()).unwrap_or_default();
    if learner.load(partition.get(..len).unwrap_or_default()).is_err() {
        println!("the model in flash is refused");
        return Exit::Failed;
    }
    tuned::serve::<Watch, MESSAGE, { MESSAGE + 32 }>(learner, window, receiver, server);
    println!("arena {}", Watch::PLAN.summary.arena_bytes());
    println!("stack {}", stack::high_water_bytes());
    Exit::Passed
}

/// A window as the sensor gives it: `[readings, channels]`, little-endian 16-bit integers. The model takes `[channels,
/// readings]`, normalised with the constants of its file.
fn window(
    bytes: &[u8],
    learner: &mut Learner<'static, Watch>,
    input: &mut Tensor<f32, CHANNELS, READINGS>,
) -> Result<(), Refusal> {
    if bytes.len() != WINDOW {
        return Err(Refusal::WrongLength { needed: (READINGS * CHANNELS) as u32, got: bytes.len() as u32 / 2 });
    }
    let readings = bytes.as_chunks::<2>().0.as_chunks::<CHANNELS>().0;
    for (at, reading) in readings.iter().enumerate() {
        for (channel, value) in input.0.iter_mut().zip(reading) {
            if let Some(place) = channel.get_mut(at) {
                *place = [f32::from(i16::from_le_bytes(*value))];
            }
        }
    }
    let normalisation = learner.normalisation().ok_or(Refusal::Failed)?;
    normalisation.apply(input.values_mut());
    Ok(())
}
