//! Update rules: what is frozen keeps its bits and takes no memory, what is trained gets exactly the gradient it gets
//! when everything is trained. On the exact network, so the tolerance is zero.

use super::machine::{Loaded, Machine};
use super::slopes::{Sizes, exact_network, exact_sample, exact_tensors};
use emberlite::graph::{Node, Update};
use emberlite::image::Kind;
use emberlite::loss::{Loss, Target};
use emberlite::optimizer::{Clip, Optimizer};
use emberlite::plan::Training;

const RATE: f32 = 1.0 / 16.0;
const RULES: [Update; 3] = [Update::Full, Update::BiasOnly, Update::Frozen];

fn trains(update: Update, kind: Kind) -> bool {
    match update {
        Update::Full => true,
        Update::BiasOnly => kind == Kind::Bias,
        Update::Frozen => false,
    }
}

/// The rule of a layer in one of the 81 combinations over four layers.
fn rule_of(combination: usize, layer: usize) -> Update {
    RULES[combination / [1, 3, 9, 27][layer] % 3]
}

fn with_rules(plain: &[Node], sizes: Sizes, combination: usize) -> Vec<Node> {
    let mut nodes = plain.to_vec();
    for (layer, (node, ..)) in sizes.iter().enumerate() {
        nodes[usize::from(*node)].update = rule_of(combination, layer);
    }
    nodes
}

/// The machine's parameters: those it trains from its memory, the others as they were loaded.
fn parameters(machine: &Machine, tensors: &[Loaded]) -> Vec<Vec<f32>> {
    let of = |(node, kind, loaded): &Loaded| match machine.trained(*node, *kind) {
        trained if trained.is_empty() => loaded.clone(),
        trained => trained,
    };
    tensors.iter().map(of).collect()
}

/// Every combination of rules over the four layers, two steps each (the second from other weights), with the fused
/// update, with a mini-batch and with clipping. In the second step sums may round, but in both machines alike.
#[test]
fn every_combination_of_update_rules_is_right() {
    let (input, plain, sizes) = exact_network();
    let sgd = Training::new(Loss::MeanSquaredError, Optimizer::sgd(RATE));
    let (mut trained, mut kept) = (0, 0);
    for settings in [sgd, sgd.batch(2), sgd.clip(Clip::GlobalNorm(1.0e6))] {
        for combination in 0..81usize {
            let rule = |layer: usize| rule_of(combination, layer);
            let nodes = with_rules(&plain, sizes, combination);
            if (0..4).all(|layer| rule(layer) == Update::Frozen) {
                continue; // nothing to train: the planner says so
            }
            let start = exact_tensors(sizes, 5);
            let mut machine = Machine::new(input, &nodes, settings, &start);
            // What each step must do comes from a machine that trains everything, started from the same weights.
            let mut expected = start.clone();
            for step in 0..2 {
                let mut full = Machine::new(input, &plain, settings, &expected);
                for sample in 0..settings.batch {
                    let (x, t) = exact_sample(input.elements(), 4, 100 * step + sample);
                    machine.train(&x, Target::Values(&t));
                    full.train(&x, Target::Values(&t));
                }
                let all = parameters(&full, &start);
                for ((index, tensor), all) in expected.iter_mut().enumerate().zip(all) {
                    if trains(rule(index / 2), tensor.1) {
                        tensor.2 = all;
                    }
                }
                for ((index, (node, kind, want)), got) in expected.iter().enumerate().zip(parameters(&machine, &start))
                {
                    assert_eq!(&got, want, "rules {combination}, step {step}, node {node} {kind:?}");
                    let in_memory = !machine.trained(*node, *kind).is_empty();
                    assert_eq!(
                        in_memory,
                        trains(rule(index / 2), *kind),
                        "rules {combination}, node {node} {kind:?} in memory"
                    );
                    if in_memory { trained += 1 } else { kept += 1 }
                }
            }
            // The frozen parameters are the ones it predicts with.
            let (x, _) = exact_sample(input.elements(), 4, 7);
            assert_eq!(machine.predict(&x), Machine::new(input, &plain, settings, &expected).predict(&x));
        }
    }
    assert_eq!(trained + kept, 3 * 80 * 2 * 8);
    assert!(trained > 1000 && kept > 1000, "{trained} trained, {kept} kept");
}

/// The step of a mini-batch is that of the mean of its samples' gradients; with powers of two nothing is rounded.
#[test]
fn a_mini_batch_steps_by_the_mean_gradient() {
    let (input, nodes, sizes) = exact_network();
    let start = exact_tensors(sizes, 6);
    let one = Training::new(Loss::MeanSquaredError, Optimizer::sgd(RATE));
    let samples: Vec<_> = (0..4).map(|seed| exact_sample(input.elements(), 4, seed)).collect();
    let mut batched = Machine::new(input, &nodes, one.batch(4), &start);
    let mut mean: Vec<Vec<f32>> = start.iter().map(|(_, _, values)| vec![0.0; values.len()]).collect();
    for (x, t) in &samples {
        batched.train(x, Target::Values(t));
        let mut single = Machine::new(input, &nodes, one, &start);
        single.train(x, Target::Values(t));
        for ((mean, after), (_, _, before)) in mean.iter_mut().zip(parameters(&single, &start)).zip(&start) {
            for ((mean, after), before) in mean.iter_mut().zip(after).zip(before) {
                *mean += (after - before) / 4.0;
            }
        }
    }
    for ((got, mean), (node, kind, before)) in parameters(&batched, &start).iter().zip(&mean).zip(&start) {
        let want: Vec<f32> = before.iter().zip(mean).map(|(w, step)| w + step).collect();
        assert_eq!(got, &want, "node {node} {kind:?}");
    }
}

/// With a learning rate of 0 the weights stay and every step has the gradients that it has when everything is trained;
/// so must the optimizer's state be, bit for bit, after several steps, and of what isn't trained there is none.
#[test]
fn optimizer_state_is_right_under_every_combination_of_update_rules() {
    let (input, plain, sizes) = exact_network();
    let start = exact_tensors(sizes, 8);
    for optimizer in [Optimizer::adam(0.0), Optimizer::momentum(0.0, 0.75)] {
        let settings = Training::new(Loss::MeanSquaredError, optimizer);
        let run = |nodes: &[Node]| {
            let mut machine = Machine::new(input, nodes, settings, &start);
            for seed in 0..3 {
                let (x, t) = exact_sample(input.elements(), 4, seed);
                machine.train(&x, Target::Values(&t));
            }
            assert_eq!(
                parameters(&machine, &start),
                start.iter().map(|(_, _, values)| values.clone()).collect::<Vec<_>>()
            );
            machine
        };
        let full = run(&plain);
        for combination in 0..80 {
            let machine = run(&with_rules(&plain, sizes, combination));
            for (index, (node, kind, _)) in start.iter().enumerate() {
                let want = match trains(rule_of(combination, index / 2), *kind) {
                    true => full.state(*node, *kind),
                    false => [Vec::new(), Vec::new()],
                };
                assert_eq!(
                    machine.state(*node, *kind),
                    want,
                    "{optimizer:?}, rules {combination}, node {node} {kind:?}"
                );
            }
        }
        let used = full.state(0, Kind::Weight)[0].iter().filter(|m| **m != 0.0).count();
        assert!(used > 30, "only {used} of 72 elements have a state");
    }
}
