//! The data of a training run: its parts, and how often each class occurs in them.

use super::facts::{PartFacts, TrainingReport};
use crate::report::facts::Confusion;
use crate::report::html::{pairs, paragraph, part};
use crate::report::number::{grouped, percent};
use crate::report::table::{Cell, Row, table};

/// Classes that are listed.
const MOST_LISTED: usize = 60;
/// Of the first parts; further ones are grey.
const COLOURS: [&str; 4] = ["c2", "c1", "c3", "c5"];

/// Parts, balance and origin.
pub(super) fn html(report: &TrainingReport) -> String {
    let balance = part("Class balance", &balance(&report.parts, &report.confusion));
    sizes(&report.parts) + &balance + &part("Where they come from", &pairs(&report.data))
}

fn class(index: usize) -> &'static str {
    COLOURS.get(index).copied().unwrap_or("c5")
}

fn sizes(parts: &[PartFacts]) -> String {
    let all = parts.iter().fold(0, |sum: u64, p| sum.saturating_add(p.samples));
    let row = |(index, p): (usize, &PartFacts)| -> Row {
        let share = p.samples as f64 / all.max(1) as f64;
        let bar = Cell::Bar(percent(share), share, class(index));
        vec![Cell::Key(class(index), p.name.clone()), Cell::Number(grouped(p.samples)), bar]
    };
    let rows: Vec<Row> = parts.iter().enumerate().map(row).collect();
    table(&["part", "samples", "of all"], &rows, 0)
}

/// A row a class, a column a part; nothing where samples have no classes.
fn balance(parts: &[PartFacts], names: &Confusion) -> String {
    let classes = parts.iter().map(|p| p.class_counts.len()).max().unwrap_or(0);
    // The longest bar is the most frequent class of its part.
    let most = |p: &PartFacts| p.class_counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let row = |index: usize| -> Row {
        let name = names.classes.get(index).cloned().unwrap_or_else(|| index.to_string());
        let cell = |(at, p): (usize, &PartFacts)| {
            let n = p.class_counts.get(index).copied().unwrap_or(0);
            Cell::Bar(grouped(n), n as f64 / most(p), class(at))
        };
        std::iter::once(Cell::Text(name)).chain(parts.iter().enumerate().map(cell)).collect()
    };
    let rows: Vec<Row> = (0..classes.min(MOST_LISTED)).map(row).collect();
    let head: Vec<&str> = std::iter::once("class").chain(parts.iter().map(|p| p.name.as_str())).collect();
    let more = match classes.saturating_sub(MOST_LISTED) {
        0 => String::new(),
        n => paragraph("note", &format!("{} more classes aren't listed.", grouped(n as u64))),
    };
    table(&head, &rows, 0) + &more
}
