//! `cargo xtask test`: every check, one function a step, a table at the end.
//!
//! A step is a file in this folder and a line in [`STEPS`]; a test below lists the folder and finds a forgotten line.

mod bench;
mod builds;
mod clippy;
mod demo;
mod docs;
mod dynamic;
mod elfs;
mod fmt;
mod gpu;
mod link;
mod logs;
mod mpi;
mod prerequisites;
mod runs;
mod units;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use crate::doctor::{has_mpi, vulkan_driver};

/// A step: its name (the file's), what it shows, and its function.
struct Step {
    name: &'static str,
    claim: &'static str,
    run: fn(&mut Cases) -> Result<()>,
}

/// The steps in their order: what fails fast and cheaply comes first.
const STEPS: &[Step] = &[
    Step { name: "prerequisites", claim: "everything that the other steps need is installed", run: prerequisites::run },
    Step { name: "fmt", claim: "the source is formatted", run: fmt::run },
    Step { name: "clippy", claim: "no lint complains; the code for NVIDIA GPUs type-checks", run: clippy::run },
    Step { name: "units", claim: "cargo test passes in both workspaces", run: units::run },
    Step { name: "gpu", claim: "training on a graphics adapter is training on the CPU", run: gpu::run },
    Step { name: "mpi", claim: "several processes train what one trains", run: mpi::run },
    Step { name: "docs", claim: "the documentation builds without a warning", run: docs::run },
    Step { name: "builds", claim: "every program builds for every board", run: builds::run },
    Step { name: "elfs", claim: "budgets hold; no panic, heap or soft float where forbidden", run: elfs::run },
    Step { name: "runs", claim: "every program ends as expected and prints its golden text", run: runs::run },
    Step { name: "bench", claim: "instructions, flash, RAM and stack are those of the golden tables", run: bench::run },
    Step {
        name: "link",
        claim: "a device fine-tuned over its serial port has the bits that the host simulates",
        run: link::run,
    },
    Step {
        name: "dynamic",
        claim: "models unknown at compile time are planned and trained on the device, or refused by name",
        run: dynamic::run,
    },
    Step { name: "logs", claim: "log frames decode to their golden text", run: logs::run },
    Step {
        name: "demo",
        claim: "the whole path, small: bit for bit as simulated, in floats and in integers",
        run: demo::run,
    },
];

/// What the trainer's tests are built with on this machine, as arguments of cargo: with an adapter's and with MPI's part where
/// their tests can run.
fn trainer_features() -> Vec<&'static str> {
    let mut arguments = Vec::new();
    if vulkan_driver().is_some() {
        arguments.extend(["--features", "emberlite-host/wgpu"]);
    }
    if has_mpi() {
        arguments.extend(["--features", "emberlite-host/mpi"]);
    }
    arguments
}

/// A case that can run beside others: its name and what it does.
pub type Job<'a> = (String, Box<dyn Fn() -> Result<()> + Sync + 'a>);

/// What a step finds, case by case.
#[derive(Default)]
pub struct Cases {
    passed: usize,
    skipped: usize,
    failures: Vec<String>,
}

impl Cases {
    /// Notes one case; `name` says which, an error why it failed.
    pub fn case(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                let text = format!("{name}: {error:#}");
                println!("FAILED {text}");
                self.failures.push(text);
            }
        }
    }

    /// Runs cases on all processors and notes them in their order. For emulators, whose virtual time doesn't care how many
    /// run at once.
    pub fn parallel(&mut self, jobs: &[Job<'_>]) {
        let next = AtomicUsize::new(0);
        let results: Vec<Mutex<Option<Result<()>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
        let work = || {
            while let Some(((_, job), slot)) =
                Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|i| jobs.get(i).zip(results.get(i)))
            {
                let result = job();
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        for ((name, _), slot) in jobs.iter().zip(results) {
            let result = slot.into_inner().unwrap_or_else(PoisonError::into_inner);
            self.case(name, result.unwrap_or_else(|| Err(anyhow::anyhow!("was not run"))));
        }
    }

    /// Notes a case that could not be tried here, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        println!("skipped {name}: {why}");
        self.skipped += 1;
    }
}

/// Runs the named steps (none: all) and prints the table. Every step runs, whatever failed before it.
pub fn run(names: &[String], list: bool) -> Result<ExitCode> {
    if list {
        for step in STEPS {
            println!("{:14} {}", step.name, step.claim);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for name in names {
        if !STEPS.iter().any(|step| step.name == name) {
            bail!("no step '{name}'; 'cargo xtask test --list' names them");
        }
    }
    let chosen = STEPS.iter().filter(|step| names.is_empty() || names.iter().any(|name| name == step.name));
    let mut rows: Vec<(&Step, Cases, Duration)> = Vec::new();
    for step in chosen {
        println!("\n== {}: {}", step.name, step.claim);
        let start = Instant::now();
        let mut cases = Cases::default();
        // A bug in one step must not hide what the others find.
        match catch_unwind(AssertUnwindSafe(|| (step.run)(&mut cases))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => cases.case(step.name, Err(error)),
            Err(_) => cases.case(step.name, Err(anyhow::anyhow!("the step itself panicked"))),
        }
        rows.push((step, cases, start.elapsed()));
    }
    Ok(summary(&rows))
}

fn summary(rows: &[(&Step, Cases, Duration)]) -> ExitCode {
    println!("\n{:14} {:>7} {:>7} {:>7} {:>8}", "step", "passed", "failed", "skipped", "seconds");
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (step, cases, time) in rows {
        println!(
            "{:14} {:7} {:7} {:7} {:8.1}",
            step.name,
            cases.passed,
            cases.failures.len(),
            cases.skipped,
            time.as_secs_f64()
        );
        passed += cases.passed;
        failed += cases.failures.len();
        skipped += cases.skipped;
    }
    for (step, cases, _) in rows {
        for failure in &cases.failures {
            // The whole text stands where it happened.
            println!("FAILED in {}: {}", step.name, failure.lines().next().unwrap_or_default());
        }
    }
    // A run that tried nothing has shown nothing.
    let verdict = failed == 0 && passed > 0;
    let tail = if skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    println!("\n{passed} passed, {failed} failed{tail}");
    if verdict { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_step() {
        let folder = crate::paths::root().join("xtask/src/test");
        let files: BTreeSet<String> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "mod")
            .collect();
        let steps: BTreeSet<String> = STEPS.iter().map(|step| step.name.to_string()).collect();
        assert_eq!(files, steps);
    }

    #[test]
    fn parallel_cases_keep_their_order_and_their_results() {
        let names: Vec<usize> = (0..50).collect();
        let fails = |n: &usize| if n % 7 == 3 { Err(anyhow::anyhow!("{n}")) } else { Ok(()) };
        let jobs: Vec<Job<'_>> = names
            .iter()
            .map(|n| (format!("case {n}"), Box::new(move || fails(n)) as Box<dyn Fn() -> Result<()> + Sync>))
            .collect();
        let mut cases = Cases::default();
        cases.parallel(&jobs);
        assert_eq!(cases.passed, 43);
        assert_eq!(cases.failures[1], "case 10: 10");
    }

    #[test]
    fn a_failed_case_fails_the_run() {
        let step = &STEPS[0];
        let mut good = Cases::default();
        good.case("good", Ok(()));
        assert_eq!(format!("{:?}", summary(&[(step, good, Duration::ZERO)])), format!("{:?}", ExitCode::SUCCESS));
        let mut bad = Cases::default();
        bad.case("good", Ok(()));
        bad.case("bad", Err(anyhow::anyhow!("on purpose")));
        assert_eq!(format!("{:?}", summary(&[(step, bad, Duration::ZERO)])), format!("{:?}", ExitCode::FAILURE));
        assert_eq!(
            format!("{:?}", summary(&[(step, Cases::default(), Duration::ZERO)])),
            format!("{:?}", ExitCode::FAILURE)
        );
    }
}
