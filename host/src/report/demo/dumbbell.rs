//! Before and after, run by run: a line from a hollow dot to a full one.

use super::Names;
use super::facts::DemoReport;
use crate::report::html::{Key, escape, legend};
use crate::report::number::percent;
use std::fmt::Write as _;

const WIDTH: f64 = 400.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 18.0;
const ROW: f64 = 34.0;
const TOP: f64 = 6.0;
const BOTTOM: f64 = 22.0;
/// Runs that are drawn.
const MOST: usize = 24;

/// The chart of the runs with its legend; nothing for no runs.
pub(super) fn dumbbell(report: &DemoReport, names: &Names) -> String {
    let drawn = |run: &&super::DemoRun| run.new.both().is_some() || run.first.both().is_some();
    let runs: Vec<_> = report.runs.iter().filter(drawn).take(MOST).collect();
    if runs.is_empty() {
        return String::new();
    }
    let floor = TOP + ROW * runs.len() as f64;
    let x = |share: f64| LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT);
    let mut out = format!(
        "<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"accuracy before and after\">\n",
        floor + BOTTOM
    );
    for tick in 0..=4u8 {
        let at = x(f64::from(tick) / 4.0);
        let _ = writeln!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{floor}\"/>\
             <text class=\"middle\" x=\"{at:.1}\" y=\"{:.1}\">{} %</text>",
            floor + 16.0,
            tick * 25
        );
    }
    if let Some(chance) = report.chance.filter(|c| c.is_finite()) {
        let at = x(chance);
        let _ = writeln!(out, "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{floor}\"/>");
    }
    for (row, run) in runs.iter().enumerate() {
        let at = TOP + ROW * (row as f64 + 0.5);
        let _ = writeln!(
            out,
            "<text class=\"label end\" x=\"{0}\" y=\"{1:.1}\">{2}</text>\
             <text class=\"end\" x=\"{0}\" y=\"{3:.1}\">seed {4}</text>",
            LEFT - 10.0,
            at - 1.0,
            escape(&shortened(&run.direction())),
            at + 12.0,
            run.seed
        );
        for (class, name, side, dy) in [("c1", &names.new, &run.new, -5.0), ("c2", &names.first, &run.first, 7.0)] {
            let Some((before, after)) = side.both() else { continue };
            let (from, to, y) = (x(before), x(after), at + dy);
            let tip = escape(&format!("{name}: {} before, {} after", percent(before), percent(after)));
            let _ = writeln!(
                out,
                "<g><title>{tip}</title><line class=\"line {class}\" x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <circle class=\"hollow {class}\" cx=\"{from:.1}\" cy=\"{y:.1}\" r=\"4\"/>\
                 <circle class=\"dot {class}\" cx=\"{to:.1}\" cy=\"{y:.1}\" r=\"4.5\"/></g>"
            );
        }
    }
    let key = |class, name: &str| Key { class, dashed: false, text: format!("{name}: ○ before, ● after") };
    let mut keys = vec![key("c1", &names.new), key("c2", &names.first)];
    let chance = report.chance.filter(|c| c.is_finite());
    keys.extend(chance.map(|c| Key { class: "c5", dashed: true, text: format!("guessing {}", percent(c)) }));
    let keys = legend(&keys);
    format!("<figure><figcaption>Accuracy of each run</figcaption>\n{keys}{out}</svg>\n</figure>\n")
}

/// As much of a text as there is room for.
fn shortened(text: &str) -> String {
    if text.chars().count() <= 14 { text.into() } else { text.chars().take(13).chain(['…']).collect() }
}
