use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// A kernel of 5 for an input of 3.
    pub struct Wrong {
        format: F32,
        input: [2, 3],
        layers: [conv1d(4, 5), flatten(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
