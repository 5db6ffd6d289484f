//! The rules in f32, in the order of PyTorch's single-tensor code.
//!
//! A rule sees one element: weight, state, gradient. The two loops around it read the gradient as `x[i] * factor` (a
//! buffered gradient has the factor 1, which changes no bit) and work on four elements at once, so that
//! loads may be grouped. Plain descent without decay is a kernel of its own.

use super::range::{is_infinite, is_zero};
use super::{Corrections, Optimizer, OptimizerKind, OptimizerSet, StepSettings};
use crate::kernel::{self, AdamStep};
use crate::math;
use core::array::from_mut;

/// One row's step. `state` slots are as long as `w` or empty.
#[inline(always)]
pub(super) fn step(
    optimizer: &Optimizer,
    linked: OptimizerSet,
    w: &mut [f32],
    [a, b]: [&mut [f32]; 2],
    x: &[f32],
    factor: f32,
    step: &StepSettings,
) {
    let rate = step.rate.real();
    let decay = if matches!(optimizer, Optimizer::AdamW { .. }) { 0.0 } else { optimizer.weight_decay() };
    let gradient = Gradient::new(factor, decay, step);
    match *optimizer {
        Optimizer::Sgd { .. }
            if linked.has_kind(OptimizerKind::Descent) && optimizer.kind() == OptimizerKind::Descent =>
        {
            if gradient.adjusted {
                for (w, &x) in w.iter_mut().zip(x) {
                    let [g] = gradient.of(&[x], &[*w]);
                    *w -= rate * g;
                }
            } else {
                kernel::descend(w, x, rate * gradient.factor);
            }
        }
        Optimizer::Sgd { momentum, .. }
            if linked.has_kind(OptimizerKind::Momentum) && optimizer.kind() == OptimizerKind::Momentum =>
        {
            each1(w, a, x, &gradient, &Momentum { rate, momentum });
        }
        Optimizer::Sgd { momentum, .. }
            if linked.has_kind(OptimizerKind::Nesterov) && optimizer.kind() == OptimizerKind::Nesterov =>
        {
            each1(w, a, x, &gradient, &Nesterov { rate, momentum });
        }
        Optimizer::RmsProp { alpha, epsilon, momentum, centered, .. } if linked.has_kind(OptimizerKind::RmsProp) => {
            let rule = RmsProp { rate, alpha, epsilon, momentum };
            if centered {
                each2(w, a, b, x, &gradient, &Centered(rule));
            } else if is_zero(momentum) {
                each1(w, a, x, &gradient, &rule);
            } else {
                each2(w, a, b, x, &gradient, &rule);
            }
        }
        Optimizer::AdaGrad { epsilon, initial, .. } if linked.has_kind(OptimizerKind::AdaGrad) => {
            each1(w, a, x, &gradient, &AdaGrad { rate: rate / step.corrections.divisor, epsilon, initial });
        }
        Optimizer::Adam { beta1, beta2, epsilon, .. } if linked.has_kind(OptimizerKind::Adam) => {
            adam(w, a, b, x, &gradient, moments(rate, [beta1, beta2, epsilon], 1.0, step));
        }
        Optimizer::AdamW { beta1, beta2, epsilon, weight_decay, .. } if linked.has_kind(OptimizerKind::AdamW) => {
            let keep = 1.0 - rate * weight_decay;
            adam(w, a, b, x, &gradient, moments(rate, [beta1, beta2, epsilon], keep, step));
        }
        _ => {}
    }
}

/// The learning rate if nothing but plain descent by it is asked for.
#[inline(always)]
pub(super) fn plain_rate(optimizer: &Optimizer, linked: OptimizerSet, step: &StepSettings) -> Option<f32> {
    let gradient = Gradient::new(1.0, optimizer.weight_decay(), step);
    let plain =
        linked.has_kind(OptimizerKind::Descent) && optimizer.kind() == OptimizerKind::Descent && !gradient.adjusted;
    if plain { Some(step.rate.real() * gradient.factor) } else { None }
}

/// How a gradient comes out of `x`, before the rule.
struct Gradient {
    factor: f32,
    /// Whether anything but the factor applies.
    adjusted: bool,
    limit: f32,
    l1: f32,
    decay: f32,
}

impl Gradient {
    #[inline(always)]
    fn new(factor: f32, weight_decay: f32, step: &StepSettings) -> Gradient {
        let (limit, l1, decay) = (step.clip_value, step.penalty.l1, step.penalty.l2 + weight_decay);
        let adjusted = !(is_infinite(limit) && is_zero(l1) && is_zero(decay));
        Gradient { factor: factor * step.scale, adjusted, limit, l1, decay }
    }

    /// Clamps, then adds penalties and decay. A NaN stays.
    #[inline(never)]
    fn adjust(&self, g: f32, w: f32) -> f32 {
        let mut g = g;
        if g > self.limit {
            g = self.limit;
        } else if g < -self.limit {
            g = -self.limit;
        }
        if w > 0.0 {
            g += self.l1;
        } else if w < 0.0 {
            g -= self.l1;
        }
        g + self.decay * w
    }

    #[inline(always)]
    fn of<const C: usize>(&self, x: &[f32; C], w: &[f32; C]) -> [f32; C] {
        let mut g = x.map(|x| x * self.factor);
        if self.adjusted {
            for (g, &w) in g.iter_mut().zip(w) {
                *g = self.adjust(*g, w);
            }
        }
        g
    }
}

/// A rule for one element with `S` state slots: the new weight and state.
trait Rule<const S: usize> {
    fn apply(&self, w: f32, state: [f32; S], g: f32) -> (f32, [f32; S]);
}

#[inline(always)]
fn one<const C: usize>(w: &mut [f32; C], a: &mut [f32; C], x: &[f32; C], gradient: &Gradient, rule: &impl Rule<1>) {
    let g = gradient.of(x, w);
    for ((w, a), g) in w.iter_mut().zip(a).zip(g) {
        (*w, [*a]) = rule.apply(*w, [*a], g);
    }
}

/// Applies a rule with one state slot. One copy in a program, whichever way its gradients come.
#[inline(never)]
fn each1(w: &mut [f32], a: &mut [f32], x: &[f32], gradient: &Gradient, rule: &impl Rule<1>) {
    let (w4, w1) = w.as_chunks_mut::<4>();
    let (a4, a1) = a.as_chunks_mut::<4>();
    let (x4, x1) = x.as_chunks::<4>();
    for ((w, a), x) in w4.iter_mut().zip(a4).zip(x4) {
        one(w, a, x, gradient, rule);
    }
    for ((w, a), x) in w1.iter_mut().zip(a1).zip(x1) {
        one(from_mut(w), from_mut(a), &[*x], gradient, rule);
    }
}

#[inline(always)]
fn two<const C: usize>(
    w: &mut [f32; C],
    a: &mut [f32; C],
    b: &mut [f32; C],
    x: &[f32; C],
    gradient: &Gradient,
    rule: &impl Rule<2>,
) {
    let g = gradient.of(x, w);
    for (((w, a), b), g) in w.iter_mut().zip(a).zip(b).zip(g) {
        (*w, [*a, *b]) = rule.apply(*w, [*a, *b], g);
    }
}

/// Applies a rule with two state slots.
#[inline(never)]
fn each2(w: &mut [f32], a: &mut [f32], b: &mut [f32], x: &[f32], gradient: &Gradient, rule: &impl Rule<2>) {
    let (w4, w1) = w.as_chunks_mut::<4>();
    let (a4, a1) = a.as_chunks_mut::<4>();
    let (b4, b1) = b.as_chunks_mut::<4>();
    let (x4, x1) = x.as_chunks::<4>();
    for (((w, a), b), x) in w4.iter_mut().zip(a4).zip(b4).zip(x4) {
        two(w, a, b, x, gradient, rule);
    }
    for (((w, a), b), x) in w1.iter_mut().zip(a1).zip(b1).zip(x1) {
        two(from_mut(w), from_mut(a), from_mut(b), &[*x], gradient, rule);
    }
}

struct Momentum {
    rate: f32,
    momentum: f32,
}
impl Rule<1> for Momentum {
    #[inline(always)]
    fn apply(&self, w: f32, [v]: [f32; 1], g: f32) -> (f32, [f32; 1]) {
        let v = self.momentum * v + g;
        (w - self.rate * v, [v])
    }
}

struct Nesterov {
    rate: f32,
    momentum: f32,
}
impl Rule<1> for Nesterov {
    #[inline(always)]
    fn apply(&self, w: f32, [v]: [f32; 1], g: f32) -> (f32, [f32; 1]) {
        let v = self.momentum * v + g;
        (w - self.rate * (g + self.momentum * v), [v])
    }
}

struct RmsProp {
    rate: f32,
    alpha: f32,
    epsilon: f32,
    momentum: f32,
}
impl RmsProp {
    #[inline(always)]
    fn square(&self, s: f32, g: f32) -> f32 {
        s * self.alpha + (1.0 - self.alpha) * g * g
    }
}
impl Rule<1> for RmsProp {
    #[inline(always)]
    fn apply(&self, w: f32, [s]: [f32; 1], g: f32) -> (f32, [f32; 1]) {
        let s = self.square(s, g);
        (w - self.rate * g / (math::sqrt(s) + self.epsilon), [s])
    }
}
/// With momentum.
impl Rule<2> for RmsProp {
    #[inline(always)]
    fn apply(&self, w: f32, [s, v]: [f32; 2], g: f32) -> (f32, [f32; 2]) {
        let s = self.square(s, g);
        let v = self.momentum * v + g / (math::sqrt(s) + self.epsilon);
        (w - self.rate * v, [s, v])
    }
}

struct Centered(RmsProp);
impl Rule<2> for Centered {
    #[inline(always)]
    fn apply(&self, w: f32, [s, mean]: [f32; 2], g: f32) -> (f32, [f32; 2]) {
        let s = self.0.square(s, g);
        let mean = mean + (1.0 - self.0.alpha) * (g - mean);
        // Rounding may leave the variance of an unchanging gradient below 0.
        let variance = s - mean * mean;
        let variance = if variance < 0.0 { 0.0 } else { variance };
        (w - self.0.rate * g / (math::sqrt(variance) + self.0.epsilon), [s, mean])
    }
}

struct AdaGrad {
    rate: f32,
    epsilon: f32,
    initial: f32,
}
impl Rule<1> for AdaGrad {
    #[inline(always)]
    fn apply(&self, w: f32, [s]: [f32; 1], g: f32) -> (f32, [f32; 1]) {
        let s = s + g * g;
        (w - self.rate * g / (math::sqrt(s + self.initial) + self.epsilon), [s])
    }
}

/// `rate / (1 - beta1^t) * m / (sqrt(v) / root + epsilon)`, numerator and denominator multiplied by `root`; `keep` is
/// what AdamW's decay leaves of a weight, or 1.
#[inline(always)]
fn moments(rate: f32, [beta1, beta2, epsilon]: [f32; 3], keep: f32, step: &StepSettings) -> AdamStep {
    let Corrections { divisor, root, .. } = step.corrections;
    let (share1, share2) = (1.0 - beta1, 1.0 - beta2);
    AdamStep { factor: 1.0, share1, beta2, share2, epsilon: epsilon * root, rate: rate * root / divisor, keep }
}

/// Elements whose gradient is adjusted before they are stepped.
const ADJUSTED: usize = 8;

/// One row's step of Adam or AdamW.
#[inline(never)]
fn adam(w: &mut [f32], m: &mut [f32], v: &mut [f32], x: &[f32], gradient: &Gradient, step: AdamStep) {
    if !gradient.adjusted {
        return kernel::adam(w, m, v, x, &AdamStep { factor: gradient.factor, ..step });
    }
    let chunks = w.chunks_mut(ADJUSTED).zip(m.chunks_mut(ADJUSTED)).zip(v.chunks_mut(ADJUSTED));
    for (((w, m), v), x) in chunks.zip(x.chunks(ADJUSTED)) {
        let mut g = [0.0; ADJUSTED];
        for ((g, x), w) in g.iter_mut().zip(x).zip(w.iter()) {
            [*g] = gradient.of(&[*x], &[*w]);
        }
        kernel::adam(w, m, v, &g, &step);
    }
}
