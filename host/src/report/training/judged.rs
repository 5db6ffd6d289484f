//! What a set says of a model beyond loss and accuracy: metrics, calibration, curves, and what it gets wrong.

use serde::{Deserialize, Serialize};

use crate::report::facts::Pairs;

/// How a model did on a set, by the host's numbers. Every part may stay empty: its section is left out then.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Judged {
    /// The set and what computed, such as `test set, host (f32)`.
    pub of: String,
    /// Metrics by name, in the order in which they are shown.
    pub metrics: Vec<(String, f64)>,
    /// How often it is right when it is so and so sure, in ranges of the same width.
    pub calibration: Vec<CalibrationRange>,
    /// Of two classes, how well they are told apart at every threshold.
    pub curves: Option<Curves>,
    /// Of numbers: some samples as (right number, predicted number).
    pub predictions: Vec<(f64, f64)>,
    /// Of numbers: how many samples are off by how much.
    pub residuals: Vec<ResidualRange>,
    /// Some of the samples that it gets wrong, the worst first.
    pub examples: Vec<Example>,
    /// How many there are in all.
    pub mistakes: u64,
}

/// Samples that the model is similarly sure of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CalibrationRange {
    /// The mean probability of what it says.
    pub confidence: f64,
    /// The share that is right.
    pub accuracy: f64,
    /// Samples.
    pub samples: u64,
}

/// Curves of one class against another.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Curves {
    /// The class that is looked for.
    pub positive: String,
    /// Its share of the samples, which is what guessing comes to in precision.
    pub share: f64,
    /// Points (false positive rate, recall), from the highest threshold to the lowest.
    pub roc: Vec<(f64, f64)>,
    /// Points (recall, precision), likewise.
    pub precision_recall: Vec<(f64, f64)>,
}

/// Samples that are off by similarly much.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResidualRange {
    /// The middle of the range: predicted minus right.
    pub middle: f64,
    /// Its width.
    pub width: f64,
    /// Samples.
    pub samples: u64,
}

/// A sample that the model gets wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Example {
    /// Its number in the set, from 0.
    pub sample: u64,
    /// What it is: a class, or a number.
    pub right: String,
    /// What it was taken for.
    pub predicted: String,
    /// How sure the model was, 0 to 1; none where it gives no probabilities.
    pub confidence: Option<f64>,
    /// The sample itself.
    pub look: Look,
}

/// A sample as people can look at it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Look {
    /// It can't be shown.
    #[default]
    None,
    /// A picture.
    Picture {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The PNG file in base64.
        png: String,
    },
    /// Channels over time, each as many numbers.
    Trace(Vec<Vec<f32>>),
    /// Columns of a table with their values.
    Row(Pairs),
    /// A text.
    Text(String),
}
