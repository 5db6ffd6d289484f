//! The forward pass.

use super::cut::{from_file, parameter, values, values_mut};
use super::{Context, Linked, Moment, scales};
use crate::number::{Number, random::Key};
use crate::op::{Elementwise, Forward, Parameters};
use crate::plan::{Parameter, Place, Region, Step};

/// Runs every node forward; the output lies at `plan.summary.output`. `None` if the arena doesn't fit the plan.
pub fn forward<N: Number, L: Linked>(
    context: &Context<'_>,
    arena: &mut [u32],
    input: &[N::Value],
    moment: &Moment,
) -> Option<()> {
    for (i, (node, step)) in context.graph.nodes.iter().zip(context.plan.steps).enumerate() {
        let scales = scales(context, arena, i, step, moment);
        let Place::Arena(y_region) = step.y else { continue };
        let output_len = step.output.elements();
        let [x_region, mut x2_region] = step.x.map(|x| match x {
            Place::Arena(region) => region,
            _ => Region::NONE,
        });
        let (persistent, work) = arena.split_at_mut_checked(context.plan.summary.persistent_words as usize)?;
        let persistent: &[u32] = persistent;
        let base = persistent.len();
        let at = |region: Region| shift(region, base);
        if step.elementwise || step.in_place {
            if !step.in_place {
                copy::<N>(work, at(x_region), input, step.x[0], at(y_region), output_len)?;
            }
            let [y, mask] = work.get_disjoint_mut([at(y_region), at(step.saved)]).ok()?;
            let key = Key::new(context.training.map_or(0, |t| t.seed), moment.sample, i as u32);
            let values = values_mut::<N>(y, output_len);
            node.op.forward_in_place(L::OPS, Elementwise::<N> { values, y: &[], mask, key, training: moment.training });
            continue;
        }
        let input_len = step.input.elements();
        let same = x_region == x2_region;
        // Where nothing linked has a second input, no code is to look for one.
        if same || !L::OPS.has_second_input() {
            x2_region = Region::NONE;
        }
        let [w, b] = &step.parameters;
        let weight_file = from_file::<N>(context.image, persistent, w);
        let bias_file = from_file::<N>(context.image, persistent, b);
        let (weight, bias) = (persistent.get(w.region.range())?, persistent.get(b.region.range())?);
        let running = running::<N, L>(context, persistent, step)?;
        let ranges = [at(x_region), at(x2_region), at(y_region), at(step.saved), at(step.scratch_forward)];
        let [x, x2, y, saved, scratch] = work.get_disjoint_mut(ranges).ok()?;
        let x: &[N::Value] = if step.x[0] == Place::Input { input } else { values::<N>(x, input_len) };
        let x2 = match step.x[1] {
            Place::None => &[],
            Place::Input => input,
            Place::Arena(_) if same => x,
            Place::Arena(_) => values::<N>(x2, input_len),
        };
        node.op.forward(
            L::OPS,
            Forward::<N> {
                x,
                x2,
                parameters: Parameters {
                    weight: parameter::<N>(weight, weight_file, w),
                    bias: parameter::<N>(bias, bias_file, b),
                },
                running,
                y: values_mut::<N>(y, output_len),
                saved,
                scratch: N::view_mut(scratch),
                input: step.input,
                output: step.output,
                scales,
                training: moment.training && step.trained,
            },
        );
    }
    Some(())
}

/// The running mean and variance of a node that has them, in RAM or in the file.
#[inline(always)]
pub(super) fn running<'a, N: Number, L: Linked>(
    context: &Context<'a>,
    persistent: &'a [u32],
    step: &Step,
) -> Option<[&'a [N::Value]; 2]> {
    if !L::OPS.has_statistics() {
        return Some([&[]; 2]);
    }
    let [mean, variance] = &step.running;
    let of = |p: &Parameter| {
        Some(parameter::<N>(persistent.get(p.region.range())?, from_file::<N>(context.image, persistent, p), p))
    };
    Some([of(mean)?, of(variance)?])
}

/// The range of a region in the arena's working part, which starts `base` words in.
#[inline(always)]
pub(super) fn shift(region: Region, base: usize) -> core::ops::Range<usize> {
    if region.is_some() {
        let at = (region.at as usize).wrapping_sub(base);
        at..at.wrapping_add(region.len as usize)
    } else {
        0..0
    }
}

/// Copies an elementwise node's input to where it will work on it.
fn copy<N: Number>(
    work: &mut [u32],
    from: core::ops::Range<usize>,
    input: &[N::Value],
    place: Place,
    to: core::ops::Range<usize>,
    len: u32,
) -> Option<()> {
    let [x, y] = work.get_disjoint_mut([from, to]).ok()?;
    let x = if place == Place::Input { input } else { values::<N>(x, len) };
    for (y, &x) in values_mut::<N>(y, len).iter_mut().zip(x) {
        *y = x;
    }
    Some(())
}
