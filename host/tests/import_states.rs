//! State dicts that PyTorch wrote, in every container and number type, give PyTorch's outputs; and what is written back has
//! the names and shapes that PyTorch's module loads.

mod cli_common;

use std::path::{Path, PathBuf};

use emberlite::graph::Graph;
use emberlite::number::Format;
use emberlite_host::export::{Trained, import, import_file, state_dict, state_file};
use emberlite_host::spec::Spec;
use emberlite_host::train::{DeviceChoice, predict};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

fn states() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/states")
}

fn spec(layers: &str, input: &str, rest: &str) -> Spec {
    let text = format!("[model]\ninput = {input}\nlayers = [\n{layers}]\n{rest}");
    Spec::parse("model.toml", &text, Path::new("base")).unwrap()
}

const MLP: &str = r#"
    { op = "linear", outputs = 6 },
    { op = "relu" },
    { op = "linear", outputs = 3 },
"#;

const RESNET: &str = r#"
    { op = "conv2d", channels = 4, kernel = 3, padding = 1, bias = false, name = "conv1" },
    { op = "batch_norm", name = "bn1" },
    { op = "relu", name = "stem" },
    { op = "conv2d", channels = 4, kernel = 3, padding = 1, bias = false, name = "layer1.0.conv1" },
    { op = "batch_norm", name = "layer1.0.bn1" },
    { op = "relu" },
    { op = "conv2d", channels = 4, kernel = 3, padding = 1, bias = false, name = "layer1.0.conv2" },
    { op = "batch_norm", name = "layer1.0.bn2" },
    { op = "add", from = "stem" },
    { op = "relu", name = "layer1.0" },
    { op = "conv2d", channels = 6, kernel = 3, stride = 2, padding = 1, bias = false, name = "layer2.0.conv1" },
    { op = "batch_norm", name = "layer2.0.bn1" },
    { op = "relu" },
    { op = "conv2d", channels = 6, kernel = 3, padding = 1, bias = false, name = "layer2.0.conv2" },
    { op = "batch_norm", name = "layer2.0.bn2" },
    { op = "conv2d", channels = 6, kernel = 1, stride = 2, bias = false, from = "layer1.0", name = "layer2.0.downsample.0" },
    { op = "batch_norm", name = "layer2.0.downsample.1" },
    { op = "add", from = "layer2.0.bn2" },
    { op = "relu" },
    { op = "global_average_pool" },
    { op = "linear", outputs = 3, name = "fc" },
"#;

const LSTM: &str = r#"
    { op = "lstm", hidden = 4, bidirectional = true },
    { op = "lstm", hidden = 4, bidirectional = true, return_sequences = false },
    { op = "linear", outputs = 2, name = "head" },
"#;

fn encoder_layer(index: usize, from: &str) -> String {
    let name = |part: &str| format!("name = \"encoder.layers.{index}.{part}\"");
    format!(
        "{{ op = \"attention\", heads = 2, {} }},\n\
         {{ op = \"add\", from = \"{from}\" }},\n\
         {{ op = \"sequence_layer_norm\", {} }},\n\
         {{ op = \"sequence_linear\", outputs = 12, {} }},\n\
         {{ op = \"gelu\" }},\n\
         {{ op = \"sequence_linear\", outputs = 8, {} }},\n\
         {{ op = \"add\", from = \"encoder.layers.{index}.norm1\" }},\n\
         {{ op = \"sequence_layer_norm\", {} }},\n",
        name("self_attn"),
        name("norm1"),
        name("linear1"),
        name("linear2"),
        name("norm2")
    )
}

fn encoder() -> String {
    let (first, second) = (encoder_layer(0, "positions"), encoder_layer(1, "encoder.layers.0.norm2"));
    format!(
        "{{ op = \"embedding\", vocabulary = 11, features = 8, name = \"embedding\" }},\n\
         {{ op = \"positional_encoding\", learned = true, name = \"positions\" }},\n{first}{second}\
         {{ op = \"transpose\" }},\n{{ op = \"global_average_pool\" }},\n\
         {{ op = \"linear\", outputs = 3, name = \"classifier\" }},\n"
    )
}

fn decoder() -> String {
    let mut layers = "{ op = \"embedding\", vocabulary = 13, features = 8, name = \"wte\" },\n\
                      { op = \"positional_encoding\", learned = true, name = \"wpe\" },\n"
        .to_string();
    for block in 0..2 {
        let before = if block == 0 { "wpe".into() } else { format!("block{}", block - 1) };
        layers += &format!(
            "{{ op = \"sequence_layer_norm\", name = \"blocks.{block}.ln_1\" }},\n\
             {{ op = \"attention\", heads = 4, causal = true, name = \"blocks.{block}.attn\" }},\n\
             {{ op = \"add\", from = \"{before}\", name = \"middle{block}\" }},\n\
             {{ op = \"sequence_layer_norm\", name = \"blocks.{block}.ln_2\" }},\n\
             {{ op = \"sequence_linear\", outputs = 16, name = \"blocks.{block}.fc\" }},\n\
             {{ op = \"gelu\", approximate = \"tanh\" }},\n\
             {{ op = \"sequence_linear\", outputs = 8, name = \"blocks.{block}.proj\" }},\n\
             {{ op = \"add\", from = \"middle{block}\", name = \"block{block}\" }},\n"
        );
    }
    layers
        + "{ op = \"sequence_layer_norm\", name = \"ln_f\" },\n\
           { op = \"sequence_linear\", outputs = 13, bias = false, name = \"lm_head\" },\n"
}

/// Layers without their names, so that order and shapes must do.
fn nameless(layers: &str) -> String {
    let kept = |line: &str| match line.split_once(", name = \"") {
        Some((before, rest)) => {
            let name = rest.split('"').next().unwrap_or_default();
            let referred = layers.contains(&format!("from = \"{name}\""));
            if referred {
                line.replace(name, &name.replace(['.', '_'], "-").to_uppercase())
            } else {
                format!("{before} }},")
            }
        }
        None => line.to_string(),
    };
    let mut text: String = layers.lines().map(|line| kept(line) + "\n").collect();
    for line in layers.lines() {
        if let Some(name) = line.split_once(", name = \"").and_then(|(_, rest)| rest.split('"').next()) {
            let other = name.replace(['.', '_'], "-").to_uppercase();
            text = text.replace(&format!("from = \"{name}\""), &format!("from = \"{other}\""));
        }
    }
    text
}

fn all() -> [(&'static str, &'static str, String, &'static str); 5] {
    [
        ("mlp", "mlp.pth", MLP.into(), "[4]"),
        ("resnet", "resnet.pth", RESNET.into(), "[3, 6, 6]"),
        ("lstm", "lstm.pt", LSTM.replace(", name = \"head\"", ""), "[5, 3]"),
        ("encoder", "encoder.safetensors", encoder(), "[6]"),
        ("decoder", "decoder.safetensors", decoder(), "[5]"),
    ]
}

/// PyTorch's inputs and outputs.
fn outputs(name: &str) -> (Vec<f32>, Vec<f32>) {
    let bytes = std::fs::read(states().join("outputs.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |key: &str| {
        let view = file.tensor(&format!("{name}/{key}")).unwrap();
        view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
    };
    (numbers("x"), numbers("y"))
}

/// The networks are some twenty sums of at most 54 products deep, of numbers below 10: `20 * 54` roundings of `2^-24` are
/// 6.4e-5 at the worst, and rounding is rarely all to one side.
#[track_caller]
fn gives_pytorchs_outputs(name: &str, spec: &Spec, parameters: &emberlite_host::Parameters) {
    let (x, y) = outputs(name);
    let graph = Graph::new(Format::F32, spec.model.input, &spec.model.nodes);
    let ours = predict(graph, parameters, &x, DeviceChoice::Cpu).unwrap();
    assert_eq!(ours.len(), y.len(), "{name}");
    for (i, (a, b)) in ours.iter().zip(&y).enumerate() {
        assert!((a - b).abs() <= 2e-5 * b.abs().max(1.0), "{name}[{i}]: {a}, PyTorch has {b}");
    }
}

#[test]
fn files_of_pytorch_give_its_outputs() {
    for (name, file, layers, input) in all() {
        let spec = spec(&layers, input, "");
        let imported = import_file(&states().join(file), &spec).unwrap_or_else(|error| panic!("{file}: {error}"));
        gives_pytorchs_outputs(name, &spec, &imported.parameters);
    }
}

/// `conv1` and `bn1` stand in the order of the names, and what could be exchanged is numbered.
#[test]
fn without_names_order_and_shapes_do() {
    for (name, file, layers, input) in all() {
        let spec = spec(&nameless(&layers), input, "");
        let imported = import_file(&states().join(file), &spec);
        if name == "decoder" {
            // Its embedding and its head have the same shape; a guess could be wrong, and nothing would show it.
            let error = imported.unwrap_err().to_string();
            assert!(
                error.contains("layer 0 (embedding) and layer 19 (sequence_linear) have tensors of the same"),
                "{error}"
            );
            continue;
        }
        let imported = imported.unwrap_or_else(|error| panic!("{file}: {error}"));
        gives_pytorchs_outputs(name, &spec, &imported.parameters);
    }
}

/// Damage gives an error, or other numbers: the archive's own checksums aren't looked at.
#[test]
fn damaged_files_of_pytorch_never_panic() {
    let folder = cli_common::Folder::new();
    for (name, file, layers, input) in all() {
        let spec = spec(&layers, input, "");
        let good = std::fs::read(states().join(file)).unwrap();
        let mut read = 0;
        for number in 0..DAMAGED {
            let path = folder.write(file, cli_common::edited(&good, number, &[]));
            let Ok(imported) = import_file(Path::new(&path), &spec) else { continue };
            read += 1;
            // Whatever is taken has the model's shapes, and finite numbers.
            let tensors = state_dict(&spec, &imported.parameters).unwrap();
            assert!(tensors.iter().flat_map(|tensor| &tensor.values).all(|value| value.is_finite()), "{name} {number}");
        }
        assert!(read > 0 && read < DAMAGED, "{name}: {read}");
    }
}

/// Files made of each.
const DAMAGED: u64 = 100;

/// Shapes whose rows no number counts, of tensors without a byte: together they would be a third.
#[test]
fn shapes_that_overflow_are_refused() {
    let spec = spec("{ op = \"attention\", heads = 2, name = \"a\" },\n", "[5, 8]", "");
    let names = ["q_proj", "k_proj", "v_proj", "out_proj"].map(|part| format!("a.{part}.weight"));
    let tensors = names.each_ref().map(|name| {
        let shape = [usize::MAX / 2 + 1, 0];
        (name.as_str(), TensorView::new(Dtype::F32, shape.to_vec(), &[]).unwrap())
    });
    let error = import(&serialize(tensors, None).unwrap(), &spec).unwrap_err().to_string();
    assert!(
        error.contains("tensor `a.in_proj_weight`: layer 0 (attention) needs shape [24, 8], found [0, 0]"),
        "{error}"
    );
}

#[test]
fn the_description_may_say_which_module_a_layer_is() {
    let layers = MLP.replacen("outputs = 6", "outputs = 6, name = \"stem\"", 1);
    let file = states().join("mlp.pth");
    let named = spec(&layers, "[4]", "[import]\nnames = { stem = \"0\", 2 = \"2\" }\n");
    gives_pytorchs_outputs("mlp", &named, &import_file(&file, &named).unwrap().parameters);
    let wrong = spec(&layers, "[4]", "[import]\nnames = { stem = \"first\" }\n");
    let error = import_file(&file, &wrong).unwrap_err().to_string();
    assert_eq!(error, "tensor `first.weight` is missing: layer 0 (linear) needs it, of shape [6, 4]");
    let text = format!("[model]\ninput = [4]\nlayers = [{layers}]\n[import]\nnames = {{ stm = \"0\" }}\n");
    let error = Spec::parse("model.toml", &text, Path::new("base")).unwrap_err().to_string();
    assert_eq!(error, "model.toml:9: `import.names.stm`: unknown layer `stm`; did you mean `stem`?");
}

#[test]
fn what_does_not_fit_is_listed() {
    let other = spec(&MLP.replace("outputs = 6", "outputs = 7"), "[4]", "");
    let error = import_file(&states().join("lstm.pt"), &other).unwrap_err().to_string();
    for part in [
        "missing: layer 0 (linear) needs weight [7, 4], bias [7]; layer 2 (linear) needs weight [3, 7], bias [3]",
        "left over: head.bias [2], head.weight [2, 8]; rnn.bias_hh_l0 [16], ",
        "name the layers as the file does, or say which module a layer is in `[import]`",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = import_file(&states().join("mlp.pth"), &other).unwrap_err().to_string();
    assert_eq!(error, "tensor `0.weight`: layer 0 (linear) needs shape [7, 4], found [6, 4]");
}

/// As BERT and as OPT name the projections, which lie apart there.
#[test]
fn attention_may_lie_apart() {
    let bytes = std::fs::read(states().join("decoder.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let spec = spec(&decoder(), "[5]", "");
    let whole = import(&bytes, &spec).unwrap().parameters;
    for (parts, out) in
        [(["q_proj", "k_proj", "v_proj"], "out_proj"), (["self.query", "self.key", "self.value"], "output.dense")]
    {
        let mut apart: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for (name, view) in file.iter() {
            let (dims, data) = (view.shape().to_vec(), view.data());
            match name.split_once("in_proj_") {
                Some((module, kind)) => {
                    for (part, data) in parts.iter().zip(data.chunks(data.len() / 3)) {
                        let dims = [&[dims[0] / 3], &dims[1..]].concat();
                        apart.push((format!("{module}{part}.{kind}"), dims, data.to_vec()));
                    }
                }
                None => apart.push((name.replace("out_proj", out), dims, data.to_vec())),
            }
        }
        let views = apart.iter().map(|(name, dims, data)| {
            (name.as_str(), safetensors::tensor::TensorView::new(safetensors::Dtype::F16, dims.clone(), data).unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        assert_eq!(import(&bytes, &spec).unwrap().parameters, whole, "{parts:?}");
    }
}

/// Damage gives an error or other numbers, and never a panic.
#[test]
fn damaged_files_are_refused() {
    let folder = cli_common::Folder::new();
    for (_, file, layers, input) in all() {
        let spec = spec(&layers, input, "");
        let whole = std::fs::read(states().join(file)).unwrap();
        for at in (0..whole.len()).step_by(41) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            let _ = import_file(Path::new(&folder.write(file, bytes)), &spec);
        }
        for len in (0..whole.len()).step_by(97) {
            let cut = import_file(Path::new(&folder.write(file, &whole[..len])), &spec);
            assert!(cut.is_err(), "{file}: {len} bytes of {}", whole.len());
        }
    }
}

#[test]
fn what_is_written_has_pytorchs_names_and_shapes() {
    for (name, file, layers, input) in all().into_iter().filter(|(name, ..)| *name != "lstm") {
        let spec = spec(&layers, input, "");
        let parameters = import_file(&states().join(file), &spec).unwrap().parameters;
        let trained =
            Trained { parameters: &parameters, standardise: None, samples: None, classes: &[], encoder: None };
        let written = state_file(&spec, &trained).unwrap();
        // By name, the same parameters come back.
        assert_eq!(import(&written, &spec).unwrap().parameters, parameters, "{name}");
        let back = SafeTensors::deserialize(&written).unwrap();
        let mut ours: Vec<String> = back.names().into_iter().map(str::to_string).collect();
        ours.sort_unstable();
        let mut expected = state_dict(&spec, &parameters).unwrap();
        expected.sort_by(|a, b| a.name.cmp(&b.name));
        assert!(expected.iter().map(|tensor| &tensor.name).eq(&ours), "{name}: {ours:?}");
        if file.ends_with(".safetensors") {
            let original = std::fs::read(states().join(file)).unwrap();
            let original = SafeTensors::deserialize(&original).unwrap();
            let names = |file: &SafeTensors<'_>| {
                let shape = |name: &str| file.tensor(name).unwrap().shape().to_vec();
                // Bare positions are a module here, and have no batch of one.
                let plain = |(name, dims): (String, Vec<usize>)| match name.as_str() {
                    "positions" | "positions.weight" => ("positions".to_string(), vec![6, 8]),
                    _ => (name, dims),
                };
                let mut all: Vec<_> =
                    file.names().into_iter().map(|name| plain((name.to_string(), shape(name)))).collect();
                all.sort();
                all
            };
            assert_eq!(names(&back), names(&original), "{name}");
        }
    }
}
