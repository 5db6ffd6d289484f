use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Nobody reads layer 0.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(4), linear(4).from_input(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
