//! `[augmentation]`: what may happen to a sample of the training part in each epoch; see
//! [`Augmentation`](crate::data::augment::Augmentation) for what each change does.
//!
//! ```toml
//! [augmentation]
//! # pictures
//! flip_horizontal = 0.5         # how likely; true is a half
//! flip_vertical = 0.0
//! rotate = 15                   # up to so many degrees either way
//! scale = [0.9, 1.1]            # so many times larger
//! crop = 4                      # cut at random from a border of so many pixels of 0
//! brightness = 0.2              # times 1 plus or minus up to this; also contrast and saturation
//! cutout = 8                    # the side of a square that is wiped out
//! # series
//! scale = [0.9, 1.1]            # each channel times a factor
//! jitter = 0.05                 # standard deviation of noise, in the unit of the data
//! rotate_axes = 15              # channels in threes, up to so many degrees about a random axis
//! time_warp = 0.2               # faster and slower by up to this share
//! shift = 5                     # up to so many steps either way
//! # any
//! mixup = 0.2                   # two samples and their labels, with a share from Beta(0.2, 0.2)
//! ```

use super::error::SpecError;
use super::section::{Section, Value};
use crate::data::augment::Augmentation;

/// `[augmentation]` with the line that errors point at which need the data.
#[derive(Clone, Debug, PartialEq)]
pub struct AugmentationSpec {
    /// The changes.
    pub changes: Augmentation,
    pub(super) lines: Vec<(&'static str, u32)>,
    pub(super) line: u32,
}

impl AugmentationSpec {
    /// The line of a change, or of the section.
    pub(super) fn line_of(&self, name: &str) -> u32 {
        self.lines.iter().find(|(key, _)| *key == name).map_or(self.line, |(_, line)| *line)
    }
}

/// Reads the section.
pub(super) fn augmentation(mut section: Section<'_>) -> Result<AugmentationSpec, SpecError> {
    let mut changes = Augmentation::default();
    let mut lines = Vec::new();
    let line = section.line();
    let mut take = |key: &'static str| {
        let value = section.take(key);
        lines.extend(value.as_ref().map(|value| (key, value.line())));
        value
    };
    for (key, place) in
        [("flip_horizontal", &mut changes.flip_horizontal), ("flip_vertical", &mut changes.flip_vertical)]
    {
        if let Some(value) = take(key) {
            *place = match value.flag() {
                Ok(flag) => f64::from(u8::from(flag)) / 2.0,
                Err(_) => real(&value, 1.0, "true, false or a probability from 0 to 1")?,
            };
        }
    }
    for (key, place, most, expected) in [
        ("rotate", &mut changes.rotate, 180.0, "degrees from 0 to 180"),
        ("brightness", &mut changes.brightness, 0.999, "a share from 0 to below 1"),
        ("contrast", &mut changes.contrast, 0.999, "a share from 0 to below 1"),
        ("saturation", &mut changes.saturation, 0.999, "a share from 0 to below 1"),
        ("jitter", &mut changes.jitter, f64::MAX, "a deviation of 0 or more"),
        ("rotate_axes", &mut changes.rotate_axes, 180.0, "degrees from 0 to 180"),
        ("time_warp", &mut changes.time_warp, 0.999, "a share from 0 to below 1"),
        ("mixup", &mut changes.mixup, 100.0, "a number from 0 to 100"),
    ] {
        if let Some(value) = take(key) {
            *place = real(&value, most, expected)?;
        }
    }
    for (key, place) in [("crop", &mut changes.crop), ("cutout", &mut changes.cutout), ("shift", &mut changes.shift)] {
        if let Some(value) = take(key) {
            *place = value.whole(0, 65535)? as usize;
        }
    }
    if let Some(value) = take("scale") {
        const EXPECTED: &str = "[from, to] with 0 < from <= to <= 10, the lower bound first, such as [0.9, 1.1]";
        let wrong = value.expected(EXPECTED);
        let items = value.array(EXPECTED)?;
        let numbers = items.iter().map(Value::real).collect::<Result<Vec<_>, _>>()?;
        changes.scale = match numbers[..] {
            [from, to] if from > 0.0 && from <= to && to <= 10.0 => Some((from, to)),
            _ => return Err(wrong),
        };
    }
    section.finish()?;
    Ok(AugmentationSpec { changes, lines, line })
}

fn real(value: &Value<'_>, most: f64, expected: &str) -> Result<f64, SpecError> {
    let number = value.real().map_err(|_| value.expected(expected))?;
    if (0.0..=most).contains(&number) { Ok(number) } else { Err(value.expected(expected)) }
}
