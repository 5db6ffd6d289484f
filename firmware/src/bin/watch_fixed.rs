//! The watch on a part without an FPU: 16-bit integers from the sensor to the update, in 32 KiB of RAM.
//! `cargo xtask demo --board m0` drives it; the ELF shows that nothing computes with floating point.
#![no_std]
#![no_main]

use emberlite::{Tensor, Values, learner::Learner, loss::Loss, model, optimizer::Optimizer, plan::Training};
use emberlite_firmware::{
    Exit, Owned, program,
    watch::{self, CHANNELS, READINGS, conv},
};
use emberlite_link::Refusal;

program!(main);

model! {
    /// The model of `demo/fixed16.toml`: the layers of `watch`, in fixed point.
    pub struct Watch {
        format: Fixed16,
        input: [6, 50],
        layers: [
            conv(32), relu(), max_pool1d(2),
            conv(32), relu(), max_pool1d(5),
            flatten(), linear(7),
        ],
        output: [7],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.01)),
        // What 32 KiB leave beside 6 KiB of stack and the buffers of the link.
        ram: 23 * 1024,
    }
}

static LEARNER: Owned<Learner<'static, Watch>> = Owned::new(Learner::new());

fn main() -> Exit {
    watch::run(LEARNER.take(), window)
}

/// A window, normalised with the integer constants of the model's file.
fn window(
    bytes: &[u8],
    learner: &mut Learner<'static, Watch>,
    input: &mut Tensor<i16, CHANNELS, READINGS>,
) -> Result<(), Refusal> {
    watch::readings(bytes, |channel, at, value| {
        if let Some(place) = input.0.get_mut(channel).and_then(|channel| channel.get_mut(at)) {
            *place = [value];
        }
    })?;
    let normalisation = learner.normalisation().ok_or(Refusal::Failed)?;
    normalisation.apply(input.values_mut());
    Ok(())
}
