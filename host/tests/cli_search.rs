//! `emberlite search`, whole: from a description to the best one.

mod cli_common;

use cli_common::small_search::{SEARCH, folder, model, rows, search, trials};
use cli_common::{done, heard};

#[test]
fn the_best_description_gives_its_score_when_it_is_trained() {
    let (folder, path, run) = folder(SEARCH);
    // Every trial has the training's own seed.
    folder.write("model.toml", model(SEARCH).replace("batch = 8", "batch = 8\nseed = 5"));
    let answer = search(&path, &run, &[]);
    assert_eq!((answer.status, answer.error.as_str()), (0, ""));
    assert_eq!(folder.names(), ["best.toml", "model.toml", "rows.csv", "run"]);
    let trials = trials(&folder);
    let of = |state: &str| trials.iter().filter(|trial| trial["state"] == state).count();
    assert_eq!(of("complete") + of("pruned") + of("failed"), 14);
    assert!(of("refused") > 0, "64 hidden units need more than 900 bytes");
    assert!(trials.iter().filter(|t| t["state"] != "refused").all(|t| t["price"]["ram"].as_u64().unwrap() <= 900));

    let best = String::from_utf8(folder.read("best.toml")).unwrap();
    assert!(best.contains("# What it is for.\n") && best.contains("  # as wide as needed\n"), "{best}");
    let best_score = trials.iter().filter_map(|trial| trial["score"].as_f64()).fold(0.0, f64::max);
    assert!(best.lines().next().unwrap().ends_with(&format!(": validation_accuracy {best_score}.")), "{best}");
    done(&["train", "--model", &folder.path("best.toml"), "--run", &folder.path("again"), "--quiet"]);
    let metrics = String::from_utf8(folder.read("again/metrics.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kept = lines.iter().find(|line| line["event"] == "finished").unwrap()["best_epoch"].as_u64();
    let record = lines.iter().find(|line| line["record"]["epoch"].as_u64() == kept && kept.is_some()).unwrap();
    assert_eq!(record["record"]["validation_accuracy"].as_f64(), Some(best_score));

    let page = String::from_utf8(folder.read("run/report.html")).unwrap();
    assert!(page.contains("Parallel coordinates") && !page.contains("NaN"));
    done(&["report", &folder.path("run/report.json"), "--out", &folder.path("page.html")]);
    assert_eq!(folder.read("page.html"), page.as_bytes());
}

#[test]
fn a_search_goes_on_where_it_ended() {
    let (whole, path, run) = folder(SEARCH);
    assert_eq!(search(&path, &run, &[]).status, 0);
    let (folder, path, run) = folder(SEARCH);
    assert_eq!(search(&path, &run, &["--trials", "5"]).status, 0);
    let error = search(&path, &run, &[]).error;
    let expected = "trials of a search; all of it would be lost. Type one of these:\n  go on:     emberlite search ";
    assert!(error.contains(expected) && error.contains(" --run OTHER --out "), "{error}");
    assert!(error.ends_with("OTHER.toml\n"), "{error}");
    // The last line was cut off.
    let text = folder.read("run/trials.jsonl");
    folder.write("run/trials.jsonl", &text[..text.len() - 9]);
    let answer = search(&path, &run, &["--resume"]);
    assert_eq!((answer.status, answer.error.as_str()), (0, ""));
    assert_eq!(trials(&folder), trials(&whole));
    assert_eq!(folder.read("best.toml"), whole.read("best.toml"));
    let error = search(&path, &run, &["--resume", "--seed", "4"]).error;
    assert!(error.contains("its trials were made with seed = 3 (now 4); change that back"), "{error}");
    // What a trial knows of others depends on how many run at a time.
    let error = search(&path, &run, &["--resume", "--parallel", "2"]).error;
    assert!(error.contains("its trials were made with parallel = 1 (now 2); change that back"), "{error}");
    // Other samples score otherwise.
    folder.write("rows.csv", rows().replace("0,0,a", "0,0,b"));
    let error = search(&path, &run, &["--resume"]).error;
    assert!(error.contains("its trials were made with other data; "), "{error}");
    folder.write("rows.csv", rows());
    // A comment is no other search; another learning rate is.
    folder.write("model.toml", model(SEARCH).replace("# What it is for.", "# Whatever."));
    assert_eq!(search(&path, &run, &["--resume"]).status, 0);
    folder.write("model.toml", model(SEARCH).replace("epochs = 4", "epochs = 5"));
    let error = search(&path, &run, &["--resume"]).error;
    assert!(error.contains("its trials were made with training.epochs = 4 (now 5); change"), "{error}");
    folder.write("model.toml", model(SEARCH).replace("ram = 900", "ram = 800\nflash = 9000"));
    let error = search(&path, &run, &["--resume"]).error;
    assert!(
        error.contains("made with no search.budget.flash (now 9000), search.budget.ram = 900 (now 800);"),
        "{error}"
    );
    folder.write("model.toml", model(SEARCH).replace("[4, 8, 16]", "[4, 8]").replace("step = 4", "step = 2"));
    let error = search(&path, &run, &["--resume"]).error;
    let expected = "made with search.space.model.layers.hidden.outputs = 4 to 64 by 4 (now 4 to 64 by 2), \
                    search.space.training.batch = [4, 8, 16] (now [4, 8]); change that back, start anew with --fresh, or";
    assert!(error.contains(expected), "{error}");
    assert_eq!(search(&path, &run, &["--fresh", "--trials", "2"]).status, 0);
    assert!(trials(&folder).len() < trials(&whole).len());
    let error = search(&path, &folder.path("runn"), &["--resume"]).error;
    assert!(error.contains("runn/trials.jsonl: there is nothing to go on from"), "{error}");
    assert!(!folder.names().contains(&"runn".to_string()));
}

/// What programs before this one wrote: numbers from 0, and no more than fingerprints of what was searched.
#[test]
fn an_older_search_goes_on_too() {
    let (whole, path, run) = folder(SEARCH);
    assert_eq!(search(&path, &run, &[]).status, 0);
    let (folder, path, run) = folder(SEARCH);
    assert_eq!(search(&path, &run, &["--trials", "5"]).status, 0);
    let text = String::from_utf8(folder.read("run/trials.jsonl")).unwrap();
    let older = text.lines().map(|line| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let object = line.as_object_mut().unwrap();
        object.remove("trial");
        match object.remove("candidate") {
            Some(candidate) => drop(object.insert("number".into(), (candidate.as_u64().unwrap() - 1).into())),
            None => drop(object.remove("details").unwrap()),
        }
        format!("{line}\n")
    });
    folder.write("run/trials.jsonl", older.collect::<String>());
    folder.write("model.toml", model(SEARCH).replace("epochs = 4", "epochs = 5"));
    let error = search(&path, &run, &["--resume"]).error;
    assert!(error.contains("its trials were made with another description; change that back"), "{error}");
    folder.write("model.toml", model(SEARCH));
    // Before searches were told apart in words of their own.
    let trials = String::from_utf8(folder.read("run/trials.jsonl")).unwrap();
    folder.write("run/trials.jsonl", trials.replacen("\"form\":\"2\",", "", 1));
    let error = search(&path, &run, &["--resume"]).error;
    let expected = "run/trials.jsonl: its trials are those of an older or newer program, which tells searches apart in another \
                    way; finish the search with that program, start anew with --fresh, or give another folder with --run\n";
    assert!(error.ends_with(expected), "{error}");
    folder.write("run/trials.jsonl", trials);
    assert_eq!(search(&path, &run, &["--resume"]).error, "");
    assert_eq!(folder.read("best.toml"), whole.read("best.toml"));
}

/// What is refused by a budget is none of the search's trials: not on the screen, nor in its files.
#[test]
fn refused_candidates_are_told_in_one_line() {
    let random = SEARCH.replace("\"tpe\"", "\"random\"").replace("pruning", "# pruning").replace("= 14", "= 6");
    let (folder, path, run) = folder(&random);
    let train = |more: &[&str]| heard(&[&["search", "--model", &path, "--run", &run], more].concat());
    // Ended after two, and gone on with.
    let [first, second] = [&["--trials", "2"][..], &["--resume"]].map(&train);
    let lines = [&first, &second].map(|answer| answer.error.lines().collect::<Vec<_>>());
    assert_eq!(lines.each_ref().map(Vec::len), [2, 4], "{lines:?}");
    for (place, line) in lines.concat().iter().enumerate() {
        let of = if place < 2 { 2 } else { 6 };
        assert!(line.starts_with(&format!("trial {} of {of}  validation_accuracy ", place + 1)), "{line}");
    }
    let trials = trials(&folder);
    let refused: Vec<_> = trials.iter().filter(|trial| trial["state"] == "refused").collect();
    let places: Vec<u64> = trials.iter().filter_map(|trial| trial["trial"].as_u64()).collect();
    assert!(refused.len() > 2 && refused.iter().all(|trial| trial["trial"].is_null()));
    assert_eq!(places, [1, 2, 3, 4, 5, 6]);
    let last = refused.last().unwrap()["reason"].as_str().unwrap();
    let expected = format!(
        "\n6 trials: 6 complete\nrefused {} candidates before training, which don't count as trials (the last one: {last})\n",
        refused.len()
    );
    assert!(second.out.contains(&expected), "{}", second.out);
    // The same number everywhere: of the best in the table, on the page and in the description.
    let scored = |trial: &&serde_json::Value| trial["score"].as_f64();
    let best =
        trials.iter().filter(|trial| scored(trial).is_some()).fold(None, |best: Option<&serde_json::Value>, trial| {
            if best.is_none_or(|best| scored(&trial) > scored(&best)) { Some(trial) } else { best }
        });
    let place = best.unwrap()["trial"].as_u64().unwrap();
    let row = second.out.lines().nth(1).unwrap();
    assert_eq!(row.split_whitespace().next(), Some(place.to_string().as_str()), "{row}");
    let text = |name: &str| String::from_utf8(folder.read(name)).unwrap();
    assert!(text("best.toml").starts_with(&format!("# Trial {place} of a search: ")));
    assert!(text("run/report.html").contains(&format!("best: trial {place}<")));
    let error = train(&[]).error;
    assert!(error.contains("here are 6 trials of a search; all of it would be lost"), "{error}");
}

#[test]
fn threads_change_nothing_without_history() {
    let random = SEARCH.replace("\"tpe\"", "\"random\"").replace("pruning", "# pruning");
    let (one, path, run) = folder(&random);
    assert_eq!(search(&path, &run, &[]).status, 0);
    let (three, path, run) = folder(&random);
    assert_eq!(search(&path, &run, &["--parallel", "3"]).status, 0);
    assert_eq!(trials(&one), trials(&three));
    assert_eq!(search(&path, &run, &["--resume", "--parallel", "2", "--trials", "16"]).error, "");
}

#[test]
fn trials_that_fail_are_kept_and_the_search_goes_on() {
    // A rate of 1e30 diverges.
    let grid = r#"
[search]
method = "grid"
[search.space]
training.optimizer.learning_rate = { choice = [1e-2, 1e30, 1e-3] }
training.batch = { int = [8, 16], points = 2 }
"#;
    let (folder, path, run) = folder(grid);
    let answer = search(&path, &run, &[]);
    assert_eq!((answer.status, answer.error.as_str()), (0, ""));
    let trials = trials(&folder);
    let states: Vec<&str> = trials.iter().map(|trial| trial["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["complete", "complete", "failed", "failed", "complete", "complete"]);
    assert!(trials[2]["reason"].as_str().unwrap().contains("is not finite"), "{}", trials[2]);
    assert!(answer.out.contains("\n6 trials: 4 complete, 2 failed\n"), "{}", answer.out);
}

/// The score is that of the epoch with the lowest validation loss; what is given up ends at once, after an epoch or a fold.
#[test]
fn a_trial_tells_what_its_training_gave() {
    let section = |more: &str| {
        let space = "\"training.optimizer.learning_rate\" = { log_uniform = [1e-2, 30.0] }";
        let rule = "pruning = { name = \"median\", startup_trials = 7 }";
        format!("\n[search]\nmethod = \"random\"\ntrials = 16\n{rule}\n{more}\n[search.space]\n{space}\n")
    };
    // Steps of a trial, and the epochs of each.
    for (more, steps, epochs) in [("", 4, 1), ("folds = 3", 3, 4)] {
        let (folder, path, run) = folder(&section(more));
        assert_eq!(search(&path, &run, &[]).error, "");
        let (mut short, mut better) = (0, 0);
        for trial in trials(&folder) {
            let none = Vec::new();
            let told = trial["values"].as_array().unwrap_or(&none);
            let values: Vec<f64> = told.iter().map(|value| value.as_f64().unwrap()).collect();
            if trial["state"] == "pruned" {
                assert_eq!(trial["epochs"], values.len() * epochs, "{trial}");
                short += usize::from(values.len() < steps);
            } else if trial["state"] == "complete" {
                assert_eq!(trial["epochs"], steps * epochs, "{trial}");
                let least = values.iter().copied().fold(f64::INFINITY, f64::min);
                if more.is_empty() {
                    assert_eq!(trial["score"].as_f64(), Some(least), "{trial}");
                    better += usize::from(values.last() > Some(&least));
                }
            }
        }
        assert!(short > 0 && (better > 0 || !more.is_empty()), "{more}: {short} {better}");
    }
}

/// Where the samples are searched, each candidate has its own; a search goes on with its own validation part only.
#[test]
fn samples_of_every_part_decide_a_score() {
    let space =
        "\n[search]\nmethod = \"grid\"\n[search.space]\n\"preprocessing.scale\" = { choice = [1.0, 1e-3, 1e-6] }\n";
    let (folder, path, run) = folder(space);
    let held_back = "validation = { file = \"held.csv\" }";
    let text = model(space).replace("validation = { by = \"stratified\", share = 0.3, seed = 1 }", held_back);
    folder.write("model.toml", text.replace("[model]", "[preprocessing]\nstandardise = false\n[model]"));
    folder.write("held.csv", rows());
    assert_eq!(search(&path, &run, &[]).error, "");
    let scores: Vec<f64> = trials(&folder).iter().map(|trial| trial["score"].as_f64().unwrap()).collect();
    assert!(scores[0] != scores[1] && scores[1] != scores[2], "{scores:?}");
    folder.write("held.csv", rows().replace("0,0,a", "0,0,b"));
    let error = search(&path, &run, &["--resume"]).error;
    assert!(error.contains("its trials were made with other data; "), "{error}");
}

/// Searches of earlier programs had ten random trials at the start: they go on where the description says so.
#[test]
fn a_search_of_an_earlier_program_goes_on_with_its_start() {
    let random = "method = { name = \"tpe\", startup_trials = 10, startup = \"random\" }";
    let (folder, path, run) = folder(&SEARCH.replace("method = \"tpe\"", random));
    assert_eq!(search(&path, &run, &["--trials", "3"]).error, "");
    let first =
        String::from_utf8(folder.read("run/trials.jsonl")).unwrap().lines().next().unwrap_or_default().to_string();
    // As they wrote it.
    assert!(first.contains("\"method\":\"tpe, startup_trials = 10, candidates = 24, multivariate = true\""), "{first}");
    folder.write("model.toml", model(SEARCH));
    let error = search(&path, &run, &["--resume"]).error;
    let expected = "its trials were made with method = tpe, startup_trials = 10, candidates = 24, multivariate = true (now tpe, \
                    startup_trials = 6, startup = latin_hypercube, candidates = 24, multivariate = true); change that back";
    assert!(error.contains(expected), "{error}");
    folder.write("model.toml", model(&SEARCH.replace("method = \"tpe\"", random)));
    assert_eq!(search(&path, &run, &["--resume"]).error, "");
}

#[test]
fn a_dry_run_prices_and_trains_nothing() {
    let (folder, path, run) = folder(SEARCH);
    let answer = search(&path, &run, &["--dry-run"]);
    assert_eq!((answer.status, answer.error.as_str()), (0, ""));
    assert!(answer.out.contains("random candidates are within the budget"), "{}", answer.out);
    assert!(answer.out.contains("refused: RAM: needs"), "{}", answer.out);
    assert_eq!(folder.names(), ["model.toml", "rows.csv"]);
}

/// What is written instead of a line of [`SEARCH`], and the message.
const MISTAKES: [(&str, &str, &str); 32] = [
    (
        "method = \"tpe\"",
        "method = \"bayes\"",
        "22: `search.method`: unknown method `bayes`; possible here: grid, random, tpe",
    ),
    (
        "method = \"tpe\"",
        "method = { name = \"tpe\", startup = \"sobol\" }",
        "22: `search.method.startup`: unknown startup `sobol`; possible here: random, latin_hypercube",
    ),
    ("trials = 14", "trails = 14", "23: unknown key `search.trails`; did you mean `trials`?"),
    ("trials = 14", "trials = 0", "23: `search.trials`: expected a whole number from 1 to 1000000, found 0"),
    ("\"validation_accuracy\"", "\"validation_acuracy\"", "25: `search.metric`: "),
    ("name = \"median\"", "name = \"mean\"", "26: `search.pruning.name`: unknown rule `mean`; did you mean `median`?"),
    (
        "ram = 900",
        "ram = \"big\"",
        "28: `search.budget.ram`: expected a size in bytes, or a text such as \"64 KiB\" (B; KiB, MiB: 1024 and 1024²; kB or KB, MB: 1000 and 1000²), below 4 GiB, found the text \"big\"",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "log_uniform = [0, 1]",
        "30: `search.space.training.optimizer.learning…`: expected a positive number, since its logarithm is searched, found 0",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "log_unifrom = [1e-4, 1e-1]",
        "30: unknown key `search.space.training.optimizer.learning…`; did you mean `log_uniform`?",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "uniform = [0.5, 0.1]",
        "30: `search.space.training.optimizer.learning…`: the lower bound comes first, and 0.1 isn't above 0.5; change them",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "log_uniform = [1e-4, 1e-1], step = 0.1",
        "30: `search.space.training.optimizer.learning…`: a logarithmic range has none; remove it",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "log_uniform = [1e-4, 1e-1], int = [1, 2]",
        "30: `search.space.training.optimizer.learning…`: one kind of values only; give one of ",
    ),
    (
        "learning_rate\" = { log",
        "learning_rat\" = { log",
        "30: `search.space.\"training.optimizer.learning_rat\"`: with 0.0001: unknown key `training.optimizer.learning_rat`; did you mean `learning_rate`?",
    ),
    (
        "layers.hidden",
        "layers.3",
        "31: `search.space.\"model.layers.3.outputs\"`: with 4: `model.layers` has no `3`; there are 0 to 2, by name hidden",
    ),
    (
        "layers.hidden",
        "layers.1",
        "31: `search.space.\"model.layers.1.outputs\"`: with 4: unknown key `model.layers[1].outputs`; possible here: ",
    ),
    (
        "int = [4, 64]",
        "int = [0, 64]",
        "31: `search.space.\"model.layers.hidden.outputs\"`: with 0: `model.layers[0].outputs`: expected a whole number from 1 to 65535, found 0",
    ),
    (
        "int = [4, 64]",
        "int = [4.5, 64]",
        "31: `search.space.model.layers.hidden.outputs…`: expected a whole number, found 4.5",
    ),
    (
        "choice = [4, 8, 16]",
        "choice = []",
        "32: `search.space.training.batch.choice`: expected a list of values, such as [8, 16, 32], found a list of 0",
    ),
    (
        "choice = [4, 8, 16]",
        "choice = [4, 8, 4]",
        "32: `search.space.training.batch.choice[2]`: is there twice; keep one",
    ),
    (
        "choice = [4, 8, 16]",
        "choice = [4, \"many\"]",
        "32: `search.space.\"training.batch\"`: with \"many\": `training.batch`: expected a whole number from 1 to 65536, found the text \"many\"",
    ),
    (
        "choice = [4, 8, 16]",
        "choice = [4, 8], when = { \"model.input\" = [1] }",
        "32: `search.space.training.batch.when.model.i…`: `model.input` is no parameter above this one (",
    ),
    (
        "choice = [4, 8, 16]",
        "choice = [4, 8], when = { \"model.layers.hidden.outputs\" = 65 }",
        "32: `search.space.training.batch.when.model.l…`: `model.layers.hidden.outputs` never is 65; give values that it can have",
    ),
    (
        "int = [4, 64], step = 4",
        "int = [4, 64], step = 61",
        "31: `search.space.model.layers.hidden.outputs…`: a step of 61 from 4 is beyond 64, which leaves one value; give a smaller step",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "uniform = [0.1, 0.3], step = 0.25",
        "30: `search.space.training.optimizer.learning…`: a step of 0.25 from 0.1 is beyond 0.3, which leaves one value; give a smaller step",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "uniform = [0.1, 0.3], step = 1e-17",
        "30: `search.space.training.optimizer.learning…`: 0.00000000000000001 is too small a step from 0.1 to 0.3; give a larger one, or none",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "uniform = [-1e308, 1e308]",
        "30: `search.space.training.optimizer.learning…`: the two are too far apart to draw numbers between them; give a narrower range",
    ),
    (
        "log_uniform = [1e-4, 1e-1]",
        "uniform = [-1.7e308, 0.0], step = 1.7e308",
        "30: `search.space.training.optimizer.learning…`: the two are too far apart to draw numbers between them; give a narrower range",
    ),
    (
        "int = [4, 64]",
        "int = [4, 9223372036854775807]",
        "31: `search.space.model.layers.hidden.outputs…`: expected a whole number within 2^53 of 0, found 9223372036854775807",
    ),
    (
        "\"training.batch\"",
        "\"search.trials\"",
        "32: `search.space.search.trials`: `search.trials` is a setting of the search itself, which no candidate has; remove it here, and set it in [search]",
    ),
    (
        "\"training.batch\" = { choice = [4, 8, 16] }",
        "search.space.name = { choice = [4, 8, 16] }",
        "32: `search.space.search.space.name`: `search.space.name` is a setting of the search itself",
    ),
    (
        "\"training.batch\" = { choice = [4, 8, 16] }",
        "name = { choice = [\"a\", \"b\"] }",
        "32: `search.space.name`: `name` is what the model is called, which changes no score; remove it",
    ),
    (
        "method = \"tpe\"",
        "method = \"grid\"",
        "30: `training.optimizer.learning_rate`: a grid needs `points` or `step` for this range, for example points = 4",
    ),
];

#[test]
fn mistakes_say_line_and_what_to_do() {
    let mut wrong = String::new();
    for (line, instead, message) in MISTAKES {
        assert_eq!(SEARCH.matches(line).count(), 1, "{line}");
        let (folder, path, run) = folder(&SEARCH.replace(line, instead));
        let answer = search(&path, &run, &[]);
        let error = folder.plain(&answer.error);
        if answer.status != 1 || !error.starts_with(&format!("error: model.toml:{message}")) {
            wrong += &format!("{instead}\n  expected {message}\n  found    {error}\n");
        }
        assert_eq!(folder.names(), ["model.toml", "rows.csv"], "nothing is left behind by {instead}");
    }
    assert_eq!(wrong, "");
    let (folder, path, run) = folder("");
    let error = folder.plain(&search(&path, &run, &[]).error);
    assert!(error.starts_with("error: model.toml:1: `[search]` is missing; give `[search.space]`"), "{error}");
    let (folder, path, run) = self::folder(SEARCH);
    folder.write("model.toml", model(SEARCH).replace("validation = {", "# validation = {"));
    let error = folder.plain(&search(&path, &run, &[]).error);
    assert!(
        error.contains("a search needs samples to judge by; give `[data] validation`, or `folds` in `[search]`"),
        "{error}"
    );
    let error = search(&path, &run, &["--out", "/elsewhere/best.toml"]).error;
    assert!(error.contains("must lie beside the one that is searched"), "{error}");
}
