//! However many threads compute: the program ends, with the same bits. With one of them, which is the one that trains,
//! whoever else wants it would wait for ever: what reads pictures ahead, trials beside, and further devices.

mod cli_common;

use cli_common::Folder;
use cli_common::bars::{MODEL, pictures};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Runs the program with so many threads, for two minutes at most.
fn run(threads: &str, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_emberlite"));
    let mut program = command.args(arguments).env("RAYON_NUM_THREADS", threads).stdout(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = program.try_wait().unwrap() {
            break status;
        }
        if start.elapsed() > Duration::from_secs(120) {
            program.kill().unwrap();
            panic!("with {threads} threads {arguments:?} doesn't end");
        }
        sleep(Duration::from_millis(10));
    };
    assert!(status.success(), "with {threads} threads {arguments:?}: {status}");
}

#[test]
fn reading_ahead_and_training_share_one_thread() {
    let folder = Folder::new();
    pictures(&folder, "photos/train", 24);
    pictures(&folder, "photos/test", 8);
    let model = folder.write("model.toml", MODEL);
    for threads in ["1", "3"] {
        let to = folder.path(threads);
        run(threads, &["train", "--quiet", "--model", &model, "--run", &to]);
    }
    assert_eq!(folder.read("1/model.safetensors"), folder.read("3/model.safetensors"));
}

#[test]
fn trials_side_by_side_share_one_thread() {
    let folder = Folder::new();
    pictures(&folder, "photos/train", 12);
    pictures(&folder, "photos/test", 4);
    let space = r#"
[search]
method = "random"
trials = 4
parallel = 3
metric = "validation_loss"
[search.space]
"training.optimizer.learning_rate" = { log_uniform = [1e-4, 1e-1] }
"#;
    let text = MODEL.replace("epochs = 6", "epochs = 2");
    let text = text.replace("[augmentation]", "validation = { by = \"fraction\", share = 0.25 }\n[augmentation]");
    let model = folder.write("model.toml", text + space);
    let mut best = Vec::new();
    for threads in ["1", "3"] {
        let to = folder.path(threads);
        run(threads, &["search", "--quiet", "--model", &model, "--run", &to]);
        best.push(folder.read("best.toml"));
        // Another search leaves it as it is.
        std::fs::remove_file(folder.path("best.toml")).unwrap();
    }
    assert_eq!(best[0], best[1]);
}

/// Typed and in the description, with one thread and several: the same bits, and the run names both.
#[test]
fn two_devices_share_one_thread() {
    let folder = Folder::new();
    pictures(&folder, "photos/train", 24);
    pictures(&folder, "photos/test", 8);
    let model = folder.write("model.toml", MODEL);
    let several = folder.write("several.toml", MODEL.replace("device = \"cpu\"", "device = \"cpu,cpu\""));
    for threads in ["1", "3"] {
        run(threads, &["train", "--quiet", "--model", &model, "--run", &folder.path(threads), "--device", "cpu,cpu"]);
    }
    run("2", &["train", "--quiet", "--model", &several, "--run", &folder.path("described")]);
    let file = folder.read("1/model.safetensors");
    assert!(file == folder.read("3/model.safetensors") && file == folder.read("described/model.safetensors"));
    let said = |run: &str| String::from_utf8(folder.read(&format!("{run}/metrics.jsonl"))).unwrap();
    assert!(said("1").contains("\"device\":\"2 x CPU, 1 thread\""), "{}", said("1"));
    assert!(said("3").contains("\"device\":\"CPU, 3 threads + CPU, 2 threads\""), "{}", said("3"));
}
