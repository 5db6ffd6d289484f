//! The page of a search.

mod facts;
mod history;
mod parallel;

pub use facts::{ParameterFacts, SearchReport};

use super::html::{Mood, Tile, command, files, page, pairs, part, section, tiles};
use super::number::{bytes, duration, grouped, percent, short, times};
use super::table::{Cell, Row, table};
use crate::study::{Direction, State, Trial, ranking};
use facts::{labels, shown};

/// Rows of the table.
const MOST: usize = 25;

/// A search as one HTML page; `O(size of the report)`, never fails.
pub fn search(report: &SearchReport) -> String {
    let mut body = tiles(&figures(report));
    body += &section("Which values go with which score", parallel_note(report), &parallel::html(report));
    body += &section("How the search went", "", &history::html(report));
    let ranked = ranking(&report.search_trials, report.direction);
    let note = match ranked.len() {
        0..=MOST => String::new(),
        more => format!("The best {MOST} of {more} complete trials."),
    };
    body += &section("The best trials", &note, &best(report, &ranked));
    body += &section("What had no score", "", &without(report));
    let text = if report.best.is_empty() { String::new() } else { command(&report.best) };
    body += &section("The best description", "", &text);
    body += &section("Settings", "", &pairs(&report.settings));
    let again =
        command(&report.command) + &part("Files", &files(&report.files)) + &part("Versions", &pairs(&report.versions));
    body += &section("How to repeat it", "", &again);
    page(&report.name, "Search report", &report.description, "", &body)
}

impl SearchReport {
    /// A score as people read it.
    fn value(&self, score: f64) -> String {
        if self.is_share { percent(score) } else { short(score) }
    }

    fn count(&self, state: State) -> u64 {
        self.search_trials.iter().filter(|trial| trial.state == state).count() as u64
    }
}

fn parallel_note(report: &SearchReport) -> &'static str {
    let conditional = report.search_trials.iter().any(|trial| trial.parameters.len() < report.parameters.len());
    if conditional {
        "A line a trial, from its values to its score; below an axis where that parameter has no use."
    } else {
        "A line a trial, from its values to its score."
    }
}

fn figures(report: &SearchReport) -> Vec<Tile> {
    let ranked = ranking(&report.search_trials, report.direction);
    let mut out = Vec::new();
    if let Some(best) = ranked.first() {
        let remark = match best.deviation() {
            Some(deviation) => {
                format!("± {} over {} folds, {}", report.value(deviation), best.scores.len(), best.title())
            }
            None => best.title(),
        };
        let score = report.value(best.score.unwrap_or(f64::NAN));
        out.push(Tile {
            mood: Mood::Good,
            ..Tile::new(format!("best {}", report.metric.replace('_', " ")), score, remark)
        });
    }
    let direction = if report.direction == Direction::Maximize { "higher is better" } else { "lower is better" };
    if let Some(middle) = ranked.get(ranked.len() / 2).and_then(|trial| trial.score) {
        out.push(Tile::new("median trial", report.value(middle), direction));
    }
    out.push(Tile::new(
        "complete",
        grouped(report.count(State::Complete)),
        times(report.search_trials.len() as u64, "candidate"),
    ));
    for (state, remark) in
        [(State::Pruned, "others were better"), (State::Failed, "without a score"), (State::Refused, "before training")]
    {
        if report.count(state) > 0 {
            let name = if state == State::Pruned { "given up" } else { state.name() };
            out.push(Tile::new(name, grouped(report.count(state)), remark));
        }
    }
    if let Some(seconds) = report.seconds.filter(|seconds| *seconds > 0.0) {
        out.push(Tile::new("search took", duration(seconds), "wall time"));
    }
    out
}

fn best(report: &SearchReport, ranked: &[&Trial]) -> String {
    let paths: Vec<&str> = report.parameters.iter().map(|parameter| parameter.path.as_str()).collect();
    let folds = ranked.iter().any(|trial| trial.deviation().is_some());
    let priced = ranked.iter().any(|trial| trial.price.is_some());
    let mut head = vec!["trial", "score"];
    if folds {
        head.push("± folds");
    }
    head.extend(labels(&paths));
    head.push("epochs");
    if priced {
        head.extend(["parameters", "RAM", "file", "MACs"]);
    }
    let row = |trial: &&Trial| {
        let place = trial.place.map_or("–".into(), |place| place.to_string());
        let mut row: Row = vec![Cell::Number(place), Cell::Number(report.value(trial.score.unwrap_or(f64::NAN)))];
        if folds {
            row.push(Cell::Number(trial.deviation().map_or("–".into(), |deviation| report.value(deviation))));
        }
        row.extend(report.parameters.iter().map(|parameter| match trial.parameters.get(&parameter.path) {
            None => Cell::Text("–".into()),
            Some(value) if value.is_number() => Cell::Number(shown(value)),
            Some(value) => Cell::Text(shown(value)),
        }));
        row.push(Cell::Number(grouped(trial.epochs.into())));
        if priced {
            let cells = match trial.price {
                Some(p) => [grouped(p.parameters), bytes(p.ram), bytes(p.flash), grouped(p.macs)],
                None => ["–"; 4].map(String::from),
            };
            row.extend(cells.map(Cell::Number));
        }
        row
    };
    let rows: Vec<Row> = ranked.iter().take(MOST).map(row).collect();
    table(&head, &rows, 0)
}

/// Failed and refused candidates by their reason, the most frequent first.
fn without(report: &SearchReport) -> String {
    let mut reasons: Vec<(State, String, u64, String)> = Vec::new();
    for trial in report.search_trials.iter().filter(|trial| !trial.reason.is_empty()) {
        // Numbers differ from candidate to candidate.
        let kind: String = trial.reason.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
        let same = |known: &&mut (State, String, u64, String)| {
            let known_kind: String = known.1.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect();
            known.0 == trial.state && known_kind == kind
        };
        match reasons.iter_mut().find(same) {
            Some(known) => known.2 += 1,
            None => reasons.push((trial.state, trial.reason.clone(), 1, trial.title())),
        }
    }
    reasons.sort_by_key(|(_, _, count, _)| std::cmp::Reverse(*count));
    let row = |(state, reason, count, first): &(State, String, u64, String)| {
        let mood = if *state == State::Failed { Mood::Bad } else { Mood::Plain };
        vec![
            Cell::Mood(mood, state.name().into()),
            Cell::Number(grouped(*count)),
            Cell::Text(first.clone()),
            Cell::Text(reason.clone()),
        ]
    };
    let rows: Vec<Row> = reasons.iter().take(MOST).map(row).collect();
    table(&["", "candidates", "first", "its reason"], &rows, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report() -> SearchReport {
        let trial = |number: u32, state: &str, score: Option<f64>, rate: f64, kind: &str| {
            let mut trial = json!({
                "number": number, "state": state, "parameters": {"a.rate": rate, "a.kind": kind},
                "epochs": 3, "values": [0.5], "price": {"parameters": 10, "ram": 400, "flash": 900, "macs": 8},
            });
            match score {
                Some(score) => trial["score"] = json!(score),
                None => trial["reason"] = json!("RAM: needs 400 bytes, <b>the budget is 300"),
            }
            trial
        };
        serde_json::from_value(json!({
            "metric": "validation_accuracy", "is_share": true, "direction": "maximize", "name": "x<y",
            "parameters": [
                {"path": "a.rate", "low": 1e-4, "high": 0.1, "log": true},
                {"path": "a.kind", "choices": ["<i>", "b"]},
            ],
            "search_trials": [
                trial(0, "complete", Some(0.75), 0.01, "b"),
                trial(1, "refused", None, 0.1, "b"),
                trial(2, "pruned", None, 1e-4, "<i>"),
                trial(3, "complete", Some(0.925), 0.001, "<i>"),
                trial(4, "failed", None, 0.1, "<i>"),
            ],
        }))
        .unwrap()
    }

    #[test]
    fn a_page_shows_every_kind_of_trial_and_escapes_what_it_quotes() {
        let page = search(&report());
        for text in [
            "92.5 %",
            "best: trial 3",
            "1 given up",
            "1 failed",
            "candidate 2",
            "&lt;i&gt;",
            "RAM: needs 400 bytes, &lt;b&gt;the",
        ] {
            assert!(page.contains(text), "no {text}");
        }
        assert!(!page.contains("<b>the") && !page.contains("<i>\"") && !page.contains("NaN"));
        // Two complete lines, one of the best only; a rate of 0.001 is a third of the way up three decades: from the floor at
        // 306 up by 272 / 3.
        assert!(page.contains("points=\"64.0,215.3 480.0,306.0 896.0,34.0\""), "{page}");
    }

    /// Two complete trials, of which the second is better: the best so far rises with it. From 70 to 100 % are 252 of height, from
    /// trial 1 to 4 are 882 of width; the refused candidate is none.
    #[test]
    fn figures_are_those_of_the_trials() {
        let page = search(&report());
        for text in [
            "<p class=\"name\">median trial</p><p class=\"value\">75.0 %</p><p class=\"remark\">higher is better</p>",
            "<td class=\"number\">400 B</td><td class=\"number\">900 B</td><td class=\"number\">8</td>",
            "points=\"64.0,220.0 652.0,220.0 652.0,73.0 946.0,73.0\"",
        ] {
            assert!(page.contains(text), "no {text} in {page}");
        }
    }

    #[test]
    fn nothing_but_refused_candidates_is_a_page_too() {
        let mut report = report();
        report.search_trials.retain(|trial| trial.state == State::Refused);
        let page = search(&report);
        assert!(page.contains("What had no score") && !page.contains("Parallel") && !page.contains("NaN"));
    }
}
