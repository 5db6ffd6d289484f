//! Cases meant to overflow: huge and tiny numbers where ordinary ones are expected.

use emberlite::loss::Loss;
use emberlite::number::random::Key;
use emberlite::optimizer::{Clip, Optimizer, Schedule};

use super::choices::Choices;
use super::file::Numbers;
use super::generate::{Case, Goal, Sample};

/// Powers of ten from the smallest normal numbers to the largest, ordinary ones among them.
const POWERS: [i32; 14] = [0, 0, 0, 1, 3, 6, 10, 18, 25, 37, 38, -3, -12, -30];

fn power(choices: &mut Choices) -> f32 {
    10f32.powi(choices.pick(&POWERS))
}

/// Replaces settings of a case by hostile ones that the planner still accepts.
pub fn harden(choices: &mut Choices, case: &mut Case) {
    let learning_rate = power(choices);
    let epsilon = choices.pick(&[1e-8, 1e-45, 1e-38, 1e-20, 1.0, 1e30]);
    let [beta1, beta2] = choices.pick(&[[0.9, 0.999], [0.9, 0.811], [0.9, 0.5], [0.0, 0.0], [0.999_999, 0.999_999_9]]);
    let weight_decay = choices.pick(&[0.0, 0.0, 0.01, 1e20]);
    let momentum = choices.pick(&[0.9, 0.0, 0.999_999]);
    let [alpha, learning_rate_decay, initial] = [beta2, 0.0, 0.0];
    case.training.optimizer = choices.pick(&[
        Optimizer::Sgd { learning_rate, momentum: 0.0, nesterov: false, weight_decay },
        Optimizer::Sgd { learning_rate, momentum, nesterov: momentum > 0.0, weight_decay },
        Optimizer::Adam { learning_rate, beta1, beta2, epsilon, weight_decay },
        Optimizer::AdamW { learning_rate, beta1, beta2, epsilon, weight_decay },
        Optimizer::RmsProp { learning_rate, alpha, epsilon, momentum: 0.0, centered: true, weight_decay },
        Optimizer::RmsProp { learning_rate, alpha, epsilon, momentum, centered: false, weight_decay },
        Optimizer::AdaGrad { learning_rate, epsilon, weight_decay, learning_rate_decay, initial },
    ]);
    case.training.schedule = Schedule::CONSTANT;
    case.training.clip = choices.pick(&[Clip::None, Clip::None, Clip::Value(1e30), Clip::GlobalNorm(1e30)]);
    case.training.batch = choices.pick(&[1, 1, 1, 3]);
    if let Loss::Huber { delta } = &mut case.training.loss {
        *delta = power(choices);
    }
}

/// Multiplies each tensor by a power of ten, as far as it stays finite, and spoils single elements more.
pub fn spoil(choices: &mut Choices, numbers: &mut Numbers<f32>) {
    for (i, node) in numbers.iter_mut().enumerate() {
        for (k, tensor) in node.iter_mut().enumerate() {
            let (all, one) = (power(choices), power(choices));
            let key = Key::new(11, i as u32, k as u32);
            for (j, v) in tensor.iter_mut().enumerate() {
                let factor = if key.at(j as u32).is_multiple_of(16) { one } else { all };
                *v = (*v * factor).clamp(-f32::MAX, f32::MAX);
            }
        }
    }
}

/// A sample of a hostile world: inputs to the limit of what is taken, targets anywhere.
pub fn hostile_sample(case: &Case, index: u32) -> Sample<f32> {
    let mut sample = case.sample(9, index);
    let key = Key::new(12, index, 0);
    let factor = [1.0, 1.0, 1e-30, 5e5][key.at(0) as usize % 4];
    sample.input.iter_mut().for_each(|x| *x *= factor);
    if let (Goal::Values(t), Loss::MeanSquaredError | Loss::Huber { .. }) = (&mut sample.goal, &case.training.loss) {
        let factor = [1.0, 1.0, 1e10, 3e38][key.at(1) as usize % 4];
        t.iter_mut().for_each(|t| *t *= factor);
    }
    sample
}
