//! Runs side by side: which figures they came to, what they cost, and which settings made the difference.
//!
//! [`Comparison`] is what the terminal's table, the JSON and the page all show.

mod page;

use serde::{Serialize, Serializer};

use super::number::{bytes, duration, grouped, precise, precise_percent};
use super::runs::{Epoch, Run, differences};
use crate::metrics::Metric;

/// Runs, and a row for each figure that any of them has.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The runs, in the order given.
    pub runs: Vec<Run>,
    /// Short names that tell them apart.
    pub names: Vec<String>,
    /// Figures, in groups.
    pub rows: Vec<FigureRow>,
    /// Settings that differ.
    pub settings: Vec<SettingRow>,
}

/// A figure of every run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FigureRow {
    /// What it is a figure of, such as `best epoch`.
    pub group: String,
    /// Its name.
    pub name: String,
    /// A value a run; none where a run doesn't have it.
    pub values: Vec<Option<f64>>,
    /// Which run is best, where that can be said: no other reads the same.
    pub best: Option<usize>,
    /// How it is written.
    #[serde(serialize_with = "unit_name")]
    pub unit: FigureUnit,
}

/// How a figure is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FigureUnit {
    /// A share, as percent.
    Share,
    /// A number of about three digits.
    Number,
    /// A whole number.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
}

/// A setting that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingRow {
    /// Its name.
    pub name: String,
    /// A value a run; none where a run doesn't have it or doesn't tell.
    pub values: Vec<Option<String>>,
}

fn unit_name<S: Serializer>(unit: &FigureUnit, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match unit {
        FigureUnit::Share => "share",
        FigureUnit::Number => "number",
        FigureUnit::Count => "count",
        FigureUnit::Bytes => "bytes",
        FigureUnit::Seconds => "seconds",
    })
}

impl FigureRow {
    /// The value of a run as people read it; a dash for none.
    pub fn text(&self, run: usize) -> String {
        let Some(value) = self.values.get(run).copied().flatten() else { return super::number::NONE.into() };
        match self.unit {
            FigureUnit::Share => precise_percent(value),
            FigureUnit::Number => precise(value),
            FigureUnit::Count => grouped(value as u64),
            FigureUnit::Bytes => bytes(value as u64),
            FigureUnit::Seconds => duration(value),
        }
    }
}

impl Comparison {
    /// Puts runs side by side.
    pub fn new(runs: Vec<Run>) -> Comparison {
        let mut rows = Vec::new();
        let kept: Vec<Option<&Epoch>> = runs.iter().map(Run::kept).collect();
        let last: Vec<Option<&Epoch>> = runs.iter().map(|run| run.epochs.last()).collect();
        epochs(&mut rows, "best epoch", &kept);
        if kept != last {
            epochs(&mut rows, "last epoch", &last);
        }
        tested(&mut rows, &runs);
        let costs: [(&str, FigureUnit, Cost<'_>); 6] = [
            ("epochs", FigureUnit::Count, &|run| run.epochs.last().map(|epoch| epoch.epoch.into())),
            ("time", FigureUnit::Seconds, &|run| run.seconds),
            ("samples a second", FigureUnit::Count, &speed),
            ("parameters", FigureUnit::Count, &|run| run.parameters.map(|n| n as f64)),
            ("RAM to learn", FigureUnit::Bytes, &|run| run.device_ram_bytes.map(|n| n as f64)),
            ("file in flash", FigureUnit::Bytes, &|run| run.device_flash_bytes.map(|n| n as f64)),
        ];
        for (name, unit, value) in costs {
            push(&mut rows, "cost", name, unit, None, runs.iter().map(value).collect());
        }
        let settings = differences(&runs).into_iter().map(|(name, values)| SettingRow { name, values }).collect();
        Comparison { names: names(&runs), rows, settings, runs }
    }

    /// The page; complete in itself, as every report.
    pub fn page(&self) -> String {
        page::page(self)
    }
}

/// What a run cost.
type Cost<'a> = &'a dyn Fn(&Run) -> Option<f64>;

/// The mean over epochs.
fn speed(run: &Run) -> Option<f64> {
    let mean = super::number::mean(run.epochs.iter().filter_map(|epoch| epoch.samples_per_second));
    mean.is_finite().then_some(mean)
}

/// Which epoch, and its figures.
fn epochs(rows: &mut Vec<FigureRow>, group: &str, of: &[Option<&Epoch>]) {
    let number = of.iter().map(|epoch| epoch.map(|epoch| epoch.epoch.into())).collect();
    push(rows, group, "epoch", FigureUnit::Count, None, number);
    let figures: Vec<_> = of.iter().map(|epoch| epoch.map(Epoch::figures).unwrap_or_default()).collect();
    let mut names: Vec<&String> = figures.iter().flat_map(|figures| figures.keys()).collect();
    // Losses first, training before validation, then the metrics.
    names.sort_by_key(|name| (place(name), *name));
    names.dedup();
    for name in names {
        let (unit, higher) = kind(name);
        let values = figures.iter().map(|figures| figures.get(name).copied()).collect();
        push(rows, group, name, unit, higher, values);
    }
}

fn place(name: &str) -> usize {
    let first = ["train_loss", "validation_loss", "train_accuracy", "validation_accuracy"];
    first.iter().position(|known| *known == name).unwrap_or(first.len())
}

/// The figures of the part that judged the results, if it is the same one of all.
fn tested(rows: &mut Vec<FigureRow>, runs: &[Run]) {
    let mut parts: Vec<&str> = runs.iter().map(|run| run.tested_on.as_str()).filter(|part| !part.is_empty()).collect();
    parts.sort_unstable();
    parts.dedup();
    for part in parts {
        let group = format!("{part} part");
        let of_part = |run: &Run| run.tested_on == part;
        let mut names: Vec<&String> =
            runs.iter().filter(|run| of_part(run)).flat_map(|run| run.tested.keys()).collect();
        names.sort_by_key(|name| (name.starts_with("device_"), *name));
        names.dedup();
        for name in names {
            let (unit, higher) = kind(name);
            let values = runs.iter().map(|run| run.tested.get(name).copied().filter(|_| of_part(run))).collect();
            push(rows, &group, name, unit, higher, values);
        }
    }
}

/// How a figure is written, and whether more is better.
fn kind(name: &str) -> (FigureUnit, Option<bool>) {
    let bare = ["device_", "train_", "validation_"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    match (bare, bare.parse::<Metric>()) {
        ("loss", _) => (FigureUnit::Number, Some(false)),
        (_, Ok(metric)) if metric.is_share() => (FigureUnit::Share, Some(metric.higher_is_better())),
        (_, Ok(metric)) => (FigureUnit::Number, Some(metric.higher_is_better())),
        _ => (FigureUnit::Number, None),
    }
}

/// Adds a row unless no run has a value.
fn push(
    rows: &mut Vec<FigureRow>,
    group: &str,
    name: &str,
    unit: FigureUnit,
    higher: Option<bool>,
    values: Vec<Option<f64>>,
) {
    let values: Vec<Option<f64>> = values.into_iter().map(|value| value.filter(|v| v.is_finite())).collect();
    if values.iter().all(Option::is_none) {
        return;
    }
    let known = || values.iter().enumerate().filter_map(|(run, value)| Some((run, (*value)?)));
    let best = higher.and_then(|higher| {
        let better = |a: f64, b: f64| if higher { a > b } else { a < b };
        let best = known().reduce(|best, next| if better(next.1, best.1) { next } else { best })?;
        Some(best.0)
    });
    let mut row = FigureRow { group: group.into(), name: name.into(), values, best, unit };
    // A mark between figures that read the same says nothing: of equal ones none is best.
    row.best = row.best.filter(|&best| {
        let others = (0..row.values.len()).filter(|&run| run != best && row.values[run].is_some());
        let mut others = others.map(|run| row.text(run) != row.text(best)).peekable();
        others.peek().is_some() && others.all(|differs| differs)
    });
    rows.push(row);
}

/// The last part of each folder's path, or as many as it takes to tell them apart.
fn names(runs: &[Run]) -> Vec<String> {
    let parts = |run: &Run| -> Vec<String> {
        let parts = run.folder.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        parts.filter(|part| part != "." && part != "/").collect()
    };
    let all: Vec<Vec<String>> = runs.iter().map(parts).collect();
    let longest = all.iter().map(Vec::len).max().unwrap_or(0);
    let tail = |parts: &Vec<String>, count: usize| parts[parts.len().saturating_sub(count)..].join("/");
    for count in 1..=longest {
        let names: Vec<String> = all.iter().map(|parts| tail(parts, count)).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() == names.len() && !names.contains(&String::new()) {
            return names;
        }
    }
    // The same folder twice, or the root.
    runs.iter().enumerate().map(|(index, run)| format!("{} ({})", run.name, index + 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn run(folder: &str, loss: f64, accuracy: Option<f64>) -> Run {
        let epoch = Epoch { epoch: 1, validation_loss: Some(loss), validation_accuracy: accuracy, ..Epoch::default() };
        Run { folder: PathBuf::from(folder), name: "x".into(), epochs: vec![epoch], ..Run::default() }
    }

    #[test]
    fn the_best_is_marked_where_it_can_be_told() {
        let all = Comparison::new(vec![run("a", 1.0, Some(0.5)), run("b", 0.5, Some(0.5)), run("c", 2.0, None)]);
        let row = |name: &str| all.rows.iter().find(|row| row.name == name).unwrap();
        assert_eq!(
            (row("validation_loss").best, row("validation_accuracy").best, row("epoch").best),
            (Some(1), None, None)
        );
        assert_eq!(
            (row("validation_accuracy").text(0), row("validation_accuracy").text(2)),
            ("50.00 %".into(), "–".into())
        );
        // Which of equal ones is best can't be told, whatever the others are; nor of those that read the same.
        for second in [0.5, 0.5 + 1e-9] {
            let all = Comparison::new(vec![run("a", 0.5, None), run("b", second, None), run("c", 2.0, None)]);
            let row = all.rows.iter().find(|row| row.name == "validation_loss").unwrap();
            assert_eq!((row.best, row.text(0) == row.text(1)), (None, true));
        }
        // The last epoch is the best one: it isn't said twice.
        assert!(all.rows.iter().all(|row| row.group != "last epoch"));
    }

    /// Losses first, training before validation, then the metrics by name.
    #[test]
    fn figures_of_epochs_have_their_order() {
        let metrics = [("recall_macro".to_string(), Some(0.5)), ("f1_macro".to_string(), Some(0.25))].into();
        let epoch = |epoch, loss| Epoch {
            epoch,
            train_loss: Some(loss),
            train_accuracy: Some(0.75),
            validation_loss: Some(1.5),
            validation_accuracy: Some(0.625),
            validation_metrics: BTreeMap::clone(&metrics),
            ..Epoch::default()
        };
        let names = [
            "epoch",
            "train_loss",
            "validation_loss",
            "train_accuracy",
            "validation_accuracy",
            "validation_f1_macro",
            "validation_recall_macro",
        ];
        let best = Run { epochs: vec![epoch(1, 0.5), epoch(2, 0.25)], best_epoch: Some(1), ..run("a", 0.0, None) };
        let all = Comparison::new(vec![best, Run { epochs: vec![epoch(3, 2.0)], ..run("b", 0.0, None) }]);
        // Of a run whose best epoch isn't its last, both are told.
        for (group, epochs, losses) in [("best epoch", [1.0, 3.0], [0.5, 2.0]), ("last epoch", [2.0, 3.0], [0.25, 2.0])]
        {
            let rows: Vec<&FigureRow> = all.rows.iter().filter(|row| row.group == group).collect();
            assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), names, "{group}");
            assert_eq!((&rows[0].values, &rows[1].values), (&epochs.map(Some).to_vec(), &losses.map(Some).to_vec()));
        }
    }

    #[test]
    fn the_device_comes_after_the_host() {
        let names = ["accuracy", "f1_macro", "loss", "device_accuracy", "device_loss"];
        let tested = names.map(|name| (name.to_string(), 0.5)).into();
        let judged = Run { tested, tested_on: "test".into(), ..run("a", 1.0, None) };
        let all = Comparison::new(vec![judged]);
        let found: Vec<&str> =
            all.rows.iter().filter(|row| row.group == "test part").map(|row| row.name.as_str()).collect();
        assert_eq!(found, names);
    }

    #[test]
    fn names_tell_runs_apart() {
        let of = |folders: &[&str]| names(&folders.iter().map(|f| run(f, 1.0, None)).collect::<Vec<_>>());
        assert_eq!(of(&["runs/a", "runs/b/"]), ["a", "b"]);
        assert_eq!(of(&["x/run", "y/run", "z"]), ["x/run", "y/run", "z"]);
        assert_eq!(of(&["a", "./a"]), ["x (1)", "x (2)"]);
        assert_eq!(of(&["/", "."]), ["x (1)", "x (2)"]);
    }

    #[test]
    fn figures_know_their_direction() {
        assert_eq!(kind("validation_mse"), (FigureUnit::Number, Some(false)));
        assert_eq!(kind("device_accuracy"), (FigureUnit::Share, Some(true)));
        assert_eq!(kind("train_loss"), (FigureUnit::Number, Some(false)));
        assert_eq!(kind("of_the_future"), (FigureUnit::Number, None));
    }
}
