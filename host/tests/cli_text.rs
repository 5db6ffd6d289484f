//! Text from a file to a model of its next token, through the program.

mod cli_common;

use cli_common::{Folder, emberlite};
use serde_json::Value;

const MODEL: &str = r#"name = "letters"
[data]
corpus = "book.txt"
tokenizer = { name = "char" }
stride = 3
test = { by = "tail", share = 0.2 }
[model]
input = [8]
layers = [
    { op = "embedding", vocabulary = 5, features = 8 },
    { op = "sequence_linear", outputs = 5 },
]
[training]
optimizer = { name = "adam", learning_rate = 0.05 }
batch = 16
epochs = 6
device = "cpu"
"#;

/// After an `a` comes a `b` for sure, and so on round: a table of pairs is all that is to be learnt.
#[test]
fn a_corpus_teaches_the_next_token() {
    let folder = Folder::new();
    folder.write("book.txt", "abcd".repeat(200));
    let model = folder.write("model.toml", MODEL);
    let run = folder.path("run");
    let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &run]);
    assert_eq!((answer.status, answer.error.as_str()), (0, ""), "{}", answer.out);
    let metrics = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
    let tested: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert_eq!(tested["host_accuracy"], 1.0, "{tested}");
    // Tokens are known by their numbers only through this list.
    let names: Vec<String> = serde_json::from_slice(&folder.read("run/vocabulary.json")).unwrap();
    assert_eq!(names, ["<unk>", "a", "b", "c", "d"]);

    folder.write("model.toml", MODEL.replace("sequence_linear\", outputs = 5", "sequence_linear\", outputs = 4"));
    let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &run]);
    assert_eq!(answer.status, 1);
    assert!(answer.error.contains("expected an output of [8, 5], a row a position, found [8, 4]"), "{}", answer.error);
}
