//! Data that can't be learnt from: each is refused by a sentence that says which file, what is wrong with it, and what to do.

mod cli_common;

use cli_common::bars::{MODEL, pictures};
use cli_common::{Folder, done, emberlite};
use serde_json::Value;

/// A model of one layer for the data that the text describes.
fn model(folder: &Folder, data: &str, input: &str, more: &str) -> String {
    let text = format!(
        "name = \"x\"\n{data}\n[model]\ninput = {input}\nlayers = [{{ op = \"flatten\" }}, {{ op = \"linear\", outputs = 2 }}]\n\
         [training]\nepochs = 1\nbatch = 2\ndevice = \"cpu\"\n{more}"
    );
    folder.write("model.toml", text)
}

/// What `train` says of it.
fn refused(folder: &Folder, model: &str) -> String {
    let answer = emberlite(&["train", "--quiet", "--model", model, "--run", &folder.path("run")]);
    assert_eq!(answer.status, 1, "{}", answer.out);
    folder.plain(&answer.error)
}

fn idx(kind: &[u8], dims: &[u32], values: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|dim| dim.to_be_bytes()).collect();
    [&[0, 0], kind, &dims, values].concat()
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_read() {
    let folder = Folder::new();
    let pipe = |name: &str| {
        assert!(std::process::Command::new("mkfifo").arg(folder.path(name)).status().unwrap().success());
    };
    pipe("pipe.csv");
    std::fs::create_dir(folder.path("folder.csv")).unwrap();
    for stream in [false, true] {
        for (file, kind) in [("pipe.csv", "a pipe"), ("folder.csv", "a folder"), ("/dev/zero", "a device or a socket")]
        {
            let data = format!("[data]\nfile = \"{file}\"\nlabel = {{ class = \"y\" }}\nstream = {stream}");
            let said = refused(&folder, &model(&folder, &data, "[2]", ""));
            assert!(said.contains(&format!("{file}: it is {kind}, not a regular file; check the path")), "{said}");
            assert!(said.starts_with("error: model.toml:3: `data.file`: "), "{said}");
        }
    }
    pipe("images");
    folder.write("labels", idx(&[8, 1], &[2], &[0, 1]));
    let data = "[data]\nimages = \"images\"\nlabels = \"labels\"";
    assert!(refused(&folder, &model(&folder, data, "[1, 2, 2]", "")).contains("images: it is a pipe"));
    pictures(&folder, "photos", 2);
    pipe("photos/lying/pipe.png");
    let path = folder.write("model.toml", MODEL);
    assert!(refused(&folder, &path).contains("photos/lying/pipe.png: it is a pipe, not a regular file"));
}

#[test]
fn arrays_that_disagree_are_named_both() {
    let folder = Folder::new();
    let images = idx(&[8, 3], &[3, 2, 2], &[1; 12]);
    folder.write("images", &images);
    for stream in [false, true] {
        let data = format!("[data]\nimages = \"images\"\nlabels = \"labels\"\nstream = {stream}");
        let said = |labels: Vec<u8>| {
            folder.write("labels", labels);
            refused(&folder, &model(&folder, &data, "[1, 2, 2]", ""))
        };
        let text = said(idx(&[8, 1], &[2], &[0, 1]));
        assert!(
            text.starts_with("error: labels: expected one number for each of the 3 samples of images, found 2;"),
            "{text}"
        );
        // As many rows, but of several numbers.
        let text = said(idx(&[8, 2], &[3, 2], &[0, 1, 0, 1, 0, 1]));
        assert!(
            text.contains(
                "labels: expected one number for each of the 3 samples of images, found an array of shape [3, 2];"
            ),
            "{text}"
        );
        let text = said(idx(&[0x0d, 1], &[3], &[0f32, 0.5, 1.0].map(f32::to_be_bytes).concat()));
        assert!(text.contains("labels: expected classes as whole numbers from 0 to 65535, found 0.5;"), "{text}");
    }
    let npz = include_bytes!("../src/data/fixtures/stored.npz");
    folder.write("x.npz", npz);
    for stream in [false, true] {
        let data =
            format!("[data]\nfile = \"x.npz\"\nfeatures = \"x\"\nlabel = {{ class = \"mask\" }}\nstream = {stream}");
        let text = refused(&folder, &model(&folder, &data, "[2, 3]", ""));
        assert!(
            text.contains("x.npz:mask: expected one number for each of the 2 samples of x.npz:x, found 3;"),
            "{text}"
        );
    }
}

#[test]
fn a_picture_above_the_limit_is_not_called_damaged() {
    let folder = Folder::new();
    pictures(&folder, "photos", 3);
    // A header of 60000 by 60000 pixels, with its checksum, and nothing else: what decides is said there.
    let mut png = folder.read("photos/lying/1.png");
    png[16..24].copy_from_slice(&[60000u32.to_be_bytes(), 60000u32.to_be_bytes()].concat());
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    folder.write("photos/lying/1.png", png);
    let text = refused(&folder, &folder.write("model.toml", MODEL));
    let expected = "photos/lying/1.png: byte 0: expected a picture of at most 32768 pixels a side and 1 GiB once decoded, found \
                    60000x60000 pixels; make it smaller, or leave out such files with unreadable = \"skip\"";
    assert!(text.contains(expected), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn classes_whose_names_are_no_text_are_not_merged() {
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    pictures(&folder, "photos", 2);
    let root = std::path::PathBuf::from(folder.path("photos"));
    for (from, to) in [("lying", b"\xff1"), ("standing", b"\xfe1")] {
        std::fs::rename(root.join(from), root.join(std::ffi::OsStr::from_bytes(to))).unwrap();
    }
    let text = refused(&folder, &folder.write("model.toml", MODEL));
    assert!(
        text.contains("expected a folder's name in UTF-8, as it is the class's name, found \"\\xFE1\"; rename"),
        "{text}"
    );
}

#[test]
fn data_says_what_training_refuses_of_the_classes() {
    let folder = Folder::new();
    let rows: String = (0..12).map(|i| format!("{i},{},{}\n", i % 5, ["a", "b", "c"][i % 3])).collect();
    folder.write("x.csv", format!("p,q,y\n{rows}"));
    let looked = |data: &str, outputs: u32, more: &str, expected: &str| {
        let path = model(&folder, data, "[2]", more);
        let text = String::from_utf8(folder.read("model.toml")).unwrap();
        folder.write("model.toml", text.replace("outputs = 2", &format!("outputs = {outputs}")));
        let trained = refused(&folder, &path);
        assert!(trained.contains(expected), "{trained}");
        let json: Value = serde_json::from_str(&done(&["data", &path, "--json"])).unwrap();
        let problems = json["problems"].as_array().unwrap();
        assert!(problems.iter().any(|problem| problem.as_str().unwrap().contains(expected)), "{problems:?}");
        assert_eq!(problems.len(), 1, "{problems:?}");
        // The page breaks its lines.
        let page = done(&["data", &path]).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains(expected), "{page}");
    };
    for stream in [false, true] {
        let table = format!("[data]\nfile = \"x.csv\"\nlabel = {{ class = \"y\" }}\nstream = {stream}");
        looked(&table, 2, "", "model.toml:8: the labels name 3 classes, the head has 2 outputs");
        let lacking = format!("{table}\nclasses = [\"a\", \"b\", \"c\", \"d\"]");
        let expected = "model.toml:14: `training.sampling`: balanced sampling: expected a sample of every class in the training \
                        part, found none of `d`;";
        looked(&lacking, 4, "sampling = \"balanced\"\n", expected);
        let given = format!("{table}\n[preprocessing]\nmean = [1, 2, 3]\nstd = [1, 1, 1]");
        let expected =
            "model.toml:7: `preprocessing.mean`: expected 2 numbers, as in `std`, one a channel of [2], found 3;";
        looked(&given, 3, "", expected);
    }
}

#[test]
fn what_is_no_table_is_told_by_its_first_bytes() {
    let folder = Folder::new();
    for (bytes, expected) in [
        (&b"PK\x03\x04\x14\0\0\0"[..], "found a ZIP archive, as .xlsx files are; save the sheet as CSV in UTF-8"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "found a file of Excel or Word; save the sheet as CSV"),
        (b"<!DOCTYPE html>\n<html></html>\n", "found a page of HTML or XML; the download gave a page"),
    ] {
        folder.write("x.csv", bytes);
        for stream in [false, true] {
            let data = format!("[data]\nfile = \"x.csv\"\nlabel = {{ class = \"y\" }}\nstream = {stream}");
            let text = refused(&folder, &model(&folder, &data, "[2]", ""));
            assert!(
                text.contains("x.csv: byte 0: expected a table as text, or Parquet, ") && text.contains(expected),
                "{text}"
            );
        }
    }
}

#[test]
fn labels_that_count_from_one_are_recognised() {
    let folder = Folder::new();
    folder.write("images", idx(&[8, 3], &[6, 2, 2], &[1; 24]));
    folder.write("labels", idx(&[8, 1], &[6], &[1, 2, 1, 2, 1, 2]));
    let data = "[data]\nimages = \"images\"\nlabels = \"labels\"";
    let text = refused(&folder, &model(&folder, data, "[1, 2, 2]", ""));
    let expected = "the labels name 3 classes, the head has 2 outputs; none of them is 0, from which classes are counted: take 1 \
                    off labels that count from 1";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn sounds_that_are_none_are_told_apart() {
    let folder = Folder::new();
    let wav = |samples: &[i16]| {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    };
    for class in ["a", "b"] {
        std::fs::create_dir_all(folder.path(&format!("sounds/{class}"))).unwrap();
        (0..3).for_each(|i| drop(folder.write(&format!("sounds/{class}/{i}.wav"), wav(&[7; 800]))));
    }
    let data = "[data]\naudio_folder = \"sounds\"\nrate = 8000\nseconds = 0.1";
    let path = model(&folder, data, "[13, 6]", "");
    let whole = wav(&[1; 8]);
    for (bytes, found) in [
        (&[][..], "an empty file"),
        (&wav(&[]), "a header and no sound"),
        (&whole[..20], "failed to read enough bytes"),
    ] {
        folder.write("sounds/a/1.wav", bytes);
        let text = refused(&folder, &path);
        let expected = format!(
            "sounds/a/1.wav: byte 0: expected a whole WAV file of whole numbers or f32, found {found}; the file"
        );
        assert!(text.contains(&expected), "{text}");
    }
}
