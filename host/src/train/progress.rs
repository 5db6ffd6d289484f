//! Progress for people: a bar on a terminal, plain lines where the output is piped.

use super::history::EpochRecord;
use super::observer::{Event, Observer};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

/// Reports to standard error: a bar for the epoch at hand where that is a terminal, and in any case one line an epoch.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A bar if standard error is a terminal.
    pub fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} steps, loss {msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Progress { bar }
    }

    /// Writes a line; that nobody reads it any more is no reason to end the training.
    fn line(&self, text: &str) {
        let write = || {
            let _ = writeln!(io::stderr(), "{text}");
        };
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Observer for Progress {
    fn event(&mut self, event: Event<'_>) -> io::Result<()> {
        if let Some(bar) = &self.bar {
            match event {
                Event::Steps { epoch, epochs, step, steps, loss } => {
                    bar.set_prefix(format!("epoch {epoch}/{epochs}"));
                    bar.set_length(steps.into());
                    bar.set_position(step.into());
                    bar.set_message(format!("{loss:.4}"));
                }
                Event::Finished { .. } => bar.finish_and_clear(),
                _ => {}
            }
        }
        if let Some(text) = text(&event) {
            self.line(&text);
        }
        Ok(())
    }
}

/// The line of an event; none for those that only move the bar.
fn text(event: &Event<'_>) -> Option<String> {
    match *event {
        Event::Started { device, done, within, epochs, steps, samples, validation, trained } => {
            let resumed = match (done, within) {
                (0, 0) => String::new(),
                (done, 0) => format!(", resumed after epoch {done}"),
                (done, step) => format!(", resumed in epoch {} after step {step}", done + 1),
            };
            Some(format!(
                "training {trained} parameters on {device}: {samples} samples ({validation} for validation), \
                 {epochs} epochs of {steps} steps{resumed}"
            ))
        }
        Event::Epoch { record, epochs, best } => Some(epoch_line(record, epochs, best)),
        Event::Finished { best_epoch, stopped_early } => {
            Some(format!("{}, best epoch {best_epoch}", if stopped_early { "stopped early" } else { "done" }))
        }
        Event::Steps { .. } | Event::Saved { .. } => None,
    }
}

fn epoch_line(r: &EpochRecord, epochs: u32, best: bool) -> String {
    let mut line = format!("epoch {}/{epochs}  loss {:.4}", r.epoch, r.train_loss);
    let mut figure = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            // Writing to a string has no errors.
            let _ = write!(line, "  {name} {value:.4}");
        }
    };
    figure("accuracy", r.train_accuracy);
    figure("validation loss", r.validation_loss);
    figure("accuracy", r.validation_accuracy);
    r.validation_metrics.iter().for_each(|(name, value)| figure(&name.replace('_', " "), Some(*value)));
    let _ =
        write!(line, "  {:.2} s  {:.0} samples/s{}", r.seconds, r.samples_per_second, if best { "  *" } else { "" });
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_one_line() {
        let record = EpochRecord {
            epoch: 2,
            step: 46,
            train_loss: 0.51234,
            train_accuracy: Some(0.9),
            validation_loss: None,
            validation_accuracy: None,
            validation_metrics: Default::default(),
            learning_rate: 0.1,
            seconds: 0.256,
            samples_per_second: 5859.4,
        };
        assert_eq!(
            epoch_line(&record, 10, true),
            "epoch 2/10  loss 0.5123  accuracy 0.9000  0.26 s  5859 samples/s  *"
        );
    }
}
