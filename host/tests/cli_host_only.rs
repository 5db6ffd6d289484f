//! A model that no device runs: planned, trained, resumed, written and imported by the same commands, which say what the
//! device lacks.

mod cli_common;

use cli_common::{Folder, done, emberlite};
use safetensors::SafeTensors;

/// Twelve rows of two channels, four a window, the class by whether the first channel rises.
fn folder(layers: &str, device: &str) -> (Folder, String) {
    let folder = Folder::new();
    let row = |i: i32| {
        let (class, step) = if i % 8 < 4 { ("up", i % 4) } else { ("down", 3 - i % 4) };
        format!("{step},{},{class}\n", i % 3)
    };
    let rows: String = (0..96).map(row).collect();
    folder.write("rows.csv", format!("x,y,class\n{rows}"));
    let text = format!(
        r#"name = "waves"
[data]
file = "rows.csv"
label = {{ class = "class" }}
classes = ["up", "down"]
window = {{ length = 4, stride = 4 }}
[model]
input = [2, 4]
layers = [
    {{ op = "transpose" }},
{layers}
    {{ op = "linear", outputs = 2, name = "head" }},
]
[training]
optimizer = {{ name = "adam", learning_rate = 0.02 }}
batch = 8
epochs = 30
device = "cpu"
{device}"#
    );
    let model = folder.write("model.toml", text);
    (folder, model)
}

const LSTM: &str = r#"    { op = "lstm", hidden = 6, bidirectional = true, return_sequences = false, name = "rnn" },"#;

#[test]
fn the_commands_do_what_the_host_can() {
    let (folder, model) = folder(LSTM, "");
    let table = done(&["plan", "--model", &model]);
    assert!(table.contains("1 rnn   lstm"), "{table}");
    // 2·4·6·(2 + 6) weights, 2·2·4·6 biases; 12·2 + 2.
    assert!(table.contains("parameters (506 learn)"), "{table}");
    let reason =
        "model.toml:10: layer 0 (transpose): the host trains transpose, the device does not have transpose yet";
    assert!(folder.plain(&table).ends_with(&format!("no device runs it: {reason}\n")), "{table}");
    let json: serde_json::Value = serde_json::from_str(&done(&["plan", "--model", &model, "--json"])).unwrap();
    assert_eq!((json["parameters"].as_u64(), json["boards"].as_array().map(Vec::len)), (Some(506), Some(0)));

    let run = folder.path("run");
    let said = done(&["train", "--model", &model, "--run", &run, "--quiet"]);
    assert!(said.contains("accuracy 100.00 %") && said.contains("no device runs it: "), "{said}");
    let weights = folder.path("run/model.safetensors");
    let bytes = folder.read("run/model.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("rnn.weight_hh_l0_reverse").unwrap().shape(), [24, 6]);
    assert!(folder.names().contains(&"run".to_string()));

    // The trainer's words on its own samples, from the file.
    let figures = done(&["evaluate", "--model", &model, "--weights", &weights, "--part", "train", "--json"]);
    let figures: serde_json::Value = serde_json::from_str(&figures).unwrap();
    assert_eq!(figures["metrics"]["accuracy"].as_f64(), Some(1.0));

    // From its own file: one epoch more starts where it was, not at ln 2.
    let again = folder.path("again");
    done(&["train", "--model", &model, "--run", &again, "--from", &weights, "--epochs", "1", "--quiet"]);
    let metrics = String::from_utf8(folder.read("again/metrics.jsonl")).unwrap();
    let epoch = metrics.lines().find(|line| line.contains("\"event\":\"epoch\"")).unwrap();
    let epoch: serde_json::Value = serde_json::from_str(epoch).unwrap();
    let loss = epoch["record"]["train_loss"].as_f64().or(epoch["train_loss"].as_f64()).unwrap();
    assert!(loss < 0.2, "{epoch}");

    // What is imported is what was there.
    let out = folder.path("imported.safetensors");
    done(&["import", &weights, "--model", &model, "--out", &out]);
    assert!(folder.read("imported.safetensors") == bytes, "the same weights are the same file");
    // For PyTorch: its module's tensors and no others.
    let plain = folder.path("plain.safetensors");
    done(&["export", &weights, "--model", &model, "--profile", "plain", "--out", &plain]);
    let bytes = folder.read("plain.safetensors");
    let mut names: Vec<String> =
        SafeTensors::deserialize(&bytes).unwrap().names().iter().map(|n| n.to_string()).collect();
    names.sort();
    let mut expected: Vec<String> = ["ih", "hh"]
        .iter()
        .flat_map(|part| ["weight", "bias"].map(|kind| format!("rnn.{kind}_{part}_l0")))
        .flat_map(|name| [name.clone(), name + "_reverse"])
        .chain(["head.weight".into(), "head.bias".into()])
        .collect();
    expected.sort();
    assert_eq!(names, expected);
}

#[test]
fn what_is_the_devices_is_refused_by_name() {
    let (folder, model) = folder(LSTM, "[device]\nram = \"64 KiB\"\n");
    let lacks = "the host trains transpose, the device does not have transpose yet";
    let out = folder.path("x");
    let weights = folder.write("weights.safetensors", "");
    for arguments in [
        &["plan", "--model", &model][..],
        &["train", "--model", &model, "--run", &folder.path("run"), "--quiet"],
        &["simulate", "--model", &model, "--weights", &weights],
        &["export", &weights, "--model", &model, "--out", &out],
    ] {
        let answer = emberlite(arguments);
        assert_eq!(answer.status, 1, "{arguments:?}");
        assert!(answer.error.contains(lacks), "{arguments:?}: {}", answer.error);
    }
    let fixed =
        std::fs::read_to_string(&model).unwrap().replace("input = [2, 4]", "input = [2, 4]\nformat = \"fixed16\"");
    let answer = emberlite(&["plan", "--model", &folder.write("fixed.toml", fixed)]);
    assert!(answer.status == 1 && answer.error.contains(lacks), "{}", answer.error);
}

/// A mistake in shapes is at its line, with what to write instead.
#[test]
fn a_linear_layer_of_a_sequence_says_what_to_take() {
    let (folder, model) = folder("", "");
    let answer = emberlite(&["plan", "--model", &model]);
    let expected = "error: model.toml:12: layer 1 (linear): needs a vector [features], its input is 4x2; `flatten` it, or take \
                    `sequence_linear` for the features of every position of [length, features]\n";
    assert_eq!((answer.status, folder.plain(&answer.error).as_str()), (1, expected));
}
