//! The figure that candidates are judged by.

use std::fmt;

use crate::metrics::{Metric, Monitor};
use crate::study::Direction;
use crate::train::{EpochRecord, Evaluation};

/// A figure of samples that weren't learnt from: their mean loss, or any metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judge(Option<Metric>);

impl Judge {
    /// The mean loss, lower is better.
    pub const LOSS: Judge = Judge(None);

    /// By its name, with or without `validation_` (`val_`): `validation_loss`, `f1_macro`.
    ///
    /// # Errors
    /// The names there are, or why the figure says nothing.
    ///
    /// ```
    /// use emberlite_host::search::{Direction, Judge};
    ///
    /// assert_eq!(Judge::parse("f1_macro")?.to_string(), "validation_f1_macro");
    /// assert_eq!(Judge::parse("val_loss")?.direction(), Direction::Minimize);
    /// assert!(Judge::parse("train_loss").is_err());
    /// # Ok::<(), String>(())
    /// ```
    pub fn parse(name: &str) -> Result<Judge, String> {
        let plain = name.strip_prefix("validation_").or(name.strip_prefix("val_")).unwrap_or(name);
        if plain.starts_with("train_") {
            return Err(format!("`{name}` is of samples that were learnt from; give validation_loss or a metric"));
        }
        if plain == "loss" {
            return Ok(Judge::LOSS);
        }
        plain.parse().map(|metric| Judge(Some(metric))).map_err(|error| format!("{error}; or loss"))
    }

    /// The metric, if it isn't the loss.
    pub fn metric(self) -> Option<Metric> {
        self.0
    }

    /// Which scores are better.
    pub fn direction(self) -> Direction {
        if self.0.is_some_and(Metric::higher_is_better) { Direction::Maximize } else { Direction::Minimize }
    }

    /// Whether it is a share of 0 to 1, which people read as percent.
    pub fn is_share(self) -> bool {
        self.0.is_some_and(Metric::is_share)
    }

    /// The figure of an epoch's validation.
    pub fn of_epoch(self, record: &EpochRecord) -> Option<f64> {
        record.figure(self.0.map_or(Monitor::ValidationLoss, Monitor::Validation))
    }

    /// The figure of an evaluation that was asked for it.
    pub fn of(self, evaluation: &Evaluation) -> Option<f64> {
        match self.0 {
            None => Some(evaluation.loss),
            Some(Metric::Accuracy) if evaluation.accuracy.is_some() => evaluation.accuracy,
            Some(metric) => evaluation.metrics.get(&metric.to_string()).copied(),
        }
    }
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("validation_loss"),
            Some(metric) => write!(f, "validation_{metric}"),
        }
    }
}
