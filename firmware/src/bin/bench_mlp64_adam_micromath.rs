//! A step of 64-32-10, f32, Adam at batch 1, with micromath's square root: what `mlp64_adam` is compared with on a part without
//! an FPU.
#![no_std]
#![no_main]

use emberlite::{learner::Learner, loss::Loss, model, optimizer::Optimizer, plan::Training};
use emberlite_firmware::{Exit, Owned, bench, program};

program!(main);

model! {
    /// The model that is measured.
    pub struct Measured {
        format: F32,
        input: [64],
        layers: [linear(32), relu(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::adam(0.001)),
    }
}

static LEARNER: Owned<Learner<'static, Measured>> = Owned::new(Learner::new());

fn main() -> Exit {
    bench::run(LEARNER.take())
}
