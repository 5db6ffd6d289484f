use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// More outputs than a dimension can have.
    pub struct Wrong {
        format: F32,
        input: [256, 16, 17],
        layers: [flatten(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
