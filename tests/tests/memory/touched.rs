//! The arena as a run leaves it: used up to its end, and never beyond.

use emberlite::number::{F32, Fixed16, Format, Number};
use emberlite::plan::{Dx, PlanView, Region};
use emberlite_tests::oracle::{Machine, fixed_bytes, float_bytes, write_file};

use crate::case;

const PAINT: u32 = 0x5ee5_a1a5;
const BEYOND: usize = 64;

/// The regions of a plan that change from step to step.
fn working(plan: PlanView) -> Vec<Region> {
    let mut regions = vec![plan.summary.output_error];
    for step in plan.steps {
        regions.extend([step.saved, step.scratch_forward, step.scratch_backward, step.errors.dy]);
        for place in step.x.into_iter().chain([step.y]) {
            if let emberlite::plan::Place::Arena(region) = place {
                regions.push(region);
            }
        }
        for dx in step.errors.dx {
            if let Dx::Write(region) | Dx::Accumulate(region) = dx {
                regions.push(region);
            }
        }
    }
    regions
}

fn check<N: Number>(machine: &mut Machine<N>, seed: u32, step: impl Fn(&mut Machine<N>)) {
    let words = machine.plan().summary.words as usize;
    let start = machine.plan().summary.persistent_words as usize;
    machine.arena.resize(words + BEYOND, 0);
    machine.arena[start..].fill(PAINT);
    step(machine);
    assert!(machine.arena[words..].iter().all(|&w| w == PAINT), "seed {seed}: written beyond the arena");
    let last = machine.arena[start..words].iter().rposition(|&w| w != PAINT).map_or(start, |at| start + at + 1);
    // A region's end may stay as it was: half a word of an odd tensor, bytes of the last argmax word, a scratch of four
    // filters where fewer remain. But the highest region is there for something.
    let regions = working(machine.plan());
    let top = regions.iter().filter(|r| r.range().end == words).map(|r| r.range().start).max().unwrap_or(start);
    assert!(words == start || last > top, "seed {seed}: used up to {last}, the highest region is {top}..{words}");
    assert!(regions.iter().all(|r| !r.is_some() || (r.range().start >= start && r.range().end <= words)));
}

#[test]
fn the_arena_is_used_to_its_end_and_not_beyond() {
    for seed in 0..1000 {
        let case = case(seed, Format::F32);
        let file = write_file(case.graph(), &float_bytes(&case.numbers(7)), &[]);
        let mut machine = Machine::<F32>::new(case.graph(), Some(&case.training)).expect("a valid case");
        machine.engine().load(file.bytes()).expect("a valid file");
        check(&mut machine, seed, |machine| {
            for t in 0..case.training.batch {
                let sample = case.sample(9, t);
                machine.engine().train_step(&sample.input, sample.goal.target::<F32>()).expect("a valid sample");
            }
        });
        let case = self::case(seed, Format::Fixed16);
        let scales = case.scales(5);
        let mut numbers = Vec::new();
        for node in case.numbers(7) {
            numbers.push(node.map(|v| v.iter().map(|&v| Fixed16::from_f32(v, 12)).collect()));
        }
        let file = write_file(case.graph(), &fixed_bytes(&numbers), &scales);
        let mut machine = Machine::<Fixed16>::new(case.graph(), Some(&case.training)).expect("a valid case");
        machine.engine().load(file.bytes()).expect("a valid file");
        check(&mut machine, seed, |machine| {
            for t in 0..case.training.batch {
                let sample = case.sample(9, t);
                let input: Vec<i16> = sample.input.iter().map(|&x| Fixed16::from_f32(x, 10)).collect();
                let goal = sample.goal.map(|&t| Fixed16::from_f32(t, 10));
                machine.engine().train_step(&input, goal.target::<Fixed16>()).expect("a valid sample");
            }
        });
    }
}
