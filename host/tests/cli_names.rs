//! Names of classes and columns where the files have numbers, files that are passed over, and the line of a mistake that shows
//! once the files are read.

mod cli_common;

use cli_common::{Folder, ROWS, done, emberlite, small};
use emberlite_host::data::{Labels, Source};
use emberlite_host::spec::Spec;
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use std::process::Command;

/// An IDX file of bytes.
fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
    let sizes = shape.iter().flat_map(|size| size.to_be_bytes());
    [0, 0, 8, shape.len() as u8].into_iter().chain(sizes).chain(values.iter().copied()).collect()
}

/// Pictures of 2 by 2 whose brightness is their class of three; the test part lacks the last class.
fn numbered(folder: &Folder) {
    let labels: Vec<u8> = (0..24).map(|sample| sample % 3).collect();
    let pixels: Vec<u8> = labels.iter().flat_map(|&class| [class * 100, 7, class * 90, 9]).collect();
    folder.write("images", idx(&[24, 2, 2], &pixels));
    folder.write("labels", idx(&[24], &labels));
    folder.write("test-images", idx(&[2, 2, 2], &pixels[..8]));
    folder.write("test-labels", idx(&[2], &labels[..2]));
}

fn described(data: &str) -> String {
    format!(
        "name = \"clothes\"\n[data]\nimages = \"images\"\nlabels = \"labels\"\n{data}\n[model]\ninput = [1, 2, 2]\n\
         layers = [{{ op = \"flatten\" }}, {{ op = \"linear\", outputs = 3 }}]\n[training]\n\
         optimizer = {{ name = \"adam\", learning_rate = 0.05 }}\nbatch = 8\nepochs = 3\ndevice = \"cpu\"\n"
    )
}

#[test]
fn classes_of_idx_files_have_the_names_of_the_description() {
    let folder = Folder::new();
    numbered(&folder);
    let named =
        "classes = [\"Shirt\", \"Bag\", \"Ankle boot\"]\ntest = { images = \"test-images\", labels = \"test-labels\" }";
    let model = folder.write("model.toml", described(named));
    assert!(done(&["data", &model]).contains("  Ankle boot"));
    done(&["train", "--quiet", "--model", &model, "--run", &folder.path("run")]);
    let weights = folder.path("run/model.safetensors");
    let names = json!(["Shirt", "Bag", "Ankle boot"]);
    assert!(done(&["inspect", &weights]).contains("Ankle boot"));
    let judged = done(&["evaluate", "--model", &model, "--weights", &weights, "--json"]);
    let judged: Value = serde_json::from_str(&judged).unwrap();
    let told: Vec<Value> = judged["classes"].as_array().unwrap().iter().map(|class| class["name"].clone()).collect();
    assert_eq!((judged["samples"].as_u64(), Value::from(told)), (Some(2), names.clone()));
    let report: Value = serde_json::from_slice(&folder.read("run/report.json")).unwrap();
    assert_eq!(report["confusion"]["classes"], names);
    let page = String::from_utf8(folder.read("run/report.html")).unwrap();
    assert!(page.contains("Tells Shirt, Bag and Ankle boot apart"), "{}", &page[..2000]);

    // The same read as it is needed; numbers where nothing is named, as many in the part that lacks the last.
    for stream in ["", "stream = true\n"] {
        for (classes, expected) in [(named, ["Shirt", "Bag", "Ankle boot"]), (&named[41..], ["0", "1", "2"])] {
            let text = described(&format!("{stream}{classes}"));
            let sets = Spec::read(folder.write("other.toml", text)).unwrap().load_sets().unwrap();
            for labels in [sets.train.labels().clone(), sets.test.unwrap().labels().clone()] {
                let Labels::Class { names, .. } = labels else { panic!("{labels:?}") };
                assert_eq!(names, expected, "{stream}{classes}");
            }
        }
        let text = described(&format!("{stream}classes = [\"Shirt\", \"Bag\"]"));
        let line = if stream.is_empty() { 5 } else { 6 };
        let answer = emberlite(&["train", "--model", &folder.write("few.toml", text), "--run", &folder.path("few")]);
        let expected = format!(
            "error: few.toml:{line}: `data.classes`: 2 names, but the labels of labels go up to 2; give 3 names, the first for 0\n"
        );
        assert_eq!((answer.status, folder.plain(&answer.error)), (1, expected));
    }
}

#[test]
fn arrays_and_cifar_may_be_named_too() {
    let folder = Folder::new();
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/src/data/fixtures");
    std::fs::copy(format!("{fixtures}/stored.npz"), folder.path("x.npz")).unwrap();
    let text = |label: &str| {
        format!(
            "[data]\nfile = \"x.npz\"\n{label}\nclasses = [\"off\", \"on\"]\n[model]\ninput = [2, 3]\n\
             layers = [{{ op = \"flatten\" }}, {{ op = \"linear\", outputs = 2 }}]\n"
        )
    };
    let names = |path: String| {
        let sets = Spec::read(path).unwrap().load_sets().unwrap();
        let Labels::Class { names, .. } = sets.train.labels().clone() else { panic!("no classes") };
        names
    };
    assert_eq!(names(folder.write("npz.toml", text("label = { class = \"y\" }"))), ["off", "on"]);
    let error = Spec::read(folder.write("value.toml", text("label = { value = \"y\" }"))).unwrap_err();
    let expected = "value.toml:4: `data.classes`: classes are named, but nothing is classified; give label = { class = \"array\" }";
    assert_eq!(folder.plain(&error.to_string()), expected);

    let record = |class: u8| [[7, class].to_vec(), vec![class; 3072]].concat();
    std::fs::create_dir(folder.path("cifar")).unwrap();
    folder.write("cifar/train.bin", [record(0), record(99)].concat());
    let cifar = |classes: usize| {
        let list: Vec<String> = (0..classes).map(|class| format!("\"kind {class}\"")).collect();
        format!(
            "[data]\ncifar100 = \"cifar\"\nclasses = [{}]\n[model]\ninput = [3, 32, 32]\n\
             layers = [{{ op = \"flatten\" }}, {{ op = \"linear\", outputs = 100 }}]\n",
            list.join(", ")
        )
    };
    assert_eq!(names(folder.write("cifar.toml", cifar(100)))[99], "kind 99");
    let spec = Spec::read(folder.write("few.toml", cifar(99))).unwrap();
    let error = folder.plain(&spec.load_sets().unwrap_err().to_string());
    assert!(error.starts_with("few.toml:3: `data.classes`: 99 names, but the labels of cifar go up to 99;"), "{error}");
}

#[test]
fn pictures_of_another_kind_are_counted() {
    let folder = Folder::new();
    for (class, grey) in [("cat", 40), ("dog", 200)] {
        std::fs::create_dir_all(folder.path(&format!("photos/{class}"))).unwrap();
        for number in 0..4 {
            let path = folder.path(&format!("photos/{class}/{number}.png"));
            RgbImage::from_pixel(4, 4, Rgb([grey; 3])).save_with_format(path, ImageFormat::Png).unwrap();
        }
    }
    let text = "[data]\nimage_folder = \"photos\"\ntest = { by = \"stratified\", share = 0.25 }\n[model]\ninput = [1, 4, 4]\n\
                layers = [{ op = \"flatten\" }, { op = \"linear\", outputs = 2 }]\n[training]\nepochs = 1\ndevice = \"cpu\"\n";
    let model = folder.write("model.toml", text);
    let train = |run: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_emberlite"));
        command.args(["train", "--quiet", "--model", &model, "--run", &folder.path(run)]);
        let output = command.env("RAYON_NUM_THREADS", "1").output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!((train("all"), done(&["data", &model]).contains("passed over")), (String::new(), false));
    // Its division into parts counts none of them twice; endings in capitals are read.
    for name in ["cat/3.webp", "cat/4.bmp", "dog/x.gif"] {
        folder.write(&format!("photos/{name}"), "x");
    }
    std::fs::rename(folder.path("photos/dog/1.png"), folder.path("photos/dog/1.PNG")).unwrap();
    let sentence = "3 files were passed over, e.g. cat/3.webp: only .png, .jpg and .jpeg are read";
    assert_eq!(train("some"), format!("warning: {sentence}\n"));
    let shown = done(&["data", &model]);
    assert!(shown.contains(&format!("note: {sentence}\n")), "{shown}");
    let shown: Value = serde_json::from_str(&done(&["data", &model, "--json"])).unwrap();
    assert_eq!((&shown["passed_over"]["count"], &shown["parts"][0]["samples"]), (&json!(3), &json!(6)));
}

#[test]
fn columns_of_a_stream_have_the_names_of_the_header() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS.replacen("x,y,", "mass,length,", 1));
    let text = small("f32").replacen("[data]", "[data]\nstream = true\ntest = { by = \"fraction\", share = 0.25 }", 1);
    let model = folder.write("model.toml", &text);
    let shown = done(&["data", &model]);
    assert!(shown.contains("column     ") && shown.contains("\nmass ") && shown.contains("\nlength "), "{shown}");
    done(&["train", "--quiet", "--model", &model, "--run", &folder.path("run"), "--epochs", "1"]);
    let report = String::from_utf8(folder.read("run/report.json")).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    if let Some(example) = report["judged"]["examples"].as_array().and_then(|all| all.first()) {
        assert!(example.to_string().contains("mass"), "{example}");
    }
    // Of a device that reads integers a mistake names the column.
    folder.write("rows.csv", ROWS.replacen("x,y,", "mass,length,", 1).replacen("3,10", "3,1.5", 1));
    let model = folder.write("fixed.toml", text.replacen("f32", "fixed16", 1));
    let shown = done(&["data", &model]);
    assert!(shown.contains("column `length`: expected a whole number"), "{shown}");
}

/// What is added to `[data]`, `[training]` or the end, and what `train` says.
#[test]
fn mistakes_that_show_in_the_data_have_their_line() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    for (old, new, expected) in [
        (
            "batch = 4",
            "class_weights = { a = 1.0, bee = 2.0 }",
            "model.toml:16: `training.class_weights.bee`: the data have no class `bee`; possible here: a, b",
        ),
        (
            "[device]",
            "[training.class_weights]\na = 1.0\naa = 2.0\n[device]",
            "model.toml:21: `training.class_weights.aa`: the data have no class `aa`; did you mean `a`?",
        ),
        // A column of the name of a class.
        (
            "classes = [\"a\", \"b\"]",
            "classes = [\"a\", \"b\"]\nfeatures = [\"x\", \"a\"]",
            "model.toml:6: `data.features[1]`: rows.csv: no column or array `a`; there are: x, y, class",
        ),
        (
            "[device]",
            "[data.clean]\ncolumns.z = { missing = \"mean\" }\n[device]",
            "model.toml:20: `data.clean.columns.z`: rows.csv: no column or array `z`; there are: x, y, class",
        ),
        (
            "[device]",
            "[preprocessing]\ncolumns.z = { scaling = \"none\" }\n[device]",
            "model.toml:20: `preprocessing.columns.z`: column `z`: expected one of the features x, y, found another name; mend the \
             name, or take its rules out",
        ),
        (
            "[device]",
            "[preprocessing]\ncolumns.x = { scaling = \"none\", encode = \"ordinal\" }\n[device]",
            "model.toml:20: `preprocessing.columns.x.encode`: column `x`: expected a column that is named in `categorical`, \
             found one of numbers; name it there, or take the rule out",
        ),
        (
            "[device]",
            "[data.clean]\n[data.clean.columns.y]\n\nmissing = { constant = \"much\" }\n[device]",
            "model.toml:22: `data.clean.columns.y.missing`: column `y`: expected a number to fill gaps with, found `much`; give a \
             number, or name the column in `categorical`",
        ),
    ] {
        let model = folder.write("model.toml", small("f32").replacen(old, new, 1));
        let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &folder.path("run")]);
        assert_eq!((answer.status, folder.plain(&answer.error)), (1, format!("error: {expected}\n")), "{new}");
    }
}

#[test]
fn folds_and_parts_that_cannot_be_are_blamed_on_their_line() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let judged = |folds: &str, more: &[&str]| {
        let text = small("f32").replacen("[model]", &format!("{folds}\n[model]"), 1);
        let model = folder.write("model.toml", text);
        let answer = emberlite(&[&["cross-validate", "--quiet", "--model", &model][..], more].concat());
        assert_eq!(answer.status, 1);
        folder.plain(&answer.error)
    };
    let few = "5 stratified folds: expected as many samples of each class, found 4 of class `a`; take fewer folds, add samples \
               of that class, or use k_fold";
    assert_eq!(judged("folds = 5", &[]), format!("error: model.toml:6: `data.folds`: {few}\n"));
    let table = "[data.folds]\nby = \"k_fold\"\nk = 9";
    let many = "9 folds: expected as many or more, found 8 samples; take fewer folds or more data";
    assert_eq!(judged(table, &[]), format!("error: model.toml:8: `data.folds.k`: {many}\n"));
    assert_eq!(judged(table, &["--repeats", "2"]), format!("error: model.toml:8: `data.folds.k`: {many}\n"));
    assert_eq!(judged(table, &["--folds", "10"]), format!("error: --folds 10: 10{}\n", &many[1..]));
    let otherwise = "or say in [data] how to divide, for example folds = 3";
    assert_eq!(judged("", &[]), format!("error: model.toml: {few}; {otherwise}\n"));
    // A mistake of the data is none of the folds.
    folder.write("rows.csv", ROWS.replace("3,10,a", "3,x,a"));
    let cell = "rows.csv:4: column `y`: expected a number such as -1.5e3, found `x`";
    for more in [&[][..], &["--folds", "4"]] {
        let said = judged("", more);
        assert!(said.contains(cell) && !said.contains("folds"), "{said}");
    }
    folder.write("rows.csv", ROWS);
    let one = "model.toml:6: `data.folds`: expected a whole number from 2 to 10000, found 1";
    assert_eq!(judged("folds = 1", &[]), format!("error: {one}\n"));
    let groups = "groups = [\"y\"]\nfolds = { by = \"group_k_fold\", k = 2, columns = [\"z\"] }";
    let said = judged(groups, &[]);
    assert!(said.starts_with("error: model.toml:7: `data.folds.columns[0]`: ") && said.contains("`z`"), "{said}");

    let model = folder.write("model.toml", small("f32"));
    done(&["train", "--quiet", "--model", &model, "--run", &folder.path("run")]);
    let weights = folder.path("run/model.safetensors");
    let answer = emberlite(&["evaluate", "--model", &model, "--weights", &weights]);
    let expected = "error: model.toml:2: `data`: there is no test part, so nothing was judged; add one, such as test = { by = \
                    \"fraction\", share = 0.2 }, and train anew, or judge another part with --part\n";
    assert_eq!((answer.status, folder.plain(&answer.error).as_str()), (1, expected));
}

/// Labels that are 9 alone make ten classes of numbers: the page says that nine were never seen.
#[test]
fn the_page_says_of_which_classes_there_was_no_sample() {
    let folder = Folder::new();
    let pixels: Vec<u8> = (0..32).collect();
    folder.write("images", idx(&[8, 2, 2], &pixels));
    folder.write("labels", idx(&[8], &[9; 8]));
    let model = folder.write("model.toml", described("").replacen("outputs = 3", "outputs = 10", 1));
    done(&["train", "--quiet", "--model", &model, "--run", &folder.path("run")]);
    let page = String::from_utf8(folder.read("run/report.html")).unwrap();
    let said = "Tells 10 classes apart from samples of 1x2x2 numbers. It learnt from samples of one class alone, 9.";
    assert!(page.contains(said) && !page.contains("over 10 classes"), "{}", &page[..3000]);
}
