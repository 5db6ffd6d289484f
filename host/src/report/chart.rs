//! A line chart as inline SVG.
//!
//! Sized for half a page on a desk and a whole one on a phone, so that its text is readable on both: an SVG scales as a
//! whole. Colours are classes of the page's style.

use super::axis::Axis;
use super::html::{Key, escape, legend};
use super::number::{grouped, percent, short};
use std::fmt::Write as _;

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 236.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 38.0;
/// Where the horizontal axis lies.
const FLOOR: f64 = HEIGHT - BOTTOM;
/// Stretches into which a line of more points is cut, each shown by its first, lowest and highest point.
const STRETCHES: usize = 120;

/// One line.
pub(super) struct Series {
    pub(super) name: String,
    /// The colour: "c1" to "c5".
    pub(super) class: &'static str,
    pub(super) dashed: bool,
    /// x and y; what isn't finite, or is no share where shares are shown, is left out.
    pub(super) points: Vec<(f64, f64)>,
    pub(super) shape: Shape,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Joined, each with its value when pointed at.
    Line,
    /// Joined, and nothing more: for reference.
    Guide,
    /// One by one.
    Dots,
    /// As bars from zero, so wide in the unit of x.
    Bars(f64),
}

impl Series {
    /// A line.
    pub(super) fn line(name: impl Into<String>, class: &'static str, dashed: bool, points: Vec<(f64, f64)>) -> Series {
        Series { name: name.into(), class, dashed, points, shape: Shape::Line }
    }

    /// The same in another shape.
    pub(super) fn shaped(self, shape: Shape) -> Series {
        Series { shape, ..self }
    }
}

/// What the horizontal axis counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Across {
    /// Whole numbers: epochs and steps.
    Whole,
    /// Shares of 0 to 1.
    Share,
    /// Any numbers.
    Number,
}

/// What the vertical axis shows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Numbers, from 0 or logarithmic.
    Number,
    /// Shares as percent, up to 100.
    Percent,
    /// Numbers, from the least to the most.
    Plain,
    /// How many, from 0.
    Counts,
}

/// A chart.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x_name: &'static str,
    pub(super) across: Across,
    pub(super) unit: Unit,
    pub(super) series: Vec<Series>,
    /// A vertical line and its name; the legend tells the values there, or else the last ones.
    pub(super) mark: Option<(f64, String)>,
    /// A horizontal line and its name.
    pub(super) level: Option<(f64, String)>,
}

impl Chart {
    /// A chart over epochs or steps.
    pub(super) fn new(title: impl Into<String>, x_name: &'static str, unit: Unit, series: Vec<Series>) -> Chart {
        Chart { title: title.into(), x_name, across: Across::Whole, unit, series, mark: None, level: None }
    }

    /// The chart with its heading and legend; nothing where there isn't a point to show.
    pub(super) fn html(mut self) -> String {
        let (shares, share_of) = (self.unit == Unit::Percent, self.across == Across::Share);
        for series in &mut self.series {
            let shown = |y: f64| y.is_finite() && (!shares || (0.0..=1.0).contains(&y));
            let there = |x: f64| x.is_finite() && (!share_of || (0.0..=1.0).contains(&x));
            series.points.retain(|&(x, y)| there(x) && shown(y));
        }
        self.series.retain(|series| !series.points.is_empty());
        if self.series.is_empty() {
            return String::new();
        }
        let (x, y) = self.axes();
        let log = if y.is_log() { " (logarithmic)" } else { "" };
        let (title, legend, svg) = (escape(&self.title), legend(&self.keys()), self.svg(x, y));
        format!("<figure><figcaption>{title}{log}</figcaption>\n{legend}{svg}</figure>\n")
    }

    /// One entry for each kind of line, with the value of the only one of that kind.
    fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = Vec::new();
        for series in &self.series {
            let alike = |other: &&Series| other.name == series.name && other.class == series.class;
            let text = match self.series.iter().filter(alike).count() {
                // A last value says something of what goes on in time.
                1 if self.across == Across::Whole && series.shape == Shape::Line => {
                    format!("{} {}", series.name, self.value(self.told(series)))
                }
                _ => series.name.clone(),
            };
            let key = Key { class: series.class, dashed: series.dashed, text };
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The value at the mark, or the last.
    fn told(&self, series: &Series) -> f64 {
        let marked = self.mark.as_ref().and_then(|(at, _)| series.points.iter().find(|p| p.0 == *at));
        marked.or(series.points.last()).map_or(f64::NAN, |p| p.1)
    }

    fn value(&self, y: f64) -> String {
        if self.unit == Unit::Percent { percent(y) } else { short(y) }
    }

    fn axes(&self) -> (Axis, Axis) {
        let range = |f: fn(&(f64, f64)) -> f64| {
            let values = self.series.iter().flat_map(|s| s.points.iter()).map(f);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)))
        };
        let y = range(|p| p.1);
        let x = if self.across == Across::Share { Axis::exact((0.0, 1.0)) } else { Axis::exact(range(|p| p.0)) };
        let y = match self.unit {
            Unit::Percent => Axis::shares(y),
            Unit::Number => Axis::amounts(y),
            Unit::Plain => Axis::exact(y),
            Unit::Counts => Axis::amounts((0.0, y.1)),
        };
        (x, y)
    }

    fn svg(&self, x_axis: Axis, y_axis: Axis) -> String {
        let x = |v: f64| LEFT + x_axis.place(v) * (WIDTH - LEFT - RIGHT);
        let y = |v: f64| FLOOR - y_axis.place(v) * (FLOOR - TOP);
        let names: Vec<&str> = self.series.iter().map(|s| s.name.as_str()).collect();
        let label = escape(&format!("{}: {}", self.title, names.join(", ")));
        let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">\n");
        self.scales(&mut out, x_axis, y_axis);
        let right = WIDTH - RIGHT;
        if let Some((at, name)) = self.level.as_ref().filter(|(at, _)| y_axis.contains(*at)) {
            let (at, name) = (y(*at), escape(name));
            let _ = writeln!(
                out,
                "<line class=\"mark\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"end\" x=\"{right}\" y=\"{:.1}\">{name}</text>",
                at - 4.0
            );
        }
        if let Some((at, name)) = self.mark.as_ref().filter(|(at, _)| x_axis.contains(*at)) {
            let (class, dx) = if x_axis.place(*at) > 0.5 { ("end", -5.0) } else { ("start", 5.0) };
            // Away from the lines: a loss ends low, a share high.
            let (at, name) = (x(*at), escape(name));
            let height = if self.unit == Unit::Percent { FLOOR - 7.0 } else { TOP + 11.0 };
            let _ = writeln!(
                out,
                "<line class=\"mark\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{FLOOR}\"/>\
                 <text class=\"{class}\" x=\"{:.1}\" y=\"{height}\">{name}</text>",
                at + dx
            );
        }
        for series in &self.series {
            self.line(&mut out, series, &x, &y);
        }
        out + "</svg>\n"
    }

    /// The round numbers at both axes.
    fn scales(&self, out: &mut String, x_axis: Axis, y_axis: Axis) {
        for tick in y_axis.ticks(5) {
            let text = if self.unit == Unit::Percent { format!("{:.0} %", tick * 100.0) } else { short(tick) };
            let at = FLOOR - y_axis.place(tick) * (FLOOR - TOP);
            let _ = writeln!(
                out,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
                 <text class=\"end\" x=\"{}\" y=\"{:.1}\">{text}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 4.0
            );
        }
        let whole = self.across == Across::Whole;
        for tick in x_axis.ticks(6).into_iter().filter(|t| !whole || t.fract() == 0.0) {
            let at = LEFT + x_axis.place(tick) * (WIDTH - LEFT - RIGHT);
            let text = match self.across {
                Across::Whole if tick >= 0.0 => grouped(tick as u64),
                Across::Share => format!("{:.0} %", tick * 100.0),
                _ => short(tick),
            };
            // The last label ends where the axis does.
            let (class, at) = if at > WIDTH - RIGHT - 14.0 { ("end", WIDTH - RIGHT) } else { ("middle", at) };
            let _ = writeln!(out, "<text class=\"{class}\" x=\"{at:.1}\" y=\"{}\">{text}</text>", FLOOR + 15.0);
        }
        let (middle, bottom) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 5.0);
        let _ = writeln!(out, "<text class=\"middle\" x=\"{middle}\" y=\"{bottom}\">{}</text>", escape(self.x_name));
    }

    fn line(&self, out: &mut String, series: &Series, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
        match series.shape {
            Shape::Line => {}
            Shape::Guide => return self.guide(out, series, x, y),
            Shape::Dots => return self.dots(out, series, x, y),
            Shape::Bars(width) => return self.bars(out, series, width, x, y),
        }
        let points = thinned(&series.points);
        let (class, dashed) = (series.class, if series.dashed { " dashed" } else { "" });
        let thin = if self.series.len() > 3 { " thin" } else { "" };
        let line: Vec<String> = points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
        let _ = writeln!(out, "<polyline class=\"line {class}{dashed}{thin}\" points=\"{}\"/>", line.join(" "));
        // A dot for each point says its value when pointed at; alone, it is all there is to see.
        let marked = |p: &(f64, f64)| self.mark.as_ref().is_some_and(|(at, _)| *at == p.0);
        for p in &points {
            let (kind, radius) = match points.len() {
                1 => ("dot", 4.0),
                _ if marked(p) => ("dot", 4.0),
                2..=24 if self.series.len() <= 3 => ("dot", 2.5),
                2..=STRETCHES => ("point", 5.0),
                _ => continue,
            };
            let tip = escape(&self.tip(series, *p));
            let _ = writeln!(
                out,
                "<circle class=\"{kind} {class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\"><title>{tip}</title></circle>",
                x(p.0),
                y(p.1)
            );
        }
    }
}

impl Chart {
    fn guide(&self, out: &mut String, series: &Series, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
        let line: Vec<String> = series.points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(p.1))).collect();
        let (class, dashed) = (series.class, if series.dashed { " dashed" } else { "" });
        let _ = writeln!(out, "<polyline class=\"line {class}{dashed} thin\" points=\"{}\"/>", line.join(" "));
    }

    fn dots(&self, out: &mut String, series: &Series, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
        let class = series.class;
        for p in &series.points {
            let tip = escape(&self.tip(series, *p));
            let _ = writeln!(
                out,
                "<circle class=\"sample {class}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"2.6\"><title>{tip}</title></circle>",
                x(p.0),
                y(p.1)
            );
        }
    }

    fn bars(&self, out: &mut String, series: &Series, width: f64, x: &dyn Fn(f64) -> f64, y: &dyn Fn(f64) -> f64) {
        let class = series.class;
        for p in &series.points {
            let (left, right) = (x(p.0 - width / 2.0).max(LEFT), x(p.0 + width / 2.0).min(WIDTH - RIGHT));
            let (top, tip) = (y(p.1).clamp(TOP, FLOOR), escape(&self.tip(series, *p)));
            let _ = writeln!(
                out,
                "<rect class=\"column {class}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{tip}</title></rect>",
                left + 0.75,
                (right - left - 1.5).max(0.5),
                FLOOR - top
            );
        }
    }

    /// What is told when a point is pointed at.
    fn tip(&self, series: &Series, p: (f64, f64)) -> String {
        let across = if self.across == Across::Share { percent(p.0) } else { short(p.0) };
        format!("{}, {} {across}: {}", series.name, self.x_name, self.value(p.1))
    }
}

/// The points, or of too many the first, lowest and highest of each stretch, and the last: peaks stay.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= 3 * STRETCHES {
        return points.to_vec();
    }
    let mut out: Vec<(f64, f64)> = Vec::with_capacity(3 * STRETCHES + 1);
    let size = points.len().div_ceil(STRETCHES);
    for (start, stretch) in points.chunks(size).enumerate() {
        let by = |a: &usize, b: &usize| stretch[*a].1.total_cmp(&stretch[*b].1);
        let mut chosen = [Some(0), (0..stretch.len()).min_by(by), (0..stretch.len()).max_by(by)];
        chosen.sort();
        let last = if (start + 1) * size >= points.len() { stretch.len().checked_sub(1) } else { None };
        let mut indices: Vec<usize> = chosen.into_iter().flatten().chain(last).collect();
        indices.dedup();
        out.extend(indices.iter().filter_map(|&i| stretch.get(i)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[(f64, f64)]) -> Chart {
        Chart::new("loss", "epoch", Unit::Number, vec![Series::line("a", "c1", false, points.to_vec())])
    }

    #[test]
    fn what_is_not_finite_stays_out() {
        assert_eq!(chart(&[]).html(), "");
        assert_eq!(chart(&[(1.0, f64::NAN)]).html(), "");
        assert_eq!(chart(&[(f64::NAN, 1.0), (f64::INFINITY, 1.0)]).html(), "");
        let shares = Chart { unit: Unit::Percent, ..chart(&[(1.0, 1.5), (2.0, -0.1)]) };
        assert_eq!(shares.html(), "");
        let html = chart(&[(1.0, 2.0), (2.0, f64::INFINITY), (3.0, 0.0)]).html();
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        let one = chart(&[(5.0, 0.0)]).html();
        assert!(one.contains("<circle") && !one.contains("NaN"), "{one}");
    }

    #[test]
    fn many_points_become_few_and_peaks_stay() {
        let mut many: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 1.0)).collect();
        (many[54_321].1, many[77_777].1) = (7.0, -3.0);
        // The end is neither the highest nor the lowest of its stretch.
        (many[99_997].1, many[99_998].1) = (0.0, 2.0);
        let few = thinned(&many);
        assert!(few.len() <= 3 * STRETCHES + 1);
        assert!(few.contains(&(54_321.0, 7.0)) && few.contains(&(77_777.0, -3.0)));
        assert!(few.last() == many.last() && few.first() == many.first());
        assert!(few.is_sorted_by(|a, b| a.0 < b.0));
        assert!(chart(&many).html().len() < 20_000);
    }

    /// The frame is 400 by 236 with margins of 52 and 10 beside, 10 above and 38 below: x from 52 to 390, y from 198 up to 10.
    #[test]
    fn points_and_bars_lie_where_their_axes_say() {
        let line = Chart { unit: Unit::Plain, ..chart(&[(0.0, 5.0), (5.0, 20.0), (10.0, 25.0)]) }.html();
        // 15 of the 20 between 5 and 25: 198 - 0.75 * 188.
        assert!(line.contains("points=\"52.0,198.0 221.0,57.0 390.0,10.0\""), "{line}");
        let bars = Series::line("a", "c1", false, vec![(1.0, 4.0), (3.0, 2.0)]).shaped(Shape::Bars(2.0));
        let bars = Chart { across: Across::Number, ..Chart::new("", "error", Unit::Counts, vec![bars]) }.html();
        // From 0 to 2 and 2 to 4 where 1 to 3 is seen: each half of 338, 1.5 less, one full and one half of 188 high.
        for bar in [
            "x=\"52.8\" y=\"10.0\" width=\"167.5\" height=\"188.0\"",
            "x=\"221.8\" y=\"104.0\" width=\"167.5\" height=\"94.0\"",
        ] {
            assert!(bars.contains(bar), "{bars}");
        }
    }

    #[test]
    fn the_legend_tells_the_value_at_the_mark() {
        let points = [(1.0, 3.0), (2.0, 1.5), (3.0, 2.25)];
        assert!(chart(&points).html().contains("</i>a 2.25</span>"));
        let marked = Chart { mark: Some((2.0, "best".into())), ..chart(&points) };
        assert!(marked.html().contains("</i>a 1.5</span>"));
    }
}
