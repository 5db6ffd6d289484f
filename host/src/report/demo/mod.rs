//! The page of models that learnt on their device.

mod dumbbell;
mod facts;
mod memory;
mod parity;
mod runs;

pub use facts::{BeforeAfter, CurvePoint, DemoReport, DemoRun, DeviceMemory, Parity};

use super::chart::{Chart, Series, Unit};
use super::confusion::Matrix;
use super::facts::Confusion;
use super::html::{Tile, beside, columns, command, files, page, pairs, paragraph, part, section, sentence, tiles};
use super::number::{bytes, duration, grouped, mean, percent, points, times};
use super::verdict::{Line, Verdict};
use runs::Means;

/// What the places are called on a page.
struct Names {
    /// Where the model learns.
    new: String,
    /// Where it comes from.
    first: String,
}

/// What learning on the device brought, as one HTML page; `O(size of the report)`, never fails.
pub fn demo(report: &DemoReport) -> String {
    let place = if report.domain.is_empty() { "place" } else { &report.domain };
    let names = Names { new: format!("other {place}"), first: format!("first {place}") };
    let mut body = verdict(report, &names) + &tiles(&figures(report));
    let charts = [dumbbell::dumbbell(report, &names), accuracy(report, &names)];
    let note =
        "Judged on samples that the device doesn't learn from. What the first place loses is what the model forgets.";
    body += &section("Before and after", note, &(columns(&charts) + &runs::accuracies(report, &names)));
    let how = pairs(&report.settings) + &part("What it costs", &pairs(&report.costs));
    body += &section("How it learns", "", &columns(&[how, losses(report)]));
    body += &section("Run by run on the device", &parity::sentence(report), &runs::work(report));
    body += &section("Which class is taken for which", &sentence(&names.new), &confusions(report));
    body += &section("Memory of the device", &memory::fits(report), &memory::html(report));
    let notes: String = report.notes.iter().map(|note| paragraph("", note)).collect();
    body += &section("What to know", "", &notes);
    let facts = [part("Files", &files(&report.files)), part("Versions", &pairs(&report.versions))];
    body += &section("How to repeat it", "", &(command(&report.reproduce.join("\n")) + &columns(&facts)));
    let about = join(&report.device, &report.model);
    page(&report.title, "Learning on the device", &report.description, &about, &body)
}

/// The headline: the new place before and after, and the price.
fn verdict(report: &DemoReport, names: &Names) -> String {
    let badge = parity::badge(report);
    let means = Means::of(&report.runs);
    let Some((new_before, new_after)) = means.new else {
        let text = "No run tells its accuracy before and after learning.";
        return Verdict { value: "–".into(), text: text.into(), lines: Vec::new(), note: String::new(), badge }.html();
    };
    let value = format!("{} → {}", percent(new_before), percent(new_after));
    // A run that doesn't tell both isn't in the mean.
    let count = report.runs.iter().filter(|run| run.new.both().is_some()).count() as u64;
    let what = if count == 1 { "in one run".into() } else { format!("mean of {}", times(count, "run")) };
    let text = format!("accuracy on the {}, before and after learning on the device; {what}", names.new);
    let mut lines = lines(&names.new, new_before, new_after, "c1");
    if let Some((before, after)) = means.first {
        lines.extend(self::lines(&names.first, before, after, "c2"));
    }
    let chance = report.chance.filter(|c| c.is_finite());
    let note = chance.map_or(String::new(), |c| format!("Guessing would be right in {}.", percent(c)));
    Verdict { value, text, lines, note, badge }.html()
}

fn lines(name: &str, before: f64, after: f64, class: &'static str) -> Vec<Line> {
    let change = format!("({} points)", points(after - before));
    let before = Line::share(&format!("{name}, before"), before, String::new(), class);
    vec![before, Line::share(&format!("{name}, after"), after, change, class)]
}

fn figures(report: &DemoReport) -> Vec<Tile> {
    let mut out = Vec::new();
    let after = report.runs.iter().filter_map(|run| run.new.after).filter(|a| a.is_finite());
    let told = after.clone().count() as u64;
    if told > 1
        && let Some(worst) = after.reduce(f64::min)
    {
        out.push(Tile::new("worst run, after", percent(worst), format!("of {}", times(told, "run"))));
    }
    let steps = mean(report.runs.iter().map(|run| run.steps as f64));
    if steps > 0.0 {
        let skipped = report.runs.iter().fold(0, |sum: u64, run| sum.saturating_add(run.skipped));
        let remark = if skipped == 0 { "none skipped".into() } else { format!("{} skipped in all", grouped(skipped)) };
        out.push(Tile::new("training steps a run", grouped(steps.round() as u64), remark));
    }
    let seconds = mean(report.runs.iter().filter_map(|run| run.seconds));
    if seconds.is_finite() {
        out.push(Tile::new("time a run", duration(seconds), "on the device"));
    }
    for (name, usage) in [("RAM", memory::ram(&report.memory)), ("flash", memory::flash(&report.memory))] {
        if usage.total() > 0 {
            out.push(Tile { mood: usage.mood(), ..Tile::new(name, bytes(usage.total()), usage.share()) });
        }
    }
    out
}

fn join(a: &str, b: &str) -> String {
    if a.is_empty() || b.is_empty() { format!("{a}{b}") } else { format!("{a} · {b}") }
}

fn line(run: &DemoRun, name: &str, class: &'static str, value: fn(&CurvePoint) -> Option<f64>) -> Series {
    let points = run.curve.iter().filter_map(|p| Some((p.step as f64, value(p)?))).collect();
    Series::line(name, class, class == "c2", points)
}

/// Accuracy over the steps, all runs in one chart.
fn accuracy(report: &DemoReport, names: &Names) -> String {
    let first = report.runs.iter().map(|run| line(run, &names.first, "c2", |p| p.first));
    let new = report.runs.iter().map(|run| line(run, &names.new, "c1", |p| p.new));
    let series = first.chain(new).collect();
    let level = report.chance.map(|chance| (chance, "guessing".into()));
    let title = "Accuracy while it learns";
    Chart { level, ..Chart::new(title, "training steps on the device", Unit::Percent, series) }.html()
}

fn losses(report: &DemoReport) -> String {
    let series = report.runs.iter().map(|run| line(run, "loss", "c3", |p| p.loss)).collect();
    let title = "Loss while it learns";
    Chart::new(title, "training steps on the device", Unit::Number, series).html()
}

fn confusions(report: &DemoReport) -> String {
    let one = |title: &str, confusion: &Confusion| {
        let heat = Matrix::new(confusion).map(|matrix| matrix.heat()).unwrap_or_default();
        let of = if confusion.of.is_empty() { String::new() } else { format!(": {}", confusion.of) };
        part(&format!("{title}{of}"), &heat)
    };
    beside(&[one("Before", &report.confusion_before), one("After", &report.confusion_after)])
}
