//! The executor's gradients against central differences of its own predictions, on a branching network.
//!
//! One network has inputs, weights and steps that are small multiples of powers of two, so that *every* float32
//! operation on the way is exact and the difference quotient is too: with one weight moved, the network is linear
//! within a piece, the mean squared error (summed here in f64, exact as well) a parabola, and the central difference
//! of a parabola is its slope. The tolerance is zero. The other is smooth, and has a bound.

use super::machine::{Loaded, Machine};
use emberlite::graph::{
    Node, Shape, add, average_pool2d, conv1d, conv2d, flatten, leaky_relu, linear, max_pool2d, relu, sigmoid, tanh,
};
use emberlite::image::Kind;
use emberlite::loss::{Loss, Target};
use emberlite::number::random::Key;
use emberlite::optimizer::Optimizer;
use emberlite::plan::Training;
use emberlite_tests::reference::UNIT;

/// Values for the parameters of nodes: element counts of weight and bias.
pub type Sizes = &'static [(u8, usize, usize)];

/// `[2, 6, 6] -> [4]`, two branches that meet twice; exact on the values of [`exact_tensors`].
pub fn exact_network() -> (Shape, Vec<Node>, Sizes) {
    let nodes = vec![
        conv2d(4, 3).padding(1), // 0
        relu(),                  // 1, read by 2 and 4
        conv2d(4, 1),            // 2
        relu(),                  // 3
        add(1),                  // 4
        average_pool2d(2),       // 5: division by 4
        conv2d(4, 2),            // 6
        max_pool2d(2),           // 7
        flatten(),               // 8
        linear(4),               // 9
    ];
    (Shape::d3(2, 6, 6), nodes, &[(0, 72, 4), (2, 16, 4), (6, 64, 4), (9, 16, 4)])
}

/// Weights in -1/2, 0, 1/2 and biases that are odd multiples of 1/4, so that few sums are zero, where ReLU has its
/// kink.
pub fn exact_tensors(sizes: Sizes, seed: u32) -> Vec<Loaded> {
    let mut tensors = Vec::new();
    for &(node, weight, bias) in sizes {
        let key = Key::new(seed, 0, u32::from(node));
        tensors.push((node, Kind::Weight, (0..weight as u32).map(|i| (key.at(i) % 3) as f32 * 0.5 - 0.5).collect()));
        tensors.push((
            node,
            Kind::Bias,
            (0..bias as u32).map(|i| (key.at(i + 9999) % 4) as f32 * 0.5 - 0.75).collect(),
        ));
    }
    tensors
}

/// Inputs -1, 0, 1 and targets of whole numbers.
pub fn exact_sample(inputs: u32, outputs: u32, seed: u32) -> (Vec<f32>, Vec<f32>) {
    let key = Key::new(seed, 1, 0);
    let x = (0..inputs).map(|i| (key.at(i) % 3) as f32 - 1.0).collect();
    (x, (0..outputs).map(|i| (key.at(i + 9999) % 5) as f32 - 2.0).collect())
}

/// The gradient of every parameter as one step of plain descent at batch 1 shows it: `(w - w') / rate`, with a rate of
/// a power of two.
fn gradients(
    machine: &mut Machine,
    x: &[f32],
    target: Target<'_, emberlite::number::F32>,
    rate: f32,
    tensors: &[Loaded],
) -> Vec<Vec<f32>> {
    machine.train(x, target);
    let of = |(node, kind, before): &Loaded| {
        let after = machine.trained(*node, *kind);
        before.iter().zip(after).map(|(w, now)| (w - now) / rate).collect()
    };
    tensors.iter().map(of).collect()
}

#[test]
fn gradients_are_exactly_the_slope_where_arithmetic_is_exact() {
    const RATE: f32 = 1.0 / 16.0;
    const H: f32 = 1.0 / 64.0;
    let (input, nodes, sizes) = exact_network();
    let training = Training::new(Loss::MeanSquaredError, Optimizer::sgd(RATE));
    let (mut compared, mut left_out) = (0, 0);
    for seed in 0..4 {
        let tensors = exact_tensors(sizes, seed);
        let (x, t) = exact_sample(input.elements(), 4, seed);
        let mut machine = Machine::new(input, &nodes, training, &tensors);
        let got = gradients(&mut machine, &x, Target::Values(&t), RATE, &tensors);
        let predict = |tensors: &[Loaded]| Machine::new(input, &nodes, training, tensors).predict(&x);
        let here = predict(&tensors);
        for (at, (node, kind, _)) in tensors.iter().enumerate() {
            for (index, &got) in got[at].iter().enumerate() {
                let moved = |step: f32| {
                    let mut tensors = tensors.clone();
                    tensors[at].2[index] += step;
                    predict(&tensors)
                };
                let (above, below) = (moved(H), moved(-H));
                if above.iter().zip(&below).zip(&here).any(|((a, b), y)| a + b != 2.0 * y) {
                    left_out += 1; // a kink within h: the network isn't linear there
                    continue;
                }
                let loss = |y: &[f32]| y.iter().zip(&t).map(|(y, t)| f64::from(y - t).powi(2)).sum::<f64>() / 4.0;
                let slope = (loss(&above) - loss(&below)) / (2.0 * f64::from(H));
                assert_eq!(f64::from(got), slope, "seed {seed}, node {node} {kind:?}[{index}]");
                compared += 1;
            }
        }
    }
    assert!(compared > 300 && left_out < compared, "{compared} compared, {left_out} left out");
}

/// D(h) is within truncation and rounding of the gradient. Truncation is c h², D(2h) - D(h) three times that.
/// Rounding: a computed sum of n products is the exact sum for weights that are off by at most n units each (Higham,
/// section 3.1), elementwise functions add a few units more, so the loss is off by E = (n + 8) u Σ |w ∂L/∂w| + 8 u (1
/// + L), n the longest sum; D(h) by E / h.
#[test]
fn gradients_are_slopes_of_a_smooth_network_too() {
    const RATE: f32 = 1.0 / 1024.0;
    const H: f32 = 1.0 / 64.0;
    let nodes = [
        conv1d(4, 3).padding(1),
        tanh(),
        conv1d(4, 3).padding(1),
        sigmoid(),
        add(1),
        leaky_relu(0.25),
        flatten(),
        linear(6),
        tanh(),
        linear(3),
    ];
    let sizes: Sizes = &[(0, 24, 4), (2, 48, 4), (7, 192, 6), (9, 18, 3)];
    let input = Shape::d2(2, 8);
    let tensors: Vec<Loaded> = sizes
        .iter()
        .flat_map(|&(node, weight, bias)| {
            let key = Key::new(3, 0, u32::from(node));
            let value = move |i: u32| key.uniform(i) - 0.5;
            [
                (node, Kind::Weight, (0..weight as u32).map(value).collect()),
                (node, Kind::Bias, (0..bias as u32).map(move |i| value(i + 9999)).collect()),
            ]
        })
        .collect();
    let x: Vec<f32> = (0..16).map(|i| Key::new(4, 0, 0).uniform(i) * 2.0 - 1.0).collect();
    for loss in [Loss::SoftmaxCrossEntropy, Loss::BinaryCrossEntropy, Loss::Huber { delta: 0.25 }] {
        let training = Training::new(loss, Optimizer::sgd(RATE));
        let values = [0.25f32, 1.0, 0.0];
        let target = if loss.takes_class() { Target::Class(1) } else { Target::Values(&values) };
        let mut machine = Machine::new(input, &nodes, training, &tensors);
        let value = f64::from(machine.evaluate(&x, target));
        let got = gradients(&mut machine, &x, target, RATE, &tensors);
        let size: f64 =
            got.iter().zip(&tensors).flat_map(|(g, t)| g.iter().zip(&t.2)).map(|(g, w)| f64::from(g * w).abs()).sum();
        let error = (48.0 + 8.0) * UNIT * size + 8.0 * UNIT * (1.0 + value);
        for (at, (node, kind, values)) in tensors.iter().enumerate() {
            for (index, &got) in got[at].iter().enumerate() {
                let slope = |h: f32| {
                    let evaluate = |step: f32| {
                        let mut tensors = tensors.clone();
                        tensors[at].2[index] += step;
                        let moved = f64::from(tensors[at].2[index]);
                        (moved, f64::from(Machine::new(input, &nodes, training, &tensors).evaluate(&x, target)))
                    };
                    let ((right, above), (left, below)) = (evaluate(h), evaluate(-h));
                    (above - below) / (right - left)
                };
                let (once, twice) = (slope(H), slope(2.0 * H));
                // The gradient is read off a step: the weight's rounding over the rate.
                let read = UNIT * f64::from(values[index].abs() + 1.0) / f64::from(RATE);
                let allowed = (twice - once).abs() + 1.5 * error / f64::from(H) + read;
                let off = (once - f64::from(got)).abs();
                assert!(off <= allowed, "{loss:?} node {node} {kind:?}[{index}]: {got}, the slope is {once}");
                assert!(allowed < 0.02, "{loss:?} node {node} {kind:?}[{index}]: a bound of {allowed} says nothing");
            }
        }
    }
}
