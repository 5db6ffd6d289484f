//! Reports as pages: well-formed, complete in themselves, and safe whatever they are made of.

mod report_common;

use emberlite_host::report::{
    self, BeforeAfter, CalibrationRange, Comparison, Confusion, CurvePoint, Curves, DemoReport, DemoRun, Example,
    FileFacts, Judged, LayerFacts, Look, Parity, PartFacts, ResidualRange, Score, SearchReport, TrainingReport,
    runs::{Epoch, Run},
};
use emberlite_host::train::EpochRecord;
use serde_json::{Value, json};

/// Elements that have no end.
const VOID: [&str; 2] = ["meta", "br"];

/// Whether every tag is closed in order, every attribute quoted, and every `<`, `>` and `&` in the text escaped.
fn well_formed(page: &str) -> Result<(), String> {
    let body = page.strip_prefix("<!doctype html>\n").ok_or("no document type")?;
    // The style isn't markup.
    let (before, rest) = body.split_once("<style>").ok_or("no style")?;
    let (style, after) = rest.split_once("</style>").ok_or("no end of the style")?;
    if style.contains('<') {
        return Err("a style with markup".into());
    }
    let page = format!("{before}{after}");
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page.as_str();
    while let Some(at) = rest.find(['<', '>']) {
        text(&rest[..at])?;
        let tag = rest[at..].strip_prefix('<').ok_or_else(|| format!("a stray > after {:?}", &rest[..at]))?;
        let (tag, after) = tag.split_once('>').ok_or("a tag without an end")?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            if last != Some(name) {
                return Err(format!("</{name}> closes {last:?}"));
            }
            continue;
        }
        let closed = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(format!("<{tag}> has no name"));
        }
        self::attributes(attributes).map_err(|what| format!("<{tag}>: {what}"))?;
        if !closed && !VOID.contains(&name) {
            open.push(name);
        }
    }
    text(rest)?;
    if open.is_empty() { Ok(()) } else { Err(format!("never closed: {open:?}")) }
}

fn attributes(mut rest: &str) -> Result<(), String> {
    while !rest.is_empty() {
        let (name, value) = rest.split_once("=\"").ok_or_else(|| format!("{rest:?} isn't name=\"value\""))?;
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(format!("{name:?} is no name"));
        }
        let (value, after) = value.split_once('"').ok_or("a value without an end")?;
        text(value)?;
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    Ok(())
}

fn text(text: &str) -> Result<(), String> {
    let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"];
    let bare = text.match_indices('&').find(|(at, _)| !known.iter().any(|k| text[*at..].starts_with(k)));
    bare.map_or(Ok(()), |(at, _)| Err(format!("a bare & in {:?}", &text[at..text.len().min(at + 20)])))
}

/// Well-formed, without anything from elsewhere, and without a number that isn't one.
fn check(page: &str) {
    if let Err(what) = well_formed(page) {
        panic!("{what}");
    }
    for foreign in ["<script", "<link", "<iframe", "http:", "https:", "url(", "@import"] {
        assert!(!page.contains(foreign), "the page has {foreign}");
    }
    // Pictures are in the page itself.
    let elsewhere = page.split("src=").skip(1).find(|rest| !rest.starts_with("\"data:image/png;base64,"));
    assert!(elsewhere.is_none(), "the page takes {elsewhere:?}");
    for broken in ["NaN", ">inf", "\"inf", "-inf"] {
        assert!(!page.contains(broken), "the page has {broken}");
    }
}

#[test]
fn the_checker_sees_what_is_wrong() {
    let page = |body: &str| well_formed(&format!("<!doctype html>\n<style></style>{body}"));
    assert_eq!(page("<p class=\"a\">1 &lt; 2<br/><meta></p>"), Ok(()));
    for wrong in [
        "<p>",
        "</p>",
        "<p></i>",
        "a & b",
        "a > b",
        "<p a=1></p>",
        "<p a=\"&\"></p>",
        "<p",
        "<p a=\"1></p>",
        "< p></p>",
    ] {
        assert!(page(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn pages_of_real_runs_are_well_formed_and_say_what_counts() {
    let page = report::training(&report_common::training());
    check(&page);
    // The headline is the device's figure, not the host's.
    assert!(page.contains("<p class=\"figure\">95.3 %</p>"));
    for said in [
        "95.3 %",
        "Metrics of the validation set",
        "Validation log loss",
        "validation F1, mean of classes",
        "95.4 %",
        "99.9 %",
        "best: 24",
        "forward elevation",
        "conv1d (first)",
        "38,288",
        "sha256 5f2b",
        "--seed 1",
    ] {
        assert!(page.contains(said), "the training page lacks {said}");
    }
    let page = report::demo(&report_common::demo());
    check(&page);
    for said in
        ["other wrist", "first wrist", "✓ bit for bit as simulated", "6 of 6 runs", "48,320", "cargo xtask demo"]
    {
        assert!(page.contains(said), "the demo page lacks {said}");
    }
}

#[test]
fn mistakes_are_shown_as_what_they_are() {
    let mut run = report_common::training();
    let predictions = std::mem::take(&mut run.judged.predictions);
    let numbers = TrainingReport { judged: Judged { predictions, ..run.judged.clone() }, ..TrainingReport::default() };
    let page = report::training(&numbers);
    check(&page);
    assert!(page.contains("Predicted numbers") && page.contains("5 of 40 samples, those that are furthest off first."));
    let page = report::training(&run);
    for said in [
        "data:image/png;base64,iVBOR",
        "<svg class=\"trace\"",
        "<dt>island</dt><dd>Torgersen</dd>",
        "<blockquote>a &lt; b &amp; c</blockquote>",
        "<b>pendulum</b> taken for <b class=\"wrong\">abduction</b>",
        "5 of 40 mistakes, those it was surest of first.",
        "<dt title=\"f1_macro\">F1, mean of classes</dt><dd>95.1 %</dd>",
        "Of the future",
        "Calibration",
        "ROC: row",
    ] {
        assert!(page.contains(said), "the page lacks {said}");
    }
    // What isn't a picture isn't shown as one.
    let mut run = report_common::training();
    run.judged.examples.truncate(2);
    run.judged.examples[1].look = Look::Picture { width: 1, height: 1, png: "\" onerror=\"x".into() };
    let page = report::training(&run);
    check(&page);
    assert!(!page.contains("<img"));
}

#[test]
fn curves_and_table_tell_training_from_validation() {
    let epoch = |epoch, [train_loss, validation_loss, train_accuracy, validation_accuracy]: [f64; 4]| EpochRecord {
        epoch,
        step: epoch,
        train_loss,
        train_accuracy: Some(train_accuracy),
        validation_loss: Some(validation_loss),
        validation_accuracy: Some(validation_accuracy),
        validation_metrics: [].into(),
        learning_rate: 0.5,
        seconds: 1.0,
        samples_per_second: 8.0,
    };
    let history = vec![epoch(1, [4.0, 3.0, 0.25, 0.5]), epoch(2, [2.0, 3.5, 0.75, 0.625])];
    let page =
        report::training(&TrainingReport { history, best_epoch: 1, seconds: Some(90.0), ..TrainingReport::default() });
    check(&page);
    for said in [
        "</i>training 4</span>",
        "</i>validation 3</span>",
        "</i>training 25.0 %</span>",
        "</i>validation 50.0 %</span>",
        // The first, the best and the last.
        "<td>validation accuracy</td><td class=\"number\">50.0 %</td><td class=\"number\">50.0 %</td><td class=\"number\">62.5 %</td>",
        "2 epochs and 2 updates, 8 samples a second; the parameters of epoch 1 were kept.",
        // Wall time, not the sum over epochs.
        "1 min 30 s",
    ] {
        assert!(page.contains(said), "the page lacks {said}: {page}");
    }
}

#[test]
fn empty_reports_are_pages_too() {
    check(&report::training(&TrainingReport::default()));
    check(&report::demo(&DemoReport::default()));
}

/// Every text, however deep, becomes `text`.
fn infect(value: &mut Value, text: &str) {
    match value {
        Value::String(s) => *s = text.into(),
        Value::Array(all) => all.iter_mut().for_each(|v| infect(v, text)),
        // A look that is a text is none at all.
        Value::Object(all) => {
            all.iter_mut().filter(|(name, v)| *name != "look" || !v.is_string()).for_each(|(_, v)| infect(v, text));
        }
        _ => {}
    }
}

#[test]
fn no_text_becomes_markup() {
    for evil in [
        "</style></title><script>alert('1')</script>",
        "\" onload=\"x",
        "' a='b",
        "&lt;",
        "<!--",
        "]]>",
        "\u{0}\u{1b}\u{202e}",
    ] {
        let mut value = serde_json::to_value(report_common::training()).unwrap();
        infect(&mut value, evil);
        check(&report::training(&serde_json::from_value(value).unwrap()));
        let mut value = serde_json::to_value(report_common::demo()).unwrap();
        infect(&mut value, evil);
        check(&report::demo(&serde_json::from_value(value).unwrap()));
        check(&report::search(&searched(evil)));
        check(&compared(evil).page());
    }
}

/// A search whose every text is `text`: names, choices, reasons, settings, files.
fn searched(text: &str) -> SearchReport {
    let trial = |number: u32, state: &str, score: Option<f64>| {
        let mut trial =
            json!({"number": number, "state": state, "parameters": {text: text}, "values": [0.5], "reason": text});
        trial["score"] = score.map_or(Value::Null, Value::from);
        trial
    };
    let scored = [trial(0, "complete", Some(0.75)), trial(1, "complete", Some(0.5))];
    let trials = [&scored[..], &[trial(2, "failed", None), trial(3, "pruned", None)]].concat();
    let report = json!({
        "name": text, "description": text, "metric": text, "direction": "maximize", "best": text, "command": text,
        "parameters": [{"path": text, "choices": [text, "b"]}],
        "search_trials": trials,
        "settings": [[text, text]], "versions": [[text, text]], "files": [{"name": text, "bytes": 1, "hash": text}],
    });
    serde_json::from_value(report).unwrap()
}

/// Two runs whose every text is `text`.
fn compared(text: &str) -> Comparison {
    let run = |folder: &str, loss| Run {
        folder: folder.into(),
        name: text.into(),
        epochs: vec![Epoch {
            epoch: 1,
            train_loss: Some(loss),
            validation_metrics: [(text.to_string(), Some(loss))].into(),
            ..Epoch::default()
        }],
        tested: [(text.to_string(), loss)].into(),
        tested_on: text.into(),
        trained_on: text.into(),
        settings: vec![(text.into(), format!("{text}{loss}"))],
        notes: vec![text.into()],
        ..Run::default()
    };
    Comparison::new(vec![run(text, 0.5), run("b", 0.25)])
}

/// Numbers that no run should have.
const ODD: [f64; 8] = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, 5e-324, -0.0, 1e300];

#[test]
fn odd_numbers_are_dashes_not_accidents() {
    for (i, &x) in ODD.iter().enumerate() {
        let y = ODD[(i + 3) % ODD.len()];
        let odd = |epoch, x: f64| EpochRecord {
            epoch,
            step: u32::MAX,
            train_loss: x,
            train_accuracy: Some(x),
            validation_loss: Some(y),
            validation_accuracy: Some(y),
            validation_metrics: [("f1_macro".to_string(), x), ("mse".to_string(), y), ("none".to_string(), x)].into(),
            learning_rate: x as f32,
            seconds: x,
            samples_per_second: x,
        };
        let mut run = report_common::training();
        run.history = vec![odd(0, x), odd(u32::MAX, y), odd(3, 0.5), odd(3, 1e-9)];
        (run.best_epoch, run.seconds, run.agreement) = (u32::MAX, Some(x), Some(x));
        run.judged.metrics = vec![("f1_macro".into(), x), ("mse".into(), y)];
        run.judged.calibration = vec![CalibrationRange { confidence: x, accuracy: y, samples: u64::MAX }];
        run.judged.curves =
            Some(Curves { share: x, roc: vec![(x, y)], precision_recall: vec![(y, x)], ..Curves::default() });
        run.judged.predictions = vec![(x, y), (0.0, 1.0)];
        run.judged.residuals = vec![ResidualRange { middle: x, width: y, samples: 7 }];
        run.judged.examples[0].look = Look::Trace(vec![vec![x as f32, y as f32], vec![], vec![f32::NAN; 3]]);
        run.judged.examples[0].confidence = Some(x);
        run.scores = vec![Score { accuracy: Some(x), loss: Some(x), ..Score::default() }; 2];
        check(&report::training(&run));

        let both = BeforeAfter { before: Some(x), after: Some(y), samples: Some(u64::MAX) };
        let point = |step, x| CurvePoint { step, loss: Some(x), new: Some(x), first: Some(y) };
        let run = DemoRun {
            new: both,
            first: both,
            steps: u64::MAX,
            skipped: u64::MAX,
            seconds: Some(x),
            parity: Some(Parity { identical: false, bytes: u64::MAX, different: None }),
            curve: vec![point(0, x), point(u64::MAX, y), point(1, 0.5)],
            ..DemoRun::default()
        };
        check(&report::demo(&DemoReport { chance: Some(x), runs: vec![run; 3], ..report_common::demo() }));
    }
}

#[test]
fn huge_counts_of_everything_make_a_page_of_bearable_size() {
    let mut run = report_common::training();
    run.confusion = Confusion { counts: vec![vec![u32::MAX; 1_000]; 1_000], ..Confusion::default() };
    run.parts = vec![PartFacts { name: "train".into(), samples: u64::MAX, class_counts: vec![u64::MAX; 100_000] }; 3];
    let epoch = run.history[0].clone();
    run.history = (1..=50_000).map(|at| EpochRecord { epoch: at, ..epoch.clone() }).collect();
    let layer = LayerFacts { parameters: u64::MAX, macs: u64::MAX, ..run.model.layers[0].clone() };
    run.model.layers = vec![layer; 64];
    (run.model.parameter_bytes, run.model.arena_bytes, run.model.ram_budget_bytes) = (u64::MAX, u64::MAX, Some(0));
    (run.model.file_bytes, run.model.flash_budget_bytes) = (u64::MAX, Some(1));
    run.files = vec![FileFacts { bytes: u64::MAX, ..FileFacts::default() }];
    let example = |i: usize| Example { look: Look::Trace(vec![vec![i as f32; 50_000]; 100]), ..Example::default() };
    run.judged.examples = (0..100).map(example).collect();
    run.judged.predictions = vec![(0.5, 0.25); 500];
    let page = report::training(&run);
    check(&page);
    assert!(page.len() < 600_000, "{} bytes", page.len());

    let mut demo = report_common::demo();
    let curve: Vec<CurvePoint> =
        (0..100_000).map(|step| CurvePoint { step, loss: Some(1.0), ..CurvePoint::default() }).collect();
    demo.runs[0].curve = curve;
    let page = report::demo(&demo);
    check(&page);
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

#[test]
fn ragged_confusions_and_missing_parts_are_shown_as_they_are() {
    let mut run = report_common::training();
    run.confusion.counts = vec![vec![], vec![1, 2], vec![0; 9]];
    run.parts[1].class_counts.clear();
    run.model.layers.clear();
    check(&report::training(&run));
    let mut run = report_common::training();
    // A model that predicts numbers.
    run.confusion = Confusion::default();
    for score in &mut run.scores {
        score.accuracy = None;
    }
    for epoch in &mut run.history {
        (epoch.train_accuracy, epoch.validation_accuracy, epoch.validation_loss) = (None, None, None);
        epoch.validation_metrics.clear();
    }
    let page = report::training(&run);
    check(&page);
    assert!(page.contains("mean loss") && !page.contains("<figcaption>Accuracy"));
}

#[test]
fn what_differs_or_does_not_fit_is_said() {
    let mut demo = report_common::demo();
    demo.runs[4].parity = Some(Parity { identical: false, bytes: 32_768, different: Some(12) });
    let page = report::demo(&demo);
    assert!(page.contains("✗ 1 of 6 runs differ from the simulation") && page.contains("✗ 12 bytes differ"));
    assert!(!page.contains("✓ bit for bit"));
    demo.memory.ram_bytes = Some(40_000);
    assert!(report::demo(&demo).contains("too much"));
    let mut run = report_common::training();
    run.model.ram_budget_bytes = Some(20_000);
    assert!(report::training(&run).contains("does not fit the RAM of m4f"));
}

#[test]
fn a_report_survives_its_json() {
    let (run, demo) = (report_common::training(), report_common::demo());
    let json = serde_json::to_string(&run).unwrap();
    assert_eq!(serde_json::from_str::<TrainingReport>(&json).unwrap(), run);
    let json = serde_json::to_string(&demo).unwrap();
    assert_eq!(serde_json::from_str::<DemoReport>(&json).unwrap(), demo);
    // Parts may be missing; a misspelt one is told.
    let short = r#"{"title": "x", "runs": [{"from": "a", "to": "b", "new": {"before": 0.25, "after": 0.75}}]}"#;
    let short: DemoReport = serde_json::from_str(short).unwrap();
    let page = report::demo(&short);
    check(&page);
    assert!(page.contains("25.0 % → 75.0 %") && page.contains("No run was compared"));
    let error = serde_json::from_str::<DemoReport>(r#"{"run": []}"#).unwrap_err();
    assert!(error.to_string().contains("unknown field `run`"), "{error}");
}
