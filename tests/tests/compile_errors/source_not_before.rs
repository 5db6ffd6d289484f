use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Layer 1 would read layer 2.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(4), add(2), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
