//! Files.

use emberlite::graph::{Graph, Node, conv1d, flatten, linear, relu};
use emberlite::image::{DType, Entry, Header, Image, ImageError, Kind, MODEL, Profile, Writer};
use emberlite::learner::{LoadError, Outcome, SelfCheckError};
use emberlite::loss::{Loss, Target};
use emberlite::number::random::Key;
use emberlite::number::{F32, Fixed16, Format, Number};
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use emberlite_tests::oracle::{
    Choices, File, Machine, Numbers, Out, fixed_bytes, float_bytes, generate, parameter_lens, write_file,
};

use crate::{CLASSES, INPUT, INPUTS, nodes, refused, training};

/// Small positive numbers for every parameter.
fn numbers(graph: &Graph) -> Numbers<f32> {
    let of = |lens: [usize; 4]| [0, 1, 2, 3].map(|k| (0..lens[k]).map(|j| 0.1 + (j % 7) as f32 / 8.0).collect());
    parameter_lens(graph).into_iter().map(of).collect()
}

/// The tensors of `good` after `change`, in a sealed file for `graph`.
fn rewritten(good: &[u8], graph: Graph, change: impl Fn(&mut Vec<Owned>)) -> File {
    let image = Image::open(good).expect("a good file");
    let owned = |(name, t): (emberlite::image::Name, emberlite::image::Tensor)| Owned {
        node: name.node,
        kind: name.kind,
        dtype: t.dtype,
        dims: t.dims().to_vec(),
        bytes: t.bytes.to_vec(),
    };
    let mut tensors: Vec<Owned> = image.tensors().filter(|(name, _)| name.kind != Kind::Graph).map(owned).collect();
    change(&mut tensors);
    let entry = |t: &'_ Owned| (t.node, t.kind, t.dtype);
    let parts: Vec<_> = tensors.iter().map(entry).collect();
    let entries: Vec<Entry> = parts
        .into_iter()
        .zip(&tensors)
        .map(|((node, kind, dtype), t)| Entry { node, kind, dtype, dims: &t.dims, frac: 0, bytes: &t.bytes })
        .collect();
    let mut out = Out::default();
    let Ok(()) = Writer::new(Header::new(graph), &entries).expect("a file").write(&mut out);
    File::new(&out.0)
}

/// A tensor to be changed.
struct Owned {
    node: u8,
    kind: Kind,
    dtype: DType,
    dims: Vec<u32>,
    bytes: Vec<u8>,
}

/// Changes one tensor.
fn with(node: u8, kind: Kind, change: impl Fn(&mut Owned)) -> impl Fn(&mut Vec<Owned>) {
    move |tensors| {
        change(tensors.iter_mut().find(|t| (t.node, t.kind) == (node, kind)).expect("the file has this tensor"))
    }
}

/// Overwrites the f32 number `index`.
fn number(index: usize, value: f32) -> impl Fn(&mut Owned) {
    move |t| t.bytes[4 * index..4 * index + 4].copy_from_slice(&value.to_le_bytes())
}

/// A good file and bad ones; the first is loaded and trained on, each of the others refused, and training goes on.
fn all_refused<'w>(graph: Graph<'w>, training: &'w Training, good: &'w File, bad: &[(&'w [u8], Option<LoadError>)]) {
    let mut machine = Machine::<F32>::new(graph, Some(training)).expect("a valid model");
    machine.engine().load(good.bytes()).expect("a valid file");
    let input: Vec<f32> = (0..INPUTS).map(|j| j as f32 / 8.0).collect();
    // Three samples at batch 2: in the middle of a mini-batch.
    for label in 0..3 {
        machine.engine().train_step(&input, Target::Class(label)).expect("a valid sample");
    }
    for (i, (bytes, expected)) in bad.iter().enumerate() {
        let error = refused(&mut machine, |m| m.engine().load(bytes));
        if let Some(expected) = expected {
            assert_eq!(error, *expected, "file {i}");
        }
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(machine.engine().predict(&input).expect("finite").len(), CLASSES as usize);
    machine.engine().train_step(&input, Target::Class(3)).expect("a valid sample");
    assert_eq!(machine.engine().progress().updates, 2, "the mini-batch of before was finished");
}

#[test]
fn tensors_that_do_not_fit_the_model() {
    let (nodes, training) = (nodes(Format::F32), training(Loss::SoftmaxCrossEntropy));
    let graph = Graph::new(Format::F32, INPUT, &nodes);
    let good = write_file(graph, &float_bytes(&numbers(&graph)), &[]);
    let state = |tensors: &mut Vec<Owned>, value: f32| {
        let bytes = value.to_le_bytes().repeat(usize::from(CLASSES));
        let dims = vec![CLASSES.into()];
        tensors.push(Owned { node: 4, kind: Kind::BiasState1, dtype: DType::F32, dims, bytes });
    };
    let (weight, bias, variance) = (Kind::Weight, Kind::Bias, Kind::RunningVariance);
    let not_finite = |node, kind| LoadError::NotFinite { node, kind };
    let bad: Vec<(File, LoadError)> = [
        // Frozen parameters stay in the file, and are checked all the same.
        (rewritten(good.bytes(), graph, with(0, weight, number(7, f32::NAN))), not_finite(0, weight)),
        (rewritten(good.bytes(), graph, with(4, bias, number(3, f32::INFINITY))), not_finite(4, bias)),
        (rewritten(good.bytes(), graph, with(1, variance, number(0, f32::NAN))), not_finite(1, variance)),
        (rewritten(good.bytes(), graph, with(1, variance, number(2, -1e-9))), LoadError::NegativeVariance { node: 1 }),
        (rewritten(good.bytes(), graph, |t| state(t, f32::NEG_INFINITY)), not_finite(4, Kind::BiasState1)),
        (
            rewritten(good.bytes(), graph, |t| state(t, -1e-30)),
            LoadError::NegativeSquares { node: 4, kind: Kind::BiasState1 },
        ),
        (
            rewritten(good.bytes(), graph, |t| t.retain(|t| (t.node, t.kind) != (4, bias))),
            LoadError::Missing { node: 4, kind: bias },
        ),
        (
            rewritten(
                good.bytes(),
                graph,
                with(4, bias, |t| {
                    t.bytes.truncate(12);
                    t.dims = vec![3];
                }),
            ),
            LoadError::Length { node: 4, kind: bias, needed: 4, got: 3 },
        ),
        // As many bytes, of another type.
        (
            rewritten(good.bytes(), graph, with(4, bias, |t| t.dtype = DType::I32)),
            LoadError::Length { node: 4, kind: bias, needed: 4, got: 0 },
        ),
        (
            rewritten(good.bytes(), graph, |tensors| {
                let (kind, dtype, dims) = (Kind::Normalisation, DType::F32, vec![2, 2]);
                tensors.push(Owned { node: MODEL, kind, dtype, dims, bytes: vec![0; 16] });
            }),
            LoadError::Length { node: MODEL, kind: Kind::Normalisation, needed: 6, got: 4 },
        ),
    ]
    .into();
    let bad: Vec<_> = bad.iter().map(|(file, error)| (file.bytes(), Some(*error))).collect();
    all_refused(graph, &training, &good, &bad);
}

#[test]
fn a_self_check_compares_every_bit() {
    let (nodes, training) = (nodes(Format::F32), training(Loss::SoftmaxCrossEntropy).batch(1));
    let graph = Graph::new(Format::F32, INPUT, &nodes);
    let first = write_file(graph, &float_bytes(&numbers(&graph)), &[]);
    let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
    machine.engine().load(first.bytes()).expect("a valid file");
    let missing = SelfCheckError::Missing { kind: Kind::GoldenInput };
    assert_eq!(refused(&mut machine, |m| m.engine().self_check()), missing);
    let input: Vec<f32> = (0..INPUTS).map(|j| j as f32 / 8.0).collect();
    let output = machine.engine().predict(&input).expect("finite").to_vec();
    let with = |output: &[f32]| {
        rewritten(first.bytes(), graph, |tensors| {
            for (kind, values) in [(Kind::GoldenInput, &input[..]), (Kind::GoldenOutput, output)] {
                let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                tensors.push(Owned { node: MODEL, kind, dtype: DType::F32, dims: vec![values.len() as u32], bytes });
            }
        })
    };
    let mut other = output.clone();
    other[2] = f32::from_bits(other[2].to_bits() ^ 1);
    let (good, bad, short) = (with(&output), with(&other), with(&output[1..]));
    let check = |file: &File| {
        let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
        machine.engine().load(file.bytes()).expect("a valid file");
        machine.engine().self_check()
    };
    assert_eq!(check(&good), Ok(()));
    assert_eq!(check(&bad), Err(SelfCheckError::Differs { index: 2 }));
    let (needed, got) = (output.len() as u32, output.len() as u32 - 1);
    assert_eq!(check(&short), Err(SelfCheckError::Length { needed, got }));
    let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
    machine.engine().load(good.bytes()).expect("a valid file");
    machine.engine().train_step(&input, Target::Class(1)).expect("a valid sample");
    assert_eq!(machine.engine().self_check(), Err(SelfCheckError::Learnt { updates: 1 }));
}

#[test]
fn state_of_another_optimizer() {
    let nodes = nodes(Format::F32);
    let graph = Graph::new(Format::F32, INPUT, &nodes);
    let first = write_file(graph, &float_bytes(&numbers(&graph)), &[]);
    let input: Vec<f32> = (0..INPUTS).map(|j| j as f32 / 8.0).collect();
    let optimizers = [
        Optimizer::sgd(0.01),
        Optimizer::momentum(0.01, 0.9),
        Optimizer::nesterov(0.01, 0.9),
        Optimizer::rms_prop(0.01),
        Optimizer::ada_grad(0.01),
        Optimizer::adam(0.01),
        Optimizer::adam_w(0.01),
    ];
    let [mut refusals, mut negative] = [0; 2];
    for from in optimizers {
        let training = Training::new(Loss::SoftmaxCrossEntropy, from);
        let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
        machine.engine().load(first.bytes()).expect("a first file has no state");
        for label in 0..4 {
            machine.engine().train_step(&input, Target::Class(label)).expect("a valid sample");
        }
        let mut out = Out::default();
        machine.engine().save::<_, 64>(1, Profile::Raw, &mut out).expect("a learner at rest");
        let saved = File::new(&out.0);
        // As an older version would have saved it.
        let silent = rewritten(saved.bytes(), graph, |_| {});
        for to in optimizers {
            let training = Training::new(Loss::SoftmaxCrossEntropy, to);
            let mut machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
            let (needed, got) = (to.kind(), from.kind());
            let stateless = to.state_slots() == 0 || from.state_slots() == 0;
            let expected = if stateless || needed.shares_state_with(got) {
                Ok(())
            } else {
                refusals += 1;
                Err(LoadError::OtherOptimizer { needed, got })
            };
            assert_eq!(machine.engine().load(saved.bytes()), expected, "{} to {}", from.name(), to.name());
            match machine.engine().load(silent.bytes()) {
                Ok(()) => {}
                Err(LoadError::NegativeSquares { .. }) => negative += 1,
                Err(e) => panic!("{}: {e}", from.name()),
            }
            // Whatever was loaded can be learnt from.
            if machine.engine().predict(&input).is_ok() {
                let report = machine.engine().train_step(&input, Target::Class(1)).expect("a valid sample");
                assert_eq!(report.outcome, Outcome::Updated, "{} to {}", from.name(), to.name());
            }
        }
    }
    assert!(refusals == 26 && negative > 0, "{refusals} refused, {negative} by negative squares");
}

#[test]
fn files_of_other_models_damaged_files_and_misplaced_ones() {
    let (nodes, training) = (nodes(Format::F32), training(Loss::SoftmaxCrossEntropy));
    let graph = Graph::new(Format::F32, INPUT, &nodes);
    let good = write_file(graph, &float_bytes(&numbers(&graph)), &[]);
    // One more output, another kernel, another number format.
    let mut others = Vec::new();
    let other: [&[Node]; 3] = [
        &[conv1d(4, 2).frozen(), nodes[1], relu(), flatten(), linear(5)],
        &[conv1d(4, 3).frozen(), nodes[1], relu(), flatten(), linear(4)],
        &nodes[..4],
    ];
    for nodes in other {
        let graph = Graph::new(Format::F32, INPUT, nodes);
        others.push(write_file(graph, &float_bytes(&numbers(&graph)), &[]));
    }
    let fixed = crate::nodes(Format::Fixed16);
    let fixed = Graph::new(Format::Fixed16, INPUT, &fixed);
    let lens = parameter_lens(&fixed);
    let ones = lens.iter().map(|lens| lens.map(|len| vec![1; len])).collect();
    others.push(write_file(fixed, &fixed_bytes(&ones), &[[8; 4]; 6]));
    for file in &others {
        let image = Image::open(file.bytes()).expect("good files, of other models");
        assert!(image.check_layout(emberlite::graph::layout_hash(&graph)).is_err());
    }
    let mut bad: Vec<(&[u8], Option<LoadError>)> = others.iter().map(|file| (file.bytes(), None)).collect();
    // Cut off anywhere, and followed by something.
    let bytes = good.bytes();
    let cut = (0..bytes.len()).filter(|n| *n < 80 || *n % 37 == 0 || *n > bytes.len() - 20);
    bad.extend(cut.map(|n| (&bytes[..n], None)));
    let mut longer = bytes.to_vec();
    longer.push(0);
    let longer = File::new(&longer);
    let length = ImageError::Length { needed: bytes.len() as u64, got: bytes.len() as u64 + 1 };
    bad.push((longer.bytes(), Some(LoadError::Image(length))));
    // One bit wrong anywhere.
    let flipped = |at: usize| {
        let mut file = File::new(bytes);
        file.bytes_mut()[at] ^= 1 << (at % 8);
        file
    };
    let damaged: Vec<File> = (0..bytes.len()).filter(|at| at % 5 == 0).map(flipped).collect();
    bad.extend(damaged.iter().map(|file| (file.bytes(), None)));
    // The right file where its numbers can't be used.
    let mut shifted = [1usize, 2, 3].map(|by| (by, vec![0; by]));
    for (by, prefix) in &mut shifted {
        prefix.extend_from_slice(bytes);
        let file = File::new(prefix);
        assert_eq!(file.bytes()[*by..].as_ptr().addr() % 4, *by);
        bad.push((leak(file, *by), Some(LoadError::Misaligned)));
    }
    all_refused(graph, &training, &good, &bad);
}

/// Bytes from `by` on, for the rest of the test.
fn leak(file: File, by: usize) -> &'static [u8] {
    &Box::leak(Box::new(file)).bytes()[by..]
}

#[test]
fn any_scales_of_a_fixed_point_file_are_survived() {
    for seed in 0..400 {
        let key = Key::new(seed, 51, 0);
        let decisions: Vec<u32> = (0..60).map(|i| key.at(i) % 5040).collect();
        let case = generate(&mut Choices::new(&decisions), Format::Fixed16);
        let scales: Vec<[i8; 4]> =
            (0..=case.nodes.len() as u32).map(|v| Key::new(seed, 52, v).at(0).to_le_bytes().map(|b| b as i8)).collect();
        let numbers = case.numbers(7).into_iter();
        let numbers = numbers.map(|p| p.map(|v| v.iter().map(|&v| Fixed16::from_f32(v, 15)).collect())).collect();
        let file = write_file(case.graph(), &fixed_bytes(&numbers), &scales);
        let mut machine = Machine::<Fixed16>::new(case.graph(), Some(&case.training)).expect("a valid case");
        machine.engine().load(file.bytes()).expect("scales are any bytes");
        for t in 0..4 {
            let sample = case.sample(9, t);
            let input: Vec<i16> = sample.input.iter().map(|&x| Fixed16::from_f32(x, 15)).collect();
            let goal = sample.goal.map(|&t| Fixed16::from_f32(t, 15));
            machine.engine().predict(&input).expect("integers are finite");
            machine.engine().train_step(&input, goal.target::<Fixed16>()).expect("a valid sample");
        }
    }
}

#[test]
fn a_fixed_point_file_without_scales() {
    let nodes = nodes(Format::Fixed16);
    let graph = Graph::new(Format::Fixed16, INPUT, &nodes);
    let training = training(Loss::SoftmaxCrossEntropy);
    let ones: Numbers<i16> = parameter_lens(&graph).iter().map(|lens| lens.map(|len| vec![1; len])).collect();
    let good = write_file(graph, &fixed_bytes(&ones), &[[8; 4]; 6]);
    let bad = [write_file(graph, &fixed_bytes(&ones), &[]), write_file(graph, &fixed_bytes(&ones), &[[8; 4]; 5])];
    let mut machine = Machine::<Fixed16>::new(graph, Some(&training)).expect("a valid model");
    machine.engine().load(good.bytes()).expect("a valid file");
    let kind = Kind::Scales;
    let error = refused(&mut machine, |m| m.engine().load(bad[0].bytes()));
    assert_eq!(error, LoadError::Missing { node: MODEL, kind });
    let error = refused(&mut machine, |m| m.engine().load(bad[1].bytes()));
    assert_eq!(error, LoadError::Length { node: MODEL, kind, needed: 24, got: 20 });
}
