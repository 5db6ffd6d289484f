//! All runs in tables, with the means of each direction and of all.

use super::Names;
use super::facts::{BeforeAfter, DemoReport, DemoRun, Parity};
use crate::report::html::Mood;
use crate::report::number::{NONE, duration, grouped, mean, percent_of, points};
use crate::report::table::{Cell, Row, count, table};

/// Mean accuracies before and after, over the runs that know both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Means {
    pub(super) new: Option<(f64, f64)>,
    pub(super) first: Option<(f64, f64)>,
}

impl Means {
    pub(super) fn of<'a>(runs: impl IntoIterator<Item = &'a DemoRun> + Clone) -> Means {
        let mean = |side: fn(&DemoRun) -> &BeforeAfter| {
            let both = runs.clone().into_iter().filter_map(|run| side(run).both());
            let both: Vec<(f64, f64)> = both.collect();
            let means = (mean(both.iter().map(|b| b.0)), mean(both.iter().map(|b| b.1)));
            (!both.is_empty()).then_some(means)
        };
        Means { new: mean(|run| &run.new), first: mean(|run| &run.first) }
    }
}

impl BeforeAfter {
    /// Both, if both are numbers.
    pub(super) fn both(&self) -> Option<(f64, f64)> {
        let finite = |share: Option<f64>| share.filter(|s| s.is_finite());
        Some((finite(self.before)?, finite(self.after)?))
    }
}

impl DemoRun {
    /// `right → left`.
    pub(super) fn direction(&self) -> String {
        format!("{} → {}", self.from, self.to)
    }
}

/// The directions in the order in which they first occur.
fn directions(runs: &[DemoRun]) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for direction in runs.iter().map(DemoRun::direction) {
        if !out.contains(&direction) {
            out.push(direction);
        }
    }
    out
}

/// Accuracies of all runs and their means.
pub(super) fn accuracies(report: &DemoReport, names: &Names) -> String {
    let runs = &report.runs;
    let row = |name: String, seed: String, new: &BeforeAfter, first: &BeforeAfter| -> Row {
        let change = new.both().map_or(f64::NAN, |(before, after)| after - before);
        let bar = |share: Option<f64>, class| Cell::Bar(percent_of(share), share.unwrap_or(0.0), class);
        vec![
            Cell::Text(name),
            Cell::Number(seed),
            bar(new.before, "c1"),
            bar(new.after, "c1"),
            Cell::Number(points(change)),
            bar(first.before, "c2"),
            bar(first.after, "c2"),
        ]
    };
    let mut rows: Vec<Row> =
        runs.iter().map(|run| row(run.direction(), run.seed.to_string(), &run.new, &run.first)).collect();
    let sides =
        |both: Option<(f64, f64)>| BeforeAfter { before: both.map(|b| b.0), after: both.map(|b| b.1), samples: None };
    let mut sum = |name: String, means: Means| {
        rows.push(row(name, "mean".into(), &sides(means.new), &sides(means.first)));
    };
    let directions = directions(runs);
    let mut sums = 0;
    if directions.len() > 1 && directions.len() < runs.len() {
        for direction in &directions {
            let of = runs.iter().filter(|run| &run.direction() == direction);
            sum(direction.clone(), Means::of(of));
        }
        sums += directions.len();
    }
    if runs.len() > 1 {
        sum("all".into(), Means::of(runs));
        sums += 1;
    }
    let Names { new, first } = names;
    let head = [format!("{new}, before"), "after".into(), "points".into(), format!("{first}, before"), "after".into()];
    let head: Vec<&str> = ["direction", "seed"].into_iter().chain(head.iter().map(String::as_str)).collect();
    table(&head, &rows, sums)
}

/// What each run did: steps, time, and whether it is what the simulation says.
pub(super) fn work(report: &DemoReport) -> String {
    let samples = |side: &BeforeAfter| side.samples.map_or(NONE.into(), grouped);
    let row = |run: &DemoRun| -> Row {
        let (mood, word) = match run.parity {
            None => (Mood::Plain, "not compared".into()),
            Some(Parity { identical: true, .. }) => (Mood::Good, "✓ same bits".into()),
            Some(Parity { different: Some(n), .. }) => (Mood::Bad, format!("✗ {} bytes differ", grouped(n))),
            Some(_) => (Mood::Bad, "✗ different".into()),
        };
        vec![
            Cell::Text(run.direction()),
            Cell::Number(run.seed.to_string()),
            Cell::Number(grouped(run.steps)),
            Cell::Number(count(run.skipped)),
            Cell::Number(run.seconds.map_or(NONE.into(), duration)),
            Cell::Number(format!("{} / {}", samples(&run.new), samples(&run.first))),
            Cell::Number(run.parity.map_or(NONE.into(), |parity| grouped(parity.bytes))),
            Cell::Mood(mood, word),
        ]
    };
    let rows: Vec<Row> = report.runs.iter().map(row).collect();
    let head = ["direction", "seed", "steps", "skipped", "time", "judged on", "bytes compared", "with the simulation"];
    table(&head, &rows, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_leave_out_what_is_missing() {
        let side = |before, after| BeforeAfter { before, after, samples: None };
        let run = |new, first| DemoRun { new, first, ..DemoRun::default() };
        let runs = [
            run(side(Some(0.25), Some(0.75)), side(Some(1.0), None)),
            run(side(Some(0.5), Some(1.0)), side(None, None)),
            run(side(Some(f64::NAN), Some(0.5)), side(None, Some(0.5))),
        ];
        assert_eq!(Means::of(&runs), Means { new: Some((0.375, 0.875)), first: None });
        assert_eq!(Means::of(&[]), Means { new: None, first: None });
    }
}
