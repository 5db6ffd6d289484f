use emberlite::{learner::Learner, loss::Loss, model, optimizer::Optimizer, plan::Training};

model! {
    /// Four inputs, two classes.
    pub struct Wrong {
        format: F32,
        input: [4],
        layers: [linear(8), relu(), linear(2)],
        output: [2],
        training: Training::new(Loss::SoftmaxCrossEntropy, Optimizer::sgd(0.1)),
    }
}

/// A wrong shape at a call is a type error.
pub fn learn(learner: &mut Learner<Wrong>) {
    let three = emberlite::Tensor::from([0.5, -0.5, 1.0]);
    let _ = learner.train_step(&three, 1);
    let _ = learner.predict(&[[0.5, -0.5]].into());
    let two: emberlite::Tensor<f32, 2> = learner.predict(&[0.5; 4].into()).unwrap();
    let _ = learner.train_step_towards(&two, &two);
}
