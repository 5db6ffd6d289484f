//! The third stage: what is kept from when to when.

use super::arena::{Buffer, KINDS};
use super::value::{
    BACKWARD, ERROR, FORWARD, INPUT, OUTPUT, SAVED, Value, keeps_nothing, last_reader, read, trains, wants_input_error,
};
use crate::graph::Graph;

const fn later(a: u32, b: u32) -> u32 {
    if a > b { a } else { b }
}

pub(super) const fn lifetimes<const N: usize>(
    graph: &Graph<'_>,
    values: &mut [Value; N],
    training: bool,
) -> [[Buffer; N]; KINDS] {
    let n = graph.nodes.len();
    let end = 2 * n as u32;
    let mut buffers = [[Buffer::NONE; N]; KINDS];
    // Outputs: from their node to their last reader, forward or backward.
    let mut i = 0;
    while i < n {
        let node = &graph.nodes[i];
        let facts = values[i].facts;
        let root = values[i].root;
        if root == i {
            buffers[OUTPUT][i] = Buffer::new(graph.format.words(facts.output.elements()), i as u32, i as u32);
        }
        if root != INPUT {
            let b = &mut buffers[OUTPUT][root];
            b.death = later(b.death, if i + 1 == n { n as u32 } else { i as u32 });
        }
        let backward = values[i].needs_error;
        let mut k = 0;
        while k < node.op.inputs() {
            let x = read(graph, i, k);
            let root = if x == 0 { INPUT } else { values[x - 1].root };
            if root != INPUT {
                let wants_error = values[x - 1].needs_error;
                let kept = backward
                    && ((facts.keep.input_for_parameters && trains(node.update, 0) && facts.parameters[0] > 0)
                        || (facts.keep.input_for_error && wants_error && !keeps_nothing(node, &facts)));
                let b = &mut buffers[OUTPUT][root];
                b.death = later(b.death, if kept { end - i as u32 } else { i as u32 });
            }
            k += 1;
        }
        if backward && facts.keep.output {
            values[i].reads_output = true;
            if root != INPUT {
                buffers[OUTPUT][root].death = later(buffers[OUTPUT][root].death, end - i as u32);
            }
        }
        buffers[FORWARD][i] = Buffer::new(graph.format.words(facts.scratch_forward), i as u32, i as u32);
        i += 1;
    }
    // What is saved besides: rectifiers read their output where it is kept anyway, else they keep bits.
    let mut i = 0;
    while i < n {
        let facts = values[i].facts;
        let root = values[i].root;
        let node = &graph.nodes[i];
        let mut words = 0;
        if values[i].needs_error && training && !keeps_nothing(node, &facts) {
            words = facts.keep.words;
            if facts.keep.mask_or_output && wants_input_error(graph, values, i) {
                let kept = root != INPUT && buffers[OUTPUT][root].death > n as u32;
                if kept && !is_overwritten(graph, values, i) {
                    values[i].reads_output = true;
                    buffers[OUTPUT][root].death = later(buffers[OUTPUT][root].death, end - i as u32);
                } else {
                    words = facts.output.elements().div_ceil(32);
                }
            }
        }
        let death = if facts.keep.words_until_end { end } else { end - i as u32 };
        buffers[SAVED][i] = Buffer::new(words, i as u32, death);
        if values[i].needs_error {
            let t = end - i as u32;
            let mut scratch = 0;
            if wants_input_error(graph, values, i) {
                scratch = graph.format.words(facts.scratch_error);
            }
            if trains(graph.nodes[i].update, 0) && facts.parameters[0] > 0 {
                scratch = later(scratch, facts.scratch_gradient);
            }
            buffers[BACKWARD][i] = Buffer::new(scratch, t, t);
            // Errors: from the first consumer that runs backward (the loss for the last node) to the node itself.
            let root = values[i].error_root;
            let words = graph.format.words(facts.output.elements());
            if root == i {
                let birth = if i + 1 == n { n as u32 } else { end - last_reader(graph, i + 1) as u32 };
                buffers[ERROR][i] = Buffer::new(words, birth, t);
            }
        }
        i += 1;
    }
    // A shared error is born with its root, which stands after it in the graph, and lives on to its own node.
    let mut i = 0;
    while i < n {
        let root = values[i].error_root;
        if values[i].needs_error && root != i {
            buffers[ERROR][root].death = later(buffers[ERROR][root].death, end - i as u32);
        }
        i += 1;
    }
    buffers
}

/// Whether a later node works in place on the output of node `i` or on an alias of it.
const fn is_overwritten<const N: usize>(graph: &Graph<'_>, values: &[Value; N], i: usize) -> bool {
    if values[i].overwritten {
        return true;
    }
    let mut j = i + 1;
    while j < graph.nodes.len() {
        if values[j].facts.alias && read(graph, j, 0) == i + 1 {
            return is_overwritten(graph, values, j);
        }
        j += 1;
    }
    false
}
