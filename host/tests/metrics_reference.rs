//! Every metric against scikit-learn's number; `tests/reference/make_metrics.py` writes the vectors.
//!
//! Bounds: with u = 2^-53, a sum of n terms that aren't negative, each of some eight roundings, is off by at most
//! (n + 8) u of itself in any order (Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., section 4.2), ours
//! and theirs alike. Every figure but R² is such a sum or a quotient of two of them; those of counts are exact but for the
//! quotient.

use std::collections::BTreeMap;
use std::path::Path;

use emberlite_host::metrics::{
    self, Average, ConfusionMatrix, Errors, Metric, MetricError, Needs, Tally, average_precision, roc_auc,
};
use serde::Deserialize;

const UNIT: f64 = f64::EPSILON / 2.0;

#[derive(Deserialize)]
struct Vectors {
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Case {
    classes: usize,
    labels: Vec<u32>,
    probabilities: Vec<f64>,
    targets: Vec<f64>,
    predictions: Vec<f64>,
    results: BTreeMap<String, f64>,
}

fn cases() -> BTreeMap<String, Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/vectors/metrics.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str::<Vectors>(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display())).cases
}

impl Case {
    fn metrics(&self) -> Vec<(Metric, f64)> {
        let metric = |name: &String| name.parse().unwrap_or_else(|error| panic!("{error}"));
        self.results.iter().map(|(name, &value)| (metric(name), value)).collect()
    }

    fn tally(&self) -> Tally {
        let wanted: Vec<Metric> = self.metrics().into_iter().map(|(metric, _)| metric).collect();
        let kind = if self.classes == 0 { Needs::Values } else { Needs::Probabilities };
        let mut tally = Tally::new(kind, self.classes, &wanted);
        for (&label, row) in self.labels.iter().zip(self.probabilities.chunks(self.classes.max(1))) {
            tally.add(label, row).unwrap();
        }
        for (&target, &prediction) in self.targets.iter().zip(&self.predictions) {
            tally.add_value(target, prediction).unwrap();
        }
        tally
    }

    /// How far our number and theirs may be apart.
    fn bound(&self, metric: Metric, value: f64) -> f64 {
        let n = (self.labels.len() + self.classes + self.targets.len()) as f64;
        let sums = 2.0 * (n + 8.0) * UNIT;
        match metric {
            // e to a sum: what the sum is off, the result is off relatively.
            Metric::Perplexity => value * (sums * value.ln().max(1.0) + 2.0 * UNIT),
            // 1 - a / b, b by updating: off by n u κ, κ² = 1 + mean² / variance (Chan, Golub and LeVeque, *Algorithms for
            // Computing the Sample Variance*, 1983, table 2).
            Metric::R2 => {
                let count = self.targets.len() as f64;
                let mean = self.targets.iter().sum::<f64>() / count;
                let variance = self.targets.iter().map(|t| (t - mean) * (t - mean)).sum::<f64>() / count;
                let kappa = if variance > 0.0 { (1.0 + mean * mean / variance).sqrt() } else { 1.0 };
                (1.0 - value).abs() * (sums + count * UNIT * kappa) + 2.0 * UNIT
            }
            _ => sums * value.abs().max(1.0),
        }
    }
}

#[test]
fn every_figure_is_scikit_learns() {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for (name, case) in cases() {
        let tally = case.tally();
        for (metric, theirs) in case.metrics() {
            let ours = tally.metric(metric).unwrap_or_else(|error| panic!("{name}: {metric}: {error}"));
            let (off, bound) = ((ours - theirs).abs(), case.bound(metric, theirs));
            // Which NaN isn't.
            let inside = off <= bound;
            if !inside {
                wrong.push(format!(
                    "{name}: {metric}: {ours}, scikit-learn says {theirs}: off by {off:.1e} of {bound:.1e}"
                ));
            }
            compared += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(compared >= 450, "only {compared} figures were compared");
}

#[test]
fn every_metric_is_among_them() {
    let mut seen: Vec<Metric> = cases().values().flat_map(Case::metrics).map(|(metric, _)| metric).collect();
    seen.sort();
    let unseen = |name: &&&str| name.parse().is_ok_and(|metric: Metric| seen.binary_search(&metric).is_err());
    let missing: Vec<_> = Metric::NAMES.iter().filter(unseen).collect();
    assert!(missing.is_empty(), "no case has {missing:?}");
}

/// One by one or from slices: the same bits.
#[test]
fn functions_of_slices_give_what_the_tally_gives() {
    for (name, case) in cases() {
        let tally = case.tally();
        if case.classes == 0 {
            let errors = Errors::new(&case.targets, &case.predictions).unwrap();
            let [mse, mae, r2] = [Metric::Mse, Metric::Mae, Metric::R2].map(|metric| tally.metric(metric));
            assert_eq!((errors.mse(), errors.mae(), errors.r2()), (mse, mae, r2), "{name}");
            continue;
        }
        let (labels, p, classes) = (&case.labels, &case.probabilities, case.classes);
        assert_eq!(metrics::log_loss(labels, p, classes), tally.metric(Metric::LogLoss), "{name}");
        assert_eq!(metrics::perplexity(labels, p, classes), tally.metric(Metric::Perplexity), "{name}");
        assert_eq!(metrics::brier_score(labels, p, classes), tally.metric(Metric::Brier), "{name}");
        assert_eq!(metrics::top_k_accuracy(labels, p, classes, 1), tally.metric(Metric::Accuracy), "{name}");
        let first = |row: &[f64]| (0..classes).fold(0, |best, c| if row[c] > row[best] { c } else { best }) as u32;
        let predicted: Vec<u32> = p.chunks(classes).map(first).collect();
        let matrix = ConfusionMatrix::new(classes, labels, &predicted).unwrap();
        assert_eq!(&matrix, tally.confusion(), "{name}");
        if classes == 2 {
            let positive: Vec<bool> = labels.iter().map(|&label| label == 1).collect();
            let scores: Vec<f64> = p.chunks(2).map(|row| row[1]).collect();
            assert_eq!(roc_auc(&positive, &scores), tally.metric(Metric::RocAuc), "{name}");
            assert_eq!(average_precision(&positive, &scores), tally.metric(Metric::AveragePrecision), "{name}");
        }
    }
}

#[test]
fn what_scikit_learn_refuses_is_an_error() {
    let cases = cases();
    let absent = &cases["a class without samples"];
    let wanted = ["roc_auc_ovr", "average_precision_macro"].map(|name| name.parse::<Metric>().unwrap());
    let mut tally = Tally::new(Needs::Probabilities, absent.classes, &wanted);
    for (&label, row) in absent.labels.iter().zip(absent.probabilities.chunks(absent.classes)) {
        tally.add(label, row).unwrap();
    }
    for metric in wanted {
        assert_eq!(tally.metric(metric), Err(MetricError::OneClass { class: 3, all: false }));
    }
    let binary = Metric::Precision(Average::Binary);
    assert_eq!(tally.metric(binary), Err(MetricError::NotBinary { classes: 5 }));
}
