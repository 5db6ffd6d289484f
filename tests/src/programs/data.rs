//! Samples out of counters: prototypes of three classes, moving noise around them.

use emberlite::number::random::{Key, mix};
use emberlite::number::{Fixed16, Number};

/// Classes in the data.
pub const CLASSES: u16 = 3;

/// The class of sample `index`.
pub fn label(index: u32) -> u16 {
    (mix(index) % u32::from(CLASSES)) as u16
}

/// Element `element` of sample `index`: its class's prototype in ±1, plus noise in ±0.75.
pub fn element(index: u32, element: u32) -> f32 {
    let prototype = Key::new(71, 0, u32::from(label(index))).uniform(element) * 2.0 - 1.0;
    let noise = Key::new(72, index, 0).uniform(element) * 1.5 - 0.75;
    prototype + noise
}

/// Fills a sample.
pub fn sample<N: Number>(index: u32, frac: i32, values: &mut [N::Value]) {
    for (i, value) in values.iter_mut().enumerate() {
        *value = N::from_f32(element(index, i as u32), frac);
    }
}

/// The fraction bits of a fixed-point model's input that was initialised without a file.
pub const FIXED_FRAC: i32 = 10;

const _: () = assert!(matches!(Fixed16::FORMAT, emberlite::number::Format::Fixed16));
