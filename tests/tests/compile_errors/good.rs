use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Nothing is wrong.
    pub struct Right {
        format: F32,
        input: [1, 8, 8],
        layers: [conv2d(4, 3), relu(), max_pool2d(2), flatten(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
        ram: 16 * 1024,
    }
}
