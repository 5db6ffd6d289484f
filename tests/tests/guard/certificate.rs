//! The certificate itself: whenever it is given, a step tried on copies is finite, and its bounds hold afterwards.

use emberlite::executor::{Context, Everything, Moment, Pass, backward, certify, forward, measure_bounds};
use emberlite::loss::LossSet;
use emberlite::number::{F32, Number};
use emberlite::plan::{PlanView, Region};
use emberlite_tests::oracle::{Case, Choices, Machine, Sample, float_bytes, hostile_sample, spoil, write_file};

use super::hostile::{decisions, hostile, spoil_state};

/// Forward and loss; whether both are finite.
fn to_error(context: &Context, arena: &mut [u32], sample: &Sample<f32>, moment: &Moment) -> bool {
    let training = context.training.expect("a case trains");
    forward::<F32, Everything>(context, arena, &sample.input, moment).expect("the arena was made for the plan");
    let summary = context.plan.summary;
    let emberlite::plan::Place::Arena(output) = summary.output else { return false };
    let y = F32::view(&arena[output.range()]).to_vec();
    let dy = F32::view_mut(&mut arena[summary.output_error.range()]);
    let (loss, _) = training.loss.backward::<F32>(LossSet::ALL, &y, sample.goal.target::<F32>(), 0, training.batch, dy);
    loss.is_finite() && y.iter().all(|y| y.is_finite())
}

fn largest(arena: &[u32], regions: impl Iterator<Item = Region>) -> f32 {
    regions.flat_map(|r| &arena[r.range()]).fold(0.0, |max, &w| f32::max(max, f32::from_bits(w).abs()))
}

/// Every weight is within its bound: by rounding alone it may be beyond by a share that is far below a thousandth.
fn assert_bounds(plan: PlanView, arena: &[u32], note: &str) {
    for (i, step) in plan.steps.iter().enumerate() {
        if let (Some(&[bound, _]), true) = (arena.get(step.bounds.range()), step.trained) {
            let weight = largest(arena, step.parameters.iter().map(|p| p.region));
            assert!(weight <= f32::from_bits(bound) * 1.001, "node {i}: {weight} beyond its bound; {note}");
        }
    }
}

fn check(seed: u32) -> [u32; 2] {
    let list = decisions(seed);
    let choices = &mut Choices::new(&list);
    let mut case: Case = hostile(choices);
    case.training.batch = 1;
    if case.training.needs_gradient_buffer() {
        return [0; 2];
    }
    let mut numbers = case.numbers(7);
    spoil(choices, &mut numbers);
    let file = write_file(case.graph(), &float_bytes(&numbers), &[]);
    let Ok(mut machine) = Machine::<F32>::new(case.graph(), Some(&case.training)) else { return [0; 2] };
    machine.engine().load(file.bytes()).expect("finite numbers are loaded");
    if choices.one_in(3) {
        spoil_state(&mut machine, choices);
    }
    let mut arena = std::mem::take(&mut machine.arena);
    let plan = machine.plan();
    let context = Context { graph: case.graph(), plan, training: Some(&case.training), image: file.bytes() };
    measure_bounds::<F32, Everything>(&context, &mut arena);
    let [mut certified, mut refused] = [0; 2];
    for t in 0..12 {
        let sample = hostile_sample(&case, t);
        let moment = Moment { sample: t, update: t, training: true, error_frac: 0 };
        let ordinary = to_error(&context, &mut arena, &sample, &moment);
        // The engine skips these, and samples whose statistics overflow, before it asks for a certificate.
        if !ordinary || !statistics_are_finite(&case, plan, &arena) {
            continue;
        }
        let mut trial = arena.clone();
        let finite = backward::<F32, Everything>(&context, &mut trial, &sample.input, &moment, Pass::Check);
        let rate = case.training.schedule.rate::<F32>(case.training.optimizer.learning_rate(), t).real();
        if certify::<F32, Everything>(&context, &mut arena, &sample.input, rate) {
            let note = format!("seed {seed}, step {t}, {case:#?}");
            assert_eq!(finite, Some(true), "certified, and not finite; {note}");
            backward::<F32, Everything>(&context, &mut arena, &sample.input, &moment, Pass::Update);
            assert_bounds(plan, &arena, &note);
            certified += 1;
        } else {
            measure_bounds::<F32, Everything>(&context, &mut arena);
            refused += 1;
        }
    }
    [certified, refused]
}

fn statistics_are_finite(case: &Case, plan: PlanView, arena: &[u32]) -> bool {
    let norms =
        case.nodes.iter().zip(plan.steps).filter(|(node, _)| matches!(node.op, emberlite::op::Op::BatchNorm(_)));
    norms.flat_map(|(_, step)| &arena[step.saved.range()]).all(|&w| f32::from_bits(w).abs() < 1e37)
}

#[test]
fn a_certified_step_is_finite_and_within_its_bounds() {
    let [mut certified, mut refused] = [0; 2];
    for seed in 0..4000 {
        let [yes, no] = check(seed);
        certified += yes;
        refused += no;
    }
    assert!(certified > 3000 && refused > 3000, "{certified} certified, {refused} refused");
}
