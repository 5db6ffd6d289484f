//! The backward pass: errors from the last node to the first that needs one, and parameter gradients on the way.

use super::apply::{Row, stays_finite};
use super::cut::{from_file, parameter, values, values_mut};
use super::forward::{running, shift};
use super::{Context, Linked, Moment, scales};
use crate::number::{Format, Number, random::Key, view_gradients, view_gradients_mut};
use crate::op::{Backward, Elementwise, NodeScales, Op, ParameterGradient, Parameters};
use crate::optimizer::{OptimizerSet, StepSettings};
use crate::plan::{Dx, Parameter, Place, Region, Step, Training};

/// What a backward pass does with the gradients.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pass {
    /// Adds them to the gradient buffers.
    Accumulate,
    /// Steps the parameters at once; no buffer.
    Update,
    /// Changes nothing and finds out whether `Update` would make a parameter or optimizer state non-finite.
    Check,
}

/// Runs backward from the error at the output, which the loss wrote to `plan.summary.output_error`.
///
/// Returns whether every parameter and state stays finite (always true but for [`Pass::Check`]), or `None` if the
/// arena doesn't fit the plan. `Check` leaves errors in the arena as `Update` would, so the loss must be computed
/// again before another pass.
pub fn backward<N: Number, L: Linked>(
    context: &Context<'_>,
    arena: &mut [u32],
    input: &[N::Value],
    moment: &Moment,
    pass: Pass,
) -> Option<bool> {
    let training = context.training?;
    let settings = super::settings::<N, L>(training, moment.update);
    let mut finite = true;
    for (i, (node, step)) in context.graph.nodes.iter().zip(context.plan.steps).enumerate().rev() {
        if !step.errors.dy.is_some() {
            continue;
        }
        let scales = scales(context, arena, i, step, moment);
        if step.elementwise {
            elementwise::<N, L>(context, arena, i, &node.op, step, moment)?;
        }
        // The second input first: the first may take over the memory of the error at the output.
        for (input_index, dx) in step.errors.dx.iter().enumerate().rev() {
            let (region, accumulate) = match *dx {
                Dx::Write(region) => (region, false),
                Dx::Accumulate(region) => (region, true),
                Dx::Shared if N::FORMAT == Format::Fixed16 && scales.dy != scales.dx => {
                    rescale::<N>(arena, step, scales.dy - scales.dx)?;
                    continue;
                }
                Dx::None | Dx::Shared => continue,
            };
            let scales = if input_index == 1 { second_input(context, arena, step, moment, scales) } else { scales };
            to_input::<N, L>(context, arena, input, &node.op, step, scales, region, accumulate, moment)?;
        }
        if step.trained {
            let key = Key::new(training.seed, moment.update, i as u32);
            finite &=
                to_parameters::<N, L>(context, arena, input, &node.op, step, scales, &settings, key, pass, moment)?;
        }
    }
    Some(finite)
}

/// The scales with the second input's in place of the first's.
fn second_input(context: &Context<'_>, arena: &[u32], step: &Step, moment: &Moment, mut s: NodeScales) -> NodeScales {
    let table = arena.get(context.plan.summary.scales.range()).unwrap_or_default();
    if let Some(word) = table.get(step.scales[1] as usize) {
        s.dx = moment.error_frac + i32::from(word.to_le_bytes()[3] as i8);
    }
    s
}

/// The error at the output becomes that at the first input, which has its memory but not its scale.
fn rescale<N: Number>(arena: &mut [u32], step: &Step, shift: i32) -> Option<()> {
    for v in values_mut::<N>(arena.get_mut(step.errors.dy.range())?, step.output.elements()) {
        *v = N::finish(N::start(*v, 0), shift);
    }
    Some(())
}

fn elementwise<N: Number, L: Linked>(
    context: &Context<'_>,
    arena: &mut [u32],
    i: usize,
    op: &Op,
    step: &Step,
    moment: &Moment,
) -> Option<()> {
    let y = match step.y {
        Place::Arena(region) if step.reads_output => region,
        _ => Region::NONE,
    };
    let len = step.output.elements();
    let [dy, y, mask] = arena.get_disjoint_mut([step.errors.dy.range(), y.range(), step.saved.range()]).ok()?;
    let key = Key::new(context.training.map_or(0, |t| t.seed), moment.sample, i as u32);
    let io = Elementwise::<N> {
        values: values_mut::<N>(dy, len),
        y: values::<N>(y, if y.is_empty() { 0 } else { len }),
        mask,
        key,
        training: true,
    };
    op.backward_in_place(L::OPS, io);
    Some(())
}

#[allow(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
fn to_input<N: Number, L: Linked>(
    context: &Context<'_>,
    arena: &mut [u32],
    input: &[N::Value],
    op: &Op,
    step: &Step,
    scales: NodeScales,
    dx: Region,
    accumulate: bool,
    moment: &Moment,
) -> Option<()> {
    let (persistent, work) = arena.split_at_mut_checked(context.plan.summary.persistent_words as usize)?;
    let persistent: &[u32] = persistent;
    let base = persistent.len();
    let at = |region: Region| shift(region, base);
    let [w, _] = &step.parameters;
    let weight_file = from_file::<N>(context.image, persistent, w);
    let weight = persistent.get(w.region.range())?;
    let running = running::<N, L>(context, persistent, step)?;
    // Where the operation doesn't read its input here, the input's memory may be gone, or be this very error's.
    let needs_x = step.reads_input;
    let x_region = match step.x[0] {
        Place::Arena(region) if needs_x => region,
        _ => Region::NONE,
    };
    let ranges = [at(x_region), at(step.errors.dy), at(dx), at(step.saved), at(step.scratch_backward)];
    let [x, dy, dx, saved, scratch] = work.get_disjoint_mut(ranges).ok()?;
    let input_len = step.input.elements();
    op.backward_input(
        L::OPS,
        Backward::<N> {
            x: if step.x[0] == Place::Input { input } else { values::<N>(x, if needs_x { input_len } else { 0 }) },
            parameters: Parameters { weight: parameter::<N>(weight, weight_file, w), bias: &[] },
            running,
            dy: values::<N>(dy, step.output.elements()),
            dx: values_mut::<N>(dx, input_len),
            accumulate,
            saved,
            scratch,
            input: step.input,
            output: step.output,
            scales,
            training: moment.training && step.trained,
        },
    );
    Some(())
}

#[allow(clippy::too_many_arguments, reason = "one call site; a struct would only rename the arguments")]
fn to_parameters<N: Number, L: Linked>(
    context: &Context<'_>,
    arena: &mut [u32],
    input: &[N::Value],
    op: &Op,
    step: &Step,
    scales: NodeScales,
    settings: &StepSettings,
    key: Key,
    pass: Pass,
    moment: &Moment,
) -> Option<bool> {
    let (persistent, work) = arena.split_at_mut_checked(context.plan.summary.persistent_words as usize)?;
    let base = persistent.len();
    let at = |region: Region| shift(region, base);
    // What the linked operations and optimizers can't have is a constant here, so that no code looks for it.
    let [rm, rv] = if L::OPS.has_statistics() { &step.running } else { &[Parameter::NONE; 2] };
    let running_file = [from_file::<N>(context.image, persistent, rm), from_file::<N>(context.image, persistent, rv)];
    let [w, b] = &step.parameters;
    let [ws, bs] = if L::OPTIMIZERS.has_state() { [w.state, b.state] } else { [[Region::NONE; 2]; 2] };
    let (wg, bg) = (w.gradient, b.gradient);
    let regions = [w.region, b.region, ws[0], ws[1], bs[0], bs[1], wg, bg, rm.region, rv.region];
    let [weight, bias, ws0, ws1, bs0, bs1, wg, bg, mean, variance] =
        persistent.get_disjoint_mut(regions.map(Region::range)).ok()?;
    let x_region = match step.x[0] {
        Place::Arena(region) if w.region.is_some() => region,
        _ => Region::NONE,
    };
    let ranges = [at(x_region), at(step.errors.dy), at(step.saved), at(step.scratch_backward)];
    let [x, dy, saved, scratch] = work.get_disjoint_mut(ranges).ok()?;
    let target = |values, state, gradient, parameter: &Parameter, frac| Target::<N> {
        values: if parameter.region.is_some() { values_mut::<N>(values, parameter.len) } else { &mut [] },
        state,
        gradient: view_gradients_mut::<N>(gradient),
        frac,
    };
    let mut sink = Sink::<N, L> {
        targets: [
            target(weight, [view_gradients_mut::<N>(ws0), view_gradients_mut::<N>(ws1)], wg, w, scales.weight),
            target(bias, [view_gradients_mut::<N>(bs0), view_gradients_mut::<N>(bs1)], bg, b, scales.bias),
        ],
        settings: *settings,
        training: context.training?,
        key,
        pass,
        finite: true,
        linked: core::marker::PhantomData,
    };
    let has_x = step.x[0] == Place::Input || x_region.is_some();
    op.backward_parameters(
        L::OPS,
        Backward::<N> {
            x: if step.x[0] == Place::Input {
                input
            } else {
                values::<N>(x, if has_x { step.input.elements() } else { 0 })
            },
            parameters: Parameters { weight: &[], bias: &[] },
            running: [parameter::<N>(mean, running_file[0], rm), parameter::<N>(variance, running_file[1], rv)],
            dy: values::<N>(dy, step.output.elements()),
            dx: &mut [],
            accumulate: false,
            saved,
            scratch,
            input: step.input,
            output: step.output,
            scales,
            training: moment.training && step.trained,
        },
        &mut sink,
    );
    Some(sink.finite)
}

/// One parameter tensor with all that belongs to it.
struct Target<'a, N: Number> {
    values: &'a mut [N::Value],
    state: [&'a mut [N::Gradient]; 2],
    gradient: &'a mut [N::Gradient],
    frac: i32,
}

/// Takes gradient rows to where the pass wants them.
struct Sink<'a, N: Number, L: Linked> {
    targets: [Target<'a, N>; 2],
    settings: StepSettings,
    training: &'a Training,
    key: Key,
    pass: Pass,
    finite: bool,
    linked: core::marker::PhantomData<L>,
}

/// Elements that a `Check` pass steps on a copy at a time.
const CHECK: usize = 16;

impl<N: Number, L: Linked> Sink<'_, N, L> {
    const OPTIMIZERS: OptimizerSet = L::OPTIMIZERS;

    /// The part of a tensor that a row of `len` elements at `at` belongs to, with its settings.
    #[inline(always)]
    fn part(&mut self, parameter: usize, at: usize, len: usize) -> Option<(Target<'_, N>, StepSettings)> {
        let frac = self.targets.get(parameter)?.frac;
        let settings = super::of_row(&self.settings, frac, self.key.tensor(parameter as u32), at);
        let target = self.targets.get_mut(parameter)?;
        let [s0, s1] = &mut target.state;
        let part = Target {
            values: target.values.get_mut(at..at + len)?,
            state: [s0.get_mut(at..at + len).unwrap_or_default(), s1.get_mut(at..at + len).unwrap_or_default()],
            gradient: target.gradient.get_mut(at..at + len).unwrap_or_default(),
            frac: target.frac,
        };
        Some((part, settings))
    }

    /// Adds or steps or checks a row given element by element; not for the hot paths.
    #[inline(never)]
    fn by_element(&mut self, parameter: usize, at: usize, len: usize, gradient: &dyn Fn(usize) -> N::Gradient) {
        let (pass, optimizer) = (self.pass, self.training.optimizer);
        let mut start = 0;
        while start < len {
            let n = (len - start).min(CHECK);
            let Some((target, settings)) = self.part(parameter, at + start, n) else { return };
            let mut g = [N::Gradient::default(); CHECK];
            for (i, g) in g.iter_mut().enumerate().take(n) {
                *g = gradient(start + i);
            }
            let g = g.get(..n).unwrap_or_default();
            match pass {
                Pass::Accumulate => {
                    for (sum, &g) in target.gradient.iter_mut().zip(g) {
                        *sum = N::add_gradients(*sum, g);
                    }
                }
                Pass::Update => optimizer.step_row::<N>(Self::OPTIMIZERS, target.values, target.state, g, &settings),
                Pass::Check => self.check(parameter, at + start, n, Row::Gradient(g)),
            }
            start += n;
        }
    }

    /// Tries the step of a row on copies.
    #[inline(never)]
    fn check(&mut self, parameter: usize, at: usize, len: usize, row: Row<'_, N>) {
        let optimizer = self.training.optimizer;
        let Some((target, settings)) = self.part(parameter, at, len) else { return };
        let finite = stays_finite::<N, L>(&optimizer, target.values, &target.state, row, &settings);
        self.finite &= finite;
    }
}

impl<N: Number, L: Linked> ParameterGradient<N> for Sink<'_, N, L> {
    #[inline(always)]
    fn wants(&self, parameter: usize) -> bool {
        self.targets.get(parameter).is_some_and(|t| !t.values.is_empty())
    }

    #[inline(always)]
    fn product_rows(&mut self, parameter: usize, row: &[N::Value], factors: &[N::Value], frac: i32) {
        let (optimizer, len) = (self.training.optimizer, row.len());
        if let Pass::Check = self.pass {
            for (r, &factor) in factors.iter().enumerate() {
                self.check(parameter, r * len, len, Row::Product(row, factor, frac));
            }
            return;
        }
        let update = self.pass == Pass::Update;
        let Some((target, settings)) = self.part(parameter, 0, len * factors.len()) else { return };
        if update {
            let (values, state) = (target.values, target.state);
            optimizer.step_product_rows::<N>(Self::OPTIMIZERS, values, state, row, factors, frac, &settings);
            return;
        }
        for (sums, &factor) in target.gradient.chunks_exact_mut(len.max(1)).zip(factors) {
            for (sum, &x) in sums.iter_mut().zip(row) {
                *sum = N::add_gradients(*sum, N::gradient_product(x, factor, frac));
            }
        }
    }

    fn value_row(&mut self, parameter: usize, at: usize, row: &[N::Value], frac: i32) {
        // In f32 a value is a gradient already.
        if let Some(floats) = N::floats(row) {
            return self.row(parameter, at, view_gradients::<N>(bytemuck::must_cast_slice(floats)));
        }
        self.by_element(parameter, at, row.len(), &|i| {
            row.get(i).map_or(N::Gradient::default(), |&v| N::gradient(N::start(v, 0), frac))
        });
    }

    fn row(&mut self, parameter: usize, at: usize, gradient: &[N::Gradient]) {
        let optimizer = self.training.optimizer;
        match self.pass {
            Pass::Update => {
                if let Some((target, settings)) = self.part(parameter, at, gradient.len()) {
                    optimizer.step_row::<N>(Self::OPTIMIZERS, target.values, target.state, gradient, &settings);
                }
            }
            Pass::Accumulate => {
                if let Some((target, _)) = self.part(parameter, at, gradient.len()) {
                    for (sum, &g) in target.gradient.iter_mut().zip(gradient) {
                        *sum = N::add_gradients(*sum, g);
                    }
                }
            }
            Pass::Check => self.check(parameter, at, gradient.len(), Row::Gradient(gradient)),
        }
    }
}
