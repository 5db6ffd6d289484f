//! `emberlite compare`.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::{CliError, outputs};
use crate::export;
use crate::report::Comparison;
use crate::report::runs;

/// Puts training runs side by side: figures, costs, and the settings that differ.
///
/// Each is the folder of a run, as `emberlite train` makes it under runs/. The best of a row is marked with a star, unless
/// another reads the same. A run that was stopped is compared as far as it got.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Folders of runs
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write a page with the curves of all runs
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Columns of a terminal that is read comfortably.
const WIDTH: usize = 80;
/// Of names and values; longer ones are cut.
const WIDEST: usize = 24;

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let names = [
        "report.json",
        "report.html",
        "metrics.jsonl",
        "checkpoint.safetensors",
        "model.safetensors",
        "model.f32.safetensors",
    ];
    let files: Vec<PathBuf> = arguments.runs.iter().flat_map(|run| names.map(|name| run.join(name))).collect();
    let read: Vec<(&str, &Path)> = files.iter().map(|file| ("a run's file", file.as_path())).collect();
    if let Some(path) = &arguments.out {
        outputs::check(&[("--out", path)], &read)?;
    }
    let read = |folder: &PathBuf| runs::read(folder).map_err(|error| CliError::Message(error.to_string()));
    let all = Comparison::new(arguments.runs.iter().map(read).collect::<Result<_, _>>()?);
    if arguments.json {
        let json = serde_json::to_string_pretty(&all);
        let json = json.map_err(|error| CliError::Message(format!("can't write the comparison as JSON: {error}")))?;
        writeln!(out, "{json}")?;
    } else {
        out.write_all(text(&all).as_bytes())?;
    }
    if let Some(path) = &arguments.out {
        let page = all.page();
        export::write(path, page.as_bytes())?;
        if !arguments.json {
            writeln!(out, "\nwrote {}: {} bytes", path.display(), page.len())?;
        }
    }
    Ok(())
}

/// A line of the table: the name and a value a run.
struct Line {
    name: String,
    values: Vec<String>,
    /// A heading stands alone.
    heading: bool,
}

fn text(all: &Comparison) -> String {
    let mut lines = Vec::new();
    let heading = |name: &str| Line { name: name.into(), values: Vec::new(), heading: true };
    let mut group = "";
    for row in &all.rows {
        if row.group != group {
            lines.push(heading(&row.group));
            group = &row.group;
        }
        let value = |run: usize| row.text(run) + if row.best == Some(run) { " *" } else { "  " };
        lines.push(Line {
            name: format!("  {}", row.name),
            values: (0..all.runs.len()).map(value).collect(),
            heading: false,
        });
    }
    if !all.settings.is_empty() {
        lines.push(heading("settings that differ"));
    }
    for row in &all.settings {
        let value = |value: &Option<String>| value.clone().unwrap_or("–".into()) + "  ";
        let values = row.values.iter().map(value).collect();
        lines.push(Line { name: format!("  {}", row.name), values, heading: false });
    }
    let names: Vec<String> = all.names.iter().map(|name| format!("{name}  ")).collect();
    let mut out = blocks(&names, &lines);
    let _ = out.pop();
    for (index, (run, name)) in all.runs.iter().zip(&all.names).enumerate() {
        if index == 0 && all.runs.iter().any(|run| !run.notes.is_empty()) {
            out.push('\n');
        }
        for note in &run.notes {
            out += &format!("{name}: {note}\n");
        }
    }
    out
}

/// As many runs beside one another as fit, then the next.
fn blocks(names: &[String], lines: &[Line]) -> String {
    let width = |text: &str| text.chars().count();
    let first = lines.iter().filter(|l| !l.heading).map(|l| width(&l.name)).max().unwrap_or(0).min(WIDEST + 4);
    let column = |run: usize| {
        let values = lines.iter().filter_map(|line| line.values.get(run));
        values.chain(names.get(run)).map(|value| width(value)).max().unwrap_or(0).min(WIDEST) + 1
    };
    let widths: Vec<usize> = (0..names.len()).map(column).collect();
    let mut out = String::new();
    let mut start = 0;
    while start < names.len() {
        let mut end = start + 1;
        let mut used = first + widths[start];
        while end < names.len() && used + widths[end] <= WIDTH {
            used += widths[end];
            end += 1;
        }
        let mut row = |name: &str, values: &[String]| {
            // A heading has the line to itself.
            let mut line = if values.is_empty() { name.into() } else { pad(&cut(name, first), first, false) };
            for ((value, width), _) in values.iter().zip(&widths).skip(start).zip(start..end) {
                line += &pad(&cut(value, width - 1), *width, true);
            }
            out += line.trim_end();
            out.push('\n');
        };
        row("", names);
        for line in lines {
            row(&line.name, &line.values);
        }
        out.push('\n');
        start = end;
    }
    out
}

fn pad(text: &str, width: usize, right: bool) -> String {
    let gap = " ".repeat(width.saturating_sub(text.chars().count()));
    if right { gap + text } else { text.to_string() + &gap }
}

/// At most so many characters; the two after a value, which may be a star, stay.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.into();
    }
    let tail = if text.ends_with("  ") || text.ends_with(" *") { &text[text.len() - 2..] } else { "" };
    let kept: String = text.chars().take(most.saturating_sub(1 + tail.len())).collect();
    format!("{kept}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_and_keeps_its_star() {
        assert_eq!((cut("abc", 3), cut("abcd", 3)), ("abc".into(), "ab…".into()));
        assert_eq!((cut("abcdef *", 6), cut("äöüßabc  ", 6)), ("abc… *".into(), "äöü…  ".into()));
    }

    #[test]
    fn many_runs_stand_in_blocks_of_eighty_columns() {
        let names: Vec<String> = (0..9).map(|run| format!("a run with a long name {run}  ")).collect();
        let values = (0..9).map(|run| format!("{run}.5 *")).collect();
        let lines = [Line { name: "  loss".into(), values, heading: false }];
        let text = blocks(&names, &lines);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.matches("a run with").count(), 9);
        assert!((0..9).all(|run| text.contains(&format!("{run}.5 *"))), "{text}");
    }
}
