//! The update rules that only the host has, on a device's tensors; formulas are [`HostOptimizer`]'s.

use super::optimizer::Moment;
use super::settings::HostOptimizer;
use crate::lower::sum;
use burn_tensor::Tensor;

/// Nadam's factors at update `t` from 1: `(1 - mu_t) / (1 - mu_1…mu_t)` and `mu_(t+1) / (1 - mu_1…mu_(t+1))`, with
/// `mu_t = beta1 (1 - 0.96^(0.004 t) / 2)`. `momenta` is the product of the first so many.
pub(super) fn nadam(momenta: &mut (u32, f64), beta1: f32, t: u32) -> [f32; 2] {
    let mu = |t: u32| f64::from(beta1) * (1.0 - 0.5 * 0.96f64.powf(0.004 * f64::from(t)));
    if momenta.0 >= t {
        *momenta = (0, 1.0);
    }
    // A resumed run comes here with the first update's product: the same multiplications in the same order.
    while momenta.0 < t {
        *momenta = (momenta.0 + 1, momenta.1 * mu(momenta.0 + 1));
    }
    let (product, next) = (momenta.1, mu(t + 1));
    [((1.0 - mu(t)) / (1.0 - product)) as f32, (next / (1.0 - product * next)) as f32]
}

/// The new weight; `state` is replaced.
pub(super) fn rule(
    optimizer: &HostOptimizer,
    moment: &Moment,
    w: Tensor<1>,
    state: &mut [Tensor<1>],
    g: Tensor<1>,
) -> Tensor<1> {
    let rate = moment.rate;
    let toward = |old: Tensor<1>, new: Tensor<1>, keep: f32| old.clone() + (new - old).mul_scalar(1.0 - keep);
    let squares =
        |old: Tensor<1>, g: &Tensor<1>, keep: f32| old.mul_scalar(keep) + g.clone().mul_scalar(1.0 - keep) * g.clone();
    match *optimizer {
        HostOptimizer::Nadam { beta1, beta2, epsilon, .. } => {
            let (m, v) = (toward(state[0].clone(), g.clone(), beta1), squares(state[1].clone(), &g, beta2));
            (state[0], state[1]) = (m.clone(), v.clone());
            let below = v.sqrt().mul_scalar(moment.root_factor) + epsilon;
            let [of_gradient, of_mean] = moment.look_ahead;
            w - g.mul_scalar(rate * of_gradient) / below.clone() - m.mul_scalar(rate * of_mean) / below
        }
        HostOptimizer::Lion { beta1, beta2, weight_decay, .. } => {
            let m = state[0].clone();
            state[0] = toward(m.clone(), g.clone(), beta2);
            let direction = toward(m, g, beta1).sign();
            w.mul_scalar(1.0 - rate * weight_decay) - direction.mul_scalar(rate)
        }
        HostOptimizer::Lamb { beta1, beta2, epsilon, weight_decay, .. } => {
            let (m, v) = (toward(state[0].clone(), g.clone(), beta1), squares(state[1].clone(), &g, beta2));
            (state[0], state[1]) = (m.clone(), v.clone());
            let u = m.div_scalar(moment.divisor) / (v.sqrt().mul_scalar(moment.root_factor) + epsilon);
            let u = if weight_decay == 0.0 { u } else { u + w.clone().mul_scalar(weight_decay) };
            let norm = |x: &Tensor<1>| sum(x.clone() * x.clone()).sqrt();
            let (of_w, of_u) = (norm(&w), norm(&u));
            // 1 where either is 0, without reading it back.
            let none = (of_w.clone() * of_u.clone()).equal_elem(0.0);
            let trust = (of_w / of_u).mask_fill(none, 1.0);
            w - u * trust.mul_scalar(rate)
        }
        HostOptimizer::Adadelta { rho, epsilon, .. } => {
            let s = squares(state[0].clone(), &g, rho);
            let d = g * (state[1].clone() + epsilon).sqrt() / (s.clone() + epsilon).sqrt();
            (state[0], state[1]) = (s, squares(state[1].clone(), &d, rho));
            w - d.mul_scalar(rate)
        }
        HostOptimizer::Adamax { beta1, beta2, epsilon, .. } => {
            let m = toward(state[0].clone(), g.clone(), beta1);
            let u = state[1].clone().mul_scalar(beta2).max_pair(g.abs() + epsilon);
            (state[0], state[1]) = (m.clone(), u.clone());
            w - m.mul_scalar(rate / moment.divisor) / u
        }
    }
}
