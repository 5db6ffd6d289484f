use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// A rate of 1 drops everything.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8), dropout(1.0), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
