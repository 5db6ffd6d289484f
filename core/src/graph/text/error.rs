//! Why a text isn't a graph.

use core::fmt;

/// A mistake in a graph's text, with the line (counted from 1) and what was expected there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TextError {
    /// The text doesn't start with `emberlite-graph` and a version.
    NotAGraph,
    /// The grammar is newer than this library.
    Version {
        /// The version that this library reads.
        supported: u32,
    },
    /// The second line isn't `input <dimensions> <format>`.
    Input {
        /// The line; 0 if there is none.
        line: u32,
    },
    /// The line doesn't start with the node's number: nodes are numbered from 0 without gaps.
    Index {
        /// The line.
        line: u32,
        /// The number it should start with.
        needed: u32,
    },
    /// There is no operation of that name.
    Operation {
        /// The line.
        line: u32,
    },
    /// The operation has no attribute of that name, or it stands there twice, or isn't `key=value`.
    Key {
        /// The line.
        line: u32,
        /// The word in the line, counted from 1.
        word: u32,
    },
    /// An attribute is missing.
    Missing {
        /// The line.
        line: u32,
        /// The attribute.
        key: &'static str,
    },
    /// An attribute's value isn't one that it can have.
    Value {
        /// The line.
        line: u32,
        /// The attribute.
        key: &'static str,
    },
    /// There are more nodes than a graph's buffer holds.
    TooManyNodes {
        /// The line of the first node that doesn't fit.
        line: u32,
        /// How many fit.
        limit: u32,
    },
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            TextError::NotAGraph => f.write_str("not a graph: the first line must be `emberlite-graph <version>`"),
            TextError::Version { supported } => {
                write!(
                    f,
                    "line 1: this version of the graph's text is not known; supported is {supported}: update the library"
                )
            }
            TextError::Input { line } => {
                write!(f, "line {line}: expected `input <dimensions> <format>`, as in `input 6x50 f32`")
            }
            TextError::Index { line, needed } => {
                write!(f, "line {line}: expected the node's number, {needed}")
            }
            TextError::Operation { line } => write!(f, "line {line}: unknown operation"),
            TextError::Key { line, word } => {
                write!(f, "line {line}, word {word}: not `key=value` with a key of this operation, or a key twice")
            }
            TextError::Missing { line, key } => write!(f, "line {line}: `{key}` is missing"),
            TextError::Value { line, key } => {
                write!(f, "line {line}: the value of `{key}` is not one that it can have")
            }
            TextError::TooManyNodes { line, limit } => {
                write!(f, "line {line}: at most {limit} nodes fit")
            }
        }
    }
}

impl core::error::Error for TextError {}
