//! Inputs, labels and targets.

use emberlite::executor::Everything;
use emberlite::graph::{Graph, Node};
use emberlite::learner::{Engine, INPUT_LIMIT, LearnError, Status};
use emberlite::loss::{Loss, Target};
use emberlite::number::{F32, Fixed16, Format, Number};
use emberlite::plan::Training;
use emberlite_tests::oracle::Machine;

use crate::{CLASSES, INPUT, INPUTS, nodes, refused, training};

/// A model in the middle of a mini-batch; none of its layers is frozen, so it starts from random numbers.
fn machine<'w, N: Number>(nodes: &'w [Node], training: &'w Training) -> Machine<'w, N> {
    let graph = Graph::new(N::FORMAT, INPUT, nodes);
    let mut machine = Machine::<N>::new(graph, Some(training)).expect("a valid model");
    machine.engine().initialize(1).expect("nothing is frozen");
    let (input, values) = (vec![N::from_f32(0.5, 8); INPUTS], vec![N::default_value(); CLASSES as usize]);
    let target = if training.loss.takes_class() { Target::Class(1) } else { Target::Values(&values) };
    machine.engine().train_step(&input, target).expect("a valid sample");
    machine
}

/// The zero of a format.
trait Zero: Number {
    fn default_value() -> Self::Value;
}
impl<N: Number> Zero for N {
    fn default_value() -> N::Value {
        N::Value::default()
    }
}

fn trainable(format: Format) -> Vec<Node> {
    nodes(format).into_iter().map(|node| Node { update: emberlite::graph::Update::Full, ..node }).collect()
}

/// The same input refused by every way in.
fn every_way<N: Number>(machine: &mut Machine<N>, input: &[N::Value], target: Target<N>, error: LearnError) {
    assert_eq!(refused(machine, |m| m.engine().predict(input).map(<[N::Value]>::to_vec)), error);
    assert_eq!(refused(machine, |m| m.engine().evaluate(input, target)), error);
    assert_eq!(refused(machine, |m| m.engine().train_step(input, target)), error);
}

#[test]
fn inputs_that_are_not_numbers_or_too_large() {
    let (nodes, training) = (trainable(Format::F32), training(Loss::SoftmaxCrossEntropy));
    let mut machine = machine::<F32>(&nodes, &training);
    for index in [0, 5, INPUTS - 1] {
        for (value, error) in [
            (f32::NAN, LearnError::InputNotFinite { index: index as u32 }),
            (-f32::NAN, LearnError::InputNotFinite { index: index as u32 }),
            (f32::INFINITY, LearnError::InputNotFinite { index: index as u32 }),
            (f32::NEG_INFINITY, LearnError::InputNotFinite { index: index as u32 }),
            (INPUT_LIMIT * 1.000_001, LearnError::InputOutOfRange { index: index as u32 }),
            (f32::MIN, LearnError::InputOutOfRange { index: index as u32 }),
        ] {
            let mut input = [0.0; INPUTS];
            input[index] = value;
            every_way(&mut machine, &input, Target::Class(0), error);
        }
    }
    let edge = [INPUT_LIMIT; INPUTS];
    assert!(machine.engine().predict(&edge).is_ok(), "the limit itself is taken");
}

fn lengths<N: Number>() {
    let (nodes, training) = (trainable(N::FORMAT), training(Loss::SoftmaxCrossEntropy));
    let mut machine = machine::<N>(&nodes, &training);
    for got in [0, 1, INPUTS - 1, INPUTS + 1, 1000] {
        let input = vec![N::default_value(); got];
        let error = LearnError::InputLength { needed: INPUTS as u32, got: got as u32 };
        every_way(&mut machine, &input, Target::Class(0), error);
    }
    let input = vec![N::default_value(); INPUTS];
    for label in [CLASSES, CLASSES + 1, u16::MAX] {
        let error = LearnError::Label { classes: CLASSES.into(), got: label.into() };
        assert_eq!(refused(&mut machine, |m| m.engine().evaluate(&input, Target::Class(label))), error);
        assert_eq!(refused(&mut machine, |m| m.engine().train_step(&input, Target::Class(label))), error);
    }
    let values = vec![N::default_value(); CLASSES as usize];
    let error = LearnError::TargetKind;
    assert_eq!(refused(&mut machine, |m| m.engine().evaluate(&input, Target::Values(&values))), error);
    assert_eq!(refused(&mut machine, |m| m.engine().train_step(&input, Target::Values(&values))), error);
}

#[test]
fn wrong_lengths_labels_and_kinds_of_target() {
    lengths::<F32>();
    lengths::<Fixed16>();
}

fn targets<N: Number>() {
    let (nodes, training) = (trainable(N::FORMAT), training(Loss::MeanSquaredError));
    let mut machine = machine::<N>(&nodes, &training);
    let input = vec![N::default_value(); INPUTS];
    for got in [0, 1, CLASSES as usize + 1] {
        let values = vec![N::default_value(); got];
        let error = LearnError::TargetLength { needed: CLASSES.into(), got: got as u32 };
        assert_eq!(refused(&mut machine, |m| m.engine().evaluate(&input, Target::Values(&values))), error);
        assert_eq!(refused(&mut machine, |m| m.engine().train_step(&input, Target::Values(&values))), error);
    }
    let error = LearnError::TargetKind;
    assert_eq!(refused(&mut machine, |m| m.engine().train_step(&input, Target::Class(0))), error);
    if N::FORMAT == Format::F32 {
        for (index, value) in [(0, f32::NAN), (3, f32::INFINITY)] {
            let mut values = vec![N::default_value(); CLASSES as usize];
            values[index] = N::from_f32(value, 0);
            let error = LearnError::TargetNotFinite { index: index as u32 };
            assert_eq!(refused(&mut machine, |m| m.engine().evaluate(&input, Target::Values(&values))), error);
            assert_eq!(refused(&mut machine, |m| m.engine().train_step(&input, Target::Values(&values))), error);
        }
    }
}

#[test]
fn targets_of_wrong_lengths_and_targets_that_are_not_numbers() {
    targets::<F32>();
    targets::<Fixed16>();
}

#[test]
fn a_model_that_is_not_ready_or_not_trainable() {
    let (nodes, training) = (nodes(Format::F32), training(Loss::SoftmaxCrossEntropy));
    let graph = Graph::new(Format::F32, INPUT, &nodes);
    let input = [0.0; INPUTS];
    let mut empty = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
    every_way(&mut empty, &input, Target::Class(0), LearnError::NoParameters);
    // A frozen layer's parameters can only come from a file.
    assert_eq!(refused(&mut empty, |m| m.engine().initialize(1)), LearnError::NoParameters);
    let mut predictor = Machine::<F32>::new(graph, None).expect("a valid model");
    let error = LearnError::NotTrainable;
    assert_eq!(refused(&mut predictor, |m| m.engine().evaluate(&input, Target::Class(0))), error);
    assert_eq!(refused(&mut predictor, |m| m.engine().train_step(&input, Target::Class(0))), error);
}

#[test]
fn an_arena_that_does_not_fit() {
    let (nodes, training) = (nodes(Format::F32), training(Loss::SoftmaxCrossEntropy));
    let graph = Graph::new(Format::F32, INPUT, &nodes);
    let machine = Machine::<F32>::new(graph, Some(&training)).expect("a valid model");
    let words = machine.plan().summary.words as usize;
    let (mut short, mut status) = (vec![0; words - 1], Status::EMPTY);
    let engine = Engine::<F32, Everything>::new(graph, machine.plan(), Some(&training), &mut short, &mut status);
    assert_eq!(engine.map(|_| ()), Err(LearnError::Arena));
    let mut enough = vec![0; words];
    let engine = Engine::<Fixed16, Everything>::new(graph, machine.plan(), Some(&training), &mut enough, &mut status);
    assert_eq!(engine.map(|_| ()), Err(LearnError::Arena), "another number format than the graph's");
}
