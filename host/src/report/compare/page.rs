//! The page of a comparison.

use super::{Comparison, FigureRow};
use crate::report::chart::{Chart, Series, Unit};
use crate::report::html::{columns, page as whole, paragraph, section};
use crate::report::number::times;
use crate::report::runs::Epoch;
use crate::report::table::{Cell, Row, table};

/// Colours of runs; with as many dashed lines, twice as many can be told apart.
const COLOURS: [&str; 8] = ["c1", "c2", "c3", "c4", "c6", "c7", "c8", "c5"];

/// The whole page.
pub(super) fn page(all: &Comparison) -> String {
    let mut body = section("Runs", "", &runs(all));
    body += &section("Figures", "The best of each row is marked.", &figures(all));
    body += &section("Curves", "", &curves(all));
    let same = "Every known setting is the same.";
    let known = all.runs.iter().filter(|run| !run.settings.is_empty()).count();
    body += &match (all.settings.is_empty(), known) {
        (true, 0 | 1) => String::new(),
        (true, _) => section("Settings that differ", "", &paragraph("empty", same)),
        (false, _) => section("Settings that differ", "", &settings(all)),
    };
    let lead = format!("{}: {}.", times(all.runs.len() as u64, "run"), all.names.join(", "));
    whole("Comparison of runs", "Comparison", &lead, "", &body)
}

fn colour(run: usize) -> (&'static str, bool) {
    let class = COLOURS.get(run % COLOURS.len()).copied().unwrap_or("c5");
    (class, run / COLOURS.len() % 2 == 1)
}

/// What each is, and what is missing of it.
fn runs(all: &Comparison) -> String {
    let row = |(index, (run, name)): (usize, (&super::Run, &String))| -> Row {
        let state = match (run.finished, run.stopped_early, run.planned_epochs) {
            (true, true, _) => "stopped early".to_string(),
            (true, false, _) => "finished".into(),
            (false, _, Some(planned)) => {
                format!("stopped at epoch {} of {planned}", run.epochs.last().map_or(0, |epoch| epoch.epoch))
            }
            (false, ..) => "not finished".into(),
        };
        vec![
            Cell::Key(colour(index).0, name.clone()),
            Cell::Text(run.name.clone()),
            Cell::Text(state),
            Cell::Text(run.trained_on.clone()),
        ]
    };
    let rows: Vec<Row> = all.runs.iter().zip(&all.names).enumerate().map(row).collect();
    let notes = all.runs.iter().zip(&all.names).flat_map(|(run, name)| run.notes.iter().map(move |n| (name, n)));
    let notes: String = notes.map(|(name, note)| paragraph("note", &format!("{name}: {note}."))).collect();
    table(&["run", "model", "state", "trained on"], &rows, 0) + &notes
}

/// A table with a column a run.
fn figures(all: &Comparison) -> String {
    let head: Vec<&str> = ["", ""].into_iter().chain(all.names.iter().map(String::as_str)).collect();
    let row = |row: &FigureRow, first: bool| -> Row {
        let group = if first { row.group.clone() } else { String::new() };
        let cell = |run: usize| match row.best {
            Some(best) if best == run => Cell::Best(row.text(run)),
            _ => Cell::Number(row.text(run)),
        };
        let values = (0..all.runs.len()).map(cell);
        [Cell::Text(group), Cell::Text(row.name.replace('_', " "))].into_iter().chain(values).collect()
    };
    let mut before = "";
    let mut rows: Vec<Row> = Vec::new();
    for figure in &all.rows {
        rows.push(row(figure, figure.group != before));
        before = &figure.group;
    }
    table(&head, &rows, 0)
}

fn settings(all: &Comparison) -> String {
    let head: Vec<&str> = std::iter::once("").chain(all.names.iter().map(String::as_str)).collect();
    let cell = |value: &Option<String>| Cell::Text(value.clone().unwrap_or_else(|| "–".into()));
    let row = |row: &super::SettingRow| -> Row {
        std::iter::once(Cell::Text(row.name.clone())).chain(row.values.iter().map(cell)).collect()
    };
    table(&head, &all.settings.iter().map(row).collect::<Vec<Row>>(), 0)
}

/// A chart for every figure of epochs, with a line a run.
fn curves(all: &Comparison) -> String {
    let mut names: Vec<String> =
        all.runs.iter().flat_map(|run| &run.epochs).flat_map(|epoch| epoch.figures().into_keys()).collect();
    names.sort_by(|a, b| (super::place(a), a).cmp(&(super::place(b), b)));
    names.dedup();
    let line = |of: &dyn Fn(&Epoch) -> Option<f64>| -> Vec<Series> {
        let series = all.runs.iter().zip(&all.names).enumerate().map(|(index, (run, name))| {
            let (class, dashed) = colour(index);
            let points = run.epochs.iter().filter_map(|epoch| Some((f64::from(epoch.epoch), of(epoch)?))).collect();
            Series::line(name.clone(), class, dashed, points)
        });
        series.collect()
    };
    let chart = |title: String, unit, series| Chart::new(title, "epoch", unit, series).html();
    let mut charts: Vec<String> = Vec::new();
    for name in names {
        let unit = if super::kind(&name).0 == super::FigureUnit::Share { Unit::Percent } else { Unit::Number };
        let series = line(&|epoch| epoch.figures().get(&name).copied());
        charts.push(chart(super::super::html::capital(&name.replace('_', " ")), unit, series));
    }
    let rates = line(&|epoch| epoch.learning_rate);
    let changes = |series: &Series| series.points.windows(2).any(|pair| pair[0].1 != pair[1].1);
    let differ =
        rates.windows(2).any(|pair| pair[0].points.first().map(|p| p.1) != pair[1].points.first().map(|p| p.1));
    if differ || rates.iter().any(changes) {
        charts.push(chart("Learning rate".into(), Unit::Plain, rates));
    }
    columns(&charts)
}

#[cfg(test)]
mod tests {
    use super::super::super::runs::Run;
    use super::*;

    /// A run that learned with those rates, a loss of 0.5 and an accuracy of 0.75 in each epoch.
    fn run(folder: &str, rates: &[f64]) -> Run {
        let epoch = |(index, &rate): (usize, &f64)| Epoch {
            epoch: index as u32 + 1,
            train_loss: Some(0.5),
            train_accuracy: Some(0.75),
            learning_rate: Some(rate),
            ..Epoch::default()
        };
        Run { folder: folder.into(), epochs: rates.iter().enumerate().map(epoch).collect(), ..Run::default() }
    }

    fn page_of(runs: &[Run]) -> String {
        Comparison::new(runs.to_vec()).page()
    }

    #[test]
    fn a_run_says_how_far_it_came() {
        let killed = Run { planned_epochs: Some(40), ..run("a", &[0.1; 3]) };
        assert!(page_of(&[killed]).contains("<td>stopped at epoch 3 of 40</td>"));
        assert!(page_of(&[run("a", &[0.1; 3])]).contains("<td>not finished</td>"));
        let finished = Run { planned_epochs: Some(40), finished: true, ..run("a", &[0.1; 3]) };
        assert!(page_of(std::slice::from_ref(&finished)).contains("<td>finished</td>"));
        let early = Run { stopped_early: true, ..finished };
        assert!(page_of(&[early]).contains("<td>stopped early</td>"));
    }

    #[test]
    fn a_group_is_named_once() {
        let page = page_of(&[run("a", &[0.1])]);
        for row in [
            "<tr><td>best epoch</td><td>epoch</td><td class=\"number\">1</td></tr>",
            "<tr><td></td><td>train loss</td><td class=\"number\">0.5000</td></tr>",
            "<tr><td></td><td>train accuracy</td><td class=\"number\">75.00 %</td></tr>",
            "<tr><td>cost</td><td>epochs</td><td class=\"number\">1</td></tr>",
        ] {
            assert!(page.contains(row), "{row} is missing: {page}");
        }
        assert_eq!(page.matches("best epoch").count(), 1);
    }

    /// A constant rate that all have alike is a line that says nothing.
    #[test]
    fn rates_are_drawn_where_they_change_or_differ() {
        let drawn = |runs: &[Run]| page_of(runs).contains("<figcaption>Learning rate</figcaption>");
        assert!(!drawn(&[run("a", &[0.1; 3]), run("b", &[0.1; 2])]));
        assert!(drawn(&[run("a", &[0.1; 3]), run("b", &[0.2; 3])]));
        assert!(drawn(&[run("a", &[0.1, 0.05]), run("b", &[0.1, 0.05])]));
    }

    #[test]
    fn settings_are_compared_only_between_runs_that_tell_them() {
        let with = |folder: &str, batch: &str| Run {
            settings: if batch.is_empty() { Vec::new() } else { vec![("batch".into(), batch.into())] },
            ..run(folder, &[0.1])
        };
        let (title, same) = ("<h2>Settings that differ</h2>", "Every known setting is the same.");
        for (runs, said) in [
            (vec![with("a", "8")], false),
            (vec![with("a", "8"), with("b", "")], false),
            (vec![with("a", ""), with("b", "")], false),
            (vec![with("a", "8"), with("b", "8")], true),
        ] {
            let page = page_of(&runs);
            assert_eq!((page.contains(title), page.contains(same)), (said, said), "{page}");
        }
        let page = page_of(&[with("a", "8"), with("b", "16")]);
        assert!(page.contains(title) && !page.contains(same), "{page}");
        assert!(page.contains("<tr><td>batch</td><td>8</td><td>16</td></tr>"), "{page}");
    }

    /// There are eight colours: the ninth run has the first one's, dashed.
    #[test]
    fn the_ninth_run_is_dashed() {
        let page = page_of(&["a", "b", "c", "d", "e", "f", "g", "h", "i"].map(|folder| run(folder, &[0.1; 2])));
        for key in [
            "<i class=\"key c1\"></i>a 0.5</span>",
            "<i class=\"key c5\"></i>h 0.5</span>",
            "<i class=\"key c1 dashed\"></i>i 0.5</span>",
        ] {
            assert!(page.contains(key), "{key} is missing: {page}");
        }
    }

    #[test]
    fn shares_are_drawn_as_percent_and_losses_as_numbers() {
        let page = page_of(&[run("a", &[0.1; 2])]);
        assert!(page.contains("<title>a, epoch 2: 0.5</title>"), "{page}");
        assert!(page.contains("<title>a, epoch 2: 75.0 %</title>"), "{page}");
        let figures: Vec<&str> = page.split("<figcaption>").skip(1).collect();
        assert!(figures[0].starts_with("Train loss") && figures[0].contains("</i>a 0.5</span>"), "{page}");
        assert!(figures[1].starts_with("Train accuracy<") && figures[1].contains("</i>a 75.0 %</span>"), "{page}");
    }
}
