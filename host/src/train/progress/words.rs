//! Events as lines, numbers as people read them.

use crate::train::EpochRecord;
use crate::train::Precision;
use crate::train::observer::Event;
use std::fmt::Write as _;

/// The line of an event; none for those that only move the live line.
pub(super) fn line(event: &Event<'_>) -> Option<String> {
    match *event {
        Event::Started { .. } => Some(started(event)?.join(": ")),
        Event::Epoch { record, epochs, best } => Some(epoch(record, epochs, best)),
        Event::Finished { .. } => finished(event),
        _ => None,
    }
}

/// What is trained on what, and from how much.
pub(super) fn started(event: &Event<'_>) -> Option<[String; 2]> {
    let Event::Started { device, precision, done, within, epochs, steps, samples, validation, trained, .. } = *event
    else {
        return None;
    };
    let resumed = match (done, within) {
        (0, 0) => String::new(),
        (done, 0) => format!(", resumed after epoch {done}"),
        (done, step) => format!(", resumed in epoch {} after step {step}", done + 1),
    };
    Some([
        match precision {
            Precision::F32 => format!("training {trained} parameters on {device}"),
            precision => format!("training {trained} parameters on {device}, products in {precision}"),
        },
        format!("{samples} samples ({validation} for validation), {epochs} epochs of {steps} steps{resumed}"),
    ])
}

/// What has ended it, and what is kept.
pub(super) fn finished(event: &Event<'_>) -> Option<String> {
    let Event::Finished { best_epoch, stopped_early, max_steps } = *event else { return None };
    let how = match max_steps {
        _ if stopped_early => "stopped early".to_string(),
        Some(1) => "ended after 1 update, as max_steps says".into(),
        Some(most) => format!("ended after {most} updates, as max_steps says"),
        None => "done".into(),
    };
    Some(format!("{how}, best epoch {best_epoch}"))
}

fn epoch(r: &EpochRecord, epochs: u32, best: bool) -> String {
    let mut line = format!("epoch {}/{epochs}  loss {}", r.epoch, told(r.train_loss));
    let mut figure = |name: &str, value: Option<f64>| {
        if let Some(value) = value {
            // Writing to a string has no errors.
            let _ = write!(line, "  {name} {}", told(value));
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

/// Four decimals, as every line has them.
fn told(value: f64) -> String {
    decimals(value, 4)
}

/// So many decimals, but no dozens of digits.
pub(crate) fn decimals(value: f64, places: usize) -> String {
    if value.abs() < 1e6 { format!("{value:.places$}") } else { format!("{value:.places$e}") }
}

/// `0:42`, `1:02:03`.
pub(super) fn clock(seconds: f64) -> String {
    if !(0.0..1e8).contains(&seconds) {
        return "-:--".into();
    }
    let whole = seconds.ceil() as u64;
    match whole {
        0..3600 => format!("{}:{:02}", whole / 60, whole % 60),
        _ => format!("{}:{:02}:{:02}", whole / 3600, whole % 3600 / 60, whole % 60),
    }
}

/// `512`, `12.3k`, `4.5M`: at most five characters for anything below 10^9.
pub(super) fn short(number: f64) -> String {
    match number {
        n if !n.is_finite() || n < 0.0 => "-".into(),
        n if n < 999.5 => format!("{n:.0}"),
        n if n < 99_950.0 => format!("{:.1}k", n / 1e3),
        n if n < 999_500.0 => format!("{:.0}k", n / 1e3),
        n if n < 99.95e6 => format!("{:.1}M", n / 1e6),
        n if n < 999.5e6 => format!("{:.0}M", n / 1e6),
        n => format!("{n:.0e}"),
    }
}

/// Four decimals where they say something, an exponent where they don't: at most eight characters.
pub(super) fn figure(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "-".into()
    } else if size == 0.0 || (1e-3..1e3).contains(&size) {
        format!("{value:.4}")
    } else if (1e3..1e6).contains(&size) {
        format!("{value:.0}")
    } else {
        format!("{value:.1e}")
    }
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
            validation_metrics: [("f1_macro".to_string(), 0.75)].into(),
            learning_rate: 0.1,
            seconds: 0.256,
            samples_per_second: 5859.4,
        };
        assert_eq!(
            epoch(&record, 10, true),
            "epoch 2/10  loss 0.5123  accuracy 0.9000  f1 macro 0.7500  0.26 s  5859 samples/s  *"
        );
    }

    #[test]
    fn large_figures_are_short_in_lines_too() {
        assert_eq!([told(0.51234), told(-999_999.5), told(f64::NAN)], ["0.5123", "-999999.5000", "NaN"]);
        assert_eq!([told(1e6), told(-2.90608e31)], ["1.0000e6", "-2.9061e31"]);
    }

    #[test]
    fn the_end_says_what_has_ended_it() {
        let said =
            |stopped_early, max_steps| line(&Event::Finished { best_epoch: 2, stopped_early, max_steps }).unwrap();
        assert_eq!([said(false, None), said(true, Some(9))], ["done, best epoch 2", "stopped early, best epoch 2"]);
        assert_eq!(said(false, Some(9)), "ended after 9 updates, as max_steps says, best epoch 2");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([0.2, 59.1, 61.0, 3723.0, f64::NAN].map(clock), ["0:01", "1:00", "1:01", "1:02:03", "-:--"]);
        assert_eq!(
            [0.0, 999.0, 999.9, 12_345.0, 123_456.0, 4.56e6, f64::INFINITY].map(short),
            ["0", "999", "1.0k", "12.3k", "123k", "4.6M", "-"]
        );
        assert_eq!(
            [0.51234, 0.0, 12_345.6, 1e-7, -3.5, f64::NAN].map(figure),
            ["0.5123", "0.0000", "12346", "1.0e-7", "-3.5000", "-"]
        );
    }
}
