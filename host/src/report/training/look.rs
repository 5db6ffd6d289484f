//! Examples as pictures, traces, rows and texts.

use super::judged::{Example, Look};
use crate::report::html::escape;
use crate::report::number::{percent, short};
use std::fmt::Write as _;

/// Examples that are shown.
const MOST: usize = 24;
/// Channels of a trace that are drawn, numbers of a row that are listed, characters of a text.
const CHANNELS: usize = 6;
const COLUMNS: usize = 16;
const CHARACTERS: usize = 400;
/// Points of a channel; more are thinned.
const POINTS: usize = 160;
const COLOURS: [&str; CHANNELS] = ["c1", "c2", "c3", "c4", "c6", "c7"];

/// A card an example; nothing for none. `numbers`: rather than classes.
pub(super) fn examples(all: &[Example], numbers: bool) -> String {
    if all.is_empty() {
        return String::new();
    }
    let wide = all.iter().any(|example| matches!(example.look, Look::Row(_) | Look::Text(_)));
    let mut out = format!("<div class=\"examples{}\">\n", if wide { " roomy" } else { "" });
    let said = if numbers { "predicted as" } else { "taken for" };
    for example in all.iter().take(MOST) {
        out += "<figure class=\"example\">";
        look(&mut out, &example.look);
        let sure = example.confidence.map(|c| format!(", {} sure", percent(c))).unwrap_or_default();
        let _ = writeln!(
            out,
            "<figcaption><b>{}</b> {said} <b class=\"wrong\">{}</b><br/><small>sample {}{sure}</small></figcaption></figure>",
            escape(&example.right),
            escape(&example.predicted),
            example.sample
        );
    }
    out + "</div>\n"
}

fn look(out: &mut String, look: &Look) {
    let _ = match look {
        Look::None => Ok(()),
        Look::Picture { width, height, png } if is_base64(png) && *width > 0 && *height > 0 => {
            // Few pixels are shown as squares.
            let crisp = if (*width).max(*height) <= 64 { " class=\"crisp\"" } else { "" };
            write!(
                out,
                "<img{crisp} width=\"{width}\" height=\"{height}\" alt=\"\" src=\"data:image/png;base64,{png}\"/>"
            )
        }
        Look::Picture { .. } => Ok(()),
        Look::Trace(channels) => {
            trace(out, channels);
            Ok(())
        }
        Look::Row(pairs) => {
            let mut text = String::from("<dl>");
            for (name, value) in pairs.iter().take(COLUMNS) {
                let _ = write!(text, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
            }
            if pairs.len() > COLUMNS {
                let _ = write!(text, "<div><dt>and {} more</dt><dd></dd></div>", pairs.len() - COLUMNS);
            }
            write!(out, "{text}</dl>")
        }
        Look::Text(text) => {
            let more = if text.chars().count() > CHARACTERS { "…" } else { "" };
            let shown: String = text.chars().take(CHARACTERS).collect();
            write!(out, "<blockquote>{}{more}</blockquote>", escape(&shown))
        }
    };
}

/// What stands in a quoted attribute as it is.
fn is_base64(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

fn trace(out: &mut String, channels: &[Vec<f32>]) {
    let (width, height) = (160.0, 84.0);
    let shown = || channels.iter().take(CHANNELS);
    let finite = || shown().flatten().map(|&v| f64::from(v)).filter(|v| v.is_finite());
    let (lo, hi) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return;
    }
    let range = if hi > lo { hi - lo } else { 1.0 };
    let label = format!("from {} to {}", short(lo), short(hi));
    let _ = write!(
        out,
        "<svg class=\"trace\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\"><title>{label}</title>"
    );
    for (channel, class) in shown().zip(COLOURS) {
        let count = channel.len();
        let step = count.div_ceil(POINTS).max(1);
        let mut line = String::new();
        for (at, &value) in channel.iter().enumerate().step_by(step).filter(|(_, v)| v.is_finite()) {
            let x = 2.0 + (width - 4.0) * at as f64 / (count.max(2) - 1) as f64;
            let y = 3.0 + (height - 6.0) * (hi - f64::from(value)) / range;
            let _ = write!(line, "{x:.1},{y:.1} ");
        }
        let _ = write!(out, "<polyline class=\"line thin {class}\" points=\"{}\"/>", line.trim_end());
    }
    *out += "</svg>";
}
