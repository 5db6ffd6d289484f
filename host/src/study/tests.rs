//! Whole searches over functions whose answer is known.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::json;

use super::trial::placed;
use super::*;

fn real(path: &str, low: f64, high: f64, log: bool) -> Parameter {
    let distribution = Distribution::Real { low, high, step: None, log };
    Parameter { path: path.into(), distribution, points: None, when: Vec::new() }
}

fn study(space: &Space, method: Method, trials: u32, seed: u64) -> Study<'_> {
    Study { space, method, direction: Direction::Minimize, trials, seed, parallel: 1, pruning: None }
}

fn run(study: &Study<'_>, objective: &dyn Objective) -> Vec<Trial> {
    study.run(Vec::new(), objective, &mut |_| Ok(()), &AtomicBool::new(false)).unwrap()
}

fn best(trials: &[Trial]) -> f64 {
    ranking(trials, Direction::Minimize)[0].score.unwrap()
}

fn sphere(candidate: &Candidate<'_>) -> Result<f64, String> {
    Ok(candidate.values.iter().map(|(_, x)| (x.as_f64().unwrap() - 1.0).powi(2)).sum())
}

/// Branin and Hoo: three minima of 0.397887.
fn branin(candidate: &Candidate<'_>) -> Result<f64, String> {
    let [x, y] = ["x", "y"].map(|path| candidate.number_at(path).unwrap());
    let pi = std::f64::consts::PI;
    let valley = y - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0;
    Ok(valley * valley + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * x.cos() + 10.0)
}

/// What tuning looks like: a learning rate over five decades whose best value depends on the kind, a width, and five
/// kinds of which one is best. The minimum is 0.
fn mixed(candidate: &Candidate<'_>) -> Result<f64, String> {
    let kind = ["a", "b", "c", "d", "e"].iter().position(|kind| candidate.get("kind") == Some(&json!(kind))).unwrap();
    let rate = candidate.number_at("rate").unwrap().log10() + 2.0 + kind as f64 * 0.5;
    let width = candidate.number_at("width").unwrap() / 64.0 - 0.5;
    Ok(rate * rate + 4.0 * width * width + 0.3 * (kind as f64 - 2.0).abs())
}

/// What is to be made small.
type Function = fn(&Candidate<'_>) -> Result<f64, String>;

fn spaces() -> [(&'static str, Space, Function, f64); 3] {
    let axes = ["a", "b", "c", "d"].map(|path| real(path, -5.0, 5.0, false)).to_vec();
    let kinds = Distribution::Choice(["a", "b", "c", "d", "e"].map(|kind| json!(kind)).to_vec());
    let width = Distribution::Whole { low: 8, high: 64, step: 8, log: false };
    let plain = |path: &str, distribution| Parameter { distribution, ..real(path, 0.0, 1.0, false) };
    let mix = vec![plain("kind", kinds), real("rate", 1e-5, 1.0, true), plain("width", width)];
    [
        ("sphere", Space { parameters: axes }, sphere, 0.0),
        (
            "branin",
            Space { parameters: vec![real("x", -5.0, 10.0, false), real("y", 0.0, 15.0, false)] },
            branin,
            0.397887,
        ),
        ("mixed", Space { parameters: mix }, mixed, 0.0),
    ]
}

/// The mean over seeds of the logarithm of the distance to the minimum after 60 trials.
fn mean_log_gap(space: &Space, method: Method, objective: &dyn Objective, minimum: f64, seeds: u64) -> f64 {
    let gap = |seed| (best(&run(&study(space, method, 60, seed), objective)) - minimum).max(1e-9).log10();
    (0..seeds).map(gap).sum::<f64>() / seeds as f64
}

#[test]
fn tpe_comes_closer_than_random_search_by_a_factor() {
    // The factor of the geometric mean over 20 seeds; chance alone: a second random search with other seeds.
    for (name, space, objective, minimum) in spaces() {
        let gap = |method| mean_log_gap(&space, method, &objective, minimum, 20);
        let random = gap(Method::Random);
        let [joint, alone] = [true, false].map(|multivariate| gap(Method::Tpe(Tpe { multivariate, ..Tpe::default() })));
        println!(
            "{name}: factor {:.1} drawn together, {:.1} each by itself",
            10f64.powf(random - joint),
            10f64.powf(random - alone)
        );
        assert!(random - joint > 2f64.log10(), "{name}: {random} {joint}");
    }
}

/// Of TPE's first six trials each sixth of every range has one, in a search as long as one likes; random ones are those of
/// random search with that seed.
#[test]
fn tpe_starts_all_over_the_space() {
    let (_, space, objective, _) = spaces().into_iter().next().unwrap();
    for seed in 0..20 {
        let started =
            |startup| run(&study(&space, Method::Tpe(Tpe { startup, ..Tpe::default() }), 6, seed), &objective);
        let spread = started(Startup::LatinHypercube);
        for axis in 0..4 {
            let sixth = |trial: &Trial| ((trial.point[axis].unwrap() + 5.0) / 10.0 * 6.0) as u32;
            let mut sixths: Vec<u32> = spread.iter().map(sixth).collect();
            sixths.sort_unstable();
            assert_eq!(sixths, [0, 1, 2, 3, 4, 5], "seed {seed}, axis {axis}");
        }
        let random = run(&study(&space, Method::Random, 6, seed), &objective);
        assert_eq!(plain(&started(Startup::Random)), plain(&random));
    }
}

#[test]
fn random_search_is_uniform() {
    let (_, space, objective, _) = spaces().into_iter().nth(2).unwrap();
    let trials = run(&study(&space, Method::Random, 4000, 3), &objective);
    let count = |test: &dyn Fn(&Trial) -> bool| trials.iter().filter(|trial| test(trial)).count() as f64;
    // Five deviations of a binomial share p of 4000: 5 sqrt(4000 p (1 - p)).
    let near = |found: f64, share: f64| (found - 4000.0 * share).abs() < 5.0 * (4000.0 * share * (1.0 - share)).sqrt();
    for kind in 0..5 {
        assert!(near(count(&|trial| trial.point[0] == Some(f64::from(kind))), 0.2), "kind {kind}");
    }
    for decade in -5..0 {
        let (low, high) = (10f64.powi(decade), 10f64.powi(decade + 1));
        assert!(near(count(&|trial| (low..high).contains(&trial.point[1].unwrap())), 0.2), "decade {decade}");
    }
    for width in 1..=8 {
        assert!(near(count(&|trial| trial.point[2] == Some(f64::from(width) * 8.0)), 0.125), "width {width}");
    }
    // Independent: kind and width fall together as often as their product says.
    assert!(near(count(&|trial| trial.point[0] == Some(1.0) && trial.point[2] == Some(16.0)), 0.025));
}

/// What of trials must be equal; times differ.
fn plain(trials: &[Trial]) -> Vec<Trial> {
    trials.iter().map(|trial| Trial { seconds: 0.0, ..trial.clone() }).collect()
}

/// A slope with noise that depends on the candidate, told in nine steps; takes a while that differs from run to run.
struct Slow;

static CALLS: AtomicU32 = AtomicU32::new(0);

impl Objective for Slow {
    fn admit(&self, candidate: &Candidate<'_>) -> Result<Option<Price>, String> {
        match candidate.number_at("x") {
            Some(x) if x > 4.0 => Err("too large".into()),
            _ => Ok(None),
        }
    }

    fn run(&self, candidate: &Candidate<'_>, progress: &mut Progress<'_>) -> Result<Score, String> {
        let x = candidate.number_at("x").unwrap();
        std::thread::sleep(Duration::from_micros(u64::from(CALLS.fetch_add(1, Ordering::Relaxed) * 7919 % 1500)));
        if x < -4.5 {
            return Err("diverged".into());
        }
        for step in 0..9 {
            progress.epoch();
            let value = x * x + 10.0 / (1.0 + f64::from(step)) + (x * 1000.0).sin();
            if !progress.step(value) {
                return Err("given up".into());
            }
        }
        Ok(Score { score: x * x, scores: Vec::new() })
    }
}

fn line() -> Space {
    Space { parameters: vec![real("x", -5.0, 5.0, false)] }
}

#[test]
fn timing_changes_nothing() {
    let space = line();
    // A long random start, so that enough is refused, fails and is given up.
    let tpe = Method::Tpe(Tpe { startup_trials: 30, ..Tpe::default() });
    for parallel in [1, 3] {
        let study = Study { parallel, pruning: Some(Pruning::MEDIAN), ..study(&space, tpe, 60, 6) };
        let first = run(&study, &Slow);
        for _ in 0..3 {
            assert_eq!(plain(&first), plain(&run(&study, &Slow)), "parallel {parallel}");
        }
        let count = |state| first.iter().filter(|trial| trial.state == state).count();
        assert_eq!(first.len() - count(State::Refused), 60, "refused candidates don't count");
        assert!(count(State::Refused) > 0 && count(State::Failed) > 0 && count(State::Pruned) > 5, "{parallel}");
    }
    // Without history even the number of threads makes no difference.
    let random = study(&space, Method::Random, 40, 5);
    assert_eq!(plain(&run(&random, &Slow)), plain(&run(&Study { parallel: 4, ..random }, &Slow)));
}

#[test]
fn a_search_that_goes_on_is_the_one_that_was_not_interrupted() {
    let space = line();
    let study = Study {
        parallel: 3,
        pruning: Some(Pruning::SUCCESSIVE_HALVING),
        ..study(&space, Method::Tpe(Tpe::default()), 50, 8)
    };
    let whole = run(&study, &Slow);
    let (stop, mut kept) = (AtomicBool::new(false), Vec::new());
    let mut keep = |trial: &Trial| {
        kept.push(trial.clone());
        stop.store(kept.len() >= 20, Ordering::Relaxed);
        Ok(())
    };
    study.run(Vec::new(), &Slow, &mut keep, &stop).unwrap();
    assert!(kept.len() < whole.len());
    let after = study.run(kept, &Slow, &mut |_| Ok(()), &AtomicBool::new(false)).unwrap();
    assert_eq!(plain(&whole), plain(&after));
}

#[test]
fn parallel_trials_run_at_the_same_time_with_tpe_too() {
    let (now, most) = (AtomicU32::new(0), AtomicU32::new(0));
    // Each waits for two others, for a second at most.
    let meets = |candidate: &Candidate<'_>| {
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let started = std::time::Instant::now();
        while most.load(Ordering::SeqCst) < 3 && started.elapsed() < Duration::from_secs(1) {
            std::thread::yield_now();
        }
        now.fetch_sub(1, Ordering::SeqCst);
        sphere(candidate)
    };
    let space = line();
    let study = Study { parallel: 3, ..study(&space, Method::Tpe(Tpe::default()), 6, 1) };
    assert_eq!((run(&study, &meets).len(), most.load(Ordering::SeqCst)), (6, 3));
}

#[test]
fn a_trial_that_is_stopped_is_not_kept() {
    struct Stops<'s>(&'s AtomicBool);
    impl Objective for Stops<'_> {
        fn run(&self, candidate: &Candidate<'_>, progress: &mut Progress<'_>) -> Result<Score, String> {
            self.0.store(candidate.number == 2, Ordering::Relaxed);
            if progress.step(1.0) { Ok(Score { score: 1.0, scores: Vec::new() }) } else { Err("stopped".into()) }
        }
    }
    let (space, stop) = (line(), AtomicBool::new(false));
    let study = study(&space, Method::Random, 9, 1);
    let trials = study.run(Vec::new(), &Stops(&stop), &mut |_| Ok(()), &stop).unwrap();
    assert_eq!(trials.iter().map(|trial| trial.number).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn what_is_no_number_is_not_kept() {
    struct Diverges;
    impl Objective for Diverges {
        fn run(&self, _: &Candidate<'_>, progress: &mut Progress<'_>) -> Result<Score, String> {
            let _ = [2.0, f64::NAN, 1.0].map(|value| progress.step(value));
            Ok(Score { score: f64::NAN, scores: Vec::new() })
        }
    }
    let space = line();
    let trials = run(&study(&space, Method::Random, 1, 1), &Diverges);
    assert_eq!((trials[0].state, trials[0].score, &trials[0].values[..]), (State::Failed, None, &[2.0][..]));
}

#[test]
fn the_file_gives_the_trials_back() {
    let folder = std::env::temp_dir().join(format!("emberlite-study-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (path, space) = (folder.join("trials.jsonl"), line());
    let seeded =
        |seed: &str| Identity { settings: [("seed".to_string(), seed.to_string())].into(), ..Identity::default() };
    let identity = seeded("8");
    let study = Study { pruning: Some(Pruning::MEDIAN), ..study(&space, Method::Random, 30, 8) };
    // A search that ended before its first trial leaves a first line, which another one replaces.
    let earlier = seeded("7");
    drop(Log::open(&path, &earlier, &study, false).unwrap());
    let (mut log, before) = Log::open(&path, &identity, &study, false).unwrap();
    assert!(before.is_empty());
    let mut keep = |trial: &Trial| Ok(log.append(trial)?);
    let trials = study.run(Vec::new(), &Slow, &mut keep, &AtomicBool::new(false)).unwrap();
    drop(log);
    assert_eq!(Log::open(&path, &identity, &study, true).unwrap().1, trials, "every bit of every score");
    // A new search would replace 30 trials, and refused candidates, which are nothing to lose.
    assert!(trials.len() > 30);
    assert!(matches!(Log::open(&path, &identity, &study, false), Err(LogError::Exists { trials: 30, .. })));

    // A last line without its end is dropped, wherever it was cut; the trial runs again with the same result.
    let text = std::fs::read(&path).unwrap();
    let last = text[..text.len() - 1].iter().rposition(|&byte| byte == b'\n').unwrap() + 1;
    for cut in [last + 1, (last + text.len()) / 2, text.len() - 1] {
        std::fs::write(&path, &text[..cut]).unwrap();
        let (mut log, before) = Log::open(&path, &identity, &study, true).unwrap();
        assert_eq!(before.len(), trials.len() - 1);
        let mut keep = |trial: &Trial| Ok(log.append(trial)?);
        let after = study.run(before, &Slow, &mut keep, &AtomicBool::new(false)).unwrap();
        assert_eq!(plain(&after), plain(&trials));
        assert_eq!(std::fs::read(&path).unwrap().iter().filter(|&&b| b == b'\n').count(), trials.len() + 1);
    }

    let other = seeded("9");
    let message = Log::open(&path, &other, &study, true).unwrap_err().to_string();
    assert!(message.ends_with("its trials were made with seed = 8 (now 9); change that back"), "{message}");
    let narrow = Space { parameters: vec![real("x", -0.1, 0.1, false)] };
    let narrow = Study { space: &narrow, ..study };
    let message = Log::open(&path, &identity, &narrow, true).unwrap_err().to_string();
    assert!(message.contains(":2: its values aren't of this search's space"), "{message}");
    std::fs::write(&path, "{\"search\":{\"seed\":\"8\"}}\nno trial\n").unwrap();
    let message = Log::open(&path, &identity, &study, true).unwrap_err().to_string();
    assert!(message.contains(":2: not a trial: "), "{message}");
    let missing = folder.join("none.jsonl");
    assert!(matches!(Log::open(&missing, &identity, &study, true), Err(LogError::Nothing { path }) if path == missing));
    assert!(!missing.exists());
    std::fs::remove_dir_all(&folder).unwrap();
}

/// People count from 1, in files as on the screen; files of earlier programs are read as they were meant.
#[test]
fn a_trial_in_a_file_counts_from_one() {
    let new =
        r#"{"candidate":5,"trial":3,"state":"complete","parameters":{"x":0.25},"score":0.5,"epochs":0,"seconds":0.0}"#;
    let trial: Trial = serde_json::from_str(new).unwrap();
    assert_eq!((trial.number, trial.place.map(u32::from), trial.title().as_str()), (4, Some(3), "trial 3"));
    assert_eq!(serde_json::to_string(&trial).unwrap(), new);
    let refused = Trial { place: None, state: State::Refused, ..trial.clone() };
    assert!(serde_json::to_string(&refused).unwrap().starts_with(r#"{"candidate":5,"state":"refused","#));
    assert_eq!(refused.title(), "candidate 5");
    // Before, all candidates were counted: from 1, or first of all from 0.
    for older in ["\"trial\":5", "\"number\":4"] {
        let read: Trial = serde_json::from_str(&new.replace("\"candidate\":5,\"trial\":3", older)).unwrap();
        assert_eq!((read.number, read.place), (4, None));
    }
    for wrong in ["\"candidate\":0", "\"trial\":0", "\"seed\":1"] {
        assert!(serde_json::from_str::<Trial>(&new.replace("\"candidate\":5,\"trial\":3", wrong)).is_err(), "{wrong}");
    }
}

/// Places go from 1 to the search's trials without a gap, whatever is refused between them, also of a search that goes on.
#[test]
fn refused_candidates_have_no_place() {
    let space = line();
    for parallel in [1, 3] {
        let study = Study { parallel, ..study(&space, Method::Random, 40, 6) };
        let all = run(&study, &Slow);
        let places = |trials: &[Trial]| -> Vec<u32> { trials.iter().filter_map(|t| t.place).map(u32::from).collect() };
        assert_eq!(places(&all), (1..=40).collect::<Vec<u32>>());
        let of_refused = all.iter().filter(|trial| trial.state == State::Refused);
        assert!(of_refused.clone().count() > 0 && of_refused.clone().all(|trial| trial.place.is_none()));
        // Some were at work when it was stopped, and no file tells places.
        let before = all.iter().filter(|trial| ![0, 5, 20].contains(&trial.number) && trial.number < 30);
        let before: Vec<Trial> = before.map(|trial| Trial { place: None, ..trial.clone() }).collect();
        let again = study.run(before, &Slow, &mut |_| Ok(()), &AtomicBool::new(false)).unwrap();
        assert_eq!(plain(&again), plain(&all), "{parallel}");
    }
}

/// A file of someone else's may say anything of its trials.
#[test]
fn trials_of_one_number_are_no_panic() {
    let space = line();
    let mut all = run(&study(&space, Method::Random, 3, 6), &Slow);
    for trial in &mut all {
        (trial.number, trial.state) = (0, State::Refused);
    }
    all[2].state = State::Complete;
    assert_eq!(placed(all).iter().filter_map(|trial| trial.place).count(), 0);
}

#[test]
fn a_grid_is_whole_and_a_space_without_one_is_refused() {
    let (_, mut space, objective, _) = spaces().into_iter().nth(2).unwrap();
    let message = study(&space, Method::Grid, 99, 0).grid().unwrap_err().to_string();
    assert_eq!(message, "`rate`: a grid needs `points` or `step` for this range, for example points = 4");
    space.parameters[1].points = Some(6);
    let trials = run(&study(&space, Method::Grid, 1000, 0), &objective);
    assert_eq!(trials.len(), 5 * 6 * 8);
    // Kind c (0.6 of rate's shift), rate 10^-3, width 32: the minimum of the grid and of the function.
    assert_eq!(ranking(&trials, Direction::Minimize)[0].point, [Some(2.0), Some(1e-3), Some(32.0)]);
    assert_eq!(run(&study(&space, Method::Grid, 7, 0), &objective).len(), 7);
}

#[test]
fn a_space_that_is_refused_as_a_whole_ends_the_search() {
    struct Never;
    impl Objective for Never {
        fn admit(&self, _: &Candidate<'_>) -> Result<Option<Price>, String> {
            Err("needs 9 bytes of 8".into())
        }
        fn run(&self, _: &Candidate<'_>, _: &mut Progress<'_>) -> Result<Score, String> {
            Err("never".into())
        }
    }
    let space = line();
    let study = study(&space, Method::Random, 5, 0);
    let message = study.run(Vec::new(), &Never, &mut |_| Ok(()), &AtomicBool::new(false)).unwrap_err().to_string();
    assert_eq!(
        message,
        "1000 candidates in a row were refused, the last one: needs 9 bytes of 8; change the space or the budget"
    );
}

#[test]
fn tpe_leaves_what_is_refused_or_diverges() {
    // Two thirds of the line are beyond the budget; random proposals would be refused as often.
    struct Budget;
    impl Objective for Budget {
        fn admit(&self, candidate: &Candidate<'_>) -> Result<Option<Price>, String> {
            if candidate.number_at("x") > Some(-5.0 + 10.0 / 3.0) { Err("too large".into()) } else { Ok(None) }
        }
        fn run(&self, candidate: &Candidate<'_>, _: &mut Progress<'_>) -> Result<Score, String> {
            Ok(Score { score: -candidate.number_at("x").unwrap(), scores: Vec::new() })
        }
    }
    let space = line();
    let refused = |method| {
        let all = (0..5).map(|seed| run(&study(&space, method, 40, seed), &Budget).len() - 40);
        all.sum::<usize>() as f64 / 5.0
    };
    let (random, tpe) = (refused(Method::Random), refused(Method::Tpe(Tpe::default())));
    // Random: 40 times 2 refused a trial. The best lies at the border, so some proposals cross it.
    assert!((random - 80.0).abs() < 30.0 && tpe < random * 0.75, "random {random}, tpe {tpe}");
}
