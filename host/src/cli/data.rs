//! `emberlite data`.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::{CliError, outputs};
use crate::data::{Dataset, Description, Labels, Prepare, Range, Rows, windows};
use crate::spec::{DataSpec, EmptyClasses, Parts, Spec};

/// Shows what is in a model's data: parts, classes, ranges, missing values, a few rows.
///
/// Numbers are as read, before anything is filled, clipped or scaled; ranges are those of the training part, since that is
/// what is fitted on. What training would refuse is said at the end.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's description
    #[arg(default_value = "model.toml")]
    model: PathBuf,
    /// The same, as other commands have it
    #[arg(long = "model", value_name = "MODEL", conflicts_with = "model")]
    named: Option<PathBuf>,
    /// Rows of the training part to show
    #[arg(long, default_value_t = 5)]
    rows: usize,
    /// Every column and every class, however many
    #[arg(long)]
    all: bool,
    /// The same as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sheet: super::contact_sheet::SheetArguments,
}

/// Everything that is shown.
#[derive(Debug, Serialize)]
struct Shown {
    files: Vec<String>,
    #[serde(flatten)]
    description: Description,
    /// The model's inputs by name, once categories are encoded; empty for samples that aren't rows.
    inputs: Vec<String>,
    /// What rows are cut into.
    windows: Option<Windows>,
    /// Classes that a part has no sample of.
    empty_classes: Vec<EmptyClasses>,
    /// What training would refuse.
    problems: Vec<String>,
    /// What it would warn of.
    warnings: Vec<String>,
}

/// What the rows of recordings are cut into.
#[derive(Debug, Serialize)]
struct Windows {
    /// `[channels, length]`.
    shape: Vec<usize>,
    /// How many each part has, as [`Description::parts`] has them.
    samples: Vec<usize>,
}

/// More of a kind are counted, unless all were asked for.
const MOST: usize = 40;
/// Characters in a line.
const WIDTH: usize = 100;
/// Characters of a name.
pub(super) const NAME: usize = 28;

pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), CliError> {
    let model = arguments.named.as_ref().unwrap_or(&arguments.model);
    let spec = Spec::read(model)?;
    let data = spec.need_data()?;
    if arguments.sheet.images.is_some() {
        return super::contact_sheet::run(&arguments.sheet, &spec, model, out);
    }
    if data.is_lazy() {
        super::say_packing(&spec, false);
        return super::data_media::run(&spec, arguments.json, if arguments.all { usize::MAX } else { MOST }, out);
    }
    let shown = tables(&spec, data, arguments)?;
    if arguments.json {
        let json = serde_json::to_string_pretty(&shown);
        let json = json.map_err(|error| CliError::Message(format!("can't write the figures as JSON: {error}")))?;
        return Ok(writeln!(out, "{json}")?);
    }
    Ok(out.write_all(text(&shown, if arguments.all { usize::MAX } else { MOST }).as_bytes())?)
}

/// What is in rows and arrays that are read whole.
fn tables(spec: &Spec, data: &DataSpec, arguments: &Arguments) -> Result<Shown, CliError> {
    let divided = spec.tolerant().load_rows()?;
    let mut parts: Vec<(&str, &Rows)> = vec![("training", &divided.train)];
    parts.extend(divided.validation.as_ref().map(|rows| ("validation", rows)));
    parts.extend(divided.test.as_ref().map(|rows| ("test", rows)));
    let description = Description::of_rows(&parts, arguments.rows)?;
    let (mut inputs, mut problems) = (Vec::new(), Vec::new());
    match Prepare::fit(&data.prepare, &divided.train) {
        Ok(prepare) => inputs = prepare.encoder.inputs(),
        Err(error) => problems.push(error.to_string()),
    }
    let prepared = spec.load_parts();
    match &prepared {
        Ok(parts) => problems.extend(spec.refused_of(&parts.train).iter().map(ToString::to_string)),
        Err(error) => problems.push(error.to_string()),
    }
    // The same mistake, once with the line of the description before it.
    if let [first, second] = &problems[..]
        && second.contains(first)
    {
        problems.remove(0);
    }
    // What is learnt from is windows of what was read; where training would refuse it, what they would be.
    let cut = match (data.window, &prepared) {
        (Some(_), Ok(Parts { train, validation, test, .. })) => {
            [Some(train), validation.as_ref(), test.as_ref()].into_iter().flatten().cloned().collect()
        }
        (Some(window), Err(_)) => {
            parts.iter().map(|(_, rows)| windows(&rows.set, window)).collect::<Result<Vec<_>, _>>().unwrap_or_default()
        }
        (None, _) => Vec::new(),
    };
    let labels = |place: usize| -> Option<&Labels> {
        Some(cut.get(place).map_or(&parts.get(place)?.1.set.labels, |set| &set.labels))
    };
    let place = |name: &str| parts.iter().position(|(part, _)| *part == name);
    let empty_classes =
        spec.empty_classes_of(["training", "validation", "test"].map(|part| place(part).and_then(labels)));
    let warnings = EmptyClasses::sentence(&empty_classes).into_iter().collect();
    let shape = cut.first().map(|set| set.shape.clone());
    let windows = shape.map(|shape| Windows { shape, samples: cut.iter().map(Dataset::len).collect() });
    Ok(Shown { files: files(spec), description, inputs, windows, empty_classes, problems, warnings })
}

fn files(spec: &Spec) -> Vec<String> {
    outputs::data_files(spec).into_iter().map(|path| path.display().to_string()).collect()
}

/// The page.
fn text(shown: &Shown, most: usize) -> String {
    let Description { shape, parts, classes, label, columns, first } = &shown.description;
    let sizes = |sizes: &[usize]| sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    let mut out = format!("{}\n", shown.files.join(", "));
    match &shown.windows {
        None => out += &format!("samples of {} numbers\n\n", sizes(shape)),
        Some(windows) => {
            out += &format!("rows of {} numbers, in windows of {}\n\n", sizes(shape), sizes(&windows.shape))
        }
    }

    let mut table = vec![vec!["".to_string()]];
    table[0].extend(parts.iter().map(|part| part.name.clone()));
    let line = |name: &str, cells: Vec<String>| [vec![name.to_string()], cells].concat();
    let is_cut = shown.windows.is_some();
    let rows = if is_cut { "rows" } else { "samples" };
    table.push(line(rows, parts.iter().map(|part| part.samples.to_string()).collect()));
    if let Some(windows) = &shown.windows {
        table.push(line("windows", windows.samples.iter().map(usize::to_string).collect()));
    }
    if parts.iter().any(|part| part.missing > 0) {
        table.push(line("missing values", parts.iter().map(|part| part.missing.to_string()).collect()));
    }
    for (class, name) in classes.iter().enumerate().take(most) {
        let share = |part: &crate::data::PartSummary| {
            let count = part.class_counts.get(class).copied().unwrap_or(0);
            match count {
                0 => "none        ".to_string(),
                _ => format!("{count} {:>7}", format!("({:.1} %)", 100.0 * count as f64 / part.samples.max(1) as f64)),
            }
        };
        table.push(line(&format!("  {}", cut(name, NAME)), parts.iter().map(share).collect()));
    }
    out += &aligned(&table);
    out += &more(classes.len(), most, "classes");

    let mut table = vec![["column", "missing", "min", "mean", "max", "deviation"].map(String::from).to_vec()];
    let mut listed = Vec::new();
    for column in columns.iter().take(most) {
        let missing = if column.missing == 0 { "·".into() } else { column.missing.to_string() };
        let mut cells = vec![cut(&column.name, NAME), missing];
        match (&column.categories, &column.range) {
            (Some(categories), _) => {
                let said = categories.iter().map(|(name, count)| format!("{} {count}", cut(name, NAME)));
                listed.push((table.len(), said.collect::<Vec<_>>().join(", ")));
            }
            (None, Some(range)) => cells.extend(numbers(range)),
            (None, None) => listed.push((table.len(), "nothing but missing values".into())),
        }
        table.push(cells);
    }
    if let Some(range) = label {
        table.push([vec!["(label)".to_string(), "·".into()], numbers(range)].concat());
    }
    // Categories stand where other columns have their numbers.
    let mut lines: Vec<String> = aligned(&table).lines().map(str::to_string).collect();
    for (line, said) in listed {
        if let Some(line) = lines.get_mut(line) {
            *line = cut(&format!("{}   {said}", line.trim_end()), WIDTH);
        }
    }
    out += &format!("\n{}\n", lines.join("\n"));
    out += &more(columns.len(), most, "columns");

    if !first.is_empty() {
        out += "\nthe first of the training part\n";
        let names = columns.iter().map(|column| cut(&column.name, 14));
        // Other samples than rows: their first numbers, whatever channel they are of.
        let is_table = columns.len() == shape.iter().product::<usize>();
        let mut table = vec![if is_table { names.collect() } else { vec!["numbers".to_string()] }];
        let has_label = first.iter().any(|sample| !sample.label.is_empty());
        for sample in first {
            let show = |value: &String| if value.is_empty() { "·".into() } else { cut(value, 14) };
            table.push(sample.values.iter().map(show).collect());
        }
        let fits = fitting(&table, if has_label { WIDTH - 20 } else { WIDTH - 4 });
        let cuts = table.iter().map(Vec::len).max().unwrap_or(0) > fits;
        for (row, cells) in table.iter_mut().enumerate() {
            cells.truncate(fits);
            cells.resize(fits, String::new());
            cells.extend(cuts.then(|| "…".to_string()));
            let label = row.checked_sub(1).and_then(|row| first.get(row)).map_or("label", |sample| &sample.label);
            cells.extend(has_label.then(|| cut(label, 14)));
        }
        out += &aligned(&table);
    }
    if !shown.inputs.is_empty() && shown.inputs.len() != columns.len() {
        out += &wrapped(&format!("\nthe model takes {} inputs: {}", shown.inputs.len(), shown.inputs.join(", ")));
    }
    for note in shown.problems.iter().chain(&shown.warnings) {
        out += &wrapped(&format!("\nnote: {note}"));
    }
    out
}

fn numbers(range: &Range) -> Vec<String> {
    [f64::from(range.min), range.mean, f64::from(range.max), range.std].map(number).to_vec()
}

/// About four significant digits.
fn number(x: f64) -> String {
    let size = x.abs();
    if x == 0.0 || (1e-3..1e6).contains(&size) {
        let places = if x == 0.0 { 0 } else { (3 - size.log10().floor() as i32).clamp(0, 6) as usize };
        let text = format!("{x:.places$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').into() } else { text }
    } else {
        format!("{x:.3e}")
    }
}

/// Rows of cells, the first column on the left, the others on the right, two blanks between.
fn aligned(table: &[Vec<String>]) -> String {
    let width = |column: usize| table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..).map_while(width).collect();
    let mut out = String::new();
    for row in table {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let blanks = " ".repeat(width - cell.chars().count());
            line += &if column == 0 { format!("{cell}{blanks}") } else { format!("  {blanks}{cell}") };
        }
        out += line.trim_end();
        out.push('\n');
    }
    out
}

/// How many columns of a table are no wider than `width` together.
fn fitting(table: &[Vec<String>], width: usize) -> usize {
    let wide =
        |column: usize| table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count() + 2).max();
    let widths = (0..).map_while(wide).scan(0, |sum, width| {
        *sum += width;
        Some(*sum)
    });
    widths.take_while(|&sum| sum <= width).count()
}

fn more(all: usize, most: usize, what: &str) -> String {
    if all > most { format!("  … and {} more {what}: --all shows them\n", all - most) } else { String::new() }
}

/// At most `most` characters, without any that a terminal obeys: names come from files.
pub(super) fn cut(text: &str, most: usize) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    if text.chars().count() <= most { text } else { text.chars().take(most - 1).chain(['…']).collect() }
}

/// Lines of at most [`WIDTH`] characters, broken at blanks.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut length = 0;
    for (place, word) in text.split(' ').enumerate() {
        let word = word.chars().filter(|&c| c == '\n' || !c.is_control()).collect::<String>();
        let len = word.chars().count();
        if place > 0 && length + 1 + len > WIDTH {
            out += "\n    ";
            length = 4;
        } else if place > 0 {
            out.push(' ');
            length += 1;
        }
        length += len;
        out += &word;
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stand_in_columns_and_lines_are_short() {
        let table =
            [vec!["a", "1"], vec!["bcd", "234"]].map(|row| row.into_iter().map(String::from).collect()).to_vec();
        assert_eq!(aligned(&table), "a      1\nbcd  234\n");
        assert_eq!((fitting(&table, 5), fitting(&table, 10), fitting(&table, 4)), (1, 2, 0));
        assert_eq!((cut("abcdef", 4), cut("ab\u{1b}d", 4)), ("abc…".into(), "ab?d".into()));
        let long = wrapped(&"word ".repeat(60));
        assert!(long.lines().all(|line| line.chars().count() <= WIDTH) && long.lines().count() > 3);
        assert_eq!(
            [0.0, 1.0, 0.12345, 43.921, 4201.75, 1e7, 1e-9].map(number).join(" "),
            "0 1 0.1235 43.92 4202 1.000e7 1.000e-9"
        );
    }
}
