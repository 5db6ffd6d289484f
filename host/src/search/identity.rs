//! What tells one search from another, as text: a search goes on only where all of it is the same.
//!
//! Every setting has a form of its own, below, in the words of `model.toml` and with nothing left to a default; the space and
//! the description are many lines, of which [`hash_text`] keeps a fingerprint. No text is Rust's: a search that was begun
//! before this program was built anew, or before a type in it got another name, goes on.

use std::collections::BTreeMap;

use super::description::Description;
use super::judge::Judge;
use crate::data::random::hash_text;
use crate::spec::SearchBudget;
use crate::study::{Direction, Distribution, FORM, Identity, Method, Pruning, Space, Startup, Study, Tpe};

/// Counted up with every change of the forms: values told in two forms can't be compared. 1 were Rust's own words, and had no
/// number.
const VERSION: &str = "2";

impl Description {
    /// What must be equal for a search to go on: all of the description that decides which candidates come and what they
    /// score, `trials` excepted, so that a search can be made longer.
    pub(super) fn identity(&self, study: &Study<'_>, judge: Judge) -> Identity {
        let search = &self.search;
        let mut described = BTreeMap::new();
        flatten("", &toml::Value::Table(self.content()), &mut described);
        let description: String = described.iter().map(|(path, value)| format!("{path} = {value}\n")).collect();
        let fingerprint = |text: &str| format!("{:016x}", hash_text(0, text));
        let mut identity = Identity::default();
        let mut set = |name: &str, value: String| drop(identity.settings.insert(name.into(), value));
        set(FORM, VERSION.into());
        set("metric", judge.to_string());
        set("direction", direction(study.direction).into());
        set("method", method(&study.method));
        set("pruning", study.pruning.as_ref().map_or("none".into(), pruning));
        // The names of its keys are those of `model.toml`, in a fixed order.
        let folds = search.folds.as_ref().map(|folds| serde_json::to_string(folds).unwrap_or_default());
        set("folds", folds.unwrap_or("none".into()));
        set("budget", budget(&search.budget));
        set("space", fingerprint(&space(&search.space)));
        set("description", fingerprint(&description));
        if study.method != Method::Grid {
            set("seed", study.seed.to_string());
        }
        if study.uses_history() {
            set("parallel", study.parallel.to_string());
        }
        let parameters = search.space.parameters.iter();
        let space = parameters.map(|p| (format!("search.space.{}", p.path), search.space.words(p))).collect();
        identity.details.extend([("space".into(), space), ("description".into(), described)]);
        // With every default above; here they are as they were written.
        let table: toml::Table = toml::from_str(self.text()).unwrap_or_default();
        for name in ["pruning", "folds", "budget"] {
            let mut written = BTreeMap::new();
            if let Some(value) = table.get("search").and_then(|search| search.get(name)) {
                flatten(&format!("search.{name}"), value, &mut written);
            }
            identity.details.insert(name.into(), written);
        }
        identity
    }

    /// The description without its `[search]`, comments and layout.
    fn content(&self) -> toml::Table {
        let mut table: toml::Table = toml::from_str(self.text()).unwrap_or_default();
        table.remove("search");
        table
    }
}

const fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Minimize => "minimize",
        Direction::Maximize => "maximize",
    }
}

fn method(method: &Method) -> String {
    match method {
        Method::Grid | Method::Random => method.name().into(),
        Method::Tpe(Tpe { startup_trials, startup, candidates, multivariate }) => {
            // Random ones, as they were before there were others, have no word: searches of earlier programs go on.
            let startup = match startup {
                Startup::Random => String::new(),
                Startup::LatinHypercube => format!(", startup = {}", startup.name()),
            };
            format!(
                "tpe, startup_trials = {startup_trials}{startup}, candidates = {candidates}, multivariate = {multivariate}"
            )
        }
    }
}

fn pruning(pruning: &Pruning) -> String {
    match pruning {
        Pruning::Median { startup_trials, warmup_steps } => {
            format!("median, startup_trials = {startup_trials}, warmup_steps = {warmup_steps}")
        }
        Pruning::SuccessiveHalving { minimum_steps, reduction_factor } => {
            format!("successive_halving, minimum_steps = {minimum_steps}, reduction_factor = {reduction_factor}")
        }
    }
}

fn budget(budget: &SearchBudget) -> String {
    let of = |limit: Option<u64>| limit.map_or("none".into(), |limit| limit.to_string());
    let SearchBudget { ram, flash, macs } = *budget;
    format!("ram = {}, flash = {}, macs = {}", of(ram.map(u64::from)), of(flash.map(u64::from)), of(macs))
}

/// A line a parameter, in their order, which decides what each is drawn with. Its words don't say of 1 to 4 whether numbers
/// between are meant.
fn space(space: &Space) -> String {
    let kind = |distribution: &Distribution| match distribution {
        Distribution::Choice(_) => "choice",
        Distribution::Real { .. } => "real",
        Distribution::Whole { .. } => "whole",
    };
    let line = |p| {
        let words = space.words(p);
        format!("{} = {} {words}\n", p.path, kind(&p.distribution))
    };
    space.parameters.iter().map(line).collect()
}

/// The values of a description by their paths, as `model.layers.0.outputs`; lists of plain values are one value, and so is a
/// table without any.
fn flatten(path: &str, value: &toml::Value, into: &mut BTreeMap<String, String>) {
    let deeper = |name: &str| if path.is_empty() { name.into() } else { format!("{path}.{name}") };
    match value {
        toml::Value::Table(table) if !table.is_empty() => {
            table.iter().for_each(|(name, value)| flatten(&deeper(name), value, into));
        }
        toml::Value::Array(list) if list.iter().any(toml::Value::is_table) => {
            list.iter().enumerate().for_each(|(place, value)| flatten(&deeper(&place.to_string()), value, into));
        }
        // As JSON, whose quotes are always the same ones.
        value => drop(into.insert(path.into(), serde_json::to_string(value).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const TEXT: &str = r#"
[data]
file = "rows.csv"
label = { class = "class" }
classes = ["a", "b"]
validation = { by = "head", share = 0.25 }
[model]
input = [2]
layers = [{ op = "linear", outputs = 4, name = "hidden" }, { op = "relu" }, { op = "linear", outputs = 2 }]
[training]
epochs = 4
batch = 4
optimizer = { name = "adam", learning_rate = 0.01 }
[device.training]
optimizer = { name = "sgd", learning_rate = 0.1 }
[search]
seed = 3
budget = { ram = "16 KiB" }
pruning = "median"
[search.space]
"training.optimizer.learning_rate" = { log_uniform = [1e-3, 1e-1] }
"training.batch" = { choice = [4, 8] }
"model.layers.hidden.outputs" = { int = [4, 16], step = 4 }
"#;

    fn identity(text: &str) -> BTreeMap<String, String> {
        let description = Description::parse("model.toml", text, Path::new(""), Vec::new()).unwrap();
        let judge = description.judge().unwrap();
        description.identity(&description.study(judge), judge).settings
    }

    /// What trials are kept under. A change here ends every search that was begun before: count up the form's number.
    ///
    /// The fingerprints are those that Python gets of lines such as `data.file = "rows.csv"`, in the order of paths, and
    /// `training.optimizer.learning_rate = real 0.001 to 0.1, log`, in that of the parameters.
    #[test]
    fn an_identity_is_the_same_in_every_program() {
        let expected = [
            ("budget", "ram = 16384, flash = none, macs = none"),
            ("description", "bed367a2da7d7624"),
            ("direction", "minimize"),
            ("folds", "none"),
            ("form", "2"),
            ("method", "tpe, startup_trials = 6, startup = latin_hypercube, candidates = 24, multivariate = true"),
            ("metric", "validation_loss"),
            ("parallel", "1"),
            ("pruning", "median, startup_trials = 5, warmup_steps = 0"),
            ("seed", "3"),
            ("space", "60f5ad7e797e73b9"),
        ];
        assert_eq!(identity(TEXT), expected.map(|(name, value)| (name.to_string(), value.to_string())).into());
        let folds = identity(&TEXT.replace("seed = 3", "seed = 3\nfolds = 5").replace("validation = ", "#"));
        assert_eq!(folds["folds"], r#"{"by":"stratified_k_fold","k":5,"repeats":1,"seed":0}"#);
    }

    /// Every kind of parameter and value, as the fingerprints take them.
    #[test]
    fn parameters_and_values_have_stated_words() {
        let parameters = r#"
"training.optimizer.learning_rate" = { log_uniform = [1e-3, 1e-1], points = 4 }
"training.optimizer.name" = { choice = ["sgd", "adam"] }
"training.optimizer.momentum" = { uniform = [0.0, 0.9], step = 0.1, when = { "training.optimizer.name" = "sgd" } }
"training.batch" = { log_int = [2, 64] }
"training.penalty.l2" = { uniform = [0.0, 1e-7] }
"#;
        let head = TEXT.split("[search.space]").next().unwrap().replace("pruning = \"median\"", "");
        let text = format!("{head}[search.space]{parameters}");
        let description = Description::parse("model.toml", &text, Path::new(""), Vec::new()).unwrap();
        let study = description.study(description.judge().unwrap());
        let words = [
            "training.optimizer.learning_rate = real 0.001 to 0.1, log, 4 points",
            "training.optimizer.name = choice [\"sgd\", \"adam\"]",
            "training.optimizer.momentum = real 0 to 0.9 by 0.1, when training.optimizer.name is of [\"sgd\"]",
            "training.batch = whole 2 to 64, log",
            "training.penalty.l2 = real 0 to 0.0000001",
        ];
        assert_eq!(space(study.space).lines().collect::<Vec<_>>(), words);
        let mut values = BTreeMap::new();
        let table: toml::Table =
            toml::from_str("a = 'say \"no\"'\nb = \"x\\n\\t\"\nc = [1e30, -0.0, 1_0]\nd = 1e-7\ne = 3.0").unwrap();
        flatten("", &toml::Value::Table(table), &mut values);
        let words = [r#""say \"no\"""#, r#""x\n\t""#, "[1e+30,-0.0,10]", "1e-7", "3.0"];
        assert_eq!(values.values().map(String::as_str).collect::<Vec<_>>(), words);
    }

    #[test]
    fn what_changes_a_search_changes_its_identity() {
        let was = identity(TEXT);
        let changed = |from: &str, to: &str| {
            assert!(TEXT.contains(from));
            let is = identity(&TEXT.replace(from, to));
            let names = was.keys().chain(is.keys()).filter(|name| was.get(*name) != is.get(*name));
            names.cloned().collect::<std::collections::BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
        };
        for (from, to, names) in [
            // Layout, comments and how a number is written are nothing.
            ("epochs = 4", "# So many.\nepochs   = 0x4", ""),
            ("\"16 KiB\"", "16384", ""),
            ("pruning = \"median\"", "pruning = { name = \"median\", startup_trials = 5 }", ""),
            ("epochs = 4", "epochs = 5", "description"),
            // Named with nothing said, its defaults hold.
            ("[model]", "[preprocessing]\n[model]", "description"),
            ("int = [4, 16], step = 4", "int = [4, 16], step = 2", "space"),
            ("choice = [4, 8]", "choice = [8, 4]", "space"),
            ("log_uniform = [1e-3, 1e-1]", "uniform = [1e-3, 1e-1]", "space"),
            ("seed = 3", "seed = 3\nmethod = \"random\"", "method"),
            ("seed = 3", "seed = 3\nmethod = { name = \"tpe\", candidates = 12 }", "method"),
            ("seed = 3", "seed = 3\nmethod = { name = \"tpe\", startup = \"random\" }", "method"),
            ("pruning = \"median\"", "pruning = \"successive_halving\"", "pruning"),
        ] {
            assert_eq!(changed(from, to), names, "{to}");
        }
    }
}
