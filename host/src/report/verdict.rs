//! The first thing to read: one large figure, what it says, and what it is compared with.

use super::html::{Mood, escape, paragraph};
use super::number::percent;
use std::fmt::Write as _;

/// The headline of a page.
pub(super) struct Verdict {
    /// The figure.
    pub(super) value: String,
    /// What it is of.
    pub(super) text: String,
    /// Compared with these.
    pub(super) lines: Vec<Line>,
    /// A sentence below.
    pub(super) note: String,
    /// A judgement that stands out.
    pub(super) badge: Option<(Mood, String)>,
}

/// One of several figures that are compared.
pub(super) struct Line {
    name: String,
    value: String,
    remark: String,
    /// The length of its bar, 0 to 1.
    share: Option<f64>,
    /// Its bar's colour.
    class: &'static str,
}

impl Line {
    /// A share with a bar of that colour.
    pub(super) fn share(name: &str, share: f64, remark: String, class: &'static str) -> Line {
        Line { name: name.into(), value: percent(share), remark, share: Some(share), class }
    }

    /// A text without one.
    pub(super) fn text(name: &str, value: String) -> Line {
        Line { name: name.into(), value, remark: String::new(), share: None, class: "" }
    }
}

impl Verdict {
    /// The headline's box.
    pub(super) fn html(&self) -> String {
        let mut out = String::from("<section class=\"verdict\">\n<div>\n");
        let _ = writeln!(out, "<p class=\"figure\">{}</p>", escape(&self.value));
        out += &paragraph("says", &self.text);
        if let Some((mood, text)) = &self.badge {
            let _ = writeln!(out, "<p><span class=\"badge {}\">{}</span></p>", mood.class(), escape(text));
        }
        out += "</div>\n<div>\n";
        for Line { name, value, remark, share, class } in &self.lines {
            let name = escape(name);
            let (value, remark) = (escape(value), escape(remark));
            let _ = writeln!(out, "<p class=\"line-head\"><span>{name}</span><span><b>{value}</b> {remark}</span></p>");
            if let Some(share) = share.filter(|share| share.is_finite()) {
                let width = share.clamp(0.0, 1.0) * 100.0;
                let _ =
                    writeln!(out, "<div class=\"meter\"><i class=\"{class}\" style=\"width:{width:.1}%\"></i></div>");
            }
        }
        out += &paragraph("note", &self.note);
        out + "</div>\n</section>\n"
    }
}
