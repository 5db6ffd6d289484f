//! A search that takes a second, for tests of the program.

use super::{Answer, Folder, emberlite};

/// A search over the small model: two classes by the sign of x + y - 5, of which some are turned.
pub fn model(search: &str) -> String {
    format!(
        r#"# What it is for.
name = "small"
[data]
file = "rows.csv"
label = {{ class = "class" }}
classes = ["a", "b"]
validation = {{ by = "stratified", share = 0.3, seed = 1 }}
[model]
input = [2]
layers = [
    {{ op = "linear", outputs = 4, name = "hidden" }},  # as wide as needed
    {{ op = "relu" }},
    {{ op = "linear", outputs = 2 }},
]
[training]
optimizer = {{ name = "adam", learning_rate = 0.01 }}
batch = 8
epochs = 4
device = "cpu"
{search}
"#
    )
}

/// 60 rows that a small model can tell apart.
pub fn rows() -> String {
    let row = |i: u32| {
        let (x, y) = (i * 7 % 10, i * 3 % 7);
        format!("{x},{y},{}\n", if x + y > 7 { "b" } else { "a" })
    };
    "x,y,class\n".to_string() + &(0..60).map(row).collect::<String>()
}

/// It, with every kind of parameter, a budget and pruning.
pub const SEARCH: &str = r#"
[search]
method = "tpe"
trials = 14
seed = 3
metric = "validation_accuracy"
pruning = { name = "median", startup_trials = 4 }
[search.budget]
ram = 900
[search.space]
"training.optimizer.learning_rate" = { log_uniform = [1e-4, 1e-1] }
"model.layers.hidden.outputs" = { int = [4, 64], step = 4 }
"training.batch" = { choice = [4, 8, 16] }
"#;

pub fn folder(search: &str) -> (Folder, String, String) {
    let folder = Folder::new();
    folder.write("rows.csv", rows());
    let (path, run) = (folder.write("model.toml", model(search)), folder.path("run"));
    (folder, path, run)
}

pub fn search(model: &str, run: &str, more: &[&str]) -> Answer {
    let all = ["search", "--model", model, "--run", run, "--quiet"];
    emberlite(&[&all[..], more].concat())
}

/// Trials without their times.
pub fn trials(folder: &Folder) -> Vec<serde_json::Value> {
    let text = String::from_utf8(folder.read("run/trials.jsonl")).unwrap();
    let mut trials: Vec<serde_json::Value> =
        text.lines().skip(1).map(|line| serde_json::from_str(line).unwrap()).collect();
    trials.iter_mut().for_each(|trial| drop(trial.as_object_mut().unwrap().remove("seconds")));
    trials.sort_by_key(|trial| trial["candidate"].as_u64());
    trials
}
