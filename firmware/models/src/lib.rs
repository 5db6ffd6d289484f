//! The models that device and host both know, declared once so that their layout hashes can't differ.
#![no_std]
#![forbid(unsafe_code)]

use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Handwritten digits of 8x8 pixels in 0..1 (the data's 0..16, divided by 16), ten classes: 2,410 parameters.
    pub struct Digits {
        format: F32,
        input: [64],
        layers: [linear(32), relu(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.05)).seed(1),
        ram: 10 * 1024,
    }
}

model! {
    /// Digits of 8x8 pixels as two convolutions see them: the recipe `digits-conv`, 6,090 parameters. It predicts only.
    pub struct DigitsConv {
        format: F32,
        input: [1, 8, 8],
        layers: [
            conv2d(16, 3).padding(1), relu(), max_pool2d(2),
            conv2d(32, 3).padding(1), relu(), max_pool2d(2),
            flatten(), linear(10),
        ],
        output: [10],
    }
}
