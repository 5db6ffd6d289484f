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
    let mut text =
        String::from("| | recipe | figure | expected | got | measured | fits |\n|---|---|---|---|---|---|---|\n");
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
            let (measured, board) = if place == 0 { ("not yet", board.as_str()) } else { ("", "") };
            let bound = expectation.bound(&recipe.expected.reference).map_or(String::new(), |bound| bound.to_string());
            writeln!(text, "{head} | {} | {bound} | – | {measured} | {board} |", expectation.name())?;
        }
        return Ok(());
    };
    for (place, got) in record.figures.iter().enumerate() {
        let head = if place == 0 { title.as_str() } else { "| |" };
        let verdict = if got.reached { "" } else { " **not reached**" };
        let (measured, board) = match place {
            0 => (
                format!("{}, {}, {}, `{}`", record.date, record.machine, time(record.seconds), record.command),
                &**board,
            ),
            _ => (String::new(), ""),
        };
        let (figure, expected, found) = (&got.figure, &got.expected, number(got.got));
        writeln!(text, "{head} | {figure} | {expected} | {found}{verdict} | {measured} | {board} |")?;
    }
    Ok(())
}

fn time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{} min", (seconds + 30) / 60),
    }
}
