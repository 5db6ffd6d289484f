//! What each epoch gave, which was the best, and when to stop.

use crate::metrics::{Metric, Monitor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

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
    /// The metrics that were asked for, by name, of the validation set after the epoch.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validation_metrics: BTreeMap<String, f64>,
    /// The learning rate of the epoch's last update.
    pub learning_rate: f32,
    /// Wall time of the epoch, validation included.
    pub seconds: f64,
    /// Training samples per second, validation not counted.
    pub samples_per_second: f64,
}

/// Ends training when it stops getting better.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    /// What must get better.
    pub monitor: Monitor,
    /// Epochs in a row without improvement after which training ends; at least 1.
    pub patience: u32,
    /// By how much the figure must improve to count.
    pub min_delta: f64,
}

impl EpochRecord {
    /// The figure that a run is judged by; `None` where the epoch hasn't got it.
    pub fn figure(&self, monitor: Monitor) -> Option<f64> {
        match monitor {
            Monitor::TrainLoss => Some(self.train_loss),
            Monitor::TrainAccuracy => self.train_accuracy,
            Monitor::ValidationLoss => self.validation_loss,
            Monitor::Validation(metric) => {
                let figure = self.validation_metrics.get(&metric.to_string()).copied();
                figure.or(self.validation_accuracy.filter(|_| metric == Metric::Accuracy))
            }
        }
    }
}

impl fmt::Display for EarlyStopping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, patience {}, min_delta {}", self.monitor, self.patience, self.min_delta)
    }
}

/// Watches a figure: the best epoch, and how long it has been.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Watch {
    monitor: Option<Monitor>,
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
        let monitor = stopping.map(|s| s.monitor).or(validation.then_some(Monitor::ValidationLoss));
        let (patience, min_delta) = stopping.map_or((0, 0.0), |s| (s.patience, s.min_delta));
        Watch { monitor, min_delta, patience, best: (0, None), waited: 0 }
    }

    /// Takes an epoch's figures; whether it is the best so far.
    pub fn see(&mut self, record: &EpochRecord) -> bool {
        let Some(monitor) = self.monitor else {
            self.best = (record.epoch, None);
            return true;
        };
        let figure = record.figure(monitor);
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
            validation_metrics: BTreeMap::new(),
            learning_rate: 0.1,
            seconds: 0.0,
            samples_per_second: 0.0,
        }
    }

    #[test]
    fn the_best_epoch_is_kept_and_patience_counts_from_it() {
        let stopping = EarlyStopping { monitor: Monitor::ValidationLoss, patience: 2, min_delta: 0.1 };
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
        let stopping = EarlyStopping { monitor: Monitor::Validation(Metric::Accuracy), patience: 1, min_delta: 0.0 };
        let mut watch = Watch::new(Some(&stopping), true);
        assert!(watch.see(&record(1, 0.0, 0.5)) && watch.see(&record(2, 0.0, 0.6)));
        assert!(!watch.see(&record(3, 0.0, 0.6)) && watch.stops());
        let mut watch = Watch::new(None, false);
        assert!(watch.see(&record(1, 0.1, 0.0)) && watch.see(&record(2, 0.9, 0.0)) && !watch.stops());
        assert_eq!(watch.best, (2, None));
        let mut watch = Watch::new(None, true);
        assert!(watch.see(&record(1, 0.1, 0.0)) && !watch.see(&record(2, 0.9, 0.0)) && !watch.stops());
    }
}
