use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// A convolution takes a sequence or an image.
    pub struct Wrong {
        format: F32,
        input: [64],
        layers: [conv1d(4, 3), flatten(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
