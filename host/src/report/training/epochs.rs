//! Epochs as numbers: the first, the best and the last in view, all of them folded away.

use super::facts::TrainingReport;
use crate::metrics::Metric;
use crate::report::number::{NONE, percent_of, short};
use crate::report::table::{Cell, Row, table};
use crate::train::EpochRecord;

/// Epochs above which the long table is left out; the charts show them.
const MOST_LISTED: usize = 1000;

/// The first, the best and the last epoch, a column each; nothing without history.
pub(super) fn few(report: &TrainingReport) -> String {
    let (Some(first), Some(last)) = (report.history.first(), report.history.last()) else { return String::new() };
    let best = report.history.iter().find(|e| e.epoch == report.best_epoch);
    let mut shown: Vec<(&str, &EpochRecord)> = vec![("first", first)];
    match best.filter(|best| best.epoch != last.epoch) {
        Some(best) => shown.extend([("best", best), ("last", last)]),
        None if best.is_some() => shown.push(("last, and best", last)),
        None => shown.push(("last", last)),
    }
    let line = |name: &str, value: &dyn Fn(&EpochRecord) -> Option<String>| -> Option<Row> {
        let values: Vec<Option<String>> = shown.iter().map(|(_, epoch)| value(epoch)).collect();
        let known = values.iter().any(Option::is_some);
        let cells = values.into_iter().map(|value| Cell::Number(value.unwrap_or(NONE.into())));
        known.then(|| std::iter::once(Cell::Text(name.into())).chain(cells).collect())
    };
    let metrics = super::watched(report).into_iter().map(|(name, share)| {
        let text = move |value: f64| if share { percent_of(Some(value)) } else { short(value) };
        line(&format!("validation {}", label(&name)), &|e| e.validation_metrics.get(&name).copied().map(text))
    });
    let rows = [
        line("epoch", &|e| Some(e.epoch.to_string())),
        line("training loss", &|e| Some(short(e.train_loss))),
        line("validation loss", &|e| e.validation_loss.map(short)),
        line("training accuracy", &|e| e.train_accuracy.map(|a| percent_of(Some(a)))),
        line("validation accuracy", &|e| e.validation_accuracy.map(|a| percent_of(Some(a)))),
    ];
    let rest =
        [line("learning rate", &|e| Some(short(e.learning_rate.into()))), line("seconds", &|e| Some(short(e.seconds)))];
    let head: Vec<&str> = std::iter::once("").chain(shown.iter().map(|(name, _)| *name)).collect();
    let rows = rows.into_iter().chain(metrics).chain(rest);
    table(&head, &rows.flatten().collect::<Vec<Row>>(), 0)
}

/// A metric as people say it; one that isn't known any more by its name.
pub(super) fn label(name: &str) -> String {
    name.parse().map_or_else(|_| name.replace('_', " "), Metric::label)
}

/// Every epoch, folded; nothing for few or very many.
pub(super) fn all(report: &TrainingReport) -> String {
    if !(4..=MOST_LISTED).contains(&report.history.len()) {
        return String::new();
    }
    let number = |x: Option<f64>| Cell::Number(x.map_or(NONE.into(), short));
    let row = |e: &EpochRecord| -> Row {
        let best = if e.epoch == report.best_epoch { "best" } else { "" };
        vec![
            Cell::Number(e.epoch.to_string()),
            number(Some(e.train_loss)),
            number(e.validation_loss),
            Cell::Number(percent_of(e.train_accuracy)),
            Cell::Number(percent_of(e.validation_accuracy)),
            number(Some(e.learning_rate.into())),
            number(Some(e.seconds)),
            Cell::Text(best.into()),
        ]
    };
    let rows: Vec<Row> = report.history.iter().map(row).collect();
    let head = ["epoch", "training loss", "validation loss", "accuracy", "validation", "learning rate", "seconds", ""];
    format!("<details><summary>Every epoch</summary>\n{}</details>\n", table(&head, &rows, 0))
}
