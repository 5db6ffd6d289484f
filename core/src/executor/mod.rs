//! The executor: runs a plan over an arena, forward and backward, one node after the other.
//!
//! It is generic over the number format and over what is linked ([`Linked`]), and knows neither where the arena nor
//! where the model comes from: a static model, a model from a file and the simulation on a host all run this code.
//! Slices are cut from the arena with checked, disjoint borrows; a plan and an arena that don't fit together make a pass
//! end early with `None` instead of a panic.

mod apply;
mod backward;
mod bounds;
mod cut;
mod forward;

pub use apply::{apply, reset_gradients};
pub use backward::{Pass, backward};
pub use bounds::{certify, distrust_bounds, measure_bounds};
pub use forward::forward;

use crate::graph::Graph;
use crate::loss::LossSet;
use crate::number::{Number, Rate, random::Key};
use crate::op::{NodeScales, OpSet};
use crate::optimizer::{Corrections, OptimizerSet, Schedule, StepSettings};
use crate::plan::{PlanView, Step, Training};

/// What is compiled into an executor. A static model links only what it uses.
pub trait Linked {
    /// Operations.
    const OPS: OpSet;
    /// Losses.
    const LOSSES: LossSet;
    /// Optimizers.
    const OPTIMIZERS: OptimizerSet;
    /// The schedule where it is known, so that the code of the others isn't linked; else the settings' own is taken.
    const SCHEDULE: Option<Schedule> = None;
}

/// The learning rate of the step that follows update `update`.
pub(crate) fn rate<N: Number, L: Linked>(training: &Training, update: u32) -> Rate {
    L::SCHEDULE.unwrap_or(training.schedule).rate::<N>(training.optimizer.learning_rate(), update)
}

/// Everything, for models that are unknown at compile time.
#[derive(Clone, Copy, Debug)]
pub struct Everything;

impl Linked for Everything {
    const OPS: OpSet = OpSet::ALL;
    const LOSSES: LossSet = LossSet::ALL;
    const OPTIMIZERS: OptimizerSet = OptimizerSet::ALL;
}

/// What stays the same from pass to pass.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The model.
    pub graph: Graph<'a>,
    /// Its plan.
    pub plan: PlanView<'a>,
    /// The settings it was planned with.
    pub training: Option<&'a Training>,
    /// The file that holds the parameters that are not in RAM; empty if there is none.
    pub image: &'a [u8],
}

/// What changes from pass to pass.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Samples seen before this one: the counter behind dropout.
    pub sample: u32,
    /// Updates made before this one: the counter behind schedules, bias corrections and stochastic rounding.
    pub update: u32,
    /// Whether this is a training step.
    pub training: bool,
    /// Fixed point: fraction bits of the error at the output in this step.
    pub error_frac: i32,
}

/// What is the same for every row in the step that follows update `update`.
fn settings<N: Number, L: Linked>(training: &Training, update: u32) -> StepSettings {
    StepSettings {
        rate: rate::<N, L>(training, update),
        penalty: training.penalty,
        clip_value: training.clip.value(),
        scale: 1.0,
        corrections: Corrections::at::<N>(L::OPTIMIZERS, &training.optimizer, update.saturating_add(1)),
        frac: 0,
        key: Key::new(training.seed, update, 0),
        first: 0,
    }
}

/// The settings of the row that starts at element `first` of a tensor.
#[inline(always)]
fn of_row(settings: &StepSettings, frac: i32, key: Key, first: usize) -> StepSettings {
    StepSettings { frac, key, first: first as u32, ..*settings }
}

/// The fraction bits around a node.
fn scales(context: &Context<'_>, arena: &[u32], node: usize, step: &Step, moment: &Moment) -> NodeScales {
    let table = context.plan.summary.scales;
    if !table.is_some() {
        return NodeScales::default();
    }
    let table = arena.get(table.range()).unwrap_or_default();
    let entry = |value: usize| table.get(value).map_or([0i8; 4], |w| w.to_le_bytes().map(|b| b as i8)).map(i32::from);
    let [x, x2, y] = step.scales.map(|value| entry(value as usize));
    let own = entry(node + 1);
    NodeScales {
        x: x[0],
        x2: x2[0],
        weight: own[1],
        bias: own[2],
        y: y[0],
        dy: moment.error_frac + y[3],
        dx: moment.error_frac + x[3],
    }
}
