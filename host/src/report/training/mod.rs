//! The page of a training run.

mod data;
mod epochs;
mod facts;
mod judge;
mod judged;
mod look;
mod model;
mod quality;

pub use facts::{LayerFacts, ModelFacts, PartFacts, Score, TrainingReport};
pub use judged::{CalibrationRange, Curves, Example, Judged, Look, ResidualRange};

use super::chart::{Chart, Series, Unit};
use super::confusion::Matrix;
use super::html::{Tile, beside, columns, command, files, page, pairs, paragraph, part, section, sentence, tiles};
use super::number::{bytes, duration, grouped, mean, percent, short, times};
use super::verdict::{Line, Verdict};
use crate::metrics::Metric;
use crate::train::EpochRecord;
use std::collections::BTreeSet;

/// A training run as one HTML page; `O(size of the report)`, never fails.
pub fn training(report: &TrainingReport) -> String {
    let about = match report.trained_on.as_str() {
        "" => String::new(),
        device => format!("Trained on {device}."),
    };
    let mut body = verdict(report) + &tiles(&figures(report));
    body += &section("Learning curves", &course(report), &charts(report));
    if let Some(matrix) = Matrix::new(&report.confusion) {
        let classes = part("Class by class", &matrix.classes());
        let drawn = beside(&[matrix.heat(), matrix.mistakes()]) + &classes;
        body += &section("Which class is taken for which", &sentence(&report.confusion.of), &drawn);
    }
    body += &quality::html(&report.judged);
    body += &quality::examples(&report.judged);
    body += &section("Model", &model::summary(&report.model), &model::layers(&report.model));
    body += &section("On the device", &model::fits(&report.model), &model::memory(&report.model));
    body += &section("Data", "", &data::html(report));
    let learns =
        [part("On this machine", &pairs(&report.settings)), part("On the device", &pairs(&report.device_settings))];
    body += &section("Settings", "", &columns(&learns));
    let facts = [part("Seeds", &pairs(&report.seeds)), part("Versions", &pairs(&report.versions))];
    let again = command(&report.command) + &part("Files", &files(&report.files)) + &columns(&facts);
    body += &section("How to repeat it", "", &again);
    page(&report.name, "Training report", &report.description, &about, &body)
}

/// The headline: how well it does, by each that judged it.
fn verdict(report: &TrainingReport) -> String {
    let Some(last) = report.scores.last() else {
        return paragraph("empty", "No set judged this model; give it a test part to learn how well it does.");
    };
    let on = |set: &str, samples: u64| match set {
        "" => times(samples, "sample"),
        set => format!("{} of the {set} set", times(samples, "sample")),
    };
    let (value, what) = match last.accuracy {
        Some(accuracy) => (percent(accuracy), "right, of".to_string()),
        None => (short(last.loss.unwrap_or(f64::NAN)), format!("mean loss{}, of", named(last))),
    };
    let by = if last.runner.is_empty() { String::new() } else { format!(", by {}", last.runner) };
    let text = format!("{what} {}{by}", on(&last.set, last.samples));
    let line = |score: &Score| {
        let loss = score.loss.map_or(String::new(), |loss| format!("loss {}{}", short(loss), named(score)));
        match score.accuracy {
            Some(accuracy) => Line::share(&score.runner, accuracy, loss, "c1"),
            None => Line::text(&score.runner, loss),
        }
    };
    let lines = report.scores.iter().map(line).collect();
    let agreement = report.agreement.map(|share| match share {
        1.0 => "Host and device arithmetic agree on every sample.".into(),
        share => format!("Host and device arithmetic agree on {} of the samples.", percent(share)),
    });
    Verdict { value, text, lines, note: agreement.unwrap_or_default(), badge: None }.html()
}

/// A score's loss in brackets, where scores have different ones.
fn named(score: &Score) -> String {
    match score.loss_name.as_str() {
        "" => String::new(),
        name => format!(" ({name})"),
    }
}

/// The epoch whose parameters were kept, or the last.
fn kept(report: &TrainingReport) -> Option<&EpochRecord> {
    let best = report.history.iter().find(|e| e.epoch == report.best_epoch);
    best.or(report.history.last())
}

fn figures(report: &TrainingReport) -> Vec<Tile> {
    let mut out = Vec::new();
    if let Some(epoch) = kept(report) {
        match (epoch.validation_accuracy, epoch.train_accuracy) {
            (Some(a), train) => {
                let remark = train.map_or(String::new(), |t| format!("{} in training", percent(t)));
                out.push(Tile::new("validation accuracy", percent(a), remark));
            }
            (None, Some(a)) => out.push(Tile::new("training accuracy", percent(a), "before each update")),
            (None, None) => {
                let loss =
                    epoch.validation_loss.map_or(("training loss", epoch.train_loss), |v| ("validation loss", v));
                out.push(Tile::new(loss.0, short(loss.1), ""));
            }
        }
    }
    if let Some(matrix) = Matrix::new(&report.confusion) {
        out.push(Tile::new(
            "mean F1",
            percent(matrix.macro_f1()),
            match matrix.counted() as u64 {
                1 => "over one class".into(),
                classes => format!("over {} classes", grouped(classes)),
            },
        ));
    }
    let facts = &report.model;
    if facts.parameters > 0 {
        let remark = if facts.trainable == facts.parameters {
            "all learn on the device".into()
        } else {
            format!("{} learn on the device", grouped(facts.trainable))
        };
        out.push(Tile::new("parameters", grouped(facts.parameters), remark));
    }
    let arena = model::ram(facts);
    if arena.total() > 0 {
        let name = if facts.training { "RAM to learn" } else { "RAM to predict" };
        let mood = arena.mood();
        out.push(Tile { mood, ..Tile::new(name, bytes(arena.total()), arena.share()) });
    }
    let flash = model::flash(facts);
    if flash.total() > 0 {
        out.push(Tile { mood: flash.mood(), ..Tile::new("file in flash", bytes(flash.total()), flash.share()) });
    }
    let seconds = seconds(report);
    if seconds > 0.0 {
        out.push(Tile::new("training took", duration(seconds), "wall time"));
    }
    out
}

fn seconds(report: &TrainingReport) -> f64 {
    report.seconds.unwrap_or_else(|| report.history.iter().map(|e| e.seconds).sum())
}

/// How it went, in a sentence.
fn course(report: &TrainingReport) -> String {
    let Some(last) = report.history.last() else { return String::new() };
    let speed = mean(report.history.iter().map(|e| e.samples_per_second));
    let speed = if speed > 0.0 { format!(", {} samples a second", grouped(speed as u64)) } else { String::new() };
    let best = match report.best_epoch {
        0 => String::new(),
        best if best == last.epoch => "; those of the last epoch were kept".into(),
        best => format!("; the parameters of epoch {best} were kept"),
    };
    let stopped = if report.stopped_early { "; stopped early, since it got no better" } else { "" };
    format!("{} and {}{speed}{best}{stopped}.", times(last.epoch.into(), "epoch"), times(last.step.into(), "update"))
}

/// Colours of metrics that share a chart.
const SHARES: [&str; 8] = ["c1", "c2", "c3", "c4", "c6", "c7", "c8", "c5"];
/// Charts of metrics that have one each.
const MOST_OTHERS: usize = 8;

/// Metrics of the epochs by name, but the accuracy, and whether each is a share.
fn watched(report: &TrainingReport) -> Vec<(String, bool)> {
    let names = report.history.iter().flat_map(|epoch| epoch.validation_metrics.keys());
    let names: BTreeSet<&String> = names.filter(|name| *name != "accuracy").collect();
    names.into_iter().map(|name| (name.clone(), name.parse().is_ok_and(Metric::is_share))).collect()
}

fn charts(report: &TrainingReport) -> String {
    let line = |name: &str, class, dashed, value: &dyn Fn(&EpochRecord) -> Option<f64>| {
        let points = report.history.iter().filter_map(|e| Some((e.epoch.into(), value(e)?)));
        Series::line(name, class, dashed, points.collect())
    };
    let mark = (report.best_epoch > 0).then(|| (f64::from(report.best_epoch), format!("best: {}", report.best_epoch)));
    let chart =
        |title: &str, unit, series| Chart { mark: mark.clone(), ..Chart::new(title, "epoch", unit, series) }.html();
    let loss = vec![
        line("training", "c2", true, &|e| Some(e.train_loss)),
        line("validation", "c1", false, &|e| e.validation_loss),
    ];
    let accuracy = vec![
        line("training", "c2", true, &|e| e.train_accuracy),
        line("validation", "c1", false, &|e| e.validation_accuracy),
    ];
    let rates = line("learning rate", "c3", false, &|e| Some(e.learning_rate.into()));
    let mut boxes = vec![chart("Loss", Unit::Number, loss), chart("Accuracy", Unit::Percent, accuracy)];
    // Shares can be compared with one another; each other metric has its own scale.
    let of = |name: &str, class| line(name, class, false, &|e| e.validation_metrics.get(name).copied());
    let (shares, others): (Vec<_>, Vec<_>) = watched(report).into_iter().partition(|(_, share)| *share);
    let shares = shares.iter().zip(SHARES).map(|((name, _), class)| of(name, class)).collect();
    boxes.push(chart("Metrics of the validation set", Unit::Percent, shares));
    for (name, _) in others.iter().take(MOST_OTHERS) {
        let title = format!("Validation {}", epochs::label(name));
        boxes.push(chart(&title, Unit::Number, vec![of(name, "c1")]));
    }
    if rates.points.windows(2).any(|pair| pair[0].1 != pair[1].1) {
        // Not logarithmic: a schedule that ends at nearly 0 would fill the chart with its last updates.
        boxes.push(chart("Learning rate", Unit::Plain, vec![rates]));
    }
    let few = epochs::few(report);
    // Where the third chart leaves room, or below.
    let below = if boxes.iter().filter(|chart| !chart.is_empty()).count() % 2 == 1 {
        boxes.push(few);
        String::new()
    } else {
        few
    };
    columns(&boxes) + &below + &epochs::all(report)
}
