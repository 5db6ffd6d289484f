//! `simulate` is the device: the same bits every time, in one piece or in several, from the file alone.

mod cli_common;

use cli_common::{Folder, done, emberlite, trained};
use emberlite::executor::Everything;
use emberlite::graph::MAX_NODES;
use emberlite::image::{Image, Kind};
use emberlite::learner::{Engine, Outcome, Status};
use emberlite::loss::Target;
use emberlite::number::F32;
use emberlite::plan::plan;
use emberlite_host::export::Bytes;
use emberlite_host::spec::Spec;
use serde_json::Value;

fn simulate(folder: &Folder, weights: &str, steps: u32, out: &str) -> Value {
    let metrics = folder.path("metrics.json");
    done(&[
        "simulate",
        "--model",
        &folder.path("model.toml"),
        "--weights",
        &folder.path(weights),
        "--data",
        &folder.path("rows.csv"),
        "--steps",
        &steps.to_string(),
        "--out",
        &folder.path(out),
        "--metrics",
        &metrics,
        "--trace",
    ]);
    serde_json::from_slice(&folder.read("metrics.json")).unwrap()
}

#[test]
fn two_runs_give_the_same_bytes_and_figures() {
    for format in ["f32", "fixed16"] {
        let folder = trained(format);
        let first = simulate(&folder, "model.safetensors", 50, "a.safetensors");
        let second = simulate(&folder, "model.safetensors", 50, "b.safetensors");
        assert_eq!(first, second);
        assert_eq!(folder.read("a.safetensors"), folder.read("b.safetensors"), "{format}");
        assert_eq!((&first["steps"], &first["updates"], &first["skipped"]), (&50.into(), &50.into(), &0.into()));
        assert_eq!(first["trace"]["loss"].as_array().unwrap().len(), 50);
        assert_eq!((&first["count"], &first["format"]), (&8.into(), &format.into()));
    }
}

/// 16 steps over 8 rows, twice, are 32 steps: every counter travels in the file. Only what the header says of the way there
/// differs, so tensors are compared.
#[test]
fn steps_in_two_pieces_are_steps_in_one() {
    for format in ["f32", "fixed16"] {
        let folder = trained(format);
        simulate(&folder, "model.safetensors", 32, "whole.safetensors");
        simulate(&folder, "model.safetensors", 16, "half.safetensors");
        simulate(&folder, "half.safetensors", 16, "rest.safetensors");
        let (whole, rest) =
            (Bytes::new(&folder.read("whole.safetensors")), Bytes::new(&folder.read("rest.safetensors")));
        let (whole, rest) = (Image::open(whole.as_slice()).unwrap(), Image::open(rest.as_slice()).unwrap());
        assert_eq!((whole.step(), rest.step()), (32, 32));
        assert_eq!((whole.sequence(), rest.sequence()), (1, 2));
        assert!(whole.tensors().eq(rest.tensors()), "{format}");
        // And the steps did something.
        let start = Bytes::new(&folder.read("model.safetensors"));
        let start = Image::open(start.as_slice()).unwrap();
        assert_ne!(start.tensor(0, Kind::Weight), whole.tensor(0, Kind::Weight));
    }
}

/// Steps go through the rows in the order of the file, and from the last to the first again.
#[test]
fn rows_are_taken_in_order_and_around() {
    let folder = trained("f32");
    let eleven = simulate(&folder, "model.safetensors", 11, "a.safetensors");
    let rows = String::from_utf8(folder.read("rows.csv")).unwrap();
    let mut lines = rows.lines();
    let header = lines.next().unwrap();
    let lines: Vec<&str> = lines.collect();
    let around: Vec<&str> = lines.iter().chain(&lines[..3]).copied().collect();
    folder.write("rows.csv", format!("{header}\n{}\n", around.join("\n")));
    let again = simulate(&folder, "model.safetensors", 11, "b.safetensors");
    assert_eq!(eleven["trace"], again["trace"]);
    assert_eq!(folder.read("a.safetensors"), folder.read("b.safetensors"));
    assert_eq!(again["count"], 11, "all rows of the file are evaluated");
}

/// The same steps by hand through core: normalisation from the file, one train_step a row.
#[test]
fn it_is_core_that_runs() {
    let folder = trained("f32");
    let simulated = simulate(&folder, "model.safetensors", 8, "a.safetensors");
    let spec = Spec::read(folder.path("model.toml")).unwrap();
    let image = Bytes::new(&folder.read("model.safetensors"));
    let training = spec.device.training;
    let plan = plan::<MAX_NODES>(&spec.graph(), Some(&training)).unwrap();
    let (mut arena, mut status) = (vec![0; plan.words()], Status::EMPTY);
    let mut engine =
        Engine::<F32, Everything>::new(spec.graph(), plan.view(), Some(&training), &mut arena, &mut status).unwrap();
    engine.load(image.as_slice()).unwrap();
    let normalisation = engine.normalisation().unwrap();
    for (step, line) in String::from_utf8(folder.read("rows.csv")).unwrap().lines().skip(1).enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let mut x = [cells[0].parse().unwrap(), cells[1].parse().unwrap()];
        normalisation.apply(&mut x);
        let label = u16::from(cells[2] == "b");
        let report = engine.train_step(&x, Target::Class(label)).unwrap();
        assert_eq!(report.outcome, Outcome::Updated);
        assert_eq!(simulated["trace"]["loss_bits"][step], report.loss.to_bits());
    }
    let after = Bytes::new(&folder.read("a.safetensors"));
    let after = Image::open(after.as_slice()).unwrap();
    for (node, kind, index) in [(0, Kind::Weight, 0), (0, Kind::Bias, 1), (2, Kind::Weight, 0), (2, Kind::Bias, 1)] {
        assert_eq!(after.tensor(node, kind).unwrap().as_f32().unwrap(), engine.parameter(node.into(), index));
    }
}

#[test]
fn evaluation_changes_nothing_and_needs_no_steps() {
    let folder = trained("f32");
    let before = folder.read("model.safetensors");
    let (model, weights, rows) = (folder.path("model.toml"), folder.path("model.safetensors"), folder.path("rows.csv"));
    let said = done(&["simulate", "--model", &model, "--weights", &weights, "--data", &rows]);
    assert!(said.starts_with("evaluated 8 samples: accuracy "), "{said}");
    assert_eq!(folder.read("model.safetensors"), before);
    // Every layer frozen: nothing to train, but still something to evaluate.
    let text = String::from_utf8(folder.read("model.toml")).unwrap();
    let frozen = text.replace("outputs = 4", "outputs = 4, update = \"frozen\"");
    let frozen = folder.write("frozen.toml", frozen.replace("outputs = 2", "outputs = 2, update = \"frozen\""));
    let again = done(&["simulate", "--model", &frozen, "--weights", &weights, "--data", &rows]);
    assert_eq!(said, again);
    let trains = emberlite(&[
        "simulate",
        "--model",
        &frozen,
        "--weights",
        &weights,
        "--data",
        &rows,
        "--steps",
        "1",
        "--out",
        &folder.path("x"),
    ]);
    assert!(trains.error.contains("every parameter is frozen: there is nothing to train"), "{}", trains.error);
}

#[test]
fn a_mini_batch_must_be_whole_to_be_saved() {
    let folder = trained("f32");
    let text = String::from_utf8(folder.read("model.toml")).unwrap();
    folder.write("model.toml", text.replace("learning_rate = 0.05 }", "learning_rate = 0.05 }, batch = 4"));
    let report = simulate(&folder, "model.safetensors", 12, "a.safetensors");
    assert_eq!((&report["updates"], &report["trace"]["outcome"][2]), (&3.into(), &"accumulated".into()));
    let answer = emberlite(&[
        "simulate",
        "--model",
        &folder.path("model.toml"),
        "--weights",
        &folder.path("model.safetensors"),
        "--data",
        &folder.path("rows.csv"),
        "--steps",
        "13",
        "--out",
        &folder.path("b.safetensors"),
    ]);
    let expected = "after 13 steps: a mini-batch of 1 samples is unfinished: save after an update; \
                    steps must be a multiple of `batch`";
    assert_eq!((answer.status, answer.error), (1, format!("error: {expected}\n")));
    assert!(!folder.names().contains(&"b.safetensors".to_string()));
}

/// Decimals are no sensor's integers: they are refused until a scale makes them whole.
#[test]
fn fixed_point_reads_whole_numbers() {
    let folder = trained("fixed16");
    let (model, weights) = (folder.path("model.toml"), folder.path("model.safetensors"));
    let rows = folder.write("decimals.csv", "x,y,class\n1.5,10,a\n");
    let answer = emberlite(&["simulate", "--model", &model, "--weights", &weights, "--data", &rows]);
    let place = format!("error: {rows}:2: column `x`: expected a whole number from -32768 to 32767");
    assert!(answer.error.starts_with(&place), "{}", answer.error);
    let text = String::from_utf8(folder.read("model.toml")).unwrap();
    let scaled = folder.write("scaled.toml", text + "\n[preprocessing]\nscale = 2\n");
    done(&["simulate", "--model", &scaled, "--weights", &weights, "--data", &rows]);
}
