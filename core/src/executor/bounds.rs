//! The certificate that a step stays finite, so that a fused update needs no check per weight.
//!
//! Updating in place while the error travels backward can't be undone: if the third layer's step overflowed, the
//! fourth would already be changed. Checking every product first would cost a second backward pass. Instead two bounds
//! are carried per layer, on `|weight|` and on the optimizer's state, and before each step the largest possible
//! gradient is bounded from them and from the largest kept input: a handful of operations per layer. If every bound
//! stays below [`LIMIT`] the step is safe and the bounds grow by its largest possible size. They are loose and grow
//! steadily, so when the certificate fails they are measured afresh from the weights (a pass over the parameters,
//! every few thousand steps), and only if it still fails is the step tried on copies, element by element.

use super::Context;
use super::cut::{from_file, parameter, values};
use crate::math::sqrt as root;
use crate::number::{Number, view_gradients_mut};
use crate::op::Op;
use crate::optimizer::Optimizer;
use crate::plan::{Place, Region};

/// Bounds above this are not certified; far enough below `f32::MAX` (3.4e38) for any rounding.
const LIMIT: f32 = 1.0e37;
/// Bounds on gradients whose squares are kept as state: their sum must stay finite too.
const LIMIT_SQUARED: f32 = 1.0e16;

/// Measures the bounds from the parameters and the optimizer state as they are.
pub fn measure_bounds<N: Number>(context: &Context<'_>, arena: &mut [u32]) {
    for step in context.plan.steps {
        if !step.bounds.is_some() {
            continue;
        }
        let (mut weight, mut state) = (0.0f32, 0.0f32);
        for p in &step.parameters {
            let file = from_file::<N>(context.image, arena, p);
            let ram = arena.get(p.region.range()).unwrap_or_default();
            weight = largest(weight, N::floats(parameter::<N>(ram, file, p)).unwrap_or_default());
            for region in p.state {
                let words = arena.get_mut(region.range()).unwrap_or_default();
                let values = N::gradient_floats_mut(view_gradients_mut::<N>(words)).unwrap_or_default();
                state = largest(state, values);
            }
        }
        store(arena, step.bounds, [weight, state]);
    }
}

fn store(arena: &mut [u32], region: Region, bounds: [f32; 2]) {
    for (word, bound) in arena.get_mut(region.range()).unwrap_or_default().iter_mut().zip(bounds) {
        *word = bound.to_bits();
    }
}

fn largest(bound: f32, values: &[f32]) -> f32 {
    // As integers, magnitudes sort like the numbers, infinity above all of them and NaN above infinity.
    let magnitude = |v: f32| v.to_bits() & 0x7fff_ffff;
    f32::from_bits(values.iter().fold(magnitude(bound), |bound, &v| bound.max(magnitude(v))))
}

/// Whether the step that the error in the arena leads to is certain to stay finite. If so, the bounds are moved on as
/// if it was made; if not, some have moved all the same and must be measured again. `rate` is the learning rate of the step.
pub fn certify<N: Number>(context: &Context<'_>, arena: &mut [u32], input: &[N::Value], rate: f32) -> bool {
    let Some(training) = context.training else { return false };
    let words = arena.get(context.plan.summary.output_error.range()).unwrap_or_default();
    let errors = values::<N>(words, context.plan.summary.outputs);
    let mut error = largest(0.0, N::floats(errors).unwrap_or_default());
    for (node, step) in context.graph.nodes.iter().zip(context.plan.steps).rev() {
        if !step.errors.dy.is_some() {
            continue;
        }
        // Errors of several readers are summed.
        error *= f32::from(step.consumers.max(1));
        let bounds = match arena.get(step.bounds.range()) {
            Some(&[w, s]) => [f32::from_bits(w), f32::from_bits(s)],
            _ => [0.0; 2],
        };
        let [weight, state] = bounds;
        let positions = step.output.positions() as f32;
        let n = match node.op {
            Op::LayerNorm(_) => step.output.elements() as f32,
            _ => positions,
        };
        if step.trained {
            let gradient = match node.op {
                Op::Linear(_) | Op::Conv(_) => {
                    let kept = match step.x[0] {
                        _ if !step.parameters[0].region.is_some() => &[],
                        Place::Input => input,
                        Place::Arena(r) => values::<N>(arena.get(r.range()).unwrap_or_default(), step.input.elements()),
                        Place::None => &[],
                    };
                    // 1 for the bias, whose "input" is 1.
                    positions * error * largest(1.0, N::floats(kept).unwrap_or_default())
                }
                // |x̂| is at most sqrt(n).
                _ => positions * error * root(n),
            };
            let gradient =
                gradient + training.penalty.l1 + (training.penalty.l2 + training.optimizer.weight_decay()) * weight;
            let (state, step_size) = bound_step(&training.optimizer, gradient, state, rate);
            let weight = weight * (1.0 + rate * training.optimizer.weight_decay()) + step_size;
            // Not `>`: a NaN must fail.
            if !(weight < LIMIT && state < LIMIT && gradient < LIMIT) {
                return false;
            }
            store(arena, step.bounds, [weight, state]);
        }
        let gain = match node.op {
            Op::Linear(a) => weight * f32::from(a.outputs),
            Op::Conv(c) => {
                weight * f32::from(c.channels / c.groups.max(1)) * f32::from(c.kernel[0]) * f32::from(c.kernel[1])
            }
            Op::Pool(p) => f32::from(p.window[0]) * f32::from(p.window[1]),
            Op::LayerNorm(a) => weight * (2.0 + root(n)) / root(a.epsilon),
            Op::BatchNorm(a) => weight * (2.0 + root(n)) / root(a.epsilon),
            Op::Dropout(a) => 1.0 / (1.0 - a.rate),
            _ => 1.0,
        };
        error *= if gain > 1.0 { gain } else { 1.0 };
        if !below(error, LIMIT) {
            return false;
        }
    }
    true
}

/// Whether a bound is below a limit; a NaN is not.
fn below(bound: f32, limit: f32) -> bool {
    bound < limit
}

/// Bounds on the new state and on the size of a step, from bounds on the gradient and on the old state.
fn bound_step(optimizer: &Optimizer, gradient: f32, state: f32, rate: f32) -> (f32, f32) {
    match *optimizer {
        Optimizer::Sgd { momentum, .. } if momentum > 0.0 => {
            let velocity = momentum * state + gradient;
            (velocity, rate * (gradient + velocity))
        }
        Optimizer::Sgd { .. } => (0.0, rate * gradient),
        _ if !below(gradient, LIMIT_SQUARED) => (f32::INFINITY, f32::INFINITY),
        // The rest divides by a root of summed squares that hold this very gradient. The ratio of Adam's moments is at
        // most 1/sqrt((1-β2)(1-β1²/β2)) by Cauchy-Schwarz, RMSProp's 1/sqrt(1-α), AdaGrad's 1; 1/(1-decay) is above
        // all of them, and above what momentum makes of it.
        Optimizer::Adam { beta1, beta2, .. } | Optimizer::AdamW { beta1, beta2, .. } => {
            let ratio = if beta1 * beta1 < beta2 { 1.0 / ((1.0 - beta2) * (1.0 - beta1)) } else { f32::INFINITY };
            (state + gradient * gradient + gradient, rate * ratio)
        }
        Optimizer::RmsProp { alpha, momentum, centered, .. } => {
            // Centred, the variance can be as small as epsilon: no ratio bound.
            let ratio = if centered { f32::INFINITY } else { 1.0 / (1.0 - alpha) };
            let velocity = momentum * state + ratio;
            (state + gradient * gradient + velocity, rate * (ratio + velocity))
        }
        Optimizer::AdaGrad { .. } => (state + gradient * gradient, rate),
    }
}

/// Makes the next certificate fail until the bounds are measured again.
pub fn distrust_bounds(context: &Context<'_>, arena: &mut [u32]) {
    for step in context.plan.steps {
        store(arena, step.bounds, [f32::INFINITY; 2]);
    }
}
