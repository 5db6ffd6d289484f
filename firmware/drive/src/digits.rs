//! The handwritten digits, writer by writer.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};

/// One digit.
#[derive(Clone, Debug)]
pub struct Digit {
    /// Who wrote it.
    pub writer: u8,
    /// Which it is, 0 to 9.
    pub label: u16,
    /// Its pixels, 0 to 1, row by row.
    pub pixels: [f32; 64],
}

/// Reads the CSV: a header, then writer, digit and 64 pixels of 0 to 16.
pub fn read(path: &Path) -> Result<Vec<Digit>> {
    let name = path.display();
    let text = fs::read_to_string(path).with_context(|| name.to_string())?;
    let mut digits = Vec::new();
    for (index, line) in text.lines().enumerate().skip(1) {
        let place = || format!("{name}, line {}", index + 1);
        let fields: Vec<u16> = line.split(',').map(str::parse).collect::<Result<_, _>>().with_context(place)?;
        let [writer, label, pixels @ ..] = fields.as_slice() else {
            bail!("{}: too few fields", place());
        };
        let pixels: [u16; 64] = pixels.try_into().with_context(|| format!("{}: not 64 pixels", place()))?;
        if *label > 9 || pixels.iter().any(|&pixel| pixel > 16) {
            bail!("{}: digits are 0 to 9, pixels 0 to 16", place());
        }
        let writer = u8::try_from(*writer).with_context(place)?;
        digits.push(Digit { writer, label: *label, pixels: pixels.map(|pixel| f32::from(pixel) / 16.0) });
    }
    if digits.is_empty() {
        bail!("{name}: no digits");
    }
    Ok(digits)
}

/// Those of one writer, in the order that they were written.
pub fn of_writer(digits: &[Digit], writer: u8) -> Vec<&Digit> {
    digits.iter().filter(|digit| digit.writer == writer).collect()
}
