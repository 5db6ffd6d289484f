//! WAV files in folders, a folder a class, as waveforms, log-mel spectrograms or MFCC.
//!
//! Every clip is made as long as the model takes: what is longer is cut at the end, what is shorter filled with silence.
//! Stereo is mixed to mono. Another sample rate than the one asked for is refused, since resampling by a bad filter
//! changes the very frequencies that the model learns, and tools that do it well are at hand.

mod spectrum;
mod wav;

pub use spectrum::{Mel, Scale, Spectrum};
pub use wav::{Wave, parse, read};

#[cfg(test)]
pub(in crate::data) use wav::tests;

use super::bytes;
use super::dataset::Labels;
use super::error::DataError;
use super::folder::Listing;
use super::records::beyond;
use super::source::{Draw, Source};
use rayon::prelude::*;

/// Extensions of sounds.
pub const SOUNDS: [&str; 1] = ["wav"];

/// What becomes of a waveform.
#[derive(Clone, Debug, PartialEq)]
pub enum Transform {
    /// Itself: `[1, samples]`, -1 to 1.
    Waveform,
    /// Decibels of power in mel bands: `[mels, frames]`.
    LogMel(Mel),
    /// Mel-frequency cepstral coefficients: `[coefficients, frames]`.
    Mfcc(Mel, usize),
}

/// Clips of one length from WAV files, read and transformed as they are drawn.
pub struct Sounds {
    listing: Listing,
    labels: Labels,
    rate: u32,
    /// Samples of a clip.
    length: usize,
    spectrum: Option<Spectrum>,
    shape: Vec<usize>,
}

impl Sounds {
    /// The sounds of a listing, `length` samples each at `rate` a second.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] for settings that don't fit together; files are read when they are drawn.
    pub fn new(listing: Listing, rate: u32, length: usize, transform: &Transform) -> Result<Self, DataError> {
        if length == 0 || rate == 0 {
            return Err(DataError::Mismatch {
                what: "sounds".into(),
                expected: "a length and a rate of at least 1".into(),
                found: format!("{length} samples at {rate} Hz"),
                help: "give length in seconds and rate in Hz",
            });
        }
        let (spectrum, shape) = match transform {
            Transform::Waveform => (None, vec![1, length]),
            Transform::LogMel(mel) => {
                let spectrum = Spectrum::new(mel, rate, None)?;
                let shape = vec![mel.mels, spectrum.frames(length)];
                (Some(spectrum), shape)
            }
            Transform::Mfcc(mel, coefficients) => {
                let spectrum = Spectrum::new(mel, rate, Some(*coefficients))?;
                let shape = vec![*coefficients, spectrum.frames(length)];
                (Some(spectrum), shape)
            }
        };
        Ok(Self { labels: listing.labels(), listing, rate, length, spectrum, shape })
    }

    fn clip(&self, index: usize, out: &mut [f32]) -> Result<(), DataError> {
        let path = self.listing.files.get(index).ok_or_else(|| beyond(self.listing.files.len()))?;
        let wave = read(path)?;
        if wave.rate != self.rate {
            return Err(DataError::Mismatch {
                what: path.display().to_string(),
                expected: format!("{} Hz", self.rate),
                found: format!("{} Hz", wave.rate),
                help: "convert it to that rate, for example with `sox in.wav -r RATE out.wav`, or change `rate` in [data]",
            });
        }
        let mut samples = wave.samples;
        samples.resize(self.length, 0.0);
        match &self.spectrum {
            None => out.copy_from_slice(&samples),
            Some(spectrum) => out.copy_from_slice(&spectrum.of(&samples)),
        }
        Ok(())
    }
}

impl Source for Sounds {
    fn len(&self) -> usize {
        self.listing.files.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn place(&self, index: usize) -> Option<String> {
        self.listing.files.get(index).map(|path| bytes::name(path))
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        let size = self.sample_len().max(1);
        let read: Vec<Result<(), DataError>> =
            draw.indices.par_iter().zip(out.par_chunks_exact_mut(size)).map(|(&i, out)| self.clip(i, out)).collect();
        read.into_iter().collect()
    }
}
