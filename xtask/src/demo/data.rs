//! The recordings of `data/watch`, and the slices that one direction of the demo needs.
//!
//! Rows are cut first, windows after that, so no window spans a cut. A file of windows has the columns of the recordings'
//! file, with every window as a recording of its own: the same `model.toml` reads both.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::GzDecoder;

use crate::paths;

/// Numbers of one reading: acceleration and rotation, three axes each.
pub const CHANNELS: usize = 6;
/// Readings of a window: two seconds.
pub const READINGS: usize = 50;
/// Readings from one window's start to the next one's: a window a second.
const STRIDE: usize = 25;
/// Of each recording of the new wrist, what the device learns from: one part in this many.
const LEARNT: usize = 5;
/// The classes in the order of the model's outputs.
pub const EXERCISES: [&str; 7] = ["ABD", "ER", "FEL", "IR", "PEN", "ROW", "TRAP"];

const HEADER: &str = "recording,person,wrist,exercise,ax,ay,az,gx,gy,gz";

/// What the sensor read at one moment, in thousandths of g and of rad/s.
pub type Reading = [i16; CHANNELS];

/// One person doing one exercise with one arm.
#[derive(Debug, Clone)]
pub struct Recording {
    person: String,
    wrist: String,
    exercise: usize,
    readings: Vec<Reading>,
}

/// Two seconds of a recording.
#[derive(Debug, Clone)]
pub struct Window {
    person: String,
    wrist: String,
    /// The class.
    pub exercise: usize,
    /// `READINGS` of them.
    pub readings: Vec<Reading>,
}

/// What one direction of the demo works with.
#[derive(Debug)]
pub struct Slices {
    /// The first 80 % of each recording of the first wrist: what the host trains on.
    pub train: Vec<Recording>,
    /// The rest of them: how well the first wrist is known.
    pub first: Vec<Window>,
    /// The first 20 % of each recording of the other wrist: what the device learns from.
    pub learn: Vec<Window>,
    /// The rest of them: how well the other wrist is known.
    pub other: Vec<Window>,
}

/// Reads all recordings.
pub fn read() -> Result<Vec<Recording>> {
    let path = paths::root().join("data/watch/watch.csv.gz");
    let file = File::open(&path).with_context(|| format!("{}: the clone lacks its data", path.display()))?;
    let mut lines = BufReader::new(GzDecoder::new(file)).lines();
    let header = lines.next().transpose()?.unwrap_or_default();
    ensure!(header == HEADER, "{}: expected the columns {HEADER}, found {header}", path.display());
    let mut recordings: Vec<Recording> = Vec::new();
    let mut current = String::new();
    for (index, line) in lines.enumerate() {
        let line = line?;
        let place = || format!("{}, line {}", path.display(), index + 2);
        let fields: Vec<&str> = line.split(',').collect();
        let [number, person, wrist, exercise, values @ ..] = fields.as_slice() else {
            bail!("{}: too few fields", place());
        };
        if current != *number || recordings.is_empty() {
            current = (*number).to_string();
            let exercise = EXERCISES.iter().position(|name| name == exercise);
            let exercise = exercise.with_context(|| format!("{}: unknown exercise", place()))?;
            let (person, wrist) = ((*person).to_string(), (*wrist).to_string());
            recordings.push(Recording { person, wrist, exercise, readings: Vec::new() });
        }
        let values: Vec<i16> = values.iter().map(|v| v.parse()).collect::<Result<_, _>>().with_context(place)?;
        let Ok(reading) = Reading::try_from(values) else {
            bail!("{}: expected {CHANNELS} numbers", place());
        };
        if let Some(recording) = recordings.last_mut() {
            recording.readings.push(reading);
        }
    }
    Ok(recordings)
}

/// The slices for a model of the wrist `first` that learns the other one.
pub fn slices(recordings: &[Recording], first: &str) -> Slices {
    let (mut train, mut held_out, mut learn, mut other) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for recording in recordings {
        let share = recording.readings.len() / LEARNT;
        if recording.wrist == first {
            let (known, rest) = recording.cut(recording.readings.len() - share);
            train.push(known);
            held_out.extend(rest.windows());
        } else {
            let (head, rest) = recording.cut(share);
            learn.extend(head.windows());
            other.extend(rest.windows());
        }
    }
    Slices { train, first: held_out, learn, other }
}

impl Recording {
    fn cut(&self, at: usize) -> (Recording, Recording) {
        let (head, rest) = self.readings.split_at(at.min(self.readings.len()));
        let part = |readings: &[Reading]| Recording { readings: readings.to_vec(), ..self.clone() };
        (part(head), part(rest))
    }

    fn windows(&self) -> Vec<Window> {
        let Recording { person, wrist, exercise, readings } = self;
        let window = |readings: &[Reading]| Window {
            person: person.clone(),
            wrist: wrist.clone(),
            exercise: *exercise,
            readings: readings.to_vec(),
        };
        readings.windows(READINGS).step_by(STRIDE).map(window).collect()
    }
}

/// The order in which a device meets `count` windows, as often as `passes` says: every pass another order, always the same on
/// every machine, and unrelated to who did what. Plain SGD forgets early classes when they come class by class, and 15 passes
/// in one and the same order cost it 2 points of accuracy.
pub fn order(count: usize, passes: usize) -> Vec<usize> {
    let pass = |pass: usize| {
        let mut windows: Vec<usize> = (0..count).collect();
        windows.sort_by_key(|&window| mix((pass * count + window) as u64));
        windows
    };
    (0..passes).flat_map(pass).collect()
}

/// SplitMix64's finaliser: different numbers give different, unordered ones.
fn mix(index: u64) -> u64 {
    let mut z = index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Writes recordings in the format of the source.
pub fn write_recordings(path: &Path, recordings: &[Recording]) -> Result<()> {
    let rows = recordings.iter().map(|r| (r.person.as_str(), r.wrist.as_str(), r.exercise, r.readings.as_slice()));
    write(path, rows)
}

/// Writes windows in the same format, each as a recording of its own.
pub fn write_windows<'a>(path: &Path, windows: impl IntoIterator<Item = &'a Window>) -> Result<()> {
    let rows = windows.into_iter().map(|w| (w.person.as_str(), w.wrist.as_str(), w.exercise, w.readings.as_slice()));
    write(path, rows)
}

fn write<'a>(path: &Path, recordings: impl Iterator<Item = (&'a str, &'a str, usize, &'a [Reading])>) -> Result<()> {
    let mut text = format!("{HEADER}\n");
    for (number, (person, wrist, exercise, readings)) in recordings.enumerate() {
        let exercise = EXERCISES.get(exercise).copied().unwrap_or_default();
        for reading in readings {
            let [ax, ay, az, gx, gy, gz] = reading;
            writeln!(text, "{number},{person},{wrist},{exercise},{ax},{ay},{az},{gx},{gy},{gz}")?;
        }
    }
    fs::write(path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A recording of readings 0, 1, 2, …
    fn recording(wrist: &str, len: i16) -> Recording {
        let readings = (0..len).map(|at| [at; CHANNELS]).collect();
        Recording { person: "1".into(), wrist: wrist.into(), exercise: 0, readings }
    }

    #[test]
    fn no_window_spans_the_cut() {
        let cut = slices(&[recording("right", 500), recording("left", 500)], "right");
        assert_eq!(cut.train[0].readings.len(), 400);
        let range = |windows: &[Window]| {
            let all = windows.iter().flat_map(|w| &w.readings).map(|reading| reading[0]);
            (all.clone().min(), all.max(), windows.len())
        };
        assert_eq!(range(&cut.first), (Some(400), Some(499), 3));
        assert_eq!(range(&cut.learn), (Some(0), Some(99), 3));
        assert_eq!(range(&cut.other), (Some(100), Some(499), 15));
        assert!(cut.learn.iter().chain(&cut.other).all(|window| window.wrist == "left"));
    }

    #[test]
    fn every_pass_has_every_window_in_another_order() {
        let steps = order(100, 3);
        assert_eq!(steps, order(100, 3));
        let passes: Vec<&[usize]> = steps.chunks(100).collect();
        for pass in &passes {
            let mut sorted = pass.to_vec();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..100).collect::<Vec<_>>());
            let neighbours = pass.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) == 1).count();
            assert!(neighbours < 10, "{neighbours} neighbours stayed together");
        }
        assert!(passes[0] != passes[1] && passes[1] != passes[2]);
    }
}
