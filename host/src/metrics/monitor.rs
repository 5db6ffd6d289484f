//! What a run can be judged by: a figure of one of its parts.

use super::name::{Metric, UnknownMetric};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A figure of an epoch: `validation_f1_macro`, `train_loss`. Keras's `val_…` is read as `validation_…`.
///
/// ```
/// use emberlite_host::metrics::{Metric, Monitor};
///
/// assert_eq!("val_accuracy".parse(), Ok(Monitor::Validation(Metric::Accuracy)));
/// assert_eq!("validation_roc_auc".parse::<Monitor>().unwrap().metric(), Some(Metric::RocAuc));
/// assert!("train_f1".parse::<Monitor>().unwrap_err().to_string().contains("validation_f1"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Monitor {
    /// The mean loss of the epoch's updates, each before it.
    TrainLoss,
    /// The share of right classes, likewise.
    TrainAccuracy,
    /// The mean loss over the validation part.
    ValidationLoss,
    /// A metric of the validation part.
    Validation(Metric),
}

impl Monitor {
    /// Whether more is better.
    pub const fn higher_is_better(self) -> bool {
        match self {
            Monitor::TrainLoss | Monitor::ValidationLoss => false,
            Monitor::TrainAccuracy => true,
            Monitor::Validation(metric) => metric.higher_is_better(),
        }
    }

    /// Whether there must be a validation part.
    pub const fn needs_validation(self) -> bool {
        matches!(self, Monitor::ValidationLoss | Monitor::Validation(_))
    }

    /// The metric that the validation part is to be judged by; none for losses and figures of training.
    pub const fn metric(self) -> Option<Metric> {
        match self {
            Monitor::Validation(metric) => Some(metric),
            _ => None,
        }
    }

    /// How much better `new` is than `old`; negative if it is worse.
    pub fn gain(self, new: f64, old: f64) -> f64 {
        if self.higher_is_better() { new - old } else { old - new }
    }
}

impl fmt::Display for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Monitor::TrainLoss => f.write_str("train_loss"),
            Monitor::TrainAccuracy => f.write_str("train_accuracy"),
            Monitor::ValidationLoss => f.write_str("validation_loss"),
            Monitor::Validation(metric) => write!(f, "validation_{metric}"),
        }
    }
}

/// No figure has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UnknownMonitor {
    /// It is none of a part.
    #[error(
        "`{0}` is no figure of an epoch; give train_loss, train_accuracy, validation_loss or validation_ and a metric, such as validation_f1_macro"
    )]
    Part(String),
    /// Of the training part only loss and accuracy are kept.
    #[error(
        "`train_{0}`: of training only train_loss and train_accuracy are known, since parameters change from batch to batch; give validation_{0}"
    )]
    Training(Metric),
    /// The metric after `validation_`.
    #[error(transparent)]
    Metric(#[from] UnknownMetric),
}

impl FromStr for Monitor {
    type Err = UnknownMonitor;

    fn from_str(text: &str) -> Result<Self, UnknownMonitor> {
        match text {
            "train_loss" => return Ok(Monitor::TrainLoss),
            "train_accuracy" => return Ok(Monitor::TrainAccuracy),
            "validation_loss" | "val_loss" => return Ok(Monitor::ValidationLoss),
            _ => {}
        }
        if let Some(metric) = text.strip_prefix("train_").and_then(|rest| rest.parse().ok()) {
            return Err(UnknownMonitor::Training(metric));
        }
        match text.strip_prefix("validation_").or(text.strip_prefix("val_")) {
            Some(metric) => Ok(Monitor::Validation(metric.parse()?)),
            None => Err(UnknownMonitor::Part(text.chars().take(60).collect())),
        }
    }
}

impl Serialize for Monitor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Monitor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in
            ["train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "validation_f0.5_class_2"]
        {
            let monitor: Monitor = name.parse().unwrap();
            assert_eq!(
                (monitor.to_string(), serde_json::to_string(&monitor).unwrap()),
                (name.into(), format!("\"{name}\""))
            );
        }
        assert_eq!("val_mse".parse(), Ok(Monitor::Validation(Metric::Mse)));
        for name in ["loss", "accuracy", "validation_", "validation_acc", "train_x", ""] {
            assert!(name.parse::<Monitor>().is_err(), "{name}");
        }
    }

    #[test]
    fn gains_go_the_right_way() {
        assert!(Monitor::ValidationLoss.gain(0.5, 1.0) > 0.0);
        assert!(Monitor::Validation(Metric::Accuracy).gain(0.5, 1.0) < 0.0);
        assert!(Monitor::Validation(Metric::Mae).gain(0.5, 1.0) > 0.0);
    }
}
