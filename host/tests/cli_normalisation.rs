//! Where a device's normalisation constants come from when weights are imported, and where they go when weights are exported.

mod cli_common;

use cli_common::{Folder, ROWS, done, emberlite, small, trained};
use emberlite::image::{Image, Kind, MODEL, crc32c};
use emberlite_host::export::{Bytes, NormalisationError, standardise};
use emberlite_host::spec::Spec;
use safetensors::tensor::{SafeTensors, serialize};

/// The weights of a plain file without its metadata, as PyTorch writes them.
fn bare(folder: &Folder, plain: &str) -> String {
    let bytes = folder.read(plain);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    folder.write("bare.safetensors", serialize(file.tensors(), None).unwrap())
}

/// The constants of a sealed file.
fn constants(folder: &Folder, name: &str) -> Option<(Vec<f32>, Vec<f32>)> {
    let bytes = Bytes::new(&folder.read(name));
    let image = Image::open(bytes.as_slice()).unwrap();
    standardise(&image).unwrap().map(|constants| (constants.mean, constants.inverse_std))
}

#[test]
fn imported_weights_are_normalised_as_said_and_not_otherwise() {
    let folder = trained("f32");
    let (model, weights) = (folder.path("model.toml"), folder.path("model.safetensors"));
    done(&["export", &weights, "--profile", "plain", "--out", &folder.path("plain.safetensors")]);
    let bare = bare(&folder, "plain.safetensors");
    let out = folder.path("out.safetensors");
    let import = |preprocessing: &str| {
        let text = small("f32").replacen("[model]", &format!("[preprocessing]\n{preprocessing}\n[model]"), 1);
        let model = folder.write("said.toml", text);
        let said = done(&["import", &bare, "--model", &model, "--out", &out]);
        (said.lines().nth(1).unwrap().to_string(), constants(&folder, "out.safetensors"))
    };
    // The training that made the weights did standardise: `[preprocessing]` says nothing, and that is what it says.
    assert!(constants(&folder, "model.safetensors").is_some());
    let said = done(&["import", &bare, "--model", &model, "--out", &out]);
    let expected = "normalisation: none, samples go in as they are; if the weights were trained on normalised ones, give \
                    `mean` and `std` in [preprocessing], or standardise = true to have them fitted on [data]\n";
    assert!(said.ends_with(expected), "{said}");
    assert_eq!(constants(&folder, "out.safetensors"), None);

    let (said, none) = import("standardise = false");
    assert_eq!((said.as_str(), none), ("normalisation: none, as [preprocessing] says", None));
    let (said, given) = import("mean = [0.5, 20]\nstd = [2, 0.25]");
    assert_eq!(said, "normalisation: mean 0.5, 20 and std 2, 0.25, `mean` and `std` of [preprocessing]");
    assert_eq!(given, Some((vec![0.5, 20.0], vec![0.5, 4.0])));
    let (said, fitted) = import("standardise = true");
    assert!(said.contains(", fitted on the training part as the description says;"), "{said}");
    assert_eq!(fitted, constants(&folder, "model.safetensors"));
    // A column that is to be scaled was said too.
    let (_, own) = import("columns.y = { scaling = { by = \"min_max\", low = 0, high = 1 } }");
    assert_eq!(own, Some((vec![0.0, 10.0], vec![1.0, 0.05])));
}

#[test]
fn constants_of_the_weights_file_count_first() {
    let folder = trained("f32");
    let (model, weights) = (folder.path("model.toml"), folder.path("model.safetensors"));
    let [plain, modules, out] = ["plain.safetensors", "modules.safetensors", "out.safetensors"].map(|f| folder.path(f));
    // 1 to 8: mean 4.5, variance 5.25; 10, 20, 10, 30, 10, 20, 30, 10: mean 17.5, variance 68.75.
    let expected = "normalisation: not one of the tensors; give the network (x - mean) / std of each channel, with mean 4.5, \
                    17.5 and std 2.291, 8.292. The numbers are in the file's metadata as `normalisation`\n";
    for (arguments, path) in [
        (&["export", &weights, "--profile", "plain", "--out", &plain][..], &plain),
        (&["export", &weights, "--model", &model, "--profile", "plain", "--out", &modules], &modules),
    ] {
        let said = done(arguments);
        assert!(said.ends_with(expected), "{said}");
        let said = done(&["import", path, "--model", &model, "--out", &out]);
        assert!(
            said.ends_with("\nnormalisation: mean 4.5, 17.5 and std 2.291, 8.292, as the weights' file says\n"),
            "{said}"
        );
        assert_eq!(folder.read("out.safetensors"), folder.read("model.safetensors"), "bit for bit");
    }
    let bytes = folder.read("modules.safetensors");
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let text = &header.metadata().as_ref().unwrap()["normalisation"];
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    assert_eq!(json["mean"], serde_json::json!([4.5, 17.5]));
    assert!((json["std"][1].as_f64().unwrap() - 68.75f64.sqrt()).abs() < 1e-6, "{json}");

    // Two truths are none.
    let said = small("f32").replacen("[model]", "[preprocessing]\nmean = [0, 0]\nstd = [1, 1]\n[model]", 1);
    let answer = emberlite(&["import", &plain, "--model", &folder.write("said.toml", said), "--out", &out]);
    let expected = "error: the weights' file is normalised with mean 4.5, 17.5 and std 2.291, 8.292, `mean` and `std` in \
                    [preprocessing] say mean 0, 0 and std 1, 1; take one of both out\n";
    assert_eq!((answer.status, answer.error.as_str()), (1, expected));
    // One truth twice is one: of these deviations 1 / f32(std) isn't f32(1 / std).
    let bytes = folder.read("plain.safetensors");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let with = |constants: &str| {
        let metadata = [("normalisation".to_string(), constants.to_string())];
        serialize(file.tensors(), Some(metadata.into())).unwrap()
    };
    let digits = ["[0.485, 0.456]", "[0.03, 0.55]"];
    assert!([0.03, 0.55].iter().all(|&std: &f64| (1.0 / std) as f32 != 1.0 / std as f32));
    let [mean, std] = digits;
    let both = folder.write("both.safetensors", with(&format!("{{\"mean\":{mean},\"std\":{std}}}")));
    let said = small("f32").replacen("[model]", &format!("[preprocessing]\nmean = {mean}\nstd = {std}\n[model]"), 1);
    let said = done(&["import", &both, "--model", &folder.write("said.toml", said), "--out", &out]);
    assert!(
        said.ends_with("\nnormalisation: mean 0.485, 0.456 and std 0.03, 0.55, as the weights' file says\n"),
        "{said}"
    );
    // Constants of another input, or what [preprocessing] would refuse, are refused by the library too.
    for wrong in [
        r#"{"mean":[1],"std":[1]}"#,
        r#"{"mean":[1,1],"std":[1,-1]}"#,
        r#"{"mean":[1,1],"std":[1,1],"repair":[{"low":2,"high":1},{}]}"#,
    ] {
        let error = emberlite_host::export::import(&with(wrong), &Spec::read(&model).unwrap()).unwrap_err().to_string();
        let expected = "metadata `normalisation`: expected {\"mean\": […], \"std\": […]} with 2 numbers each, one a channel \
                        of the model's input, every `std` above 0, and in a `repair` no `low` above its `high`; mend it, \
                        or take it out";
        assert_eq!(error, expected, "{wrong}");
    }
}

#[test]
fn a_model_without_constants_says_so_and_fixed_point_says_where_they_are() {
    let folder = Folder::new();
    folder.write("rows.csv", ROWS);
    let [weights, plain] = ["model.safetensors", "plain.safetensors"].map(|name| folder.path(name));
    let train = |text: String| {
        let model = folder.write("model.toml", text);
        done(&["train", "--model", &model, "--run", &folder.path("run"), "--out", &weights, "--quiet"]);
        done(&["export", &weights, "--profile", "plain", "--out", &plain])
    };
    let said = train(small("f32").replacen("[model]", "[preprocessing]\nstandardise = false\n[model]", 1));
    assert!(said.ends_with("\nnormalisation: none, the network takes samples as they are\n"), "{said}");
    let said = train(small("fixed16"));
    assert!(said.contains("The real constants are in the f32 file that `train` wrote beside it"), "{said}");
    let bytes = Bytes::new(&folder.read("model.safetensors"));
    assert!(Image::open(bytes.as_slice()).unwrap().tensor(MODEL, Kind::NormalisationFixed).is_some());
    let said = done(&["export", &folder.path("model.f32.safetensors"), "--profile", "plain", "--out", &plain]);
    assert!(said.contains("with mean 4.5, 17.5 and std 2.291, 8.292."), "{said}");
}

/// A sealed file with another number in `~normalisation`, and the seal that goes with it.
fn resealed(file: &[u8], element: usize, value: f32) -> Vec<u8> {
    let bytes = Bytes::new(file);
    let image = Image::open(bytes.as_slice()).unwrap();
    let tensor = image.tensor(MODEL, Kind::Normalisation).unwrap();
    let at = tensor.bytes.as_ptr().addr() - bytes.as_slice().as_ptr().addr() + 4 * element;
    let mut file = file.to_vec();
    file[at..at + 4].copy_from_slice(&value.to_le_bytes());
    let end = file.len() - 8;
    let checksum = crc32c(&file[..end]);
    file[end..end + 4].copy_from_slice(&checksum.to_le_bytes());
    file
}

/// A right seal says that nothing has changed since, not that the constants make sense.
#[test]
fn constants_that_make_no_sense_are_refused_wherever_they_are_read() {
    let folder = trained("f32");
    let (model, out) = (folder.path("model.toml"), folder.path("out.safetensors"));
    let good = folder.read("model.safetensors");
    // Two means, then two scales.
    for (element, value, said) in [
        (3, -0.12, "channel 1 has 1/deviation -0.12, expected a finite number above 0"),
        (2, 0.0, "channel 0 has 1/deviation 0, expected a finite number above 0"),
        (2, -0.0, "channel 0 has 1/deviation -0, expected a finite number above 0"),
        (3, f32::INFINITY, "channel 1 has 1/deviation inf, expected a finite number above 0"),
        (3, f32::NAN, "channel 1 has 1/deviation NaN, expected a finite number above 0"),
        (1, f32::NEG_INFINITY, "channel 1 has the mean -inf, expected a finite number"),
    ] {
        let damaged = resealed(&good, element, value);
        let bytes = Bytes::new(&damaged);
        let error = standardise(&Image::open(bytes.as_slice()).unwrap()).unwrap_err();
        match error {
            NormalisationError::Scale { channel, .. } => assert_eq!(channel + 2, element),
            NormalisationError::Mean { channel, .. } => assert_eq!(channel, element),
            other => panic!("{other}"),
        }
        let weights = folder.write("damaged.safetensors", damaged);
        let said = format!("damaged.safetensors: tensor `~normalisation`: {said}; make the file anew\n");
        for command in [
            &["evaluate", "--model", &model, "--weights", &weights, "--part", "train"][..],
            &["export", &weights, "--profile", "plain", "--out", &out],
            &["export", &weights, "--profile", "plain", "--model", &model, "--out", &out],
            &["import", &weights, "--model", &model, "--out", &out],
        ] {
            let answer = emberlite(command);
            assert_eq!((answer.status, folder.plain(&answer.error)), (1, format!("error: {said}")), "{command:?}");
        }
        // What isn't finite, the device refuses too.
        let answer = emberlite(&["simulate", "--model", &model, "--weights", &weights, "--part", "train"]);
        assert!(answer.status == 1 && answer.error.contains("normalisation"), "{}", answer.error);
        assert!(!folder.names().contains(&"out.safetensors".to_string()));
    }
}
