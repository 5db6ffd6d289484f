//! A convolutional network that a recipe trained (`emberlite recipes run digits-conv`) reads ten handwritten digits. Every bit
//! of its outputs is printed; `cargo test` computes them on the host from the same file and compares with the same text.
#![no_std]
#![no_main]

use emberlite::{
    Tensor,
    image::Aligned,
    learner::{Learner, Model},
};
use emberlite_firmware::{Exit, Owned, println, program};
use emberlite_models::DigitsConv;

program!(main);

const PIXELS: usize = 64;

static FILE: &Aligned<[u8]> = &Aligned(*include_bytes!("../../models/digits_conv.safetensors"));
/// A label, then 64 pixels from 0 to 16, for each digit.
static DIGITS: &[u8] = include_bytes!("../../models/digits_conv.images");
static LEARNER: Owned<Learner<'static, DigitsConv>> = Owned::new(Learner::new());

fn main() -> Exit {
    let Some(learner) = LEARNER.take() else { return Exit::Failed };
    if let Err(error) = learner.load(&FILE.0) {
        println!("the model in flash is refused: {error}");
        return Exit::Failed;
    }
    // What the host saw when it wrote the file: a sample of the training part.
    println!("self-check: {}", if learner.self_check().is_ok() { "ok" } else { "FAILED" });
    let mut right = 0;
    for digit in DIGITS.chunks_exact(1 + PIXELS) {
        let Some((&label, pixels)) = digit.split_first() else { return Exit::Failed };
        let mut input: Tensor<f32, 1, 8, 8> = Tensor::default();
        for (to, &from) in input.as_mut_slice().iter_mut().zip(pixels) {
            *to = f32::from(from);
        }
        if let Some(constants) = learner.normalisation() {
            constants.apply(input.as_mut_slice());
        }
        let (Ok(output), Ok(class)) = (learner.predict(&input), learner.classify(&input)) else { return Exit::Failed };
        println!("{label} read as {class}");
        for value in output.as_slice() {
            println!("  {:08x}", value.to_bits());
        }
        right += u32::from(class == u16::from(label));
    }
    println!("{right} of {} right, arena {} B", DIGITS.len() / (1 + PIXELS), DigitsConv::PLAN.summary.arena_bytes());
    Exit::Passed
}
