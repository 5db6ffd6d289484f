use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// There is nothing to train.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8).frozen(), relu(), linear(2).frozen()],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
