//! `cargo xtask demo`: the whole path on real data, in one command.
//!
//! A model that the host trained on people's one wrist is put into the flash of an emulated Cortex-M4 with 64 KiB of RAM,
//! fails on their other wrist, learns it there from the first 20 % of each recording, and recovers; the same steps are
//! simulated on the host, and every loss and every weight must have the same bits. In both directions, with three seeds.
//!
//! ```text
//! data ── slices ──> emberlite train ──> emberlite export ──> flash of the emulated board
//!            │                                                     │ serial line: judge, train, judge, read back
//!            └─────> emberlite simulate ──> the same bits? <───────┘
//! ```
//!
//! On a part without an FPU (`--board m0`) the device computes in 16-bit integers: the same models are quantised, and the same
//! steps in f32 are simulated beside it.
//!
//! Everything goes into `runs/demo`, with `-BOARD` for another board than the usual one and `-quick` for the quick one; `demo/model.toml` and
//! `demo/fixed16.toml` are the models, `firmware/src/bin/watch.rs` and `watch_fixed.rs` the device's programs.

mod data;
mod device;
mod host;
mod page;
mod parity;
mod place;
mod results;
mod run;
mod text;

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use emberlite_link::Numbers;

use self::{
    host::Emberlite,
    place::Place,
    results::{judges, mean, results},
    run::{Direction, FIRST, FIXED16, JUDGED, LEARN, MODEL, OTHER, Outcome},
    text::{percent, thousands},
};
use crate::{
    board::{Board, PARTITION_KIB},
    elf::Elf,
    firmware, paths, toolchain,
};

/// The board that learns, where none is named.
pub const BOARD: &str = "m4f";
/// Most that integers may lose against f32 on average, a share of the windows.
const FIXED16_LOSES: f64 = 0.02;
/// The steps that are printed.
const STEPS: usize = 10;

/// How much is done.
struct Plan {
    wrists: &'static [(&'static str, &'static str)],
    seeds: &'static [u32],
    /// Of the host's training; `None`: what `model.toml` says.
    epochs: Option<u32>,
    /// Over what the device learns from.
    passes: usize,
    /// The device itself judges one window in this many; the simulation, whose bits are the same, judges all.
    judge_every: usize,
    /// The mean accuracy on the other wrist that counts as a recovery.
    at_least: f64,
}

const FULL: Plan = Plan {
    wrists: &[("right", "left"), ("left", "right")],
    seeds: &[1, 2, 3],
    epochs: None,
    passes: 15,
    judge_every: 8,
    at_least: 0.86,
};

/// For the tests: one model, trained and fine-tuned for a short while.
const QUICK: Plan =
    Plan { wrists: &[("right", "left")], seeds: &[1], epochs: Some(6), passes: 3, judge_every: 16, at_least: 0.7 };

/// Where the host's program comes from.
#[derive(Debug, Clone, Copy)]
pub enum Host {
    /// It is built first.
    Build,
    /// From an earlier build of the whole workspace, whose features may be others.
    Built,
}

/// What the program takes of the board.
struct Fit {
    flash: u64,
    model: u64,
    statics: u64,
    stack: u64,
    ram: u64,
}

/// Runs the demo.
///
/// # Errors
///
/// Something is missing (the message says what to type), a step failed, device and simulation differ in a bit, the board is too
/// small, or the other wrist wasn't learnt.
pub fn run(board_name: &str, quick: bool, host: Host) -> Result<()> {
    let plan = if quick { &QUICK } else { &FULL };
    let start = Instant::now();
    let place = Place::new(board_name, quick)?;
    let Place { board, program, numbers, folder, .. } = &place;

    let mut steps = Progress::default();
    let versions = steps.step("prerequisites", || {
        let versions = prerequisites(board)?;
        Ok((
            versions.iter().map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", "),
            versions,
        ))
    })?;
    let host = match host {
        Host::Build => Emberlite::build().context("building the host's program `emberlite`")?,
        Host::Built => Emberlite::built()?,
    };
    let directions = steps.step("data", || slices(plan, folder, *numbers))?;
    let runs: Vec<(&Direction, u32)> =
        directions.iter().flat_map(|direction| plan.seeds.iter().map(move |seed| (direction, *seed))).collect();
    steps.step("training", || {
        for (direction, seed) in &runs {
            host.train(&direction.folder, *seed, plan.epochs, &direction.trained(*seed))?;
        }
        let (wrists, seeds) = (plan.wrists.len(), plan.seeds.len());
        Ok((
            format!("{} on the host: {}, {}", count(runs.len(), "model"), count(wrists, "wrist"), count(seeds, "seed")),
            (),
        ))
    })?;
    let model_bytes = steps.step("export", || {
        let mut largest = 0;
        for (direction, seed) in &runs {
            let (trained, file, flash) = (direction.trained(*seed), direction.model(*seed), direction.flash(*seed));
            if file != trained {
                host.quantize(&direction.folder, direction.description(), &trained, &file)?;
            }
            host.export(&direction.folder, &file, &flash)?;
            largest = largest.max(fs::metadata(&flash).with_context(|| flash.display().to_string())?.len());
        }
        let room = u64::from(PARTITION_KIB) * 1024;
        ensure!(largest <= room, "the model's file has {largest} bytes, its partition of flash {room}");
        let quantised = if *numbers == Numbers::Fixed16 { "quantised to 16-bit integers, " } else { "" };
        Ok((format!("{quantised}{} bytes each, in a partition of {PARTITION_KIB} KiB", thousands(largest)), largest))
    })?;
    let elf = firmware::elf_path(board_name, &program.name);
    let fit = steps.step("firmware", || {
        firmware::build(board_name, board, &[program])?;
        let sizes = Elf::read(&elf, board.ram.origin)?;
        let stack = u64::from(program.expect.stack_bytes.unwrap_or(board.stack_bytes));
        let statics = sizes.ram_bytes - stack;
        let fit = Fit { flash: sizes.flash_bytes, model: model_bytes, statics, stack, ram: sizes.ram_bytes };
        fit.check(board)?;
        let (name, bytes) = (&program.name, thousands(fit.flash));
        Ok((format!("'{name}' for {} (board {board_name}), {bytes} bytes", board.part), fit))
    })?;
    let workers = thread::available_parallelism().map_or(1, usize::from).min(runs.len());
    steps.step("emulator", || Ok((format!("{}, {workers} at a time", board.qemu.args.join(" ")), ())))?;
    let outcomes = steps.step("fine-tuning", || {
        println!("one window a step, {} passes over the first 20 % of each recording", plan.passes);
        let outcomes = fine_tune(&host, board, &elf, &runs, workers)?;
        Ok((String::new(), outcomes))
    })?;
    let sum = |of: fn(&Outcome) -> usize| outcomes.iter().map(of).sum::<usize>() as u64;
    steps.step("pull-back", || {
        Ok((format!("{} weights read over the serial line", thousands(sum(|o| o.parameters))), ()))
    })?;
    steps.step("parity", || {
        let (losses, weights) = (thousands(sum(|o| o.losses.len())), thousands(sum(|o| o.parameters)));
        Ok((format!("all {losses} losses and all {weights} weights have the bits of the host's simulation"), ()))
    })?;
    let page = steps.step("report", || {
        let json = folder.join("report.json");
        let report = page::report(plan, &place, &fit, &outcomes, &versions);
        fs::write(&json, serde_json::to_string_pretty(&report)?).with_context(|| json.display().to_string())?;
        host.report(folder, &json)?;
        let page = json.with_extension("html");
        Ok((page.strip_prefix(paths::root()).unwrap_or(&page).display().to_string(), ()))
    });
    print!("\n{}", results(&outcomes));
    print!("\n{}", judges(plan, &outcomes));
    print!("\n{}", fit.text(board, &outcomes));
    println!("\n{}", verdict(plan, &outcomes, start.elapsed())?);
    page
}

fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

/// Finds what is needed and names its version.
fn prerequisites(board: &Board) -> Result<Vec<(String, String)>> {
    let emulator = &board.qemu.program;
    if toolchain::in_path(emulator).is_none() {
        bail!("{emulator} is missing; 'cargo xtask doctor' installs it or says what to type");
    }
    let output = Command::new(emulator).arg("--version").output().with_context(|| emulator.clone())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    let compiler = toolchain::choose(&board.target, true)?.version()?;
    let (name, compiler) = compiler.split_once(' ').unwrap_or(("rustc", &compiler));
    Ok(vec![
        (emulator.clone(), version.unwrap_or("of unknown version").into()),
        (format!("{name} for the device"), compiler.into()),
    ])
}

/// Cuts the data and writes what the host's program reads.
fn slices(plan: &Plan, demo: &Path, numbers: Numbers) -> Result<(String, Vec<Direction>)> {
    let recordings = data::read()?;
    let mut directions = Vec::new();
    let mut sizes = Vec::new();
    for (from, to) in plan.wrists {
        let folder = demo.join(from);
        // What an earlier run left would be taken for this one's.
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
        }
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for name in [MODEL, FIXED16] {
            let model = paths::root().join("demo").join(name);
            fs::copy(&model, folder.join(name)).with_context(|| model.display().to_string())?;
        }
        let slices = data::slices(&recordings, from);
        let judged: Vec<_> = slices.other.iter().chain(&slices.first).step_by(plan.judge_every).cloned().collect();
        let order = data::order(slices.learn.len(), plan.passes);
        let learn: Vec<_> = order.iter().filter_map(|&window| slices.learn.get(window).cloned()).collect();
        data::write_recordings(&folder.join("train.csv"), &slices.train)?;
        for (name, windows) in [(LEARN, &learn), (OTHER, &slices.other), (FIRST, &slices.first), (JUDGED, &judged)] {
            data::write_windows(&folder.join(name), windows)?;
        }
        sizes.push(format!("{to} {} + {}", slices.learn.len(), thousands(slices.other.len() as u64)));
        directions.push(Direction { from, to, numbers, folder, learn, judged });
    }
    let text = format!("{} recordings; windows to learn + to judge: {}", recordings.len(), sizes.join(", "));
    Ok((text, directions))
}

/// All models, some at a time; a line for each as it is done.
fn fine_tune(
    host: &Emberlite,
    board: &Board,
    elf: &std::path::Path,
    runs: &[(&Direction, u32)],
    workers: usize,
) -> Result<Vec<Outcome>> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<(usize, Result<Outcome>)>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let (next, failed, done) = (&next, &failed, &done);
        for worker in 0..workers {
            scope.spawn(move || {
                while !failed.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((direction, seed)) = runs.get(index) else { return };
                    let outcome = run::run(host, board, elf, direction, *seed, worker);
                    match &outcome {
                        Ok(outcome) => println!("{}", line(outcome)),
                        Err(_) => failed.store(true, Ordering::Relaxed),
                    }
                    if let Ok(mut done) = done.lock() {
                        done.push((index, outcome));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().map_err(|_| anyhow::anyhow!("a worker panicked"))?;
    done.sort_by_key(|(index, _)| *index);
    let outcomes: Vec<Outcome> = done.into_iter().map(|(_, outcome)| outcome).collect::<Result<_>>()?;
    ensure!(outcomes.len() == runs.len(), "only {} of {} runs were done", outcomes.len(), runs.len());
    Ok(outcomes)
}

fn line(outcome: &Outcome) -> String {
    let Outcome { from, to, seed, other, seconds, losses, .. } = outcome;
    format!(
        "{:19}{:>5} \u{2192} {to:5}  seed {seed}   {} steps   {to} wrist {:>6} \u{2192} {:>6}   {seconds:4.0} s",
        "",
        from,
        thousands(losses.len() as u64),
        percent(other.before.accuracy),
        percent(other.after.accuracy),
    )
}

impl Fit {
    fn check(&self, board: &Board) -> Result<()> {
        let (flash, ram) = (u64::from(board.flash.bytes()), u64::from(board.ram.bytes()));
        let partition = u64::from(PARTITION_KIB) * 1024;
        ensure!(self.flash + partition <= flash, "{} bytes of flash and the partition exceed {flash}", self.flash);
        ensure!(self.ram <= ram, "{} bytes of RAM exceed {ram}", self.ram);
        Ok(())
    }

    fn text(&self, board: &Board, outcomes: &[Outcome]) -> String {
        let most = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).max().unwrap_or_default();
        let (arena, stack) = (most(|o| o.memory.arena), most(|o| o.memory.stack));
        format!(
            "RAM    {:>8} of {:>8} bytes: {} learner, {} link and the rest, {} stack (at most {} used)\n\
             flash  {:>8} of {:>8} bytes: {} program, {} model\n",
            thousands(self.ram),
            thousands(board.ram.bytes().into()),
            thousands(arena),
            thousands(self.statics - arena),
            thousands(self.stack),
            thousands(stack),
            thousands(self.flash + self.model),
            thousands(board.flash.bytes().into()),
            thousands(self.flash),
            thousands(self.model),
        )
    }
}

/// The last line, or why the demo failed.
fn verdict(plan: &Plan, outcomes: &[Outcome], took: Duration) -> Result<String> {
    let (before, after) = (mean(outcomes, |o| o.other.before.accuracy), mean(outcomes, |o| o.other.after.accuracy));
    ensure!(
        after >= plan.at_least && after > before,
        "the other wrist wasn't learnt: {} before, {} after, expected at least {}",
        percent(before),
        percent(after),
        percent(plan.at_least)
    );
    if outcomes.iter().all(|o| o.float.is_some()) {
        let float = mean(outcomes, |o| o.float.as_ref().map_or(0.0, |f| f.accuracy));
        ensure!(
            after >= float - FIXED16_LOSES,
            "integers learnt {} of the other wrist, f32 {}: more than {} points lost",
            percent(after),
            percent(float),
            FIXED16_LOSES * 100.0
        );
    }
    Ok(format!(
        "Learnt on the device: {} \u{2192} {}, bit for bit as simulated. Done in {} s.",
        percent(before),
        percent(after),
        took.as_secs()
    ))
}

/// Prints the steps as they come.
#[derive(Default)]
struct Progress {
    number: usize,
}

impl Progress {
    /// Runs a step; its text stands behind its name.
    fn step<T>(&mut self, name: &str, work: impl FnOnce() -> Result<(String, T)>) -> Result<T> {
        use std::io::Write;
        self.number += 1;
        print!("{:>2}/{STEPS} {name:<13} ", self.number);
        std::io::stdout().flush()?;
        match work() {
            Ok((text, value)) => {
                if !text.is_empty() {
                    println!("{text}");
                }
                Ok(value)
            }
            Err(error) => {
                println!("failed");
                Err(error.context(format!("step '{name}'")))
            }
        }
    }
}
