//! Tables.

use super::html::{Mood, escape};
use super::number::grouped;
use std::fmt::Write as _;

/// One cell.
pub(super) enum Cell {
    /// Text, on the left.
    Text(String),
    /// Text on the left after a spot of a colour's class.
    Key(&'static str, String),
    /// A number, on the right.
    Number(String),
    /// The best number of its row, on the right.
    Best(String),
    /// A number with a bar of that share, 0 to 1, behind it, in a colour's class.
    Bar(String, f64, &'static str),
    /// A short word that is good or bad.
    Mood(Mood, String),
}

/// A row of cells; the last of a table may be a sum.
pub(super) type Row = Vec<Cell>;

/// A count, or a dot for none, which keeps tables calm.
pub(super) fn count(n: u64) -> String {
    if n == 0 { "·".into() } else { grouped(n) }
}

/// A table that scrolls sideways where it doesn't fit; the last `sums` rows are set apart. Nothing for no rows.
pub(super) fn table(head: &[&str], rows: &[Row], sums: usize) -> String {
    let Some(first) = rows.first() else { return String::new() };
    let mut out = String::from("<div class=\"wide\" tabindex=\"0\"><table>\n<thead><tr>");
    for (name, cell) in head.iter().zip(first) {
        let class =
            if matches!(cell, Cell::Number(_) | Cell::Best(_) | Cell::Bar(..)) { " class=\"number\"" } else { "" };
        let _ = write!(out, "<th scope=\"col\"{class}>{}</th>", escape(name));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (index, row) in rows.iter().enumerate() {
        out += if index + sums >= rows.len() { "<tr class=\"sum\">" } else { "<tr>" };
        for cell in row {
            self::cell(&mut out, cell);
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table></div>\n"
}

fn cell(out: &mut String, cell: &Cell) {
    // Writing to a String can't fail.
    let _ = match cell {
        Cell::Text(text) => write!(out, "<td>{}</td>", escape(text)),
        Cell::Key(class, text) => write!(out, "<td><i class=\"spot {class}\"></i>{}</td>", escape(text)),
        Cell::Number(text) => write!(out, "<td class=\"number\">{}</td>", escape(text)),
        Cell::Best(text) => write!(out, "<td class=\"number best\">{}</td>", escape(text)),
        Cell::Bar(text, share, class) => {
            let width = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
            let text = escape(text);
            write!(
                out,
                "<td class=\"number bar\"><i class=\"{class}\" style=\"--w:{width:.3}\"></i><span>{text}</span></td>"
            )
        }
        Cell::Mood(mood, text) => {
            write!(out, "<td><span class=\"badge {}\">{}</span></td>", mood.class(), escape(text))
        }
    };
}
