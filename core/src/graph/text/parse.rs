//! Text to graph: no allocation, no panic, whatever the text holds.
//!
//! Patterns are one-element arrays because `core` searches for a lone `char` with code that can panic as far as a compiler
//! sees; without it, and on a Cortex-M4 at `opt-level = "s"`, a program that only reads graphs links no panic at all.

use heapless::Vec;

use super::fields::{PROTOTYPES, fields};
use super::{FIRST_LINE, TextError, host};
use crate::graph::{Graph, Node, Shape, Source, Update};
use crate::number::Format;

/// The most nodes that a graph read from text may have.
pub const MAX_NODES: usize = 64;

/// The version of the grammar that this library reads.
const VERSION: u32 = 1;

/// A graph that owns its nodes, as read from text; about 24 bytes a node, for [`MAX_NODES`] nodes.
#[derive(Clone, PartialEq, Debug)]
pub struct GraphBuffer {
    input: Shape,
    format: Format,
    nodes: Vec<Node, MAX_NODES>,
}

impl GraphBuffer {
    /// The graph.
    pub fn graph(&self) -> Graph<'_> {
        Graph::new(self.format, self.input, &self.nodes)
    }
}

/// Reads a graph from text; the module's head gives the grammar.
///
/// What it gives back is well-formed, not yet sound: whether shapes fit and sources lie before their readers is the
/// planner's to say.
///
/// # Errors
/// [`TextError`] with the line of the first mistake.
///
/// ```
/// use emberlite::graph::parse_graph;
/// let text = "emberlite-graph 1\ninput 4 f32\n0 linear outputs=3 bias=1 update=full from=previous\n";
/// let buffer = parse_graph(text).unwrap();
/// assert_eq!(buffer.graph().nodes.len(), 1);
/// assert_eq!(parse_graph("hello").unwrap_err().to_string(),
///     "not a graph: the first line must be `emberlite-graph <version>`");
/// ```
pub fn parse_graph(text: &str) -> Result<GraphBuffer, TextError> {
    let mut nodes = Vec::new();
    let (input, format) = read_graph(text, |line, node| {
        nodes.push(node).map_err(|_| TextError::TooManyNodes { line, limit: MAX_NODES as u32 })
    })?;
    Ok(GraphBuffer { input, format, nodes })
}

/// Reads a graph of any size from text: `take` is handed each node in order, with its line. Gives input and format.
///
/// # Errors
/// As [`parse_graph`], and what `take` refuses.
pub fn read_graph(
    text: &str,
    mut take: impl FnMut(u32, Node) -> Result<(), TextError>,
) -> Result<(Shape, Format), TextError> {
    let mut lines = (1u32..=u32::MAX).zip(text.split(['\n'])).filter(|(_, line)| !line.trim_ascii().is_empty());
    match lines.next() {
        Some((_, line)) if line.trim_ascii_end() == FIRST_LINE => {}
        Some((_, line)) if line.split_ascii_whitespace().next() == FIRST_LINE.split_ascii_whitespace().next() => {
            return Err(TextError::Version { supported: VERSION });
        }
        _ => return Err(TextError::NotAGraph),
    }
    let (line, words) = lines.next().ok_or(TextError::Input { line: 0 })?;
    let (input, format) = input(words).ok_or(TextError::Input { line })?;
    for (index, (line, words)) in lines.enumerate() {
        take(line, node(line, words, index)?)?;
    }
    Ok((input, format))
}

fn input(line: &str) -> Option<(Shape, Format)> {
    let mut words = line.split_ascii_whitespace();
    if words.next()? != "input" {
        return None;
    }
    let mut dims = Vec::<u16, 3>::new();
    for dim in words.next()?.split(['x']) {
        dims.push(dim.parse().ok()?).ok()?;
    }
    let name = words.next()?;
    let format = [Format::F32, Format::Fixed16].into_iter().find(|format| format.name() == name)?;
    match words.next() {
        Some(_) => None,
        None => Some((Shape::new(&dims), format)),
    }
}

fn node(line: u32, text: &str, index: usize) -> Result<Node, TextError> {
    let mut words = (1u32..=u32::MAX).zip(text.split_ascii_whitespace());
    if words.next().is_none_or(|(_, number)| number.parse() != Ok(index)) {
        return Err(TextError::Index { line, needed: index as u32 });
    }
    let name = words.next().map(|(_, name)| name);
    let op = PROTOTYPES.into_iter().chain(host::PROTOTYPES).find(|op| Some(op.name()) == name);
    let mut node = Node::new(op.ok_or(TextError::Operation { line })?);
    // Bits of `seen`: the attributes in their order, then these two.
    const UPDATE: u32 = 30;
    const FROM: u32 = 31;
    let mut seen = 0u32;
    for (word, text) in words {
        let unknown = TextError::Key { line, word };
        let (key, value) = text.split_once(['=']).ok_or(unknown)?;
        let (bit, key, parsed) = match key {
            "update" => (UPDATE, "update", update(value).map(|update| node.update = update)),
            "from" => (FROM, "from", sources(value, node.op.inputs(), &mut node.inputs)),
            _ => {
                let mut places = (0u32..).zip(fields(&mut node.op)).filter_map(|(place, field)| Some((place, field?)));
                let (place, (key, field)) = places.find(|(_, (name, _))| *name == key).ok_or(unknown)?;
                (place, key, field.parse(value))
            }
        };
        if seen >> bit & 1 == 1 {
            return Err(unknown);
        }
        seen |= 1 << bit;
        parsed.ok_or(TextError::Value { line, key })?;
    }
    let attributes = (0u32..).zip(fields(&mut node.op)).filter_map(|(place, field)| Some((place, field?.0)));
    let needed = attributes.chain([(UPDATE, "update"), (FROM, "from")]);
    for (bit, key) in needed {
        if seen >> bit & 1 == 0 {
            return Err(TextError::Missing { line, key });
        }
    }
    Ok(node)
}

fn update(text: &str) -> Option<Update> {
    [Update::Frozen, Update::BiasOnly, Update::Full].into_iter().find(|update| update.name() == text)
}

/// As many sources as the operation has inputs, separated by commas.
fn sources(text: &str, count: usize, inputs: &mut [Source; 2]) -> Option<()> {
    let mut words = text.split([',']);
    for source in inputs.iter_mut().take(count) {
        *source = match words.next()? {
            "previous" => Source::Previous,
            "input" => Source::Input,
            index => Source::Node(index.parse().ok()?),
        };
    }
    words.next().is_none().then_some(())
}
