use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Only windows have strides.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8).stride(2), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
