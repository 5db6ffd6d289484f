//! What a graph is made of, for the host: every layer's shapes, and the names and shapes of its tensors in PyTorch.
//!
//! The device's planner answers more (places in memory, lifetimes) and takes less: [`MAX_NODES`](emberlite::graph::MAX_NODES)
//! nodes, the device's operations, tensors that a microcontroller could hold. Here is what training needs alone, for any
//! graph of up to [`MAX_LAYERS`] nodes. Both ask the same [`Op::facts`](emberlite::op::Op::facts).

mod pieces;

pub use pieces::{Piece, Start, pieces};

use emberlite::graph::{Graph, Shape};
use emberlite::image::MODEL;
use emberlite::op::{Facts, OpError};
use emberlite::plan::{PlanError, PlanErrorKind};

/// The most nodes of a graph on the host: a node is named by one byte, and [`MODEL`] is none.
pub const MAX_LAYERS: usize = MODEL as usize - 6;

/// Elements beyond which a tensor is refused: half of what 32 bits count.
const MAX_ELEMENTS: u32 = 1 << 31;

/// One node of a graph with its shapes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// Shape of the first input.
    pub input: Shape,
    /// The operation's shape, costs and parameter counts.
    pub facts: Facts,
}

/// Every layer of a graph, in order.
///
/// # Errors
/// [`PlanError`] at the first node that doesn't fit, as the planner says it.
///
/// ```
/// use emberlite::{graph::{Graph, Shape, lstm, linear}, number::Format};
/// use emberlite_host::layout::infer;
///
/// let nodes = [lstm(8).bidirectional().last(), linear(3)];
/// let layers = infer(&Graph::new(Format::F32, Shape::d2(20, 5), &nodes))?;
/// assert_eq!(layers[0].facts.output, Shape::d1(16));
/// // Two directions of four gates: 8 rows each, over 5 features and 8 numbers of the state, and two biases.
/// assert_eq!(layers[0].facts.parameters, [2 * 32 * (5 + 8), 2 * 2 * 32, 0, 0]);
/// # Ok::<(), emberlite::plan::PlanError>(())
/// ```
pub fn infer(graph: &Graph<'_>) -> Result<Vec<Layer>, PlanError> {
    let general = |kind| PlanError { node: None, operation: "", kind };
    let got = graph.nodes.len();
    if got == 0 {
        return Err(general(PlanErrorKind::Empty));
    }
    if got > MAX_LAYERS {
        return Err(general(PlanErrorKind::TooManyNodes { limit: MAX_LAYERS as u32, got: got as u32 }));
    }
    if graph.input.rank() == 0 || graph.input.elements() == 0 || graph.input.elements() > MAX_ELEMENTS {
        return Err(general(PlanErrorKind::InputShape));
    }
    let mut layers: Vec<Layer> = Vec::with_capacity(got);
    let mut read = vec![false; got + 1];
    for (index, node) in graph.nodes.iter().enumerate() {
        let operation = node.op.name();
        let error = |kind| PlanError { node: Some(index as u8), operation, kind };
        let mut shapes = [graph.input; 2];
        for (shape, source) in shapes.iter_mut().zip(&node.inputs).take(node.op.inputs()) {
            let value = source.value(index);
            if value > index {
                return Err(error(PlanErrorKind::Source { node: (value - 1) as u8 }));
            }
            if let Some(layer) = value.checked_sub(1).and_then(|node| layers.get(node)) {
                *shape = layer.facts.output;
            }
            read[value] = true;
        }
        let [input, second] = if node.op.inputs() == 2 { shapes } else { [shapes[0]; 2] };
        let facts = node.op.facts(input, second).map_err(|e| error(PlanErrorKind::Operation(e)))?;
        let elements = facts.output.elements();
        if elements == 0 || elements > MAX_ELEMENTS || facts.parameters.iter().any(|&len| len > MAX_ELEMENTS) {
            return Err(error(PlanErrorKind::Operation(OpError::TooLarge)));
        }
        layers.push(Layer { input, facts });
    }
    match (1..got).find(|&value| !read[value]) {
        Some(value) => {
            let operation = graph.nodes[value - 1].op.name();
            Err(PlanError { node: Some((value - 1) as u8), operation, kind: PlanErrorKind::Unused })
        }
        None => Ok(layers),
    }
}

#[cfg(test)]
mod tests;
