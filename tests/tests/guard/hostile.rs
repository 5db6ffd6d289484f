//! Random models with hostile parameters, state, settings and samples.

use emberlite::learner::Outcome;
use emberlite::number::random::Key;
use emberlite::number::{F32, Format};
use emberlite_tests::oracle::{
    Case, Choices, Machine, float_bytes, generate, harden, hostile_sample, spoil, write_file,
};

use crate::finite;

/// Overwrites optimizer state with numbers that no run leaves, as a file from elsewhere may hold them, and has the
/// bounds measured, as loading would.
pub fn spoil_state(machine: &mut Machine<F32>, choices: &mut Choices) {
    let size = 10f32.powi(choices.pick(&[0, -30, -10, 10, 20, 38]));
    let signed = choices.one_in(2);
    let regions: Vec<_> = machine.plan().steps.iter().flat_map(|s| s.parameters).flat_map(|p| p.state).collect();
    for at in regions.into_iter().flat_map(|region| region.range()) {
        let u = Key::new(13, at as u32, 0).uniform(0);
        let value = if signed { size * (2.0 * u - 1.0) } else { size * u };
        machine.arena[at] = value.to_bits();
    }
    distrust(machine);
}

/// Has the bounds measured at the next step.
pub fn distrust(machine: &mut Machine<F32>) {
    let bounds: Vec<_> = machine.plan().steps.iter().flat_map(|s| s.bounds.range()).collect();
    bounds.into_iter().for_each(|at| machine.arena[at] = f32::INFINITY.to_bits());
}

/// A hostile case from decisions.
pub fn hostile(choices: &mut Choices) -> Case {
    let mut case = generate(choices, Format::F32);
    harden(choices, &mut case);
    case
}

/// Decisions number `seed`.
pub fn decisions(seed: u32) -> Vec<u32> {
    let key = Key::new(seed, 21, 0);
    (0..key.at(1000) % 120).map(|i| key.at(i) % 5040).collect()
}

#[test]
fn nothing_learnt_is_ever_infinite_or_nan() {
    let [mut skipped, mut updated] = [0u32; 2];
    for seed in 0..3000 {
        let list = decisions(seed);
        let choices = &mut Choices::new(&list);
        let case = hostile(choices);
        let mut numbers = case.numbers(7);
        spoil(choices, &mut numbers);
        let file = write_file(case.graph(), &float_bytes(&numbers), &[]);
        let Ok(mut machine) = Machine::<F32>::new(case.graph(), Some(&case.training)) else { continue };
        machine.engine().load(file.bytes()).expect("finite numbers are loaded");
        if choices.one_in(2) {
            spoil_state(&mut machine, choices);
        }
        for t in 0..12 {
            let sample = hostile_sample(&case, t);
            let (before, skipped_before) = (machine.learnt(), machine.engine().progress().skipped);
            machine.poison();
            let report =
                machine.engine().train_step(&sample.input, sample.goal.target::<F32>()).expect("a valid sample");
            assert!(finite(&machine), "seed {seed}, step {t}: {report:?} of {case:#?}");
            let progress = machine.engine().progress();
            let skip = report.outcome == Outcome::Skipped;
            assert_eq!(progress.skipped, skipped_before + u32::from(skip), "seed {seed}, step {t}");
            if skip {
                assert_eq!(machine.learnt(), before, "seed {seed}, step {t}: a skipped step changed something");
                assert_eq!(progress.pending, 0);
            }
            skipped += u32::from(skip);
            updated += u32::from(report.outcome == Outcome::Updated);
        }
    }
    // Both ends of the road are walked.
    assert!(skipped > 3000 && updated > 3000, "{skipped} skipped, {updated} updated");
}
