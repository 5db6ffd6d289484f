//! Every operation against the core: predictions, gradients and update rules.

use super::Lowered;
use super::check::{Case, agrees, compare, core_outcome, lowered_outcome, numbers, random_parameters};
use emberlite::graph::*;
use emberlite::image::Kind;
use emberlite::number::Format;
use std::collections::BTreeSet;

const SEQUENCE: Shape = Shape::d2(3, 8);
const IMAGE: Shape = Shape::d3(2, 6, 5);

/// The file of the core that each variant of its `Op` is defined in, from the source text.
fn files_of_operations(source: &str) -> BTreeSet<String> {
    let body = source.split_once("pub enum Op {").unwrap().1.split_once("\n}").unwrap().0;
    let variants = body.lines().map(str::trim).filter(|line| line.starts_with(char::is_uppercase));
    let file = |variant: &str| -> String {
        let Some((_, attributes)) = variant.trim_end_matches("),").split_once('(') else {
            return variant.trim_end_matches(',').to_lowercase();
        };
        let exported = |line: &&str| line.split(|c: char| !c.is_alphanumeric()).any(|word| word == attributes);
        let line = source.lines().filter(|line| line.starts_with("pub use ")).find(exported).unwrap();
        line["pub use ".len()..].split("::").next().unwrap().into()
    };
    // Those of the host alone have a folder of their own, and a test below.
    variants.map(file).filter(|file| file != "no_host").collect()
}

#[test]
fn every_operation_of_the_core_is_lowered_in_a_file_of_that_name() {
    let core = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/op");
    let operations = files_of_operations(&std::fs::read_to_string(format!("{core}/mod.rs")).unwrap());
    assert!(operations.len() >= 8 && operations.contains("linear") && operations.contains("norm"), "{operations:?}");
    // Flatten has no file in the core either.
    for file in operations.iter().filter(|file| std::fs::exists(format!("{core}/{file}.rs")).unwrap()) {
        let ours = format!("{}/src/lower/{file}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(std::fs::exists(&ours).unwrap(), "host/src/lower lacks {file}.rs");
    }
}

#[test]
fn linear_with_and_without_bias() {
    agrees(&Case::new(Shape::d1(7), &[linear(5), linear(3).no_bias()]));
}

#[test]
fn update_rules_are_honoured() {
    agrees(&Case::new(Shape::d1(7), &[linear(5), linear(4).frozen(), linear(4).bias_only(), linear(3)]));
    agrees(&Case::new(Shape::d1(7), &[linear(5).frozen(), linear(4).bias_only(), linear(3).frozen()]));
    agrees(&Case::new(SEQUENCE, &[conv1d(4, 3).bias_only(), conv1d(2, 2).frozen(), conv1d(2, 2), flatten()]));
}

#[test]
fn conv1d_with_stride_padding_and_groups() {
    agrees(&Case::new(SEQUENCE, &[conv1d(4, 3)]));
    agrees(&Case::new(SEQUENCE, &[conv1d(4, 3).padding(1), conv1d(5, 4).stride(3).padding(2).no_bias()]));
    agrees(&Case::new(SEQUENCE, &[conv1d(6, 3).groups(3), conv1d(4, 2).groups(2).stride(2)]));
    agrees(&Case::new(SEQUENCE, &[conv1d(3, 5).groups(3).padding(2)]));
}

#[test]
fn conv2d_with_stride_padding_and_groups() {
    agrees(&Case::new(IMAGE, &[conv2d(3, 3)]));
    agrees(&Case::new(IMAGE, &[conv2d_with(4, [3, 2], [2, 1], [1, 0]), conv2d(2, 2)]));
    agrees(&Case::new(IMAGE, &[conv2d(4, 3).groups(2).padding(1), conv2d(4, 3).groups(4).stride(2)]));
}

#[test]
fn pooling_with_overlap_padding_and_dropped_ends() {
    for pool in [max_pool1d, average_pool1d] {
        agrees(&Case::new(SEQUENCE, &[conv1d(4, 3).padding(1), pool(2)]));
        agrees(&Case::new(SEQUENCE, &[conv1d(4, 3).padding(1), pool(3).stride(2).padding(1).floor()]));
        agrees(&Case::new(SEQUENCE, &[conv1d(4, 3).padding(1), pool(5).stride(2).floor()]));
    }
    for pool in [max_pool2d, average_pool2d] {
        agrees(&Case::new(IMAGE, &[conv2d(3, 3).padding(1), pool(2).floor()]));
        agrees(&Case::new(IMAGE, &[conv2d(3, 3).padding(1), pool(3).stride(2).padding(1).floor()]));
        agrees(&Case::new(IMAGE, &[conv2d(3, 3).padding(1), pool(3).stride(1)]));
    }
}

#[test]
fn global_average_pooling() {
    agrees(&Case::new(SEQUENCE, &[conv1d(4, 3), global_average_pool(), linear(3)]));
    agrees(&Case::new(IMAGE, &[conv2d(4, 3), global_average_pool(), linear(3)]));
}

#[test]
fn rectifiers() {
    for activation in [relu(), relu6(), leaky_relu(0.1)] {
        agrees(&Case::new(Shape::d1(9), &[linear(8), activation, linear(3)]));
        agrees(&Case::new(SEQUENCE, &[conv1d(4, 3), activation]));
        agrees(&Case::new(IMAGE, &[activation, conv2d(4, 3), activation]));
    }
}

#[test]
fn sigmoid_and_tanh() {
    // Both have |f'| <= 1 and |f''| <= 1, so an error of the input e reaches the error signal as e times it: at most ten
    // times the sums, whose inputs here are at most 10; the functions themselves are within a few units in the last place.
    for activation in [sigmoid(), tanh()] {
        let amplification = 11.0;
        agrees(&Case { amplification, ..Case::new(Shape::d1(9), &[linear(8), activation, linear(3)]) });
        agrees(&Case { amplification, ..Case::new(SEQUENCE, &[conv1d(4, 3), activation]) });
    }
}

#[test]
fn residual_connections() {
    agrees(&Case::new(Shape::d1(6), &[linear(6), relu(), linear(6), add(1), linear(2)]));
    agrees(&Case::new(Shape::d1(6), &[linear(6), add(0)]));
    agrees(&Case::new(SEQUENCE, &[conv1d(3, 3).padding(1), Node::new(emberlite::op::Op::Add).from_input()]));
    agrees(&Case::new(IMAGE, &[conv2d(2, 3).padding(1), relu(), conv2d(2, 3).padding(1), add(0)]));
    agrees(&Case::new(IMAGE, &[conv2d(2, 3), relu(), conv2d(2, 1), flatten(), linear(3)]));
}

#[test]
fn dropout_drops_the_elements_that_the_core_drops() {
    // A kept element is divided by 1 - rate, at most 2 here, on the way there and back.
    let amplification = 4.0;
    agrees(&Case { amplification, ..Case::new(Shape::d1(6), &[linear(20), dropout(0.5), linear(3)]) });
    agrees(&Case { amplification, ..Case::new(SEQUENCE, &[conv1d(4, 3), dropout(0.3)]) });
    agrees(&Case { amplification, ..Case::new(IMAGE, &[conv2d(4, 3), dropout(0.3), flatten(), linear(2)]) });
}

// The norms divide by the deviation d of what they see, above 0.4 in these cases. An error e of x becomes one of at most
// e (1 + |x̂|)/d in x̂, typically 5 e. Outputs |x̂ w + b| are at most 8, and the errors of a mean of squares sum to at most
// 2 (8 + 1) < 20, which bounds the gradients.

#[test]
fn layer_norm_of_every_rank() {
    let of = |input, nodes: &[Node]| {
        agrees(&Case { amplification: 5.0, magnitude: Some(20.0), ..Case::new(input, nodes) });
    };
    of(Shape::d1(9), &[layer_norm(), linear(3)]);
    of(Shape::d1(9), &[linear(8), layer_norm(), linear(3)]);
    of(SEQUENCE, &[conv1d(4, 3).no_bias(), layer_norm()]);
    of(IMAGE, &[conv2d(2, 3).no_bias(), layer_norm().epsilon(1e-3), flatten(), linear(2)]);
    of(Shape::d1(9), &[linear(8), layer_norm().frozen(), linear(3)]);
}

#[test]
fn batch_norm_of_one_sample_and_frozen() {
    let of = |input, nodes: &[Node], batch| {
        agrees(&Case { amplification: 5.0, magnitude: Some(20.0), batch, ..Case::new(input, nodes) });
    };
    of(SEQUENCE, &[batch_norm()], 1);
    // No bias before a norm of its own statistics: its gradient is 0.
    of(SEQUENCE, &[conv1d(4, 3).no_bias(), batch_norm(), relu(), flatten(), linear(3)], 1);
    of(IMAGE, &[conv2d(2, 3).no_bias(), batch_norm().bias_only()], 1);
    of(IMAGE, &[conv2d(2, 3), batch_norm().frozen(), conv2d(2, 2)], 3);
    of(Shape::d1(6), &[linear(5), batch_norm().frozen(), linear(2)], 3);
}

#[test]
fn batch_norm_takes_its_statistics_over_the_batch() {
    // Three samples of [4, 5] are normalised as the core normalises one sample of [4, 15]: the same numbers, regrouped.
    let (batch, channels, length) = (3, 4, 5);
    let nodes = [batch_norm()];
    let graph = |length| Graph::new(Format::F32, Shape::d2(4, length), &nodes);
    let lowered = Lowered::new(graph(5)).unwrap();
    let parameters = random_parameters(&lowered);
    let (x, t) = (numbers(1, batch * channels * length), numbers(2, batch * channels * length));
    let regrouped = |v: &[f32]| -> Vec<f32> {
        let at = |i: usize| (i / length % batch, i / length / batch, i % length);
        (0..v.len()).map(at).map(|(b, c, l)| v[(b * channels + c) * length + l]).collect()
    };
    let ours = lowered_outcome(&lowered, &parameters, &x, &t, batch as u32);
    let core = core_outcome(graph(15), &parameters, &regrouped(&x), &regrouped(&t), 1);
    // 15 terms in a statistic, 60 in a mean, amplified as above: 2 * 75 * 2^-24 * 100.
    let tolerance = 150.0 * f32::EPSILON / 2.0 * 100.0;
    compare("output", &regrouped(&ours.outputs), &core.outputs, tolerance);
    for kind in [Kind::Weight, Kind::Bias, Kind::RunningMean, Kind::RunningVariance] {
        let (ours, core) = (ours.parameters.get(0, kind).unwrap(), core.parameters.get(0, kind).unwrap());
        compare(&format!("{kind:?}"), ours, core, tolerance);
        let moved = parameters.get(0, kind).unwrap().iter().zip(core).any(|(a, b)| (a - b).abs() > 10.0 * tolerance);
        assert!(moved, "{kind:?} hardly moved: the case shows nothing");
    }
}

#[test]
fn fixed_point_graphs_are_lowered_in_f32() {
    let nodes = [linear(4), relu(), linear(2)];
    let lowered = Lowered::new(Graph::new(Format::Fixed16, Shape::d1(3), &nodes)).unwrap();
    assert_eq!(lowered.graph().format, Format::F32);
    let wrong = [max_pool1d(2)];
    let error = Lowered::new(Graph::new(Format::F32, Shape::d1(3), &wrong)).unwrap_err().to_string();
    assert!(error.contains("layer 0 (max_pool1d): needs a sequence"), "{error}");
}
