//! A device that keeps learning: the factory model lies in flash, a host sends labelled digits over the serial port, and
//! reads back what was learnt. Nothing in it can panic or allocate, which the ELF shows.
#![no_std]
#![no_main]

use emberlite::{
    Tensor,
    image::Aligned,
    learner::{Learner, Model},
};
use emberlite_firmware::{Exit, Owned, println, program, stack, tuned};
use emberlite_link::{Receiver, Refusal, Server, floats};
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
    tuned::serve::<Digits, MESSAGE, { MESSAGE + 16 }>(learner, pixels, receiver, server);
    println!("arena {} B, stack {} B", Digits::PLAN.summary.arena_bytes(), stack::high_water_bytes());
    Exit::Passed
}

/// Pixels from 0 to 1, as little-endian `f32`.
fn pixels(bytes: &[u8], _learner: &mut Learner<'static, Digits>, input: &mut Tensor<f32, 64>) -> Result<(), Refusal> {
    let values = input.as_mut_slice();
    if bytes.len() != values.len() * 4 {
        return Err(Refusal::WrongLength { needed: values.len() as u32, got: bytes.len() as u32 / 4 });
    }
    for (to, from) in values.iter_mut().zip(floats(bytes)) {
        *to = from;
    }
    Ok(())
}
