//! Steps from gradient buffers: what a mini-batch or global-norm clipping ends with.

use super::cut::values_mut;
use super::{Context, Linked, Moment, scales};
use crate::number::{Format, Number, random::Key, view_gradients, view_gradients_mut};
use crate::optimizer::{Clip, Optimizer, StepSettings, norm_factor};

/// Elements stepped on a copy at a time.
const CHECK: usize = 16;

/// Steps every trained parameter by its accumulated gradient and empties the buffers. `None` if the arena doesn't fit.
///
/// Returns `Some(false)`, having changed nothing but the emptied buffers, if a parameter or state would not stay finite.
pub fn apply<N: Number, L: Linked>(context: &Context<'_>, arena: &mut [u32], moment: &Moment) -> Option<bool> {
    let training = context.training?;
    let mut settings = super::settings::<N, L>(training, moment.update);
    if let (Format::F32, Clip::GlobalNorm(limit)) = (N::FORMAT, training.clip) {
        settings.scale = norm_factor(sum_of_squares::<N>(context, arena), limit);
    }
    let mut finite = true;
    if let Format::F32 = N::FORMAT {
        finite = walk::<N, L>(context, arena, moment, &settings, true)?;
    }
    if finite {
        walk::<N, L>(context, arena, moment, &settings, false)?;
    }
    reset_gradients(context, arena);
    Some(finite)
}

/// Checks or steps every parameter.
fn walk<N: Number, L: Linked>(
    context: &Context<'_>,
    arena: &mut [u32],
    moment: &Moment,
    settings: &StepSettings,
    check: bool,
) -> Option<bool> {
    let training = context.training?;
    let mut finite = true;
    for (i, step) in context.plan.steps.iter().enumerate() {
        let scales = scales(context, arena, i, step, moment);
        let key = Key::new(training.seed, moment.update, i as u32);
        for (k, p) in step.parameters.iter().enumerate() {
            if !p.region.is_some() {
                continue;
            }
            let ranges = [p.region.range(), p.state[0].range(), p.state[1].range(), p.gradient.range()];
            let [values, s0, s1, gradient] = arena.get_disjoint_mut(ranges).ok()?;
            let values = values_mut::<N>(values, p.len);
            let state = [view_gradients_mut::<N>(s0), view_gradients_mut::<N>(s1)];
            let gradient = view_gradients::<N>(gradient);
            let frac = if k == 0 { scales.weight } else { scales.bias };
            let settings = super::of_row(settings, frac, key.tensor(k as u32), 0);
            if check {
                finite &= stays_finite::<N, L>(&training.optimizer, values, &state, Row::Gradient(gradient), &settings);
            } else {
                training.optimizer.step_row::<N>(L::OPTIMIZERS, values, state, gradient, &settings);
            }
        }
    }
    Some(finite)
}

/// A row's gradient: as it is, or `x[i] * factor` with its fraction bits. A rule need not round both alike.
#[derive(Clone, Copy)]
pub(super) enum Row<'a, N: Number> {
    Gradient(&'a [N::Gradient]),
    Product(&'a [N::Value], N::Value, i32),
}

/// Whether a step would leave every value and state finite; works on copies of a few elements at a time.
pub(super) fn stays_finite<N: Number, L: Linked>(
    optimizer: &Optimizer,
    values: &[N::Value],
    state: &[&mut [N::Gradient]; 2],
    row: Row<'_, N>,
    settings: &StepSettings,
) -> bool {
    let mut finite = true;
    for (chunk, values) in values.chunks(CHECK).enumerate() {
        let mut v = [N::Value::default(); CHECK];
        let mut s = [[N::Gradient::default(); CHECK]; 2];
        for (v, &value) in v.iter_mut().zip(values) {
            *v = value;
        }
        for (s, state) in s.iter_mut().zip(state) {
            for (s, &value) in s.iter_mut().zip(state.get(chunk * CHECK..).unwrap_or_default()) {
                *s = value;
            }
        }
        let [s0, s1] = &mut s;
        let n = values.len();
        let used = |slot: usize| if state.get(slot).is_some_and(|s| !s.is_empty()) { n } else { 0 };
        let v = v.get_mut(..n).unwrap_or_default();
        let slots = [s0.get_mut(..used(0)).unwrap_or_default(), s1.get_mut(..used(1)).unwrap_or_default()];
        let at = chunk * CHECK..chunk * CHECK + n;
        match row {
            Row::Gradient(g) => {
                optimizer.step_row::<N>(L::OPTIMIZERS, v, slots, g.get(at).unwrap_or_default(), settings);
            }
            Row::Product(x, factor, frac) => {
                let x = x.get(at).unwrap_or_default();
                optimizer.step_product_row::<N>(L::OPTIMIZERS, v, slots, x, factor, frac, settings);
            }
        }
        finite &= v.iter().all(|&v| N::is_finite(v));
        for s in &mut s {
            finite &= N::gradient_floats_mut(s).is_none_or(|s| s.iter().all(|s| s.is_finite()));
        }
    }
    finite
}

/// The sum of the squares of all accumulated gradients, in the order of nodes, weight before bias, ascending.
fn sum_of_squares<N: Number>(context: &Context<'_>, arena: &mut [u32]) -> f32 {
    let mut sum = 0.0;
    for step in context.plan.steps {
        for p in &step.parameters {
            let words = arena.get_mut(p.gradient.range()).unwrap_or_default();
            for g in N::gradient_floats_mut(view_gradients_mut::<N>(words)).unwrap_or_default() {
                sum += *g * *g;
            }
        }
    }
    sum
}

/// Empties the gradient buffers.
pub fn reset_gradients(context: &Context<'_>, arena: &mut [u32]) {
    for step in context.plan.steps {
        for p in &step.parameters {
            arena.get_mut(p.gradient.range()).unwrap_or_default().fill(0);
        }
    }
}
