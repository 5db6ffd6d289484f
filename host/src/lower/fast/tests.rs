//! The batched path against the framework's, which other tests compare with the core and with PyTorch.

use crate::lower::check::{numbers, random_parameters};
use crate::lower::{Lowered, Mode, Tensors};
use burn_tensor::{Device, Tensor, TensorData};
use emberlite::graph::*;
use emberlite::number::Format;

const MODE: Mode = Mode::Train { seed: 17, first_sample: 40 };

/// Output, and gradients of every trained slot, of the mean of squares.
fn outcome(lowered: &Lowered<'_>, x: &[f32], batch: usize) -> (Vec<f32>, Vec<Vec<f32>>) {
    let device = Device::flex();
    let tensors = Tensors::upload(lowered, &random_parameters(lowered), &device).unwrap();
    let x = Tensor::<2>::from_data(TensorData::new(x.to_vec(), [batch, x.len() / batch]), &device);
    let pass = lowered.pass(&tensors, x, MODE).unwrap();
    let output = pass.output.clone();
    let mut gradients = (output.clone() * output.clone()).mean().backward();
    pass.finish(lowered, &tensors, &mut gradients).unwrap();
    let list = |t: Tensor<1>| t.without_autodiff().into_data().iter::<f32>().collect::<Vec<_>>();
    let trained = lowered.slots().iter().filter(|slot| slot.trained);
    let found = trained.map(|slot| list(tensors.tensor(slot).grad_remove(&mut gradients).unwrap())).collect();
    (list(output.flatten(0, 1)), found)
}

fn graph<'a>(input: Shape, nodes: &'a [Node]) -> Lowered<'a> {
    Lowered::new(Graph::new(Format::F32, input, nodes)).unwrap()
}

/// Both ways agree, for one sample and for more than there are groups.
fn agrees(input: Shape, nodes: &[Node]) {
    let lowered = graph(input, nodes);
    assert!(lowered.fast.is_some(), "{nodes:?} has no steps");
    let plain = Lowered { fast: None, ..lowered.clone() };
    for batch in [1, 3, 70] {
        let x = numbers(9, batch * input.elements() as usize);
        let (ours, theirs) = (outcome(&lowered, &x, batch), outcome(&plain, &x, batch));
        let all = std::iter::once((&ours.0, &theirs.0)).chain(ours.1.iter().zip(&theirs.1));
        for (what, (ours, theirs)) in all.enumerate() {
            assert_eq!(ours.len(), theirs.len());
            // Sums of products in another order; the bound is derived in `check.rs`, here with every sum of at most the
            // graph's elements, 2 γ of the largest magnitude there, doubled for the second pass through the network.
            let largest = theirs.iter().fold(0.0f32, |m, v| m.max(v.abs())).max(1e-2);
            let elements: u32 = lowered.layers.iter().map(|l| l.input.elements() + l.facts.output.elements()).sum();
            let tolerance = 4.0 * (elements as f32) * f32::EPSILON * largest;
            for (i, (a, b)) in ours.iter().zip(theirs).enumerate() {
                assert!((a - b).abs() <= tolerance, "{nodes:?} batch {batch}, {what}[{i}]: {a}, not {b} ({tolerance})");
            }
        }
    }
}

const IMAGE: Shape = Shape::d3(3, 9, 7);
const SEQUENCE: Shape = Shape::d2(3, 11);

#[test]
fn convolutions() {
    agrees(IMAGE, &[conv2d(5, 3)]);
    agrees(IMAGE, &[conv2d(5, 3).padding(1), relu(), conv2d(17, 3).padding(2), relu(), max_pool2d(2).floor()]);
    agrees(IMAGE, &[conv2d(4, 3).stride(2).padding(1), conv2d_with(6, [3, 2], [2, 1], [1, 0]), relu(), conv2d(2, 1)]);
    agrees(
        IMAGE,
        &[conv2d(4, 3), max_pool2d(3).stride(2).padding(1).floor(), conv2d(4, 2).no_bias(), flatten(), linear(3)],
    );
    agrees(SEQUENCE, &[conv1d(4, 3).padding(1), relu(), max_pool1d(2).floor(), conv1d(16, 2), flatten(), linear(5)]);
}

#[test]
fn linear_layers() {
    agrees(Shape::d1(7), &[linear(5), relu(), linear(3).no_bias()]);
    agrees(Shape::d1(48), &[linear(32), relu(), linear(100), relu(), linear(10)]);
    agrees(Shape::d1(20), &[linear(5), sigmoid(), linear(6), tanh(), linear(4), leaky_relu(0.1), linear(2), relu6()]);
}

#[test]
fn pooling_and_the_rest() {
    agrees(IMAGE, &[conv2d(4, 3), average_pool2d(2).floor(), global_average_pool(), linear(3)]);
    agrees(IMAGE, &[conv2d(4, 3), max_pool2d(3).stride(1), leaky_relu(0.2), flatten(), dropout(0.4), linear(3)]);
    agrees(IMAGE, &[relu(), conv2d(4, 3), dropout(0.4), conv2d(3, 2)]);
    agrees(IMAGE, &[conv2d(3, 3).padding(1), relu(), conv2d(3, 3).padding(1), add(0), relu(), global_average_pool()]);
    agrees(Shape::d1(6), &[linear(6), relu(), linear(6), add(1), linear(2)]);
}

#[test]
fn update_rules() {
    agrees(Shape::d1(7), &[linear(5), linear(4).frozen(), linear(4).bias_only(), linear(3)]);
    agrees(Shape::d1(7), &[linear(5).frozen(), relu(), linear(4).bias_only(), linear(3).frozen()]);
    agrees(IMAGE, &[conv2d(5, 3).frozen(), relu(), conv2d(5, 3).bias_only(), relu(), conv2d(3, 2)]);
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let nodes = [conv2d(8, 3).padding(1), relu(), max_pool2d(2).floor(), conv2d(16, 3), relu(), flatten(), linear(10)];
    let lowered = graph(IMAGE, &nodes);
    assert_eq!(lowered.fast.as_ref().map(|fast| fast.steps.len()), Some(5), "turn, two convolutions, turn, linear");
    let x = numbers(9, 70 * IMAGE.elements() as usize);
    let pool = |threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let [one, three] = [1, 3].map(|threads| pool(threads).install(|| outcome(&lowered, &x, 70)));
    assert_eq!(one, three);
}

#[test]
fn what_has_no_steps_goes_the_frameworks_way() {
    assert!(graph(IMAGE, &[conv2d(3, 3).groups(3)]).fast.is_none());
    assert!(graph(IMAGE, &[conv2d(3, 1).padding(1)]).fast.is_none());
    assert!(graph(Shape::d1(6), &[linear(4), layer_norm()]).fast.is_none());
}
