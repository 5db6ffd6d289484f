//! A watch that keeps learning: the model lies in its own partition of flash, a host sends what the inertial sensor read, labelled,
//! over the serial port, and reads back what was learnt. `cargo xtask demo` drives it.
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

static LEARNER: Owned<Learner<'static, Watch>> = Owned::new(Learner::new());

fn main() -> Exit {
    watch::run(LEARNER.take(), window)
}

/// A window, normalised with the constants of the model's file.
fn window(
    bytes: &[u8],
    learner: &mut Learner<'static, Watch>,
    input: &mut Tensor<f32, CHANNELS, READINGS>,
) -> Result<(), Refusal> {
    watch::readings(bytes, |channel, at, value| {
        if let Some(place) = input.0.get_mut(channel).and_then(|channel| channel.get_mut(at)) {
            *place = [f32::from(value)];
        }
    })?;
    let normalisation = learner.normalisation().ok_or(Refusal::Failed)?;
    normalisation.apply(input.values_mut());
    Ok(())
}
