use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// One value has no variance.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8), batch_norm(), relu(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
