//! `emberlite recipes`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::Instant;

use super::line::Line;
use super::run_folder::Lock;
use super::train::GO_ON;
use super::unfinished::{Begin, choice};
use super::{CliError, interrupt, plan};
use crate::export::{self, Bytes, FileError};
use crate::recipes::{
    self, Bound, Comparison, Expectation, Keeping, Place, Recipe, RecipeError, Record, Searches, Verdict, number,
};
use crate::search::Description;
use crate::spec::{Board, Spec};
use crate::train::Checkpoint;

/// Whole systems with the figures that they must reach: lists, trains and judges them.
///
/// Each is a folder with a model.toml to read, train and change. In the repository they lie in host/recipes; elsewhere they
/// are written to runs/recipes first. Without a command: the list.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// The folder of recipes [default: host/recipes in the repository, else runs/recipes]
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Says which recipes there are
    List,
    /// Trains recipes and compares them with their figures; exit status 1 if one isn't reached
    Run {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
        /// A shorter training or fewer searches, judged by figures of its own, in the folder run-quick; nothing is recorded
        #[arg(long)]
        quick: bool,
        /// Go on from the checkpoint or the trials of a run that was ended; recipes that have none begin
        #[arg(long)]
        resume: bool,
        /// Replace runs even if they aren't finished, as for `train`
        #[arg(long, conflicts_with = "resume")]
        fresh: bool,
        /// Where to compute, as for `train`
        #[arg(long)]
        device: Option<String>,
        /// Show no progress
        #[arg(long)]
        quiet: bool,
    },
    /// Gets data that the program doesn't carry, by the script fetch.py
    Fetch {
        /// The sets, or recipes that need one
        #[arg(required = true)]
        sets: Vec<String>,
        /// The Python to run it with
        #[arg(long, default_value = "python3")]
        python: PathBuf,
    },
    /// Writes the folders of all recipes
    Write,
    /// Writes the table of recorded figures, into README.md where there is one in the folder
    Table,
}

/// `line` is what was typed.
pub(super) fn run(arguments: &Arguments, line: &Line, out: &mut dyn Write) -> Result<(), CliError> {
    let dir = arguments.dir.clone().unwrap_or_else(default_dir);
    match arguments.action.as_ref().unwrap_or(&Action::List) {
        Action::List => list(&dir, out),
        Action::Run { names, quick, resume, fresh, device, quiet } => {
            let begin = Begin { resume: *resume, fresh: *fresh };
            let how = How { quick: *quick, begin, device: device.as_deref(), quiet: *quiet, line };
            // A misspelt name is known before the first training.
            let chosen = names.iter().map(|name| recipes::find(name)).collect::<Result<Vec<_>, _>>()?;
            for recipe in &chosen {
                how.keeps(&ready(recipe, &dir)?)?;
            }
            let mut short = Vec::new();
            for recipe in &chosen {
                if !how.run(recipe, &dir, out)? {
                    short.push(recipe.name);
                }
            }
            match short.is_empty() {
                true => Ok(()),
                false => Err(CliError::Message(format!("not reached: {}", short.join(", ")))),
            }
        }
        Action::Fetch { sets, python } => fetch(sets, python, &dir, out),
        Action::Write => {
            for place in recipes::write_all(&dir)? {
                writeln!(out, "{}", place.model.display())?;
            }
            Ok(())
        }
        Action::Table => table(&dir, out),
    }
}

/// The repository's folder where this is the repository.
fn default_dir() -> PathBuf {
    let repository = Path::new("host/recipes");
    if repository.join("fetch.py").exists() { repository.into() } else { Path::new("runs").join("recipes") }
}

fn list(dir: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    for recipe in recipes::all()? {
        let e = &recipe.expected;
        let time = if e.minutes == 0 { "seconds".into() } else { format!("{} min", e.minutes) };
        let gpu = if e.gpu { ", on a GPU" } else { "" };
        let fetched = match recipe.at(dir).set {
            Some(set) if !set.is_dir() => format!("; first `emberlite recipes fetch {}`", recipe.name),
            _ => String::new(),
        };
        writeln!(out, "{:>2}  {:<22} {} ({time}{gpu}{fetched})", e.number, recipe.name, e.title)?;
    }
    writeln!(out, "\nemberlite recipes run NAME; the folder is {}", dir.display())?;
    Ok(())
}

/// A recipe's place, or what must be typed first.
fn ready(recipe: &Recipe, dir: &Path) -> Result<Place, CliError> {
    let place = recipe.place(dir)?;
    match &place.set {
        Some(set) if !set.is_dir() => Err(CliError::Message(format!(
            "{} needs data that the program doesn't carry, {}; type `emberlite recipes fetch {}`",
            recipe.name,
            set.display(),
            recipe.name
        ))),
        _ => Ok(place),
    }
}

/// How recipes are run.
struct How<'a> {
    quick: bool,
    begin: Begin,
    device: Option<&'a str>,
    quiet: bool,
    /// What was typed.
    line: &'a Line,
}

/// In a recipe's run: what its searches came to, there when they are finished.
const COMPARISON: &str = "comparison.txt";

impl How<'_> {
    /// What is run writes here: a quick one never replaces a whole one, nor does a whole one go on from a quick one.
    fn folder<'p>(&self, place: &'p Place) -> &'p Path {
        if self.quick { &place.quick_run } else { &place.run }
    }

    /// Makes sure that nothing which isn't finished would be replaced.
    fn keeps(&self, place: &Place) -> Result<(), CliError> {
        let elsewhere = self.line.set("--dir", "OTHER");
        // With --resume a recipe that has nothing to go on from begins.
        let begin = Begin { resume: false, fresh: self.begin.fresh || self.begin.resume };
        let run = self.folder(place);
        begin.look(&Checkpoint::new(run), self.line, &elsewhere)?;
        let trials =
            || fs::read_dir(run).ok()?.flatten().find(|entry| entry.path().extension().is_some_and(|e| e == "jsonl"));
        let searched = !run.join("metrics.jsonl").exists() && trials().is_some();
        if searched && !begin.fresh && !run.join(COMPARISON).exists() {
            return Err(choice(
                run,
                "here are trials of searches that aren't finished",
                Some(self.line.resuming().to_string()),
                self.line,
                &elsewhere,
            ));
        }
        Ok(())
    }

    /// Trains, judges and records; whether every figure was reached.
    fn run(&self, recipe: &Recipe, dir: &Path, out: &mut dyn Write) -> Result<bool, CliError> {
        let place = recipe.at(dir);
        let quick = recipe.expected.quick.as_ref().filter(|_| self.quick);
        let (started, mut before) = (Instant::now(), 0.0);
        let expect: &[Expectation] = quick.map_or(&recipe.expected.expect, |quick| &quick.expect);
        let searches = quick.and_then(|quick| quick.searches).or(recipe.expected.searches);
        let reference = &recipe.expected.reference;
        let verdicts = if let Some(searches) = searches {
            let comparison = self.search(&place, searches)?;
            write!(out, "{comparison}")?;
            before += comparison.seconds_before;
            comparison.judge(expect, reference)?
        } else {
            if self.begin.resume {
                before += Checkpoint::new(self.folder(&place)).seconds();
            }
            // What takes seconds needs no progress.
            self.train(&place, quick.and_then(|quick| quick.epochs), self.quiet || recipe.expected.minutes == 0)?;
            let spec = Spec::read(&place.model)?;
            let file = Bytes::read(self.folder(&place).join("model.safetensors"))?;
            recipes::judge(&spec, &file, expect, reference)?
        };
        let seconds = (before + started.elapsed().as_secs_f64()) as u64;
        for verdict in &verdicts {
            writeln!(out, "{}", line(recipe.name, verdict))?;
        }
        let resume = if self.begin.resume { " --resume" } else { "" };
        let device = self.device.map_or(String::new(), |device| format!(" --device {device}"));
        let command = format!("emberlite recipes run {}{device}{resume}", recipe.name);
        let record = Record {
            recipe: recipe.name.into(),
            figures: verdicts.iter().map(Verdict::got).collect(),
            date: recipes::today(),
            machine: self.device.map_or_else(recipes::machine, |device| format!("{}, {device}", recipes::machine())),
            seconds,
            command,
            version: env!("CARGO_PKG_VERSION").into(),
        };
        let reached = record.reached();
        if !self.quick {
            record.write(&place.folder)?;
        }
        Ok(reached)
    }

    /// The searches of a recipe; the best description is written beside the one that was searched.
    fn search(&self, place: &Place, searches: Searches) -> Result<Comparison, CliError> {
        let description = Description::read(&place.model, plan::boards(None)?)?;
        let device = self.device.map(str::parse).transpose().map_err(CliError::Message)?;
        let run = self.folder(place);
        let best = place.folder.join(if self.quick { "best-quick.toml" } else { "best.toml" });
        // The first line of every search's best description; what hasn't got it is somebody's work.
        if fs::read(&best).is_ok_and(|text| !text.starts_with(b"# Trial ")) {
            let best = best.display();
            return Err(CliError::Message(format!(
                "{best}: is there already, and no search has written it; move it away"
            )));
        }
        let _lock = Lock::take(run)?;
        let told_in = run.join(COMPARISON);
        if told_in.exists() {
            fs::remove_file(&told_in).map_err(|source| FileError {
                path: told_in.clone(),
                doing: "can't remove",
                source,
            })?;
        }
        let watch = interrupt::Watch::new();
        let keeping = Keeping {
            folder: run,
            resume: self.begin.resume,
            device: device.unwrap_or(description.spec.training.device.first),
            stop: watch.asked(),
        };
        let started = Instant::now();
        let mut told = |search: &str| {
            if !self.quiet {
                // That nobody reads it any more is no reason to end.
                let _ = writeln!(std::io::stderr(), "{search}  {:.1} s", started.elapsed().as_secs_f64());
            }
        };
        let Some(comparison) = recipes::compare(&description, searches, keeping, &mut told)? else {
            let (run, line) = (run.display(), self.line.resuming());
            let message = format!("interrupted; trials are kept in {run}{GO_ON}{line}");
            return Err(CliError::Interrupted(message));
        };
        export::write(&best, comparison.best.as_bytes())?;
        export::write(&told_in, comparison.to_string().as_bytes())?;
        Ok(comparison)
    }

    /// `emberlite train` with the recipe's files.
    fn train(&self, place: &Place, epochs: Option<u32>, quiet: bool) -> Result<(), CliError> {
        let path = |path: &Path| path.display().to_string();
        let run = self.folder(place);
        let mut words = vec!["emberlite".into(), "train".into()];
        words.extend(["--model".into(), path(&place.model), "--run".into(), path(run)]);
        words.extend(epochs.map(|epochs| format!("--epochs={epochs}")));
        words.extend(self.device.map(|device| format!("--device={device}")));
        if self.begin.resume {
            match Checkpoint::new(run).path().exists() {
                true => words.push("--resume".into()),
                false if self.quiet => {}
                // That nobody reads it is no reason to end.
                false => drop(writeln!(std::io::stderr(), "{}: nothing to go on from, so it begins", path(run))),
            }
        } else if self.begin.fresh {
            words.push("--fresh".into());
        }
        words.extend(quiet.then(|| "--quiet".into()));
        let (mut said, mut error) = (Vec::new(), Vec::new());
        let status = super::run(words, &mut said, &mut error);
        if status == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&error);
        let text = text.trim_end().trim_start_matches("error: ");
        match text.split_once(GO_ON) {
            // A training that goes on by itself is never judged.
            Some((saved, _)) if status == interrupt::STATUS => {
                Err(CliError::Interrupted(format!("{saved}{GO_ON}{}", self.line.resuming())))
            }
            _ => Err(CliError::Message(text.into())),
        }
    }
}

/// `linear: prediction for 5: expected 10 ± 0.05, got 10: reached`.
fn line(name: &str, verdict: &Verdict) -> String {
    let got = verdict.got();
    if verdict.bound == Bound::Shown {
        return format!("{name}: {}: {}", got.figure, number(got.got));
    }
    let word = if got.reached { "reached" } else { "NOT REACHED" };
    format!("{name}: {}: expected {}, got {}: {word}", got.figure, got.expected, number(got.got))
}

fn fetch(names: &[String], python: &Path, dir: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let mut sets = Vec::new();
    for name in names {
        let recipe = recipes::all()?
            .into_iter()
            .find(|recipe| recipe.name == name.as_str() || recipe.expected.fetch.as_deref() == Some(name.as_str()));
        // The error of a name that is none is that of a recipe.
        let recipe = recipe.map_or_else(|| recipes::find(name), Ok)?;
        recipe.place(dir)?;
        match recipe.expected.fetch {
            Some(set) => sets.push(set),
            None => writeln!(out, "{}: reads only what the program carries", recipe.name)?,
        }
    }
    if sets.is_empty() {
        return Ok(());
    }
    let (script, data) = (dir.join("fetch.py"), dir.join("data"));
    let status = Process::new(python).arg(&script).args(&sets).arg("--to").arg(&data).status();
    let line = format!("{} {} {} --to {}", python.display(), script.display(), sets.join(" "), data.display());
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(CliError::Message(format!("`{line}` failed; it says above what is missing"))),
        Err(error) => Err(CliError::Message(format!("`{line}`: {error}; install Python 3, or name one with --python"))),
    }
}

/// The smallest board that holds a recipe, and whether it learns there.
fn board(recipe: &Recipe, boards: &[Board]) -> String {
    let Ok(spec) = Spec::parse(recipe.name, recipe.model, Path::new("")) else { return "–".into() };
    for (training, what) in [(Some(&spec.device.training), "learns"), (None, "predicts")] {
        let Ok(costs) = spec.costs(training) else { continue };
        if costs.host_only.is_some() {
            continue;
        }
        let mut fits: Vec<&Board> = boards
            .iter()
            .filter(|board| costs.arena_bytes + u64::from(board.stack) <= u64::from(board.ram))
            .filter(|board| costs.file_bytes <= u64::from(board.flash))
            .collect();
        fits.sort_by_key(|board| (board.ram, board.flash));
        if let Some(board) = fits.first() {
            return format!("{what} on {} ({})", board.name, board.part);
        }
    }
    "host only".into()
}

fn table(dir: &Path, out: &mut dyn Write) -> Result<(), CliError> {
    let boards = plan::boards(None)?;
    let text = recipes::table(&recipes::rows(dir, |recipe| board(recipe, &boards))?);
    let readme = dir.join("README.md");
    if !readme.exists() {
        out.write_all(text.as_bytes())?;
        return Ok(());
    }
    let failed = |source| FileError { path: readme.clone(), doing: "can't read", source };
    let old = fs::read_to_string(&readme).map_err(failed)?;
    let parts =
        old.split_once(recipes::BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(recipes::END)?.1)));
    let Some((before, after)) = parts else {
        let lines = format!("{}\n{}", recipes::BEGIN, recipes::END);
        let message = format!("{}: the lines around the table are missing:\n{lines}", readme.display());
        return Err(CliError::Message(message));
    };
    let new = format!("{before}{}\n\n{text}\n{}{after}", recipes::BEGIN, recipes::END);
    export::write(&readme, new.as_bytes())?;
    writeln!(out, "wrote {}", readme.display())?;
    Ok(())
}

impl From<RecipeError> for CliError {
    fn from(error: RecipeError) -> Self {
        match error {
            RecipeError::File(error) => CliError::File(error),
            RecipeError::Search(error) => CliError::Search(error),
            error @ RecipeError::Changed { .. } => {
                CliError::Message(format!("{error}; train it with `emberlite train --model …`, or give another --dir"))
            }
            error => CliError::Message(error.to_string()),
        }
    }
}
