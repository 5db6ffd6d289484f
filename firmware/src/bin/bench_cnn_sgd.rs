//! A step of the small ConvNet, f32, SGD at batch 1.
#![no_std]
#![no_main]

use emberlite::{learner::Learner, loss::Loss, model, optimizer::Optimizer, plan::Training};
use emberlite_firmware::{Exit, Owned, bench, program};

program!(main);

model! {
    /// The model that is measured.
    pub struct Measured {
        format: F32,
        input: [1, 16, 16],
        layers: [conv2d_with(8, [3, 3], [1, 1], [1, 1]), relu(), max_pool2d(2), conv2d_with(16, [3, 3], [1, 1], [1, 1]), relu(), max_pool2d(2), flatten(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.05)),
    }
}

static LEARNER: Owned<Learner<'static, Measured>> = Owned::new(Learner::new());

fn main() -> Exit {
    bench::run(LEARNER.take())
}
