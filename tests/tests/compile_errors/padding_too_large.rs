use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// A window must not see padding alone.
    pub struct Wrong {
        format: F32,
        input: [1, 8, 8],
        layers: [max_pool2d(2).padding(2), flatten(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
