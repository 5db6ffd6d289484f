use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// A label needs a choice.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8), relu(), linear(1)],
        output: [1],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
