//! Every mistake ends with status 1 and one message that says where, what was expected, what was found, what to do.

mod cli_common;

use cli_common::{Folder, ROWS, emberlite, small, trained};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};

/// A line of the small model's description, what is written instead, and the message of `plan`.
const DESCRIPTIONS: [(&str, &str, &str); 40] = [
    // Unknown and missing keys.
    ("batch = 4", "bacth = 4", "model.toml:16: unknown key `training.bacth`; did you mean `batch`?"),
    (
        "batch = 4",
        "turbo = true",
        "model.toml:16: unknown key `training.turbo`; possible here: accumulate, batch, checkpoint, class_weights, clip, device, early_stopping, ema, epochs, label_smoothing, layers, log_every, loss, max_steps, metrics, optimizer, penalty, precision, sampling, schedule, seed, steps_per_epoch",
    ),
    (
        "[model]",
        "[modle]",
        "model.toml:1: `model` is missing (there is `modle`); give `[model]` with `input` and `layers`",
    ),
    (
        "outputs = 4",
        "output = 4",
        "model.toml:10: `model.layers[0]`: `outputs` is missing (there is `output`); give a whole number from 1 to 65535",
    ),
    (
        "outputs = 4",
        "outputs = 4, kernel = 3",
        "model.toml:10: unknown key `model.layers[0].kernel`; possible here: bias, from, name, op, outputs, update",
    ),
    (
        "input = [2]",
        "",
        "model.toml:6: `model`: `input` is missing; give the shape of one sample, such as [64], [6, 50] or [1, 28, 28]",
    ),
    (
        "file = \"rows.csv\"",
        "",
        "model.toml:2: `data`: `file` is missing; give a CSV, Parquet or NPZ file, `images` and `labels` (IDX), or one of image_folder, cifar10, cifar100, audio_folder, text_folder and corpus",
    ),
    // Wrong types and ranges.
    (
        "outputs = 4",
        "outputs = \"4\"",
        "model.toml:10: `model.layers[0].outputs`: expected a whole number from 1 to 65535, found the text \"4\"",
    ),
    (
        "outputs = 4",
        "outputs = 70000",
        "model.toml:10: `model.layers[0].outputs`: expected a whole number from 1 to 65535, found 70000",
    ),
    (
        "outputs = 4",
        "outputs = -1",
        "model.toml:10: `model.layers[0].outputs`: expected a whole number from 1 to 65535, found -1",
    ),
    (
        "learning_rate = 0.01 }",
        "learning_rate = nan }",
        "model.toml:15: `training.optimizer.learning_rate`: expected a finite number, found nan",
    ),
    (
        "learning_rate = 0.01 }",
        "learning_rate = -0.5 }",
        "model.toml:15: `training.optimizer.learning_rate`: expected a positive number, found -0.5",
    ),
    (
        "input = [2]",
        "input = 2",
        "model.toml:7: `model.input`: expected one to three sizes: [features], [channels, length] or [channels, height, width], found 2",
    ),
    (
        "input = [2]",
        "input = [1, 2, 3, 4]",
        "model.toml:7: `model.input`: expected one to three sizes: [features], [channels, length] or [channels, height, width], found a list of 4",
    ),
    (
        "epochs = 3",
        "epochs = 0",
        "model.toml:17: `training.epochs`: expected a whole number from 1 to 1000000, found 0",
    ),
    (
        "classes = [\"a\", \"b\"]",
        "classes = \"a\"",
        "model.toml:5: `data.classes`: expected a list of names, found the text \"a\"",
    ),
    (
        "label = { class = \"class\" }",
        "label = \"class\"",
        "model.toml:4: `data.label`: expected { class = \"column\" } or { value = \"column\" }, found the text \"class\"",
    ),
    (
        "[device]",
        "[device]\nram = \"64 parsecs\"",
        "model.toml:20: `device.ram`: expected a size in bytes, or a text such as \"64 KiB\" (B; KiB, MiB: 1024 and 1024²; kB or KB, MB: 1000 and 1000²), below 4 GiB, found the text \"64 parsecs\"",
    ),
    // Unknown names.
    (
        "op = \"relu\"",
        "op = \"rleu\"",
        "model.toml:11: `model.layers[1].op`: unknown operation `rleu`; did you mean `relu`?",
    ),
    (
        "name = \"adam\"",
        "name = \"adm\"",
        "model.toml:15: `training.optimizer.name`: unknown optimizer `adm`; did you mean `adam`?",
    ),
    (
        "format = \"f32\"",
        "format = \"f16\"",
        "model.toml:8: `model.format`: unknown number format `f16`; possible here: f32, fixed16",
    ),
    (
        "device = \"cpu\"",
        "device = \"vulcan\"",
        "model.toml:18: `training.device`: unknown device `vulcan`; did you mean `vulkan`?",
    ),
    // Not the misspelt CPU that it is nearest to.
    (
        "device = \"cpu\"",
        "device = \"gpu\"",
        "model.toml:18: `training.device`: `gpu` is no device; there are: auto, cpu, wgpu, vulkan, cuda, and GPUs by number as cuda:1",
    ),
    (
        "{ op = \"relu\" }",
        "{ op = \"relu\", update = \"none\" }",
        "model.toml:11: `model.layers[1].update`: unknown update rule `none`; possible here: full, bias, frozen",
    ),
    (
        "{ op = \"relu\" }",
        "{ op = \"add\", from = \"stem\" }",
        "model.toml:11: `model.layers[1].from`: unknown earlier layer `stem`; possible here: input, previous",
    ),
    (
        "[device]",
        "[device]\nboard = \"m4\"",
        "model.toml:20: `device.board`: unknown board `m4`; did you mean `m4f`? there are: m0 (STM32F091RC, 32 KiB RAM), m3 (STM32F103RE, 64 KiB RAM), m4f (STM32F401RC, 64 KiB RAM), m4f-large (STM32L4R5ZI, 640 KiB RAM), m7 (STM32F722RE, 256 KiB RAM), rv32imac (ESP32-C6, 512 KiB RAM), rv32imafc (CH32V307VC, 64 KiB RAM)",
    ),
    // Another number is another board, no misspelling.
    (
        "[device]",
        "[device]\nboard = \"m9\"",
        "model.toml:20: `device.board`: unknown board `m9`; there are: m0 (STM32F091RC, 32 KiB RAM), m3 (STM32F103RE, 64 KiB RAM), m4f (STM32F401RC, 64 KiB RAM), m4f-large (STM32L4R5ZI, 640 KiB RAM), m7 (STM32F722RE, 256 KiB RAM), rv32imac (ESP32-C6, 512 KiB RAM), rv32imafc (CH32V307VC, 64 KiB RAM)",
    ),
    // What others call our keys.
    ("batch = 4", "batch_size = 4", "model.toml:16: unknown key `training.batch_size`; it is `batch` here"),
    (
        "classes = [\"a\", \"b\"]",
        "separator = \";\"",
        "model.toml:5: unknown key `data.separator`; it is `delimiter` here",
    ),
    (
        "classes = [\"a\", \"b\"]",
        "classes = [\n\"a\", \"b\",\n\"a\"]",
        "model.toml:7: `data.classes[2]`: `a` stands here twice, first as number 0; take one out",
    ),
    // At the key that is wrong, not at the name.
    (
        "learning_rate = 0.01 }",
        "learning_rate = 0.01, beta1 = 0.8, beta2 = 1.5 }",
        "model.toml:15: `training.optimizer.beta2`: expected a number from 0 up to, not with, 1, found 1.5",
    ),
    (
        "batch = 4",
        "schedule = { name = \"step\", every = 5, gamma = 2 }",
        "model.toml:16: `training.schedule.gamma`: gamma must be in (0, 1]",
    ),
    // Layers that don't fit together, at their line.
    (
        "{ op = \"relu\" }",
        "{ op = \"conv2d\", channels = 3, kernel = 3 }",
        "model.toml:11: layer 1 (conv2d): needs an image [channels, height, width], its input is 4",
    ),
    (
        "{ op = \"relu\" }",
        "{ op = \"relu\", from = 7 }",
        "model.toml:11: layer 1 (relu): reads layer 7, which is not before it",
    ),
    (
        "{ op = \"relu\" }",
        "{ op = \"relu\", from = \"input\" }",
        "model.toml:10: layer 0 (linear): nobody reads its output, and it is not the last layer",
    ),
    (
        "outputs = 2",
        "outputs = 1",
        "model.toml:12: a class label needs a vector of at least 2 outputs, the model has 1",
    ),
    ("op = \"linear\", outputs = 2", "op = \"linear\", outputs = 2, update = \"frozen\"", ""),
    (
        "[device]",
        "[device]\nram = 100",
        "model.toml:20: training needs 144 bytes (parameters 104 + optimizer state 0 + gradients 0 + activations, errors and scratch 40), the budget is 100; shrink the model, freeze layers, take plain sgd or batch 1, or a larger part",
    ),
    (
        "[device]",
        "[device]\nflash = \"1 KiB\"",
        "model.toml:20: the model's file needs 1824 bytes, the flash has 1024; shrink the model or take fixed16",
    ),
    // Not TOML at all.
    ("input = [2]", "input = [2", "model.toml:8: not valid TOML: missing comma between array elements, expected `,`"),
];

#[test]
fn a_wrong_description_is_refused_at_its_line() {
    let folder = Folder::new();
    let mut wrong = Vec::new();
    for (line, instead, expected) in DESCRIPTIONS {
        let text = small("f32");
        assert!(text.contains(line), "{line}");
        let path = folder.write("model.toml", text.replacen(line, instead, 1));
        let answer = emberlite(&["plan", "--model", &path]);
        let (status, message) = match expected {
            "" => (0, String::new()),
            text => (1, format!("error: {text}\n")),
        };
        let got = folder.plain(&answer.error);
        if (answer.status, &got) != (status, &message) {
            wrong.push(format!("{line} -> {instead}\n  expected {message}  found    {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fixed_point_says_what_it_lacks() {
    let folder = Folder::new();
    for (line, instead, expected) in [
        ("{ op = \"relu\" }", "{ op = \"tanh\" }", "model.toml:11: layer 1 (tanh): tanh does not exist in fixed16 yet"),
        (
            "{ op = \"relu\" }",
            "{ op = \"relu\" },\n    { op = \"batch_norm\" }",
            "model.toml:12: layer 2 (batch_norm) can't be folded: it doesn't follow a linear layer or a convolution; put it right behind one",
        ),
        (
            "batch = 4",
            "penalty = { l2 = 0.1 }",
            "model.toml:20: fixed16 has no penalties: set l1 and l2 to 0 or use f32",
        ),
    ] {
        let path = folder.write("model.toml", small("fixed16").replacen(line, instead, 1));
        let answer = emberlite(&["plan", "--model", &path]);
        assert_eq!((answer.status, folder.plain(&answer.error)), (1, format!("error: {expected}\n")));
    }
    // Batch norm behind its layer is folded, dropout is left out: the plan has the device's layers.
    let text = small("fixed16").replacen(
        "{ op = \"relu\" }",
        "{ op = \"batch_norm\" }, { op = \"relu\" }, { op = \"dropout\" }",
        1,
    );
    let answer = emberlite(&["plan", "--json", "--model", &folder.write("model.toml", text)]);
    let plan: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!(plan["layers"].as_array().unwrap().len(), 3, "{}", answer.error);
}

/// Data that doesn't fit its description: a line of the description, a change; the rows, a change; the message.
#[test]
fn wrong_data_is_refused_at_its_place() {
    let folder = Folder::new();
    for ((line, instead), (cell, other), expected) in [
        (
            ("x", "x"),
            ("4,30,b", "4,b"),
            "rows.csv:5: expected 3 cells as in the first line, found 2; check the delimiter and the quotes",
        ),
        (
            ("input = [2]", "input = [3]"),
            ("x", "x"),
            "model.toml:7: `model.input`: the model takes 3 numbers, a sample of the data is 2 numbers; change the input, the feature columns or the window",
        ),
        (
            ("class = \"class\"", "class = \"kind\""),
            ("x", "x"),
            "model.toml:4: `data.label.class`: rows.csv: no column or array `kind`; there are: x, y, class",
        ),
        (
            ("class = \"class\"", "class = \"clas\""),
            ("x", "x"),
            "model.toml:4: `data.label.class`: rows.csv: no column or array `clas`; did you mean `class`? there are: x, y, class",
        ),
        (
            ("classes = [\"a\", \"b\"]", "features = [\"x\",\n\"z\"]"),
            ("x", "x"),
            "model.toml:6: `data.features[1]`: rows.csv: no column or array `z`; there are: x, y, class",
        ),
        (
            ("x", "x"),
            (ROWS, "x;y;class\n1;2;a\n"),
            "rows.csv:1: expected several columns, found one, `x;y;class`; say delimiter = \";\" in [data]",
        ),
        (
            ("x", "x"),
            (ROWS, "x\ty\tclass\n1\t2\ta\n"),
            "rows.csv:1: expected several columns, found one, `x\\ty\\tclass`; say delimiter = \"\\t\" in [data]",
        ),
        (
            ("classes = [\"a\", \"b\"]", "test = { by = \"group\", columns = [\"person\"], share = 0.5 }"),
            ("x", "x"),
            "model.toml:5: `data.test`: groups: expected a group column `person`, found no group column; name it in `groups` in [data], or divide by another",
        ),
        (
            ("classes = [\"a\", \"b\"]", "window = { length = 9 }"),
            ("x", "x"),
            "model.toml:5: `data.window`: windows of 9 rows: expected at least one run of that many rows of one recording, group and class, found longest run 8; take a shorter window, or the label of the last row or the majority",
        ),
        (
            ("file = \"rows.csv\"", "file = \"none.csv\""),
            ("x", "x"),
            "model.toml:3: `data.file`: none.csv: No such file or directory (os error 2); check the path and the permissions",
        ),
        (
            ("classes = [\"a\", \"b\"]", "stream = true"),
            (ROWS, "x;y;class\n1;2;a\n"),
            "rows.csv:1: expected several columns, found one, `x;y;class`; say delimiter = \";\" in [data]",
        ),
        (
            ("label = { class = \"class\" }\nclasses = [\"a\", \"b\"]", "stream = true\nlabel = { class = \"clas\" }"),
            ("x", "x"),
            "model.toml:5: `data.label.class`: rows.csv: no column or array `clas`; did you mean `class`?",
        ),
        (
            ("classes = [\"a\", \"b\"]", "test = { file = \"none.csv\" }"),
            ("x", "x"),
            "model.toml:5: `data.test.file`: none.csv: No such file or directory (os error 2)",
        ),
        (
            ("outputs = 2", "outputs = 3"),
            ("x", "x"),
            "model.toml:12: the labels name 2 classes, the head has 3 outputs",
        ),
    ] {
        folder.write("rows.csv", ROWS.replacen(cell, other, 1));
        let path = folder.write("model.toml", small("f32").replacen(line, instead, 1));
        let answer = emberlite(&["train", "--quiet", "--model", &path, "--run", &folder.path("run")]);
        let error = folder.plain(&answer.error);
        assert_eq!(answer.status, 1);
        assert!(error.starts_with(&format!("error: {expected}")), "expected {expected}\nfound    {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let folder = trained("f32");
    let weights = folder.path("model.safetensors");
    let other = folder.write("other.toml", small("f32").replacen("outputs = 4", "outputs = 5", 1));
    let fixed = folder.write("fixed.toml", small("fixed16"));
    let mut damaged = folder.read("model.safetensors");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 4;
    let damaged = folder.write("damaged.safetensors", damaged);
    let cut = folder.read("model.safetensors");
    let cut = folder.write("cut.safetensors", &cut[..cut.len() - 4]);
    let text = folder.write("text.safetensors", "hello");
    let model = folder.path("model.toml");
    let rows = folder.path("rows.csv");
    let out = folder.path("out.safetensors");
    let three = folder.write("three.csv", "x,y,class\n1,2,c\n");
    let far = folder.write("far.csv", "x,y,class\n1e9,2,a\n");
    let (empty, empty_pth) = (folder.write("empty.safetensors", ""), folder.write("empty.pth", ""));
    let here = folder.path("");
    let cases: [(&[&str], &str); 15] = [
        (&["plan", "--model", &here], ": this is a folder; give the file in it, model.toml"),
        (
            &["import", &empty, "--model", &model, "--out", &out],
            "empty.safetensors: the file is empty; save it again, or fetch it again",
        ),
        (
            &["import", &empty_pth, "--model", &model, "--out", &out],
            "empty.pth: the file is empty; save it again, or fetch it again",
        ),
        (&["export", &empty, "--out", &out], "empty.safetensors: the file is empty; save it again, or fetch it again"),
        (&["inspect", &empty], "empty.safetensors: the file is empty; save it again, or fetch it again"),
        (&["inspect", &damaged], "damaged.safetensors: the file is damaged: checksum "),
        (&["inspect", &cut], "cut.safetensors: the file needs "),
        (&["inspect", &text], "text.safetensors: the file needs 80 bytes, there are 5"),
        (&["inspect", "/none/such"], "/none/such: can't read: No such file or directory"),
        (
            &["simulate", "--model", &other, "--weights", &weights, "--data", &rows],
            "model.safetensors: the file is another model's: its layout is ",
        ),
        (
            &["simulate", "--model", &fixed, "--weights", &weights, "--data", &rows],
            "model.safetensors: the file is another model's: its layout is ",
        ),
        (
            &["simulate", "--model", &model, "--weights", &weights],
            "model.toml:2: `data`: there is no test part, so nothing was judged; add one, such as test = { by = \"fraction\", share = 0.2 }, and \
             train anew, or name samples with --data FILE",
        ),
        (
            &["simulate", "--model", &model, "--weights", &weights, "--data", &three],
            "three.csv:2: column `class`: expected one of the named classes, found `c`",
        ),
        (
            &["simulate", "--model", &model, "--weights", &weights, "--data", &far],
            "sample 0: input element 0 is beyond 1e6 in magnitude: normalise it",
        ),
        (
            &["import", &text, "--model", &model, "--out", &out],
            "text.safetensors: neither safetensors nor a file of PyTorch, but a text that ",
        ),
    ];
    for (arguments, expected) in cases {
        let answer = emberlite(arguments);
        let error = folder.plain(&answer.error);
        assert_eq!((answer.status, answer.out.as_str()), (1, ""), "{arguments:?}: {error}");
        assert!(error.starts_with(&format!("error: {expected}")), "expected {expected}\nfound    {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert!(!std::fs::exists(&out).unwrap(), "no file where there was an error");
}

#[test]
fn an_imported_tensor_of_another_shape_is_named() {
    let folder = trained("f32");
    let (model, weights) = (folder.path("model.toml"), folder.path("model.safetensors"));
    let plain = folder.path("plain.safetensors");
    cli_common::done(&["export", &weights, "--profile", "plain", "--out", &plain]);
    for (line, instead, expected) in [
        (
            "outputs = 4",
            "outputs = 5",
            "plain.safetensors: tensor `0.weight`: layer 0 (linear) needs shape [5, 2], found [4, 2]",
        ),
        (
            "{ op = \"relu\" },",
            "",
            "plain.safetensors: tensor `1.weight` is missing: layer 1 (linear) needs it, of shape [2, 4]",
        ),
        (
            "outputs = 4 }",
            "outputs = 4, bias = false }",
            "plain.safetensors: nothing takes tensor `0.bias`; the model takes: 0.weight, 2.weight, 2.bias, ~normalisation; \
             take it out, or rename it to the one that it is",
        ),
    ] {
        let model = folder.write("other.toml", small("f32").replacen(line, instead, 1));
        let answer = emberlite(&["import", &plain, "--model", &model, "--out", &folder.path("x")]);
        assert_eq!((answer.status, folder.plain(&answer.error)), (1, format!("error: {expected}\n")));
    }
    cli_common::done(&["import", &plain, "--model", &model, "--out", &folder.path("again.safetensors")]);
    assert_eq!(folder.read("again.safetensors"), folder.read("model.safetensors"));
}

#[test]
fn an_imported_tensor_that_nothing_takes_is_named() {
    let folder = trained("f32");
    let (model, out) = (folder.path("model.toml"), folder.path("out.safetensors"));
    cli_common::done(&[
        "export",
        &folder.path("model.safetensors"),
        "--profile",
        "plain",
        "--out",
        &folder.path("plain"),
    ]);
    let plain = folder.read("plain");
    let with = |name: &str, shape: Vec<usize>| {
        let file = SafeTensors::deserialize(&plain).unwrap();
        let ones: Vec<u8> = [1f32; 4].iter().flat_map(|x| x.to_le_bytes()).collect();
        let further = TensorView::new(Dtype::F32, shape, &ones).unwrap();
        let all = file.tensors().into_iter().chain([(name.to_string(), further)]);
        let path = folder.write("with.safetensors", serialize(all, None).unwrap());
        emberlite(&["import", &path, "--model", &model, "--out", &out])
    };
    for name in
        ["~normalization", "~normalisation ", "~padding", "~state.0.weight.2", "~state.0.gamma", "~", "3.weight"]
    {
        let answer = with(name, vec![2, 2]);
        let takes = "the model takes: 0.weight, 0.bias, 2.weight, 2.bias, ~normalisation;";
        assert_eq!(answer.status, 1, "{name}");
        assert!(answer.error.contains(&format!("nothing takes tensor `{name}`; {takes}")), "{}", answer.error);
    }
    for name in ["~normalisation", "~pad3", "~state.0.weight.1", "~golden_input", "1.num_batches_tracked"] {
        assert_eq!(with(name, vec![2, 2]).error, "", "{name}");
    }
    // A sealed file has all that there can be besides.
    let sealed = folder.path("model.safetensors");
    cli_common::done(&["import", &sealed, "--model", &model, "--out", &out]);
    assert_eq!(folder.read("out.safetensors"), folder.read("model.safetensors"));
}

#[test]
fn a_wrong_call_is_status_2_and_help_is_0() {
    for arguments in [&["train", "--epochs", "0"][..], &["fly"], &[], &["simulate", "--weights", "x", "--steps", "3"]] {
        let answer = emberlite(arguments);
        assert_eq!((answer.status, answer.out.as_str()), (2, ""), "{arguments:?}");
        assert!(answer.error.contains("--help"), "{}", answer.error);
    }
    for command in ["new", "train", "plan", "export", "import", "inspect", "simulate"] {
        let answer = emberlite(&[command, "--help"]);
        assert_eq!((answer.status, answer.error.as_str()), (0, ""), "{command}");
        assert!(answer.out.contains("Usage: emberlite"), "{}", answer.out);
    }
}

/// The program itself, for the exit status that a shell sees.
#[test]
fn the_exit_status_reaches_the_shell() {
    let program = env!("CARGO_BIN_EXE_emberlite");
    let status = |arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(status(&["--version"]).0, Some(0));
    assert_eq!(status(&["fly"]).0, Some(2));
    let (code, error) = status(&["inspect", "/none/such"]);
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
}

#[test]
fn a_rate_that_never_was_one_is_answered_with_a_usual_one() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let model = folder.write("model.toml", small("f32").replacen("learning_rate = 0.01", "learning_rate = 1e30", 1));
    let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &folder.path("run")]);
    let expected =
        "not finite at a learning rate of 1e30: training has diverged; try a learning rate of 0.001, a warm-up";
    assert!(answer.status == 1 && answer.error.contains(expected), "{}", answer.error);
}
