//! What a run has learnt stays until somebody says that it may go, and what there is to go on from is said.

mod cli_common;

use cli_common::{Folder, ROWS, done, emberlite, heard, small};
use serde_json::Value;

/// The checkpoint of a run of two updates an epoch: after `updates` of them, as an interruption leaves it.
fn interrupted(updates: u32) -> (Folder, String, String) {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let text = small("f32").replace("epochs = 3", "epochs = 3\ncheckpoint = { every_steps = 1, keep = 9 }");
    let (model, run) = (folder.write("model.toml", text), folder.path("run"));
    done(&["train", "--quiet", "--model", &model, "--run", &run]);
    let named = |name: &str| std::path::Path::new(&run).join(name);
    std::fs::rename(named(&format!("checkpoint-{updates}.safetensors")), named("checkpoint.safetensors")).unwrap();
    (folder, model, run)
}

#[test]
fn an_unfinished_run_is_not_replaced_without_a_word() {
    let (folder, model, run) = interrupted(3);
    let train = |more: &[&str]| emberlite(&[&["train", "--quiet", "--model", &model, "--run", &run], more].concat());
    let [checkpoint, metrics] = ["run/checkpoint.safetensors", "run/metrics.jsonl"].map(|name| folder.read(name));
    let answer = train(&[]);
    assert_eq!((answer.status, answer.out.as_str()), (1, ""));
    let line = "emberlite train --quiet --model model.toml --run";
    let expected = format!(
        "error: run: here is a run that isn't finished, of 1 epoch and 1 step of the next; all of it would be lost. Type one of \
         these:\n  go on:     {line} run --resume\n  replace:   {line} run --fresh\n  keep both: {line_other}\n",
        line_other = "emberlite train --quiet --model model.toml --run OTHER",
    );
    assert_eq!(folder.plain(&answer.error), expected);
    assert_eq!(folder.read("run/checkpoint.safetensors"), checkpoint);
    assert_eq!(folder.read("run/metrics.jsonl"), metrics);
    // Each of the three works; the first comes to the end that an uninterrupted one has.
    let whole = folder.read("run/model.safetensors");
    assert_eq!(train(&["--resume"]).error, "");
    assert_eq!(folder.read("run/model.safetensors"), whole);
    assert_eq!(train(&["--fresh", "--epochs", "1"]).error, "");
    assert_ne!(folder.read("run/model.safetensors"), whole);
    done(&["train", "--quiet", "--model", &model, "--run", &folder.path("other")]);
    assert_eq!(folder.read("other/model.safetensors"), whole);
    // A finished one is replaced as ever, and both words at once mean nothing.
    assert_eq!(train(&[]).error, "");
    assert_eq!(train(&["--fresh", "--resume"]).status, 2);
}

#[test]
fn a_run_whose_files_were_not_written_is_not_replaced_either() {
    let folder = cli_common::trained("f32");
    let (model, run) = (folder.path("model.toml"), folder.path("run"));
    let train = |more: &[&str]| emberlite(&[&["train", "--quiet", "--model", &model, "--run", &run], more].concat());
    let metrics = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
    let last = metrics.trim_end().rfind('\n').unwrap() + 1;
    folder.write("run/metrics.jsonl", &metrics[..last]);
    let error = train(&[]).error;
    assert!(
        error.contains(
            "here is a run that was trained to its end, but its files weren't written; all of it would be lost"
        ),
        "{error}"
    );
    assert_eq!(train(&["--resume"]).error, "");
    assert_eq!(train(&[]).error, "");
}

/// A new run was killed when its checkpoint had replaced that of the run before, and its metrics.jsonl hadn't yet.
#[test]
fn lines_of_a_run_that_was_replaced_are_not_gone_on_with() {
    let (folder, model, run) = interrupted(1);
    let train = |more: &[&str]| emberlite(&[&["train", "--quiet", "--model", &model, "--run", &run], more].concat());
    let lines = || String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
    // The run before: it has another seed.
    let new = lines();
    std::fs::rename(folder.path("run/checkpoint.safetensors"), folder.path("first")).unwrap();
    assert_eq!(train(&["--fresh", "--seed", "7"]).error, "");
    let old = lines();
    let checkpoint = folder.read("run/checkpoint.safetensors");
    let epochs = |text: &str| -> Vec<Value> {
        let all = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        all.filter(|event| event["event"] == "epoch").map(|event| event["record"]["train_loss"].clone()).collect()
    };
    assert_ne!(epochs(&old), epochs(&new));
    // The line of its beginning, and a piece of the next.
    let beside = &new[..new.find('\n').unwrap() + 9];
    std::fs::copy(folder.path("first"), folder.path("run/checkpoint.safetensors")).unwrap();
    folder.write("run/metrics.jsonl.new", beside);
    assert!(train(&[]).error.contains("here is a run that isn't finished, of 1 step of the first epoch"));
    // They have taken their place, though nothing was trained.
    assert!(!std::path::Path::new(&folder.path("run/metrics.jsonl.new")).exists());
    assert!(lines().starts_with(&beside[..beside.len() - 8]));
    assert_eq!(train(&["--resume"]).error, "");
    assert_eq!((epochs(&lines()), lines().matches("\"begun\"").count()), (epochs(&new), 2));
    assert!(!std::path::Path::new(&folder.path("run/metrics.jsonl.new")).exists());
    // Killed before it had saved anything: the lines are those of the run whose checkpoint is there.
    folder.write("run/metrics.jsonl", &old);
    folder.write("run/checkpoint.safetensors", checkpoint);
    folder.write("run/metrics.jsonl.new", beside);
    assert_eq!(train(&["--resume", "--seed", "7", "--epochs", "4"]).error, "");
    assert!(lines().starts_with(&old) && epochs(&lines()).len() == 4);
    assert!(!std::path::Path::new(&folder.path("run/metrics.jsonl.new")).exists());
}

/// What has ended a run is said in its last line of progress and in metrics.jsonl.
#[test]
fn a_run_that_max_steps_has_ended_says_so() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let (model, run) = (folder.write("model.toml", small("f32")), folder.path("run"));
    // Two updates an epoch, three epochs: six are all.
    for (steps, end, event) in [
        ("3", "ended after 3 updates, as max_steps says, best epoch 2", Some(3)),
        ("4", "ended after 4 updates, as max_steps says, best epoch 2", Some(4)),
        ("6", "done, best epoch 3", None),
    ] {
        let answer = heard(&["train", "--fresh", "--model", &model, "--run", &run, "--max-steps", steps]);
        assert_eq!(answer.error.lines().last(), Some(end));
        let metrics = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
        let mut all = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let finished = all.rfind(|line| line["event"] == "finished").unwrap();
        assert_eq!(finished["max_steps"].as_u64(), event);
    }
}

/// Asked for no more updates than it has made, within an epoch: nothing is told twice, and for fewer nothing is touched.
#[test]
fn a_run_that_has_done_more_than_it_is_asked_for_stays_as_it_is() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let (model, run) = (folder.write("model.toml", small("f32")), folder.path("run"));
    let train = ["train", "--quiet", "--model", &model, "--run", &run, "--resume", "--max-steps"];
    // Two updates an epoch: three are one epoch, and half of the second.
    done(&["train", "--quiet", "--model", &model, "--run", &run, "--max-steps", "3"]);
    let files = || ["metrics.jsonl", "checkpoint.safetensors", "model.safetensors", "report.json", "report.html"];
    let before = files().map(|name| folder.read(&format!("run/{name}")));
    let answer = emberlite(&[&train[..], &["2"]].concat());
    let expected = "error: training settings: max_steps is 2, and this run has already made 3 updates; give 3 to end it there, \
                    or more to train longer\n";
    assert_eq!((answer.status, answer.out.as_str(), answer.error.as_str()), (1, "", expected));
    assert_eq!(files().map(|name| folder.read(&format!("run/{name}"))), before);
    let epochs = || -> Vec<(u64, u64)> {
        let text = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let records = lines.filter(|line| line["event"] == "epoch").map(|line| line["record"].clone());
        records.map(|record| (record["epoch"].as_u64().unwrap(), record["step"].as_u64().unwrap())).collect()
    };
    assert_eq!(epochs(), [(1, 2), (2, 3)]);
    let said = folder.plain(&done(&[&train[..], &["3"]].concat()));
    let expected = "nothing is left to train: this run has done 1 epoch and 1 step of the next, best epoch 2, loss 0.";
    assert!(said.starts_with(expected), "{said}");
    assert_eq!(epochs(), [(1, 2), (2, 3)]);
    // What goes on tells of the epoch again, as a whole one.
    assert!(!done(&[&train[..], &["5"]].concat()).contains("nothing is left"));
    assert_eq!(epochs(), [(1, 2), (2, 3), (2, 4), (3, 5)]);
}

/// Fewer epochs than an interrupted run has done don't end it: nothing is written, and the message says what does.
#[test]
fn an_interrupted_run_is_not_ended_before_what_it_has_done() {
    for (updates, epochs, done, end) in [
        (4, "1", "2 epochs", "give 2 to end it there"),
        (3, "1", "1 epoch and 1 step of the next", "give 2 to end it with the epoch at hand"),
    ] {
        let (folder, model, run) = interrupted(updates);
        let files = || ["checkpoint.safetensors", "metrics.jsonl", "model.safetensors"];
        let read = || files().map(|name| folder.read(&format!("run/{name}")));
        let before = read();
        let train = ["train", "--quiet", "--model", &model, "--run", &run, "--resume", "--epochs"];
        let answer = emberlite(&[&train[..], &[epochs]].concat());
        let expected = format!(
            "error: training settings: epochs is {epochs}, and this run has already done {done}, which count too; {end}, or \
             more to train longer\n"
        );
        assert_eq!((answer.status, answer.out.as_str(), answer.error), (1, "", expected));
        assert_eq!(read(), before);
        // What it says can be given.
        cli_common::done(&[&train[..], &["2"]].concat());
        assert!(cli_common::done(&[&train[..], &["2"]].concat()).contains("has done 2 epochs"));
    }
}

/// Another number of devices adds up in another order; that is said and recorded, once, and only where something is trained.
#[test]
fn a_run_that_goes_on_with_another_number_of_devices_says_so() {
    let (folder, model, run) = interrupted(3);
    let train = |more: &[&str]| {
        let answer = heard(&[&["train", "--quiet", "--model", &model, "--run", &run, "--resume"], more].concat());
        assert_eq!(answer.status, 0, "{}", answer.error);
        answer.error
    };
    let recorded = || {
        let metrics = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
        let mut all = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let started = all.rfind(|line| line["event"] == "started").unwrap();
        (started["ranks"].as_u64(), started["ranks_before"].as_u64())
    };
    assert_eq!((train(&["--epochs", "2"]).as_str(), recorded()), ("", (None, None)));
    let expected = "warning: 1 device or process shared each batch of this run so far, and 2 from here on: it goes on rightly, \
                    but to the last bits neither as with 1 nor as with 2\n";
    assert_eq!((train(&["--device", "cpu,cpu", "--epochs", "3"]).as_str(), recorded()), (expected, (Some(2), Some(1))));
    assert_eq!((train(&["--device", "cpu,cpu", "--epochs", "4"]).as_str(), recorded()), ("", (Some(2), None)));
    // Nothing is left to train.
    assert_eq!((train(&["--epochs", "4"]).as_str(), recorded()), ("", (None, None)));
    let expected = "warning: 2 devices or processes shared each batch of this run so far, and 1 from here on: ";
    assert!(train(&["--epochs", "5"]).starts_with(expected));
    assert_eq!(recorded(), (None, Some(2)));
}

#[test]
fn a_mistyped_folder_is_no_run_to_go_on_with() {
    let (folder, model, _) = interrupted(3);
    std::fs::create_dir(folder.path("empty")).unwrap();
    for name in ["runn", "empty"] {
        let answer = emberlite(&["train", "--model", &model, "--run", &folder.path(name), "--resume"]);
        let expected = format!(
            "error: {name}: there is nothing to go on from: no checkpoint.safetensors in this folder; check its name, or \
             leave --resume out to start anew\n"
        );
        assert_eq!((answer.status, folder.plain(&answer.error)), (1, expected));
    }
    assert!(!folder.names().contains(&"runn".to_string()));
}

#[test]
fn a_finished_run_says_so_and_how_to_train_it_longer() {
    let folder = cli_common::trained("f32");
    let (model, run, file) = (folder.path("model.toml"), folder.path("run"), folder.path("model.safetensors"));
    let resume = ["train", "--quiet", "--model", &model, "--run", &run, "--out", &file, "--resume"];
    let before = folder.read("model.safetensors");
    let seconds = || {
        let report: Value = serde_json::from_slice(&folder.read("run/report.json")).unwrap();
        (report["seconds"].as_f64().unwrap(), report["history"].as_array().unwrap().clone())
    };
    let said = folder.plain(&done(&resume));
    assert_eq!(folder.read("model.safetensors"), before);
    let (first, second) = (said.lines().next().unwrap(), said.lines().nth(1).unwrap());
    assert!(first.starts_with("nothing is left to train: this run has done 3 epochs, best epoch 3, loss 0."), "{said}");
    let line = "emberlite train --quiet --model model.toml --run run --out model.safetensors --resume --epochs 6";
    assert_eq!(second, format!("to train longer: {line}"));
    // The page tells of all parts together.
    let (all, history) = seconds();
    assert!(all > history.iter().map(|epoch| epoch["seconds"].as_f64().unwrap()).sum::<f64>());
    let said = done(&[&resume[..], &["--epochs", "6"]].concat());
    assert!(!said.contains("nothing is left"), "{said}");
    assert_eq!(seconds().1.len(), 6);
    // Asked for fewer than there are.
    let said = done(&[&resume[..], &["--epochs", "2"]].concat());
    assert!(said.contains("has done 6 epochs") && said.contains("--epochs 12\n"), "{said}");
}

/// Early stopping has ended it: the line that is told goes on, once the description has more patience.
#[test]
fn a_run_that_was_stopped_early_goes_on_with_more_patience() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let stopping = |patience: &str| {
        // No loss gets better by 100.
        let rule =
            format!("early_stopping = {{ monitor = \"train_loss\", patience = {patience}, minimum_gain = 100 }}");
        folder.write("model.toml", small("f32").replace("epochs = 3", &format!("epochs = 9\n{rule}")))
    };
    let (model, run) = (stopping("2"), folder.path("run"));
    let train = ["train", "--quiet", "--model", &model, "--run", &run];
    done(&train);
    let epochs = || String::from_utf8(folder.read("run/metrics.jsonl")).unwrap().matches("\"event\":\"epoch\"").count();
    assert_eq!(epochs(), 3);
    let resume = [&train[..], &["--resume"]].concat();
    let said = folder.plain(&done(&resume));
    let expected = "\nearly stopping has ended it; to train longer, give `early_stopping` more `patience` in the description, \
                    then: emberlite train --quiet --model model.toml --run run --resume\n";
    assert!(said.contains(expected) && epochs() == 3, "{said}");
    stopping("4");
    assert!(!done(&resume).contains("nothing is left"));
    assert_eq!(epochs(), 5);
    // Less than it has had.
    stopping("1");
    let answer = emberlite(&resume);
    assert!(
        answer.status == 1 && answer.error.contains("it would have ended after epoch 2, and it has done 5 epochs"),
        "{}",
        answer.error
    );
}

/// A launcher that starts several of a program which can't join them gets a sentence, not two runs in one folder.
#[cfg(not(feature = "mpi"))]
#[test]
fn several_processes_need_a_program_that_was_built_for_them() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let (model, run) = (folder.write("model.toml", small("f32")), folder.path("run"));
    for (name, size, refused) in
        [("OMPI_COMM_WORLD_SIZE", "2", true), ("PMI_SIZE", "3", true), ("OMPI_COMM_WORLD_SIZE", "1", false)]
    {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_emberlite"));
        command.args(["train", "--quiet", "--model", &model, "--run", &run]).env(name, size);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = format!(
            "error: {size} processes were started to train together, but this program was built without `mpi`; build it with \
             `cargo install --path host --features mpi`, or start it alone, without mpirun\n"
        );
        assert_eq!((output.status.code(), said.as_ref() == expected), (Some(i32::from(refused)), refused), "{said}");
    }
}
