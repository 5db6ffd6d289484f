//! The graph as text, and its layout as a number.
//!
//! The text travels in the model's file, so that a host can rebuild a device's model from the file alone and a device can
//! plan a model that it has never seen. One line per node, every attribute named:
//!
//! ```text
//! emberlite-graph 1
//! input 6x50 f32
//! 0 conv1d channels=16 kernel=5 stride=2 padding=2 groups=1 bias=1 update=full from=previous
//! 1 leaky_relu slope=0x3c23d70a update=full from=previous
//! 2 flatten update=full from=previous
//! 3 linear outputs=4 bias=1 update=bias from=previous
//! ```
//!
//! Sizes of a window are `height x width` (`5x3`), or the width alone for a sequence. Real attributes are the bits of the
//! f32 in hexadecimal: they come back exactly, and neither side links the conversion between binary and decimal, which
//! costs a microcontroller some 10 KB of tables and code. Attributes that an operation ignores (the slope of `relu`) aren't
//! written. Keys may stand in any order, each exactly once; empty lines are skipped. Reading and writing share one table
//! ([`fields`]), so they can't drift apart.
//!
//! The hash answers another question: do these parameters fit this model? It covers everything that gives parameters
//! their meaning, and not the update rule, so that a file fits the same model trained under other rules.

mod error;
mod fields;
mod host;
mod parse;

pub use error::TextError;
pub use parse::{GraphBuffer, MAX_NODES, parse_graph, read_graph};

use core::fmt;

use super::{Graph, Source};
use fields::{Field, fields};

/// The first line of the text: a name and the version of the grammar.
const FIRST_LINE: &str = "emberlite-graph 1";

/// Writes the graph as text; see the module's head for the grammar.
///
/// [`parse_graph`] gives the same graph back. Costs about 90 bytes of text a node.
///
/// # Errors
/// Only what `out` reports.
pub fn write_graph(graph: &Graph, out: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(out, "{FIRST_LINE}\ninput {} {}", graph.input, graph.format.name())?;
    for (index, node) in graph.nodes.iter().enumerate() {
        write!(out, "{index} {}", node.op.name())?;
        let mut op = node.op;
        for (key, field) in fields(&mut op).into_iter().flatten() {
            write!(out, " {key}={field}")?;
        }
        write!(out, " update={} from=", node.update.name())?;
        for (place, source) in node.inputs.iter().take(node.op.inputs()).enumerate() {
            out.write_str(if place == 0 { "" } else { "," })?;
            match source {
                Source::Previous => out.write_str("previous")?,
                Source::Input => out.write_str("input")?,
                Source::Node(k) => write!(out, "{k}")?,
            }
        }
        out.write_str("\n")?;
    }
    Ok(())
}

/// A number for the layout of a model: equal for two graphs exactly if parameters of one mean the same in the other,
/// up to a chance of 2^-64.
///
/// FNV-1a with 64 bits (Fowler, Noll, Vo; RFC 9923) over these bytes, numbers little-endian: name of the format; rank
/// (u8) and dimensions (u16) of the input; then for every node the operation's name, its attributes in the order of
/// the text (whole numbers u16, each of height and width u8, flags u8, f32 by its bits), and for each input the value
/// that it reads (u16; 0 is the graph's input, `k + 1` the output of node `k`). A name is its length (u8) and its bytes.
/// The update rule isn't covered. `const`, so a static model carries its hash as a constant.
pub const fn layout_hash(graph: &Graph) -> u64 {
    let mut hash = Fnv::new().name(graph.format.name()).bytes(&[graph.input.rank()]);
    let mut dims = graph.input.dims();
    while let Some((dim, rest)) = dims.split_first() {
        hash = hash.bytes(&dim.to_le_bytes());
        dims = rest;
    }
    let (mut nodes, mut index) = (graph.nodes, 0);
    while let Some((node, later)) = nodes.split_first() {
        hash = hash.name(node.op.name());
        let mut op = node.op;
        let fields = fields(&mut op);
        let mut rest = fields.as_slice();
        while let Some((field, after)) = rest.split_first() {
            hash = match field {
                Some((_, Field::Count(n))) => hash.bytes(&n.to_le_bytes()),
                Some((_, Field::Plane(pair) | Field::Line(pair, _))) => hash.bytes(*pair),
                Some((_, Field::Flag(flag))) => hash.bytes(&[**flag as u8]),
                Some((_, Field::Real(real))) => hash.bytes(&real.to_bits().to_le_bytes()),
                None => hash,
            };
            rest = after;
        }
        let mut inputs = node.inputs.split_at(node.op.inputs()).0;
        while let Some((source, after)) = inputs.split_first() {
            hash = hash.bytes(&(source.value(index) as u16).to_le_bytes());
            inputs = after;
        }
        (nodes, index) = (later, index + 1);
    }
    hash.0
}

/// The state of an FNV-1a hash.
#[derive(Clone, Copy)]
struct Fnv(u64);

impl Fnv {
    const fn new() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
    const fn bytes(self, mut bytes: &[u8]) -> Fnv {
        let mut hash = self.0;
        while let Some((byte, rest)) = bytes.split_first() {
            hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
            bytes = rest;
        }
        Fnv(hash)
    }
    const fn name(self, name: &str) -> Fnv {
        self.bytes(&[name.len() as u8]).bytes(name.as_bytes())
    }
}

#[cfg(test)]
mod tests;
