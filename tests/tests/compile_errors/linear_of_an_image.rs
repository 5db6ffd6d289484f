use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// A linear layer takes a vector.
    pub struct Wrong {
        format: F32,
        input: [1, 8, 8],
        layers: [conv2d(4, 3), relu(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
