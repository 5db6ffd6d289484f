//! The JSON header, written piece by piece.

use core::fmt::{self, Write};

use super::{Content, Section, Writer};
use crate::graph::write_graph;
use crate::image::{Kind, MAJOR, MINOR, MODEL, Name};

impl Writer<'_> {
    /// The JSON header without its padding.
    pub(super) fn json(&self, out: &mut dyn Write) -> fmt::Result {
        write!(out, "{{\"__metadata__\":{{\"emberlite\":\"{MAJOR}.{MINOR}\",\"graph\":\"")?;
        write_graph(&self.header.graph, &mut Escape(out))?;
        for (key, text) in self.header.metadata {
            out.write_str("\",\"")?;
            Escape(out).write_str(key)?;
            out.write_str("\":\"")?;
            Escape(out).write_str(text)?;
        }
        out.write_str("\"}")?;
        self.sections(&mut |section| {
            let (dtype, end) = (section.dtype().name(), section.start.saturating_add(section.len));

            write!(out, ",\"{section}\":{{\"dtype\":\"{dtype}\",\"shape\":[")?;
            let (rank, dims) = section.dims();
            for (place, dim) in dims.iter().take(rank.into()).enumerate() {
                write!(out, "{}{dim}", if place == 0 { "" } else { "," })?;
            }
            write!(out, "],\"data_offsets\":[{},{end}]}}", section.start)
        })?;
        out.write_str("}")
    }
}

/// The name of a tensor; nothing in it needs escaping.
impl fmt::Display for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (node, kind) = match self.content {
            Content::Toc => return f.write_str("~toc"),
            Content::Pad(number) => return write!(f, "~pad{number}"),
            Content::Seal => return f.write_str("~seal"),
            Content::Graph => (MODEL, Kind::Graph),
            Content::Entry(entry) => (entry.node, entry.kind),
        };
        write!(f, "{}", Name { node, kind })
    }
}

/// Text as the inside of a JSON string.
struct Escape<'a>(&'a mut dyn Write);

impl Write for Escape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // What needs escaping ends its piece; all of it is one byte in UTF-8.
        for piece in text.split_inclusive(|c: char| c < ' ' || c == '"' || c == '\\') {
            let (plain, last) = match piece.as_bytes().last() {
                Some(&last) if last < b' ' || last == b'"' || last == b'\\' => {
                    (piece.get(..piece.len() - 1), Some(last))
                }
                _ => (Some(piece), None),
            };
            self.0.write_str(plain.unwrap_or_default())?;
            match last {
                Some(b'\n') => self.0.write_str("\\n")?,
                Some(control) if control < b' ' => write!(self.0, "\\u{control:04x}")?,
                Some(quoted) => write!(self.0, "\\{}", char::from(quoted))?,
                None => {}
            }
        }
        Ok(())
    }
}
