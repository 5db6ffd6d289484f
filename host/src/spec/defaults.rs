//! The defaults of `MODEL.md` are those of the parser: a key with its default written out describes what it does left out.
//!
//! A default on the page is compared where it is a value: a number, a truth, a text in quotes. `0; lamb: 0.01` has another one
//! for `lamb`. The rest is prose.

use std::path::Path;

use super::Spec;
use super::places::Places;

const PAGE: &str = include_str!("../../MODEL.md");

/// A description that ends inside the table of a heading of the page.
struct Template {
    heading: &'static str,
    /// What the page calls it where it has a default of its own.
    name: String,
    text: String,
}

/// What tables need, whatever it is.
const NEEDED: [(&str, &str); 18] = [
    ("outputs", "2"),
    ("channels", "2"),
    ("kernel", "3"),
    ("window", "3"),
    ("heads", "2"),
    ("vocabulary", "7"),
    ("features", "2"),
    ("groups", "2"),
    ("hidden", "2"),
    ("factor", "2"),
    ("learning_rate", "0.5"),
    ("every", "7"),
    ("gamma", "0.7"),
    ("steps", "7"),
    ("period", "7"),
    ("patience", "7"),
    ("k", "3"),
    ("length", "7"),
];

fn templates() -> Vec<Template> {
    const MODEL: &str = "[model]\ninput = [4]\nlayers = [{ op = \"linear\", outputs = 3 }]\n";
    const CSV: &str = "[data]\nfile = \"x.csv\"\nlabel = { class = \"c\" }\n";
    const SEARCH: &str = "[search]\nspace = { \"a.b\" = { int = [1, 2] } }\n";
    let mut all = Vec::new();
    let mut add = |heading, name: &str, text: String| all.push(Template { heading, name: name.into(), text });
    for data in [CSV, "[data]\nimage_folder = \"p\"\n", "[data]\naudio_folder = \"p\"\n"] {
        add("data", "", format!("{MODEL}{data}"));
    }
    for (heading, rest) in [
        ("data.window", ""),
        ("data.validation", "by = \"fraction\"\nshare = 0.5\n"),
        ("data.folds", ""),
        ("data.clean", ""),
        ("data.clean.outliers", "by = \"z_score\"\n"),
        ("data.clean.outliers", "by = \"iqr\"\n"),
        ("preprocessing", ""),
        ("preprocessing.scaling", "by = \"min_max\"\n"),
        ("augmentation", ""),
        ("training", ""),
        ("training.penalty", ""),
        ("training.early_stopping", ""),
        ("training.checkpoint", ""),
    ] {
        add(heading, "", format!("{MODEL}{CSV}[{heading}]\n{rest}"));
    }
    for name in ["mfcc", "log_mel"] {
        add(
            "data.transform",
            name,
            format!("{MODEL}[data]\naudio_folder = \"p\"\n[data.transform]\nname = \"{name}\"\n"),
        );
    }
    for name in ["word", "bpe"] {
        add(
            "data.tokenizer",
            name,
            format!("{MODEL}[data]\ntext_folder = \"p\"\n[data.tokenizer]\nname = \"{name}\"\n"),
        );
    }
    add("training", "the device", format!("{MODEL}[device.training]\n"));
    add("training.loss", "huber", format!("{MODEL}[training.loss]\nname = \"huber\"\n"));
    for rest in ["frozen = true\n", "learning_rate_scale = 1\n"] {
        add("training.layers", "", format!("{MODEL}[[training.layers]]\nlayer = 0\n{rest}"));
    }
    for name in ["sgd", "rmsprop", "adagrad", "adam", "adamw"].iter().chain(&super::host_training::OPTIMIZERS) {
        add("training.optimizer", name, format!("{MODEL}[training.optimizer]\nname = \"{name}\"\n"));
    }
    for name in ["constant", "step", "exponential", "cosine"].iter().chain(&super::host_training::SCHEDULES) {
        add("training.schedule", name, format!("{MODEL}[training.schedule]\nname = \"{name}\"\n"));
    }
    add("model", "", MODEL.into());
    for op in super::layers::OPS.iter().chain(&super::host_layers::OPS) {
        let first = "[model]\ninput = [4]\n[[model.layers]]\nop = \"relu\"\n";
        let sources = if matches!(*op, "add" | "concat") { "from = [\"input\", \"previous\"]\n" } else { "" };
        add("model.layers", op, format!("{first}[[model.layers]]\nop = \"{op}\"\n{sources}"));
    }
    add("search", "", format!("{MODEL}{SEARCH}"));
    add("search", "grid", format!("{MODEL}{SEARCH}method = \"grid\"\n"));
    add("search.method", "tpe", format!("{MODEL}{SEARCH}[search.method]\nname = \"tpe\"\n"));
    for name in ["median", "successive_halving"] {
        add("search.pruning", name, format!("{MODEL}{SEARCH}[search.pruning]\nname = \"{name}\"\n"));
    }
    add("search.space.PATH", "int", format!("{MODEL}[search.space.\"a.b\"]\nint = [1, 9]\n"));
    all.into_iter().map(completed).collect()
}

fn parse(text: &str) -> Result<Spec, String> {
    let mut spec = Spec::parse("model.toml", text, Path::new("base")).map_err(|error| error.to_string())?;
    // Where things stand, and that they stand there, is no setting.
    spec.places = Places::default();
    if let Some(data) = &mut spec.data {
        data.scaling_said = false;
    }
    if let Some(augmentation) = &mut spec.augmentation {
        augmentation.lines.clear();
    }
    Ok(spec)
}

/// With the keys that the parser says are missing.
fn completed(mut template: Template) -> Template {
    while let Err(error) = parse(&template.text) {
        let missing = error.split("` is missing").next().and_then(|before| before.rsplit('`').next());
        let value = NEEDED.iter().find(|(key, _)| Some(*key) == missing);
        let (key, value) = value.unwrap_or_else(|| panic!("{error}\n{}", template.text));
        template.text += &format!("{key} = {value}\n");
    }
    template
}

/// A key of the page: heading, key, the default, and those of certain templates by their names.
struct Written {
    heading: String,
    key: String,
    usual: Option<String>,
    others: Vec<(Vec<String>, Option<String>)>,
}

/// A value as TOML has it; none for prose.
fn value(text: &str) -> Option<String> {
    let text = text.trim().trim_matches('`');
    let is_text = text.len() > 1 && text.starts_with('"') && text.ends_with('"');
    (is_text || matches!(text, "true" | "false") || text.parse::<f64>().is_ok()).then(|| text.to_string())
}

fn written(page: &str) -> Vec<Written> {
    let (mut heading, mut all) = (String::new(), Vec::new());
    for line in page.lines() {
        if line.starts_with("##") {
            heading = line.split('`').nth(1).unwrap_or_default().trim_matches(['[', ']']).to_string();
        }
        let cells: Vec<&str> = line.trim_matches(['|', ' ']).split(" | ").collect();
        let [keys, _, default, ..] = cells[..] else { continue };
        if !line.starts_with("| `") {
            continue;
        }
        let keys: Vec<&str> = keys.split('`').skip(1).step_by(2).collect();
        // `10, 0` of two keys are one each; a single value is that of both.
        let of = |text: &str, place: usize| -> Option<String> {
            let each: Vec<&str> = text.split(", ").collect();
            if keys.len() > 1 && each.len() == keys.len() { value(each[place]) } else { value(text) }
        };
        for (place, key) in keys.iter().enumerate() {
            let (mut usual, mut others) = (None, Vec::new());
            for part in default.split("; ") {
                match part.split_once(": ") {
                    None => usual = usual.or(of(part, place)),
                    Some((names, text)) => {
                        let names = names.split(", ").map(|name| name.trim_matches('`').to_string()).collect();
                        others.push((names, of(text, place)));
                    }
                }
            }
            all.push(Written { heading: heading.clone(), key: key.to_string(), usual, others });
        }
    }
    all
}

/// Keys whose default isn't the parser's, and how many are.
fn compared(page: &str) -> (Vec<String>, usize) {
    let (templates, mut wrong, mut right) = (templates(), Vec::new(), 0);
    for Written { heading, key, usual, others } in written(page) {
        let meant = |template: &Template| {
            let is = |name: &String| *name == template.name || (name == "pooling" && template.name.contains("_pool"));
            let other = others.iter().find(|(names, _)| names.iter().any(is));
            other.map_or(usual.clone(), |(_, value)| value.clone())
        };
        let mut seen = usual.is_none() && others.iter().all(|(_, value)| value.is_none());
        for template in templates.iter().filter(|template| template.heading == heading) {
            let Some(value) = meant(template) else { continue };
            // What the template needs stands there already; another kind of table doesn't have the key.
            let Ok(with) = parse(&format!("{}{key} = {value}\n", template.text)) else { continue };
            let without = parse(&template.text).unwrap();
            if with == without {
                seen = true;
                right += 1;
            } else {
                wrong.push(format!("{heading}.{key} = {value} ({})", template.name));
            }
        }
        if !seen && !wrong.iter().any(|text| text.starts_with(&format!("{heading}.{key} "))) {
            wrong.push(format!("{heading}.{key}: no description takes it"));
        }
    }
    (wrong, right)
}

#[test]
fn the_page_has_the_parsers_defaults() {
    let (wrong, right) = compared(PAGE);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(right > 150, "only {right} defaults compared");
    // The test itself: another default is seen, also of one optimizer alone.
    for (old, new, key) in [
        ("| 32; the device: 1 |", "| 33; the device: 1 |", "training.batch = 33 ()"),
        ("| 32; the device: 1 |", "| 32; the device: 2 |", "training.batch = 2 (the device)"),
        ("`lion`: 0.9, 0.99 ", "`lion`: 0.9, 0.999 ", "training.optimizer.beta2 = 0.999 (lion)"),
        ("| `\"crop\"` |", "| `\"pad\"` |", "data.resize = \"pad\" ()"),
        ("| `header` | true, false | true |", "| `header` | true, false | false |", "data.header = false ()"),
    ] {
        assert!(PAGE.contains(old), "{old}");
        assert_eq!(compared(&PAGE.replacen(old, new, 1)).0, [key]);
    }
}
