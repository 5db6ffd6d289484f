//! The view in a terminal.

use super::words::{clock, figure, finished, short, started};
use crate::train::EpochRecord;
use crate::train::observer::Event;
use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write as _;
use std::time::Instant;

/// Rows of epochs that a run leaves, about.
const ROWS: u32 = 50;
/// Redrawings a second.
const HZ: u8 = 10;
/// Characters of a narrow column, with the gap before it.
const NARROW: usize = 9;

/// A table above, and a line that moves.
#[derive(Debug)]
pub(super) struct Live {
    bar: ProgressBar,
    columns: Option<Vec<Column>>,
    run: Clock,
    epoch: Clock,
    /// Steps of the whole run that are done, and how many it had done at its start.
    steps: (u64, u64),
    samples: usize,
    best: Option<u32>,
    last: u32,
}

/// Since when.
#[derive(Clone, Copy, Debug)]
struct Clock(Instant);

impl Clock {
    fn start() -> Clock {
        Clock(Instant::now())
    }

    fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// A column of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Column {
    Epoch,
    TrainLoss,
    ValidationLoss,
    TrainAccuracy,
    ValidationAccuracy,
    Metric(String),
    Rate,
    Speed,
    Time,
}

impl Column {
    fn head(&self) -> &str {
        match self {
            Column::Epoch => "epoch",
            Column::TrainLoss => "loss",
            Column::ValidationLoss => "val loss",
            Column::TrainAccuracy => "accuracy",
            Column::ValidationAccuracy => "val acc",
            Column::Metric(name) => name,
            Column::Rate => "rate",
            Column::Speed => "smpl/s",
            Column::Time => "time",
        }
    }

    fn width(&self) -> usize {
        match self {
            Column::Metric(name) => (name.chars().count() + 2).max(NARROW),
            Column::ValidationLoss | Column::TrainAccuracy => NARROW + 1,
            _ => NARROW,
        }
    }

    fn value(&self, r: &EpochRecord) -> Option<String> {
        Some(match self {
            Column::Epoch => r.epoch.to_string(),
            Column::TrainLoss => figure(r.train_loss),
            Column::ValidationLoss => figure(r.validation_loss?),
            Column::TrainAccuracy => figure(r.train_accuracy?),
            Column::ValidationAccuracy => figure(r.validation_accuracy?),
            Column::Metric(name) => figure(*r.validation_metrics.get(name)?),
            Column::Rate => figure(r.learning_rate.into()),
            Column::Speed => short(r.samples_per_second),
            Column::Time if r.seconds < 0.0995 => format!("{:.0} ms", r.seconds * 1000.0),
            Column::Time if r.seconds < 60.0 => format!("{:.1} s", r.seconds),
            Column::Time => clock(r.seconds),
        })
    }
}

/// The columns that an epoch fills, the most telling ones where not all fit; in the order in which they stand.
fn columns(r: &EpochRecord, width: usize) -> Vec<Column> {
    let metrics = r.validation_metrics.keys().filter(|name| *name != "accuracy").cloned().map(Column::Metric);
    let stand: Vec<Column> = [Column::Epoch, Column::TrainLoss, Column::ValidationLoss]
        .into_iter()
        .chain([Column::TrainAccuracy, Column::ValidationAccuracy])
        .chain(metrics)
        .chain([Column::Rate, Column::Speed, Column::Time])
        .filter(|column| column.value(r).is_some())
        .collect();
    let rank = |column: &Column| match column {
        Column::Epoch => 0,
        Column::TrainLoss => 1,
        Column::ValidationLoss => 2,
        Column::ValidationAccuracy => 3,
        Column::Metric(_) => 4,
        Column::Time => 5,
        Column::Speed => 6,
        Column::TrainAccuracy => 7,
        Column::Rate => 8,
    };
    let mut wanted: Vec<&Column> = stand.iter().collect();
    wanted.sort_by_key(|column| rank(column));
    // The star takes two.
    let mut used = 2;
    let mut fit = Vec::new();
    for column in wanted {
        if used + column.width() <= width {
            used += column.width();
            fit.push(column.clone());
        }
    }
    stand.into_iter().filter(|column| fit.contains(column)).collect()
}

fn row(columns: &[Column], cell: impl Fn(&Column) -> String, end: &str) -> String {
    let mut line = String::new();
    for column in columns {
        // Writing to a string has no errors.
        let _ = write!(line, "{:>width$}", cell(column), width = column.width());
    }
    line + end
}

impl Live {
    pub(super) fn new() -> Live {
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr_with_hz(HZ));
        let style = ProgressStyle::with_template(" {prefix} {bar:16.cyan/dim} {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━━─");
        Live {
            bar: bar.with_style(style),
            columns: None,
            run: Clock::start(),
            epoch: Clock::start(),
            steps: (0, 0),
            samples: 0,
            best: None,
            last: 0,
        }
    }

    pub(super) fn event(&mut self, event: &Event<'_>) {
        match *event {
            Event::Started { done, within, epochs, steps, samples, .. } => {
                started(event).into_iter().flatten().for_each(|line| self.bar.println(line));
                (self.run, self.epoch) = (Clock::start(), Clock::start());
                let before = u64::from(done) * u64::from(steps) + u64::from(within);
                (self.steps, self.samples, self.last) = ((before, before), samples, epochs);
            }
            Event::Steps { epoch, epochs, step, steps, loss } => {
                self.steps.0 = u64::from(epoch - epoch.min(1)) * u64::from(steps) + u64::from(step);
                let all = u64::from(epochs) * u64::from(steps);
                self.bar.set_length(all);
                self.bar.set_prefix(format!("{epoch}/{epochs}"));
                let done = f64::from(step) / f64::from(steps.max(1)) * self.samples as f64;
                let speed = done / self.epoch.seconds().max(1e-9);
                self.bar.set_message(message(loss, speed, self.left(all), self.best));
                self.bar.set_position(self.steps.0.min(all));
            }
            Event::Epoch { record, epochs, best } => {
                if best {
                    self.best = Some(record.epoch);
                }
                self.epoch = Clock::start();
                let every = epochs.div_ceil(ROWS).max(1);
                // The first tells the columns, the last what it came to.
                if epochs <= 2 * ROWS
                    || record.epoch % every == 0
                    || self.columns.is_none()
                    || record.epoch == self.last
                {
                    self.row(record, best);
                }
            }
            Event::Finished { .. } => {
                let how = finished(event).unwrap_or_default();
                self.bar.println(format!("{how} in {}", clock(self.run.seconds())));
                self.bar.finish_and_clear();
            }
            _ => {}
        }
    }

    /// Prints an epoch's row, before the first one the head.
    fn row(&mut self, record: &EpochRecord, best: bool) {
        let width = usize::from(Term::stderr().size().1).max(40);
        let mut text = String::new();
        let columns = self.columns.get_or_insert_with(|| {
            let columns = columns(record, width.min(160));
            text = row(&columns, |column| column.head().into(), "\n");
            columns
        });
        let cell = |column: &Column| column.value(record).unwrap_or_else(|| "-".into());
        text += &row(columns, cell, if best { " *" } else { "" });
        self.bar.println(text);
    }

    /// Seconds that are left, at the speed so far.
    fn left(&self, all: u64) -> f64 {
        let (done, before) = self.steps;
        match done.saturating_sub(before) {
            0 => f64::NAN,
            steps => self.run.seconds() / steps as f64 * all.saturating_sub(done) as f64,
        }
    }
}

/// What stands after the bar: at most 47 characters.
fn message(loss: f64, speed: f64, left: f64, best: Option<u32>) -> String {
    let best = best.map(|epoch| format!("  best {epoch}")).unwrap_or_default();
    format!("loss {}  {}/s  {} left{best}", figure(loss), short(speed), clock(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> EpochRecord {
        EpochRecord {
            epoch: 12,
            step: 46,
            train_loss: 0.51234,
            train_accuracy: Some(0.9),
            validation_loss: Some(12.25),
            validation_accuracy: Some(0.875),
            validation_metrics: [("f1_macro".to_string(), 0.75), ("roc_auc_ovr_weighted".to_string(), 0.5)].into(),
            learning_rate: 0.001,
            seconds: 75.0,
            samples_per_second: 5859.4,
        }
    }

    #[test]
    fn a_row_fits_any_terminal_and_says_the_most_telling_first() {
        let record = record();
        for width in [40, 60, 80, 100, 132, 200] {
            let columns = columns(&record, width);
            let head = row(&columns, |column| column.head().into(), "");
            let line = row(&columns, |column| column.value(&record).unwrap(), " *");
            assert!(line.chars().count() <= width && head.chars().count() <= width, "{width}: {head}\n{line}");
            assert!(columns.starts_with(&[Column::Epoch, Column::TrainLoss, Column::ValidationLoss]), "{columns:?}");
        }
        let all = row(&columns(&record, 200), |column| column.value(&record).unwrap(), " *");
        assert_eq!(
            all,
            "       12   0.5123   12.2500    0.9000   0.8750    0.7500                0.5000   0.0010     5.9k     1:15 *"
        );
        // Nothing stands for what isn't there.
        let plain = EpochRecord { validation_loss: None, validation_accuracy: None, train_accuracy: None, ..record };
        assert!(!columns(&plain, 200).contains(&Column::ValidationLoss));
    }

    #[test]
    fn the_moving_line_fits_eighty_columns() {
        let message = message(123_456.7, 123_456.0, 359_999.0, Some(123_456));
        // Prefix of a run of many epochs, the bar and the gaps.
        assert!("123456/123456".len() + 16 + 3 + message.chars().count() <= 80, "{message}");
    }
}
