//! Confusion matrix, per-class figures, and what is mistaken for what most often.

use super::facts::Confusion;
use super::html::escape;
use super::number::{grouped, mean, percent};
use super::table::{Cell, Row, table};
use std::fmt::Write as _;

/// Classes up to which the matrix is drawn; above, nobody can read it.
const MOST_DRAWN: usize = 40;
/// Classes that are listed.
const MOST_LISTED: usize = 100;
/// Pairs of classes that are listed.
const PAIRS: usize = 5;

/// What can be said of one class. NaN where it can't be said.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ClassFigures {
    pub(super) precision: f64,
    pub(super) recall: f64,
    pub(super) f1: f64,
    pub(super) support: u64,
}

/// Counts with their sums, as many classes as are named, have a row or were predicted.
pub(super) struct Matrix<'a> {
    confusion: &'a Confusion,
    support: Vec<u64>,
    predicted: Vec<u64>,
}

impl<'a> Matrix<'a> {
    /// Adds up the counts; `None` where there aren't any.
    pub(super) fn new(confusion: &'a Confusion) -> Option<Self> {
        let widest = confusion.counts.iter().map(Vec::len).max().unwrap_or(0);
        let classes = confusion.classes.len().max(confusion.counts.len()).max(widest);
        let (mut support, mut predicted) = (vec![0u64; classes], vec![0u64; classes]);
        for (row, support) in confusion.counts.iter().zip(&mut support) {
            for (&count, predicted) in row.iter().zip(&mut predicted) {
                *support += u64::from(count);
                *predicted += u64::from(count);
            }
        }
        let matrix = Matrix { confusion, support, predicted };
        (matrix.total() > 0).then_some(matrix)
    }

    /// The number of classes.
    pub(super) fn len(&self) -> usize {
        self.support.len()
    }

    fn count(&self, class: usize, predicted: usize) -> u64 {
        self.confusion.counts.get(class).and_then(|row| row.get(predicted)).copied().unwrap_or(0).into()
    }

    fn name(&self, class: usize) -> String {
        self.confusion.classes.get(class).cloned().unwrap_or_else(|| class.to_string())
    }

    /// All samples.
    pub(super) fn total(&self) -> u64 {
        self.support.iter().sum()
    }

    /// The share on the diagonal.
    #[cfg(test)]
    fn accuracy(&self) -> f64 {
        (0..self.len()).map(|i| self.count(i, i)).sum::<u64>() as f64 / self.total() as f64
    }

    /// Precision, recall and F1 of a class.
    fn figures(&self, class: usize) -> ClassFigures {
        let right = self.count(class, class) as f64;
        let sum = |sums: &[u64]| sums.get(class).copied().unwrap_or(0);
        let (support, predicted) = (sum(&self.support), sum(&self.predicted));
        // 2 TP / (2 TP + FP + FN): defined wherever the class was seen or said at all.
        let f1 = 2.0 * right / (support as f64 + predicted as f64);
        ClassFigures { precision: right / predicted as f64, recall: right / support as f64, f1, support }
    }

    /// The classes that [`Matrix::macro_f1`] is the mean of: those that occur or were said.
    pub(super) fn counted(&self) -> usize {
        (0..self.len()).filter(|&class| self.figures(class).f1.is_finite()).count()
    }

    /// The mean F1 of the classes that occur or were said.
    pub(super) fn macro_f1(&self) -> f64 {
        mean((0..self.len()).map(|i| self.figures(i).f1))
    }

    /// The matrix, heat-coloured by the share of its row.
    pub(super) fn heat(&self) -> String {
        if self.len() > MOST_DRAWN {
            return String::new();
        }
        let names: Vec<String> = (0..self.len()).map(|i| escape(&self.name(i))).collect();
        // Long names stand upright, or the columns would be too wide for a phone.
        let upright = if names.iter().any(|name| name.chars().count() > 4) { " class=\"upright\"" } else { "" };
        let mut out = String::from(
            "<div class=\"wide\" tabindex=\"0\"><table class=\"heat\">\n<thead><tr><td class=\"corner\">is\u{a0}↓ taken for\u{a0}→</td>",
        );
        for name in &names {
            let _ = write!(out, "<th scope=\"col\"{upright}><span>{name}</span></th>");
        }
        out += "</tr></thead>\n<tbody>\n";
        for (i, name) in names.iter().enumerate() {
            let _ = write!(out, "<tr><th scope=\"row\">{name}</th>");
            let support = self.support.get(i).copied().unwrap_or(0);
            for (j, other) in names.iter().enumerate() {
                let count = self.count(i, j);
                let share = if support == 0 { 0.0 } else { count as f64 / support as f64 };
                let kind = if i == j { "hit" } else { "miss" };
                // The root lets rare mistakes be seen.
                let alpha = if count == 0 { 0.0 } else { 0.08 + 0.87 * if i == j { share } else { share.sqrt() } };
                let strong = if alpha > 0.55 { " strong" } else { "" };
                let text = super::table::count(count);
                let _ = write!(
                    out,
                    "<td class=\"{kind}{strong}\" style=\"--a:{alpha:.2}\" title=\"{name} taken for {other}: {} of {}\">{text}</td>",
                    percent(share),
                    grouped(support)
                );
            }
            out += "</tr>\n";
        }
        out + "</tbody>\n</table></div>\n"
    }

    /// Per-class figures and their means.
    pub(super) fn classes(&self) -> String {
        let bar = |v: f64| Cell::Bar(percent(v), v, "c1");
        let row = |name: String, [precision, recall, f1]: [f64; 3], support: u64| -> Row {
            vec![Cell::Text(name), bar(precision), bar(recall), bar(f1), Cell::Number(grouped(support))]
        };
        let all: Vec<ClassFigures> = (0..self.len()).map(|i| self.figures(i)).collect();
        let listed = all.iter().take(MOST_LISTED).enumerate();
        let mut rows: Vec<Row> =
            listed.map(|(i, f)| row(self.name(i), [f.precision, f.recall, f.f1], f.support)).collect();
        let means: [fn(&ClassFigures) -> f64; 3] = [|f| f.precision, |f| f.recall, |f| f.f1];
        // As scikit-learn has it, and the metrics above: over the classes that occur or are said; what isn't defined counts 0.
        let there = || all.iter().filter(|figures| figures.f1.is_finite());
        let of = |figure: fn(&ClassFigures) -> f64| {
            mean(there().map(|f| Some(figure(f)).filter(|v| v.is_finite()).unwrap_or(0.0)))
        };
        rows.push(row("mean of classes".into(), means.map(of), self.total()));
        let more = match all.len().saturating_sub(MOST_LISTED) {
            0 => String::new(),
            1 => "<p class=\"note\">1 more class isn't listed; it counts in the means.</p>\n".into(),
            n => format!(
                "<p class=\"note\">{} more classes aren't listed; they count in the means.</p>\n",
                grouped(n as u64)
            ),
        };
        table(&["class", "precision", "recall", "F1", "samples"], &rows, 1) + &more
    }

    /// The most frequent mistakes, as a list; nothing where there are none.
    pub(super) fn mistakes(&self) -> String {
        let mut pairs: Vec<(u64, usize, usize)> = Vec::new();
        for (i, row) in self.confusion.counts.iter().enumerate() {
            for (j, &count) in row.iter().enumerate().filter(|&(j, &count)| i != j && count > 0) {
                pairs.push((count.into(), i, j));
            }
        }
        pairs.sort_by_key(|&(count, i, j)| (std::cmp::Reverse(count), i, j));
        if pairs.is_empty() {
            return String::new();
        }
        let mut out = String::from("<h3>Most frequent mistakes</h3>\n<ol class=\"mistakes\">\n");
        for &(count, i, j) in pairs.iter().take(PAIRS) {
            let support = self.support.get(i).copied().unwrap_or(0);
            let _ = writeln!(
                out,
                "<li><b>{}</b> taken for <b>{}</b>: {} of {}, {}</li>",
                escape(&self.name(i)),
                escape(&self.name(j)),
                grouped(count),
                grouped(support),
                percent(count as f64 / support as f64)
            );
        }
        out + "</ol>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confusion(classes: &[&str], counts: &[&[u32]]) -> Confusion {
        let classes = classes.iter().map(|name| name.to_string()).collect();
        Confusion { of: String::new(), classes, counts: counts.iter().map(|row| row.to_vec()).collect() }
    }

    #[test]
    fn figures_by_hand() {
        let counts = confusion(&["a", "b"], &[&[6, 2], &[1]]);
        let matrix = Matrix::new(&counts).unwrap();
        // a: 6 of 8 found, 6 of 7 said rightly, F1 = 12 / 15. b: 0 of 1 found.
        let a = matrix.figures(0);
        assert_eq!((a.precision, a.recall, a.f1, a.support), (6.0 / 7.0, 0.75, 0.8, 8));
        assert_eq!(matrix.figures(1).f1, 0.0);
        assert_eq!((matrix.accuracy(), matrix.macro_f1(), matrix.total()), (6.0 / 9.0, 0.4, 9));
        assert!(matrix.mistakes().contains("<b>a</b> taken for <b>b</b>: 2 of 8, 25.0 %"));
    }

    #[test]
    fn classes_that_are_not_listed_are_counted() {
        for (classes, said) in [
            (100, ""),
            (101, "1 more class isn't listed; it counts in"),
            (103, "3 more classes aren't listed; they count in"),
        ] {
            let counts = vec![vec![1; classes]; classes];
            let table = Matrix::new(&Confusion { counts, ..Confusion::default() }).unwrap().classes();
            assert!(table.contains(said) && table.contains("listed") != said.is_empty(), "{classes}: {table}");
        }
    }

    #[test]
    fn rows_are_right_classes_and_the_most_frequent_mistake_is_first() {
        let counts = confusion(&["a", "b"], &[&[6, 2], &[3, 9]]);
        let matrix = Matrix::new(&counts).unwrap();
        let cells = [
            ("hit", "a", "a", "75.0 % of 8", 6),
            ("miss", "a", "b", "25.0 % of 8", 2),
            ("miss", "b", "a", "25.0 % of 12", 3),
        ];
        for (kind, right, said, share, count) in cells {
            let (heat, title) = (matrix.heat(), format!("title=\"{right} taken for {said}: {share}\">{count}</td>"));
            let cell = heat.split("<td ").find(|cell| cell.contains(&title));
            assert!(cell.is_some_and(|cell| cell.starts_with(&format!("class=\"{kind}"))), "{title} in {heat}");
        }
        let list = matrix.mistakes();
        assert!(
            list.find("<b>b</b> taken for <b>a</b>: 3").unwrap() < list.find("<b>a</b> taken for <b>b</b>: 2").unwrap()
        );
    }

    /// b is never said, c said wrongly, d neither there nor said: 1/3, 1/2 and 2/5 of a over three classes, scikit-learn's
    /// `precision_score`, `recall_score` and `f1_score` with `average="macro"`, which the metrics of the same page are.
    #[test]
    fn means_are_those_of_the_metrics() {
        let counts = confusion(&["a", "b", "c", "d"], &[&[1, 0, 1, 0], &[2, 0, 0, 0], &[], &[]]);
        let table = Matrix::new(&counts).unwrap().classes();
        let last = table.split("<td>mean of classes</td>").nth(1).unwrap();
        let shown: Vec<&str> = last.split("<span>").skip(1).map(|cell| cell.split_once('<').unwrap().0).collect();
        assert_eq!(shown, ["11.1 %", "16.7 %", "13.3 %"], "{table}");
    }

    #[test]
    fn ragged_and_empty_counts_are_shown_as_they_are() {
        assert!(Matrix::new(&Confusion::default()).is_none());
        assert!(Matrix::new(&confusion(&["a"], &[&[0]])).is_none());
        let ragged = confusion(&[], &[&[], &[0, 0, 7]]);
        let ragged = Matrix::new(&ragged).unwrap();
        assert!(ragged.heat().contains("<span>2</span>"));
        assert!(ragged.classes().contains('–'), "no precision where a class was never said");
    }

    #[test]
    fn very_many_classes_are_summed_and_not_drawn() {
        let counts = confusion(&[], &[&vec![1; 200_000]]);
        let matrix = Matrix::new(&counts).unwrap();
        assert_eq!((matrix.total(), matrix.heat()), (200_000, String::new()));
        let list = matrix.classes();
        assert!(list.len() < 50_000 && list.contains("199,900 more classes"), "{}", list.len());
    }
}
