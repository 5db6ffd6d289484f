use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// The network of 784-128-10 doesn't fit into 64 KiB.
    pub struct Wrong {
        format: F32,
        input: [784],
        layers: [linear(128), relu(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
        ram: 64 * 1024,
    }
}
