//! One model's way: judged, fine-tuned on the device, read back, and compared with the simulation.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, ensure};

use emberlite_link::Numbers;

use super::{
    data::Window,
    device::{Device, Memory},
    host::{Emberlite, Figures, Simulated},
    parity::{self, Text, Weights},
};
use crate::board::Board;

/// What a device learns and is judged with, and the files of the same windows for the simulation.
#[derive(Debug)]
pub struct Direction {
    /// The wrist that the host's models know.
    pub from: &'static str,
    /// The wrist that the device learns.
    pub to: &'static str,
    /// What the device computes with.
    pub numbers: Numbers,
    /// The descriptions, the slices and what comes of them.
    pub folder: PathBuf,
    /// Every step's window, in order.
    pub learn: Vec<Window>,
    /// Those that the device itself judges.
    pub judged: Vec<Window>,
}

/// Every step's window.
pub const LEARN: &str = "learn.csv";
/// All windows of the other wrist that nobody learns from.
pub const OTHER: &str = "other.csv";
/// All windows of the first wrist that nobody learns from.
pub const FIRST: &str = "held_out.csv";
/// A part of both, for the device.
pub const JUDGED: &str = "judged.csv";

/// The description that the host trains.
pub const MODEL: &str = "model.toml";
/// The same model in 16-bit integers.
pub const FIXED16: &str = "fixed16.toml";

impl Direction {
    /// The description of what the device runs.
    pub fn description(&self) -> &'static str {
        match self.numbers {
            Numbers::F32 => MODEL,
            Numbers::Fixed16 => FIXED16,
        }
    }

    /// The sealed file that a seed's training on the host makes, in f32.
    pub fn trained(&self, seed: u32) -> PathBuf {
        self.folder.join(format!("seed-{seed}.safetensors"))
    }

    /// The sealed file of a seed's model, in the device's numbers.
    pub fn model(&self, seed: u32) -> PathBuf {
        match self.numbers {
            Numbers::F32 => self.trained(seed),
            Numbers::Fixed16 => self.folder.join(format!("seed-{seed}.fixed16.safetensors")),
        }
    }

    /// The same for the partition of flash.
    pub fn flash(&self, seed: u32) -> PathBuf {
        self.folder.join(format!("seed-{seed}.flash"))
    }
}

/// Before and after.
#[derive(Debug, Clone)]
pub struct Pair {
    pub before: Figures,
    pub after: Figures,
}

/// What came of one model.
#[derive(Debug)]
pub struct Outcome {
    pub from: &'static str,
    pub to: &'static str,
    pub seed: u32,
    /// The wrist that was learnt.
    pub other: Pair,
    /// The wrist that was known.
    pub first: Pair,
    /// For a device that computes in integers: how well the other wrist is known after the same steps in f32, simulated.
    pub float: Option<Figures>,
    /// The loss before each step.
    pub losses: Vec<f32>,
    /// Steps that were skipped, because a number would have become infinite.
    pub skipped: u64,
    /// Windows that the device judged itself, and how many it got right before and after.
    pub judged: (usize, usize, usize),
    /// Parameters that were read back and compared.
    pub parameters: usize,
    /// Of the device's program.
    pub memory: Memory,
    /// How long the device took, all told.
    pub seconds: f64,
}

/// What the device did, before it is compared.
struct Session {
    before: usize,
    /// As bits.
    losses: Vec<u32>,
    skipped: u64,
    after: usize,
    /// As bytes.
    parameters: Vec<u8>,
    memory: Memory,
}

/// Lets the device learn and compares it with the simulation.
///
/// # Errors
///
/// The device's or the host's program failed, or the two didn't compute the same bits; the message says where they part.
pub fn run(
    host: &Emberlite,
    board: &Board,
    elf: &Path,
    direction: &Direction,
    seed: u32,
    worker: usize,
) -> Result<Outcome> {
    let Direction { from, to, folder, numbers, .. } = direction;
    let name = || format!("{from} \u{2192} {to}, seed {seed}");
    let start = Instant::now();
    let session = converse(board, elf, direction, seed, worker).with_context(name)?;
    let seconds = start.elapsed().as_secs_f64();

    let description = direction.description();
    let (factory, learnt) = (direction.model(seed), direction.model(seed).with_extension("learnt.safetensors"));
    let factory = Simulated { folder, description, weights: &factory };
    let simulated = host.simulate(&factory, Path::new(LEARN), direction.learn.len(), &learnt)?;
    let trace = simulated.trace.as_ref().context("the simulation keeps no trace")?;
    parity::losses(*numbers, &session.losses, &trace.loss_bits).with_context(name)?;
    ensure!(
        session.skipped == simulated.skipped,
        "{}: the device skipped {} steps, the simulation {}",
        name(),
        session.skipped,
        simulated.skipped
    );
    let weights = Weights::read(&learnt)?;
    weights.compare(&session.parameters).with_context(name)?;

    let learnt = Simulated { weights: &learnt, ..factory };
    let judge = |data: &str| -> Result<Pair> {
        let before = host.evaluate(&factory, Path::new(data))?;
        Ok(Pair { before, after: host.evaluate(&learnt, Path::new(data))? })
    };
    let judged = judge(JUDGED)?;
    for (when, device, figures) in [("before", session.before, &judged.before), ("after", session.after, &judged.after)]
    {
        let simulated = (figures.accuracy * figures.count as f64).round() as usize;
        ensure!(
            device == simulated,
            "{}: {when} learning the device gets {device} of {} windows right, the simulation {simulated}",
            name(),
            figures.count
        );
    }
    let float = match numbers {
        Numbers::F32 => None,
        Numbers::Fixed16 => {
            let (factory, learnt) =
                (direction.trained(seed), direction.trained(seed).with_extension("learnt.safetensors"));
            let factory = Simulated { folder, description: MODEL, weights: &factory };
            host.simulate(&factory, Path::new(LEARN), direction.learn.len(), &learnt)?;
            Some(host.evaluate(&Simulated { weights: &learnt, ..factory }, Path::new(OTHER))?)
        }
    };
    Ok(Outcome {
        from,
        to,
        seed,
        other: judge(OTHER)?,
        first: judge(FIRST)?,
        float,
        losses: session.losses.iter().map(|&bits| numbers.loss(bits)).collect(),
        skipped: simulated.skipped,
        judged: (direction.judged.len(), session.before, session.after),
        parameters: weights.len(),
        memory: session.memory,
        seconds,
    })
}

fn converse(board: &Board, elf: &Path, direction: &Direction, seed: u32, worker: usize) -> Result<Session> {
    let mut device = Device::start(board, elf, &direction.flash(seed), worker)?;
    let (theirs, ours) = (device.hello()?, Weights::read(&direction.model(seed))?);
    ensure!(
        theirs == (ours.layout, ours.numbers),
        "the program's model has layout {:016x} in {:?}, the file's {:016x} in {:?}: make demo/{} and {} say the same",
        theirs.0,
        theirs.1,
        ours.layout,
        ours.numbers,
        direction.description(),
        elf.file_name().map_or_else(String::new, |name| format!("firmware/src/bin/{}.rs", name.display()))
    );
    let before = right(&mut device, &direction.judged)?;
    let mut losses = Vec::with_capacity(direction.learn.len());
    for window in &direction.learn {
        losses.push(device.train(window)?);
    }
    let after = right(&mut device, &direction.judged)?;
    let (parameters, skipped) = (device.parameters()?, device.skipped());
    let memory = device.finish()?;
    Ok(Session { before, losses, skipped, after, parameters, memory })
}

fn right(device: &mut Device, windows: &[Window]) -> Result<usize> {
    let mut right = 0;
    for window in windows {
        right += usize::from(device.evaluate(window)?);
    }
    Ok(right)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{FIXED16, MODEL};
    use crate::paths;

    /// What differs is said here, so that the two descriptions don't drift apart.
    #[test]
    fn the_two_descriptions_differ_in_format_and_device_alone() {
        let lines = |name: &str| -> Vec<String> {
            let text = fs::read_to_string(paths::root().join("demo").join(name)).unwrap();
            text.lines().filter(|line| !line.starts_with('#')).map(String::from).collect()
        };
        let (float, fixed) = (lines(MODEL), lines(FIXED16));
        let only = |of: &[String], other: &[String]| -> Vec<String> {
            of.iter().filter(|line| !other.contains(line)).cloned().collect()
        };
        assert_eq!(only(&float, &fixed), ["board = \"m4f\""]);
        assert_eq!(only(&fixed, &float), ["format = \"fixed16\"", "board = \"m0\"", "ram = 23552"]);
    }
}
