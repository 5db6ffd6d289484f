//! `[device]`: the part that the model must fit, and how it learns there.

use emberlite::plan::Training;

use super::error::SpecError;
use super::section::{Section, Value};
use super::training;

/// What the device has and how it learns.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceSpec {
    /// The name of a board file.
    pub board: Option<String>,
    /// Bytes of RAM for the learner's arena.
    pub ram: Option<u32>,
    /// Bytes of flash for the model's file.
    pub flash: Option<u32>,
    /// How it learns.
    pub training: Training,
    pub(super) lines: DeviceLines,
}

/// Where errors of the plan point.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct DeviceLines {
    pub(super) board: u32,
    pub(super) ram: u32,
    pub(super) flash: u32,
    /// Of the settings that the device learns with, wherever they stand.
    pub(super) training: u32,
}

/// Reads `[device]`; `host` are the settings that the device's default to, `line` is theirs.
pub(super) fn device(section: Option<Section<'_>>, host: &Training, line: u32) -> Result<DeviceSpec, SpecError> {
    let training = training::default_device(host);
    let lines = DeviceLines { training: line, ..DeviceLines::default() };
    let mut spec = DeviceSpec { board: None, ram: None, flash: None, training, lines };
    let Some(mut section) = section else { return Ok(spec) };
    if let Some(value) = section.take("board") {
        spec.lines.board = value.line();
        spec.board = Some(value.string("the name of a board")?.into());
    }
    if let Some(value) = section.take("ram") {
        spec.lines.ram = value.line();
        spec.ram = Some(bytes(&value)?);
    }
    if let Some(value) = section.take("flash") {
        spec.lines.flash = value.line();
        spec.flash = Some(bytes(&value)?);
    }
    if let Some(value) = section.take("training") {
        spec.lines.training = value.line();
        spec.training = training::device(value.section("a table of training settings")?, host)?;
    }
    section.finish()?;
    Ok(spec)
}

/// A size in bytes: a whole number, or a text with a unit.
pub(super) fn bytes(value: &Value<'_>) -> Result<u32, SpecError> {
    if !value.is_string() {
        return Ok(value.whole(1, u32::MAX.into())? as u32);
    }
    const EXPECTED: &str = "a size in bytes, or a text such as \"64 KiB\" (B; KiB, MiB: 1024 and 1024²; kB or KB, MB: 1000 \
                            and 1000²), below 4 GiB";
    let text = value.string(EXPECTED)?;
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1000,
        "KiB" => 1024,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        _ => return Err(value.expected(EXPECTED)),
    };
    let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    let bytes = bytes.and_then(|bytes| u32::try_from(bytes).ok()).filter(|&bytes| bytes > 0);
    bytes.ok_or_else(|| value.expected(EXPECTED))
}
