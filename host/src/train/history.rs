//! What each epoch gave, which was the best, and when to stop.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// One epoch's figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: u32,
    /// Updates made since the start.
    pub step: u32,
    /// The mean loss over the epoch's samples, each as its batch saw it: before that batch's update, with dropout.
    pub train_loss: f64,
    /// The share of right classes, likewise; `None` where the loss has no classes.
    pub train_accuracy: Option<f64>,
    /// The mean loss over the validation set after the epoch; `None` without one.
    pub validation_loss: Option<f64>,
    /// The share of right classes in the validation set after the epoch.
    pub validation_accuracy: Option<f64>,
    /// The learning rate of the epoch's last update.
    pub learning_rate: f32,
    /// Wall time of the epoch, validation included.
    pub seconds: f64,
    /// Training samples per second, validation not counted.
    pub samples_per_second: f64,
}

/// A figure of an epoch that says how good it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// [`EpochRecord::train_loss`], lower is better.
    TrainLoss,
    /// [`EpochRecord::train_accuracy`], higher is better.
    TrainAccuracy,
    /// [`EpochRecord::validation_loss`], lower is better.
    ValidationLoss,
    /// [`EpochRecord::validation_accuracy`], higher is better.
    ValidationAccuracy,
}

/// Ends training when it stops getting better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    /// What must get better.
    pub monitor: Metric,
    /// Epochs in a row without improvement after which training ends; at least 1.
    pub patience: u32,
    /// By how much the figure must improve to count.
    pub min_delta: f64,
}

impl Metric {
    const ALL: [Metric; 4] =
        [Metric::TrainLoss, Metric::TrainAccuracy, Metric::ValidationLoss, Metric::ValidationAccuracy];

    /// The name used in settings and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Metric::TrainLoss => "train_loss",
            Metric::TrainAccuracy => "train_accuracy",
            Metric::ValidationLoss => "validation_loss",
            Metric::ValidationAccuracy => "validation_accuracy",
        }
    }

    /// Whether it needs a validation set.
    pub const fn needs_validation(self) -> bool {
        matches!(self, Metric::ValidationLoss | Metric::ValidationAccuracy)
    }

    /// Whether it needs a loss with classes.
    pub const fn needs_classes(self) -> bool {
        matches!(self, Metric::TrainAccuracy | Metric::ValidationAccuracy)
    }

    /// The figure of an epoch.
    pub fn of(self, record: &EpochRecord) -> Option<f64> {
        match self {
            Metric::TrainLoss => Some(record.train_loss),
            Metric::TrainAccuracy => record.train_accuracy,
            Metric::ValidationLoss => record.validation_loss,
            Metric::ValidationAccuracy => record.validation_accuracy,
        }
    }

    /// How much better `new` is than `old`.
    fn gain(self, new: f64, old: f64) -> f64 {
        if self.needs_classes() { new - old } else { old - new }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for EarlyStopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, patience {}, min_delta {}", self.monitor, self.patience, self.min_delta)
    }
}

impl FromStr for Metric {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Metric::ALL.into_iter().find(|metric| metric.name() == text);
        found.ok_or_else(|| format!("`{text}` is no metric; there are: {}", Metric::ALL.map(Metric::name).join(", ")))
    }
}

/// Watches a figure: the best epoch, and how long it has been.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watch {
    monitor: Option<Metric>,
    min_delta: f64,
    /// 0 for never.
    patience: u32,
    /// The best epoch so far and its figure; epoch 0 is the start.
    pub best: (u32, Option<f64>),
    /// Epochs since then.
    pub waited: u32,
}

impl Watch {
    /// Without early stopping the best validation loss counts, or else the last epoch.
    pub fn new(stopping: Option<&EarlyStopping>, validation: bool) -> Self {
        let monitor = stopping.map(|s| s.monitor).or(validation.then_some(Metric::ValidationLoss));
        let (patience, min_delta) = stopping.map_or((0, 0.0), |s| (s.patience, s.min_delta));
        Watch { monitor, min_delta, patience, best: (0, None), waited: 0 }
    }

    /// Takes an epoch's figures; whether it is the best so far.
    pub fn see(&mut self, record: &EpochRecord) -> bool {
        let Some(monitor) = self.monitor else {
            self.best = (record.epoch, None);
            return true;
        };
        let figure = monitor.of(record);
        let better = match (figure, self.best.1) {
            (Some(new), Some(old)) => monitor.gain(new, old) > self.min_delta,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if better {
            (self.best, self.waited) = ((record.epoch, figure), 0);
        } else {
            self.waited += 1;
        }
        better
    }

    /// Whether patience has run out.
    pub fn stops(&self) -> bool {
        self.patience > 0 && self.waited >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: u32, loss: f64, accuracy: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            step: 0,
            train_loss: 9.0,
            train_accuracy: None,
            validation_loss: Some(loss),
            validation_accuracy: Some(accuracy),
            learning_rate: 0.1,
            seconds: 0.0,
            samples_per_second: 0.0,
        }
    }

    #[test]
    fn the_best_epoch_is_kept_and_patience_counts_from_it() {
        let stopping = EarlyStopping { monitor: Metric::ValidationLoss, patience: 2, min_delta: 0.1 };
        let mut watch = Watch::new(Some(&stopping), true);
        // 0.95 isn't better than 1.0 by 0.1; 0.8 is.
        for (epoch, loss, better, stops) in [
            (1, 1.0, true, false),
            (2, 0.95, false, false),
            (3, 0.8, true, false),
            (4, 0.9, false, false),
            (5, 0.8, false, true),
        ] {
            assert_eq!((watch.see(&record(epoch, loss, 0.0)), watch.stops()), (better, stops), "epoch {epoch}");
        }
        assert_eq!(watch.best, (3, Some(0.8)));
    }

    #[test]
    fn accuracy_is_better_when_higher_and_without_a_monitor_the_last_epoch_counts() {
        let stopping = EarlyStopping { monitor: Metric::ValidationAccuracy, patience: 1, min_delta: 0.0 };
        let mut watch = Watch::new(Some(&stopping), true);
        assert!(watch.see(&record(1, 0.0, 0.5)) && watch.see(&record(2, 0.0, 0.6)));
        assert!(!watch.see(&record(3, 0.0, 0.6)) && watch.stops());
        let mut watch = Watch::new(None, false);
        assert!(watch.see(&record(1, 0.1, 0.0)) && watch.see(&record(2, 0.9, 0.0)) && !watch.stops());
        assert_eq!(watch.best, (2, None));
        let mut watch = Watch::new(None, true);
        assert!(watch.see(&record(1, 0.1, 0.0)) && !watch.see(&record(2, 0.9, 0.0)) && !watch.stops());
    }

    #[test]
    fn names_read_back() {
        assert!(Metric::ALL.iter().all(|m| m.name().parse() == Ok(*m)));
        assert!("loss".parse::<Metric>().unwrap_err().contains("validation_loss"));
    }
}
