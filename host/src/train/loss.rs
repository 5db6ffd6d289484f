//! Losses of a batch: the core's formulas on tensors, averaged over outputs and samples.

use super::batches::Target;
use burn_tensor::{Tensor, activation};
use emberlite::loss::Loss;

/// The mean loss `[1]` of a batch of outputs `[batch, outputs]`.
pub(crate) fn mean(loss: &Loss, output: Tensor<2>, target: &Target) -> Tensor<1> {
    match (loss, target) {
        (_, Target::Class(ids)) => activation::log_softmax(output, 1).gather(1, ids.clone()).mean().neg(),
        // max(x, 0) + ln(1 + exp(-|x|)) = -ln sigmoid(-x).
        (Loss::BinaryCrossEntropy, Target::Values(t) | Target::Marks(t, _)) => {
            (activation::log_sigmoid(output.clone().neg()).neg() - output * t.clone()).mean()
        }
        (Loss::Huber { delta }, Target::Values(t) | Target::Marks(t, _)) => {
            // With q = min(|d|, delta): q²/2 + delta (|d| - q).
            let d = (output - t.clone()).abs();
            let q = d.clone().clamp_max(*delta);
            (q.clone() * q.clone() * 0.5 + (d - q) * *delta).mean()
        }
        (_, Target::Values(t) | Target::Marks(t, _)) => {
            let d = output - t.clone();
            (d.clone() * d).mean()
        }
    }
}

/// Above what a single output says the second of two classes: a logit is as likely as not at 0, other losses pull it to the
/// numbers 0 and 1.
pub(crate) fn middle(loss: &Loss) -> f32 {
    if *loss == Loss::BinaryCrossEntropy { 0.0 } else { 0.5 }
}

/// The classes that outputs stand for, `[batch]`: the largest of several; of a single one, whether it is above the
/// [`middle`].
pub(crate) fn classes(loss: &Loss, output: &Tensor<2>) -> Tensor<1> {
    let output = output.clone().without_autodiff();
    match output.dims()[1] {
        1 => output.greater_elem(middle(loss)).float().flatten(0, 1),
        _ => output.argmax(1).float().flatten(0, 1),
    }
}

/// How many outputs stand for the right class, `[1]`; `None` without classes.
pub(crate) fn correct(loss: &Loss, output: &Tensor<2>, target: &Target) -> Option<Tensor<1>> {
    let right = match (loss, target) {
        (_, Target::Class(ids)) => ids.clone().float(),
        (_, Target::Marks(_, ids)) => ids.as_ref().clone().float(),
        (Loss::BinaryCrossEntropy, Target::Values(t)) => t.clone().greater_elem(0.5).float(),
        _ => return None,
    };
    Some(classes(loss, output).equal(right.flatten(0, 1)).float().sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn_tensor::{Device, TensorData};
    use emberlite::loss::{LossSet, Target as CoreTarget};
    use emberlite::number::F32;

    /// Values within `4 u` of the core's sums of at most four terms below 130, gradients of terms below 100.
    #[test]
    fn losses_and_gradients_are_the_cores() {
        let outputs: [[f32; 4]; 3] = [[0.0, -1.5, 30.0, 0.25], [-100.0, 100.0, 2.0, 2.0], [0.5, 0.5, 0.5, 0.5]];
        let targets: [[f32; 4]; 3] = [[0.0, 1.0, 0.5, 0.25], [1.0, 0.0, 2.5, 1.0], [0.5, 1.5, -0.5, 0.0]];
        let labels: [u16; 3] = [2, 0, 3];
        let device = Device::flex();
        let losses =
            [Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy, Loss::MeanSquaredError, Loss::Huber { delta: 1.0 }];
        for loss in losses {
            let x = Tensor::<2>::from_data(TensorData::from(outputs), &device).autodiff().require_grad();
            let target = if loss.takes_class() {
                let ids: Vec<i32> = labels.iter().map(|&l| l.into()).collect();
                Target::Class(Tensor::from_data(TensorData::new(ids, [3, 1]), &device))
            } else {
                Target::Values(Tensor::from_data(TensorData::from(targets), &device))
            };
            let value = mean(&loss, x.clone(), &target);
            let gradients = value.backward();
            let ours: Vec<f32> = x.grad(&gradients).unwrap().into_data().iter::<f32>().collect();
            let (mut sum, mut core) = (0.0, Vec::new());
            for i in 0..3 {
                let target =
                    if loss.takes_class() { CoreTarget::Class(labels[i]) } else { CoreTarget::Values(&targets[i]) };
                let mut dy = [0.0; 4];
                sum += loss.backward::<F32>(LossSet::ALL, &outputs[i], target, 0, 3, &mut dy).0;
                core.extend(dy);
            }
            let value: f32 = value.without_autodiff().into_scalar();
            assert!((value - sum / 3.0).abs() <= 130.0 * 4.0 * f32::EPSILON, "{loss:?}: {value}, not {}", sum / 3.0);
            for (i, (a, b)) in ours.iter().zip(&core).enumerate() {
                assert!((a - b).abs() <= 100.0 * f32::EPSILON, "{loss:?}[{i}]: {a}, not {b}");
            }
        }
    }

    #[test]
    fn classes_are_counted() {
        let device = Device::flex();
        let output = Tensor::<2>::from_data([[0.1, 0.5, 0.5], [3.0, 1.0, 2.0]], &device);
        let ids = Tensor::from_data([[1], [2]], &device);
        let right: f32 = correct(&Loss::SoftmaxCrossEntropy, &output, &Target::Class(ids)).unwrap().into_scalar();
        assert_eq!(right, 1.0);
        let output = Tensor::<2>::from_data([[0.1], [-3.0]], &device);
        let target = Target::Values(Tensor::from_data([[1.0], [0.0]], &device));
        let right: f32 = correct(&Loss::BinaryCrossEntropy, &output, &target).unwrap().into_scalar();
        assert_eq!(right, 2.0);
        assert!(correct(&Loss::MeanSquaredError, &output, &target).is_none());
        // As numbers, 0.1 and 0.6 are nearer to 0 and to 1.
        let ids = Box::new(Tensor::from_data([[0], [1]], &device));
        let marks = Target::Marks(Tensor::from_data([[0.0], [1.0]], &device), ids);
        let output = Tensor::<2>::from_data([[0.1], [0.6]], &device);
        let right: f32 = correct(&Loss::MeanSquaredError, &output, &marks).unwrap().into_scalar();
        assert_eq!(right, 2.0);
    }
}
