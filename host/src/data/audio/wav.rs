//! WAV files as samples between -1 and 1.

use crate::data::bytes;
use crate::data::error::DataError;
use hound::{SampleFormat, WavReader};
use std::io::Cursor;
use std::path::Path;

/// One channel of sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// Samples a second.
    pub rate: u32,
    /// -1 to 1; the mean of the channels.
    pub samples: Vec<f32>,
}

/// Reads a file of 8 to 32 bits or f32.
///
/// # Errors
/// [`DataError::Format`] for anything that isn't a whole WAV file.
pub fn read(path: &Path) -> Result<Wave, DataError> {
    parse(&bytes::name(path), &bytes::read(path)?)
}

/// The same for the bytes of a file; `file` is its name in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &str, bytes: &[u8]) -> Result<Wave, DataError> {
    let failed = |found: String| DataError::Format {
        file: file.into(),
        at: 0,
        expected: "a whole WAV file of whole numbers or f32",
        found,
        help: "the file is damaged, cut off or compressed: save it again as PCM",
    };
    let said = |error: hound::Error| failed(within(&error.to_string()));
    if bytes.is_empty() {
        return Err(failed("an empty file".into()));
    }
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(said)?;
    let spec = reader.spec();
    let channels = usize::from(spec.channels);
    if channels == 0 || spec.sample_rate == 0 || !(1..=32).contains(&spec.bits_per_sample) {
        return Err(failed(format!("{channels} channels, {} Hz, {} bits", spec.sample_rate, spec.bits_per_sample)));
    }
    let values: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>(),
        SampleFormat::Int => {
            // The most negative number is -1.
            let scale = 1.0 / f64::from(1u32 << (spec.bits_per_sample - 1));
            let real = |value: i32| (f64::from(value) * scale) as f32;
            reader.samples::<i32>().map(|value| value.map(real)).collect()
        }
    }
    .map_err(said)?;
    if values.is_empty() {
        return Err(failed("a header and no sound".into()));
    }
    if !values.len().is_multiple_of(channels) {
        return Err(failed(format!("{} samples for {channels} channels", values.len())));
    }
    if let Some(place) = values.iter().position(|x| !x.is_finite()) {
        return Err(failed(format!("{} as number {place} of the sound", values[place])));
    }
    let mean = |frame: &[f32]| frame.iter().sum::<f32>() / channels as f32;
    Ok(Wave { rate: spec.sample_rate, samples: values.chunks_exact(channels).map(mean).collect() })
}

/// A sentence of others within one of ours: without its full stop, and begun small, but for a word that is a name, such as
/// RIFF.
fn within(sentence: &str) -> String {
    let mut rest = sentence.trim_end_matches('.').chars();
    let Some(first) = rest.next() else { return String::new() };
    let name = rest.clone().next().is_some_and(|second| !second.is_lowercase());
    let first = if name { first.to_string() } else { first.to_lowercase().collect() };
    first + rest.as_str()
}

#[cfg(test)]
pub(in crate::data) mod tests {
    use super::*;
    use hound::{WavSpec, WavWriter};

    /// A file of those samples in 16 bits.
    pub fn file(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
        let spec = WavSpec { channels, sample_rate: rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let mut bytes = Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
        samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn channels_are_mixed_and_full_scale_is_one() {
        let wave = parse("x", &file(1, 8000, &[-32768, 16384, 0])).unwrap();
        assert_eq!(wave, Wave { rate: 8000, samples: vec![-1.0, 0.5, 0.0] });
        let stereo = parse("x", &file(2, 16000, &[16384, -16384, 8192, 24576])).unwrap();
        assert_eq!(stereo.samples, [0.0, 0.5]);
        for (bits, value) in [(8, 64), (24, 1 << 22), (32, 1 << 30)] {
            let spec = WavSpec { channels: 1, sample_rate: 1, bits_per_sample: bits, sample_format: SampleFormat::Int };
            let mut bytes = Cursor::new(Vec::new());
            let mut writer = WavWriter::new(&mut bytes, spec).unwrap();
            writer.write_sample(value).unwrap();
            writer.finalize().unwrap();
            assert_eq!(parse("x", &bytes.into_inner()).unwrap().samples, [0.5], "{bits} bits");
        }
    }

    #[test]
    fn sentences_of_others_keep_their_names() {
        for (said, expected) in [
            ("Ill-formed WAVE file: no RIFF tag found", "ill-formed WAVE file: no RIFF tag found"),
            ("RIFF expected.", "RIFF expected"),
            ("A word", "A word"),
            ("", ""),
        ] {
            assert_eq!(within(said), expected);
        }
    }

    #[test]
    fn damage_is_named() {
        let good = file(2, 8000, &[1, 2, 3, 4]);
        for bytes in [&good[..good.len() - 1], &good[..30], b"RIFF", &[]] {
            let text = parse("hum/1.wav", bytes).unwrap_err().to_string();
            assert!(text.starts_with("hum/1.wav: byte 0: expected a whole WAV file"), "{text}");
        }
        assert!(parse("x", &file(1, 8000, &[])).is_err());
    }
}
