//! Files through the program: conversions keep every bit, and readers that know nothing of us open them.

mod cli_common;

use cli_common::{Folder, ROWS, done, emberlite, trained};
use emberlite::image::{Image, Kind, MODEL};
use emberlite::optimizer::OptimizerKind;
use emberlite_host::export::Bytes;
use std::path::Path;
use std::process::Command;

#[test]
fn profiles_convert_both_ways_without_loss() {
    for format in ["f32", "fixed16"] {
        let folder = trained(format);
        let (sealed, raw, back) =
            (folder.path("model.safetensors"), folder.path("model.raw"), folder.path("back.safetensors"));
        done(&["export", &sealed, "--profile", "raw", "--out", &raw]);
        done(&["export", &raw, "--out", &back, "--model", &folder.path("model.toml")]);
        assert_eq!(folder.read("back.safetensors"), folder.read("model.safetensors"), "{format}");
        assert!(folder.read("model.raw").len() < folder.read("model.safetensors").len());
        // Both run the same.
        let rows = folder.path("rows.csv");
        let model = folder.path("model.toml");
        let evaluate = |weights: &str| done(&["simulate", "--model", &model, "--weights", weights, "--data", &rows]);
        assert_eq!(evaluate(&sealed), evaluate(&raw));
    }
}

/// What the device has learnt goes along: without the name of its optimizer the state would be refused.
#[test]
fn a_file_with_state_converts_both_ways_without_loss() {
    let folder = trained("f32");
    let adam = cli_common::small("f32").replace("\"sgd\"", "\"adam\"");
    let (model, rows) = (folder.write("adam.toml", adam), folder.path("rows.csv"));
    let (sealed, learnt) = (folder.path("model.safetensors"), folder.path("learnt.safetensors"));
    let simulate = ["simulate", "--model", &model, "--data", &rows, "--steps", "8", "--weights"];
    done(&[&simulate[..], &[&sealed, "--out", &learnt]].concat());
    let (raw, back) = (folder.path("learnt.raw"), folder.path("back.safetensors"));
    done(&["export", &learnt, "--profile", "raw", "--out", &raw]);
    done(&["export", &learnt, "--out", &back]);
    assert_eq!(folder.read("back.safetensors"), folder.read("learnt.safetensors"));
    for name in ["learnt.safetensors", "learnt.raw"] {
        let bytes = Bytes::new(&folder.read(name));
        assert_eq!(Image::open(bytes.as_slice()).unwrap().optimizer(), Some(OptimizerKind::Adam), "{name}");
    }
    // Both go on alike.
    let on = |from: &str, to: &str| done(&[&simulate[..], &[from, "--out", to]].concat());
    assert_eq!(on(&learnt, &folder.path("a.safetensors")), on(&raw, &folder.path("b.safetensors")));
}

#[test]
fn fixed_point_made_later_is_the_same_file() {
    let folder = trained("fixed16");
    let (real, again) = (folder.path("model.f32.safetensors"), folder.path("again.safetensors"));
    done(&["export", &real, "--model", &folder.path("model.toml"), "--out", &again]);
    assert_eq!(folder.read("again.safetensors"), folder.read("model.safetensors"));
}

/// A sealed file is whole or refused: what `import` makes of one gets a fresh seal.
#[test]
fn a_damaged_sealed_file_is_not_imported() {
    let folder = trained("f32");
    let whole = folder.read("model.safetensors");
    let sealed = Bytes::new(&whole);
    let image = Image::open(sealed.as_slice()).unwrap();
    let weight = image.tensor(0, Kind::Weight).unwrap().bytes.as_ptr().addr() - sealed.as_slice().as_ptr().addr();
    let mut damaged = whole.clone();
    // Two bits of the first weight's significand: the number stays one.
    damaged[weight] ^= 0b11;
    // Neither is a plain file one that has lost its seal's name.
    let mut unnamed = damaged.clone();
    let name = whole.windows(5).position(|five| five == b"~seal").unwrap();
    unnamed[name..name + 5].copy_from_slice(b"~pad9");
    let (model, out) = (folder.path("model.toml"), folder.path("out.safetensors"));
    for bytes in [damaged, unnamed] {
        let path = folder.write("damaged.safetensors", bytes);
        let imported = emberlite(&["import", &path, "--model", &model, "--out", &out]);
        let exported = emberlite(&["export", &path, "--out", &out]);
        assert_eq!(imported, exported, "the same damage has the same words");
        assert_eq!(imported.status, 1);
        assert!(imported.error.contains("damaged.safetensors: the file is damaged: checksum"), "{}", imported.error);
    }
    assert!(!folder.names().contains(&"out.safetensors".to_string()));
    done(&["import", &folder.path("model.safetensors"), "--model", &model, "--out", &out]);
}

#[test]
fn the_self_check_is_right() {
    for format in ["f32", "fixed16"] {
        let folder = trained(format);
        let bytes = Bytes::new(&folder.read("model.safetensors"));
        let image = Image::open(bytes.as_slice()).unwrap();
        let (input, output) =
            (image.tensor(MODEL, Kind::GoldenInput).unwrap(), image.tensor(MODEL, Kind::GoldenOutput).unwrap());
        assert_eq!((input.dims(), output.dims()), (&[2][..], &[2][..]));
        if format == "f32" {
            // The first row, (1, 10), through the file's own constants and weights, in f64.
            let numbers = |node, kind| image.tensor(node, kind).unwrap().as_f32().unwrap().to_vec();
            let normalisation = numbers(MODEL, Kind::Normalisation);
            let x: Vec<f64> = [1.0, 10.0]
                .iter()
                .enumerate()
                .map(|(i, x)| (x - f64::from(normalisation[i])) * f64::from(normalisation[2 + i]))
                .collect();
            for (x, golden) in x.iter().zip(input.as_f32().unwrap()) {
                assert!((x - f64::from(*golden)).abs() < 1e-6);
            }
            let layer = |x: &[f64], node: u8| -> Vec<f64> {
                let (w, b) = (numbers(node, Kind::Weight), numbers(node, Kind::Bias));
                let row = |r: usize| (0..x.len()).map(|i| x[i] * f64::from(w[r * x.len() + i])).sum::<f64>();
                (0..b.len()).map(|r| row(r) + f64::from(b[r])).collect()
            };
            let hidden: Vec<f64> = layer(&x, 0).iter().map(|h| h.max(0.0)).collect();
            for (y, golden) in layer(&hidden, 2).iter().zip(output.as_f32().unwrap()) {
                assert!((y - f64::from(*golden)).abs() < 1e-5, "{y} {golden}");
            }
        }
    }
}

#[test]
fn inspect_shows_what_is_in_a_file() {
    let folder = trained("fixed16");
    let text = done(&["inspect", &folder.path("model.safetensors")]);
    for expected in [
        "safetensors profile, sealed, checksum right",
        "metadata    classes = [\"a\",\"b\"]",
        "metadata    name = small",
        "  0 linear outputs=4 bias=1 update=full from=previous",
        "0.weight               I16             4x2",
        "~normalisation_fixed   I32             4x2",
        "  layer 2      value ",
    ] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
}

/// The `safetensors` package of Python opens what we write. Skipped where no interpreter has it; naming one in
/// EMBERLITE_PYTHON makes its absence an error.
#[test]
fn python_opens_the_files() {
    let asked = std::env::var("EMBERLITE_PYTHON").ok();
    let python = asked.clone().unwrap_or_else(|| "python3".into());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/reference/check_safetensors.py");
    let has = Command::new(&python).args(["-c", "import safetensors, numpy"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        assert!(asked.is_none(), "EMBERLITE_PYTHON is {python}, which can't import safetensors and numpy");
        eprintln!("skipped: {python} can't import safetensors and numpy; name one that can in EMBERLITE_PYTHON");
        return;
    }
    let open = |folder: &Folder, name: &str| {
        let output = Command::new(&python).arg(&script).arg(folder.path(name)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let folder = trained("f32");
    done(&[
        "export",
        &folder.path("model.safetensors"),
        "--profile",
        "plain",
        "--out",
        &folder.path("plain.safetensors"),
    ]);
    let sealed = open(&folder, "model.safetensors");
    assert!(sealed.contains("tensor 0.weight F32 4x2\n") && sealed.contains("metadata name 'small'"), "{sealed}");
    assert!(sealed.contains("tensor ~normalisation F32 2x2\n"), "{sealed}");
    let plain = open(&folder, "plain.safetensors");
    let expected = "metadata format 'pt'\ntensor 0.bias F32 4\ntensor 0.weight F32 4x2\ntensor 2.bias F32 2\ntensor 2.weight F32 2x4\n";
    assert_eq!(plain, expected);
}

/// Before an epoch is spent, and before anything is overwritten.
#[test]
fn a_place_that_cannot_be_written_is_refused_first() {
    let folder = trained("f32");
    let (before, metrics) = (folder.names(), folder.read("run/metrics.jsonl"));
    let [model, rows, weights, run] =
        ["model.toml", "rows.csv", "model.safetensors", "run"].map(|name| folder.path(name));
    let model_again = folder.path("run/../model.toml");
    let beneath = folder.path("rows.csv/deep/x");
    let overwritten = |what| format!("is {what} too, which would be overwritten; choose another path");
    let train = ["train", "--quiet", "--model", &model, "--run"];
    let new = folder.path("new");
    for (run, out, message) in [
        (&new, &run, "is a folder; name a file in it".to_string()),
        (&new, &beneath, "can't be made, since a part of the path is a file; choose another path".into()),
        (&new, &model, overwritten("the description")),
        (&new, &model_again, overwritten("the description")),
        (&new, &rows, overwritten("a file of [data]")),
        (&run, &folder.path("run/metrics.jsonl"), "is the run's file too; choose another path".into()),
    ] {
        let answer = emberlite(&[&train[..], &[run, "--out", out]].concat());
        assert_eq!((answer.status, answer.error), (1, format!("error: --out {out}: {message}\n")));
    }
    // Longer than any file system has names: only the system knows.
    let long = folder.path(&"x".repeat(400));
    let answer = emberlite(&[&train[..], &[&run, "--out", &long]].concat());
    assert!(answer.status == 1 && answer.error.contains("xxx: can't write: "), "{}", answer.error);
    assert_eq!(folder.read("run/metrics.jsonl"), metrics);
    let simulate = ["simulate", "--model", &model, "--weights", &weights, "--data", &rows, "--steps", "4"];
    for (out, metrics, name, message) in [
        (&new, &new, "--metrics", "is --out too; choose another path".to_string()),
        (&weights, &new, "--out", overwritten("--weights")),
        (&new, &rows, "--metrics", overwritten("--data")),
        (&new, &model, "--metrics", overwritten("the description")),
    ] {
        let answer = emberlite(&[&simulate[..], &["--out", out, "--metrics", metrics]].concat());
        let path = if name == "--out" { out } else { metrics };
        assert_eq!((answer.status, answer.error), (1, format!("error: {name} {path}: {message}\n")));
    }
    // Nor is anything that other commands read, whatever its path is called.
    let files = ["model.toml", "rows.csv", "model.safetensors", "run/report.json"];
    let contents = files.map(|name| folder.read(name));
    let weights_again = folder.path("run/../model.safetensors");
    let (report, report_again) = (folder.path("run/report.json"), folder.path("run/../run/report.json"));
    for (arguments, out, message) in [
        (&["export", &weights, "--profile", "plain"][..], &weights_again, "the sealed file"),
        (&["export", &weights, "--model", &model], &model_again, "the description"),
        (&["export", &weights, "--model", &model], &rows, "a file of [data]"),
        (&["import", &weights, "--model", &model], &weights_again, "the state dict"),
        (&["import", &weights, "--model", &model], &model_again, "the description"),
        (&["import", &weights, "--model", &model], &rows, "a file of [data]"),
        (&["report", &report], &report_again, "the report's values"),
    ] {
        let answer = emberlite(&[arguments, &["--out", out]].concat());
        let expected = format!("error: --out {out}: {}\n", overwritten(message));
        assert_eq!((answer.status, answer.error), (1, expected), "{arguments:?}");
    }
    // Nor what a command doesn't even know of.
    let others = ["other.toml", "other.CSV", "other.pth"].map(|name| folder.write(name, "mine"));
    for (arguments, flag) in [
        (&["export", &weights, "--profile", "plain"][..], "--out"),
        (&["report", &report], "--out"),
        (&["import", &weights, "--model", &model], "--out"),
        (&["compare", &run], "--out"),
        (&["data", &model], "--images"),
        (&[&train[..], &[&new]].concat(), "--out"),
        (&simulate, "--out"),
        (&[&simulate[..], &["--out", &new]].concat(), "--metrics"),
    ] {
        for out in &others {
            let answer = emberlite(&[arguments, &[flag, out]].concat());
            let expected = "is there already, and by its ending a description or data; choose another path";
            assert_eq!(
                (answer.status, answer.error),
                (1, format!("error: {flag} {out}: {expected}\n")),
                "{arguments:?}"
            );
        }
    }
    for out in others {
        assert_eq!(std::fs::read(&out).unwrap(), b"mine");
        std::fs::remove_file(out).unwrap();
    }
    // Nor a checkpoint of whatever run; a model's file is replaced.
    let (checkpoint, before_export) =
        (folder.path("run/checkpoint.safetensors"), folder.read("run/checkpoint.safetensors"));
    let answer = emberlite(&["export", &weights, "--profile", "plain", "--out", &checkpoint]);
    let expected =
        format!("error: --out {checkpoint}: is a checkpoint, of a training that could go on; choose another path\n");
    assert_eq!((answer.status, answer.error), (1, expected));
    assert!(folder.read("run/checkpoint.safetensors") == before_export);
    let copy = folder.path("copy.safetensors");
    (0..2).for_each(|_| drop(done(&["export", &weights, "--profile", "plain", "--out", &copy])));
    std::fs::remove_file(copy).unwrap();
    // Nor does a file take the place of a pipe; a link stays, and what it leads to is written.
    let (pipe, link) = (folder.path("pipe.safetensors"), folder.path("link.safetensors"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let expected = "is a pipe, not a regular file";
    for arguments in [
        &["export", &weights, "--profile", "plain", "--out", &pipe][..],
        &["inspect", &pipe],
        &["evaluate", "--model", &model, "--weights", &pipe],
    ] {
        let answer = emberlite(arguments);
        assert!(answer.status == 1 && answer.error.contains(expected), "{}", answer.error);
    }
    std::fs::remove_file(pipe).unwrap();
    let target = folder.write("target.safetensors", "before");
    std::os::unix::fs::symlink(&target, &link).unwrap();
    done(&["export", &weights, "--profile", "plain", "--out", &link]);
    assert!(Path::new(&link).is_symlink() && folder.read("target.safetensors") != b"before");
    std::fs::remove_file(target).unwrap();
    std::fs::remove_file(link).unwrap();
    // Nor is the run's folder a file, though it isn't there yet.
    let answer = emberlite(&[&train[..], &[&new, "--out", &new]].concat());
    assert_eq!(
        (answer.status, answer.error),
        (1, format!("error: --out {new}: is the run's folder too; name a file in it\n"))
    );
    // The page of a run is made of what was measured when it ended.
    let page = folder.path("run/report.html");
    let answer = emberlite(&["compare", &run, "--out", &page]);
    assert_eq!((answer.status, answer.error), (1, format!("error: --out {page}: {}\n", overwritten("a run's file"))));
    // What a training starts from isn't the place where it ends, in the file or in the run's folder.
    let started = folder.path("started");
    done(&[&train[..], &[&started, "--from", &weights]].concat());
    let (from, checkpoint) = (folder.path("started/model.safetensors"), folder.path("started/checkpoint.safetensors"));
    let before_started = folder.read("started/model.safetensors");
    for (arguments, message) in [
        (&[&started, "--from", &from][..], format!("the device's file {from}: {}", overwritten("--from"))),
        (&[&new, "--from", &weights, "--out", &weights], format!("--out {weights}: {}", overwritten("--from"))),
        (&[&started, "--from", &checkpoint], format!("the run's file {checkpoint}: {}", overwritten("--from"))),
    ] {
        let answer = emberlite(&[&train[..], arguments].concat());
        assert_eq!((answer.status, answer.error), (1, format!("error: {message}\n")));
    }
    assert!(folder.read("started/model.safetensors") == before_started);
    std::fs::remove_dir_all(&started).unwrap();
    assert!(files.map(|name| folder.read(name)) == contents, "an input was written over");
    // A mistyped folder isn't made, whatever would be written; a run's own is.
    let typo = folder.path("some/mistyped/x");
    let sheet = ["data", &model, "--images", &typo];
    let report = folder.path("run/report.json");
    for arguments in [
        &[&train[..], &[&new, "--out", &typo]].concat()[..],
        &[&simulate[..], &["--out", &typo]].concat(),
        &[&simulate[..], &["--out", &new, "--metrics", &typo]].concat(),
        &["export", &weights, "--out", &typo],
        &["import", &weights, "--model", &model, "--out", &typo],
        &["report", &report, "--out", &typo],
        &["compare", &run, "--out", &typo],
        &sheet,
    ] {
        let answer = emberlite(arguments);
        let said = folder.plain(&answer.error);
        let expected = "some/mistyped/x: there is no folder some/mistyped; make it, or mend the path\n";
        assert!(answer.status == 1 && said.starts_with("error: --") && said.ends_with(expected), "{said}");
    }
    assert_eq!(folder.names(), before);
    assert_eq!(folder.read("rows.csv"), ROWS.as_bytes());
    done(&[&train[..], &[&new, "--out", &folder.path("new/deeper/x.safetensors")]].concat());
}

/// Even for those who may write anywhere there is a folder where nothing can be.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_is_named_with_what_to_do() {
    let folder = trained("f32");
    for (run, what) in [
        ("/proc/self", "nothing can be written into the run's folder"),
        ("/proc/self/none", "the run's folder can't be made"),
    ] {
        let said = emberlite(&["train", "--quiet", "--model", &folder.path("model.toml"), "--run", run]).error;
        assert!(said.starts_with(&format!("error: {run}: {what}: ")), "{said}");
        assert!(
            said.ends_with("; mend that (permissions, space left), or choose another folder with --run\n"),
            "{said}"
        );
    }
}
