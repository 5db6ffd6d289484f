//! What learning may change and what not, and that it goes on where it was saved, to the last bit.

use emberlite::graph::Update;
use emberlite::image::{Image, Kind, Profile};
use emberlite::learner::{Outcome, SaveError, saved_len};
use emberlite::number::random::Key;
use emberlite::number::{F32, Fixed16, Format, Number};
use emberlite_tests::oracle::{
    Case, Choices, File, Goal, Machine, NODES, Out, Sample, fixed_bytes, float_bytes, generate, write_file,
};

/// Random case number `seed`.
fn case(seed: u32, format: Format) -> Case {
    let key = Key::new(seed, 41, 0);
    let decisions: Vec<u32> = (0..20 + key.at(1000) % 80).map(|i| key.at(i) % 5040).collect();
    generate(&mut Choices::new(&decisions), format)
}

/// What a format's tests need besides.
trait Numbers: Number {
    fn file(case: &Case) -> File;
    fn sample(case: &Case, index: u32) -> Sample<Self::Value>;
}

impl Numbers for F32 {
    fn file(case: &Case) -> File {
        write_file(case.graph(), &float_bytes(&case.numbers(7)), &[])
    }
    /// Now and then one so large that steps are skipped.
    fn sample(case: &Case, index: u32) -> Sample<f32> {
        let mut sample = case.sample(9, index);
        if index % 5 == 2 {
            sample.input.iter_mut().for_each(|x| *x *= 5e5);
        }
        sample
    }
}

impl Numbers for Fixed16 {
    fn file(case: &Case) -> File {
        let numbers =
            case.numbers(7).into_iter().map(|p| p.map(|v| v.iter().map(|&v| Self::from_f32(v, 12)).collect()));
        write_file(case.graph(), &fixed_bytes(&numbers.collect()), &case.scales(5))
    }
    fn sample(case: &Case, index: u32) -> Sample<i16> {
        let sample = case.sample(9, index);
        let goal: Goal<i16> = sample.goal.map(|&t| Self::from_f32(t, 10));
        Sample { input: sample.input.iter().map(|&x| Self::from_f32(x, 10)).collect(), goal }
    }
}

fn save<N: Number>(machine: &mut Machine<N>, profile: Profile) -> Result<File, SaveError<std::convert::Infallible>> {
    let mut out = Out::default();
    machine.engine().save::<_, { saved_len(NODES) }>(3, profile, &mut out)?;
    Ok(File::new(&out.0))
}

/// Trains on samples `from..to`; the outcomes.
fn train<N: Numbers>(machine: &mut Machine<N>, case: &Case, from: u32, to: u32) -> Vec<Outcome> {
    let step = |t| {
        let sample = N::sample(case, t);
        machine.poison();
        machine.engine().train_step(&sample.input, sample.goal.target::<N>()).expect("a valid sample").outcome
    };
    (from..to).map(step).collect()
}

fn only_what_may_change_changes<N: Numbers>(seed: u32) -> [bool; 2] {
    let case = case(seed, N::FORMAT);
    let file = N::file(&case);
    let mut machine = Machine::<N>::new(case.graph(), Some(&case.training)).expect("a valid case");
    machine.engine().load(file.bytes()).expect("a valid file");
    let mut from = 0;
    while machine.engine().progress().updates < 2 && from < 40 {
        train(&mut machine, &case, from, from + 1);
        from += 1;
    }
    if machine.engine().progress().pending > 0 {
        return [false; 2];
    }
    let saved = save(&mut machine, Profile::Safetensors).expect("an update has just been made");
    let (before, after) = (Image::open(file.bytes()).expect("valid"), Image::open(saved.bytes()).expect("valid"));
    let mut changed = [false; 2];
    for (i, node) in case.nodes.iter().enumerate() {
        for (k, kind) in [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance].into_iter().enumerate() {
            let [before, after] = [&before, &after].map(|image| image.tensor(i as u8, kind).map(|t| t.bytes));
            let same = before == after;
            let may = match node.update {
                Update::Frozen => false,
                Update::BiasOnly => k > 0,
                Update::Full => true,
            };
            assert!(same || may, "seed {seed}: {kind:?} of node {i} ({:?}) changed", node.update);
            if k < 2 {
                changed[k] |= !same;
            }
        }
    }
    changed
}

#[test]
fn frozen_layer_keeps_its_bits_and_bias_only_changes_biases_only() {
    let mut changed = [0, 0];
    for seed in 0..300 {
        for of_format in [only_what_may_change_changes::<F32>(seed), only_what_may_change_changes::<Fixed16>(seed)] {
            changed[0] += usize::from(of_format[0]);
            changed[1] += usize::from(of_format[1]);
        }
    }
    assert!(changed[0] > 300 && changed[1] > 300, "weights, biases changed in {changed:?} of 600 models");
}

fn resumes<N: Numbers>(seed: u32) -> [u32; 2] {
    let case = case(seed, N::FORMAT);
    let file = N::file(&case);
    let mut whole = Machine::<N>::new(case.graph(), Some(&case.training)).expect("a valid case");
    whole.engine().load(file.bytes()).expect("a valid file");
    let mut skipped = 0;
    let mut at = 0;
    for stop in [4, 9] {
        // On to the next full batch.
        while at < stop || whole.engine().progress().pending > 0 {
            if whole.engine().progress().pending > 0 {
                let pending = whole.engine().progress().pending;
                let refused = save(&mut whole, Profile::Raw).map(|_| ());
                assert_eq!(refused, Err(SaveError::MidBatch { pending }));
            }
            skipped += u32::from(train(&mut whole, &case, at, at + 1) == [Outcome::Skipped]);
            at += 1;
            assert!(at < 100, "seed {seed}: no batch is ever full");
        }
        for profile in [Profile::Safetensors, Profile::Raw] {
            let saved = save(&mut whole, profile).expect("no mini-batch is unfinished");
            let mut parted = Machine::<N>::new(case.graph(), Some(&case.training)).expect("a valid case");
            parted.engine().load(saved.bytes()).expect("what was saved loads");
            assert_eq!(parted.learnt(), whole.learnt(), "seed {seed}: what was loaded is what was saved");
            let again = save(&mut parted, profile).expect("nothing pending");
            assert_eq!(again.bytes(), saved.bytes(), "seed {seed}: saving what was loaded gives the same file");
            let mut uninterrupted = Machine::<N>::new(case.graph(), Some(&case.training)).expect("a valid case");
            uninterrupted.arena.clone_from(&whole.arena);
            uninterrupted.status = whole.status;
            let [one, other] = [&mut uninterrupted, &mut parted].map(|m| train(m, &case, at, at + 6));
            assert_eq!(one, other, "seed {seed}: outcomes after {at} samples");
            assert_eq!(parted.learnt(), uninterrupted.learnt(), "seed {seed}: six samples after {at}");
        }
    }
    [skipped, whole.engine().progress().updates]
}

#[test]
fn saved_and_loaded_it_learns_on_bit_for_bit() {
    let [mut skipped, mut updates] = [0; 2];
    for seed in 0..300 {
        for [s, u] in [resumes::<F32>(seed), resumes::<Fixed16>(seed)] {
            skipped += s;
            updates += u;
        }
    }
    assert!(skipped > 10 && updates > 2000, "{skipped} skipped, {updates} updates");
}

/// A sample whose loss overflows is skipped; without it everything goes on just the same, dropout's masks too.
#[test]
fn a_skipped_sample_leaves_no_trace() {
    use emberlite::graph::{Graph, Shape, dropout, linear, relu};
    use emberlite::{loss::Loss, loss::Target, optimizer::Optimizer, plan::Training};
    let nodes = [linear(8), relu(), dropout(0.5), linear(2)];
    let graph = Graph::new(Format::F32, Shape::d1(3), &nodes);
    for batch in [1, 3] {
        let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.01)).batch(batch);
        let run = |bad_at: Option<u32>| {
            let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
            machine.engine().initialize(1).expect("nothing is frozen");
            for t in 0..12 {
                if bad_at == Some(t) {
                    let report = machine.engine().train_step(&[1.0; 3], Target::Values(&[3e38, 0.0]));
                    assert_eq!(report.map(|r| r.outcome), Ok(Outcome::Skipped));
                }
                let x = [0.1, 0.2, 0.3].map(|x| x * t as f32);
                machine.engine().train_step(&x, Target::Values(&[0.5, -0.5])).expect("a valid sample");
            }
            (machine.learnt(), machine.engine().progress().samples)
        };
        // At the start of a mini-batch; in the middle of one that batch would be lost.
        assert_eq!(run(Some(6)), run(None), "batch {batch}");
    }
}

/// A mini-batch is all or nothing, running statistics too: at whatever sample it is skipped, all is as before its first.
#[test]
fn a_skipped_mini_batch_leaves_no_trace() {
    use emberlite::graph::{Graph, Shape, batch_norm, conv1d, flatten, linear, relu};
    use emberlite::{loss::Loss, loss::Target, optimizer::Optimizer, plan::Training};
    let nodes = [conv1d(3, 3), batch_norm(), relu(), conv1d(2, 2), batch_norm(), flatten(), linear(2)];
    let graph = Graph::new(Format::F32, Shape::d2(2, 8), &nodes);
    let training = Training::new(Loss::MeanSquaredError, Optimizer::adam(0.01)).batch(3);
    let sample = |t: u32| -> Vec<f32> { (0..16).map(|j| Key::new(5, t, 0).uniform(j) * 4.0 - 2.0).collect() };
    let good = Target::Values(&[0.5, -0.5]);
    let run = |bad_at: Option<u32>| {
        let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
        machine.engine().initialize(1).expect("nothing is frozen");
        let mut t = 0;
        while machine.engine().progress().updates < 2 {
            machine.poison();
            machine.engine().train_step(&sample(t), good).expect("a valid sample");
            t += 1;
        }
        let before = machine.learnt();
        if let Some(bad_at) = bad_at {
            for t in 100..100 + bad_at {
                let report = machine.engine().train_step(&sample(t), good).expect("a valid sample");
                assert_eq!(report.outcome, Outcome::Accumulated);
                assert_eq!(machine.learnt(), before, "an unfinished mini-batch has changed nothing yet");
            }
            let report = machine.engine().train_step(&sample(99), Target::Values(&[3e38, 0.0]));
            assert_eq!(report.map(|r| r.outcome), Ok(Outcome::Skipped));
            assert_eq!(machine.learnt(), before, "skipped at sample {bad_at} of 3");
        }
        for t in 6..12 {
            machine.poison();
            machine.engine().train_step(&sample(t), good).expect("a valid sample");
        }
        assert_ne!(machine.learnt(), before);
        machine.learnt()
    };
    let never = run(None);
    for bad_at in 0..3 {
        assert_eq!(run(Some(bad_at)), never, "skipped at sample {bad_at} of 3");
    }
}
