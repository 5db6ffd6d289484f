//! What the page of a search shows.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::super::facts::{FileFacts, Pairs};
use crate::study::{Direction, Distribution, Parameter, Trial, placed};

/// A search. In JSON everything may be left out but its trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchReport {
    /// The model's name.
    #[serde(default)]
    pub name: String,
    /// What was searched, in a sentence or two.
    #[serde(default)]
    pub description: String,
    /// The figure that trials are judged by.
    pub metric: String,
    /// Whether it is a share, which people read as percent.
    #[serde(default)]
    pub is_share: bool,
    /// Which scores are better.
    pub direction: Direction,
    /// What varied, in the order of the description.
    pub parameters: Vec<ParameterFacts>,
    /// Every trial, in the order of numbers.
    #[serde(deserialize_with = "trials")]
    pub search_trials: Vec<Trial>,
    /// Method, seed, folds, budget, …
    #[serde(default)]
    pub settings: Pairs,
    /// The best description; empty where no trial was complete.
    #[serde(default)]
    pub best: String,
    /// The line that was typed.
    #[serde(default)]
    pub command: String,
    /// Wall time.
    #[serde(default)]
    pub seconds: Option<f64>,
    /// What was written.
    #[serde(default)]
    pub files: Vec<FileFacts>,
    /// Versions of programs.
    #[serde(default)]
    pub versions: Pairs,
}

/// With places also where an earlier program wrote none.
fn trials<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Trial>, D::Error> {
    Vec::deserialize(from).map(placed)
}

/// A parameter's axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterFacts {
    /// Its path.
    pub path: String,
    /// Its values; empty for a range.
    #[serde(default)]
    pub choices: Vec<Value>,
    /// The least value of a range.
    #[serde(default)]
    pub low: f64,
    /// The largest.
    #[serde(default)]
    pub high: f64,
    /// Whether the logarithm of a range was searched.
    #[serde(default)]
    pub log: bool,
}

impl From<&Parameter> for ParameterFacts {
    fn from(parameter: &Parameter) -> Self {
        let (choices, low, high, log) = match &parameter.distribution {
            Distribution::Choice(choices) => (choices.clone(), 0.0, 0.0, false),
            Distribution::Real { low, high, log, .. } => (Vec::new(), *low, *high, *log),
            Distribution::Whole { low, high, log, .. } => (Vec::new(), *low as f64, *high as f64, *log),
        };
        ParameterFacts { path: parameter.path.clone(), choices, low, high, log }
    }
}

/// The shortest end of each path that no other path has: `learning_rate`, `0.outputs`.
pub fn labels<'p>(paths: &[&'p str]) -> Vec<&'p str> {
    let end = |path: &'p str, parts: usize| {
        let cut = path.rmatch_indices('.').nth(parts - 1);
        cut.map_or(path, |(at, _)| &path[at + 1..])
    };
    let shortest = |path: &&'p str| {
        let parts = 1 + path.matches('.').count();
        // A number says nothing by itself.
        let says = |label: &str| !label.chars().all(|c| c.is_ascii_digit());
        let alone = |label: &&str| says(label) && paths.iter().filter(|other| is_end(other, label)).count() == 1;
        (1..=parts).map(|parts| end(path, parts)).find(alone).unwrap_or(path)
    };
    paths.iter().map(shortest).collect()
}

fn is_end(path: &str, label: &str) -> bool {
    path.strip_suffix(label).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// A value as a table shows it.
pub fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(table) => match table.get("name").or(table.get("op")).and_then(Value::as_str) {
            Some(name) if table.len() == 1 => name.into(),
            _ => value.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short_and_different() {
        let paths = ["training.optimizer.learning_rate", "model.layers.0.outputs", "model.layers.2.outputs", "name"];
        assert_eq!(labels(&paths), ["learning_rate", "0.outputs", "2.outputs", "name"]);
        assert_eq!(labels(&["a.b", "b"]), ["a.b", "b"]);
        assert_eq!(labels(&["model.input.0"]), ["input.0"]);
    }
}
