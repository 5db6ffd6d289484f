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
