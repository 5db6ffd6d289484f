//! What a description becomes: the same graph, settings and parts as written in Rust.

use std::path::Path;

use emberlite::graph::{
    Shape, add, average_pool1d, batch_norm, conv1d, conv2d_with, dropout, flatten, global_average_pool, layer_norm,
    leaky_relu, linear, max_pool2d, relu, relu6, sigmoid, tanh,
};
use emberlite::loss::Loss;
use emberlite::number::Format;
use emberlite::optimizer::{Clip, Decay, Optimizer, Penalty, Schedule};
use emberlite::plan::Training;

use super::{EarlyStopping, Files, Part, Spec, Stored};
use crate::data::{CsvSpec, Label, Labels, Missing, Rule, Scaling, Window, WindowLabel};

fn parse(text: &str) -> Spec {
    Spec::parse("model.toml", text, Path::new("base")).unwrap()
}

const MODEL: &str = "\n[model]\ninput = [4]\nlayers = [{ op = \"linear\", outputs = 3 }]\n";

#[test]
fn layers_are_those_of_the_constructors() {
    let spec = parse(
        r#"
        [model]
        input = [3, 16, 20]
        layers = [
            { op = "conv2d", channels = 8, kernel = [3, 5], stride = [2, 1], padding = [1, 2], name = "stem" },
            { op = "relu6", update = "frozen" },
            { op = "conv2d", channels = 8, kernel = 3, padding = 1, groups = 2, bias = false, update = "bias" },
            { op = "batch_norm", momentum = 0.2, epsilon = 0.001 },
            { op = "add", from = "stem" },
            { op = "add", from = ["previous", 1] },
            { op = "max_pool2d", window = 3, stride = 2, padding = 1, floor = true },
            { op = "leaky_relu", slope = 0.2 },
            { op = "dropout", rate = 0.25 },
            { op = "layer_norm" },
            { op = "global_average_pool" },
            { op = "sigmoid" },
            { op = "tanh" },
            { op = "linear", outputs = 3 },
        ]
        "#,
    );
    let mut norm = batch_norm().epsilon(0.001);
    if let emberlite::op::Op::BatchNorm(n) = &mut norm.op {
        n.momentum = 0.2;
    }
    let mut last_add = add(1);
    last_add.inputs[0] = emberlite::graph::Source::Previous;
    let nodes = [
        conv2d_with(8, [3, 5], [2, 1], [1, 2]),
        relu6().frozen(),
        conv2d_with(8, [3, 3], [1, 1], [1, 1]).groups(2).no_bias().bias_only(),
        norm,
        add(0),
        last_add,
        max_pool2d(3).stride(2).padding(1).floor(),
        leaky_relu(0.2),
        dropout(0.25),
        layer_norm(),
        global_average_pool(),
        sigmoid(),
        tanh(),
        linear(3),
    ];
    assert_eq!(spec.graph().nodes, nodes);
    assert_eq!((spec.model.input, spec.model.format, spec.layer_name(0)), (Shape::d3(3, 16, 20), Format::F32, "stem"));
    // Sequences: the height of windows is 1.
    let spec = parse(
        r#"
        [model]
        input = [6, 50]
        format = "fixed16"
        [[model.layers]]
        op = "conv1d"
        channels = 4
        kernel = 5
        stride = 2
        padding = 2
        [[model.layers]]
        op = "average_pool1d"
        window = 5
        [[model.layers]]
        op = "flatten"
        "#,
    );
    assert_eq!(spec.graph().nodes, [conv1d(4, 5).stride(2).padding(2), average_pool1d(5), flatten()]);
    assert_eq!(spec.model.format, Format::Fixed16);
}

#[test]
fn the_devices_graph_has_neither_batch_norm_nor_dropout_in_fixed_point() {
    let text = r#"
        [model]
        input = [4]
        format = "fixed16"
        layers = [
            { op = "linear", outputs = 3, bias = false },
            { op = "batch_norm" },
            { op = "relu", name = "act" },
            { op = "dropout" },
            { op = "linear", outputs = 3, name = "head" },
            { op = "add", from = "act" },
        ]
        "#;
    let spec = parse(text);
    assert_eq!(spec.graph().nodes, [linear(3), relu(), linear(3), add(1)]);
    assert_eq!(["", "act", "head", ""], [0, 1, 2, 3].map(|node| spec.layer_name(node)));
    assert_eq!(spec.host_nodes().len(), 6);
    // Errors of the written layers have their numbers; those of the device's are at the line that they come from.
    let wrong = text.replace("outputs = 3, name", "outputs = 4, name");
    let error = Spec::parse("model.toml", &wrong, Path::new("")).unwrap_err();
    assert_eq!((error.line, error.message.as_str()), (11, "layer 5 (add): adds 4 and 3, which differ"));
    let lacking = parse(&text.replace("op = \"linear\", outputs = 3, name", "op = \"tanh\", name"));
    let error = lacking.plan().unwrap_err();
    assert_eq!((error.line, error.message.as_str()), (10, "layer 2 (tanh): tanh does not exist in fixed16 yet"));
    assert_eq!(parse(&text.replace("fixed16", "f32")).graph().nodes.len(), 6);
}

#[test]
fn dropout_may_stand_between_a_layer_and_its_norm() {
    let layers = |last: &str| {
        format!(
            r#"
        [model]
        input = [2, 8]
        format = "fixed16"
        layers = [
            {{ op = "conv1d", channels = 3, kernel = 3 }},
            {{ op = "dropout", rate = 0.5 }},
            {{ op = "batch_norm" }},
            {{ op = "relu" }},
            {{ op = "flatten" }},
            {last}
        ]
        "#
        )
    };
    let spec = parse(&layers("{ op = \"linear\", outputs = 2 },"));
    assert_eq!(spec.graph().nodes, [conv1d(3, 3), relu(), flatten(), linear(2)]);
    // A norm without a layer is refused at its own line, whatever went before it.
    let error = Spec::parse("model.toml", &layers("{ op = \"batch_norm\" },"), Path::new("")).unwrap_err();
    assert_eq!(error.line, 11, "{error}");
    assert!(error.message.starts_with("layer 5 (batch_norm) can't be folded: it doesn't follow"), "{error}");
}

#[test]
fn settings_are_those_of_core() {
    let optimizers = [
        ("{ name = \"sgd\", learning_rate = 0.1 }", Optimizer::sgd(0.1)),
        (
            "{ name = \"sgd\", learning_rate = 1, momentum = 0.9, nesterov = true, weight_decay = 0.01 }",
            Optimizer::Sgd { learning_rate: 1.0, momentum: 0.9, nesterov: true, weight_decay: 0.01 },
        ),
        ("{ name = \"adam\", learning_rate = 0.1 }", Optimizer::adam(0.1)),
        ("{ name = \"adamw\", learning_rate = 0.1 }", Optimizer::adam_w(0.1)),
        ("{ name = \"rmsprop\", learning_rate = 0.1 }", Optimizer::rms_prop(0.1)),
        ("{ name = \"adagrad\", learning_rate = 0.1 }", Optimizer::ada_grad(0.1)),
    ];
    for (text, expected) in optimizers {
        let spec = parse(&format!("[training]\noptimizer = {text}{MODEL}"));
        assert_eq!(spec.training.settings.optimizer, expected);
    }
    let spec = parse(&format!(
        r#"
        [training]
        loss = {{ name = "huber", delta = 0.5 }}
        optimizer = {{ name = "adam", learning_rate = 0.001 }}
        schedule = {{ name = "cosine", steps = 500, minimum = 1e-5, warmup = 20, start = 0.1 }}
        penalty = {{ l1 = 0.1, l2 = 0.2 }}
        clip = {{ global_norm = 2.0 }}
        batch = 64
        epochs = 7
        seed = 3
        device = "cpu"
        early_stopping = {{ patience = 4, minimum_gain = 0.5, monitor = "train_loss" }}
        [device]
        board = "m4f"
        ram = "8 KiB"
        flash = "1 MB"
        [device.training]
        loss = "mean_squared_error"
        schedule = {{ name = "step", every = 10, gamma = 0.5 }}
        clip = {{ value = 1 }}
        {MODEL}"#
    ));
    let host = Training::new(Loss::Huber { delta: 0.5 }, Optimizer::adam(0.001))
        .schedule(Schedule::new(Decay::Cosine { steps: 500, minimum: 1e-5 }).warmed_up(20, 0.1))
        .penalty(0.1, 0.2)
        .clip(Clip::GlobalNorm(2.0))
        .batch(64)
        .seed(3);
    assert_eq!(spec.training.settings, host);
    assert_eq!((spec.training.epochs, spec.training.device), (7, crate::train::DeviceChoice::Cpu.into()));
    let stopping = EarlyStopping { monitor: Some(crate::metrics::Monitor::TrainLoss), patience: 4, minimum_gain: 0.5 };
    assert_eq!(spec.training.early_stopping, Some(stopping));
    // The device: the host's settings, one sample a step, at a constant rate, but for what its section says.
    let device = Training {
        loss: Loss::MeanSquaredError,
        schedule: Schedule::new(Decay::Step { every: 10, gamma: 0.5 }),
        clip: Clip::Value(1.0),
        batch: 1,
        ..host
    };
    assert_eq!(spec.device.training, device);
    assert_eq!(
        (spec.device.board.as_deref(), spec.device.ram, spec.device.flash),
        (Some("m4f"), Some(8192), Some(1_000_000))
    );
    // Nothing said: Adam, and the loss that goes with the labels.
    let spec = parse(&format!("[data]\nfile = \"x.csv\"\nlabel = {{ value = \"y\" }}\n{MODEL}"));
    assert_eq!(spec.training.settings, Training::new(Loss::MeanSquaredError, Optimizer::adam(0.001)).batch(32));
    assert_eq!(spec.device.training.penalty, Penalty::NONE);
}

#[test]
fn data_is_described_in_full() {
    let spec = parse(&format!(
        r#"
        [data]
        files = ["a.csv", "/b.csv.gz"]
        label = {{ class = "kind" }}
        classes = ["b", "a"]
        features = ["x", "y"]
        groups = ["person"]
        recording = "take"
        missing = "drop_row"
        delimiter = ";"
        header = false
        window = {{ length = 50, stride = 25, label = "majority" }}
        validation = {{ by = "tail", share = 0.25 }}
        test = {{ by = "group", columns = ["person"], share = 0.5, seed = 9 }}
        [preprocessing]
        standardise = false
        scale = 0.5
        {MODEL}"#
    ));
    let data = spec.data.unwrap();
    let columns = CsvSpec {
        label: Label::Class("kind".into()),
        classes: vec!["b".into(), "a".into()],
        features: vec!["x".into(), "y".into()],
        groups: vec!["person".into()],
        recording: Some("take".into()),
        missing: Missing::DropRow,
        delimiter: ';',
        header: false,
        ..CsvSpec::default()
    };
    assert_eq!(data.files, Files::Csv { paths: vec!["base/a.csv".into(), "/b.csv.gz".into()], spec: columns });
    assert_eq!(data.window, Some(Window { length: 50, stride: 25, label: WindowLabel::Majority }));
    assert_eq!(data.validation, Some(Part::Tail { share: 0.25 }));
    assert_eq!(data.test, Some(Part::Rule(Rule::Group { columns: vec!["person".into()], share: 0.5, seed: 9 })));
    assert_eq!((data.prepare.scaling, data.scale), (Scaling::None, 0.5));
    let npz = parse(&format!("[data]\nfile = \"x.npz\"\nlabel = {{ class = \"y\" }}\n{MODEL}")).data.unwrap();
    let files = Files::Npz {
        path: "base/x.npz".into(),
        features: "x".into(),
        label: Label::Class("y".into()),
        classes: Vec::new(),
    };
    assert_eq!(npz.files, files);
    let idx = "[data]\nimages = \"i\"\nlabels = \"l\"\ntest = { images = \"ti\", labels = \"tl\" }\n";
    let idx = parse(&format!("{idx}{MODEL}")).data.unwrap();
    assert_eq!(idx.files, Files::Idx { images: "base/i".into(), labels: "base/l".into(), classes: Vec::new() });
    assert_eq!(
        idx.test,
        Some(Part::Files(Files::Idx { images: "base/ti".into(), labels: "base/tl".into(), classes: Vec::new() }))
    );
}

/// Ten rows of two people: which rows are in which part, by their number in the first column.
#[test]
fn parts_hold_what_the_rules_say() {
    let folder = std::env::temp_dir().join(format!("emberlite-parts-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let rows: String = (0..10).map(|row| format!("{row},{},{}\n", ["p", "q"][row / 5], ["u", "v"][row % 2])).collect();
    std::fs::write(folder.join("rows.csv"), format!("x,person,kind\n{rows}")).unwrap();
    std::fs::write(folder.join("more.csv"), "x,person,kind\n70,r,u\n").unwrap();
    let load = |parts: &str| {
        let text = format!(
            "[data]\nfile = \"rows.csv\"\nlabel = {{ class = \"kind\" }}\ngroups = [\"person\"]\n{parts}\n\
             [preprocessing]\nscale = 10\n[model]\ninput = [1]\nlayers = [{{ op = \"linear\", outputs = 2 }}]\n"
        );
        let parts = Spec::parse("model.toml", &text, &folder).unwrap().load_parts().unwrap();
        let numbers = |set: Option<crate::data::Dataset>| set.map(|set| set.features).unwrap_or_default();
        (numbers(Some(parts.train)), numbers(parts.validation), numbers(parts.test))
    };
    let tens = |rows: &[usize]| rows.iter().map(|&row| row as f32 * 10.0).collect::<Vec<_>>();
    let all = tens(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(load(""), (all.clone(), vec![], vec![]));
    // What is named goes to the part: a filter's matches, the head, the tail.
    let by_person = load("test = { by = \"filter\", conditions = [\"person=q\"] }");
    assert_eq!(by_person, (tens(&[0, 1, 2, 3, 4]), vec![], tens(&[5, 6, 7, 8, 9])));
    let ends = load("test = { by = \"tail\", share = 0.2 }\nvalidation = { by = \"head\", share = 0.25 }");
    assert_eq!(ends, (tens(&[2, 3, 4, 5, 6, 7]), tens(&[0, 1]), tens(&[8, 9])));
    // Files of their own, with the classes of all: `more.csv` has only one.
    assert_eq!(load("test = { file = \"more.csv\" }"), (all, vec![], vec![700.0]));
    let text = "[data]\nfile = \"more.csv\"\nlabel = { class = \"kind\" }\ngroups = [\"person\"]\n".to_string() + MODEL;
    let text = text.replace("input = [4]", "input = [1]");
    let spec = Spec::parse("model.toml", &text, &folder).unwrap();
    let stored = Stored { classes: vec!["v".into(), "u".into()], encoder: None };
    let set = spec.load_file(&folder.join("more.csv"), &stored).unwrap();
    assert_eq!(set.labels, Labels::Class { ids: vec![1], names: vec!["v".into(), "u".into()] });
    std::fs::remove_dir_all(&folder).unwrap();
}
