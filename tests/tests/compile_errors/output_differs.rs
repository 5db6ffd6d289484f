use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Ten values declared, eight given.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
