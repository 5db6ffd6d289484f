//! Samples that are held back and can't be judged: found before an epoch is spent, or else nothing of the training is lost.

mod cli_common;

use cli_common::bars::{MODEL, pictures};
use cli_common::{Folder, done, emberlite};

#[test]
fn a_damaged_test_picture_is_found_before_an_epoch() {
    for part in ["test", "validation"] {
        let folder = Folder::new();
        pictures(&folder, "photos/train", 8);
        pictures(&folder, &format!("photos/{part}"), 8);
        let damaged = format!("photos/{part}/standing/5.png");
        let bytes = folder.read(&damaged);
        folder.write(&damaged, &bytes[..bytes.len() / 2]);
        let model = folder.write("model.toml", MODEL);
        let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &folder.path("run")]);
        let text = folder.plain(&answer.error);
        assert!(text.starts_with(&format!("error: {damaged}: ")), "{text}");
        assert_eq!((answer.status, folder.names().contains(&"run".to_string())), (1, false), "{text}");
    }
}

/// A straight line through rows of two columns, the first a narrow one; a row that is held back has this number there.
fn line(number: &str, stream: bool, part: &str) -> (Folder, String) {
    let folder = Folder::new();
    let row = |i: u32| match i {
        35 => format!("{number},1,1\n"),
        _ => format!("{},{},{}\n", f64::from(i % 7) / 100.0, i % 5, i % 7 + i % 5),
    };
    let rows: String = (0..40).map(row).collect();
    folder.write("rows.csv", format!("a,b,y\n{rows}"));
    let model = format!(
        "name = \"line\"\n[data]\nfile = \"rows.csv\"\nlabel = {{ value = \"y\" }}\nstream = {stream}\n\
         {part} = {{ by = \"tail\", share = 0.25 }}\n[model]\ninput = [2]\nlayers = [{{ op = \"linear\", outputs = 1 }}]\n\
         [training]\nloss = \"mean_squared_error\"\nepochs = 3\nbatch = 10\ndevice = \"cpu\"\n"
    );
    let model = folder.write("model.toml", model);
    (folder, model)
}

#[test]
fn a_number_that_normalising_makes_infinite_is_found_before_an_epoch() {
    for (stream, place) in [(false, "row 35, counted from 0"), (true, "rows.pack, record 35, counted from 0")] {
        let (folder, model) = line("3.4e38", stream, "test");
        let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &folder.path("run")]);
        let text = folder.plain(&answer.error);
        assert!(text.starts_with("error: test part: sample 5 (") && text.contains(place), "{text}");
        assert!(
            text.contains("column `a`: expected a number that is finite once it is normalised, found 3.4e38"),
            "{text}"
        );
        assert_eq!((answer.status, folder.names().contains(&"run".to_string())), (1, false));
    }
}

#[test]
fn a_model_whose_test_part_cannot_be_judged_is_kept_and_judged_later() {
    let (folder, model) = line("1e30", false, "test");
    let run = folder.path("run");
    let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &run]);
    let text = folder.plain(&answer.error);
    assert!(
        text.starts_with("error: the test part can't be judged: rows.csv: sample 5 (row 35, counted from 0): "),
        "{text}"
    );
    assert!(text.contains("isn't finite, though all parameters are") && !text.contains("learning rate"), "{text}");
    assert!(text.contains("the trained model is saved as run/model.safetensors; when the data are mended"), "{text}");
    assert_eq!(answer.status, 1);
    let again = ["evaluate", "--model", &model, "--weights", &folder.path("run/model.safetensors")];
    let text = folder.plain(&emberlite(&again).error);
    assert!(text.starts_with("error: rows.csv: sample 5 (row 35, counted from 0): "), "{text}");

    let rows = String::from_utf8(folder.read("rows.csv")).unwrap();
    folder.write("rows.csv", rows.replace("1e30", "3"));
    let line = answer.error.trim().split("judge it with: emberlite ").nth(1).unwrap();
    let words: Vec<&str> = line.split(' ').collect();
    assert!(done(&words).starts_with("test part, 10 samples"), "{words:?}");
}

#[test]
fn a_validation_loss_that_is_not_finite_names_its_sample() {
    let (folder, model) = line("1e30", false, "validation");
    let answer = emberlite(&["train", "--quiet", "--model", &model, "--run", &folder.path("run")]);
    let text = folder.plain(&answer.error);
    assert!(text.starts_with("error: the validation set: rows.csv: sample 5 (row 35, counted from 0): "), "{text}");
    assert!(text.contains("mend or remove the sample") && !text.contains("learning rate"), "{text}");
}
