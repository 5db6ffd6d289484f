//! A walk through a step that computes nothing: every word of the arena remembers what was written to it last, and
//! whatever an operation reads must still be there. It knows from the operations' formulas what they read, and from the
//! plan only where.
//!
//! It also finds how long each thing is needed; the sum of what is needed at the worst moment is what the plan calls
//! `live_words`.

use std::collections::BTreeMap;

use emberlite::graph::{Graph, Node, Update};
use emberlite::number::Format;
use emberlite::op::{ActivationKind, Op, PoolKind};
use emberlite::plan::{Dx, Place, PlanView, Region, Step, Training};
use emberlite_tests::oracle::Machine;

use crate::case;

/// What a word can hold. Numbers are values: 0 the input, `i + 1` the output of node `i`; or nodes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Thing {
    Value(usize),
    Error(usize),
    Saved(usize),
    Forward(usize),
    Backward(usize),
}

/// How long memory is needed, and how much of it: an owner may pass through several things in place.
struct Life {
    words: u32,
    first: usize,
    last: usize,
}

struct Walk<'a> {
    graph: Graph<'a>,
    plan: PlanView<'a>,
    words: Vec<Option<Thing>>,
    /// By the thing that the memory was first taken for.
    lives: BTreeMap<Thing, Life>,
    /// For which thing a thing's memory was taken.
    owners: BTreeMap<Thing, Thing>,
    moment: usize,
}

impl Walk<'_> {
    fn write(&mut self, thing: Thing, region: Region) {
        self.take_over(thing, thing, region);
    }

    /// `thing` now lies in memory that was taken for `owner`.
    fn take_over(&mut self, thing: Thing, owner: Thing, region: Region) {
        assert!(region.range().end <= self.words.len(), "{thing:?} at {region:?} lies beyond the arena");
        assert!(region.at >= self.plan.summary.persistent_words, "{thing:?} at {region:?} lies on parameters");
        self.words[region.range()].fill(Some(thing));
        self.owners.insert(thing, owner);
        let life = Life { words: region.len, first: self.moment, last: self.moment };
        self.lives.entry(owner).or_insert(life).last = self.moment;
    }

    fn read(&mut self, thing: Thing, region: Region) {
        assert!(region.is_some(), "{thing:?} is needed at moment {} and was given no place", self.moment);
        for (at, held) in region.range().zip(&self.words[region.range()]) {
            assert_eq!(*held, Some(thing), "word {at} at moment {}", self.moment);
        }
        let owner = self.owner(thing);
        self.lives.get_mut(&owner).expect("what was written has a life").last = self.moment;
    }

    fn owner(&self, thing: Thing) -> Thing {
        self.owners[&thing]
    }

    fn read_value(&mut self, value: usize, place: Place) {
        match place {
            Place::Input => assert_eq!(self.root(value), 0, "value {value} isn't the caller's input"),
            Place::Arena(region) => self.read(Thing::Value(self.root(value)), region),
            Place::None => panic!("value {value} is needed and was given no place"),
        }
    }

    /// The value whose numbers these are: flattening changes none.
    fn root(&self, value: usize) -> usize {
        match value.checked_sub(1).map(|i| (&self.graph.nodes[i].op, i)) {
            Some((Op::Flatten, i)) => self.root(self.source(i, 0)),
            _ => value,
        }
    }

    fn source(&self, i: usize, k: usize) -> usize {
        self.graph.nodes[i].inputs[k].value(i)
    }

    fn forward(&mut self, i: usize, step: &Step, training: bool) {
        let node = &self.graph.nodes[i];
        for k in 0..node.op.inputs() {
            self.read_value(self.source(i, k), step.x[k]);
        }
        if let (Op::Flatten, true) = (&node.op, step.in_place) {
            return;
        }
        let Place::Arena(y) = step.y else { panic!("node {i} has no place for its output") };
        assert_eq!(y.len, self.graph.format.words(step.output.elements()), "output of node {i}");
        if step.in_place {
            assert_eq!(Place::Arena(y), step.x[0], "node {i} works in place");
            let owner = self.owner(Thing::Value(self.root(self.source(i, 0))));
            self.take_over(Thing::Value(i + 1), owner, y);
        } else {
            self.write(Thing::Value(i + 1), y);
        }
        if step.scratch_forward.is_some() {
            self.write(Thing::Forward(i), step.scratch_forward);
        }
        if step.saved.is_some() && training {
            self.write(Thing::Saved(i), step.saved);
        }
        // Nothing of this moment may have been written over by another part of it.
        if !step.in_place {
            for k in 0..node.op.inputs() {
                self.read_value(self.source(i, k), step.x[k]);
            }
        }
        self.read(Thing::Value(i + 1), y);
    }

    /// The backward pass of a node whose output's error is known.
    fn backward(&mut self, i: usize, step: &Step) {
        let node = &self.graph.nodes[i];
        let dy = step.errors.dy;
        self.read(Thing::Error(i + 1), dy);
        if step.scratch_backward.is_some() {
            self.write(Thing::Backward(i), step.scratch_backward);
        }
        if let Op::Activation(a) = node.op {
            let rectifies = !matches!(a.kind, ActivationKind::Sigmoid | ActivationKind::Tanh);
            match step.y {
                Place::Arena(y) if step.reads_output => self.read(Thing::Value(i + 1), y),
                _ if rectifies => self.read(Thing::Saved(i), step.saved),
                _ => panic!("node {i} needs its output"),
            }
        }
        let norm_reads = reads_sample(node, step);
        for k in (0..node.op.inputs()).rev() {
            let value = self.source(i, k);
            let error = Thing::Error(value);
            match step.errors.dx[k] {
                Dx::None => continue,
                Dx::Shared => {
                    let owner = self.owner(Thing::Error(i + 1));
                    self.take_over(error, owner, dy);
                    continue;
                }
                Dx::Write(region) => self.write(error, region),
                Dx::Accumulate(region) => self.read(error, region),
            }
            if norm_reads {
                self.read_value(value, step.x[0]);
            }
            if norm_reads || matches!(&node.op, Op::Pool(p) if p.kind == PoolKind::Max) {
                self.read(Thing::Saved(i), step.saved);
            }
        }
        let weight_trained = step.parameters[0].len > 0 && node.update == Update::Full;
        if step.trained && weight_trained {
            self.read_value(self.source(i, 0), step.x[0]);
        }
        if step.trained {
            self.read(Thing::Error(i + 1), dy);
            if norm_reads {
                self.read(Thing::Saved(i), step.saved);
            }
        }
        if step.scratch_backward.is_some() {
            self.read(Thing::Backward(i), step.scratch_backward);
        }
    }

    /// The sum of what is needed at the worst moment.
    fn peak(&self) -> u32 {
        let live = |t: usize| self.lives.values().filter(|l| l.first <= t && t <= l.last).map(|l| l.words).sum();
        (0..=self.moment).map(live).max().unwrap_or(0)
    }
}

/// Whether the backward pass of a norm needs the sample: that of a frozen batch norm doesn't.
fn reads_sample(node: &Node, step: &Step) -> bool {
    matches!(node.op, Op::LayerNorm(_)) || (matches!(node.op, Op::BatchNorm(_)) && step.trained)
}

/// Walks through a prediction or a training step; returns the words needed at the worst moment.
fn walk(graph: Graph, plan: PlanView, training: Option<&Training>) -> u32 {
    let words = vec![None; plan.summary.words as usize];
    let mut walk = Walk { graph, plan, words, lives: BTreeMap::new(), owners: BTreeMap::new(), moment: 0 };
    for (i, step) in plan.steps.iter().enumerate() {
        walk.moment = i;
        walk.forward(i, step, training.is_some());
    }
    let n = plan.steps.len();
    walk.moment = n;
    walk.read_value(n, plan.summary.output);
    if training.is_some() {
        walk.write(Thing::Error(n), plan.summary.output_error);
        walk.read_value(n, plan.summary.output);
        for (i, step) in plan.steps.iter().enumerate().rev() {
            walk.moment = 2 * n - i;
            if step.errors.dy.is_some() {
                walk.backward(i, step);
            }
        }
        // Batch norms learn the sample's statistics at the very end.
        for (i, (node, step)) in graph.nodes.iter().zip(plan.steps).enumerate() {
            if let (Op::BatchNorm(_), true) = (&node.op, step.trained) {
                walk.read(Thing::Saved(i), step.saved);
            }
        }
    }
    walk.peak()
}

#[test]
fn whatever_is_read_is_still_there_and_nothing_stays_longer() {
    for seed in 0..6000 {
        let format = [Format::F32, Format::Fixed16][seed as usize % 2];
        let case = case(seed, format);
        for training in [Some(&case.training), None] {
            let needed = std::panic::catch_unwind(|| match format {
                Format::F32 => of::<emberlite::number::F32>(case.graph(), training),
                Format::Fixed16 => of::<emberlite::number::Fixed16>(case.graph(), training),
            });
            let (needed, planned) = needed.unwrap_or_else(|_| panic!("seed {seed}: {case:#?}"));
            assert_eq!(needed, planned, "seed {seed}: words needed at once, and live ones in the plan of {case:#?}");
        }
    }
}

/// The words needed at the worst moment, and those that the plan calls live then.
fn of<N: emberlite::number::Number>(graph: Graph, training: Option<&Training>) -> (u32, u32) {
    let machine = Machine::<N>::new(graph, training).expect("a valid case");
    let plan = machine.plan();
    (walk(graph, plan, training), plan.summary.live_words - plan.summary.persistent_words)
}
