//! Cross-validation, by the library and the program: nothing of a held-back fold reaches what judges it.

mod cli_common;

use cli_common::{Folder, done, emberlite, heard};
use emberlite_host::search::{FoldScore, cross_validate, one_fold};
use emberlite_host::spec::Spec;
use emberlite_host::train::DeviceChoice;
use std::sync::atomic::{AtomicBool, Ordering};

const MODEL: &str = r#"name = "small"
[data]
file = "rows.csv"
label = { class = "class" }
folds = { k = 4, seed = 3 }
[data.clean]
missing = "median"
[model]
input = [2]
layers = [{ op = "linear", outputs = 8 }, { op = "relu" }, { op = "linear", outputs = 2 }]
[training]
optimizer = { name = "adam", learning_rate = 0.02 }
batch = 8
epochs = 6
device = "cpu"
metrics = ["f1_macro"]
"#;

/// 60 rows; those of `changed` are far from the others, and lack a number.
fn rows(changed: &[usize]) -> String {
    let row = |i: usize| {
        let (x, y) = (i * 7 % 10, i * 3 % 7);
        let class = if x + y > 7 { "b" } else { "a" };
        if changed.contains(&i) { format!("{},,{class}\n", x * 1000 + 5) } else { format!("{x},{y},{class}\n") }
    };
    "x,y,class\n".to_string() + &(0..60).map(row).collect::<String>()
}

/// The training losses of a fold, epoch by epoch.
fn losses(spec: &Spec, fold: usize) -> Vec<u64> {
    let rule = spec.data.as_ref().unwrap().folds.clone().unwrap();
    let folded = spec.load_folds(&rule).unwrap();
    let (stop, mut losses) = (AtomicBool::new(false), Vec::new());
    one_fold((spec, &folded, fold), DeviceChoice::Cpu, &[], &stop, &mut |record| {
        losses.push(record.train_loss.to_bits());
        true
    })
    .unwrap();
    losses
}

#[test]
fn a_held_back_fold_leaves_no_trace_in_its_training() {
    let folder = Folder::new();
    folder.write("rows.csv", rows(&[]));
    let spec = Spec::read(folder.write("model.toml", MODEL)).unwrap();
    let rule = spec.data.as_ref().unwrap().folds.clone().unwrap();
    let folds = spec.load_folds(&rule).unwrap().folds;
    assert_eq!(folds.len(), 4);
    let mut judged: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
    judged.sort();
    assert!(judged.into_iter().eq(0..60), "each sample is judged once");
    let plain = [losses(&spec, 0), losses(&spec, 1)];
    // Fill values and scaling would move if they saw these rows.
    folder.write("rows.csv", rows(&folds[0].test));
    assert_eq!(losses(&spec, 0), plain[0], "fold 0 is held back from itself");
    assert_ne!(losses(&spec, 1), plain[1], "and part of what fold 1 learns from");
}

#[test]
fn the_program_says_what_the_library_does() {
    let folder = Folder::new();
    folder.write("rows.csv", rows(&[]));
    let path = folder.write("model.toml", MODEL);
    let spec = Spec::read(&path).unwrap();
    let data = spec.data.as_ref().unwrap();
    let folded = spec.load_folds(data.folds.as_ref().unwrap()).unwrap();
    let (stop, metrics) = (AtomicBool::new(false), spec.training.host.metrics.clone());
    let result = cross_validate(&spec, &folded, DeviceChoice::Cpu, &metrics, &stop, &mut |_| {}).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&done(&["cross-validate", "--model", &path, "--quiet", "--json"])).unwrap();
    let folds: Vec<f64> = result.folds.iter().map(|fold| fold.evaluation.accuracy.unwrap()).collect();
    assert_eq!(json["accuracy"]["folds"], serde_json::json!(folds));
    assert!(json["f1_macro"]["mean"].is_number() && json["loss"]["std"].is_number());
    // Mean and sample deviation by hand.
    let mean = folds.iter().sum::<f64>() / 4.0;
    let deviation = (folds.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    let near = |value: &serde_json::Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-12;
    assert!(near(&json["accuracy"]["mean"], mean) && near(&json["accuracy"]["std"], deviation));
    let text = done(&["cross-validate", "--model", &path, "--quiet", "--folds", "3", "--repeats", "2"]);
    assert!(text.contains("over 6 folds"), "{text}");
}

/// Of sixty rows in four folds fifteen judge and the others are learnt from.
#[test]
fn a_fold_is_judged_by_its_own_samples() {
    let folder = Folder::new();
    folder.write("rows.csv", rows(&[]));
    let spec = Spec::read(folder.write("model.toml", MODEL)).unwrap();
    let folded = spec.load_folds(spec.data.as_ref().unwrap().folds.as_ref().unwrap()).unwrap();
    let (stop, mut told) = (AtomicBool::new(false), Vec::new());
    let mut tell = |fold: &FoldScore| told.push((fold.fold, fold.train, fold.test, fold.epochs));
    let result = cross_validate(&spec, &folded, DeviceChoice::Cpu, &[], &stop, &mut tell).unwrap();
    assert_eq!(told, [(1, 45, 15, 6), (2, 45, 15, 6), (3, 45, 15, 6), (4, 45, 15, 6)]);
    for (fold, score) in folded.folds.iter().zip(&result.folds) {
        let counts: u32 = score.evaluation.confusion.iter().flatten().sum();
        assert_eq!((counts, fold.test.len()), (15, 15), "{}", score.fold);
    }
    // One that is to end after the second keeps two.
    let mut count = 0;
    let mut tell = |_: &FoldScore| {
        count += 1;
        stop.store(count == 2, Ordering::Relaxed);
    };
    let result = cross_validate(&spec, &folded, DeviceChoice::Cpu, &[], &stop, &mut tell).unwrap();
    assert_eq!(result.folds.len(), 2);
}

/// Losses of billions, rounded as those of a training are.
#[test]
fn a_large_loss_has_an_exponent() {
    let folder = Folder::new();
    let row = |i: usize| format!("{},{},{}\n", i * 7 % 10, i * 3 % 7, (i % 9) as f64 * 1e9);
    folder.write("rows.csv", "x,y,z\n".to_string() + &(0..60).map(row).collect::<String>());
    let text = MODEL.replace("{ class = \"class\" }", "{ value = \"z\" }").replace("outputs = 2", "outputs = 1");
    let text =
        text.replace("metrics = [\"f1_macro\"]", "loss = \"mean_squared_error\"").replace("missing", "# missing");
    let path = folder.write("model.toml", text);
    let said = done(&["cross-validate", "--model", &path, "--quiet"]);
    let losses = said.split_whitespace().filter(|word| word.contains("e1")).count();
    // Of four folds, mean and deviation twice.
    assert!(losses == 8 && said.split_whitespace().all(|word| word.len() < 16), "{said}");
    let progress = heard(&["cross-validate", "--model", &path]).error;
    assert!(progress.lines().count() == 4 && progress.lines().all(|line| line.contains("e19")), "{progress}");
    let space = "[search]\nmethod = \"grid\"\nfolds = 4\n[search.space]\ntraining.batch = { choice = [4, 8] }\n";
    let path = folder.write("model.toml", String::from_utf8(folder.read("model.toml")).unwrap() + space);
    let answer = heard(&["search", "--model", &path, "--run", &folder.path("run")]);
    let words = |text: &str| text.split_whitespace().all(|word| word.len() < 40 || word.contains('/'));
    assert!(answer.status == 0 && words(&answer.error) && answer.error.matches("e19").count() == 4, "{}", answer.error);
    assert!(words(&answer.out) && answer.out.contains("e19  "), "{}", answer.out);
}

#[test]
fn a_search_takes_the_mean_over_folds() {
    let folder = Folder::new();
    folder.write("rows.csv", rows(&[]));
    let search = r#"
[search]
method = "grid"
metric = "accuracy"
folds = { k = 4, seed = 3 }
[search.space]
training.optimizer.learning_rate = { choice = [0.02, 1e-6] }
"#;
    let path = folder.write("model.toml", MODEL.to_string() + search);
    done(&["search", "--model", &path, "--run", &folder.path("run"), "--quiet"]);
    let text = String::from_utf8(folder.read("run/trials.jsonl")).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&done(&["cross-validate", "--model", &path, "--quiet", "--json"])).unwrap();
    assert_eq!(first["scores"], json["accuracy"]["folds"]);
    assert_eq!(first["score"], json["accuracy"]["mean"]);
    assert_eq!(first["epochs"], 24);
}

#[test]
fn mistakes_say_what_to_do() {
    for (line, instead, message) in [
        ("k = 4", "k = 1", "model.toml:5: `data.folds.k`: expected a whole number from 2 to 10000, found 1"),
        (
            "k = 4",
            "by = \"kfold\", k = 4",
            "model.toml:5: `data.folds.by`: unknown way to make folds `kfold`; did you mean `k_fold`?",
        ),
        (
            "k = 4",
            "by = \"group_k_fold\", k = 4",
            "model.toml:5: `data.folds`: `columns` is missing; give a list of group columns",
        ),
        (
            "k = 4, seed = 3",
            "k = 4, columns = [\"x\"]",
            "model.toml:5: `data.folds.columns`: only group_k_fold and stratified_group_k_fold have columns",
        ),
        ("k = 4", "k = 40", "40 stratified folds: expected as many samples of each class, found "),
        (
            "epochs = 6",
            "early_stopping = { patience = 2, monitor = \"validation_loss\" }",
            "training settings: early stopping on validation_loss would choose by the samples that the fold is judged by",
        ),
    ] {
        let folder = Folder::new();
        folder.write("rows.csv", rows(&[]));
        let path = folder.write("model.toml", MODEL.replace(line, instead));
        let answer = emberlite(&["cross-validate", "--model", &path, "--quiet"]);
        let error = folder.plain(&answer.error);
        assert!(answer.status == 1 && error.contains(message), "{instead}\n{error}");
    }
}
