//! Parallel coordinates: an upright axis a parameter, the score last, a line a trial.

use std::fmt::Write as _;

use serde_json::Value;

use super::super::axis::Axis;
use super::super::html::{Key, escape, legend};
use super::super::number::short;
use super::SearchReport;
use super::facts::{ParameterFacts, labels, shown};
use crate::study::{State, Trial, ranking};

/// Pixels between two axes, at least.
const GAP: f64 = 130.0;
const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 340.0;
const SIDE: f64 = 64.0;
const TOP: f64 = 34.0;
const FLOOR: f64 = HEIGHT - 34.0;
/// Where lines run of parameters that didn't vary.
const UNUSED: f64 = HEIGHT - 12.0;
/// Lines that stand out: this share of the complete trials.
const GOOD: f64 = 0.1;

/// The chart with heading and legend; nothing without a complete trial.
pub(super) fn html(report: &SearchReport) -> String {
    let ranked = ranking(&report.search_trials, report.direction);
    let Some(best) = ranked.first() else { return String::new() };
    let count = report.parameters.len();
    let width = WIDTH.max(2.0 * SIDE + GAP * count as f64);
    let x = |axis: usize| SIDE + axis as f64 * (width - 2.0 * SIDE) / count.max(1) as f64;
    let mut scores: Vec<f64> = ranked.iter().filter_map(|trial| trial.score).collect();
    scores.sort_by(f64::total_cmp);
    let last = scores.len() - 1;
    // A tenth of them from below and from above; of a few, all.
    let tenth = last / 10;
    let (low, high) = (scores[tenth], scores[last - tenth]);
    // A few bad ones would press all others together; they lie at the end of the axis.
    let room = high - low;
    let range = (scores[0].max(low - room), scores[last].min(high + room));
    let score_axis = Axis::exact(range);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {width:.0} {HEIGHT}\" role=\"img\" aria-label=\"trials by their parameters and scores\" \
         style=\"min-width:{:.0}px\">\n",
        width * 0.7
    );
    let good = ((ranked.len() as f64 * GOOD).ceil() as usize).max(1);
    let path = |trial: &Trial| {
        let mut points: Vec<(f64, f64)> = report
            .parameters
            .iter()
            .enumerate()
            .map(|(i, p)| (x(i), place(p, trial.parameters.get(&p.path))))
            .collect();
        points.extend(
            trial.score.map(|score| (x(count), FLOOR - score_axis.place(score).clamp(0.0, 1.0) * (FLOOR - TOP))),
        );
        points
    };
    // The best last, so that they lie on top.
    let without = report.search_trials.iter().filter(|trial| trial.state == State::Pruned);
    for trial in without {
        line(&mut svg, report, trial, &path(trial), "c5 dashed", 0.35);
    }
    for (rank, trial) in ranked.iter().enumerate().rev() {
        let (class, opacity) = match rank {
            0 => ("c2", 1.0),
            rank if rank < good => ("c1", 0.95),
            // From clear to faint with the rank.
            rank => ("c5", 0.75 - 0.5 * rank as f64 / ranked.len() as f64),
        };
        line(&mut svg, report, trial, &path(trial), class, opacity);
    }
    let paths: Vec<&str> = report.parameters.iter().map(|parameter| parameter.path.as_str()).collect();
    for ((i, parameter), label) in report.parameters.iter().enumerate().zip(labels(&paths)) {
        let ticks: Vec<(f64, String)> = match parameter.choices.is_empty() {
            true => {
                let axis = axis(parameter);
                let at = |tick: f64| (FLOOR - axis.place(tick) * (FLOOR - TOP), short(tick));
                axis.ticks(5).into_iter().map(at).collect()
            }
            false => {
                parameter.choices.iter().map(|choice| (place(parameter, Some(choice)), cut(&shown(choice)))).collect()
            }
        };
        upright(&mut svg, x(i), label, &parameter.path, &ticks);
    }
    let ticks: Vec<(f64, String)> = score_axis
        .ticks(5)
        .into_iter()
        .map(|tick| (FLOOR - score_axis.place(tick) * (FLOOR - TOP), report.value(tick)))
        .collect();
    upright(&mut svg, x(count), "score", &report.metric, &ticks);
    svg += "</svg>\n";
    let mut keys = vec![Key { class: "c2", dashed: false, text: format!("best: {}", best.title()) }];
    if good > 1 {
        keys.push(Key { class: "c1", dashed: false, text: format!("the best {good}") });
    }
    keys.push(Key { class: "c5", dashed: false, text: "other complete ones".into() });
    if report.search_trials.iter().any(|trial| trial.state == State::Pruned) {
        keys.push(Key { class: "c5", dashed: true, text: "given up, without a score".into() });
    }
    format!(
        "<figure><figcaption>Parallel coordinates</figcaption>\n{}<div class=\"wide\" tabindex=\"0\">{svg}</div></figure>\n",
        legend(&keys)
    )
}

fn axis(parameter: &ParameterFacts) -> Axis {
    Axis::range((parameter.low, parameter.high), parameter.log)
}

/// The height of a value; below the axis where the parameter didn't vary.
fn place(parameter: &ParameterFacts, value: Option<&Value>) -> f64 {
    let share = match (value, parameter.choices.is_empty()) {
        (None, _) => return UNUSED,
        (Some(value), true) => value.as_f64().map(|number| axis(parameter).place(number)),
        (Some(value), false) => {
            let last = parameter.choices.len().saturating_sub(1).max(1) as f64;
            parameter.choices.iter().position(|choice| choice == value).map(|index| index as f64 / last)
        }
    };
    share.map_or(UNUSED, |share| FLOOR - share.clamp(0.0, 1.0) * (FLOOR - TOP))
}

fn line(svg: &mut String, report: &SearchReport, trial: &Trial, points: &[(f64, f64)], class: &str, opacity: f64) {
    let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let score = match (trial.score, trial.state) {
        (Some(score), _) => report.value(score),
        (None, state) => state.name().into(),
    };
    let values: Vec<String> =
        trial.parameters.iter().map(|(path, value)| format!("{path} = {}", shown(value))).collect();
    let tip = escape(&format!("{}: {score}\n{}", trial.title(), values.join("\n")));
    // Writing to a String can't fail.
    let _ = writeln!(
        svg,
        "<polyline class=\"line thin {class}\" style=\"opacity:{opacity:.2}\" points=\"{}\"><title>{tip}</title></polyline>",
        points.join(" ")
    );
}

fn upright(svg: &mut String, x: f64, label: &str, path: &str, ticks: &[(f64, String)]) {
    let _ = writeln!(
        svg,
        "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{FLOOR}\"/>\
         <text class=\"middle label\" x=\"{x:.1}\" y=\"{}\">{}<title>{}</title></text>",
        TOP - 14.0,
        escape(&cut(label)),
        escape(path)
    );
    for (y, text) in ticks {
        let _ = writeln!(
            svg,
            "<line class=\"axis\" x1=\"{:.1}\" x2=\"{x:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"halo end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x - 4.0,
            x - 7.0,
            y + 4.0,
            escape(text)
        );
    }
}

/// What fits between two axes.
fn cut(text: &str) -> String {
    match text.char_indices().nth(18) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}
