//! From nothing to a file for the device: every template works as it is.

mod cli_common;

use cli_common::{Folder, done, emberlite, small};
use serde_json::Value;

/// The last line of a run's metrics.
fn tested(folder: &Folder, run: &str) -> Value {
    let text = String::from_utf8(folder.read(&format!("{run}/metrics.jsonl"))).unwrap();
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn every_template_plans_trains_and_simulates() {
    // Epochs, and the accuracy that a run of so many reaches with some room: chance is 0.1 and 0.14.
    for (template, epochs, least) in [("mlp", "15", 0.85), ("fixed16", "15", 0.85), ("conv1d", "2", 0.2)] {
        let folder = Folder::new();
        done(&["new", &folder.path("x"), "--template", template]);
        let (model, run, file) = (folder.path("x/model.toml"), folder.path("run"), folder.path("m.safetensors"));
        let plan: Value = serde_json::from_str(&done(&["plan", "--json", "--model", &model])).unwrap();
        assert_eq!(plan["fits"], true);
        done(&[
            "train", "--quiet", "--model", &model, "--run", &run, "--out", &file, "--epochs", epochs, "--device", "cpu",
        ]);
        let tested = tested(&folder, "run");
        assert_eq!((&tested["event"], &tested["part"]), (&"tested".into(), &"test".into()));
        let accuracy = |key: &str| tested[key].as_f64().unwrap();
        let (host, device) = (accuracy("host_accuracy"), accuracy("device_accuracy"));
        assert!(host >= least && device >= least, "{template}: {tested}");
        // The device rounds otherwise than the host (another order of sums; 16 bits): a sample in fifty may differ.
        assert!((host - device).abs() < 0.02, "{template}: {tested}");
        // The file is as long as the plan said, metadata and all.
        let len = folder.read("m.safetensors").len() as u64;
        let planned = plan["file_bytes"].as_u64().unwrap();
        assert_eq!(len, planned, "{template}: {len} bytes, {planned} planned");
        let said = done(&["simulate", "--model", &model, "--weights", &file]);
        assert!(said.starts_with("evaluated "), "{said}");
        let again = emberlite(&["new", &folder.path("x"), "--template", template]);
        assert_eq!(again.status, 1, "a project is never overwritten");
        for path in ["m.safetensors", "m.safetensors/x"] {
            let error = folder.plain(&emberlite(&["new", &folder.path(path), "--template", template]).error);
            assert_eq!(error, "error: m.safetensors: is a file; name a folder\n");
        }
    }
}

#[test]
fn a_resumed_run_gives_the_same_file() {
    let folder = Folder::new();
    folder.write("rows.csv", cli_common::ROWS);
    let model = folder.write("model.toml", small("f32"));
    let train = |run: &str, out: &str, more: &[&str]| {
        let (run, out) = (folder.path(run), folder.path(out));
        let arguments = ["train", "--quiet", "--model", &model, "--run", &run, "--out", &out, "--epochs"];
        done(&[&arguments[..], more].concat());
    };
    train("whole", "whole.safetensors", &["6"]);
    train("halves", "half.safetensors", &["3"]);
    train("halves", "halves.safetensors", &["6", "--resume"]);
    assert_eq!(folder.read("whole.safetensors"), folder.read("halves.safetensors"));
    // Gone on, not done again: six epochs were trained in all.
    let metrics = String::from_utf8(folder.read("halves/metrics.jsonl")).unwrap();
    assert_eq!(metrics.matches("\"event\":\"epoch\"").count(), 6);
    assert!(folder.names().iter().all(|name| !name.contains(".part")), "{:?}", folder.names());
    assert!(String::from_utf8(folder.read("whole/report.html")).unwrap().contains("small"));
    assert_ne!(folder.read("whole.safetensors"), folder.read("half.safetensors"));
    // Other seeds give other weights, and so does going on from weights.
    train("seeded", "seeded.safetensors", &["6", "--seed", "7"]);
    assert_ne!(folder.read("whole.safetensors"), folder.read("seeded.safetensors"));
    let from = folder.path("whole.safetensors");
    train("further", "further.safetensors", &["1", "--from", &from]);
    assert_ne!(folder.read("whole.safetensors"), folder.read("further.safetensors"));
}

#[test]
fn a_budget_that_is_too_small_ends_training_before_it_starts() {
    let folder = Folder::new();
    folder.write("rows.csv", cli_common::ROWS);
    let model = folder.write("model.toml", small("f32").replace("[device]", "[device]\nram = 100"));
    let answer = emberlite(&["train", "--model", &model, "--run", &folder.path("run")]);
    assert!(answer.status == 1 && answer.error.contains("the budget is 100"), "{}", answer.error);
    assert_eq!(folder.names(), ["model.toml", "rows.csv"]);
}

/// `y = 2 a - b`, as a number and as its sign: one output each.
#[test]
fn numbers_and_signs_are_learnt_by_one_output() {
    let folder = Folder::new();
    let mut rows = "a,b,y,sign\n".to_string();
    for i in 0..100 {
        let (a, b) = (f64::from(i % 10) / 5.0 - 1.0, f64::from(i / 10) / 5.0 - 1.0);
        let y = 2.0 * a - b + 0.05;
        rows += &format!("{a},{b},{y:.3},{}\n", if y > 0.0 { "up" } else { "down" });
    }
    folder.write("rows.csv", rows);
    for (label, loss, measured) in
        [("{ value = \"y\" }", "mean_squared_error", false), ("{ class = \"sign\" }", "binary_cross_entropy", true)]
    {
        let text = format!(
            "[data]\nfile = \"rows.csv\"\nfeatures = [\"a\", \"b\"]\nlabel = {label}\n\
             [model]\ninput = [2]\nlayers = [{{ op = \"linear\", outputs = 1 }}]\n\
             [training]\nloss = \"{loss}\"\noptimizer = {{ name = \"adam\", learning_rate = 0.1 }}\nepochs = 60\n\
             [device.training]\noptimizer = {{ name = \"sgd\", learning_rate = 0.01 }}\n"
        );
        let model = folder.write("model.toml", text);
        let (run, weights) = (folder.path(loss), folder.path(&format!("{loss}.safetensors")));
        done(&["train", "--quiet", "--model", &model, "--run", &run, "--out", &weights, "--device", "cpu"]);
        let tested = tested(&folder, loss);
        assert_eq!(tested["device_accuracy"].is_number(), measured, "{tested}");
        if measured {
            assert!(tested["device_accuracy"].as_f64().unwrap() >= 0.97, "{tested}");
            assert_eq!(tested["host_accuracy"], tested["device_accuracy"]);
        } else {
            assert!(tested["device_loss"].as_f64().unwrap() < 1e-3, "{tested}");
        }
        let rows = folder.path("rows.csv");
        let out = folder.path("out.safetensors");
        done(&["simulate", "--model", &model, "--weights", &weights, "--data", &rows, "--steps", "7", "--out", &out]);
    }
}

/// Losses that compare outputs with numbers take classes too: an output a class, or one output for two.
#[test]
fn classes_are_learnt_as_numbers() {
    let folder = Folder::new();
    let mut rows = "a,b,sign,kind\n".to_string();
    for i in 0..100 {
        let (a, b) = (i % 10 * 20 - 90, i / 10 * 20 - 90);
        let kind = if a.max(b) < -a - b { "neither" } else { if a >= b { "a" } else { "b" } };
        rows += &format!("{a},{b},{},{kind}\n", if 2 * a - b > 5 { "up" } else { "down" });
    }
    let rows = folder.write("rows.csv", rows);
    for (label, outputs, loss, format) in [
        ("sign", 1, "mean_squared_error", "f32"),
        ("sign", 1, "mean_squared_error", "fixed16"),
        ("sign", 2, "huber", "f32"),
        ("kind", 3, "mean_squared_error", "f32"),
        ("kind", 3, "mean_squared_error", "fixed16"),
        ("kind", 3, "binary_cross_entropy", "f32"),
    ] {
        let text = format!(
            "[data]\nfile = \"rows.csv\"\nfeatures = [\"a\", \"b\"]\nlabel = {{ class = \"{label}\" }}\n\
             [model]\ninput = [2]\nformat = \"{format}\"\nlayers = [{{ op = \"linear\", outputs = {outputs} }}]\n\
             [training]\nloss = \"{loss}\"\noptimizer = {{ name = \"adam\", learning_rate = 0.05 }}\nepochs = 60\n\
             [device.training]\noptimizer = {{ name = \"sgd\", learning_rate = 0.01 }}\n"
        );
        let case = format!("{label} {outputs} {loss} {format}");
        let model = folder.write("model.toml", text);
        let (run, weights) = (folder.path("run"), folder.path("model.safetensors"));
        done(&["train", "--quiet", "--model", &model, "--run", &run, "--out", &weights, "--device", "cpu"]);
        let tested = tested(&folder, "run");
        let number = |key: &str| tested[key].as_f64().unwrap();
        // Every third sample a class: what a model that learnt nothing says is right for half of them at most.
        assert!(number("host_accuracy") >= 0.85, "{case}: {tested}");
        // In 16 bits a sample in a hundred may lie on the other side.
        let most = if format == "f32" { 0.0 } else { 0.021 };
        assert!((number("host_accuracy") - number("device_accuracy")).abs() <= most, "{case}: {tested}");
        assert!((number("host_loss") - number("device_loss")).abs() <= 0.01 * number("host_loss"), "{case}: {tested}");
        // `simulate` sees the same samples, and makes the same of them.
        let metrics = folder.path("metrics.json");
        done(&["simulate", "--model", &model, "--weights", &weights, "--data", &rows, "--metrics", &metrics]);
        let simulated: serde_json::Value = serde_json::from_slice(&folder.read("metrics.json")).unwrap();
        assert_eq!(
            (simulated["accuracy"].as_f64(), simulated["loss"].as_f64()),
            (Some(number("device_accuracy")), Some(number("device_loss"))),
            "{case}"
        );
        let out = folder.path("out.safetensors");
        done(&["simulate", "--model", &model, "--weights", &weights, "--data", &rows, "--steps", "50", "--out", &out]);
    }
}

/// Losses side by side are of one kind, or each says which it is.
#[test]
fn two_losses_have_their_names() {
    for (device, names) in
        [("softmax_cross_entropy", ["", ""]), ("mean_squared_error", ["softmax cross-entropy", "mean squared error"])]
    {
        let folder = Folder::new();
        folder.write("rows.csv", cli_common::ROWS);
        let text = small("f32").replace("training = { ", &format!("training = {{ loss = \"{device}\", "));
        let (model, run) = (folder.write("model.toml", text), folder.path("run"));
        let said = done(&["train", "--quiet", "--model", &model, "--run", &run]);
        let both = ["softmax cross-entropy", "mean squared error"];
        let shown = |text: &str| both.map(|name| text.contains(&format!(" ({name})")));
        let expected = names.map(|name| !name.is_empty());
        assert_eq!(shown(&said), expected, "{said}");
        let page = String::from_utf8(folder.read("run/report.html")).unwrap();
        assert_eq!(shown(&page), expected, "{device}");
        let report: Value = serde_json::from_slice(&folder.read("run/report.json")).unwrap();
        assert_eq!([0, 1].map(|i| report["scores"][i]["loss_name"].as_str().unwrap()), names);
        // For programs the names are always there.
        let tested = tested(&folder, "run");
        assert_eq!(tested["host_loss_name"], "softmax cross-entropy");
        assert_eq!(tested["device_loss_name"], device.replace("softmax_cross_", "softmax cross-").replace('_', " "));
    }
}

#[test]
fn the_page_of_a_run_says_everything_in_words() {
    for format in ["f32", "fixed16"] {
        let folder = cli_common::trained(format);
        let report: Value = serde_json::from_slice(&folder.read("run/report.json")).unwrap();
        assert_eq!(report["description"], "Tells a and b apart from samples of 2 numbers.");
        let tested = tested(&folder, "run");
        // Eight samples: the shares of right ones can't differ by more than the share that is judged differently.
        let number = |key: &str| tested[key].as_f64().unwrap();
        let agreement = report["agreement"].as_f64().unwrap();
        assert!((number("host_accuracy") - number("device_accuracy")).abs() <= 1.0 - agreement, "{tested}");
        assert!(agreement >= 7.0 / 8.0, "{tested}");
        let words = |key: &str, name: &str| {
            let pairs = report[key].as_array().unwrap();
            pairs.iter().find(|pair| pair[0] == name).unwrap_or_else(|| panic!("no {name} in {report}"))[1].clone()
        };
        assert_eq!(words("settings", "optimizer"), "Adam");
        assert_eq!(words("settings", "learning rate"), "0.01");
        assert_eq!(words("device_settings", "learning rate"), "0.05");
        assert!(words("data", "files").as_str().unwrap().ends_with("rows.csv"));
        // Rust's own way to print a value has these.
        for key in ["settings", "device_settings", "data", "seeds", "versions"] {
            let text = report[key].to_string();
            assert!(!["{", "Some", "None", "("].iter().any(|mark| text.contains(mark)), "{text}");
        }
    }
}

#[test]
fn a_refused_training_leaves_the_run_before_as_it_was() {
    let folder = cli_common::trained("f32");
    let (before, run) = (folder.read("run/metrics.jsonl"), folder.path("run"));
    let text = small("f32") + "[training.early_stopping]\nmonitor = \"validation_loss\"\npatience = 2\n";
    let stopped = folder.write("stopped.toml", text);
    let model = folder.path("model.toml");
    for (model, more, message) in [
        (&stopped, "--quiet", "early stopping on validation_loss needs a validation set"),
        (&model, "--from=no-such-file", "no-such-file: can't read"),
        (
            &folder.write("other.toml", small("f32").replace("outputs = 4", "outputs = 5")),
            "--resume",
            "a change of the model (line ",
        ),
    ] {
        let answer = emberlite(&["train", "--model", model, "--run", &run, more]);
        assert!(answer.status == 1 && answer.error.contains(message), "{}", answer.error);
        assert_eq!(folder.read("run/metrics.jsonl"), before);
    }
    // Nor does one that comes while another is at work there.
    let lock = std::fs::File::open(folder.path("run/lock")).unwrap();
    lock.lock().unwrap();
    let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &run]);
    let expected = format!(
        "error: {run}: another training or search is at work in this folder; wait for its end, or choose another with --run\n"
    );
    assert_eq!((answer.status, answer.error), (1, expected));
    assert_eq!(folder.read("run/metrics.jsonl"), before);
}

#[test]
fn a_line_that_was_cut_off_is_dropped_on_resuming() {
    let folder = cli_common::trained("f32");
    let mut metrics = folder.read("run/metrics.jsonl");
    metrics.extend(b"{\"event\":\"epo");
    folder.write("run/metrics.jsonl", metrics);
    let (model, run) = (folder.path("model.toml"), folder.path("run"));
    done(&["train", "--quiet", "--model", &model, "--run", &run, "--resume", "--epochs", "4"]);
    let text = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.iter().filter(|event| event["event"] == "epoch").count(), 4);
}

#[test]
fn devices_are_listed_and_a_wrong_one_is_answered() {
    let said = done(&["devices"]);
    assert!(said.starts_with("cpu") && said.contains("CPU, "), "{said}");
    for (threads, expected) in [("1", "CPU, 1 thread;"), ("3", "CPU, 3 threads;")] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_emberlite"));
        let output = command.arg("devices").env("RAYON_NUM_THREADS", threads).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.lines().next().unwrap().contains(expected), "{said}");
    }
    if !cfg!(feature = "cuda") {
        assert!(said.contains("- this build has no cuda; build with `--features cuda`"), "{said}");
    }
    for (device, expected) in [
        ("gpu", "`gpu` is no device; there are: auto, cpu, wgpu, vulkan, cuda"),
        ("cpu:1", "`cpu:1`: only GPUs have numbers; give `cpu`"),
        ("cuda:0,cuda:0", "`cuda:0,cuda:0`: cuda:0 stands there twice; name each device once"),
    ] {
        let answer = emberlite(&["train", "--device", device]);
        assert!(answer.status == 2 && answer.error.contains(expected), "{}", answer.error);
    }
}

#[test]
fn the_search_that_a_template_has_in_comments_is_valid() {
    for template in ["mlp", "conv1d", "fixed16"] {
        let folder = Folder::new();
        done(&["new", &folder.path("x"), "--template", template]);
        let text = String::from_utf8(folder.read("x/model.toml")).unwrap();
        let (before, search) = text.split_once("# [search]").unwrap();
        let bare = |line: &str| line.strip_prefix("# ").or(line.strip_prefix('#')).unwrap_or(line).to_string();
        let search: Vec<String> = format!("# [search]{search}").lines().map(bare).collect();
        let text = format!("{before}{}\n", search.join("\n"));
        let model = folder.write("x/model.toml", &text);
        let spec = emberlite_host::spec::Spec::read(&model).unwrap();
        assert_eq!(spec.search.unwrap().space.parameters.len(), 3, "{template}");
        done(&["plan", "--model", &model]);
        if template == "mlp" {
            // Every path is one of the file, and the figure one of its data.
            let short = text.replace("trials = 20", "trials = 1").replace("epochs = 60", "epochs = 1");
            let model = folder.write("x/short.toml", short);
            done(&["search", "--model", &model, "--run", &folder.path("search")]);
        }
    }
}
