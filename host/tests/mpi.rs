//! Several processes train one model: the same losses as one, and an end with a name when one of them dies.
#![cfg(all(feature = "mpi", target_os = "linux"))]

mod cli_common;

use cli_common::Folder;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The program as so many processes; nothing where there is no `mpirun`.
fn mpirun(ranks: u32) -> Option<Command> {
    if Command::new("mpirun").arg("--version").output().is_err() {
        eprintln!("skipped: there is no mpirun; install openmpi-bin");
        return None;
    }
    let mut command = Command::new("mpirun");
    command.args(["--allow-run-as-root", "--oversubscribe", "-np", &ranks.to_string()]);
    command.arg(env!("CARGO_BIN_EXE_emberlite"));
    command.env("RAYON_NUM_THREADS", "1");
    // Nothing is started on other machines: Open MPI would ask for ssh even so.
    command.env("OMPI_MCA_plm", "isolated");
    Some(command)
}

fn model(folder: &Folder, training: &str) -> String {
    let csv = cli_common::data("digits.csv");
    let text = format!(
        "name = \"digits\"\n[data]\nfile = '{csv}'\nlabel = {{ class = \"digit\" }}\ngroups = [\"writer\"]\n\
         validation = {{ by = \"fraction\", share = 0.2 }}\n[model]\ninput = [64]\nlayers = [\n\
         {{ op = \"linear\", outputs = 32 }},\n{{ op = \"relu\" }},\n{{ op = \"dropout\", rate = 0.2 }},\n\
         {{ op = \"linear\", outputs = 10 }},\n]\n[training]\nbatch = 50\ndevice = \"cpu\"\nlog_every = 1\n{training}\n"
    );
    folder.write("model.toml", text)
}

/// The losses of a run's epochs.
fn losses(run: &str) -> Vec<[f64; 2]> {
    let text = fs::read_to_string(Path::new(run).join("metrics.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let epochs = lines.filter(|line| line["event"] == "epoch");
    let figure = |line: &Value, key: &str| line["record"][key].as_f64().unwrap();
    epochs.map(|line| [figure(&line, "train_loss"), figure(&line, "validation_loss")]).collect()
}

#[test]
fn two_and_three_processes_have_the_losses_of_one() {
    let folder = Folder::new();
    let training =
        "optimizer = { name = \"sgd\", learning_rate = 0.05 }\nepochs = 3\naccumulate = 2\nlabel_smoothing = 0.1";
    let model = model(&folder, training);
    let mut all = Vec::new();
    for ranks in 1..=3 {
        let run = folder.path(&format!("run{ranks}"));
        let Some(mut command) = mpirun(ranks) else { return };
        let output = command.args(["train", "--quiet", "--model", &model, "--run", &run]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // The first rank alone writes and prints.
        assert_eq!(String::from_utf8_lossy(&output.stdout).matches("report.html").count(), 1);
        all.push(losses(&run));
    }
    assert_eq!(all[0].len(), 3);
    // 45 updates; each gradient is a sum of 100 terms, of which another order changes at most 100 u of their sizes, here
    // below 2; a rate of 0.05 and a loss whose slope in a weight is below 2.
    let bound = 45.0 * 100.0 * 2.0 * 2.0 * 0.05 * f64::from(f32::EPSILON) / 2.0;
    for ranks in &all[1..] {
        for (a, b) in all[0].iter().flatten().zip(ranks.iter().flatten()) {
            assert!((a - b).abs() <= bound, "{a}, {b}: the bound is {bound}");
        }
    }
    assert!(all[0][2][1] < all[0][0][1], "nothing was learnt");
}

/// The process of a rank of this `mpirun`.
fn process_of(launcher: u32, rank: &str) -> Option<u32> {
    let children =
        fs::read_dir("/proc").ok()?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let wanted = format!("OMPI_COMM_WORLD_RANK={rank}");
    children.into_iter().find(|process| {
        let environment = fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let parent = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)?.parse::<u32>().ok());
        parent == Some(launcher) && environment.split(|&byte| byte == 0).any(|part| part == wanted.as_bytes())
    })
}

/// A training of two processes that has saved something, and its checkpoint.
fn at_work(model: &str, run: &str) -> Option<(Child, PathBuf)> {
    let mut command = mpirun(2)?;
    command.args(["train", "--quiet", "--model", model, "--run", run]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let checkpoint = Path::new(run).join("checkpoint.safetensors");
    let start = Instant::now();
    while !checkpoint.exists() {
        assert!(start.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "no checkpoint");
        sleep(Duration::from_millis(20));
    }
    Some((child, checkpoint))
}

#[test]
fn a_rank_that_dies_ends_the_run_with_its_name_and_the_checkpoint() {
    let folder = Folder::new();
    let training = "optimizer = { name = \"adam\", learning_rate = 0.001 }\nepochs = 100000";
    let model = model(&folder, training);
    let run = folder.path("run");
    let Some((child, checkpoint)) = at_work(&model, &run) else { return };
    let victim = process_of(child.id(), "1").expect("the second rank's process");
    assert!(Command::new("kill").args(["-KILL", &victim.to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{said}");
    let expected = format!(
        "rank 1 (process {victim}) is gone; the last checkpoint is {}; go on with: mpirun -np 2 emberlite train",
        checkpoint.display()
    );
    assert!(said.contains(&expected), "expected {expected}\nfound {said}");
    // It does go on, and not from the start; with another number of processes it says once what that changes.
    let other = "warning: 2 devices or processes shared each batch of this run so far, and 3 from here on: ";
    for (ranks, expected) in [(2, 0), (3, 1)] {
        let Some(mut command) = mpirun(ranks) else { return };
        let epochs = (losses(&run).len() + 1).to_string();
        command.args(["train", "--quiet", "--resume", "--model", &model, "--run", &run, "--epochs", &epochs]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.matches(other).count() == expected, "{ranks} processes: {said}");
    }
}

/// `mpirun` hands nothing on of what its processes say after Ctrl-C has reached it: what they say at once must be enough.
#[test]
fn ctrl_c_saves_and_says_at_once_how_to_go_on() {
    let folder = Folder::new();
    let model = model(&folder, "optimizer = { name = \"adam\", learning_rate = 0.001 }\nepochs = 100000");
    let run = folder.path("run");
    let Some((child, _)) = at_work(&model, &run) else { return };
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let line = format!("mpirun -np 2 emberlite train --quiet --model {model} --run {run} --resume");
    let expected = format!("finishing this step and saving; press again to end at once; then go on with: {line}\n");
    assert!(said.contains(&expected) && said.matches("finishing this step").count() == 1, "{said}");
    // It has stopped within an epoch, or after one, and not begun anew.
    let last = fs::read_to_string(Path::new(&run).join("metrics.jsonl")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(last.lines().last().unwrap()).unwrap()["event"], "saved", "{said}");
}

#[test]
fn a_mistake_is_told_once() {
    let folder = Folder::new();
    let model = model(&folder, "optimizer = { name = \"adam\", learning_rate = 0.0 }");
    let Some(mut command) = mpirun(2) else { return };
    let output = command.args(["train", "--model", &model, "--run", &folder.path("run")]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert_eq!(said.matches("at a learning rate of 0 nothing is learnt").count(), 1, "{said}");
}
