//! The factory model: trained from scratch on three writers, one digit at a time, by the library that the device runs.

use std::{fs, io::BufWriter, path::Path};

use anyhow::{Context, Result, anyhow};
use emberlite::{
    image::{Profile, Sink},
    learner::{Learner, saved_len},
    number::F32,
};
use emberlite_models::Digits;

use crate::digits::{self, Digit};

/// Writers that the factory knows.
const WRITERS: u8 = 3;
/// Passes over their digits.
const PASSES: usize = 20;

struct Out<W>(W);

impl<W: std::io::Write> Sink for Out<W> {
    type Error = std::io::Error;

    fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes)
    }
}

/// Trains, prints the accuracy for every writer, and writes the file.
pub fn factory(data: &Path, image: &Path) -> Result<()> {
    let digits = digits::read(data)?;
    let mut learner = Learner::<Digits>::new();
    learner.initialize(1).map_err(|e| anyhow!("{e}"))?;
    for _ in 0..PASSES {
        for digit in digits.iter().filter(|digit| digit.writer < WRITERS) {
            learner.train_step(&digit.pixels.into(), digit.label).map_err(|e| anyhow!("{e}"))?;
        }
    }
    for writer in 0..=digits.iter().map(|digit| digit.writer).max().unwrap_or(0) {
        let own = digits::of_writer(&digits, writer);
        println!("writer {writer}: {} of {}", correct(&mut learner, &own)?, own.len());
    }
    let mut out = Out(BufWriter::new(fs::File::create(image).with_context(|| image.display().to_string())?));
    let engine = learner.engine().map_err(|e| anyhow!("{e}"))?;
    engine.save::<_, { saved_len(3) }>(0, Profile::Safetensors, &mut out).map_err(|e| anyhow!("{e}"))?;
    std::io::Write::flush(&mut out.0)?;
    Ok(())
}

/// How many of these the learner gets right.
pub fn correct(learner: &mut Learner<'_, Digits>, digits: &[&Digit]) -> Result<u32> {
    let mut metrics = emberlite::learner::Metrics::<F32, 10>::new();
    for digit in digits {
        learner.evaluate(&digit.pixels.into(), digit.label, &mut metrics).map_err(|e| anyhow!("{e}"))?;
    }
    Ok(metrics.correct())
}
