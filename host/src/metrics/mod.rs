//! How good predictions are: every usual figure of classes, probabilities and numbers, by one name everywhere.
//!
//! Pure functions and small counters in f64; nothing here knows models or files. Each figure has one implementation, which
//! takes samples one by one ([`ConfusionMatrix`], [`Ranking`], [`Calibration`], [`Errors`]); [`Tally`] counts all of them at
//! once for an evaluation that can't keep a large set's outputs, and [`Metric`] is a figure's name. Sums run in the order of
//! the samples, so that the same samples give the same bits however they were batched.
//!
//! Values and conventions are scikit-learn's (what divides by nothing is 0; of a precision-recall curve the steps count, not
//! the trapezoids), and are compared with it case by case. Where scikit-learn warns and gives NaN, there is a typed error:
//! an area under the ROC curve needs samples of both sides, R² needs two samples.
//!
//! ```
//! use emberlite_host::metrics::{Average, ConfusionMatrix, Metric, roc_auc};
//!
//! let matrix = ConfusionMatrix::new(2, &[0, 1, 1, 1], &[0, 1, 0, 1])?;
//! assert_eq!(matrix.f1(Average::Binary)?, 0.8);
//! assert_eq!(roc_auc(&[false, true, true, true], &[0.2, 0.9, 0.4, 0.7])?, 1.0);
//! assert_eq!("f1".parse(), Ok(Metric::F(emberlite_host::metrics::Beta::ONE, Average::Binary)));
//! # Ok::<(), emberlite_host::metrics::MetricError>(())
//! ```

mod confusion;
mod error;
mod monitor;
mod name;
mod probability;
mod ranking;
mod regression;
mod tally;

pub use confusion::{ConfusionMatrix, MOST_PAIRED};
pub use error::MetricError;
pub use monitor::{Monitor, UnknownMonitor};
pub use name::{Average, Beta, Mean, Metric, Needs, UnknownMetric};
pub use probability::{
    BINS, Calibration, CalibrationBin, brier_score, log_loss, perplexity, rank, sigmoid, softmax, top_k_accuracy,
};
pub use ranking::{EXACT, Ranking, Threshold, average_precision, roc_auc};
pub use regression::Errors;
pub use tally::Tally;
