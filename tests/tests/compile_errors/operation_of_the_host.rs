use emberlite::{loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// The host alone has softmax as a layer.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8), softmax(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}
