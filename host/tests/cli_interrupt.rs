//! The program ended from outside: Ctrl-C, the system's kill, a full disk. What was saved goes on to the same bits.
#![cfg(unix)]

mod cli_common;

use cli_common::{Folder, done};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// The program as a process of its own.
fn emberlite() -> Command {
    Command::new(env!("CARGO_BIN_EXE_emberlite"))
}

/// A model with dropout, layer norm and Adam for the repository's digits, saved after every update.
fn model(folder: &Folder) -> String {
    let csv = cli_common::data("digits.csv");
    let text = format!(
        r#"name = "digits"
[data]
file = '{csv}'
label = {{ class = "digit" }}
groups = ["writer"]
validation = {{ by = "fraction", share = 0.2 }}
[model]
input = [64]
layers = [
    {{ op = "linear", outputs = 24 }},
    {{ op = "layer_norm" }},
    {{ op = "relu" }},
    {{ op = "dropout", rate = 0.2 }},
    {{ op = "linear", outputs = 10 }},
]
[training]
optimizer = {{ name = "adam", learning_rate = 0.01 }}
batch = 100
epochs = 4
device = "cpu"
log_every = 1
ema = 0.9
checkpoint = {{ every_steps = 1 }}
"#
    );
    folder.write("model.toml", text)
}

fn arguments<'a>(model: &'a str, run: &'a str) -> Vec<&'a str> {
    vec!["train", "--model", model, "--run", run]
}

/// The device's file of an uninterrupted training.
fn whole(folder: &Folder, model: &str) -> Vec<u8> {
    let run = folder.path("whole");
    let mut arguments = arguments(model, &run);
    arguments.push("--quiet");
    done(&arguments);
    fs::read(Path::new(&run).join("model.safetensors")).unwrap()
}

fn signal(name: &str, process: u32) {
    let status = Command::new("kill").args([name, &process.to_string()]).status().unwrap();
    assert!(status.success() || name == "-KILL");
}

/// Until the run has a checkpoint that is newer than what it was.
fn wait_for_checkpoint(run: &Path) {
    let file = run.join("checkpoint.safetensors");
    for _ in 0..3000 {
        if file.exists() {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("no checkpoint after 30 s");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    let folder = Folder::new();
    let model = model(&folder);
    let expected = whole(&folder, &model);
    let run = folder.path("run");
    // Long enough that the signal comes in time; the number of epochs may change with a resumption.
    let mut command = emberlite();
    command.args(arguments(&model, &run)).args(["--epochs", "100000"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_checkpoint(Path::new(&run));
    signal("-INT", child.id());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let said = text(&stderr);
    assert_eq!(status.code(), Some(130), "{said}");
    for expected in [
        "finishing this step and saving",
        "interrupted in epoch ",
        "checkpoint.safetensors; go on with: emberlite train ",
        " --resume",
    ] {
        assert!(said.contains(expected), "no `{expected}` in\n{said}");
    }
    assert!(!said.contains("error:"), "{said}");
    // It may have got beyond the four epochs; then there is nothing left to compare but that it goes on.
    let output = emberlite().args(arguments(&model, &run)).args(["--resume", "--quiet"]).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&fs::read(Path::new(&run).join("metrics.jsonl")).unwrap());
    if lines.lines().filter(|line| line.contains("\"event\":\"epoch\"")).count() == 4 {
        assert_eq!(fs::read(Path::new(&run).join("model.safetensors")).unwrap(), expected);
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    let folder = Folder::new();
    // Hundreds of updates, each of which is saved: no machine is done before the first kill.
    let model =
        folder.write("longer.toml", text(&fs::read(model(&folder)).unwrap()).replace("epochs = 4", "epochs = 40"));
    let expected = whole(&folder, &model);
    let run = folder.path("run");
    let mut kills = 0;
    loop {
        let mut command = emberlite();
        // Killed before the first saving there is nothing to go on from.
        let resume = Path::new(&run).join("checkpoint.safetensors").exists().then_some("--resume");
        command.args(arguments(&model, &run)).arg("--quiet").args(resume);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // At another moment each time, in the midst of computing or of writing; later and later, so that it comes to an end.
        let mut ended = false;
        for _ in 0..20 + 17 * kills {
            sleep(Duration::from_millis(7));
            ended = child.try_wait().unwrap().is_some();
            if ended {
                break;
            }
        }
        if !ended {
            signal("-KILL", child.id());
            kills += 1;
        }
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            break;
        }
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        assert!(kills < 60, "it never ends");
    }
    assert!(kills > 0, "it was never killed");
    assert_eq!(fs::read(Path::new(&run).join("model.safetensors")).unwrap(), expected, "after {kills} kills");
}

#[test]
fn a_full_disk_leaves_the_checkpoint_before() {
    let folder = Folder::new();
    let model = model(&folder);
    let expected = whole(&folder, &model);
    let run = folder.path("run");
    let mut two = arguments(&model, &run);
    two.extend(["--quiet", "--epochs", "2"]);
    done(&two);
    let file = Path::new(&run).join("checkpoint.safetensors");
    let before = fs::read(&file).unwrap();
    assert!(before.len() > 32 * 1024);
    let said = on_a_full_disk(&[&arguments(&model, &run)[..], &["--quiet", "--resume"]].concat());
    assert!(said.contains("checkpoint.safetensors: can't be written") && said.contains("the space left"), "{said}");
    assert_eq!(fs::read(&file).unwrap(), before, "the old checkpoint has changed");
    let names: Vec<_> = fs::read_dir(&run).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains("tmp") || name.contains("part")), "{names:?}");
    let mut rest = arguments(&model, &run);
    rest.extend(["--quiet", "--resume"]);
    done(&rest);
    assert_eq!(fs::read(Path::new(&run).join("model.safetensors")).unwrap(), expected);
}

/// Trains where no file may become longer than 32 blocks of 512 or 1024 bytes; the signal that would end the process is ignored.
fn on_a_full_disk(arguments: &[&str]) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 32; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_emberlite")]);
    let output = command.args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    text(&output.stderr)
}

#[test]
fn a_full_disk_after_the_training_loses_none_of_it() {
    let folder = Folder::new();
    folder.write("rows.csv", cli_common::ROWS);
    // The names of classes are in the model's file alone.
    let (long, short) = ("b".repeat(50_000), cli_common::small("f32"));
    let model = folder.write("model.toml", &short);
    let run = folder.path("run");
    let mut train = arguments(&model, &run);
    train.push("--quiet");
    let resume = "emberlite train --model model.toml --run run --quiet --resume\n";
    // The page doesn't fit.
    let said = folder.plain(&on_a_full_disk(&train));
    let (file, why) = said.split_once(": can't write: ").unwrap();
    let (_, what) = why.split_once("; ").unwrap();
    assert!(file.starts_with("error: run/report."), "{said}");
    let expected = format!(
        "the trained model is saved as run/model.safetensors, without its report; when that is mended (space left, \
         permissions), make the report with: {resume}"
    );
    assert_eq!(what, expected);
    let trained = folder.read("run/model.safetensors");
    train.push("--resume");
    assert!(done(&train).contains("run/report.html\n"));
    assert_eq!(folder.read("run/model.safetensors"), trained);
    // Nor does the model.
    folder.write("rows.csv", cli_common::ROWS.replace(",b\n", &format!(",{long}\n")));
    folder.write("model.toml", short.replace("\"b\"", &format!("\"{long}\"")));
    fs::remove_dir_all(&run).unwrap();
    train.pop();
    let said = folder.plain(&on_a_full_disk(&train));
    let expected = format!(
        "; the training is done and kept in run/checkpoint.safetensors; when that is mended (space left, permissions), make \
         the files with: {resume}"
    );
    assert!(said.starts_with("error: run/model.safetensors: can't write: ") && said.ends_with(&expected), "{said}");
    train.push("--resume");
    assert!(done(&train).contains("run/report.html\n"));
}

#[test]
fn another_seed_or_setting_is_refused_in_its_own_words() {
    let folder = Folder::new();
    let model = model(&folder);
    let run = folder.path("run");
    let mut first = arguments(&model, &run);
    first.extend(["--quiet", "--epochs", "1"]);
    done(&first);
    let refused = |model: &str, more: &[&str]| {
        let answer = cli_common::emberlite(&[&arguments(model, &run), more].concat());
        assert_eq!(answer.status, 1);
        folder.plain(&answer.error)
    };
    let changed = folder.read("model.toml");
    let changed =
        text(&changed).replace("learning_rate = 0.01", "learning_rate = 0.02").replace("ema = 0.9", "ema = 0.8");
    let changed = folder.write("changed.toml", changed);
    let said = refused(&changed, &["--quiet", "--resume"]);
    let expected = "checkpoint run/checkpoint.safetensors: can't be continued: since then there is a change of \
                    optimizer.learning_rate (0.01, now 0.02), ema.decay (0.9, now 0.8); undo the change, or start anew \
                    with --fresh";
    assert!(said.contains(expected), "{said}");
    let said = refused(&model, &["--quiet", "--resume", "--seed", "9"]);
    assert!(said.contains("a change of the seed (0, now 9);"), "{said}");
    assert!(!said.contains('{'), "{said}");
}

#[test]
fn an_interrupted_recipe_goes_on_as_one() {
    let folder = Folder::new();
    let recipes = folder.path("recipes");
    let mut command = emberlite();
    command.args(["recipes", "run", "logistic-cancer", "--dir", &recipes]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for_checkpoint(&Path::new(&recipes).join("logistic-cancer/run"));
    signal("-INT", child.id());
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    let said = text(&stderr);
    assert_eq!(status.code(), Some(130), "{said}");
    let line = format!("; go on with: emberlite recipes run logistic-cancer --dir {recipes} --resume");
    assert!(said.trim_end().ends_with(&line), "{said}");
    // Without a word it isn't begun anew.
    let again = cli_common::emberlite(&["recipes", "run", "logistic-cancer", "--dir", &recipes]);
    let lines = format!(
        "all of it would be lost. Type one of these:\n  go on:     emberlite recipes run logistic-cancer --dir {recipes} --resume\n  \
         replace:   emberlite recipes run logistic-cancer --dir {recipes} --fresh\n"
    );
    assert!(again.status == 1 && again.error.contains(&lines), "{}", again.error);
}
