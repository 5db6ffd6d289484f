//! What the tests of training share: samples that can be learnt, and a folder for checkpoints.
#![allow(dead_code, reason = "each test binary uses its part")]

use emberlite_host::data::{Dataset, Labels, random};
use std::fs;
use std::path::PathBuf;

/// Two noisy waves that differ in frequency, a third of them fast; 70 samples leave a smaller last batch of 16.
pub fn waves(samples: usize, seed: u64) -> Dataset {
    let noise = |i: usize| (random::hash(seed, i as u64) % 1000) as f32 / 1000.0 - 0.5;
    let fast = |sample: usize| sample.is_multiple_of(3);
    let at = |i: usize| ((i % 12) as f32 * (0.5 + f32::from(u8::from(fast(i / 24))))).sin() + noise(i);
    let ids = (0..samples).map(|sample| u32::from(fast(sample))).collect();
    let names = vec!["slow".into(), "fast".into()];
    Dataset::new((0..samples * 24).map(at).collect(), vec![2, 12], Labels::Class { ids, names }).unwrap()
}

/// A folder of its own for each test, not made yet.
pub fn folder(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&dir);
    dir
}
