//! What `[search]` says is what the study does: on curves by hand, without a training.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::metrics::Metric;
use crate::train::{EpochRecord, Evaluation};

/// Two inputs, a hidden layer, two outputs: 2 h + h + 2 h + 2 parameters and 4 h multiply-accumulates.
const MODEL: &str = r#"name = "small"
[data]
file = "rows.csv"
label = { class = "class" }
classes = ["a", "b"]
[model]
input = [2]
layers = [{ op = "linear", outputs = 4 }, { op = "relu" }, { op = "linear", outputs = 2 }]
[training]
optimizer = { name = "adam", learning_rate = 0.01 }
[search]
"#;

const SPACE: &str = r#"[search.space]
"training.optimizer.learning_rate" = { log_uniform = [1e-4, 1e-1] }
"training.optimizer.beta1" = { uniform = [0.1, 0.9] }
"#;

fn described(search: &str) -> Description {
    Description::parse("model.toml", &format!("{MODEL}{search}"), Path::new(""), Vec::new()).unwrap()
}

/// A curve of eight steps, a function of a candidate's first value.
struct Curve;

impl Objective for Curve {
    fn run(&self, candidate: &Candidate<'_>, progress: &mut Progress<'_>) -> Result<Score, String> {
        let x = candidate.values[0].1.as_f64().unwrap();
        for step in 1..=8 {
            progress.epoch();
            if !progress.step(height(x, step)) {
                return Err("given up".into());
            }
        }
        Ok(Score { score: height(x, 8), scores: Vec::new() })
    }
}

/// Rises with the step, and crosses other candidates' curves.
fn height(x: f64, step: u32) -> f64 {
    f64::from(step) * 0.1 + (x * 1e5).sin() / f64::from(step)
}

fn trials(description: &Description) -> Vec<Trial> {
    let study = description.study(description.judge().unwrap());
    study.run(Vec::new(), &Curve, &mut |_| Ok(()), &AtomicBool::new(false)).unwrap()
}

#[test]
fn a_study_has_every_setting_of_the_section() {
    let text = "method = { name = \"tpe\", startup_trials = 3, startup = \"random\", candidates = 7, multivariate = false }\n\
                trials = 11\nseed = 5\nparallel = 2\nmetric = \"f1_macro\"\npruning = { name = \"median\", startup_trials = 4, warmup_steps = 6 }\n";
    let description = described(&format!("{text}{SPACE}"));
    let study = description.study(description.judge().unwrap());
    let tpe = Tpe { startup_trials: 3, startup: Startup::Random, candidates: 7, multivariate: false };
    assert_eq!((study.method, study.direction), (Method::Tpe(tpe), Direction::Maximize));
    assert_eq!((study.trials, study.seed, study.parallel), (11, 5, 2));
    assert_eq!(study.pruning, Some(Pruning::Median { startup_trials: 4, warmup_steps: 6 }));
    let parameters = &study.space.parameters;
    let paths: Vec<&str> = parameters.iter().map(|parameter| parameter.path.as_str()).collect();
    assert_eq!(paths, ["training.optimizer.learning_rate", "training.optimizer.beta1"]);
    let usual = described(SPACE);
    let study = usual.study(usual.judge().unwrap());
    assert_eq!((study.trials, study.seed, study.parallel, study.pruning), (50, 0, 1, None));
    assert_eq!((study.method, study.direction), (Method::Tpe(Tpe::default()), Direction::Minimize));
}

/// The rule, written anew: at 2, 4 and 8 steps a trial ends unless it is among the best half of those that came so far.
#[test]
fn halving_by_a_metric_that_shall_be_high_gives_up_the_low_ones() {
    let section = |metric: &str| {
        let rule = "pruning = { name = \"successive_halving\", minimum_steps = 2, reduction_factor = 2 }";
        format!("method = \"random\"\ntrials = 40\n{rule}\nmetric = \"{metric}\"\n{SPACE}")
    };
    for (metric, higher) in [("accuracy", true), ("loss", false)] {
        let trials = trials(&described(&section(metric)));
        let mut ended = [0; 9];
        for (place, trial) in trials.iter().enumerate() {
            let x = trial.parameters["training.optimizer.learning_rate"].as_f64().unwrap();
            let falls = |step: usize| {
                let own = height(x, step as u32);
                let others = trials[..place].iter().filter_map(|other| other.values.get(step - 1));
                let better = others.clone().filter(|&&other| if higher { other > own } else { other < own }).count();
                better >= others.count().div_ceil(2).max(1)
            };
            let last = [2, 4, 8].into_iter().find(|&step| falls(step));
            assert_eq!(trial.state, if last.is_some() { State::Pruned } else { State::Complete }, "{metric} {place}");
            assert_eq!(trial.values.len(), last.unwrap_or(8), "{metric} {place}");
            ended[trial.values.len()] += 1;
        }
        // At the first rung about half end; at each of them some.
        assert!((12..28).contains(&ended[2]) && ended[4] > 1 && ended[8] > 1, "{metric} {ended:?}");
        let best = ranking(&trials, if higher { Direction::Maximize } else { Direction::Minimize })[0].score.unwrap();
        let all = trials.iter().filter_map(|trial| trial.score);
        assert_eq!(best, all.reduce(if higher { f64::max } else { f64::min }).unwrap());
    }
}

/// Drawn each by itself, a value doesn't depend on what the other ones were; drawn together it does.
#[test]
fn values_are_drawn_together_or_each_by_itself() {
    for multivariate in [true, false] {
        let tpe = format!("{{ name = \"tpe\", startup_trials = 8, multivariate = {multivariate} }}");
        let description = described(&format!("method = {tpe}\nseed = 2\n{SPACE}"));
        let study = description.study(Judge::LOSS);
        let known = |first: fn(u32) -> f64| -> Vec<Trial> {
            let all = (0..30).map(|number| {
                let (rate, beta) = (first(number), 0.1 + f64::from(number * 7 % 30) * 0.025);
                let point = vec![Some(rate), Some(beta)];
                let parameters =
                    study.space.values(&point).into_iter().map(|(path, value)| (path.into(), value)).collect();
                let score = Some((beta - 0.4).abs());
                let line = serde_json::json!({"candidate": number + 1, "state": "complete", "parameters": {}});
                Trial { point, parameters, score, ..serde_json::from_value(line).unwrap() }
            });
            all.collect()
        };
        let proposed = |first: fn(u32) -> f64| study.propose(30, &known(first), None).unwrap();
        let one = proposed(|number| 1e-4 * 1.2f64.powi(number as i32));
        let other = proposed(|number| 1e-1 / 1.1f64.powi((number * 11 % 30) as i32));
        assert_ne!(one[0], other[0], "{multivariate}");
        assert_eq!(one[1] == other[1], !multivariate, "{multivariate}");
    }
}

/// Exactly the budget is enough, and one less isn't; of the device's and the search's the smaller counts.
#[test]
fn a_budget_is_kept_to_the_last_byte() {
    let price = described(SPACE).price(&described(SPACE).spec).unwrap();
    assert_eq!((price.parameters, price.macs), (22, 16));
    assert_ne!(price.ram, price.flash);
    for (name, needed, unit) in
        [("ram", price.ram, " bytes"), ("flash", price.flash, " bytes"), ("macs", price.macs, "")]
    {
        let of = |device: u64, search: u64| {
            let limits = format!("[search.budget]\n{name} = {search}\n{SPACE}");
            let device = if name == "macs" { String::new() } else { format!("[device]\n{name} = {device}\n") };
            let description = described(&format!("{limits}{device}"));
            description.price(&description.spec)
        };
        assert_eq!(of(needed, needed), Ok(price), "{name}");
        let expected = |section: &str, limit: u64| {
            let what = if name == "flash" { name.to_string() } else { name.to_uppercase().replace("MACS", "MACs") };
            Err(format!("{what}: needs {needed}{unit}, the budget of [{section}] is {limit}"))
        };
        assert_eq!(of(needed, needed - 1), expected("search.budget", needed - 1), "{name}");
        if name != "macs" {
            assert_eq!(of(needed - 1, needed), expected("device", needed - 1), "{name}");
            assert_eq!(of(needed - 1, needed - 2), expected("search.budget", needed - 2), "{name}");
        }
    }
}

#[test]
fn samples_are_read_anew_only_where_they_differ() {
    for (parameter, same) in [
        ("training.batch = { choice = [4, 8] }", true),
        ("training.optimizer.learning_rate = { uniform = [0.1, 0.2] }", true),
        ("model.layers.0.outputs = { int = [4, 8] }", true),
        ("preprocessing.scale = { uniform = [0.5, 1.0] }", false),
        ("data.missing = { choice = [\"refuse\", \"drop_row\"] }", false),
        ("model.format = { choice = [\"f32\", \"fixed16\"] }", false),
        ("augmentation.jitter = { uniform = [0.1, 0.2] }", false),
    ] {
        assert_eq!(described(&format!("[search.space]\n{parameter}\n")).same_data(), same, "{parameter}");
    }
}

/// Random prices are those of the first random trials, also for TPE; of a grid they are its points in order.
#[test]
fn prices_are_those_of_the_candidates_that_come() {
    let wide = "[search.space]\n\"model.layers.0.outputs\" = { int = [1, 400] }\n";
    let numbers = |description: &Description, most| -> Vec<u64> {
        let study = description.study(Judge::LOSS);
        let priced = prices(description, &study, most).unwrap();
        priced.into_iter().map(|priced| priced.price.unwrap().parameters).collect()
    };
    let hidden = |description: &Description, parameters: &[u64]| {
        let study = description.study(Judge::LOSS);
        let value = |number: u32| study.propose(number, &[], None).unwrap()[0].unwrap() as u64;
        // 5 h + 2 parameters.
        (0..).zip(parameters).all(|(number, parameters)| *parameters == 5 * value(number) + 2)
    };
    let random = described(&format!("method = \"random\"\ntrials = 6\nseed = 3\n{wide}"));
    let all = numbers(&random, 100);
    assert!(all.len() == 6 && hidden(&random, &all) && all[0] != all[1], "{all:?}");
    assert_eq!(numbers(&random, 4), all[..4]);
    assert_eq!(numbers(&described(&format!("trials = 6\nseed = 3\n{wide}")), 100), all);
    let grid = described(&format!("method = \"grid\"\n{}", wide.replace("400]", "400], points = 3")));
    // 1, 200.5 rounded, 400.
    assert_eq!(numbers(&grid, 100), [7, 5 * 201 + 2, 2002]);
    assert_eq!(numbers(&grid, 2).len(), 2);
}

#[test]
fn a_judge_takes_its_own_figure() {
    let accuracy = Judge::parse("val_accuracy").unwrap();
    assert_eq!((accuracy.metric(), accuracy.to_string().as_str()), (Some(Metric::Accuracy), "validation_accuracy"));
    assert!(accuracy.is_share() && !Judge::LOSS.is_share());
    assert_eq!(Judge::parse("validation_loss"), Ok(Judge::LOSS));
    let mae = Judge::parse("mae").unwrap();
    assert!(!mae.is_share());
    assert_eq!((mae.direction(), accuracy.direction()), (Direction::Minimize, Direction::Maximize));
    assert!(Judge::parse("train_accuracy").unwrap_err().contains("learnt from"));
    assert!(Judge::parse("brightness").unwrap_err().ends_with("; or loss"));
    let evaluation = |accuracy, metrics: &[(&str, f64)]| Evaluation {
        loss: 0.25,
        accuracy,
        confusion: Vec::new(),
        predicted: Vec::new(),
        metrics: metrics.iter().map(|(name, figure)| ((*name).into(), *figure)).collect(),
    };
    let both = evaluation(Some(0.5), &[("mae", 3.0), ("accuracy", 0.75)]);
    assert_eq!([Judge::LOSS, accuracy, mae].map(|judge| judge.of(&both)), [Some(0.25), Some(0.5), Some(3.0)]);
    // Where the loss has no classes, the metric that was asked for.
    assert_eq!(accuracy.of(&evaluation(None, &[("accuracy", 0.75)])), Some(0.75));
    assert_eq!(mae.of(&evaluation(None, &[])), None);
    let record = serde_json::json!({
        "epoch": 1, "step": 2, "train_loss": 9.0, "validation_loss": 0.5, "validation_metrics": {"mae": 4.0},
        "learning_rate": 0.1, "seconds": 0.0, "samples_per_second": 0.0,
    });
    let record: EpochRecord = serde_json::from_value(record).unwrap();
    assert_eq!([Judge::LOSS, mae, accuracy].map(|judge| judge.of_epoch(&record)), [Some(0.5), Some(4.0), None]);
}

/// The whole space with each value by itself, and under the conditions with which it varies.
#[test]
fn a_value_that_the_description_refuses_is_told_at_its_line() {
    let wrong = |space: &str| {
        let text = format!("{MODEL}[search.space]\n{space}\n");
        Description::parse("model.toml", &text, Path::new(""), Vec::new()).unwrap_err().to_string()
    };
    // Both ends of a range are looked at.
    let line = MODEL.lines().count() + 2;
    for (ends, with) in [("[0, 8]", 0), ("[8, 70000]", 70000)] {
        let text = wrong(&format!("model.layers.0.outputs = {{ int = {ends} }}"));
        assert!(
            text.starts_with(&format!("model.toml:{line}: ")) && text.contains(&format!("with {with}: ")),
            "{text}"
        );
    }
    // Momentum is no setting of Adam, which the description has; with its condition it is one of SGD.
    let condition = "training.optimizer.name = { choice = [\"sgd\", \"adam\"] }\n\
                     training.optimizer.momentum = { uniform = [0.1, 0.9], when = { \"training.optimizer.name\" = \"NAME\" } }";
    let text = wrong(&condition.replace("NAME", "adam"));
    assert!(text.starts_with(&format!("model.toml:{}: ", line + 1)) && text.contains("momentum"), "{text}");
    let space = described(&format!("[search.space]\n{}\n", condition.replace("NAME", "sgd"))).search.space;
    assert_eq!(space.parameters.len(), 2);
}
