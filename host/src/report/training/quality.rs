//! Metrics, curves, calibration and examples of a judged set, as HTML.

use super::judged::Judged;
use super::look;
use crate::metrics::{BINS, Metric};
use crate::report::chart::{Across, Chart, Series, Shape, Unit};
use crate::report::html::{capital, columns, escape, section, sentence};
use crate::report::number::{grouped, percent, short};
use std::fmt::Write as _;

/// Everything that is known.
pub(super) fn html(judged: &Judged) -> String {
    let of = sentence(&judged.of);
    let charts = [calibration(judged), roc(judged), precision_recall(judged), predictions(judged), residuals(judged)];
    let list = metrics(judged);
    // Beside an only or last chart there is room for the list.
    let body = if charts.iter().filter(|chart| !chart.is_empty()).count() % 2 == 1 {
        columns(&std::iter::once(list).chain(charts).collect::<Vec<_>>())
    } else {
        list + &columns(&charts)
    };
    section("Metrics", &of, &body)
}

/// Samples that it gets wrong.
pub(super) fn examples(judged: &Judged) -> String {
    let shown = judged.examples.len() as u64;
    let numbers = !judged.predictions.is_empty();
    let (what, order) = match judged.examples.iter().all(|example| example.confidence.is_some()) {
        _ if numbers => ("samples", "those that are furthest off first"),
        true => ("mistakes", "those it was surest of first"),
        false => ("mistakes", "the first of each kind"),
    };
    let note = if judged.mistakes > shown {
        format!("{} of {} {what}, {order}.", grouped(shown), grouped(judged.mistakes))
    } else {
        format!("{}.", capital(order))
    };
    section(
        if numbers { "Where it is furthest off" } else { "What it gets wrong" },
        &note,
        &look::examples(&judged.examples, numbers),
    )
}

/// Names and values; one that isn't known any more is shown as it is.
fn metrics(judged: &Judged) -> String {
    if judged.metrics.is_empty() {
        return String::new();
    }
    let mut out = String::from("<dl class=\"metrics\">\n");
    for (name, value) in &judged.metrics {
        let metric: Option<Metric> = name.parse().ok();
        let value = if metric.is_some_and(Metric::is_share) { percent(*value) } else { short(*value) };
        let label = metric.map_or_else(|| name.replace('_', " "), Metric::label);
        let _ = writeln!(
            out,
            "<div><dt title=\"{}\">{}</dt><dd>{}</dd></div>",
            escape(name),
            escape(&capital(&label)),
            escape(&value)
        );
    }
    out + "</dl>\n"
}

fn diagonal(name: &str) -> Series {
    Series::line(name, "c5", true, vec![(0.0, 0.0), (1.0, 1.0)]).shaped(Shape::Guide)
}

fn calibration(judged: &Judged) -> String {
    let ranges = judged.calibration.iter().filter(|range| range.confidence.is_finite());
    // Each range where it lies, not where its samples' mean does, so that bars stand side by side.
    let count = BINS as f64;
    let middle = |confidence: f64| ((confidence * count).ceil().clamp(1.0, count) - 0.5) / count;
    let bars = ranges.clone().map(|range| (middle(range.confidence), range.accuracy)).collect();
    let all: u64 = judged.calibration.iter().map(|range| range.samples).sum();
    if all == 0 {
        return String::new();
    }
    let share = ranges.map(|range| (middle(range.confidence), range.samples as f64 / all as f64));
    let series = vec![
        Series::line("right", "c1", false, bars).shaped(Shape::Bars(1.0 / count)),
        Series::line("share of samples", "c2", false, share.collect()).shaped(Shape::Dots),
        diagonal("as sure as right"),
    ];
    let chart = Chart::new("Calibration", "how sure it is", Unit::Percent, series);
    Chart { across: Across::Share, ..chart }.html()
}

fn roc(judged: &Judged) -> String {
    let Some(curves) = &judged.curves else { return String::new() };
    let points = std::iter::once((0.0, 0.0)).chain(curves.roc.iter().copied()).collect();
    let name = with_area("found", judged, "roc_auc");
    let series = vec![Series::line(name, "c1", false, points), diagonal("guessing")];
    let chart = Chart::new(format!("ROC: {}", curves.positive), "wrongly said to be", Unit::Percent, series);
    Chart { across: Across::Share, ..chart }.html()
}

fn precision_recall(judged: &Judged) -> String {
    let Some(curves) = &judged.curves else { return String::new() };
    let name = with_area("of those said to be, right", judged, "average_precision");
    // From 0, or the axis would make small differences large.
    let guess =
        Series::line("guessing", "c5", true, vec![(0.0, curves.share), (1.0, curves.share)]).shaped(Shape::Guide);
    let series = vec![Series::line(name, "c2", false, curves.precision_recall.clone()), guess];
    let chart = Chart::new(format!("Precision and recall: {}", curves.positive), "found", Unit::Percent, series);
    Chart { across: Across::Share, ..chart }.html()
}

fn with_area(name: &str, judged: &Judged, metric: &str) -> String {
    let area = judged.metrics.iter().find(|(name, _)| name == metric);
    area.map_or_else(|| name.into(), |(_, area)| format!("{name} (area {})", short(*area)))
}

fn predictions(judged: &Judged) -> String {
    let points = &judged.predictions;
    let finite = points.iter().filter(|p| p.0.is_finite() && p.1.is_finite());
    let range = finite.flat_map(|p| [p.0, p.1]);
    let (lo, hi) = range.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
    if lo > hi {
        return String::new();
    }
    let series = vec![
        Series::line("samples", "c1", false, points.clone()).shaped(Shape::Dots),
        Series::line("predicted as it is", "c5", true, vec![(lo, lo), (hi, hi)]).shaped(Shape::Guide),
    ];
    let chart = Chart::new("Predicted numbers", "right number", Unit::Plain, series);
    Chart { across: Across::Number, ..chart }.html()
}

fn residuals(judged: &Judged) -> String {
    let Some(width) = judged.residuals.first().map(|range| range.width) else { return String::new() };
    let bars = judged.residuals.iter().map(|range| (range.middle, range.samples as f64)).collect();
    let series = vec![Series::line("samples", "c3", false, bars).shaped(Shape::Bars(width))];
    let chart = Chart::new("Errors", "predicted minus right", Unit::Counts, series);
    Chart { across: Across::Number, ..chart }.html()
}

#[cfg(test)]
mod tests {
    use super::super::judged::{CalibrationRange, Curves};
    use super::*;

    /// Of a range of confidences its middle is shown: 0.9 lies in the fourteenth fifteenth, 13/15 to 14/15, and 0.2 is the end of
    /// the third.
    #[test]
    fn calibration_shows_how_often_it_is_right_and_of_how_many() {
        let range = |confidence, accuracy, samples| CalibrationRange { confidence, accuracy, samples };
        let calibration = vec![range(0.2, 0.25, 10), range(0.9, 0.5, 30)];
        let page = html(&Judged { calibration, ..Judged::default() });
        for tip in [
            "right, how sure it is 16.7 %: 25.0 %",
            "share of samples, how sure it is 16.7 %: 25.0 %",
            "right, how sure it is 90.0 %: 50.0 %",
            "share of samples, how sure it is 90.0 %: 75.0 %",
        ] {
            assert!(page.contains(&format!("<title>{tip}</title>")), "no {tip} in {page}");
        }
    }

    #[test]
    fn curves_start_where_nothing_is_said_and_tell_their_own_area() {
        let curves = Curves {
            positive: "yes".into(),
            share: 0.25,
            roc: vec![(0.0, 0.5), (1.0, 1.0)],
            precision_recall: vec![(0.5, 1.0), (1.0, 0.5)],
        };
        let metrics = vec![("roc_auc".into(), 0.75), ("average_precision".into(), 0.625), ("accuracy".into(), 0.5)];
        let page = html(&Judged { curves: Some(curves), metrics, ..Judged::default() });
        assert!(
            page.contains("found (area 0.75)") && page.contains("of those said to be, right (area 0.625)"),
            "{page}"
        );
        // From the lower left corner up to a half, and to the upper right.
        assert!(page.contains("class=\"line c1\" points=\"52.0,198.0 52.0,104.0 390.0,10.0\""), "{page}");
        assert!(page.contains("<dd>50.0 %</dd>") && page.contains("<dd>0.75</dd>"), "{page}");
    }
}
