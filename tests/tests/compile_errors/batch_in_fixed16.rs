use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// The batch goes into the fraction bits.
    pub struct Wrong {
        format: Fixed16,
        input: [4],
        layers: [linear(8), relu(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.01)).batch(3),
    }
}
