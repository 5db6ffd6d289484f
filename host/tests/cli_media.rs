//! Pictures from a folder to a file for the device, with augmentation, resumed, and with a damaged picture.

mod cli_common;

use cli_common::bars::{MODEL, pictures};
use cli_common::{Folder, done, emberlite};
use serde_json::Value;

#[test]
fn pictures_train_resume_and_name_what_is_damaged() {
    let folder = Folder::new();
    pictures(&folder, "photos/train", 24);
    pictures(&folder, "photos/test", 8);
    let model = folder.write("model.toml", MODEL);
    let train = |run: &str, more: &[&str]| {
        let run = folder.path(run);
        let arguments = ["train", "--quiet", "--model", &model, "--run", &run];
        emberlite(&[&arguments[..], more].concat())
    };
    let whole = train("whole", &[]);
    assert_eq!((whole.status, whole.error.as_str()), (0, ""));
    let metrics = String::from_utf8(folder.read("whole/metrics.jsonl")).unwrap();
    let tested: Value = serde_json::from_str(metrics.lines().last().unwrap()).unwrap();
    assert_eq!((&tested["part"], &tested["samples"]), (&"test".into(), &16.into()));
    assert!(tested["host_accuracy"].as_f64().unwrap() >= 0.9, "{tested}");
    assert_eq!(tested["host_accuracy"], tested["device_accuracy"], "the normalisation is in the file");

    // Augmentation goes on where it stopped.
    assert_eq!(train("halves", &["--epochs", "2"]).status, 0);
    assert_eq!(train("halves", &["--resume"]).status, 0);
    assert_eq!(folder.read("whole/model.safetensors"), folder.read("halves/model.safetensors"));
    // With other changes it would be another run.
    folder.write("model.toml", MODEL.replace("crop = 1", "crop = 2"));
    let refused = train("halves", &["--resume", "--epochs", "9"]);
    assert_eq!(refused.status, 1, "{}", refused.out);

    folder.write("model.toml", MODEL);
    let said = done(&["simulate", "--model", &model, "--weights", &folder.path("whole/model.safetensors")]);
    assert!(said.starts_with("evaluated 16 samples"), "{said}");

    let said = done(&["data", &model]);
    assert!(
        said.contains("samples of 1x12x12 numbers") && said.contains("lying                           24        8"),
        "{said}"
    );
    let (sheet, plain) = (folder.path("sheet.png"), folder.path("plain.png"));
    let said = done(&["data", &model, "--images", &sheet, "--samples", "4", "--draws", "3"]);
    assert_eq!(folder.plain(&said), "wrote sheet.png: 16 samples in rows of 4\n");
    done(&["data", &model, "--images", &plain, "--samples", "9", "--plain"]);
    // Twelve pixels are enlarged eight times, with gaps of 4.
    let size = |path: &str| image::open(path).unwrap().to_rgb8().dimensions();
    assert_eq!((size(&sheet), size(&plain)), ((404, 404), (304, 304)));

    let picture = "photos/train/lying/3.png";
    let bytes = folder.read(picture);
    // A sheet never takes the place of a sample.
    let answer = emberlite(&["data", &model, "--images", &folder.path(picture)]);
    let expected = "error: --images photos/train/lying/3.png: is one of the samples in photos and would be overwritten; choose another \
                    path\n";
    assert_eq!((answer.status, folder.plain(&answer.error).as_str()), (1, expected));
    assert_eq!(folder.read(picture), bytes);
    folder.write(picture, &bytes[..bytes.len() / 2]);
    let answer = train("damaged", &[]);
    let text = folder.plain(&answer.error);
    assert!(text.starts_with("error: photos/train/lying/3.png: byte 0: expected a whole PNG or JPEG"), "{text}");
    assert_eq!(answer.status, 1);
    folder.write(
        "model.toml",
        MODEL.replace("image_folder = \"photos\"", "image_folder = \"photos\"\nunreadable = \"skip\""),
    );
    let skipped = train("skipped", &["--epochs", "1"]);
    assert!(skipped.out.starts_with("left out 1 file that can't be read\n"), "{}{}", skipped.out, skipped.error);
}

#[test]
fn who_only_looks_is_told_what_training_refuses() {
    let folder = Folder::new();
    folder.write("x.csv", "a,label\n1,u\n2.5,u\n3,u\n4,v\n");
    let model = "[data]\nfile = \"x.csv\"\nlabel = { class = \"label\" }\nstream = true\ntest = { by = \"tail\", share = 0.25 \
                 }\n[model]\ninput = [1]\nformat = \"fixed16\"\nlayers = [{ op = \"linear\", outputs = 2 }]\n";
    let path = folder.write("model.toml", model);
    let said = done(&["data", &path]);
    let unseen = "class `v` is in the test part, but the training part has no sample of it";
    assert!(said.contains("training             3 samples") && said.contains(unseen), "{said}");
    assert!(said.contains("note: sample:1: column `a`: expected a whole number from -32768 to 32767"), "{said}");
    let answer = emberlite(&["train", "--model", &path]);
    assert!(answer.status != 0 && answer.error.contains(unseen), "{answer:?}");
}
