//! The host's operations: shapes, parameter counts and MACs, worked out by hand from PyTorch's definitions, and that the
//! planner refuses them. Here because an operation doesn't know graphs and plans.

use crate::graph::*;
use crate::number::Format;
use crate::op::{HostOp, Op, OpError};
use crate::plan::{PlanErrorKind, plan};

/// Output, parameters and MACs of a node for an input.
fn of(node: Node, x: Shape) -> Result<(Shape, [u32; 2], u32), OpError> {
    of2(node, x, x)
}
fn of2(node: Node, x: Shape, x2: Shape) -> Result<(Shape, [u32; 2], u32), OpError> {
    let facts = node.op.facts(x, x2)?;
    Ok((facts.output, [facts.parameters[0], facts.parameters[1]], facts.macs))
}

#[test]
fn shapes_and_costs() {
    let s = Shape::d2;
    // in_proj 3·8·8 and out_proj 8·8; 5 positions through both, then 5·5·8 for scores and for values.
    assert_eq!(of(attention(2), s(5, 8)), Ok((s(5, 8), [256, 32], 5 * 256 + 2 * 25 * 8)));
    assert_eq!(of(attention(2).no_bias(), s(5, 8)).unwrap().1, [256, 0]);
    assert_eq!(of2(concat(0), s(5, 8), s(3, 8)), Ok((s(8, 8), [0; 2], 0)));
    assert_eq!(of2(concat(0).axis(1), s(5, 8), s(5, 2)), Ok((s(5, 10), [0; 2], 0)));
    // (6 - 1)·2 - 2 + 3 + 1 = 12.
    let up = conv_transpose1d(4, 3).stride(2).padding(1).output_padding(1);
    assert_eq!(of(up, s(5, 6)), Ok((s(4, 12), [5 * 4 * 3, 4], 5 * 4 * 3 * 6)));
    let up = conv_transpose2d(4, 2).stride(2).no_bias();
    assert_eq!(of(up, Shape::d3(3, 5, 6)), Ok((Shape::d3(4, 10, 12), [48, 0], 48 * 30)));
    assert_eq!(of(embedding(100, 8), Shape::d1(6)), Ok((s(6, 8), [800, 0], 0)));
    assert_eq!(of(group_norm(3), Shape::d3(6, 4, 5)), Ok((Shape::d3(6, 4, 5), [6, 6], 0)));
    assert_eq!(of(last_position(), s(6, 8)), Ok((Shape::d1(8), [0; 2], 0)));
    assert_eq!(of(positional_encoding(), s(6, 8)), Ok((s(6, 8), [0; 2], 0)));
    assert_eq!(of(positional_embedding(), s(6, 8)), Ok((s(6, 8), [48, 0], 0)));
    assert_eq!(of(lstm(5), s(6, 8)), Ok((s(6, 5), [20 * 13, 40], 20 * 13 * 6)));
    assert_eq!(of(gru(5).bidirectional(), s(6, 8)), Ok((s(6, 10), [2 * 15 * 13, 60], 2 * 15 * 13 * 6)));
    assert_eq!(of(gru(5).bidirectional().last().no_bias(), s(6, 8)).unwrap().0, Shape::d1(10));
    assert_eq!(of(sequence_linear(3), s(6, 8)), Ok((s(6, 3), [24, 3], 144)));
    assert_eq!(of(sequence_layer_norm(), s(6, 8)), Ok((s(6, 8), [8, 8], 0)));
    assert_eq!(of(transpose(), s(6, 8)), Ok((s(8, 6), [0; 2], 0)));
    assert_eq!(of(transpose(), Shape::d3(6, 4, 5)), Ok((s(20, 6), [0; 2], 0)));
    assert_eq!(of(upsample_nearest1d(3), s(6, 8)), Ok((s(6, 24), [0; 2], 0)));
    assert_eq!(of(upsample_bilinear2d(2), Shape::d3(6, 4, 5)), Ok((Shape::d3(6, 8, 10), [0; 2], 0)));
    for node in [gelu(), gelu_tanh(), silu(), hard_swish(), softmax()] {
        assert_eq!(of(node, Shape::d1(9)), Ok((Shape::d1(9), [0; 2], 0)));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let s = Shape::d2(5, 8);
    let rank = |needed, got| Err(OpError::Rank { needed, got });
    let flat = Shape::d1(8);
    for node in [attention(2), lstm(2), sequence_linear(2), sequence_layer_norm(), positional_encoding()] {
        assert_eq!(of(node, flat), rank(2, flat));
    }
    assert_eq!(of(embedding(3, 3), s), rank(1, s));
    assert_eq!(of(upsample_nearest2d(2), s), rank(3, s));
    assert_eq!(of(conv_transpose2d(2, 2), s), rank(3, s));
    let attribute = |node, x| matches!(of(node, x), Err(OpError::Attribute(_)));
    assert!(attribute(attention(3), s) && attribute(attention(0), s) && attribute(lstm(0), s));
    assert!(attribute(concat(0).axis(2), s) && attribute(upsample_nearest1d(0), s));
    assert!(attribute(conv_transpose1d(2, 2).output_padding(1), s) && attribute(conv_transpose1d(2, 1).padding(4), s));
    assert!(attribute(group_norm(1).epsilon(0.0), s));
    assert_eq!(of(group_norm(3), s), Err(OpError::Groups { groups: 3, input: 5, output: 5 }));
    assert_eq!(of2(concat(0), s, flat), Err(OpError::ShapesDiffer { first: s, second: flat }));
    assert_eq!(of(upsample_nearest1d(60000), s), Err(OpError::TooLarge));
    assert_eq!(of(gru(40000).bidirectional(), s), Err(OpError::TooLarge));
}

#[test]
fn the_device_refuses_each_by_name() {
    let nodes = [linear(4), relu(), softmax()];
    let error = plan::<4>(&Graph::new(Format::F32, Shape::d1(3), &nodes), None).unwrap_err();
    assert_eq!((error.node, error.kind), (Some(2), PlanErrorKind::HostOnly { op: HostOp::Softmax }));
    let text = "layer 2 (softmax): the host trains softmax, the device does not have softmax yet";
    assert_eq!(std::format!("{error}"), text);
}

/// A node is as large as without these operations: it lies in a device's memory many times.
#[test]
fn a_node_does_not_grow() {
    assert_eq!((size_of::<Op>(), size_of::<Node>()), (16, 24));
}
