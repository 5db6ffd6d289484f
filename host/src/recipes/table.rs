//! The table of all recipes in `README.md`: what was expected, what was got, when, on what, by which command.

use super::packed::Recipe;
use super::record::{Record, number};
use super::{RecipeError, all};
use std::fmt::Write;
use std::path::Path;

/// The line before the table.
pub const BEGIN: &str = "<!-- table: `emberlite recipes table` writes what stands from here on -->";
/// The line after the table.
pub const END: &str = "<!-- end of the table -->";

/// A recipe with its record and the board that holds it.
#[derive(Debug, Clone)]
pub struct Row {
    /// The recipe.
    pub recipe: Recipe,
    /// The run that was recorded last.
    pub record: Option<Record>,
    /// The smallest board that holds it, and for what.
    pub board: String,
}

/// Every recipe with its record in a folder of recipes; `board` says which board holds a recipe.
///
/// # Errors
/// As [`Record::read`].
pub fn rows(dir: &Path, mut board: impl FnMut(&Recipe) -> String) -> Result<Vec<Row>, RecipeError> {
    let row = |recipe: Recipe| {
        let (record, board) = (Record::read(&dir.join(recipe.name))?, board(&recipe));
        Ok(Row { recipe, record, board })
    };
    all()?.into_iter().map(row).collect()
}

/// The table in Markdown: what isn't reached comes first, then what wasn't measured, then the rest by number.
pub fn table(rows: &[Row]) -> String {
    let mut order: Vec<&Row> = rows.iter().collect();
    let rank = |row: &Row| row.record.as_ref().map_or(1, |record| if record.reached() { 2 } else { 0 });
    order.sort_by_key(|row| (rank(row), row.recipe.expected.number));
    let mut text = String::from(
        "| | recipe | figure | expected | got | measured | by | fits |\n|---|---|---|---|---|---|---|---|\n",
    );
    for row in order {
        // Writing to a text has no errors.
        let _ = lines(row, &mut text);
    }
    let notes = rows.iter().map(|row| &row.recipe).filter(|recipe| !recipe.expected.note.is_empty());
    for recipe in notes {
        let _ = write!(text, "\n`{}`: {}\n", recipe.name, recipe.expected.note.trim());
    }
    text
}

fn lines(row: &Row, text: &mut String) -> std::fmt::Result {
    let Row { recipe, record, board } = row;
    let title = format!("| {} | **{}** {}", recipe.expected.number, recipe.name, recipe.expected.title);
    let Some(record) = record else {
        for (place, expectation) in recipe.expected.expect.iter().enumerate() {
            let head = if place == 0 { title.as_str() } else { "| |" };
            let (measured, command, board) = match place {
                0 => ("not yet", format!("`emberlite recipes run {}`", recipe.name), board.as_str()),
                _ => ("", String::new(), ""),
            };
            let bound = expectation.bound(&recipe.expected.reference).map_or(String::new(), |bound| bound.to_string());
            writeln!(text, "{head} | {} | {bound} | – | {measured} | {command} | {board} |", expectation.name())?;
        }
        return Ok(());
    };
    for (place, got) in record.figures.iter().enumerate() {
        let head = if place == 0 { title.as_str() } else { "| |" };
        let verdict = if got.reached { "" } else { " **not reached**" };
        let (measured, command, board) = match place {
            0 => (
                format!("{}, {}, {}", record.date, record.machine, time(record.seconds)),
                format!("`{}`", record.command),
                board.as_str(),
            ),
            _ => (String::new(), String::new(), ""),
        };
        let (figure, expected, found) = (&got.figure, &got.expected, number(got.got));
        writeln!(text, "{head} | {figure} | {expected} | {found}{verdict} | {measured} | {command} | {board} |")?;
    }
    Ok(())
}

fn time(seconds: u64) -> String {
    match seconds {
        0 => "below 1 s".into(),
        1..120 => format!("{seconds} s"),
        _ => format!("{} min", (seconds + 30) / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Got, find};
    use super::*;

    #[test]
    fn bad_news_first_and_each_row_says_when_on_what_and_by_what() {
        let row = |name: &str, record: Option<(f64, bool)>| Row {
            recipe: find(name).unwrap(),
            record: record.map(|(got, reached)| Record {
                recipe: name.into(),
                figures: [("accuracy", "≥ 0.9"), ("f1", "–")]
                    .map(|(figure, expected)| Got { figure: figure.into(), expected: expected.into(), got, reached })
                    .to_vec(),
                date: "2026-01-31".into(),
                machine: "a machine".into(),
                seconds: 150,
                command: format!("emberlite recipes run {name} --resume"),
                version: "0.1.0".into(),
            }),
            board: "learns on m0".into(),
        };
        let rows =
            [row("linear", Some((0.95, true))), row("mnist-conv", None), row("softmax-iris", Some((0.8, false)))];
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().take_while(|line| line.starts_with('|')).collect();
        let expected = [
            "| | recipe | figure | expected | got | measured | by | fits |",
            "|---|---|---|---|---|---|---|---|",
            "| 3 | **softmax-iris** Softmax regression: iris, 4 columns, 3 species | accuracy | ≥ 0.9 | 0.8 **not reached** \
             | 2026-01-31, a machine, 3 min | `emberlite recipes run softmax-iris --resume` | learns on m0 |",
            "| | | f1 | – | 0.8 **not reached** |  |  |  |",
            "| 4 | **mnist-conv** MNIST: two convolutions, momentum | accuracy | ≥ 0.99 | – | not yet \
             | `emberlite recipes run mnist-conv` | learns on m0 |",
            "| 1 | **linear** Linear regression | accuracy | ≥ 0.9 | 0.95 | 2026-01-31, a machine, 3 min \
             | `emberlite recipes run linear --resume` | learns on m0 |",
            "| | | f1 | – | 0.95 |  |  |  |",
        ];
        assert_eq!(lines, expected);
        // A column too many or too few would break the table for every reader.
        assert!(lines.iter().all(|line| line.matches('|').count() == 9));
        assert!(text.contains("\n`linear`: x 1 to 4"), "notes follow");
        let times = [time(0), time(1), time(119), time(120), time(149), time(150)];
        assert_eq!(times, ["below 1 s", "1 s", "119 s", "2 min", "2 min", "3 min"]);
    }
}
