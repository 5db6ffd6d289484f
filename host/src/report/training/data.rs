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
        1 => paragraph("note", "1 more class isn't listed."),
        n => paragraph("note", &format!("{} more classes aren't listed.", grouped(n as u64))),
    };
    table(&head, &rows, 0) + &more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    fn page(parts: &[(&str, &[u64])]) -> String {
        let part = |(name, counts): &(&str, &[u64])| PartFacts {
            name: name.to_string(),
            samples: counts.iter().sum(),
            class_counts: counts.to_vec(),
        };
        report::training(&TrainingReport { parts: parts.iter().map(part).collect(), ..TrainingReport::default() })
    }

    /// 15, 4 and 1 of 20.
    #[test]
    fn sizes_are_shares_of_all_in_the_colours_of_the_parts() {
        let page = page(&[("train", &[10, 5]), ("validation", &[1, 3]), ("test", &[0, 1])]);
        for row in [
            "<td><i class=\"spot c2\"></i>train</td><td class=\"number\">15</td>\
             <td class=\"number bar\"><i class=\"c2\" style=\"--w:0.750\"></i><span>75.0 %</span></td>",
            "<td><i class=\"spot c1\"></i>validation</td><td class=\"number\">4</td>\
             <td class=\"number bar\"><i class=\"c1\" style=\"--w:0.200\"></i><span>20.0 %</span></td>",
            "<td><i class=\"spot c3\"></i>test</td><td class=\"number\">1</td>\
             <td class=\"number bar\"><i class=\"c3\" style=\"--w:0.050\"></i><span>5.0 %</span></td>",
        ] {
            assert!(page.contains(row), "{row} is missing: {page}");
        }
    }

    /// Four is half of eight; of the other part the second class is the most frequent.
    #[test]
    fn the_most_frequent_class_of_a_part_has_the_whole_bar() {
        let page = page(&[("train", &[8, 4]), ("test", &[1, 5])]);
        let bar = |class: &str, width: &str, text: &str| {
            format!("<td class=\"number bar\"><i class=\"{class}\" style=\"--w:{width}\"></i><span>{text}</span></td>")
        };
        for (name, [train, test]) in [
            ("0", [bar("c2", "1.000", "8"), bar("c1", "0.200", "1")]),
            ("1", [bar("c2", "0.500", "4"), bar("c1", "1.000", "5")]),
        ] {
            assert!(page.contains(&format!("<tr><td>{name}</td>{train}{test}</tr>")), "{name}: {page}");
        }
    }

    #[test]
    fn of_many_classes_the_first_sixty_are_listed() {
        for (classes, note) in [
            (60, None),
            (61, Some("<p class=\"note\">1 more class isn&#39;t listed.</p>")),
            (1_100, Some("<p class=\"note\">1,040 more classes aren&#39;t listed.</p>")),
        ] {
            let page = page(&[("train", &vec![1; classes])]);
            assert!(page.contains("<tr><td>59</td>") && !page.contains("<tr><td>60</td>"), "{classes} classes");
            assert_eq!((page.contains("listed."), note.is_none_or(|note| page.contains(note))), (note.is_some(), true));
        }
    }
}
