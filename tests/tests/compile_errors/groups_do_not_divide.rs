use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Six channels can't be four groups.
    pub struct Wrong {
        format: F32,
        input: [6, 10],
        layers: [conv1d(8, 3).groups(4), flatten(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
