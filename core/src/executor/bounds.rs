//! The certificate that a step stays finite, so that a fused update needs no check per weight.
//!
//! Updating in place while the error travels backward can't be undone: if the third layer's step overflowed, the
//! fourth would already be changed. Checking every product first would cost a second backward pass. Instead two bounds
//! are carried per layer, on `|weight|` and on the optimizer's state, and before each step the largest possible
//! gradient is bounded from them and from the largest kept input: a handful of operations per layer. If every bound
//! stays below [`LIMIT`] the step is safe and the bounds grow by its largest possible size. They are loose and grow
//! steadily, so when the certificate fails they are measured afresh from the weights (a pass over the parameters,
//! every few thousand steps), and only if it still fails is the step tried on copies, element by element.
//!
//! The backward pass must not meet a number that isn't finite either: a rectifier or a maximum may have hidden one from
//! the output. What it reads of the forward pass is therefore looked at: kept inputs, outputs of sigmoid and tanh, and
//! layer norm's statistics (batch norm's are checked before this, as they are learnt from).
//!
//! What one operation can do to an error is the operation's to say ([`Op::gain`](crate::op::Op::gain),
//! [`Op::gradient_bound`](crate::op::Op::gradient_bound)): they have no fallback, so a new one doesn't compile without.
//!
//! Roots: the one at hand may be up to [`SQRT_EXCESS`] times as large as the root, but isn't smaller; where a bound divides by
//! one, it allows for that.
//!
//! Rounding: every bound is computed by the same operations as what it bounds, and rounding is monotone, so it holds for
//! single operations; a sum of n products may exceed its bound by a share of n 2^-24, and an average with memory `beta`
//! by 2^-22 / (1 - beta). The distance from [`LIMIT`] to the largest f32 is a factor of 34.

use super::cut::{from_file, parameter, values};
use super::{Context, Linked};
use crate::math::{SQRT_EXCESS, sqrt as root};
use crate::number::{Number, largest_magnitude as largest, view_gradients_mut};
use crate::op::Bounded;
use crate::optimizer::{Optimizer, OptimizerSet};
use crate::plan::{Parameter, Place, Region, Step, Training};

/// Bounds above this are not certified; far enough below `f32::MAX` (3.4e38) for any rounding.
const LIMIT: f32 = 1.0e37;
/// Bounds on gradients whose squares are kept as state: their sum must stay finite too.
const LIMIT_SQUARED: f32 = 1.0e16;
/// The root of what a square may lose below the smallest f32, some 2^-148; an average loses it in every step.
const LOST: f32 = 1.0e-22;

/// Measures the bounds from the parameters and the optimizer state as they are.
pub fn measure_bounds<N: Number, L: Linked>(context: &Context<'_>, arena: &mut [u32]) {
    for step in context.plan.steps {
        if !step.bounds.is_some() {
            continue;
        }
        let (mut weight, mut state) = (0.0f32, 0.0f32);
        for p in &step.parameters {
            let file = from_file::<N>(context.image, arena, p);
            let ram = arena.get(p.region.range()).unwrap_or_default();
            weight = largest(weight, N::floats(parameter::<N>(ram, file, p)).unwrap_or_default());
            if let Some(training) = context.training {
                state = measure_state::<N>(L::OPTIMIZERS, &training.optimizer, arena, p, state);
            }
        }
        store(arena, step.bounds, [weight, state]);
    }
}

/// What the bound of state means depends on the rule; see [`bound_step`].
fn measure_state<N: Number>(
    linked: OptimizerSet,
    optimizer: &Optimizer,
    arena: &mut [u32],
    p: &Parameter,
    bound: f32,
) -> f32 {
    let Ok([a, b]) = arena.get_disjoint_mut([p.state[0].range(), p.state[1].range()]) else { return f32::INFINITY };
    let floats = |words| &*N::gradient_floats_mut(view_gradients_mut::<N>(words)).unwrap_or_default();
    let (a, b): (&[f32], &[f32]) = (floats(a), floats(b));
    match *optimizer {
        _ if !linked.has(optimizer) => bound,
        // A mean of squares from elsewhere may be negative; nothing is certain then.
        Optimizer::RmsProp { .. } | Optimizer::AdaGrad { .. } if a.iter().any(|&s| s < 0.0) => f32::INFINITY,
        // The velocity.
        Optimizer::RmsProp { .. } => largest(bound, b),
        // What of the first moment the second doesn't account for: none, unless both were loaded from elsewhere.
        Optimizer::Adam { beta1, beta2, .. } | Optimizer::AdamW { beta1, beta2, .. } => {
            let ratio = moments_ratio(beta1, beta2);
            a.iter().zip(b).fold(bound, |bound, (&m, &v)| largest(bound, &[excess(m, v, ratio)]))
        }
        // The velocity, or AdaGrad's sum of squares.
        Optimizer::Sgd { .. } | Optimizer::AdaGrad { .. } => largest(bound, a),
    }
}

/// `|m| - ratio sqrt(v)`, if that is positive; NaN if `v` is negative.
fn excess(m: f32, v: f32, ratio: f32) -> f32 {
    let excess = m.abs() - ratio * (root(v) / SQRT_EXCESS);
    if excess < 0.0 { 0.0 } else { excess }
}

/// Twice the largest `|m| / sqrt(v)` that Adam's moments, started from 0, can have: with weights `(1-β1) β1^k` and
/// `(1-β2) β2^k` of the same gradients it is `(1-β1) / sqrt((1-β2)(1-β1²/β2))` by Cauchy-Schwarz; 0 where there is no
/// such ratio. It stays true from step to step: `(β1 m + (1-β1) g)² <= (β1²/θ) m² + (1-β1)²/(1-θ) g²` with `θ = β1²/β2`.
fn moments_ratio(beta1: f32, beta2: f32) -> f32 {
    let theta = beta1 * beta1 / beta2;
    let ratio = 2.0 * (1.0 - beta1) / root((1.0 - beta2) * (1.0 - theta)) * SQRT_EXCESS;
    // Written so that a NaN (of beta2 = 0, or of a root of a negative number) is no ratio.
    if theta < 1.0 && below(ratio, LIMIT) { ratio } else { 0.0 }
}

fn store(arena: &mut [u32], region: Region, bounds: [f32; 2]) {
    for (word, bound) in arena.get_mut(region.range()).unwrap_or_default().iter_mut().zip(bounds) {
        *word = bound.to_bits();
    }
}

/// Whether the step that the error in the arena leads to is certain to stay finite. If so, the bounds are moved on as
/// if it was made; if not, some have moved all the same and must be measured again. `rate` is the learning rate of the step.
pub fn certify<N: Number, L: Linked>(context: &Context<'_>, arena: &mut [u32], input: &[N::Value], rate: f32) -> bool {
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
        if step.trained {
            let gradient = node.op.gradient_bound::<N>(L::OPS, bounded::<N>(step, arena, input, weight), error);
            let Some(bounds) = moved::<L>(training, gradient, weight, state, rate) else { return false };
            store(arena, step.bounds, bounds);
        }
        error *= largest(1.0, &[node.op.gain::<N>(L::OPS, bounded::<N>(step, arena, input, weight))]);
        if !below(error, LIMIT) {
            return false;
        }
    }
    true
}

/// What an operation needs to know to bound its backward pass. Slices that it doesn't look at cost nothing.
#[inline(always)]
fn bounded<'a, N: Number>(step: &Step, arena: &'a [u32], input: &'a [N::Value], weight: f32) -> Bounded<'a, N> {
    let kept = |region: Region, len: u32| values::<N>(arena.get(region.range()).unwrap_or_default(), len);
    let x: &[N::Value] = match step.x[0] {
        _ if !step.parameters[0].region.is_some() => &[],
        Place::Input => input,
        Place::Arena(region) => kept(region, step.input.elements()),
        Place::None => &[],
    };
    let y: &[N::Value] = match step.y {
        Place::Arena(region) if step.reads_output => kept(region, step.output.elements()),
        _ => &[],
    };
    let saved = arena.get(step.saved.range()).unwrap_or_default();
    Bounded { weight, x, y, saved, output: step.output }
}

/// The bounds on weight and state after the step; `None` if they are beyond the limit.
fn moved<L: Linked>(training: &Training, gradient: f32, weight: f32, state: f32, rate: f32) -> Option<[f32; 2]> {
    let limit = training.clip.value();
    // Only a gradient that is certainly a number is clamped to one.
    let gradient = if below(gradient, LIMIT) && limit < gradient { limit } else { gradient };
    let decay = training.optimizer.weight_decay();
    let (coupled, decoupled) = match training.optimizer {
        Optimizer::AdamW { .. } => (0.0, rate * decay),
        Optimizer::Sgd { .. } | Optimizer::RmsProp { .. } | Optimizer::AdaGrad { .. } | Optimizer::Adam { .. } => {
            (decay, 0.0)
        }
    };
    let gradient = gradient + training.penalty.l1 + (training.penalty.l2 + coupled) * weight;
    let (state, step_size) = bound_step(L::OPTIMIZERS, &training.optimizer, gradient, state, rate);
    let weight = weight * (1.0 + decoupled) + step_size;
    let safe = below(weight, LIMIT) && below(state, LIMIT) && below(gradient, LIMIT);
    if safe { Some([weight, state]) } else { None }
}

/// Whether a bound is below a limit; a NaN is not.
fn below(bound: f32, limit: f32) -> bool {
    bound < limit
}

/// Bounds on the new state and on the size of a step, from bounds on the gradient and on the old state.
fn bound_step(linked: OptimizerSet, optimizer: &Optimizer, gradient: f32, state: f32, rate: f32) -> (f32, f32) {
    match *optimizer {
        _ if !linked.has(optimizer) => (0.0, 0.0),
        Optimizer::Sgd { momentum, .. } if momentum > 0.0 => {
            let velocity = momentum * state + gradient;
            (velocity, rate * (gradient + velocity))
        }
        Optimizer::Sgd { .. } => (0.0, rate * gradient),
        // Averages of squares below this stay finite without a bound of their own; the rate is multiplied first.
        _ if !(below(gradient, LIMIT_SQUARED) && below(rate * gradient, LIMIT)) => (f32::INFINITY, f32::INFINITY),
        // |m| <= ratio sqrt(v) + state, divided by (1 - beta1^t) >= 1 - beta1 and by sqrt(v) + epsilon.
        Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
            let ratio = moments_ratio(beta1, beta2);
            // Without a ratio the state is the bound on |m|.
            let state = if ratio > 0.0 { state } else { largest(state, &[gradient]) };
            let rate = rate / (1.0 - beta1);
            // The rate meets the moment before the root does; no root of an f32 is above 2e19. Epsilon is multiplied by
            // sqrt(1 - beta2^t), which may leave nothing of a tiny one.
            let safe =
                below(rate * (ratio * 2.0e19 + state), LIMIT) && below(f32::MIN_POSITIVE, epsilon * root(1.0 - beta2));
            let lost = ratio * LOST / root(1.0 - beta2) * SQRT_EXCESS;
            (state, if safe { rate * (ratio + (state + lost) / epsilon) } else { f32::INFINITY })
        }
        Optimizer::RmsProp { alpha, epsilon, momentum, centered, .. } => {
            // The root holds (1 - alpha) g². Centred, the variance can be 0.
            let share = root(1.0 - alpha) / SQRT_EXCESS;
            let ratio = if centered { gradient / epsilon } else { 1.0 / share + LOST / share / epsilon };
            let velocity = momentum * state + ratio;
            (velocity, rate * velocity)
        }
        Optimizer::AdaGrad { epsilon, .. } => (state + gradient * gradient, rate * (1.0 + LOST / epsilon)),
    }
}

/// Makes the next certificate fail until the bounds are measured again.
pub fn distrust_bounds(context: &Context<'_>, arena: &mut [u32]) {
    for step in context.plan.steps {
        store(arena, step.bounds, [f32::INFINITY; 2]);
    }
}
