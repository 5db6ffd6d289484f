use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Fixed point has no tanh yet.
    pub struct Wrong {
        format: Fixed16,
        input: [4],
        layers: [linear(8), tanh(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
