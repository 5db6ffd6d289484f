use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Fixed point has no RMSprop.
    pub struct Wrong {
        format: Fixed16,
        input: [4],
        layers: [linear(8), relu(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::rms_prop(0.01)),
    }
}
