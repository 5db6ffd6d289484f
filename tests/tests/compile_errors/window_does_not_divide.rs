use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// The last two columns and rows would be dropped.
    pub struct Wrong {
        format: F32,
        input: [1, 26, 26],
        layers: [conv2d(8, 1), relu(), max_pool2d(4), flatten(), linear(10)],
        output: [10],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
