//! Every recipe that takes seconds reaches its figures, from a folder that the program itself has written.

mod cli_common;

use cli_common::{Folder, done, emberlite};
use emberlite_host::data::Source;
use emberlite_host::export::Bytes;
use emberlite_host::recipes::{self, Expectation, Recipe, RecipeError};
use emberlite_host::spec::Spec;
use std::path::Path;

fn small() -> Vec<Recipe> {
    let all = recipes::all().unwrap().into_iter();
    all.filter(|recipe| recipe.expected.minutes == 0 && recipe.expected.fetch.is_none()).collect()
}

#[test]
fn small_recipes_reach_their_figures() {
    let folder = Folder::new();
    let dir = folder.path("recipes");
    for recipe in small() {
        let out = done(&["recipes", "run", recipe.name, "--dir", &dir]);
        assert_eq!(out.lines().count(), recipe.expected.expect.len(), "{out}");
        assert!(out.lines().all(|line| line.ends_with(": reached")), "{out}");
        let record = recipes::Record::read(&Path::new(&dir).join(recipe.name)).unwrap().unwrap();
        assert!(record.reached() && record.recipe == recipe.name);
    }
    // A quick one leaves a finished run as it was: a later `--resume` goes on from the whole training.
    let place = recipes::find("linear").unwrap().at(Path::new(&dir));
    let files = ["model.safetensors", "checkpoint.safetensors", "metrics.jsonl", "report.json", "report.html"];
    let read = || files.map(|name| std::fs::read(place.run.join(name)).unwrap());
    let whole = read();
    let out = done(&["recipes", "run", "linear", "--quick", "--dir", &dir]);
    assert!(out.lines().all(|line| line.ends_with(": reached")), "{out}");
    assert!(read() == whole, "the finished run was replaced");
    assert!(place.folder.join("run-quick/model.safetensors").is_file());
    // What was recorded is in the table, with its command.
    let readme = format!("before\n{}\n{}\nafter\n", recipes::BEGIN, recipes::END);
    std::fs::write(Path::new(&dir).join("README.md"), readme).unwrap();
    done(&["recipes", "table", "--dir", &dir]);
    let text = std::fs::read_to_string(Path::new(&dir).join("README.md")).unwrap();
    assert!(text.starts_with("before\n") && text.ends_with("\nafter\n"));
    assert!(
        text.contains("`emberlite recipes run linear`") && text.contains("| prediction for 5 | 10 ± 0.05 | 10 |"),
        "{text}"
    );
    done(&["recipes", "table", "--dir", &dir]);
    assert_eq!(
        text,
        std::fs::read_to_string(Path::new(&dir).join("README.md")).unwrap(),
        "a second time changes nothing"
    );
}

/// The table of the repository is what the command makes of the records that lie beside it.
#[test]
fn the_table_shows_what_was_recorded() {
    let (folder, committed) = (Folder::new(), Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes"));
    let dir = folder.path("recipes");
    for recipe in recipes::all().unwrap() {
        std::fs::create_dir_all(Path::new(&dir).join(recipe.name)).unwrap();
        let record = Path::new(recipe.name).join("result.json");
        if committed.join(&record).exists() {
            std::fs::copy(committed.join(&record), Path::new(&dir).join(&record)).unwrap();
        }
    }
    std::fs::copy(committed.join("README.md"), Path::new(&dir).join("README.md")).unwrap();
    done(&["recipes", "table", "--dir", &dir]);
    let [written, shown] =
        [Path::new(&dir), &committed].map(|dir| std::fs::read_to_string(dir.join("README.md")).unwrap());
    // The first line that differs says more than two whole tables.
    let differs = written.lines().zip(shown.lines()).find(|(written, shown)| written != shown);
    assert!(written == shown, "`emberlite recipes table` writes host/recipes/README.md anew: {differs:?}");
}

#[test]
fn searches_are_compared_go_on_and_come_out_the_same() {
    let folder = Folder::new();
    let dir = folder.path("recipes");
    let run = |more: &[&str]| {
        let words = ["recipes", "run", "penguins-search", "--quick", "--quiet", "--dir", &dir];
        done(&[&words[..], more].concat())
    };
    let out = run(&[]);
    assert_eq!(out.lines().filter(|line| line.ends_with(": reached")).count(), 2, "{out}");
    assert!(out.contains("\nseed   16 random    8 TPE   16 TPE") && out.contains("\ngrid of 6: "), "{out}");
    let place = recipes::find("penguins-search").unwrap().at(Path::new(&dir));
    assert!(!place.folder.join("result.json").exists(), "a quick one isn't recorded");
    assert!(!place.run.exists() && !place.folder.join("best.toml").exists(), "nor in the place of a whole one");
    let best = std::fs::read_to_string(place.folder.join("best-quick.toml")).unwrap();
    assert!(best.starts_with("# Trial ") && Spec::read(place.folder.join("best-quick.toml")).is_ok(), "{best}");
    // What somebody has made of it stays.
    let own = place.folder.join("best-quick.toml");
    std::fs::write(&own, "mine = true\n").unwrap();
    let answer = emberlite(&["recipes", "run", "penguins-search", "--quick", "--quiet", "--dir", &dir]);
    let expected = format!("error: {}: is there already, and no search has written it; move it away\n", own.display());
    assert_eq!((answer.status, answer.error), (1, expected));
    assert_eq!(std::fs::read_to_string(&own).unwrap(), "mine = true\n");
    std::fs::write(&own, &best).unwrap();
    // The last eight trials of one search and all of another are missing: they run again.
    let trials = place.quick_run.join("tpe-1.jsonl");
    let text = std::fs::read_to_string(&trials).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 17);
    std::fs::write(&trials, lines[..9].join("\n") + "\n").unwrap();
    std::fs::remove_file(place.quick_run.join("grid.jsonl")).unwrap();
    assert_eq!(run(&["--resume"]), out);
    assert_eq!(run(&[]), out, "anew");
}

#[test]
fn the_rows_that_are_judged_are_those_of_the_reference() {
    let folder = Folder::new();
    let mut compared = 0;
    for recipe in small() {
        let Some(rows) = recipe.expected.reference.get("test_rows").filter(|rows| !rows.is_empty()) else { continue };
        let place = recipe.place(Path::new(&folder.path("recipes"))).unwrap();
        let test = Spec::read(&place.model).unwrap().load_parts().unwrap().test.unwrap();
        let found: Vec<f64> = test.origins.iter().map(|origin| f64::from(origin.row)).collect();
        assert_eq!(&found, rows, "{}", recipe.name);
        assert_eq!(test.len(), rows.len());
        compared += 1;
    }
    assert!(compared >= 4);
}

#[test]
fn a_figure_that_is_not_reached_says_so() {
    let folder = Folder::new();
    let recipe = recipes::find("linear").unwrap();
    let place = recipe.place(Path::new(&folder.path("recipes"))).unwrap();
    let (model, run) = (place.model.display().to_string(), place.run.display().to_string());
    done(&["train", "--model", &model, "--run", &run, "--epochs", "5", "--quiet"]);
    let spec = Spec::read(&place.model).unwrap();
    let file = Bytes::read(place.run.join("model.safetensors")).unwrap();
    let judge = |expect: &[Expectation]| recipes::judge(&spec, &file, expect, &recipe.expected.reference);
    let verdicts = judge(&recipe.expected.expect).unwrap();
    assert!(verdicts.iter().any(|verdict| !verdict.holds()), "five epochs are too few");
    // A figure that can't be computed is an error, not a zero.
    let figure =
        |name: &str| Expectation { figure: name.into(), input: vec![5.0], ..recipe.expected.expect[0].clone() };
    let error = judge(&[figure("acuracy")]).unwrap_err();
    assert!(matches!(&error, RecipeError::Figure { figure, .. } if figure == "acuracy"), "{error}");
    let wrong = Expectation { input: vec![1.0, 2.0], ..figure("prediction") };
    assert!(judge(&[wrong]).is_err());
}

#[test]
fn what_is_missing_or_changed_is_one_sentence() {
    let folder = Folder::new();
    let dir = folder.path("recipes");
    let fails = |arguments: &[&str], status: u8| {
        let answer = emberlite(arguments);
        assert_eq!((answer.status, answer.out.as_str()), (status, ""), "{arguments:?}");
        folder.plain(&answer.error)
    };
    assert_eq!(
        fails(&["recipes", "run", "lineer", "--dir", &dir], 1),
        "error: no recipe `lineer`; did you mean `linear`?; `emberlite recipes` lists them\n"
    );
    assert_eq!(
        fails(&["recipes", "run", "mnist-conv", "--dir", &dir], 1),
        "error: mnist-conv needs data that the program doesn't carry, recipes/data/mnist; type `emberlite recipes fetch \
         mnist-conv`\n"
    );
    folder.write("recipes/mnist-conv/model.toml", "name = \"mine\"\n");
    assert_eq!(
        fails(&["recipes", "run", "mnist-conv", "--dir", &dir], 1),
        "error: recipes/mnist-conv/model.toml: isn't the recipe's any more; train it with `emberlite train --model …`, or \
         give another --dir\n"
    );
    let none = folder.path("no-python");
    let error = fails(&["recipes", "fetch", "fashion", "--python", &none, "--dir", &folder.path("other")], 1);
    assert!(error.contains("fetch.py fashion --to other/data`") && error.contains("install Python 3"), "{error}");
    folder.write("recipes/README.md", "no lines\n");
    let error = fails(&["recipes", "table", "--dir", &dir], 1);
    assert!(error.starts_with("error: recipes/README.md: the lines around the table are missing:"), "{error}");
}

#[test]
fn a_name_that_is_like_none_has_no_hint() {
    let answer = emberlite(&["recipes", "run", "housing", "--dir", &Folder::new().path("recipes")]);
    let expected = "error: no recipe `housing`; `emberlite recipes` lists them\n".to_string();
    assert_eq!((answer.status, answer.error), (1, expected));
}

#[test]
fn a_recipe_writes_what_it_reads_and_no_more() {
    let folder = Folder::new();
    let names = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.collect();
        names.sort();
        names
    };
    recipes::find("softmax-iris").unwrap().place(Path::new(&folder.path(""))).unwrap();
    assert_eq!(folder.names(), ["data", "fetch.py", "softmax-iris"]);
    assert_eq!(names(Path::new(&folder.path("data"))), ["iris.csv"]);
    assert_eq!(names(Path::new(&folder.path("softmax-iris"))), ["model.toml", "recipe.toml"]);
    // All of them read every table, but the sets that have to be fetched aren't there.
    let all = Folder::new();
    let out = done(&["recipes", "write", "--dir", &all.path("recipes")]);
    assert!(out.lines().count() == recipes::all().unwrap().len() && out.contains("softmax-iris/model.toml\n"), "{out}");
    let tables = ["breast_cancer.csv", "digits.csv", "iris.csv", "linear.csv", "penguins.csv", "toy.csv", "wine.csv"];
    assert_eq!(names(Path::new(&all.path("recipes/data"))), tables);
    let script = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/fetch.py")).unwrap();
    assert!(all.read("recipes/fetch.py") == script, "the script that fetches is another one");
}

#[test]
fn the_list_names_every_recipe_and_what_it_needs_first() {
    let out = done(&["recipes", "--dir", &Folder::new().path("none")]);
    for recipe in recipes::all().unwrap() {
        assert!(out.contains(recipe.name), "{out}");
    }
    assert!(out.contains("first `emberlite recipes fetch mnist-conv`"), "{out}");
}

#[test]
fn the_script_that_fetches_knows_every_set() {
    let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/fetch.py")).unwrap();
    for recipe in recipes::all().unwrap() {
        let Some(set) = &recipe.expected.fetch else { continue };
        assert!(script.contains(&format!("\"{set}\": {set}")), "{}: {set}", recipe.name);
    }
}

#[test]
fn the_device_reads_ten_digits_as_the_host_does() {
    let firmware = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware");
    let file = Bytes::read(firmware.join("models/digits_conv.safetensors")).unwrap();
    let recipe = recipes::find("digits-conv").unwrap();
    let spec = Spec::parse("model.toml", recipe.model, Path::new("recipes/digits-conv")).unwrap();
    let images = std::fs::read(firmware.join("models/digits_conv.images")).unwrap();
    let digits: Vec<&[u8]> = images.chunks_exact(65).collect();
    // They are rows of the committed digits.
    let table = std::fs::read_to_string(cli_common::data("digits.csv")).unwrap();
    for digit in &digits {
        let row: String = digit.iter().map(|number| format!(",{number}")).collect();
        assert!(table.lines().any(|line| line.split_once(',').is_some_and(|(_, rest)| format!(",{rest}") == row)));
    }
    let pixels = digits.iter().flat_map(|digit| digit[1..].iter().map(|&pixel| f32::from(pixel))).collect();
    let samples =
        emberlite_host::data::Dataset::new(pixels, vec![1, 8, 8], emberlite_host::data::Labels::None).unwrap();
    assert_eq!(Source::len(&samples), 10);
    let outputs = recipes::outputs(&spec, &file, &samples).unwrap();
    let mut text = String::from("self-check: ok\n");
    let mut right = 0;
    for (digit, output) in digits.iter().zip(outputs.values.chunks_exact(outputs.outputs)) {
        // The first of equal outputs, as everywhere.
        let class = (0..output.len()).rev().max_by(|&a, &b| output[a].total_cmp(&output[b])).unwrap();
        text += &format!("{} read as {class}\n", digit[0]);
        output.iter().for_each(|value| text += &format!("  {:08x}\n", value.to_bits()));
        right += usize::from(class == usize::from(digit[0]));
    }
    let plan = spec.costs(None).unwrap();
    text += &format!("{right} of 10 right, arena {} B\n", plan.arena_bytes);
    let golden = firmware.join("golden/digits_conv.txt");
    if std::env::var_os("EMBERLITE_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&golden, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&golden).unwrap(), "EMBERLITE_BLESS=1 writes it anew");
    assert!(right >= 9, "{text}");
}
