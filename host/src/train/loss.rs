//! Losses of a batch: the core's formulas on tensors, averaged over outputs and samples.

use super::batches::Target;
use crate::lower::mean as mean_of;
use burn_tensor::{Tensor, activation};
use emberlite::loss::Loss;

/// The mean loss `[1]` of a batch of outputs `[batch, outputs]`; over the positions too where each has a label.
pub(crate) fn mean(loss: &Loss, output: Tensor<2>, target: &Target) -> Tensor<1> {
    match (loss, target) {
        (_, Target::Tokens(ids, length)) => {
            activation::log_softmax(positions(output, *length), 1).gather(1, ids.clone()).mean().neg()
        }
        (_, Target::Shares(shares, _)) => (activation::log_softmax(output, 1) * shares.clone()).sum_dim(1).mean().neg(),
        (_, Target::Class(ids)) => activation::log_softmax(output, 1).gather(1, ids.clone()).mean().neg(),
        (loss, Target::Values(t) | Target::Marks(t, _)) => mean_of(elements(loss, output, t.clone())),
    }
}

/// The loss of each output `[batch, outputs]` against a number.
pub(crate) fn elements(loss: &Loss, output: Tensor<2>, target: Tensor<2>) -> Tensor<2> {
    match loss {
        // max(x, 0) + ln(1 + exp(-|x|)) = -ln sigmoid(-x).
        Loss::BinaryCrossEntropy => activation::log_sigmoid(output.clone().neg()).neg() - output * target,
        Loss::Huber { delta } => {
            // With q = min(|d|, delta): q²/2 + delta (|d| - q).
            let d = (output - target).abs();
            let q = d.clone().clamp_max(*delta);
            q.clone() * q.clone() * 0.5 + (d - q) * *delta
        }
        _ => {
            let d = output - target;
            d.clone() * d
        }
    }
}

/// A row a position: `[batch, length * vocabulary]` as `[batch * length, vocabulary]`.
pub(crate) fn positions(output: Tensor<2>, length: usize) -> Tensor<2> {
    let [batch, outputs] = output.dims();
    output.reshape([batch * length, outputs / length.max(1)])
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

/// How many samples' outputs stand for the right class, `[1]`; `None` without classes. Where each position has a label, a
/// sample counts by its share of right positions.
pub(crate) fn correct(loss: &Loss, output: &Tensor<2>, target: &Target) -> Option<Tensor<1>> {
    let right = match (loss, target) {
        (_, Target::Tokens(ids, length)) => {
            let classes = classes(loss, &positions(output.clone(), *length));
            let right = classes.equal(ids.clone().float().flatten(0, 1)).float().sum();
            return Some(right / *length as f32);
        }
        (_, Target::Shares(_, ids)) => ids.as_ref().clone().float(),
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
    use burn_tensor::{Device, Int, TensorData};
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

    /// Two classes at shares 0.75 and 0.25 with logits 0 and ln 3: -0.75 ln(1/4) - 0.25 ln(3/4).
    #[test]
    fn shares_weigh_the_classes() {
        let device = Device::flex();
        let output = Tensor::<2>::from_data([[0.0, 3f32.ln()]], &device);
        let ids = Box::new(Tensor::from_data([[0]], &device));
        let target = Target::Shares(Tensor::from_data([[0.75, 0.25]], &device), ids);
        let value: f32 = mean(&Loss::SoftmaxCrossEntropy, output.clone(), &target).into_scalar();
        let expected = -0.75 * 0.25f32.ln() - 0.25 * 0.75f32.ln();
        assert!((value - expected).abs() < 4.0 * f32::EPSILON * expected, "{value}, not {expected}");
        let right: f32 = correct(&Loss::SoftmaxCrossEntropy, &output, &target).unwrap().into_scalar();
        assert_eq!(right, 0.0, "the second class has the larger output");
    }

    /// Two samples of two positions over three tokens; each row alone is a sample of its own.
    #[test]
    fn positions_count_like_samples() {
        let device = Device::flex();
        let rows = [[0.5f32, 1.0, -1.0], [2.0, 0.0, 0.0], [0.0, 0.0, 3.0], [1.0, 4.0, 0.0]];
        let ids = [1, 0, 0, 1];
        let flat = Tensor::<2>::from_data(rows, &device);
        let ids = Tensor::<2, Int>::from_data(ids.map(|id| [id]), &device);
        let loss = Loss::SoftmaxCrossEntropy;
        let expected: f32 = mean(&loss, flat.clone(), &Target::Class(ids.clone())).into_scalar();
        let (output, target) = (flat.reshape([2, 6]), Target::Tokens(ids, 2));
        let value: f32 = mean(&loss, output.clone(), &target).into_scalar();
        assert_eq!(value, expected);
        // Three of four positions: one sample and a half.
        let right: f32 = correct(&loss, &output, &target).unwrap().into_scalar();
        assert_eq!(right, 1.5);
    }
}
