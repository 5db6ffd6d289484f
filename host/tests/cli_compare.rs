//! `emberlite evaluate` and `emberlite compare`: what they say, and that what they can't read is a sentence.

mod cli_common;

use cli_common::{Folder, done, emberlite, small, trained};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn last_line(folder: &Folder) -> Value {
    let text = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
    json(text.lines().last().unwrap())
}

#[test]
fn an_evaluation_says_what_the_training_said_of_the_same_samples() {
    let folder = trained("f32");
    let (model, weights) = (folder.path("model.toml"), folder.path("model.safetensors"));
    let all = ["evaluate", "--model", &model, "--weights", &weights, "--part", "train", "--json"];
    let told = json(&done(&all));
    let tested = last_line(&folder);
    assert_eq!(
        (&tested["part"], &told["part"], &told["samples"]),
        (&json("\"training\""), &json("\"train\""), &json("8"))
    );
    assert_eq!((&told["metrics"], &told["loss"]), (&tested["host_metrics"], &tested["host_loss"]));
    assert_eq!(told["metrics"]["accuracy"], tested["host_accuracy"]);
    // Four samples each; rows of the matrix are those of the table.
    for class in [0, 1] {
        let row: u64 = told["confusion"][class].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).sum();
        assert_eq!((row, &told["classes"][class]["samples"]), (4, &json("4")));
    }
    let more =
        done(&["evaluate", "--model", &model, "--file", &weights, "--part", "train", "--metrics", "f2,top_1_accuracy"]);
    for said in
        ["train part, 8 samples", "roc_auc", "f2  ", "top_1_accuracy", "class", "precision", "\n  a  ", "\n  b  "]
    {
        assert!(more.contains(said), "{said} is missing: {more}");
    }
}

#[test]
fn what_cannot_be_evaluated_is_a_sentence() {
    let (folder, fixed) = (trained("f32"), trained("fixed16"));
    let (model, weights) = (folder.path("model.toml"), folder.path("model.safetensors"));
    let short = folder.write("short.safetensors", "");
    let fixed16 = fixed.path("model.safetensors");
    let wrong = |more: &[&str]| {
        let all: Vec<&str> = ["evaluate", "--model", &model].iter().chain(more).copied().collect();
        let answer = emberlite(&all);
        assert!(answer.status > 0 && answer.out.is_empty(), "{answer:?}");
        answer.error
    };
    assert!(
        wrong(&["--weights", &weights])
            .contains("`data`: there is no test part, so nothing was judged; add one, such as test = ")
    );
    let turned = small("f32").replace(r#"["a", "b"]"#, r#"["b", "a"]"#);
    let turned = folder.write("turned.toml", turned);
    let said = emberlite(&["evaluate", "--model", &turned, "--weights", &weights, "--part", "train"]).error;
    assert!(
        said.contains("it tells a, b apart, in this order, and the data b, a; give the description that"),
        "{said}"
    );
    let train = ["--part", "train", "--weights"];
    let with = |more: &[&str]| wrong(&train.iter().chain(more).copied().collect::<Vec<_>>());
    assert!(
        with(&[&weights, "--metrics", "mse"]).contains("mse: it needs numbers to predict, the model and its loss give")
    );
    assert!(with(&[&weights, "--metrics", "f1_marco"]).contains("did you mean `f1_macro`?"));
    assert!(with(&[&weights, "--metrics", "recall_class_7"]).contains("recall_class_7: "));
    assert!(with(&[&short]).contains("short.safetensors"));
    assert!(with(&["no-such-file"]).contains("no-such-file"));
    assert!(with(&[&fixed16]).contains("model.f32.safetensors"), "{}", with(&[&fixed16]));
}

#[test]
fn the_real_numbers_of_a_fixed16_model_can_be_evaluated() {
    let folder = trained("fixed16");
    let (model, real) = (folder.path("model.toml"), folder.path("model.f32.safetensors"));
    let told = json(&done(&["evaluate", "--model", &model, "--weights", &real, "--part", "train", "--json"]));
    assert_eq!(told["metrics"], last_line(&folder)["host_metrics"]);
}

#[test]
fn runs_stand_side_by_side() {
    let folder = trained("f32");
    let (model, run, other) = (folder.path("model.toml"), folder.path("run"), folder.path("other"));
    let text =
        small("f32").replace("learning_rate = 0.01", "learning_rate = 0.02").replace("outputs = 4", "outputs = 6");
    folder.write("model.toml", text);
    done(&["train", "--model", &model, "--run", &other, "--epochs", "4", "--quiet"]);
    let page = folder.path("pages/compare.html");
    let said = emberlite(&["compare", &run, &other, "--out", &page]);
    let expected = "error: --out pages/compare.html: there is no folder pages; make it, or mend the path\n";
    assert_eq!((said.status, said.out.as_str(), folder.plain(&said.error).as_str()), (1, "", expected));
    std::fs::create_dir(folder.path("pages")).unwrap();
    let text = done(&["compare", &run, &other, "--out", &page]);
    for said in
        ["run", "other", "best epoch", "train_loss", "parameters", "RAM to learn", "0.02", "settings that differ", " *"]
    {
        assert!(text.contains(said), "{said} is missing: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80 || line.starts_with("wrote")), "{text}");
    let page = String::from_utf8(folder.read("pages/compare.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.contains("learning rate") && !page.contains("NaN"));
    let told = json(&done(&["compare", &run, &other, "--json"]));
    assert_eq!(told["names"], json("[\"run\",\"other\"]"));
    let row = |name: &str| told["rows"].as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone();
    // 2 * 4 + 4 + 4 * 2 + 2, and with 6 instead of 4.
    assert_eq!(row("parameters")["values"], json("[22.0, 32.0]"));
    assert_eq!(row("epochs")["values"], json("[3.0, 4.0]"));
    let settings = told["settings"].as_array().unwrap();
    let rate = settings.iter().find(|row| row["name"] == "learning rate").unwrap();
    assert_eq!(rate["values"], json("[\"0.01\", \"0.02\"]"));
    assert!(settings.iter().any(|row| row["name"] == "model"), "{settings:?}");
}

#[test]
fn a_killed_run_is_compared_as_far_as_it_got() {
    let folder = trained("f32");
    let whole = String::from_utf8(folder.read("run/metrics.jsonl")).unwrap();
    let cut = whole.match_indices('\n').nth(1).unwrap().0 + 30;
    std::fs::create_dir(folder.path("killed")).unwrap();
    folder.write("killed/metrics.jsonl", &whole[..cut]);
    let text = done(&["compare", &folder.path("run"), &folder.path("killed")]);
    assert!(text.contains("killed: the last line of metrics.jsonl is cut off"), "{text}");
    assert!(text.contains("killed: it hasn't come to its end"), "{text}");
    let told = json(&done(&["compare", &folder.path("killed"), "--json"]));
    assert_eq!((&told["runs"][0]["finished"], &told["rows"][0]["values"]), (&json("false"), &json("[1.0]")));
}

#[test]
fn what_is_no_run_is_a_sentence_and_nothing_is_written() {
    let folder = trained("f32");
    let (run, page) = (folder.path("run"), folder.path("page.html"));
    std::fs::create_dir(folder.path("empty")).unwrap();
    for (other, said) in [
        ("none", "there is no such folder; give the folder of a run"),
        ("empty", "no run: neither metrics.jsonl nor report.json is in it"),
        ("rows.csv", "a file; give the folder of a run"),
    ] {
        let answer = emberlite(&["compare", &run, &folder.path(other), "--out", &page]);
        assert!(answer.status == 1 && answer.out.is_empty() && answer.error.contains(said), "{answer:?}");
        assert_eq!(answer.error.lines().count(), 1, "{answer:?}");
    }
    assert!(!folder.names().contains(&"page.html".to_string()));
    // The files of a search, whose report is of another kind.
    std::fs::create_dir(folder.path("small-search")).unwrap();
    folder.write("small-search/trials.jsonl", "{\"search\":{}}\n");
    folder.write("small-search/report.json", "{\"search_trials\":[]}");
    let answer = emberlite(&["compare", &run, &folder.path("small-search")]);
    let expected = "error: small-search: the folder of a search, not of a run; report.html in it compares its trials; to compare \
                    its best one with runs, train the best description that it wrote, and give the folder of that run\n";
    assert_eq!((answer.status, folder.plain(&answer.error).as_str()), (1, expected));
    let own = emberlite(&["compare", &run, "--out", &folder.path("run/report.json")]);
    assert!(own.status == 1 && own.error.contains("would be overwritten"), "{own:?}");
    assert_eq!(emberlite::<&str>(&["compare"]).status, 2);
}

#[test]
fn what_is_no_model_to_judge_is_said() {
    let folder = trained("f32");
    let model = folder.path("model.toml");
    let (file, plain) = (folder.path("model.safetensors"), folder.path("plain.safetensors"));
    done(&["export", &file, "--profile", "plain", "--model", &model, "--out", &plain]);
    for (weights, said) in [
        (
            "plain.safetensors",
            "plain.safetensors: weights as PyTorch names them; `emberlite import` makes a model's file of them, which can be \
             judged",
        ),
        ("run", "run: is a folder; name a file, such as run/model.safetensors"),
        (
            "run/checkpoint.safetensors",
            "run/checkpoint.safetensors: a checkpoint, to go on with by `emberlite train --resume`; its run ends with a \
             model.safetensors, which can be judged",
        ),
    ] {
        let answer = emberlite(&["evaluate", "--model", &model, "--weights", &folder.path(weights), "--part", "train"]);
        assert_eq!((answer.status, folder.plain(&answer.error)), (1, format!("error: {said}\n")));
    }
    let answer = emberlite(&["train", "--model", &model, "--run", &model]);
    let expected = "error: model.toml: is a file; name a folder with --run\n".to_string();
    assert_eq!((answer.status, folder.plain(&answer.error)), (1, expected));
}
