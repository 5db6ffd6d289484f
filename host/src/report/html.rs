//! The page around a report, and its small parts. Everything here takes text and gives escaped HTML.

use super::facts::FileFacts;
use super::number::{bytes, grouped};
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");

/// Text as HTML shows it, in an element or in a quoted attribute.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in HTML at all.
            c if c.is_control() && c != '\n' && c != '\t' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A whole page; `about` is small print below the lead, `body` is HTML.
pub(super) fn page(title: &str, kind: &str, lead: &str, about: &str, body: &str) -> String {
    let name = if title.is_empty() { kind } else { title };
    let lead = paragraph("lead", lead) + &paragraph("about", about);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title} · {kind}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <header>\n<p class=\"kind\">{kind}</p>\n<h1>{title}</h1>\n{lead}</header>\n{body}</main>\n</body>\n</html>\n",
        title = escape(name),
        kind = escape(kind),
    )
}

/// A section; nothing if its body is empty. `body` is HTML.
pub(super) fn section(title: &str, note: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    let note = paragraph("note", note);
    format!("<section>\n<h2>{}</h2>\n{note}{body}</section>\n", escape(title))
}

/// A heading within a section and what it is about; nothing if that is empty. `body` is HTML.
pub(super) fn part(title: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("<h3>{}</h3>\n{body}", escape(title)) }
}

/// Boxes side by side in equal columns where there is room; nothing if all are empty. Each is HTML.
pub(super) fn columns(boxes: &[String]) -> String {
    group("columns", boxes)
}

/// Boxes side by side, each as wide as it is, where there is room; nothing if all are empty. Each is HTML.
pub(super) fn beside(boxes: &[String]) -> String {
    group("beside", boxes)
}

fn group(class: &str, boxes: &[String]) -> String {
    let mut out = String::new();
    for body in boxes.iter().filter(|body| !body.is_empty()) {
        let _ = write!(out, "<div>\n{body}</div>\n");
    }
    if out.is_empty() { out } else { format!("<div class=\"{class}\">\n{out}</div>\n") }
}

/// A paragraph; nothing for no text.
pub(super) fn paragraph(class: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<p class=\"{class}\">{}</p>\n", escape(text)) }
}

/// A text as a sentence: with a capital and a full stop.
pub(super) fn sentence(text: &str) -> String {
    let text = capital(text.trim().trim_end_matches('.'));
    if text.is_empty() { text } else { text + "." }
}

/// A text with a capital.
pub(super) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// How a figure is to be taken; a class of the style.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mood {
    #[default]
    Plain,
    Good,
    Bad,
}

impl Mood {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Mood::Plain => "plain",
            Mood::Good => "good",
            Mood::Bad => "bad",
        }
    }
}

/// A figure among the first: name, value, and a remark below.
#[derive(Default)]
pub(super) struct Tile {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) remark: String,
    pub(super) mood: Mood,
}

impl Tile {
    pub(super) fn new(name: impl Into<String>, value: String, remark: impl Into<String>) -> Self {
        Tile { name: name.into(), value, remark: remark.into(), mood: Mood::Plain }
    }
}

/// The row of first figures; nothing for no tiles.
pub(super) fn tiles(tiles: &[Tile]) -> String {
    if tiles.is_empty() {
        return String::new();
    }
    let mut out = String::from("<div class=\"tiles\">\n");
    for tile in tiles {
        let _ = writeln!(
            out,
            "<div class=\"tile {}\"><p class=\"name\">{}</p><p class=\"value\">{}</p><p class=\"remark\">{}</p></div>",
            tile.mood.class(),
            escape(&tile.name),
            escape(&tile.value),
            escape(&tile.remark)
        );
    }
    out + "</div>\n"
}

/// A table of names and values; nothing for no pairs.
pub(super) fn pairs(pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let mut out = String::from("<dl class=\"pairs\">\n");
    for (name, value) in pairs {
        let _ = writeln!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    out + "</dl>\n"
}

/// Files with lengths and hashes; nothing for none.
pub(super) fn files(files: &[FileFacts]) -> String {
    let line = |file: &FileFacts| {
        let size = format!("{} ({})", bytes(file.bytes), grouped(file.bytes));
        let text = if file.hash.is_empty() { size } else { format!("{size} · {}", file.hash) };
        (file.name.clone(), text)
    };
    pairs(&files.iter().map(line).collect::<Vec<_>>())
}

/// Lines to be typed again; nothing for none.
pub(super) fn command(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<pre tabindex=\"0\"><code>{}</code></pre>\n", escape(text)) }
}

/// One entry of a legend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// The colour's class.
    pub(super) class: &'static str,
    pub(super) dashed: bool,
    pub(super) text: String,
}

/// Coloured names for what a chart shows.
pub(super) fn legend(keys: &[Key]) -> String {
    let mut out = String::from("<p class=\"legend\">");
    for Key { class, dashed, text } in keys {
        let dashed = if *dashed { " dashed" } else { "" };
        let _ = write!(out, "<span><i class=\"key {class}{dashed}\"></i>{}</span> ", escape(text));
    }
    out + "</p>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(escape("<b a=\"1\">'&\u{0}x"), "&lt;b a=&quot;1&quot;&gt;&#39;&amp;\u{fffd}x");
        let evil = "</title><script>alert(1)</script>";
        let page = page(evil, evil, evil, evil, &(pairs(&[(evil.into(), evil.into())]) + &command(evil)));
        assert!(!page.contains("<script"));
        assert_eq!(page.matches("</title>").count(), 1);
    }

    #[test]
    fn nothing_makes_nothing() {
        assert_eq!(section("a", "b", "") + &part("a", "") + &columns(&[String::new()]), "");
        assert_eq!(sentence("") + &sentence(" über alles. "), "Über alles.");
        assert_eq!(tiles(&[]) + &pairs(&[]) + &files(&[]) + &command("") + &paragraph("", ""), "");
    }
}
