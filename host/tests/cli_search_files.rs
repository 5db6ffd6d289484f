//! The files of `emberlite search`: what is in them decides what goes on, and none is taken for what it isn't.

mod cli_common;

use cli_common::small_search::{SEARCH, folder, model, search, trials};
use cli_common::{Answer, Folder, emberlite, heard};
use serde_json::{Value, json};
use std::path::Path;

/// Drawn at random, nothing given up, some refused by the budget.
fn random(trials: &str) -> String {
    SEARCH.replace("\"tpe\"", "\"random\"").replace("pruning", "# pruning").replace("= 14", trials)
}

fn lines(folder: &Folder) -> Vec<Value> {
    let text = String::from_utf8(folder.read("run/trials.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn write(folder: &Folder, lines: &[Value]) -> Vec<u8> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    folder.write("run/trials.jsonl", &text);
    text.into()
}

/// What is changed in the line of a trial, the message, and the line that it blames less that of the trial.
type Edit = (&'static str, fn(&mut Vec<Value>, usize), &'static str);

const EDITS: [Edit; 16] = [
    ("a far number", |all, at| all[at]["candidate"] = json!(900), "it is candidate 900, and "),
    (
        "a number of its own",
        |all, at| all[at]["trial"] = json!(1),
        "it is trial 1, and by its candidate's number it is trial 2",
    ),
    ("no score", |all, at| all[at]["score"] = Value::Null, "a complete trial has a score, and this one has none"),
    ("another score", |all, at| all[at]["score"] = json!(0.123), "its score is that of none of its epochs"),
    ("another state", |all, at| all[at]["state"] = json!("pruned"), "a pruned trial has no score, and this one has "),
    ("it failed", |all, at| all[at]["state"] = json!("failed"), "a failed trial has no score, and this one has "),
    (
        "no choice",
        |all, at| all[at]["parameters"]["training.batch"] = json!(5),
        "its values aren't of this search's space",
    ),
    (
        "between steps",
        |all, at| all[at]["parameters"]["model.layers.hidden.outputs"] = json!(6),
        "its values aren't of this search's space",
    ),
    (
        "more digits than are drawn",
        |all, at| all[at]["parameters"]["training.optimizer.learning_rate"] = json!(0.012345678),
        "its values aren't of this search's space",
    ),
    (
        "a setting less",
        |all, at| drop(all[at]["parameters"].as_object_mut().unwrap().remove("training.batch")),
        "its values aren't of this search's space",
    ),
    (
        "a setting of none",
        |all, at| all[at]["parameters"]["training.epochs"] = json!(9),
        "the search doesn't vary `training.epochs`",
    ),
    ("no values", |all, at| all[at]["values"] = json!([]), "`values` has one of each epoch: 4 of them, and not 0"),
    ("beyond the numbers", |all, at| all[at]["candidate"] = json!(4_294_967_296_u64), "not a trial: "),
    ("a word", |all, at| all[at] = json!("trial 2"), "not a trial: "),
    (
        "a name less",
        |all, at| drop(all[at].as_object_mut().unwrap().remove("state")),
        "not a trial: missing field `state`",
    ),
    ("twice", |all, at| all[at] = all[at - 1].clone(), "candidate "),
];

const WHAT_TO_DO: &str =
    "; put the line back as it was, or remove it and those after it: what they tell of runs again\n";

#[test]
fn a_changed_line_is_refused_and_named() {
    let (folder, path, run) = folder(SEARCH);
    assert_eq!(search(&path, &run, &["--trials", "5"]).error, "");
    let whole = lines(&folder);
    let at = whole.iter().position(|line| line["trial"] == 2).unwrap();
    assert_eq!(whole[at]["state"], "complete");
    for (name, edit, message) in EDITS {
        let mut all = whole.clone();
        edit(&mut all, at);
        let text = write(&folder, &all);
        let answer = search(&path, &run, &["--resume"]);
        let (error, expected) = (folder.plain(&answer.error), format!("error: run/trials.jsonl:{}: {message}", at + 1));
        assert!(answer.status == 1 && error.starts_with(&expected) && error.ends_with(WHAT_TO_DO), "{name}: {error}");
        assert_eq!(folder.read("run/trials.jsonl"), text, "{name}");
    }
    // What it says can be done: the line and those after it run again, to the same trials.
    write(&folder, &whole[..at]);
    assert_eq!(search(&path, &run, &["--resume", "--trials", "5"]).error, "");
    assert_eq!(lines(&folder).len(), whole.len());
    // A refused candidate is no trial.
    let refused = whole.iter().position(|line| line["state"] == "refused").unwrap();
    let mut all = whole;
    all[refused]["trial"] = json!(3);
    write(&folder, &all);
    let error = folder.plain(&search(&path, &run, &["--resume"]).error);
    let expected = format!("error: run/trials.jsonl:{}: it is trial 3, and a refused candidate is none;", refused + 1);
    assert!(error.starts_with(&expected), "{error}");
}

/// Where candidates don't depend on trials they are drawn again; of folds the score is the mean.
#[test]
fn values_and_folds_of_a_line_are_counted_again() {
    let (folder, path, run) = folder(&random("= 3").replace("\n[search.budget]", "\nfolds = 3\n[search.budget]"));
    assert_eq!(search(&path, &run, &[]).error, "");
    let whole = lines(&folder);
    let at = whole.iter().position(|line| line["trial"] == 2).unwrap();
    for (edit, message) in [
        (
            (|line| line["parameters"]["training.optimizer.learning_rate"] = json!(0.01)) as fn(&mut Value),
            format!("its values aren't those of candidate {}", whole[at]["candidate"]),
        ),
        (|line| line["score"] = json!(0.5), "its score is 0.5, and the mean of its folds is 0.".into()),
        (|line| line["scores"] = json!([]), "`scores` has one of each fold: 3 of them, and not 0".into()),
        (|line| line["values"] = json!([]), "`values` has one of each fold but the last: 2 of them, and not 0".into()),
    ] {
        let mut all = whole.clone();
        edit(&mut all[at]);
        write(&folder, &all);
        let error = folder.plain(&search(&path, &run, &["--resume"]).error);
        assert!(error.starts_with(&format!("error: run/trials.jsonl:{}: {message}", at + 1)), "{error}");
    }
    write(&folder, &whole);
    assert_eq!(search(&path, &run, &["--resume", "--parallel", "3", "--trials", "5"]).error, "");
}

/// The line that goes on has the settings that the search was begun with, whatever was typed now.
#[test]
fn what_goes_on_is_the_search_that_was_begun() {
    let (folder, path, run) = folder(SEARCH);
    assert_eq!(search(&path, &run, &["--trials", "3", "--seed", "9", "--parallel", "2"]).error, "");
    let typed = ["--trials", "4", "--seed", "5"];
    let error = search(&path, &run, &typed).error;
    let expected = format!(
        "\n  go on:     emberlite search --model {path} --run {run} --quiet --trials 4 --resume --parallel 2 --seed 9\n"
    );
    assert!(error.contains(&expected), "{error}");
    let replace =
        format!("\n  replace:   emberlite search --model {path} --run {run} --quiet --trials 4 --seed 5 --fresh\n");
    assert!(error.contains(&replace), "{error}");
    assert_eq!(search(&path, &run, &["--trials", "4", "--resume", "--parallel", "2", "--seed", "9"]).error, "");
    // What the description says can't be typed.
    folder.write("model.toml", model(SEARCH).replace("epochs = 4", "epochs = 5"));
    let error = search(&path, &run, &["--seed", "9"]).error;
    let expected = "--seed 9 --resume --parallel 2   # its trials were made with training.epochs = 4 (now 5); change that back first\n";
    assert!(error.contains(expected), "{error}");
    // Of another program nothing goes on.
    let text = String::from_utf8(folder.read("run/trials.jsonl")).unwrap();
    folder.write("run/trials.jsonl", text.replacen("\"form\":\"2\",", "", 1));
    let error = search(&path, &run, &[]).error;
    assert!(!error.contains("go on:") && error.contains("\n  replace:   "), "{error}");
}

/// A folder is for one search at a time, and so is a best description, whichever folders its searches have.
#[test]
fn what_another_search_is_at_work_on_is_left_alone() {
    let (folder, path, run) = folder(&random("= 1"));
    std::fs::create_dir(&run).unwrap();
    for (file, message) in [
        (
            "run/lock",
            "run: another training or search is at work in this folder; wait for its end, or choose another with --run",
        ),
        (
            ".best.toml.lock",
            "best.toml: another search is at work that will write it; wait for its end, or name another by --out",
        ),
    ] {
        let held = std::fs::File::create(folder.path(file)).unwrap();
        held.lock().unwrap();
        let answer = search(&path, &run, &[]);
        assert_eq!((answer.status, folder.plain(&answer.error)), (1, format!("error: {message}\n")));
        assert!(!Path::new(&folder.path("run/trials.jsonl")).exists());
        // What a killed one has left is nobody's.
        drop(held);
        assert_eq!(search(&path, &run, &["--fresh"]).error, "");
        std::fs::remove_file(folder.path("run/trials.jsonl")).unwrap();
    }
    assert_eq!(folder.names(), ["best.toml", "model.toml", "rows.csv", "run"]);
}

/// What is no search's is replaced when that is said; what one has left that never came to a trial is begun anew.
#[test]
fn a_file_that_is_none_of_a_search_stays() {
    let (folder, path, run) = folder(&random("= 1"));
    std::fs::create_dir(&run).unwrap();
    for mine in ["my notes\n", "{\"a\":1}\n", "a word"] {
        folder.write("run/trials.jsonl", mine);
        let answer = search(&path, &run, &[]);
        let expected = "error: run/trials.jsonl: its first line isn't that of a search, so a search doesn't replace it; move it \
                        away, replace it with --fresh, or give another folder with --run\n";
        assert_eq!((answer.status, folder.plain(&answer.error).as_str()), (1, expected), "{mine:?}");
        assert_eq!(folder.read("run/trials.jsonl"), mine.as_bytes());
        assert_eq!(search(&path, &run, &["--fresh"]).error, "", "{mine:?}");
    }
    for left in ["", "\n", "{\"se", "{\"search\":{\"for", "\0\0\0", "{\"search\":{}}\n", "{\"search\":{}}\n{\"tri"] {
        folder.write("run/trials.jsonl", left);
        assert_eq!(search(&path, &run, &[]).error, "", "{left:?}");
    }
}

#[test]
fn a_search_that_has_all_its_trials_says_so() {
    let (folder, path, run) = folder(&random("= 3"));
    assert!(!search(&path, &run, &[]).out.contains("nothing is left"));
    let before = folder.read("run/trials.jsonl");
    let again = search(&path, &run, &["--resume"]);
    let line = format!("emberlite search --model {path} --run {run} --quiet --resume --trials 6");
    let expected =
        format!("\nnothing is left to search: all of its 3 trials were there before; to search on: {line}\n");
    assert!(again.status == 0 && again.out.contains(&expected), "{}", again.out);
    // They count, too: fewer than there are can't be had.
    let answer = search(&path, &run, &["--resume", "--trials", "2"]);
    let expected = "error: run/trials.jsonl: the search has 3 trials already, which count too, and is to have 2; give 3 to end \
                    it there, or more to search on, by --trials\n";
    assert_eq!((answer.status, answer.out.as_str(), folder.plain(&answer.error).as_str()), (1, "", expected));
    assert_eq!(folder.read("run/trials.jsonl"), before);
    // Points of a grid are as many as they are.
    let grid = SEARCH.replace("\"tpe\"", "\"grid\"").replace("log_uniform = [1e-4, 1e-1]", "choice = [0.01]");
    let grid = grid.replace("int = [4, 64], step = 4", "choice = [4]").replace("[4, 8, 16]", "[8, 16]");
    folder.write("model.toml", model(&grid));
    assert_eq!(search(&path, &run, &["--fresh"]).error, "");
    let again = search(&path, &run, &["--resume"]).out;
    assert!(again.contains("\nnothing is left to search: all of its 2 trials were there before\n"), "{again}");
}

/// `trial 3 of 4`, and the best so far.
fn told(answer: &Answer) -> Vec<(String, String)> {
    let best = |line: &str| {
        line.split("(best ").nth(1).and_then(|text| text.split(')').next()).unwrap_or_default().to_string()
    };
    answer.error.lines().map(|line| (line.split("  ").next().unwrap().to_string(), best(line))).collect()
}

/// Without `trials` a grid has as many as it has points within the budget.
#[test]
fn a_grid_says_its_own_number() {
    let grid = r#"
[search]
method = "grid"
[search.budget]
ram = 900
[search.space]
"model.layers.hidden.outputs" = { choice = [64, 4, 8] }
"training.batch" = { choice = [8, 16] }
"#;
    let (folder, path, run) = folder(grid);
    let answer = heard(&["search", "--model", &path, "--run", &run]);
    let names: Vec<String> = told(&answer).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["trial 1 of 4", "trial 2 of 4", "trial 3 of 4", "trial 4 of 4"], "{}", answer.error);
    assert!(answer.out.contains("\n4 trials: 4 complete\nrefused 2 candidates before training"), "{}", answer.out);
    // With more than there are, and with fewer.
    for (trials, of) in [("9", 4), ("3", 3)] {
        let answer = heard(&["search", "--fresh", "--model", &path, "--run", &run, "--trials", trials]);
        assert!(told(&answer).iter().all(|(name, _)| name.ends_with(&format!(" of {of}"))), "{}", answer.error);
    }
    let report: Value = serde_json::from_slice(&folder.read("run/report.json")).unwrap();
    assert!(report["settings"].as_array().unwrap().contains(&json!(["trials", "3"])), "{}", report["settings"]);
}

#[test]
fn the_best_so_far_is_that_of_all_trials() {
    let (_folder, path, run) = folder(&random("= 9"));
    let whole = heard(&["search", "--model", &path, "--run", &run]);
    let (_other, path, run) = folder(&random("= 9"));
    heard(&["search", "--model", &path, "--run", &run, "--trials", "6"]);
    let rest = heard(&["search", "--model", &path, "--run", &run, "--resume"]);
    assert_eq!(told(&rest), told(&whole)[6..], "{}", rest.error);
    // It has been reached before, so that the file is what tells it.
    let best = &told(&rest)[0].1;
    assert!(!best.ends_with("trial 7"), "{best}");
}

/// What has the name of the best description, and isn't one that this search has written as it is, stays.
#[test]
fn no_other_file_is_replaced_by_the_best_description() {
    let (folder, path, run) = folder(&random("= 2"));
    folder.write("best.toml", "mine = true\n");
    let answer = search(&path, &run, &[]);
    let expected = "error: best.toml: is there already, and not as a search in run has written it; move it away, or name another \
                    by --out\n";
    assert_eq!((answer.status, folder.plain(&answer.error).as_str()), (1, expected));
    assert_eq!(folder.read("best.toml"), b"mine = true\n");
    assert!(!folder.names().contains(&"run/trials.jsonl".into()));
    let own = folder.path("own.toml");
    assert_eq!(search(&path, &run, &["--out", &own]).error, "");
    // Its own is replaced, by any search of this folder.
    assert_eq!(search(&path, &run, &["--out", &own, "--resume", "--trials", "4"]).error, "");
    assert_eq!(search(&path, &run, &["--out", &own, "--fresh", "--seed", "8"]).error, "");
    // Also where it was killed before the page was written.
    std::fs::remove_file(folder.path("run/report.json")).unwrap();
    assert_eq!(search(&path, &run, &["--out", &own, "--resume", "--seed", "8"]).error, "");
    // Once it was changed it is somebody's work.
    let text = String::from_utf8(folder.read("own.toml")).unwrap();
    folder.write("own.toml", text.replace("epochs = 4", "epochs = 40"));
    let error = folder.plain(&search(&path, &run, &["--out", &own, "--resume", "--seed", "8"]).error);
    assert!(
        error.starts_with("error: --out own.toml: is there already, and not as a search in run has written it;"),
        "{error}"
    );
    // As is that of another search.
    folder.write("own.toml", text);
    let answer = search(&path, &folder.path("other"), &["--out", &own]);
    assert!(answer.status == 1 && answer.error.contains("is there already"), "{}", answer.error);
}

/// One of 500 candidates is within the budget.
const NARROW: &str = r#"
[search]
method = "random"
trials = 30
seed = 1
[search.budget]
ram = 700
[search.space]
"model.layers.hidden.outputs" = { int = [1, 20000] }
"#;

#[test]
fn a_search_that_finds_no_more_candidates_ends_with_what_it_has() {
    let (folder, path, run) = folder(NARROW);
    let answer = search(&path, &run, &[]);
    assert_eq!((answer.status, answer.error.as_str()), (0, ""), "{}", answer.out);
    let all = trials(&folder);
    let ran = all.iter().filter(|trial| trial["state"] == "complete").count();
    assert!(ran > 0 && ran < 30);
    assert!(all[all.len() - 1000..].iter().all(|trial| trial["state"] == "refused"));
    assert_eq!(all[all.len() - 1001]["state"], "complete");
    let expected = format!(
        "\nended with {ran} of 30 trials, since 1000 candidates in a row were refused; for more, change the space or the budget \
         and search anew\n"
    );
    assert!(answer.out.contains(&expected) && answer.out.contains("best.toml\n"), "{}", answer.out);
    assert!(folder.names().contains(&"best.toml".into()));
    // Going on finds nothing either, and adds nothing.
    let again = search(&path, &run, &["--resume"]);
    assert_eq!((again.out, trials(&folder).len()), (answer.out, all.len()));
    // Without a trial there is nothing to end with.
    folder.write("model.toml", model(&NARROW.replace("ram = 700", "ram = 100")));
    let error = emberlite(&["search", "--fresh", "--quiet", "--model", &path, "--run", &run]).error;
    let expected = "error: 1000 candidates in a row were refused, the last one: RAM: needs ";
    assert!(
        error.starts_with(expected) && error.contains("the budget of [search.budget] is 100; change the space"),
        "{error}"
    );
}

/// A grid ends by itself, however many of its points are refused in a row.
#[test]
fn a_grid_is_gone_through_whole() {
    let space = "{ choice = [20000, 4] }\n\"training.batch\" = { int = [1, 1001] }";
    let grid = NARROW.replace("\"random\"", "\"grid\"").replace("= 30", "= 2").replace("{ int = [1, 20000] }", space);
    let (folder, path, run) = folder(&grid.replace("ram = 700", "ram = 900"));
    let answer = search(&path, &run, &[]);
    assert_eq!((answer.status, answer.error.as_str()), (0, ""));
    assert!(
        answer.out.contains("\n2 trials: 2 complete\nrefused 1001 candidates") && !answer.out.contains("ended with")
    );
    folder.write("model.toml", model(&grid.replace("ram = 700", "ram = 100").replace("1001", "3")));
    let error = search(&path, &run, &["--fresh"]).error;
    assert!(error.starts_with("error: 6 candidates in a row were refused, the last one: RAM: needs "), "{error}");
}
