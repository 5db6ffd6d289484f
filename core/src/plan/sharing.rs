//! The second stage: which nodes work in the memory of their input, forward and backward.

use super::value::{INPUT, Value, read};
use crate::graph::Graph;

/// Decides which nodes work in place, forward and backward, and which scale every value has.
pub(super) const fn share_memory<const N: usize>(graph: &Graph<'_>, values: &mut [Value; N]) {
    let n = graph.nodes.len();
    let mut i = 0;
    while i < n {
        let x = read(graph, i, 0);
        let facts = values[i].facts;
        values[i].root = i;
        values[i].scale = i as u8 + 1;
        if facts.same_scale {
            values[i].scale = if x == 0 { 0 } else { values[x - 1].scale };
        }
        if facts.alias {
            values[i].root = if x == 0 { INPUT } else { values[x - 1].root };
            values[i].in_place = true;
        } else if facts.elementwise && x > 0 && values[x - 1].root != INPUT && may_overwrite(graph, values, x) {
            values[i].root = values[x - 1].root;
            values[i].in_place = true;
            // Mark every alias of the value as overwritten.
            let mut v = x;
            loop {
                values[v - 1].overwritten = true;
                if !values[v - 1].facts.alias {
                    break;
                }
                v = read(graph, v - 1, 0);
            }
        }
        i += 1;
    }
    // Errors: from the last node backwards, an input's error uses the output's memory where it is its only reader.
    let mut i = n;
    while i > 0 {
        i -= 1;
        if values[i].error_root == INPUT {
            values[i].error_root = i;
        }
        let x = read(graph, i, 0);
        if values[i].facts.passes_error && x > 0 && values[x - 1].consumers == 1 && values[x - 1].needs_error {
            values[x - 1].error_root = values[i].error_root;
        }
    }
}

/// Whether a node may write over value `v`: it is the only reader, of every alias too, and no backward needs it.
const fn may_overwrite<const N: usize>(graph: &Graph<'_>, values: &[Value; N], v: usize) -> bool {
    let mut v = v;
    loop {
        let value = &values[v - 1];
        if value.consumers != 1 || (value.facts.keep.output && value.needs_error) {
            return false;
        }
        if !value.facts.alias {
            return true;
        }
        v = read(graph, v - 1, 0);
        if v == 0 {
            return false;
        }
    }
}
