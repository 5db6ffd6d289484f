use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// The first one is named.
    pub struct Wrong {
        format: F32,
        input: [1, 8, 8],
        layers: [conv2d(4, 9), max_pool2d(3), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
