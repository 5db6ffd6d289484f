//! A table with gaps, from its description to the device: cleaned, encoded and scaled by what the training part says, alike on
//! host and device; and what is said where that can't be.

mod cli_common;

use cli_common::{Folder, data, done, emberlite};
use emberlite_host::data::Encoder;
use emberlite_host::export::Bytes;
use emberlite_host::simulate;
use emberlite_host::spec::Spec;

const PENGUINS: &str = r#"name = "penguins"
[data]
file = "penguins.csv"
label = { class = "species" }
features = ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"]
categorical = ["island", "sex"]
test = { by = "stratified", share = 0.2, seed = 1 }
[data.clean]
missing = "median"
duplicates = "drop"
outliers = { by = "iqr", factor = 1.0 }
columns.sex = { missing = { constant = "male" } }
[preprocessing]
scaling = "robust"
columns.island = { encode = "ordinal", scaling = "min_max" }
[model]
input = [7]
layers = [{ op = "linear", outputs = 8 }, { op = "relu" }, { op = "linear", outputs = 3 }]
[training]
optimizer = { name = "adam", learning_rate = 0.02 }
epochs = 8
batch = 16
"#;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("penguins.csv", std::fs::read(data("penguins.csv")).unwrap());
    folder.write("model.toml", PENGUINS);
    folder
}

#[test]
fn the_device_repairs_raw_readings_as_the_host_did() {
    let folder = folder();
    let (model, file) = (folder.path("model.toml"), folder.path("run/model.safetensors"));
    let said = done(&["train", "--model", &model, "--run", &folder.path("run"), "--quiet"]);
    // Host and device judge raw rows with gaps: the same classes.
    let figures: Vec<&str> =
        said.lines().filter_map(|line| line.split_once("accuracy ")).map(|(_, text)| text).collect();
    assert_eq!((figures.len(), figures[0]), (2, figures[1]), "{said}");
    let accuracy: f64 = figures[0].split_once(" %").unwrap().0.parse().unwrap();
    assert!(accuracy > 90.0, "{said}");

    // The same rows as a file of their own, encoded by what the model's file says.
    let spec = Spec::read(&model).unwrap();
    let weights = Bytes::read(&file).unwrap();
    let image = emberlite::image::Image::open(weights.as_slice()).unwrap();
    let stored = simulate::stored(&image);
    let encoder: Encoder = stored.encoder.clone().unwrap();
    assert_eq!(encoder.inputs()[..2], ["island", "bill_length_mm"]);
    let rows = spec.load_file(data("penguins.csv").as_ref(), &stored).unwrap();
    // The fourth penguin is but an island, and a sex that is filled.
    let fourth = encoder.row(&["Torgersen", "", "", "", "", ""]).unwrap();
    let bits =
        |values: &[f32]| values.iter().map(|x| if x.is_nan() { None } else { Some(x.to_bits()) }).collect::<Vec<_>>();
    assert_eq!(bits(&fourth), bits(rows.sample(3)));
    assert_eq!(fourth[0], 2.0);
    assert_eq!(fourth[5..], [0.0, 1.0]);
    assert!(fourth[1..5].iter().all(|x| x.is_nan()));
    let simulation = simulate::run(&spec, &weights, &rows, &simulate::Options::default()).unwrap();
    assert_eq!(simulation.report.count, 344);
    assert!(simulation.report.accuracy.unwrap() > 0.9);

    // The device's constants are those of the training part: five rows, and an input without a gap keeps its class.
    let tensor = image.tensor(emberlite::image::MODEL, emberlite::image::Kind::Normalisation).unwrap();
    assert_eq!(tensor.dims(), [5, 7]);
    let parts = spec.load_parts().unwrap();
    let fitted = spec.fit_standardise(&parts.train, &parts.prepare).unwrap().unwrap();
    assert_eq!(emberlite_host::export::standardise(&image), Ok(Some(fitted)));
}

#[test]
fn nothing_of_the_test_part_is_in_the_constants() {
    let folder = folder();
    let model = folder.path("model.toml");
    let fitted = || {
        let spec = Spec::read(&model).unwrap();
        let rows = spec.load_rows().unwrap();
        let places: Vec<String> =
            rows.test.iter().flat_map(|test| (0..test.set.len()).map(|row| test.place(row))).collect();
        let parts = spec.prepare(rows).unwrap();
        let constants = spec.fit_standardise(&parts.train, &parts.prepare).unwrap().unwrap();
        (places, format!("{constants:?} {:?}", parts.prepare))
    };
    let (places, before) = fitted();
    // Every number of the test part becomes absurd, its classes and categories stay.
    let text = String::from_utf8(folder.read("penguins.csv")).unwrap();
    let changed: Vec<String> = text
        .lines()
        .enumerate()
        .map(|(number, line)| {
            let is_test = places.iter().any(|place| place.ends_with(&format!(":{}", number + 1)));
            let cell = |(column, cell): (usize, &str)| {
                if is_test && (2..6).contains(&column) { format!("{number}{column}000000") } else { cell.into() }
            };
            line.split(',').enumerate().map(cell).collect::<Vec<_>>().join(",")
        })
        .collect();
    folder.write("penguins.csv", changed.join("\n"));
    let (after_places, after) = fitted();
    assert_eq!(places, after_places);
    assert!(before == after, "the test part moved what was fitted");
}

#[test]
fn folds_are_prepared_each_by_its_own_training_part() {
    use emberlite_host::data::{Folds, FoldsBy};
    let folder = folder();
    let spec = Spec::read(folder.path("model.toml")).unwrap();
    let folded = spec.load_folds(&Folds { repeats: 2, ..Folds::new(FoldsBy::StratifiedKFold, 3) }).unwrap();
    assert_eq!(folded.folds.len(), 6);
    let test_rows = spec.load_rows().unwrap().test.unwrap().set.len();
    let parts: Vec<_> = (0..6).map(|fold| spec.prepare_fold(&folded, fold).unwrap()).collect();
    for parts in &parts {
        assert_eq!(parts.train.len() + parts.validation.as_ref().unwrap().len() + test_rows, 344);
        assert!(parts.test.is_none());
    }
    assert!(parts[0].prepare != parts[1].prepare, "fitted anew");
}

#[test]
fn looking_shows_what_training_would_refuse() {
    let folder = folder();
    let model = folder.path("model.toml");
    let said = done(&["data", &model, "--rows", "2"]);
    for expected in [
        "missing values",
        "  Adelie",
        "Biscoe ",
        "sex                     11",
        "the model takes 7 inputs: island, bill",
    ] {
        assert!(said.contains(expected), "no `{expected}` in\n{said}");
    }
    assert!(said.lines().all(|line| line.chars().count() <= 100), "{said}");
    assert!(!said.contains("note:"), "{said}");
    let json: serde_json::Value = serde_json::from_str(&done(&["data", &model, "--json"])).unwrap();
    assert_eq!(json["columns"][5]["missing"], 11);
    assert_eq!(json["parts"][0]["name"], "training");
    assert_eq!(json["first"][0]["label"], "Adelie");
    // Gaps are refused: shown all the same, and said.
    folder.write("model.toml", PENGUINS.replace("missing = \"median\"", "missing = \"refuse\""));
    let said = folder.plain(&done(&["data", &model]));
    assert!(said.contains("note: penguins.csv:5: column `bill_length_mm`: expected a value"), "{said}");
    let sheet = folder.path("sheet.png");
    folder.write("model.toml", PENGUINS);
    done(&["data", &model, "--images", &sheet]);
    assert!(folder.read("sheet.png").starts_with(b"\x89PNG"));
}

/// What is written instead of a part of the description, and what is said then.
const MISTAKES: [(&str, &str, &str); 19] = [
    (
        "missing = \"median\"",
        "missing = \"medain\"",
        "model.toml:9: `data.clean.missing`: unknown rule for missing cells `medain`; did you mean `median`?",
    ),
    (
        "missing = \"median\"",
        "missing = 3",
        "model.toml:9: `data.clean.missing`: expected one of refuse, drop_row, mean, median, mode, or { constant = 0 }, found 3",
    ),
    (
        "missing = \"median\"",
        "misisng = \"median\"",
        "model.toml:9: unknown key `data.clean.misisng`; did you mean `missing`?",
    ),
    (
        "duplicates = \"drop\"",
        "duplicates = \"remove\"",
        "model.toml:10: `data.clean.duplicates`: unknown rule `remove`; possible here: keep, drop",
    ),
    (
        "by = \"iqr\"",
        "by = \"idr\"",
        "model.toml:11: `data.clean.outliers.by`: unknown rule for outliers `idr`; did you mean `iqr`?",
    ),
    (
        "factor = 1.0",
        "factor = -1",
        "model.toml:11: `data.clean.outliers.factor`: expected a number of interquartile ranges, 0 or more, found -1",
    ),
    (
        "by = \"iqr\", factor = 1.0",
        "by = \"range\"",
        "model.toml:11: `data.clean.outliers`: give `low`, `high` or both",
    ),
    (
        "columns.sex",
        "columns.sexx",
        "model.toml:12: `data.clean.columns.sexx`: penguins.csv: no column or array `sexx`; did you mean `sex`? there are: species, island, bill_length_mm",
    ),
    (
        "constant = \"male\"",
        "constant = \"drake\"",
        "model.toml:12: `data.clean.columns.sex.missing`: column `sex`: expected one of female, male, found `drake`;",
    ),
    (
        "constant = \"male\"",
        "constant = 1",
        "model.toml:12: `data.clean.columns.sex.missing`: column `sex`: expected a category to fill gaps with, found 1;",
    ),
    (
        "scaling = \"robust\"",
        "scaling = \"roboust\"",
        "model.toml:14: `preprocessing.scaling`: unknown scaling `roboust`; did you mean `robust`?",
    ),
    (
        "scaling = \"robust\"",
        "scaling = \"robust\"\nstandardise = true",
        "model.toml:14: `preprocessing.scaling`: give `scaling` or `standardise`, not both",
    ),
    (
        "scaling = \"robust\"",
        "scaling = { by = \"min_max\", low = 2 }",
        "model.toml:14: `preprocessing.scaling`: `low` = 2 must be below `high` = 1",
    ),
    (
        "encode = \"ordinal\"",
        "encode = \"onehot\"",
        "model.toml:15: `preprocessing.columns.island.encode`: unknown encoding `onehot`; did you mean `one_hot`?",
    ),
    (
        "input = [7]",
        "input = [6]",
        "model.toml:17: `model.input`: the model takes 6 numbers, a sample of the data is 7 numbers (island, bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g, sex=female, sex=male);",
    ),
    (
        "\"sex\"]\ncategorical",
        "\"sex\", \"sex\"]\ncategorical",
        "model.toml:5: `data.features[6]`: `sex` stands here twice, first as number 5; take one out",
    ),
    (
        "categorical = [\"island\", \"sex\"]",
        "categorical = [\"island\"]",
        "penguins.csv:2: column `sex`: expected a number such as -1.5e3, found `male`; mend the cell, name the column in `categorical`",
    ),
    (
        "\"sex\"]\ncategorical",
        "\"sex\", \"species\"]\ncategorical",
        "penguins.csv: expected a label that isn't a feature, found `species` as feature and as label;",
    ),
    (
        "features =",
        "classes = [\"Adelie\", \"Gentoo\", \"Adelie\"]\nfeatures =",
        "model.toml:5: `data.classes[2]`: `Adelie` stands here twice, first as number 0; take one out",
    ),
];

#[test]
fn mistakes_point_at_their_line() {
    for (right, wrong, expected) in MISTAKES {
        let folder = folder();
        assert!(PENGUINS.contains(right), "{right}");
        folder.write("model.toml", PENGUINS.replacen(right, wrong, 1));
        let answer =
            emberlite(&["train", "--model", &folder.path("model.toml"), "--run", &folder.path("run"), "--quiet"]);
        assert_eq!(answer.status, 1, "{wrong}");
        let error = folder.plain(&answer.error);
        assert!(error.starts_with(&format!("error: {expected}")), "{wrong}: expected {expected}\nfound {error}");
    }
}

#[test]
fn a_class_that_only_the_test_part_has_is_refused() {
    let folder = Folder::new();
    folder.write("rows.csv", "x,who,y\n1,p,a\n2,p,b\n3,p,a\n4,q,c\n");
    let text = "[data]\nfile = \"rows.csv\"\nlabel = { class = \"y\" }\ngroups = [\"who\"]\n\
                test = { by = \"filter\", conditions = [\"who=q\"] }\n[model]\ninput = [1]\n\
                layers = [{ op = \"linear\", outputs = 3 }]\n";
    let load = |text: &str| Spec::parse("model.toml", text, folder.path("").as_ref()).unwrap().load_parts();
    let error = load(text).unwrap_err().to_string();
    assert!(error.contains("class `c` is in the test part, but the training part has no sample of it"), "{error}");
    let named = text.replace("groups", "classes = [\"a\", \"b\", \"c\"]\ngroups");
    assert_eq!(load(&named).unwrap().train.class_counts(), [2, 1, 0]);
}

#[test]
fn readings_that_a_fixed_device_cannot_read_are_refused_before_training() {
    let folder = Folder::new();
    folder.write("rows.csv", "x,y\n1,a\n2.25,b\n");
    let text = "[data]\nfile = \"rows.csv\"\nlabel = { class = \"y\" }\n[model]\ninput = [1]\nformat = \"fixed16\"\n\
                layers = [{ op = \"linear\", outputs = 2 }]\n";
    let load = |text: &str| Spec::parse("model.toml", text, folder.path("").as_ref()).unwrap().load_parts();
    let error = folder.plain(&load(text).unwrap_err().to_string());
    assert!(error.starts_with("rows.csv:3: column `x`: expected a whole number from -32768 to 32767"), "{error}");
    assert!(load(&format!("{text}[preprocessing]\nscale = 100\n")).is_ok());
}
