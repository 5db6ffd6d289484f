//! What each epoch gave, which was the best, and when to stop.

use super::reached::Reached;
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

    /// Sees the epochs that a run has done by another rule: then it is as if it had had this one from the start. `best` is the
    /// epoch whose parameters it has kept, `within` the updates that it has made in the epoch after those.
    ///
    /// # Errors
    /// In half a sentence, why it would have gone otherwise.
    pub fn see_again(&mut self, history: &[EpochRecord], best: u32, within: u32) -> Result<(), String> {
        for (place, record) in history.iter().enumerate() {
            self.see(record);
            if self.stops() && (place + 1 < history.len() || within > 0) {
                let done = Reached::words(history.len() as u32, within);
                return Err(format!(
                    "by the new rule it would have ended after epoch {}, and it has done {done}",
                    record.epoch
                ));
            }
        }
        if self.best.0 != best {
            let own = self.best.0;
            return Err(format!("by the new rule epoch {own} would be its best, of which it has kept nothing"));
        }
        Ok(())
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

    /// Losses 1.0, 0.95, 0.8, 0.9, 0.85: with patience 9 and no least gain the third is the best, two were waited since.
    #[test]
    fn a_run_goes_on_by_another_rule_where_it_would_have_come_as_far() {
        let history: Vec<EpochRecord> =
            (1..).zip([1.0, 0.95, 0.8, 0.9, 0.85]).map(|(epoch, loss)| record(epoch, loss, 0.0)).collect();
        let again = |patience, min_delta, within| {
            let stopping = EarlyStopping { monitor: Monitor::ValidationLoss, patience, min_delta };
            let mut watch = Watch::new((patience > 0).then_some(&stopping), true);
            watch.see_again(&history, 3, within).map(|()| (watch.best, watch.waited, watch.stops()))
        };
        let kept = (3, Some(0.8));
        assert_eq!(again(9, 0.0, 0), Ok((kept, 2, false)));
        // Without early stopping, and with a patience that ends just here.
        assert_eq!((again(0, 0.0, 1), again(2, 0.0, 0)), (Ok((kept, 2, false)), Ok((kept, 2, true))));
        // A gain of 0.1: 0.95 isn't better any more, and the third still the best.
        assert_eq!(again(2, 0.1, 0), Ok((kept, 2, true)));
        let refused = |patience, min_delta, within| again(patience, min_delta, within).unwrap_err();
        assert_eq!(
            refused(2, 0.0, 7),
            "by the new rule it would have ended after epoch 5, and it has done 5 epochs and 7 steps of the next"
        );
        assert_eq!(refused(1, 0.0, 0), "by the new rule it would have ended after epoch 4, and it has done 5 epochs");
        assert_eq!(refused(9, 0.5, 0), "by the new rule epoch 1 would be its best, of which it has kept nothing");
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
