//! What training minimises: the loss, with label smoothing and class weights.
//!
//! A batch gives a sum and the weight that the sum is to be divided by, so that several batches, or parts of one on several
//! machines, add up to the mean over all of them. Without anything of that the mean is the framework's own.

use super::batches::Target;
use super::loss;
use super::settings::HostSettings;
use crate::lower::sum;
use burn_tensor::{Device, Int, Tensor, TensorData, activation};
use emberlite::loss::Loss;

/// The loss of training.
#[derive(Clone, Debug)]
pub(crate) struct Objective {
    loss: Loss,
    smoothing: f32,
    /// A weight a class, on the host and as `[1, classes]` on the device.
    weights: Option<(Vec<f32>, Tensor<2>)>,
}

impl Objective {
    /// `classes` is the number of the model's classes; a class without a weight has weight 1.
    pub fn new(loss: Loss, host: &HostSettings, classes: usize, device: &Device) -> Self {
        let weights = host.class_weights.as_ref().map(|given| {
            let mut weights = given.clone();
            weights.resize(classes.max(given.len()), 1.0);
            let row = Tensor::from_data(TensorData::new(weights.clone(), [1, weights.len()]), device);
            (weights, row)
        });
        Objective { loss, smoothing: host.label_smoothing, weights }
    }

    /// The weight of a class.
    pub fn weight(&self, class: i32) -> f64 {
        let weights = self.weights.as_ref().map(|(weights, _)| weights);
        weights.map_or(1.0, |weights| weights.get(class as usize).map_or(1.0, |w| f64::from(*w)))
    }

    /// The mean `[1]` over a batch of this weight.
    pub fn mean(&self, output: Tensor<2>, target: &Target, weight: f64) -> Tensor<1> {
        if self.smoothing == 0.0 && self.weights.is_none() {
            return loss::mean(&self.loss, output, target);
        }
        self.sum(output, target, weight) / if weight > 0.0 { weight as f32 } else { 1.0 }
    }

    /// The sum `[1]` over a batch, each sample by its weight; `weight` is the sum of these.
    pub fn sum(&self, output: Tensor<2>, target: &Target, weight: f64) -> Tensor<1> {
        if self.smoothing == 0.0 && self.weights.is_none() {
            return loss::mean(&self.loss, output, target) * weight as f32;
        }
        match target {
            Target::Class(ids) => self.classes(output, ids),
            Target::Tokens(ids, length) => {
                self.classes(loss::positions(output, *length), ids) / (*length).max(1) as f32
            }
            Target::Shares(shares, _) => {
                let classes = output.dims()[1] as f32;
                let shares = shares.clone() * (1.0 - self.smoothing) + self.smoothing / classes;
                let surprise = activation::log_softmax(output, 1).neg() * shares;
                sum(self.weighted(surprise))
            }
            Target::Values(numbers) => sum(self.elements(output, numbers.clone()).mean_dim(1)),
            Target::Marks(numbers, ids) => {
                let rows = self.elements(output, numbers.clone()).mean_dim(1);
                match &self.weights {
                    None => sum(rows),
                    Some(_) => sum(rows * self.of(ids)),
                }
            }
        }
    }

    /// Softmax cross-entropy of rows: `(1 - s) w_y (-ln p_y) + s / classes sum_c w_c (-ln p_c)`, summed, as PyTorch.
    fn classes(&self, output: Tensor<2>, ids: &Tensor<2, Int>) -> Tensor<1> {
        let classes = output.dims()[1] as f32;
        let surprise = activation::log_softmax(output, 1).neg();
        let right = surprise.clone().gather(1, ids.clone());
        let right = if self.weights.is_some() { right * self.of(ids) } else { right };
        let right = sum(right);
        if self.smoothing == 0.0 {
            return right;
        }
        right * (1.0 - self.smoothing) + sum(self.weighted(surprise)) * (self.smoothing / classes)
    }

    /// The weights of classes `[rows, 1]`.
    fn of(&self, ids: &Tensor<2, Int>) -> Tensor<2> {
        let [rows, _] = ids.dims();
        match &self.weights {
            Some((weights, row)) => row.clone().expand([rows, weights.len()]).gather(1, ids.clone()),
            None => Tensor::ones([rows, 1], &ids.device()),
        }
    }

    /// Each column by the weight of its class.
    fn weighted(&self, rows: Tensor<2>) -> Tensor<2> {
        match &self.weights {
            Some((_, row)) => rows * row.clone(),
            None => rows,
        }
    }

    /// The loss of each output `[batch, outputs]`.
    fn elements(&self, output: Tensor<2>, target: Tensor<2>) -> Tensor<2> {
        let target = target * (1.0 - self.smoothing) + self.smoothing / 2.0;
        loss::elements(&self.loss, output, target)
    }
}
