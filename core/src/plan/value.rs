//! What planning knows of each node's output, and the questions that every stage asks of the graph.

use crate::graph::{Graph, Node, Update};
use crate::op::Facts;
use crate::shape::Shape;

/// Elements beyond which a tensor is refused: word counts stay far inside `u32`.
pub(super) const MAX_ELEMENTS: u32 = 1 << 24;

// The kinds of buffer in the arena, by owner.
pub(super) const OUTPUT: usize = 0;
pub(super) const SAVED: usize = 1;
pub(super) const FORWARD: usize = 2;
pub(super) const BACKWARD: usize = 3;
pub(super) const ERROR: usize = 4;

/// What is known of a value: index 0 of a model is its input, here values of nodes alone are kept.
#[derive(Clone, Copy)]
pub(super) struct Value {
    pub facts: Facts,
    /// How many nodes read it.
    pub consumers: u32,
    /// Whether anything at or before its node is trained.
    pub needs_error: bool,
    /// The node whose output memory it uses; `INPUT` for the caller's.
    pub root: usize,
    /// Another node works in place on this value's memory afterwards.
    pub overwritten: bool,
    /// The node whose error memory the error at this value uses.
    pub error_root: usize,
    /// Which value's fixed-point scale it has (0 = the input's).
    pub scale: u8,
    pub in_place: bool,
    pub reads_output: bool,
}

pub(super) const INPUT: usize = usize::MAX;

/// Whether parameter `index` (0 weight, 1 bias) of a node is trained.
pub(super) const fn trains(update: Update, index: usize) -> bool {
    match update {
        Update::Frozen => false,
        Update::BiasOnly => index == 1,
        Update::Full => true,
    }
}

/// Whether any parameter of a node is trained.
pub(super) const fn has_trained(node: &Node, facts: &Facts) -> bool {
    (facts.parameters[0] > 0 && trains(node.update, 0)) || (facts.parameters[1] > 0 && trains(node.update, 1))
}

/// Whether the backward pass of a node does without its input and its words: of what a frozen batch norm is, scale and shift
/// by constants.
pub(super) const fn keeps_nothing(node: &Node, facts: &Facts) -> bool {
    facts.keep.only_if_trained && !has_trained(node, facts)
}

/// The value that input `index` of node `i` reads: 0 = the graph's input, `k + 1` = node `k`'s output.
pub(super) const fn read(graph: &Graph<'_>, i: usize, index: usize) -> usize {
    graph.nodes[i].inputs[index].value(i)
}

pub(super) const fn shape_of<const N: usize>(graph: &Graph<'_>, values: &[Value; N], value: usize) -> Shape {
    if value == 0 { graph.input } else { values[value - 1].facts.output }
}

/// Whether node `i` must give an error to any of its inputs.
pub(super) const fn wants_input_error<const N: usize>(graph: &Graph<'_>, values: &[Value; N], i: usize) -> bool {
    let mut k = 0;
    while k < graph.nodes[i].op.inputs() {
        let x = read(graph, i, k);
        if x > 0 && values[x - 1].needs_error {
            return true;
        }
        k += 1;
    }
    false
}

/// The last node that reads value `v`: the first to give it an error.
pub(super) const fn last_reader(graph: &Graph<'_>, v: usize) -> usize {
    let (mut last, mut j) = (0, 0);
    while j < graph.nodes.len() {
        let mut k = 0;
        while k < graph.nodes[j].op.inputs() {
            if read(graph, j, k) == v {
                last = j;
            }
            k += 1;
        }
        j += 1;
    }
    last
}
