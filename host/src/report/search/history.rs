//! Scores in the order of trials, and the best so far.

use std::fmt::Write as _;

use super::super::axis::Axis;
use super::super::html::{Key, escape, legend};
use super::super::number::grouped;
use super::SearchReport;
use crate::study::{State, Trial};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const FLOOR: f64 = HEIGHT - 38.0;

/// The chart with heading and legend; nothing without a score.
pub(super) fn html(report: &SearchReport) -> String {
    let trials = &report.search_trials;
    let places = || trials.iter().filter_map(|trial| Some((f64::from(trial.place?.get()), trial)));
    let scores = || places().filter_map(|(place, trial)| Some((place, trial.score?)));
    let Some((first, _)) = scores().next() else { return String::new() };
    let last = places().next_back().map_or(first, |(place, _)| place);
    let mut sorted: Vec<f64> = scores().map(|(_, score)| score).collect();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(1.0));
    // A trial that diverged almost would press all others together.
    let at = |share: f64| sorted.get(((sorted.len() - 1) as f64 * share) as usize).copied().unwrap_or(least);
    let (low, high) = (at(0.05), at(0.95));
    let room = (high - low) * 1.5;
    let y_axis = if report.is_share {
        Axis::shares((least, most))
    } else {
        Axis::exact((least.max(low - room), most.min(high + room)))
    };
    let x_axis = Axis::exact((1.0, last.max(2.0)));
    let x = |place: f64| LEFT + x_axis.place(place) * (WIDTH - LEFT - RIGHT);
    let y = |score: f64| FLOOR - y_axis.place(score).clamp(0.0, 1.0) * (FLOOR - TOP);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"scores in the order of trials\" \
         style=\"min-width:520px\">\n"
    );
    scales(&mut svg, report, y_axis, x_axis);
    let mut line: Vec<String> = Vec::new();
    let mut best: Option<f64> = None;
    for (place, score) in scores() {
        if best.is_none_or(|best| report.direction.better(score, best)) {
            // Level up to here, then a step.
            line.extend(best.map(|best| format!("{:.1},{:.1}", x(place), y(best))));
            best = Some(score);
            line.push(format!("{:.1},{:.1}", x(place), y(score)));
        }
    }
    line.extend(best.map(|best| format!("{:.1},{:.1}", x(last), y(best))));
    let _ = writeln!(svg, "<polyline class=\"line c2\" points=\"{}\"/>", line.join(" "));
    for (place, trial) in places() {
        dot(&mut svg, report, trial, x(place), &y);
    }
    svg += "</svg>\n";
    let count = |state: State| trials.iter().filter(|trial| trial.state == state).count();
    let key = |class, text: String| Key { class, dashed: false, text };
    let mut keys = vec![key("c2", "best so far".into()), key("c1", format!("{} complete", count(State::Complete)))];
    for (state, class, word) in [(State::Pruned, "c5", "given up"), (State::Failed, "over", "failed")] {
        if count(state) > 0 {
            keys.push(key(class, format!("{} {word}", count(state))));
        }
    }
    let (title, legend) = (escape(&format!("{} by trial", report.metric)), legend(&keys));
    format!(
        "<figure><figcaption>{title}</figcaption>\n{legend}<div class=\"wide\" tabindex=\"0\">{svg}</div></figure>\n"
    )
}

fn dot(svg: &mut String, report: &SearchReport, trial: &Trial, x: f64, y: &dyn Fn(f64) -> f64) {
    let (class, at, said) = match (trial.state, trial.score.or(trial.values.last().copied())) {
        (State::Complete, Some(score)) => ("c1", y(score), report.value(score)),
        (State::Pruned, Some(value)) => ("c5", y(value), format!("given up at {}", report.value(value))),
        // At the edge: they have no score.
        (State::Failed, _) => ("over", FLOOR, format!("failed: {}", trial.reason)),
        _ => return,
    };
    let tip = escape(&format!("{}: {said}", trial.title()));
    let _ = writeln!(
        svg,
        "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{at:.1}\" r=\"4\"><title>{tip}</title></circle>"
    );
}

fn scales(svg: &mut String, report: &SearchReport, y_axis: Axis, x_axis: Axis) {
    let right = WIDTH - RIGHT;
    for tick in y_axis.ticks(5) {
        let at = FLOOR - y_axis.place(tick) * (FLOOR - TOP);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text class=\"end\" x=\"{}\" y=\"{:.1}\">{}</text>",
            LEFT - 6.0,
            at + 4.0,
            report.value(tick)
        );
    }
    for tick in x_axis.ticks(8).into_iter().filter(|tick| tick.fract() == 0.0) {
        let at = LEFT + x_axis.place(tick) * (right - LEFT);
        let class = if at > right - 14.0 { "end" } else { "middle" };
        let text = grouped(tick as u64);
        let _ = writeln!(svg, "<text class=\"{class}\" x=\"{at:.1}\" y=\"{}\">{text}</text>", FLOOR + 15.0);
    }
    let _ = writeln!(svg, "<text class=\"middle\" x=\"{}\" y=\"{}\">trial</text>", (LEFT + right) / 2.0, HEIGHT - 5.0);
}
