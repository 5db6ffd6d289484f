//! `MODEL.md` names every key that the parser asks for, and no other.
//!
//! In tests a section notes each key that is asked of it ([`asked`]). Descriptions below go down every path of the parser;
//! a key in the source that none of them reaches fails the test too.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use super::Spec;

thread_local! {
    static ASKED: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// Notes that a section was asked for a key; indices of lists are left out.
pub(super) fn asked(path: &str, key: &str) {
    let mut plain = String::new();
    let mut inside = false;
    for character in path.chars() {
        inside = (inside || character == '[') && character != ']';
        if !inside && character != ']' {
            plain.push(character);
        }
    }
    let path = if plain.is_empty() { key.to_string() } else { format!("{plain}.{key}") };
    ASKED.with_borrow_mut(|asked| asked.insert(path));
}

const MODEL: &str = "[model]\ninput = [4]\nlayers = [{ op = \"linear\", outputs = 3, name = \"a\" }]\n";

/// The rest of a description, with and without `[model]`; whether it is right doesn't matter, what is asked does.
fn descriptions() -> Vec<String> {
    let with_model = |text: &str| format!("{text}\n{MODEL}");
    let csv = "[data]\nfile = \"x.csv\"\nlabel = { class = \"c\" }\n";
    let mut all: Vec<String> = [
        "[augmentation]\n[data]\nfile = \"x.csv\"\n[preprocessing]\nmean = [1]\nstd = [1]\n[search]\nspace = { PATH = { int = [1, 2] } }\n[device]\n[import]\nnames = { a = \"b\" }\n",
        "[data]\nfile = \"x.npz\"\nfeatures = \"x\"\nlabel = { class = \"y\" }\nfolds = { by = \"group_k_fold\", k = 3, columns = [\"p\"] }\n",
        "[data]\nimages = \"i\"\nlabels = \"l\"\ntest = { images = \"i\", labels = \"l\" }\n",
        "[data]\nimage_folder = \"p\"\nvalidation = { image_folder = \"q\" }\n",
        "[data]\naudio_folder = \"p\"\ntransform = { name = \"mfcc\" }\n",
        "[data]\ntext_folder = \"p\"\ntokenizer = { name = \"bpe\" }\n",
        "[data]\ntext_folder = \"p\"\ntokenizer = { file = \"p\" }\n",
        "[data]\ncorpus = \"p\"\n",
        "[data]\nfile = \"x.csv\"\ntext = \"t\"\nlabel = { class = \"c\" }\ntest = { file = \"y.csv\" }\n",
        "[search]\nmethod = { name = \"tpe\" }\npruning = { name = \"median\" }\nbudget = {}\nspace = { PATH = { int = [1, 2] } }\n",
        "[search]\npruning = { name = \"successive_halving\" }\nfolds = 2\nspace = { PATH = { int = [1, 2] } }\n",
        "[training]\nearly_stopping = { patience = 1 }\ncheckpoint = {}\nema = { decay = 0.9 }\npenalty = {}\nclip = { value = 1 }\nloss = { name = \"huber\" }\nlayers = [{ layer = 0, frozen = true }]\n[device]\ntraining = { penalty = {} }\n",
    ]
    .map(with_model)
    .to_vec();
    for rest in [
        "window = { length = 5 }\ntest = { by = \"filter\", conditions = [\"a=b\"] }",
        "validation = { files = [\"y.csv\"] }",
        "validation = { by = \"group\", columns = [\"p\"], share = 0.5 }",
        "clean = { missing = { constant = 1 }, outliers = { by = \"z_score\" }, columns = { NAME = {} } }",
        "clean = { outliers = { by = \"iqr\" } }",
        "clean = { outliers = { by = \"range\", low = 1 } }",
        "[preprocessing]\nscaling = { by = \"min_max\" }\ncolumns = { NAME = {} }",
    ] {
        all.push(with_model(&format!("{csv}{rest}")));
    }
    for name in ["sgd", "rmsprop", "adagrad", "adam", "nadam", "lion", "lamb", "adadelta", "adamax"] {
        all.push(with_model(&format!("[training]\noptimizer = {{ name = \"{name}\", learning_rate = 1 }}\n")));
    }
    for name in ["step", "exponential", "cosine", "linear", "polynomial", "cosine_restarts", "one_cycle", "plateau"] {
        let table = format!("{{ name = \"{name}\", every = 1, gamma = 1, steps = 1, period = 1 }}");
        all.push(with_model(&format!("[training]\nschedule = {table}\n")));
    }
    for op in super::layers::OPS.iter().chain(&super::host_layers::OPS) {
        let needed = "outputs = 1, channels = 1, kernel = 1, window = 1, heads = 1, vocabulary = 1, features = 1, groups = 1, \
                      hidden = 1, factor = 1, from = [\"input\", \"input\"]";
        all.push(format!("[model]\ninput = [4]\nlayers = [{{ op = \"{op}\", {needed} }}]\n"));
        // A list is wrong for one source: those go on to the other keys.
        let plain = needed.replace(", from = [\"input\", \"input\"]", "");
        all.push(format!("[model]\ninput = [4]\nlayers = [{{ op = \"{op}\", {plain} }}]\n"));
    }
    all
}

/// What the parser asks for, as the page has it: what has the same keys in several places stands there once.
fn known() -> BTreeSet<String> {
    ASKED.with_borrow_mut(BTreeSet::clear);
    for text in descriptions() {
        let _ = Spec::parse("model.toml", &text, Path::new("base"));
    }
    let again = [
        ("data.test.", "data.validation."),
        ("search.folds.", "data.folds."),
        ("data.clean.columns.NAME.missing.", "data.clean.missing."),
        ("data.clean.columns.NAME.outliers.", "data.clean.outliers."),
        ("preprocessing.columns.NAME.scaling.", "preprocessing.scaling."),
    ];
    let once = |path: &String| {
        let found = again.iter().find_map(|(other, first)| Some(format!("{first}{}", path.strip_prefix(other)?)));
        // Of the device's settings the keys themselves; what they hold is as the host's.
        let nested = path.strip_prefix("device.training.").filter(|rest| rest.contains('.'));
        found.or_else(|| nested.map(|rest| format!("training.{rest}"))).unwrap_or_else(|| path.clone())
    };
    ASKED.with_borrow(|asked| asked.iter().map(once).collect())
}

/// The keys of the page: of each table the names in ticks in the first column, under the name in its heading's ticks.
fn written(page: &str) -> BTreeSet<String> {
    let ticked = |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_string).collect() };
    let (mut section, mut keys) = (String::new(), BTreeSet::new());
    for line in page.lines() {
        if line.starts_with("##") {
            section = ticked(line).first().map_or(String::new(), |name| name.trim_matches(['[', ']']).to_string());
        } else if let Some(row) = line.strip_prefix("| `") {
            let first = row.split(" | ").next().unwrap_or_default();
            for key in ticked(&format!("`{first}")) {
                let path = if section.is_empty() { key } else { format!("{section}.{key}") };
                assert!(keys.insert(path.clone()), "`{path}` stands in MODEL.md twice");
            }
        }
    }
    keys
}

const PAGE: &str = include_str!("../../MODEL.md");

#[test]
fn the_page_names_every_key_and_no_other() {
    let (known, written) = (known(), written(PAGE));
    let missing: Vec<&String> = known.difference(&written).collect();
    assert!(missing.is_empty(), "MODEL.md lacks {missing:?}");
    let unknown: Vec<&String> = written.difference(&known).collect();
    assert!(unknown.is_empty(), "MODEL.md names keys that the parser never asks for: {unknown:?}");
    // The test itself: a row more or less is seen.
    assert!(super::reference::written(&PAGE.replace("| `batch` |", "| `bacth` |")) != written);
}

/// Every key in the parser's source was asked for above: else a path of the parser is one that no description goes down.
#[test]
fn the_descriptions_reach_every_key_of_the_source() {
    let known = known();
    let names: BTreeSet<&str> = known.iter().filter_map(|path| path.rsplit('.').next()).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/spec");
    // A board's file is no description.
    let boards = ["part", "stack_bytes", "kib"];
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let source = text.split("#[cfg(test)]").next().unwrap_or_default();
        for before in [".take(\"", ".need(\"", "number(\"", "whole(\"", "real(\"", "ection, \"", "table, \""] {
            for rest in source.split(before).skip(1) {
                let key = rest.split('"').next().unwrap_or_default();
                let is_key = key.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
                if is_key && path.file_name().is_some_and(|name| name != "reference.rs") && !boards.contains(&key) {
                    assert!(names.contains(key), "no description reaches `{key}` of {}", path.display());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 150, "only {seen} keys found in the source");
}

#[test]
fn the_page_names_every_choice() {
    let lists: [&[&str]; 5] = [
        &super::layers::OPS,
        &super::host_layers::OPS,
        &super::host_training::OPTIMIZERS,
        &super::host_training::SCHEDULES,
        &["sgd", "rmsprop", "adagrad", "adam", "adamw", "constant", "step", "exponential", "cosine"],
    ];
    for name in lists.concat() {
        assert!(PAGE.contains(&format!("`{name}`")), "MODEL.md doesn't name `{name}`");
    }
}
