//! The graph: a model as data. `const`-constructible, borrowed, the same value in firmware, on the host and in a file.

#[cfg(feature = "host")]
mod host_layer;
mod layer;
mod node;
mod text;

pub use crate::shape::Shape;
#[cfg(feature = "host")]
pub use host_layer::*;
pub use layer::*;
pub use node::{Node, Source, Update};
pub use text::{GraphBuffer, MAX_NODES, TextError, layout_hash, parse_graph, read_graph, write_graph};

use crate::number::Format;

/// A model: the input's shape, the number format, and the nodes in the order of computation. The last node's output
/// is the model's output.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Graph<'a> {
    /// Shape of one input sample.
    pub input: Shape,
    /// What values are stored as.
    pub format: Format,
    /// The nodes; each reads the input or outputs of earlier nodes.
    pub nodes: &'a [Node],
}

impl<'a> Graph<'a> {
    /// A graph over borrowed nodes.
    pub const fn new(format: Format, input: Shape, nodes: &'a [Node]) -> Graph<'a> {
        Graph { input, format, nodes }
    }
}
