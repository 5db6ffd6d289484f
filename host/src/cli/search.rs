//! `emberlite search`.

mod claim;
mod found;

use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use claim::Claim;

use super::line::Line;
use super::run_folder::Lock;
use super::train::GO_ON;
use super::unfinished::choice;
use super::{CliError, interrupt, outputs};
use crate::export;
use crate::report::{self, ParameterFacts, SearchReport};
use crate::search::document::literal;
use crate::search::{
    Change, Description, Direction, Judge, MOST_PARALLEL, MOST_REFUSED, Method, Options, Priced, Pruning, SearchError,
    SearchEvent, Searched, State, Study, Training, Trial, prices, ranking, refused_last,
};
use crate::study::LogError;
use crate::train::{self, DeviceChoice, decimals};

/// Searches for the best values of a description's settings.
///
/// What varies, how and how often is said in [search] of the description. Every trial is kept in trials.jsonl in the
/// folder runs/NAME-search as it ends, and a search that was ended goes on with --resume; at the end report.html shows all
/// trials, and the best description is written beside the one that was searched, since its paths start there.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The model's description
    #[arg(long, default_value = "model.toml")]
    model: PathBuf,
    /// The folder of this search [default: runs/NAME-search]
    #[arg(long)]
    run: Option<PathBuf>,
    /// The best description, in the folder of the description [default: best.toml]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Go on from the trials that are there
    #[arg(long)]
    resume: bool,
    /// Replace the trials that are there
    #[arg(long, conflicts_with = "resume")]
    fresh: bool,
    /// Only say what candidates cost
    #[arg(long)]
    dry_run: bool,
    /// Trials, instead of what the description says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    trials: Option<u32>,
    /// Trials at the same time, instead of what the description says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PARALLEL)))]
    parallel: Option<u32>,
    /// The seed of the search, instead of the description's
    #[arg(long)]
    seed: Option<u64>,
    /// Where to compute, instead of what the description says: auto, cpu, wgpu, vulkan or cuda, GPUs also by number as
    /// in cuda:1
    #[arg(long)]
    device: Option<DeviceChoice>,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
}

/// Rows of the table.
const MOST: usize = 10;
/// Candidates that a dry run prices, and shows.
const PRICED: usize = 10_000;
const SHOWN: usize = 20;

/// `line` is what was typed.
pub(super) fn run(arguments: &Arguments, line: &Line, out: &mut dyn Write) -> Result<(), CliError> {
    let started = Instant::now();
    let mut description = Description::read(&arguments.model, super::plan::boards(None)?)?;
    let search = &mut description.search;
    search.trials = arguments.trials.unwrap_or(search.trials);
    search.parallel = arguments.parallel.unwrap_or(search.parallel);
    search.seed = arguments.seed.unwrap_or(search.seed);
    if arguments.dry_run {
        return dry_run(&description, out);
    }
    let folder =
        arguments.run.clone().unwrap_or_else(|| Path::new("runs").join(format!("{}-search", description.spec.name)));
    let best = best_path(arguments)?;
    outputs::check_folder(&folder)?;
    let trials = folder.join("trials.jsonl");
    let names = ["trials.jsonl", "report.json", "report.html", "lock"].map(|name| folder.join(name));
    let mut made: Vec<_> = names.iter().map(|path| ("the search's file", path.as_path())).collect();
    made.push((if arguments.out.is_some() { "--out" } else { "the best description" }, &best));
    let mut read = vec![("the description", arguments.model.as_path())];
    read.extend(outputs::data_files(&description.spec).into_iter().map(|path| ("a file of [data]", path)));
    outputs::check_places(&made, &read)?;
    let device = arguments.device.unwrap_or(description.spec.training.device.first);
    train::check_precision(device, description.spec.training.host.precision)?;
    super::say_packing(&description.spec, arguments.quiet);
    let objective = Training::new(&description, device)?;
    if arguments.resume && !trials.exists() {
        return Err(SearchError::Log(LogError::Nothing { path: trials }).into());
    }
    let _lock = Lock::take(&folder)?;
    outputs::try_to_write(&best)?;
    let _claim = Claim::take(&best)?;
    found::check_own(&best, arguments.out.is_some(), &folder, &description, objective.judge())?;
    let watch = interrupt::Watch::new();
    let mut progress = Progress::new(arguments.quiet, &description, objective.judge());
    let options = Options {
        trials: Some(&trials),
        resume: arguments.resume,
        fresh: arguments.fresh,
        stop: watch.asked(),
        told: &mut |event| progress.event(event),
    };
    let searched = objective.search(options).map_err(|error| match error {
        SearchError::Log(LogError::Exists { trials, changes, .. }) => {
            let what = format!(
                "here {} of a search",
                if trials == 1 { "is 1 trial".into() } else { format!("are {trials} trials") }
            );
            // The best description lies beside what was searched, whichever the run is.
            let other = best.with_file_name("OTHER.toml").display().to_string();
            choice(
                &folder,
                &what,
                changes.map(|changes| going_on(line, &changes)),
                line,
                &line.set("--run", "OTHER").set("--out", &other),
            )
        }
        error => error.into(),
    })?;
    let stopped = watch.asked().load(Ordering::Relaxed);
    let text = table(&description, &searched);
    out.write_all(text.as_bytes())?;
    let refused = refused_last(&searched.trials);
    let narrow = description.search.method != Method::Grid && refused >= MOST_REFUSED as usize;
    if progress.known == searched.trials.len() && !stopped && !narrow {
        writeln!(out, "{}", nothing_left(&description, &searched, line))?;
    }
    let mut report = report_of(&description, &searched, &line.to_string(), started.elapsed().as_secs_f64());
    if let Some(trial) = searched.best() {
        let text = description.text_of_trial(trial, searched.judge).map_err(CliError::Message)?;
        // Once more: somebody may have written it meanwhile.
        found::check_own(&best, arguments.out.is_some(), &folder, &description, objective.judge())?;
        export::write(&best, text.as_bytes())?;
        writeln!(out, "wrote {}", best.display())?;
        report.best = text;
    }
    let json = serde_json::to_string_pretty(&report)
        .map_err(|error| CliError::Message(format!("can't write the report as JSON: {error}")))?;
    export::write(&folder.join("report.json"), json.as_bytes())?;
    export::write(&folder.join("report.html"), report::search(&report).as_bytes())?;
    writeln!(out, "wrote {}", folder.join("report.html").display())?;
    if !stopped && narrow {
        let (ran, all) =
            (searched.trials.iter().filter(|trial| trial.place.is_some()).count(), description.search.trials);
        writeln!(
            out,
            "ended with {ran} of {all} trials, since {refused} candidates in a row were refused; for more, change the space or \
             the budget and search anew"
        )?;
    }
    if stopped {
        let kept = searched.trials.iter().filter(|trial| trial.state != State::Refused).count();
        return Err(CliError::Interrupted(format!(
            "interrupted after {kept} trial{}, kept in {}{GO_ON}{}",
            if kept == 1 { "" } else { "s" },
            trials.display(),
            line.resuming()
        )));
    }
    if searched.best().is_none() {
        let why = searched.trials.iter().rev().find(|trial| !trial.reason.is_empty());
        let why = why.map_or(String::new(), |trial| format!("; {}: {}", trial.title(), trial.reason));
        return Err(CliError::Message(format!("no trial has a score{why}")));
    }
    Ok(())
}

/// Of a search that had all its trials before: that there was nothing to do, and how to go beyond it, but for a grid that is gone through.
fn nothing_left(description: &Description, searched: &Searched, line: &Line) -> String {
    let ran = searched.trials.iter().filter(|trial| trial.place.is_some()).count();
    let trials = if ran == 1 { "its 1 trial was".into() } else { format!("all of its {ran} trials were") };
    let whole = description.search.method == Method::Grid
        && description.study(searched.judge).grid().is_ok_and(|grid| grid.len() <= searched.trials.len());
    let longer = match whole {
        true => String::new(),
        false => format!("; to search on: {}", line.resuming().set("--trials", &(2 * ran).to_string())),
    };
    format!("nothing is left to search: {trials} there before{longer}")
}

/// The line that goes on with a search which was begun with other settings: what was typed of them stands in it, and what the
/// description says must be changed back.
fn going_on(line: &Line, changes: &[Change]) -> String {
    let mut line = line.resuming();
    let mut others = Vec::new();
    for change in changes {
        match (change.name.as_str(), &change.was) {
            ("seed", Some(was)) => line = line.set("--seed", was),
            ("parallel", Some(was)) => line = line.set("--parallel", was),
            _ => others.push(change.clone()),
        }
    }
    match others.as_slice() {
        [] => line.to_string(),
        others => format!("{line}   # its trials were made with {}; change that back first", Change::listed(others)),
    }
}

/// Paths in a description start from its folder, so the best one must lie there.
fn best_path(arguments: &Arguments) -> Result<PathBuf, CliError> {
    let folder = arguments.model.parent().unwrap_or(Path::new(""));
    let Some(path) = &arguments.out else { return Ok(folder.join("best.toml")) };
    let place = |folder: &Path| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        folder.canonicalize().ok()
    };
    let own = path.parent().unwrap_or(Path::new(""));
    if place(own).is_some() && place(own) == place(folder) {
        return Ok(path.clone());
    }
    let folder = if folder.as_os_str().is_empty() { "this folder".into() } else { folder.display().to_string() };
    Err(CliError::Message(format!(
        "--out {}: the best description must lie beside the one that is searched, in {folder}, since its paths start there",
        path.display()
    )))
}

/// A line a trial on standard error.
struct Progress {
    quiet: bool,
    trials: u32,
    /// A score and whose it is.
    best: Option<(f64, String)>,
    judge: Judge,
    /// Trials and refused candidates of the file that it goes on from.
    known: usize,
}

impl Progress {
    fn new(quiet: bool, description: &Description, judge: Judge) -> Progress {
        let mut trials = description.search.trials;
        if description.search.method == Method::Grid && !quiet {
            // Refused candidates are no trials: of a large grid it isn't known before how many there are.
            let study = Study { trials: u32::MAX, ..description.study(judge) };
            let priced = prices(description, &study, PRICED).unwrap_or_default();
            if priced.len() < PRICED {
                trials = trials.min(priced.iter().filter(|priced| priced.price.is_ok()).count() as u32);
            }
        }
        Progress { quiet, trials, best: None, judge, known: 0 }
    }

    fn event(&mut self, event: SearchEvent<'_>) {
        match event {
            SearchEvent::Known(trials) => {
                self.known = trials.len();
                trials.iter().for_each(|trial| self.see(trial));
            }
            SearchEvent::Ended(trial) => {
                self.see(trial);
                self.tell(trial);
            }
        }
    }

    fn see(&mut self, trial: &Trial) {
        let judge = self.judge;
        if let Some(score) = trial.score
            && self.best.as_ref().is_none_or(|(best, _)| judge.direction().better(score, *best))
        {
            self.best = Some((score, trial.title()));
        }
    }

    fn tell(&self, trial: &Trial) {
        let judge = self.judge;
        // One that was refused is none of the search's trials: all of them are told at the end, in a line.
        if self.quiet || trial.state == State::Refused {
            return;
        }
        let what = match trial.score {
            Some(score) => format!("{judge} {}", decimals(score, 5)),
            None if trial.reason.is_empty() => trial.state.name().into(),
            None => format!("{}: {}", trial.state.name(), trial.reason),
        };
        let best = self.best.as_ref();
        let best = best.map_or(String::new(), |(score, whose)| format!("  (best {}, {whose})", decimals(*score, 5)));
        let values: Vec<String> =
            trial.parameters.iter().map(|(path, value)| format!("{}={}", short(path), literal(value))).collect();
        // That nobody reads it any more is no reason to end the search.
        let _ = writeln!(
            std::io::stderr(),
            "{} of {}  {what}{best}  {:.1} s  {}",
            trial.title(),
            self.trials,
            trial.seconds,
            values.join(" ")
        );
    }
}

/// The last part of a path.
fn short(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// The best trials and what became of the others.
fn table(description: &Description, searched: &Searched) -> String {
    let ranked = ranking(&searched.trials, searched.judge.direction());
    let parameters = &description.search.space.parameters;
    let folds = ranked.iter().any(|trial| trial.deviation().is_some());
    let mut head = vec!["trial".to_string(), searched.judge.to_string()];
    if folds {
        head.push("±".into());
    }
    head.extend(parameters.iter().map(|parameter| parameter.path.clone()));
    head.extend(["epochs", "RAM", "flash", "MACs"].map(String::from));
    let row = |trial: &&Trial| {
        let place = trial.place.map_or("-".into(), |place| place.to_string());
        let mut row = vec![place, trial.score.map_or("-".into(), |score| decimals(score, 5))];
        if folds {
            row.push(trial.deviation().map_or("-".into(), |deviation| decimals(deviation, 5)));
        }
        let value = |path: &str| trial.parameters.get(path).map_or("-".into(), literal);
        row.extend(parameters.iter().map(|parameter| value(&parameter.path)));
        row.push(trial.epochs.to_string());
        row.extend(match trial.price {
            Some(price) => [price.ram, price.flash, price.macs].map(|number| number.to_string()),
            None => ["-"; 3].map(String::from),
        });
        row
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(ranked.iter().take(MOST).map(row)).collect();
    let count = |state| searched.trials.iter().filter(|trial| trial.state == state).count();
    let mut text = aligned(&rows);
    let counts = [(State::Complete, "complete"), (State::Pruned, "given up"), (State::Failed, "failed")];
    let said = counts.iter().filter(|(state, _)| count(*state) > 0);
    let said: Vec<String> = said.map(|(state, word)| format!("{} {word}", count(*state))).collect();
    let ran = searched.trials.len() - count(State::Refused);
    let colon = if said.is_empty() { "" } else { ": " };
    let _ = writeln!(text, "\n{ran} trial{}{colon}{}", if ran == 1 { "" } else { "s" }, said.join(", "));
    if let Some(refused) = refused(&searched.trials) {
        let _ = writeln!(text, "{refused}");
    }
    text
}

/// Of the candidates that never ran: how many there were, and why.
fn refused(trials: &[Trial]) -> Option<String> {
    let all = || trials.iter().filter(|trial| trial.state == State::Refused);
    let last = all().next_back()?;
    let count = all().count();
    Some(match count {
        1 => format!("refused 1 candidate before training, which doesn't count as a trial ({})", last.reason),
        _ => format!(
            "refused {count} candidates before training, which don't count as trials (the last one: {})",
            last.reason
        ),
    })
}

/// Columns to the right of each other, numbers and words alike to the right.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        let _ = writeln!(text, "{}", cells.join("  "));
    }
    text
}

fn dry_run(description: &Description, out: &mut dyn Write) -> Result<(), CliError> {
    let judge = description.judge()?;
    let study = description.study(judge);
    let priced = prices(description, &study, PRICED)?;
    let mut head: Vec<String> = vec!["candidate".into()];
    head.extend(study.space.parameters.iter().map(|parameter| parameter.path.clone()));
    head.extend(["parameters", "RAM", "flash", "MACs", ""].map(String::from));
    let row = |(number, Priced { values, price }): (usize, &Priced)| {
        let value =
            |path: &str| values.iter().find(|(known, _)| known == path).map_or("-".into(), |(_, value)| literal(value));
        let mut row = vec![(number + 1).to_string()];
        row.extend(study.space.parameters.iter().map(|parameter| value(&parameter.path)));
        row.extend(match price {
            Ok(price) => [price.parameters, price.ram, price.flash, price.macs].map(|number| number.to_string()),
            Err(_) => ["-"; 4].map(String::from),
        });
        row.push(price.as_ref().err().map_or(String::new(), |reason| format!("refused: {reason}")));
        row
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(priced.iter().enumerate().take(SHOWN).map(row)).collect();
    let mut text = aligned(&rows);
    let fit: Vec<_> = priced.iter().filter_map(|priced| priced.price.as_ref().ok()).collect();
    let of = if study.method == Method::Grid { "the grid's" } else { "random" };
    let _ = writeln!(text, "\n{} of {} {of} candidates are within the budget", fit.len(), priced.len());
    for (what, price) in [("RAM", 0), ("flash", 1), ("MACs", 2)] {
        let mut all: Vec<u64> =
            fit.iter().map(|price_of| [price_of.ram, price_of.flash, price_of.macs][price]).collect();
        all.sort_unstable();
        if let (Some(least), Some(middle), Some(most)) = (all.first(), all.get(all.len() / 2), all.last()) {
            let _ = writeln!(text, "{what:<6} {least} to {most}, median {middle}");
        }
    }
    Ok(out.write_all(text.as_bytes())?)
}

fn report_of(description: &Description, searched: &Searched, command: &str, seconds: f64) -> SearchReport {
    let (search, judge) = (&description.search, searched.judge);
    let pair = |name: &str, value: String| (name.to_string(), value);
    let mut settings = vec![
        pair("method", search.method.name().into()),
        pair("trials", search.trials.to_string()),
        pair("metric", judge.to_string()),
        pair("seed", search.seed.to_string()),
        pair("at the same time", search.parallel.to_string()),
    ];
    if let Some(pruning) = search.pruning {
        let rule = match pruning {
            Pruning::Median { startup_trials, warmup_steps } => {
                format!("median, after {startup_trials} complete trials and {warmup_steps} steps of each")
            }
            Pruning::SuccessiveHalving { minimum_steps, reduction_factor } => {
                format!("successive halving, the best 1/{reduction_factor} after {minimum_steps} steps, and so on")
            }
        };
        settings.push(pair("giving up", rule));
    }
    if let Some(folds) = &search.folds {
        let repeats = if folds.repeats > 1 { format!(", {} times", folds.repeats) } else { String::new() };
        settings.push(pair("folds", format!("{}{repeats}", folds.k)));
    }
    let limits = search.budget;
    for (name, limit) in
        [("RAM", limits.ram.map(u64::from)), ("flash", limits.flash.map(u64::from)), ("MACs", limits.macs)]
    {
        settings.extend(limit.map(|limit| pair(&format!("budget: {name}"), limit.to_string())));
    }
    let count = search.space.parameters.len();
    SearchReport {
        name: description.spec.name.clone(),
        description: format!(
            "{} of {count} setting{} by {}, judged by {judge} ({} is better).",
            "A search",
            if count == 1 { "" } else { "s" },
            match search.method {
                Method::Grid => "grid",
                Method::Random => "random draws",
                Method::Tpe(_) => "TPE (tree-structured Parzen estimator)",
            },
            if judge.direction() == Direction::Maximize { "higher" } else { "lower" },
        ),
        metric: judge.to_string(),
        is_share: judge.is_share(),
        direction: judge.direction(),
        parameters: search.space.parameters.iter().map(ParameterFacts::from).collect(),
        search_trials: searched.trials.clone(),
        settings,
        best: String::new(),
        command: command.into(),
        seconds: Some(seconds),
        files: Vec::new(),
        versions: vec![
            pair("emberlite", env!("CARGO_PKG_VERSION").into()),
            pair("system", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
        ],
    }
}
