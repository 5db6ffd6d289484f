//! Memory by use: a bar against a budget, and a table.

use super::html::{Mood, escape};
use super::number::{bytes, grouped, percent};
use super::table::{Cell, Row, table};
use std::fmt::Write as _;

/// Memory of one kind.
pub(super) struct Usage {
    /// "RAM", "flash".
    pub(super) name: &'static str,
    /// What it is used for, with the bytes.
    pub(super) parts: Vec<(&'static str, u64)>,
    /// What there is.
    pub(super) budget: Option<u64>,
}

impl Usage {
    /// The sum of all parts.
    pub(super) fn total(&self) -> u64 {
        self.parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.1))
    }

    /// Whether it is within its budget.
    pub(super) fn mood(&self) -> Mood {
        match self.budget {
            None => Mood::Plain,
            Some(budget) if self.total() <= budget => Mood::Good,
            Some(_) => Mood::Bad,
        }
    }

    /// `63.0 % of 64 KiB`; nothing without a budget.
    pub(super) fn share(&self) -> String {
        let of = |budget: u64| format!("{} of {}", percent(self.total() as f64 / budget as f64), bytes(budget));
        self.budget.map(of).unwrap_or_default()
    }

    /// Bar and table; nothing for no bytes.
    pub(super) fn html(&self) -> String {
        let total = self.total();
        if total == 0 {
            return String::new();
        }
        let whole = self.budget.unwrap_or(total).max(total) as f64;
        let label = escape(&format!("{}: {} used; {}", self.name, bytes(total), self.share()));
        let mut out = format!("<div class=\"stack\" role=\"img\" aria-label=\"{label}\">");
        let mut rows: Vec<Row> = Vec::new();
        let row = |first: Cell, n: u64| vec![first, Cell::Number(grouped(n)), Cell::Number(percent(n as f64 / whole))];
        for (class, &(name, n)) in COLOURS.into_iter().cycle().zip(&self.parts).filter(|(_, part)| part.1 > 0) {
            let (share, tip) = (n as f64 / whole * 100.0, escape(&format!("{name}: {}", bytes(n))));
            let _ = write!(out, "<i class=\"{class}\" style=\"width:{share:.2}%\" title=\"{tip}\"></i>");
            rows.push(row(Cell::Key(class, name.into()), n));
        }
        if let Some(budget) = self.budget.filter(|&budget| budget < total) {
            let at = budget as f64 / whole * 100.0;
            let _ = write!(out, "<b style=\"left:{at:.2}%\" title=\"the budget\"></b>");
        }
        out += "</div>\n";
        rows.push(row(Cell::Text("together".into()), total));
        if let Some(budget) = self.budget {
            let (class, name, n) = match budget.checked_sub(total) {
                Some(free) => ("rest", "free", free),
                None => ("over", "too much", total - budget),
            };
            rows.push(row(Cell::Key(class, name.into()), n));
        }
        let sums = 1 + usize::from(self.budget.is_some());
        let share = if self.budget.is_some_and(|budget| budget >= total) { "of the budget" } else { "of all" };
        out + &table(&[self.name, "bytes", share], &rows, sums)
    }
}

/// In the order of a usage's parts.
const COLOURS: [&str; 5] = ["c1", "c3", "c4", "c2", "c5"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_never_exceeds_its_frame() {
        let usage = |budget| Usage { name: "RAM", parts: vec![("a", 600), ("b", 200), ("none", 0)], budget };
        let within = usage(Some(1600)).html();
        assert!(within.contains("width:37.50%") && within.contains("width:12.50%") && within.contains("50.0 %"));
        assert!(!within.contains("none"));
        let over = usage(Some(400)).html();
        assert!(over.contains("width:75.00%") && over.contains("left:50.00%") && over.contains("too much"));
        assert_eq!([None, Some(400), Some(800)].map(|b| usage(b).mood()), [Mood::Plain, Mood::Bad, Mood::Good]);
        assert!(usage(None).html().contains("width:75.00%"));
        assert_eq!(Usage { name: "RAM", parts: vec![("a", 0)], budget: Some(0) }.html(), "");
        let huge = Usage { name: "RAM", parts: vec![("a", u64::MAX), ("b", u64::MAX)], budget: Some(1) };
        assert!(!huge.html().contains("NaN"));
    }
}
