//! Every metric by its name, the same in `model.toml`, on the command line and in this library.

use super::error::MetricError;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A figure that says how good predictions are.
///
/// Names are scikit-learn's, with Keras's short ones beside them. Those of one class against others take an average as
/// their end: `f1_macro`, `f1_micro`, `f1_weighted`, `f1_class_2`; without one they are of two classes, of which the
/// second is the positive one.
///
/// ```
/// use emberlite_host::metrics::{Average, Metric};
///
/// assert_eq!("recall_macro".parse(), Ok(Metric::Recall(Average::Macro)));
/// assert_eq!("mean_squared_error".parse::<Metric>().unwrap().to_string(), "mse");
/// assert_eq!("f0.5_class_2".parse::<Metric>().unwrap().to_string(), "f0.5_class_2");
/// assert!(Metric::Accuracy.higher_is_better() && !Metric::LogLoss.higher_is_better());
/// let error = "acuracy".parse::<Metric>().unwrap_err().to_string();
/// assert!(error.starts_with("`acuracy` is no metric; did you mean `accuracy`?"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Metric {
    /// The share of right classes.
    Accuracy,
    /// The mean of the classes' recalls.
    BalancedAccuracy,
    /// The share of samples whose class is among so many best guesses: `top_5_accuracy`.
    TopK(u32),
    /// Of the samples taken for a class, the share that are of it.
    Precision(Average),
    /// Of a class's samples, the share that are found.
    Recall(Average),
    /// The weighted harmonic mean of precision and recall: `f1_macro`, `f2_class_0`, `f0.5`.
    F(Beta, Average),
    /// Matthews' correlation of right and predicted classes, −1 to 1: `matthews`.
    Matthews,
    /// Cohen's kappa: how much more often right than by chance, at most 1: `cohen_kappa`.
    Kappa,
    /// The area under the ROC curve of two classes: `roc_auc`.
    RocAuc,
    /// The mean of each class's area under the ROC curve against the rest: `roc_auc_ovr`, `roc_auc_ovr_weighted`.
    RocAucOvr(Mean),
    /// The area under the steps of the precision-recall curve of two classes: `average_precision`, `pr_auc`.
    AveragePrecision,
    /// The mean of that over classes against the rest: `average_precision_macro`, `average_precision_weighted`.
    AveragePrecisionOvr(Mean),
    /// The mean of −ln of the right class's probability: `log_loss`.
    LogLoss,
    /// e to that: how many classes the model hesitates between: `perplexity`.
    Perplexity,
    /// The mean squared error of probabilities: `brier_score`.
    Brier,
    /// How far probabilities are from frequencies, the mean over 15 ranges: `calibration_error`, `ece`.
    CalibrationError,
    /// The mean squared error: `mse`.
    Mse,
    /// Its square root: `rmse`.
    Rmse,
    /// The mean absolute error: `mae`.
    Mae,
    /// The share of the variance that is explained, at most 1: `r2`.
    R2,
}

/// How figures of single classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Average {
    /// Of two classes that of the second.
    Binary,
    /// That of one class, counted from 0.
    Class(u32),
    /// The mean over the classes that occur or are predicted.
    Macro,
    /// Counts summed over classes first; of samples with one class each this is the accuracy.
    Micro,
    /// The mean over classes, each as often as it occurs.
    Weighted,
}

/// How areas of single classes become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mean {
    /// Each class counts the same.
    Macro,
    /// Each class as often as it occurs.
    Weighted,
}

/// How much more recall counts than precision in an F score, in thousandths; above 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Beta(u32);

impl Beta {
    /// F1: both the same.
    pub const ONE: Beta = Beta(1000);

    /// From a number of at least 0.001; finer parts are rounded off. `None` for anything else, and above 1000.
    pub fn new(beta: f64) -> Option<Beta> {
        let thousandths = (beta * 1000.0).round();
        (1.0..=1e6).contains(&thousandths).then_some(Beta(thousandths as u32))
    }

    /// As a number.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 1000.0
    }
}

/// What a metric is computed from. Who has one of the first three has those before it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// The class that each sample is taken for.
    Classes,
    /// A number a class that is larger where the class is likelier.
    Scores,
    /// Probabilities of classes.
    Probabilities,
    /// Numbers to be predicted.
    Values,
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Needs::Classes => "classes",
            Needs::Scores => "scores of classes",
            Needs::Probabilities => "probabilities of classes",
            Needs::Values => "numbers to predict",
        })
    }
}

impl Metric {
    /// Names without their ends, for messages: what there is to choose from.
    pub const NAMES: [&'static str; 36] = [
        "accuracy",
        "balanced_accuracy",
        "top_5_accuracy",
        "precision",
        "precision_macro",
        "precision_micro",
        "precision_weighted",
        "precision_class_0",
        "recall",
        "recall_macro",
        "recall_micro",
        "recall_weighted",
        "recall_class_0",
        "f1",
        "f1_macro",
        "f1_micro",
        "f1_weighted",
        "f1_class_0",
        "f2",
        "f2_macro",
        "matthews",
        "cohen_kappa",
        "roc_auc",
        "roc_auc_ovr",
        "roc_auc_ovr_weighted",
        "average_precision",
        "average_precision_macro",
        "average_precision_weighted",
        "log_loss",
        "perplexity",
        "brier_score",
        "calibration_error",
        "mse",
        "rmse",
        "mae",
        "r2",
    ];

    /// The metrics that people look at first of a model that gives `found`, with so many classes.
    pub fn usual(found: Needs, classes: usize) -> Vec<Metric> {
        use Average::{Binary, Macro, Weighted};
        if found == Needs::Values {
            return vec![Metric::Rmse, Metric::Mae, Metric::Mse, Metric::R2];
        }
        let mut all = vec![Metric::Accuracy, Metric::BalancedAccuracy];
        if classes == 2 {
            all.extend([Metric::Precision(Binary), Metric::Recall(Binary), Metric::F(Beta::ONE, Binary)]);
        } else {
            all.extend([Metric::Precision(Macro), Metric::Recall(Macro), Metric::F(Beta::ONE, Macro)]);
            all.push(Metric::F(Beta::ONE, Weighted));
            all.extend((classes > 5).then_some(Metric::TopK(3)));
            all.extend((classes > 20).then_some(Metric::TopK(5)));
        }
        all.extend([Metric::Matthews, Metric::Kappa]);
        if classes == 2 {
            all.extend([Metric::RocAuc, Metric::AveragePrecision]);
        } else if classes <= 100 {
            all.extend([Metric::RocAucOvr(Mean::Macro), Metric::AveragePrecisionOvr(Mean::Macro)]);
        }
        all.extend([Metric::LogLoss, Metric::Brier, Metric::CalibrationError]);
        all.retain(|metric| metric.needs() <= found);
        all
    }

    /// What it is computed from.
    pub const fn needs(self) -> Needs {
        match self {
            Metric::Accuracy
            | Metric::BalancedAccuracy
            | Metric::Precision(_)
            | Metric::Recall(_)
            | Metric::F(..)
            | Metric::Matthews
            | Metric::Kappa => Needs::Classes,
            Metric::TopK(_)
            | Metric::RocAuc
            | Metric::RocAucOvr(_)
            | Metric::AveragePrecision
            | Metric::AveragePrecisionOvr(_) => Needs::Scores,
            Metric::LogLoss | Metric::Perplexity | Metric::Brier | Metric::CalibrationError => Needs::Probabilities,
            Metric::Mse | Metric::Rmse | Metric::Mae | Metric::R2 => Needs::Values,
        }
    }

    /// Whether more is better; of errors and losses less is.
    pub const fn higher_is_better(self) -> bool {
        !matches!(
            self,
            Metric::LogLoss
                | Metric::Perplexity
                | Metric::Brier
                | Metric::CalibrationError
                | Metric::Mse
                | Metric::Rmse
                | Metric::Mae
        )
    }

    /// Whether it is a share of 0 to 1, which people read as percent.
    pub const fn is_share(self) -> bool {
        matches!(
            self,
            Metric::Accuracy
                | Metric::BalancedAccuracy
                | Metric::TopK(_)
                | Metric::Precision(_)
                | Metric::Recall(_)
                | Metric::F(..)
                | Metric::CalibrationError
        )
    }

    /// Whether it takes the ranking of all samples by a score, which costs memory.
    pub const fn ranks(self) -> bool {
        matches!(
            self,
            Metric::RocAuc | Metric::RocAucOvr(_) | Metric::AveragePrecision | Metric::AveragePrecisionOvr(_)
        )
    }

    /// Whether a model of so many classes that gives `found` has it.
    ///
    /// # Errors
    /// [`MetricError::Needs`], [`MetricError::NotBinary`], [`MetricError::TopK`] or [`MetricError::Class`] if it never
    /// has, whatever the samples.
    pub fn check(self, found: Needs, classes: usize) -> Result<(), MetricError> {
        let needs = self.needs();
        if (needs == Needs::Values) != (found == Needs::Values) || needs > found {
            return Err(MetricError::Needs { needs, found });
        }
        let average = match self {
            Metric::Precision(average) | Metric::Recall(average) | Metric::F(_, average) => average,
            Metric::RocAuc | Metric::AveragePrecision => Average::Binary,
            Metric::TopK(k) if k == 0 || k as usize >= classes => return Err(MetricError::TopK { k, classes }),
            _ => return Ok(()),
        };
        match average {
            Average::Binary if classes != 2 => Err(MetricError::NotBinary { classes }),
            Average::Class(class) if class as usize >= classes => Err(MetricError::Class { sample: 0, class, classes }),
            _ => Ok(()),
        }
    }

    /// As people say it: `F1, mean of classes`.
    pub fn label(self) -> String {
        let of = |what: &str, average: Average| match average {
            Average::Binary => what.into(),
            Average::Class(class) => format!("{what} of class {class}"),
            Average::Macro => format!("{what}, mean of classes"),
            Average::Micro => format!("{what}, of all together"),
            Average::Weighted => format!("{what}, weighted by class"),
        };
        match self {
            Metric::Accuracy => "accuracy".into(),
            Metric::BalancedAccuracy => "balanced accuracy".into(),
            Metric::TopK(k) => format!("top-{k} accuracy"),
            Metric::Precision(average) => of("precision", average),
            Metric::Recall(average) => of("recall", average),
            Metric::F(beta, average) => of(&format!("F{}", beta.value()), average),
            Metric::Matthews => "Matthews correlation".into(),
            Metric::Kappa => "Cohen's kappa".into(),
            Metric::RocAuc => "ROC AUC".into(),
            Metric::RocAucOvr(Mean::Macro) => "ROC AUC, mean of classes".into(),
            Metric::RocAucOvr(Mean::Weighted) => "ROC AUC, weighted by class".into(),
            Metric::AveragePrecision => "average precision".into(),
            Metric::AveragePrecisionOvr(Mean::Macro) => "average precision, mean of classes".into(),
            Metric::AveragePrecisionOvr(Mean::Weighted) => "average precision, weighted by class".into(),
            Metric::LogLoss => "log loss".into(),
            Metric::Perplexity => "perplexity".into(),
            Metric::Brier => "Brier score".into(),
            Metric::CalibrationError => "calibration error".into(),
            Metric::Mse => "mean squared error".into(),
            Metric::Rmse => "root mean squared error".into(),
            Metric::Mae => "mean absolute error".into(),
            Metric::R2 => "R²".into(),
        }
    }
}

impl fmt::Display for Average {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Average::Binary => Ok(()),
            Average::Class(class) => write!(f, "_class_{class}"),
            Average::Macro => f.write_str("_macro"),
            Average::Micro => f.write_str("_micro"),
            Average::Weighted => f.write_str("_weighted"),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::TopK(k) => return write!(f, "top_{k}_accuracy"),
            Metric::Precision(average) => return write!(f, "precision{average}"),
            Metric::Recall(average) => return write!(f, "recall{average}"),
            Metric::F(beta, average) => return write!(f, "f{}{average}", beta.value()),
            _ => {}
        }
        f.write_str(match self {
            Metric::Accuracy => "accuracy",
            Metric::BalancedAccuracy => "balanced_accuracy",
            Metric::Matthews => "matthews",
            Metric::Kappa => "cohen_kappa",
            Metric::RocAuc => "roc_auc",
            Metric::RocAucOvr(Mean::Macro) => "roc_auc_ovr",
            Metric::RocAucOvr(Mean::Weighted) => "roc_auc_ovr_weighted",
            Metric::AveragePrecision => "average_precision",
            Metric::AveragePrecisionOvr(Mean::Macro) => "average_precision_macro",
            Metric::AveragePrecisionOvr(Mean::Weighted) => "average_precision_weighted",
            Metric::LogLoss => "log_loss",
            Metric::Perplexity => "perplexity",
            Metric::Brier => "brier_score",
            Metric::CalibrationError => "calibration_error",
            Metric::Mse => "mse",
            Metric::Rmse => "rmse",
            Metric::Mae => "mae",
            _ => "r2",
        })
    }
}

/// No metric has this name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{name}` is no metric; {}", hint(.name))]
pub struct UnknownMetric {
    /// As it was written, at most 60 characters of it.
    pub name: String,
}

fn hint(name: &str) -> String {
    let near = Metric::NAMES.iter().map(|known| (strsim::jaro_winkler(name, known), known));
    let nearest = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.85);
    let names = Metric::NAMES.join(", ");
    match nearest {
        Some((_, known)) => format!("did you mean `{known}`? There are: {names}"),
        None => format!("there are: {names}"),
    }
}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        parse(text).ok_or_else(|| UnknownMetric { name: text.chars().take(60).collect() })
    }
}

fn parse(text: &str) -> Option<Metric> {
    Some(match text {
        "accuracy" => Metric::Accuracy,
        "balanced_accuracy" => Metric::BalancedAccuracy,
        "matthews" | "matthews_corrcoef" | "mcc" => Metric::Matthews,
        "cohen_kappa" | "kappa" => Metric::Kappa,
        "roc_auc" | "auc" => Metric::RocAuc,
        "roc_auc_ovr" | "roc_auc_ovr_macro" => Metric::RocAucOvr(Mean::Macro),
        "roc_auc_ovr_weighted" => Metric::RocAucOvr(Mean::Weighted),
        "average_precision" | "pr_auc" => Metric::AveragePrecision,
        "average_precision_macro" | "pr_auc_macro" => Metric::AveragePrecisionOvr(Mean::Macro),
        "average_precision_weighted" | "pr_auc_weighted" => Metric::AveragePrecisionOvr(Mean::Weighted),
        "log_loss" | "cross_entropy" => Metric::LogLoss,
        "perplexity" => Metric::Perplexity,
        "brier_score" | "brier" => Metric::Brier,
        "calibration_error" | "expected_calibration_error" | "ece" => Metric::CalibrationError,
        "mse" | "mean_squared_error" => Metric::Mse,
        "rmse" | "root_mean_squared_error" => Metric::Rmse,
        "mae" | "mean_absolute_error" => Metric::Mae,
        "r2" | "r2_score" => Metric::R2,
        _ => return with_end(text),
    })
}

/// Names that carry a number or an average.
fn with_end(text: &str) -> Option<Metric> {
    if let Some(k) = text.strip_prefix("top_").and_then(|rest| rest.strip_suffix("_accuracy")) {
        return Some(Metric::TopK(whole(k)?)).filter(|metric| *metric != Metric::TopK(0));
    }
    if let Some(rest) = text.strip_prefix("precision") {
        return Some(Metric::Precision(average(rest)?));
    }
    if let Some(rest) = text.strip_prefix("recall") {
        return Some(Metric::Recall(average(rest)?));
    }
    let rest = text.strip_prefix('f')?;
    let (beta, rest) = rest.split_at(rest.find('_').unwrap_or(rest.len()));
    // As it is printed, so that one score has one name.
    let plain = beta.starts_with(|c: char| c.is_ascii_digit()) && beta.chars().all(|c| c.is_ascii_digit() || c == '.');
    let beta = Beta::new(beta.parse().ok().filter(|_| plain)?)?;
    Some(Metric::F(beta, average(rest)?))
}

fn average(end: &str) -> Option<Average> {
    Some(match end {
        "" | "_binary" => Average::Binary,
        "_macro" => Average::Macro,
        "_micro" => Average::Micro,
        "_weighted" => Average::Weighted,
        end => Average::Class(whole(end.strip_prefix("_class_")?)?),
    })
}

/// Digits alone, without a sign.
fn whole(text: &str) -> Option<u32> {
    text.chars().all(|c| c.is_ascii_digit()).then(|| text.parse().ok())?
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_they_are_printed() {
        for name in Metric::NAMES {
            assert_eq!(name.parse::<Metric>().unwrap().to_string(), name);
        }
        for name in ["top_1_accuracy", "f0.5", "f2_weighted", "f1.5_class_12", "recall_class_4294967295"] {
            assert_eq!(name.parse::<Metric>().unwrap().to_string(), name);
            let json = serde_json::to_string(&name.parse::<Metric>().unwrap()).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<Metric>(&json).unwrap().to_string(), name);
        }
        for (alias, name) in [("auc", "roc_auc"), ("ece", "calibration_error"), ("mcc", "matthews"), ("f1.0", "f1")] {
            assert_eq!(alias.parse::<Metric>().unwrap().to_string(), name);
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in [
            "",
            "f",
            "f_macro",
            "f0",
            "f-1",
            "f+1",
            "f1e3",
            "finf",
            "fnan",
            "f1_",
            "f1_class_",
            "f1_class_-1",
            "top_0_accuracy",
            "top__accuracy",
            "top_+5_accuracy",
            "precision_",
            "Accuracy",
            "recall_class_4294967296",
        ] {
            assert!(text.parse::<Metric>().is_err(), "{text}");
        }
        let long = "x".repeat(10_000).parse::<Metric>().unwrap_err().to_string();
        assert!(long.len() < 800, "{}", long.len());
    }

    /// scikit-learn's scorers are all better higher, so these have `neg_` before their names; its calibration error has no scorer,
    /// and a perplexity is the exponential of a log loss.
    #[test]
    fn losses_and_errors_are_better_lower_and_only_shares_are_percent() {
        let of = |which: fn(Metric) -> bool| {
            Metric::NAMES.into_iter().filter(|name| which(name.parse().unwrap())).collect::<Vec<_>>()
        };
        let lower = ["log_loss", "perplexity", "brier_score", "calibration_error", "mse", "rmse", "mae"];
        assert_eq!(of(|metric| !metric.higher_is_better()), lower);
        // What may be negative, above 1, or is no part of a whole.
        let numbers = [
            "matthews",
            "cohen_kappa",
            "roc_auc",
            "average_precision",
            "log_loss",
            "perplexity",
            "brier",
            "mse",
            "rmse",
            "mae",
            "r2",
        ];
        let others = of(|metric| !metric.is_share());
        assert!(others.iter().all(|name| numbers.iter().any(|known| name.starts_with(known))), "{others:?}");
        assert!(numbers.iter().all(|known| others.iter().any(|name| name.starts_with(known))), "{others:?}");
    }

    #[test]
    fn what_is_usual_is_what_the_model_has() {
        for (found, classes) in [
            (Needs::Classes, 2),
            (Needs::Scores, 2),
            (Needs::Probabilities, 2),
            (Needs::Classes, 30),
            (Needs::Probabilities, 30),
            (Needs::Values, 0),
        ] {
            for metric in Metric::usual(found, classes) {
                assert_eq!(metric.check(found, classes), Ok(()), "{metric} of {found:?}, {classes} classes");
            }
        }
    }

    #[test]
    fn what_a_model_can_never_have_is_known_before() {
        use Needs::{Classes, Probabilities, Scores, Values};
        let check = |name: &str, found, classes| name.parse::<Metric>().unwrap().check(found, classes);
        assert_eq!(check("f1", Classes, 2), Ok(()));
        assert_eq!(check("f1", Classes, 3), Err(MetricError::NotBinary { classes: 3 }));
        assert_eq!(check("f1_macro", Probabilities, 3), Ok(()));
        assert_eq!(check("log_loss", Scores, 2), Err(MetricError::Needs { needs: Probabilities, found: Scores }));
        assert_eq!(check("mse", Probabilities, 2), Err(MetricError::Needs { needs: Values, found: Probabilities }));
        assert_eq!(check("accuracy", Values, 0), Err(MetricError::Needs { needs: Classes, found: Values }));
        assert_eq!(check("r2", Values, 0), Ok(()));
        assert_eq!(check("top_3_accuracy", Scores, 3), Err(MetricError::TopK { k: 3, classes: 3 }));
        assert_eq!(check("recall_class_3", Classes, 3), Err(MetricError::Class { sample: 0, class: 3, classes: 3 }));
    }
}
