//! What `data` shows and `train` warns of: classes without samples, windows.

mod cli_common;

use cli_common::{Folder, ROWS, done, emberlite, heard, small};
use emberlite_host::spec::{EmptyClasses, Spec};
use std::process::Command;

/// The small model with a third class, which no row has, and a test part without `b`.
fn lacking() -> Folder {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    folder.write("test.csv", "x,y,class\n1,10,a\n");
    let classes = "classes = [\"a\", \"b\", \"never\"]\ntest = { file = \"test.csv\" }";
    let text = small("f32").replacen("classes = [\"a\", \"b\"]", classes, 1).replacen("outputs = 2", "outputs = 3", 1);
    folder.write("model.toml", text);
    folder
}

const SENTENCE: &str = "model.toml:5: no sample of class `never` in the training part (rows.csv); none of classes `b`, \
                        `never` in the test part (test.csv); what has none is neither learnt nor judged";

#[test]
fn a_class_without_samples_is_marked_and_warned_of() {
    let folder = lacking();
    let model = folder.path("model.toml");
    let shown = folder.plain(&done(&["data", &model]));
    assert!(shown.contains("never  none"), "{shown}");
    assert_eq!(folder.plain(&done(&["data", "--model", &model])), shown);
    let flat = shown.replace("\n    ", " ");
    assert!(flat.contains(&format!("note: {SENTENCE}\n")), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&done(&["data", &model, "--json"])).unwrap();
    assert_eq!(json["empty_classes"][1]["part"], "test");
    assert_eq!(json["empty_classes"][1]["classes"], serde_json::json!(["b", "never"]));
    // Training says it and goes on: no problem, a warning. A stream's is the same.
    let stream = std::fs::read_to_string(&model).unwrap().replacen("[data]", "[data]\nstream = true", 1);
    let stream: serde_json::Value =
        serde_json::from_str(&done(&["data", &folder.write("stream.toml", stream), "--json"])).unwrap();
    for (json, sentence) in [(json, SENTENCE.to_string()), (stream, SENTENCE.replace("model.toml:5", "stream.toml:6"))]
    {
        assert_eq!(json["problems"], serde_json::json!([]));
        assert_eq!(json["warnings"].as_array().unwrap().len(), 1);
        assert_eq!(folder.plain(json["warnings"][0].as_str().unwrap()), sentence);
    }

    // One line, beside the result.
    let train = |run: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberlite"));
        command.args(["train", "--quiet", "--model", &model, "--run", &folder.path(run)]);
        command.env("RAYON_NUM_THREADS", "1").output().unwrap()
    };
    let output = train("run");
    let error = folder.plain(&String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{error}");
    assert_eq!(error, format!("warning: {SENTENCE}\n"));

    // Nothing that counts, weighs or judges classes ends in a panic.
    let text = std::fs::read_to_string(&model).unwrap();
    for (place, (setting, expected)) in [
        ("metrics = [\"f1_macro\", \"log_loss\", \"balanced_accuracy\", \"cohen_kappa\"]", ""),
        ("class_weights = { never = 2.0 }", ""),
        ("class_weights = \"balanced\"", "found none of `never`"),
        ("sampling = \"balanced\"", "found none of `never`"),
        ("metrics = [\"roc_auc_ovr\"]", "class 0 has all the samples"),
    ]
    .into_iter()
    .enumerate()
    {
        let watched = text.replacen("test =", "validation = { file = \"test.csv\" }\ntest =", 1);
        folder.write("model.toml", watched.replacen("batch = 4", &format!("batch = 4\n{setting}"), 1));
        let output = train(&format!("run{place}"));
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.success(), expected.is_empty(), "{setting}: {error}");
        assert!(error.contains(expected), "{setting}: {error}");
        assert!(!error.contains("panicked"), "{setting}: {error}");
    }
    done(&["evaluate", "--model", &model, "--weights", &folder.path("run/model.safetensors"), "--part", "test"]);
}

#[test]
fn the_library_says_which_classes_a_part_lacks() {
    let folder = lacking();
    let spec = Spec::read(folder.path("model.toml")).unwrap();
    let empty = spec.empty_classes(&spec.load_sets().unwrap());
    let found: Vec<_> = empty.iter().map(|empty| (empty.part, empty.classes.join(" "))).collect();
    assert_eq!(found, [("training", "never".into()), ("test", "b never".to_string())]);
    assert_eq!(folder.plain(&empty[1].files[0].display().to_string()), "test.csv");
    let first = folder.plain(&empty[0].to_string());
    assert_eq!(first, "model.toml:5: no sample of class `never` in the training part (rows.csv)");
    // A stream says the same; without a class of that name nothing is said.
    let text = std::fs::read_to_string(folder.path("model.toml")).unwrap();
    let stream = text.replacen("[data]", "[data]\nstream = true", 1);
    let spec = Spec::read(folder.write("stream.toml", stream)).unwrap();
    let streamed = spec.empty_classes(&spec.load_sets().unwrap());
    let found = |all: &[EmptyClasses]| -> Vec<_> { all.iter().map(|e| (e.part, e.classes.clone())).collect() };
    assert_eq!(found(&streamed), found(&empty));
    let spec = Spec::read(folder.write("whole.toml", small("f32"))).unwrap();
    assert!(spec.empty_classes(&spec.load_sets().unwrap()).is_empty());
}

/// Two recordings of 10 and 9 rows, windows of 4 every 2: 4 and 3 of them; the last 40 % of each, 4 and 4 rows, make one each.
#[test]
fn windows_are_counted_with_their_shape() {
    let folder = Folder::new();
    let rows: String = (0..19).map(|row| format!("{row},{},{}\n", row % 5, if row < 10 { "a" } else { "b" })).collect();
    folder.write("rows.csv", format!("x,y,class\n{rows}"));
    let data = "classes = [\"a\", \"b\"]\nrecording = \"class\"\nwindow = { length = 4, stride = 2 }";
    let model = "input = [2, 4]\nlayers = [{ op = \"flatten\" }, { op = \"linear\", outputs = 2 }]\n";
    let text = |part: &str| {
        format!("[data]\nfile = \"rows.csv\"\nlabel = {{ class = \"class\" }}\n{data}\n{part}\n[model]\n{model}")
            .replace("recording = \"class\"\n", "")
    };
    let path = folder.write("model.toml", text(""));
    let shown = done(&["data", &path]);
    assert!(shown.contains("rows of 2 numbers, in windows of 2x4\n"), "{shown}");
    let row = |shown: &str, name: &str| -> Vec<String> {
        let line = shown.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().skip(1).map(str::to_string).collect()
    };
    assert_eq!((row(&shown, "rows  "), row(&shown, "windows ")), (vec!["19".into()], vec!["7".into()]), "{shown}");
    let path = folder.write("model.toml", text("test = { by = \"tail\", share = 0.4 }"));
    let json: serde_json::Value = serde_json::from_str(&done(&["data", &path, "--json"])).unwrap();
    assert_eq!(json["windows"]["shape"], serde_json::json!([2, 4]));
    let count = |part: usize| json["windows"]["samples"][part].as_u64().unwrap();
    let spec = Spec::read(&path).unwrap();
    let sets = spec.load_parts().unwrap();
    assert_eq!((count(0), count(1)), (sets.train.len() as u64, sets.test.unwrap().len() as u64));
    // What training refuses is still counted: the model takes other windows.
    let path = folder.write("other.toml", text("").replace("[2, 4]", "[2, 5]"));
    let shown = done(&["data", &path]);
    assert!(row(&shown, "windows ") == ["7"] && shown.contains("note: "), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&done(&["data", &path, "--json"])).unwrap();
    assert_eq!((json["problems"].as_array().unwrap().len(), json["warnings"].as_array().unwrap().len()), (1, 0));
}

/// Where nothing can be written beside the data, the message says how to have it elsewhere, and that works.
#[test]
fn packed_tables_may_lie_in_another_folder() {
    let folder = Folder::new();
    // No name of a packed file beside this one is short enough.
    let name = format!("{}.csv", "x".repeat(245));
    folder.write(&name, ROWS);
    folder.write("test.csv", ROWS);
    std::fs::create_dir(folder.path("other")).unwrap();
    folder.write("other/rows.csv", ROWS);
    folder.write("rows.csv", ROWS);
    let text = |file: &str, more: &str| {
        let data = format!("file = \"{file}\"\nstream = true\nvalidation = {{ file = \"other/rows.csv\" }}\n{more}");
        small("f32").replace("file = \"rows.csv\"", &data)
    };
    let train = |text: String, run: &str| {
        let (model, run) = (folder.write("model.toml", text), folder.path(run));
        emberlite(&["train", "--quiet", "--model", &model, "--run", &run])
    };
    let answer = train(text(&name, ""), "run");
    let error = folder.plain(&answer.error);
    assert!(answer.status == 1 && error.contains("xx.pack: the packed table can't be written: "), "{error}");
    assert!(error.ends_with("or name another folder for it: `pack = \"FOLDER\"` in [data]\n"), "{error}");
    // Made where it isn't there yet; two tables of one name don't take each other's place.
    let answer = train(text("rows.csv", "pack = \"made/packs\""), "run");
    assert_eq!((answer.status, answer.error.as_str()), (0, ""));
    let packs = || -> Vec<(String, std::time::SystemTime)> {
        let entries = std::fs::read_dir(folder.path("made/packs")).unwrap().map(|entry| entry.unwrap());
        let facts = |entry: std::fs::DirEntry| {
            (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().modified().unwrap())
        };
        let mut all: Vec<_> = entries.map(facts).collect();
        all.sort();
        all
    };
    let first = packs();
    assert!(first.len() == 2 && first.iter().all(|(name, _)| name.starts_with("rows-") && name.ends_with(".pack")));
    assert!(!folder.names().contains(&"rows.pack".to_string()));
    assert_eq!(train(text("rows.csv", "pack = \"made/packs\""), "again").error, "");
    assert_eq!(packs(), first, "not made again");
    for (run, name) in [("run", "model.safetensors"), ("again", "model.safetensors")] {
        assert!(std::path::Path::new(&folder.path(run)).join(name).exists());
    }
    let wrong = small("f32").replace("file = \"rows.csv\"", "file = \"rows.csv\"\npack = \"made\"");
    let error = folder.plain(&train(wrong, "wrong").error);
    assert_eq!(
        error,
        "error: model.toml:4: `data.pack`: only a table with `stream = true` is packed; remove `pack`, or add that\n"
    );
}

/// Eighty mebibytes in a few long numbers.
#[test]
fn packing_a_large_table_is_said_once() {
    let folder = Folder::new();
    let zeros = "0".repeat(10 << 20);
    let row = |row: &str| {
        let (x, rest) = row.split_once(',').unwrap();
        format!("{x}.{zeros},{rest}\n")
    };
    let mut rows = ROWS.lines();
    let head = rows.next().unwrap();
    folder.write("rows.csv", format!("{head}\n{}", rows.map(row).collect::<String>()));
    let text = small("f32").replace("[data]", "[data]\nstream = true");
    let (model, run) = (folder.write("model.toml", text), folder.path("run"));
    let train = |more: &[&str]| {
        let answer = heard(&[&["train", "--model", &model, "--run", &run, "--epochs", "1"], more].concat());
        assert_eq!(answer.status, 0, "{}", answer.error);
        folder.plain(&answer.error)
    };
    let said = "packing rows.csv (80 MiB), once\n";
    assert!(train(&[]).starts_with(said));
    assert!(!train(&[]).contains("packing"));
    std::fs::remove_file(folder.path("rows.pack")).unwrap();
    assert_eq!(train(&["--quiet"]), "");
    std::fs::remove_file(folder.path("rows.pack")).unwrap();
    assert!(folder.plain(&heard(&["data", &model]).error).starts_with(said));
}

/// One is told of what takes longer than a moment: of more than 64 MiB, and only where it is packed.
#[test]
fn a_moments_packing_is_not_told() {
    let folder = Folder::new();
    // Its first row is wrong, so that nothing more of it is read.
    let rows = folder.write("rows.csv", "x,y,class\nmany,1,a\n");
    let table = std::fs::OpenOptions::new().write(true).open(&rows).unwrap();
    for (stream, more, told) in [(true, 0, false), (true, 1, true), (false, 1, false)] {
        table.set_len((64 << 20) + more).unwrap();
        let stream = if stream { "[data]\nstream = true" } else { "[data]" };
        let model = folder.write("model.toml", small("f32").replace("[data]", stream));
        let answer = heard(&["train", "--model", &model, "--run", &folder.path("run")]);
        assert_eq!(answer.error.contains("packing"), told, "{more} {}", answer.error);
        assert!(answer.status == 1, "{}", answer.error);
    }
}
