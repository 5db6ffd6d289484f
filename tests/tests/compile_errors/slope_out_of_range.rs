use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// A slope above 1 is no leaky rectifier.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8), leaky_relu(1.5), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
