//! Spectrograms on the mel scale and their cepstrum, as librosa and torchaudio define them.
//!
//! ```text
//! frame t    x[t·hop - fft/2 …] with silence beyond the ends, times a periodic Hann window of `window` in its middle
//! power      |FFT|²                                           [fft/2 + 1, frames]
//! mel        triangles between equal steps of the mel scale   [mels, frames]
//! decibels   10 log10(max(power, 1e-10)), at least the clip's largest less `top_db`
//! MFCC       orthonormal DCT-II over the mels                 [coefficients, frames]
//! ```
//!
//! With the Slaney scale these are `librosa.feature.melspectrogram`, `power_to_db` and `mfcc` (0.11) with their
//! defaults; with HTK's scale and triangles of height 1 they are `torchaudio.transforms.MFCC`'s but for the reflected
//! padding at the ends. Computed in f64; a frame costs an FFT and `mels · (fft/2 + 1)` products.

use crate::data::error::DataError;
use rustfft::num_complex::Complex;
use rustfft::{Fft, FftPlanner};
use std::f64::consts::PI;
use std::sync::Arc;

/// The settings of mel bands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mel {
    /// Bands.
    pub mels: usize,
    /// Samples of a window.
    pub window: usize,
    /// Samples from frame to frame.
    pub hop: usize,
    /// Samples of the transform, at least the window.
    pub fft: usize,
    /// Hz where the first band starts.
    pub lowest: f64,
    /// Hz where the last band ends; 0 is half the rate.
    pub highest: f64,
    /// Which mel scale.
    pub scale: Scale,
    /// Decibels below the loudest of a clip that are kept; 0 keeps all.
    pub top_db: f64,
}

/// Two definitions of the mel scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Slaney's: linear below 1000 Hz; triangles of equal area. librosa's default.
    #[default]
    Slaney,
    /// HTK's, `2595 log10(1 + f / 700)`; triangles of height 1. torchaudio's default.
    Htk,
}

impl Default for Mel {
    /// 40 bands over windows of 25 ms every 10 ms, at 16 kHz.
    fn default() -> Self {
        let (window, hop, fft) = (400, 160, 512);
        Self { mels: 40, window, hop, fft, lowest: 0.0, highest: 0.0, scale: Scale::Slaney, top_db: 80.0 }
    }
}

impl Scale {
    fn mel(self, hertz: f64) -> f64 {
        match self {
            Scale::Htk => 2595.0 * (1.0 + hertz / 700.0).log10(),
            Scale::Slaney if hertz < 1000.0 => hertz * 3.0 / 200.0,
            Scale::Slaney => 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
        }
    }

    fn hertz(self, mel: f64) -> f64 {
        match self {
            Scale::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Scale::Slaney if mel < 15.0 => mel * 200.0 / 3.0,
            Scale::Slaney => 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp(),
        }
    }
}

/// A transform with its tables.
pub struct Spectrum {
    settings: Mel,
    transform: Arc<dyn Fft<f64>>,
    /// `[fft]`.
    window: Vec<f64>,
    /// `[mels, fft/2 + 1]`.
    bands: Vec<f64>,
    /// `[coefficients, mels]`; empty for decibels.
    cosines: Vec<f64>,
}

impl Spectrum {
    /// Tables for a rate in Hz; `coefficients` of the cepstrum, or decibels.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] naming the setting that is out of range.
    pub fn new(settings: &Mel, rate: u32, coefficients: Option<usize>) -> Result<Self, DataError> {
        let Mel { mels, window, hop, fft, lowest, highest, scale, top_db } = *settings;
        let half = f64::from(rate) / 2.0;
        let highest = if highest == 0.0 { half } else { highest };
        let checks = [
            ((1..=4096).contains(&mels), "mels", "1 to 4096"),
            (hop >= 1, "hop", "at least 1"),
            ((1..=fft).contains(&window) && fft <= 1 << 20, "window", "1 to fft, which is at most 1048576"),
            (lowest >= 0.0 && lowest < highest && highest <= half, "lowest and highest", "ascending, to half the rate"),
            (coefficients.is_none_or(|count| (1..=mels).contains(&count)), "coefficients", "1 to mels"),
            (top_db >= 0.0, "top_db", "0 or more"),
        ];
        if let Some((_, what, expected)) = checks.iter().find(|(good, ..)| !good) {
            return Err(DataError::Mismatch {
                what: format!("{what} of the spectrum"),
                expected: (*expected).into(),
                found: format!("{settings:?}"),
                help: "change the transform's settings",
            });
        }
        // torch and librosa put a shorter window in the middle.
        let before = (fft - window) / 2;
        let hann = |n: usize| 0.5 - 0.5 * (2.0 * PI * n as f64 / window as f64).cos();
        let at = |n: usize| if n >= before && n < before + window { hann(n - before) } else { 0.0 };
        let cosines = coefficients.map_or(Vec::new(), |count| dct(count, mels));
        Ok(Self {
            settings: *settings,
            transform: FftPlanner::new().plan_fft_forward(fft),
            window: (0..fft).map(at).collect(),
            bands: bands(mels, fft, rate, (lowest, highest), scale),
            cosines,
        })
    }

    /// Frames of a clip of so many samples.
    pub fn frames(&self, samples: usize) -> usize {
        1 + samples / self.settings.hop
    }

    /// The transform of a clip: `[mels or coefficients, frames]`.
    pub fn of(&self, samples: &[f32]) -> Vec<f32> {
        let Mel { mels, hop, fft, top_db, .. } = self.settings;
        let frames = self.frames(samples.len());
        let bins = fft / 2 + 1;
        let mut decibels = vec![0.0; mels * frames];
        let mut buffer = vec![Complex::new(0.0, 0.0); fft];
        let mut loudest = f64::NEG_INFINITY;
        for frame in 0..frames {
            for (n, (out, weight)) in buffer.iter_mut().zip(&self.window).enumerate() {
                let sample = (frame * hop + n).checked_sub(fft / 2).and_then(|at| samples.get(at));
                *out = Complex::new(sample.map_or(0.0, |&x| f64::from(x) * weight), 0.0);
            }
            self.transform.process(&mut buffer);
            for (mel, band) in self.bands.chunks_exact(bins).enumerate() {
                let power: f64 = band.iter().zip(&buffer).map(|(weight, x)| weight * x.norm_sqr()).sum();
                let level = 10.0 * power.max(1e-10).log10();
                loudest = loudest.max(level);
                decibels[mel * frames + frame] = level;
            }
        }
        if top_db > 0.0 {
            decibels.iter_mut().for_each(|level| *level = level.max(loudest - top_db));
        }
        if self.cosines.is_empty() {
            return decibels.into_iter().map(|level| level as f32).collect();
        }
        let cepstrum = self.cosines.chunks_exact(mels).flat_map(|row| {
            let decibels = &decibels;
            (0..frames).map(move |frame| {
                row.iter().enumerate().map(|(mel, weight)| weight * decibels[mel * frames + frame]).sum::<f64>() as f32
            })
        });
        cepstrum.collect()
    }
}

/// Triangles `[mels, fft/2 + 1]` between equal steps of the scale.
fn bands(mels: usize, fft: usize, rate: u32, (lowest, highest): (f64, f64), scale: Scale) -> Vec<f64> {
    let (from, to) = (scale.mel(lowest), scale.mel(highest));
    let edge = |i: usize| scale.hertz(from + (to - from) * i as f64 / (mels + 1) as f64);
    let bins = fft / 2 + 1;
    let mut bands = Vec::with_capacity(mels * bins);
    for mel in 0..mels {
        let (left, middle, right) = (edge(mel), edge(mel + 1), edge(mel + 2));
        let height = if scale == Scale::Slaney { 2.0 / (right - left) } else { 1.0 };
        bands.extend((0..bins).map(|bin| {
            let hertz = bin as f64 * f64::from(rate) / fft as f64;
            let (up, down) = ((hertz - left) / (middle - left), (right - hertz) / (right - middle));
            up.min(down).max(0.0) * height
        }));
    }
    bands
}

/// The orthonormal DCT-II `[coefficients, mels]`.
fn dct(coefficients: usize, mels: usize) -> Vec<f64> {
    let count = mels as f64;
    let at = |k: usize, n: usize| {
        let norm = if k == 0 { (1.0 / count).sqrt() } else { (2.0 / count).sqrt() };
        norm * (PI * k as f64 * (2 * n + 1) as f64 / (2.0 * count)).cos()
    };
    (0..coefficients).flat_map(|k| (0..mels).map(move |n| at(k, n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use safetensors::SafeTensors;

    /// Written by tests/reference/make_audio.py with NumPy and SciPy.
    const VECTORS: &[u8] = include_bytes!("../../../../tests/reference/vectors/audio.safetensors");

    fn numbers(file: &SafeTensors<'_>, name: &str) -> (Vec<usize>, Vec<f64>) {
        let tensor = file.tensor(name).unwrap();
        let numbers = tensor.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap()));
        (tensor.shape().to_vec(), numbers.collect())
    }

    /// The reference's FFT and ours differ by a few ulp of the largest bin; 80 dB below it that is 1e-8 of a power, so
    /// 1e-6 dB, and the result is rounded to f32, of at most 1e3, by 3e-5.
    #[test]
    fn spectra_are_those_of_an_independent_implementation() {
        let file = SafeTensors::deserialize(VECTORS).unwrap();
        let (_, wave) = numbers(&file, "wave");
        let wave: Vec<f32> = wave.into_iter().map(|x| x as f32).collect();
        let slaney = Mel { mels: 20, window: 200, hop: 80, fft: 256, ..Mel::default() };
        let htk = Mel { scale: Scale::Htk, lowest: 100.0, highest: 3500.0, top_db: 0.0, ..slaney };
        for (name, mel, coefficients) in [
            ("slaney/log_mel", slaney, None),
            ("slaney/mfcc", slaney, Some(13)),
            ("htk/log_mel", htk, None),
            ("htk/mfcc", htk, Some(20)),
        ] {
            let spectrum = Spectrum::new(&mel, 8000, coefficients).unwrap();
            let (shape, expected) = numbers(&file, name);
            assert_eq!(shape, [coefficients.unwrap_or(20), spectrum.frames(wave.len())], "{name}");
            let ours = spectrum.of(&wave);
            for (i, (ours, expected)) in ours.iter().zip(expected).enumerate() {
                assert!((f64::from(*ours) - expected).abs() <= 4e-5, "{name}[{i}]: {ours}, not {expected}");
            }
        }
    }

    /// Half a clip is a tone, half silence: nothing lies more than `top_db` below the loudest, where it is cut off.
    #[test]
    fn what_is_far_below_the_loudest_is_cut_off() {
        let tone = |i: usize| if i < 4000 { (i as f32 * 0.7).sin() } else { 0.0 };
        let wave: Vec<f32> = (0..8000).map(tone).collect();
        let range = |top_db| {
            let spectrum = Spectrum::new(&Mel { top_db, ..Mel::default() }, 8000, None).unwrap().of(&wave);
            let ends = |(low, high): (f32, f32), &x: &f32| (low.min(x), high.max(x));
            spectrum.iter().fold((f32::INFINITY, f32::NEG_INFINITY), ends)
        };
        // Silence has the power 1e-10 at least.
        assert_eq!(range(0.0).0, -100.0);
        for top_db in [20.0, 80.0] {
            let (low, high) = range(top_db);
            assert!(low > -100.0 && (high - low - top_db as f32).abs() < 1e-4, "{low} to {high}");
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let wrong = |mel: Mel, coefficients| Spectrum::new(&mel, 16000, coefficients).err().unwrap().to_string();
        let good = Mel::default();
        assert!(wrong(Mel { window: 513, ..good }, None).starts_with("window of the spectrum: expected 1 to fft"));
        assert!(wrong(Mel { hop: 0, ..good }, None).starts_with("hop of"));
        assert!(wrong(Mel { highest: 9000.0, ..good }, None).contains("to half the rate"));
        assert!(wrong(good, Some(41)).starts_with("coefficients of the spectrum: expected 1 to mels"));
    }
}
