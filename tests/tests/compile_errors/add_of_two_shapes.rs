use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// A residual connection around a layer that changes the shape.
    pub struct Wrong {
        format: F32,
        input: [3, 8, 8],
        layers: [conv2d(3, 3).padding(1), conv2d(6, 3).padding(1), add(0), flatten(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
