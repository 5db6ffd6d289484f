//! A contact sheet: samples side by side as one PNG, to look at before an hour is spent on them.
//!
//! Pictures are shown as they are, series as a line a channel, anything else as a row of grey squares. All cells share
//! one range, from the smallest to the largest number of the samples as they are; what lies outside is cut off.

use super::error::DataError;
use super::source::{Draw, Source};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage, codecs::png::PngEncoder, imageops};

/// Samples in rows of cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The cells, row by row: a sample, and the epoch as which it is read.
    pub cells: Vec<(usize, Option<u32>)>,
    /// Cells of a row.
    pub columns: usize,
}

/// Pixels between cells.
const GAP: u32 = 4;
/// Small pictures are enlarged to at least so many pixels.
const LEAST_SIDE: u32 = 96;
/// Large ones are shrunk to at most so many.
const MOST_SIDE: u32 = 256;
const PAPER: Rgb<u8> = Rgb([245, 245, 245]);
/// Of channels, in order; readable on white, also for the colour-blind (Okabe and Ito).
const INKS: [Rgb<u8>; 6] = [
    Rgb([0, 114, 178]),
    Rgb([213, 94, 0]),
    Rgb([0, 158, 115]),
    Rgb([204, 121, 167]),
    Rgb([230, 159, 0]),
    Rgb([0, 0, 0]),
];

impl Sheet {
    /// `count` samples, evenly spread over the set.
    pub fn samples(len: usize, count: usize) -> Self {
        let count = count.clamp(1, 4096).min(len.max(1));
        let columns = (1..=count).find(|columns| columns * columns >= count).unwrap_or(1);
        Self { cells: (0..count).map(|i| (i * len / count, None)).collect(), columns }
    }

    /// A row a sample: as it is, then as it is in epochs 1, 2, ….
    pub fn epochs(len: usize, count: usize, epochs: u32) -> Self {
        let Sheet { cells: samples, .. } = Self::samples(len, count);
        let row = |(sample, _)| {
            let changed = (1..=epochs).map(move |epoch| (sample, Some(epoch)));
            std::iter::once((sample, None)).chain(changed)
        };
        Self { cells: samples.into_iter().flat_map(row).collect(), columns: epochs as usize + 1 }
    }

    /// Draws the sheet as a PNG file.
    ///
    /// # Errors
    /// As [`Source::read`]; [`DataError::Mismatch`] where there is nothing to draw.
    pub fn png(&self, source: &dyn Source) -> Result<Vec<u8>, DataError> {
        let size = source.sample_len();
        let mut samples = Vec::with_capacity(self.cells.len());
        let (mut least, mut most) = (f32::INFINITY, f32::NEG_INFINITY);
        for &(index, epoch) in &self.cells {
            let mut values = vec![0.0; size];
            source.read(Draw { indices: &[index], epoch }, &mut values)?;
            if epoch.is_none() {
                values.iter().for_each(|&x| (least, most) = (least.min(x), most.max(x)));
            }
            samples.push(values);
        }
        let failed = |found: String| DataError::Mismatch {
            what: "contact sheet".into(),
            expected: "samples with numbers in them".into(),
            found,
            help: "choose another part or fewer samples",
        };
        if size == 0 || samples.is_empty() || least > most {
            return Err(failed("none".into()));
        }
        let range = Range { least, width: (most - least).max(f32::MIN_POSITIVE) };
        let cells: Vec<RgbImage> = samples.iter().map(|values| cell(values, source.shape(), &range)).collect();
        let (width, height) = cells.first().map_or((1, 1), |cell| cell.dimensions());
        let columns = self.columns.max(1) as u32;
        let rows = (cells.len() as u32).div_ceil(columns);
        let mut page = RgbImage::from_pixel(columns * (width + GAP) + GAP, rows * (height + GAP) + GAP, PAPER);
        for (place, cell) in (0u32..).zip(&cells) {
            let (x, y) = (place % columns * (width + GAP) + GAP, place / columns * (height + GAP) + GAP);
            imageops::replace(&mut page, cell, x.into(), y.into());
        }
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new(&mut bytes);
        let written = encoder.write_image(page.as_raw(), page.width(), page.height(), ExtendedColorType::Rgb8);
        written.map_err(|error| failed(error.to_string()))?;
        Ok(bytes)
    }
}

/// What black and white, or bottom and top, stand for.
struct Range {
    least: f32,
    width: f32,
}

impl Range {
    /// 0 to 1.
    fn share(&self, x: f32) -> f32 {
        ((x - self.least) / self.width).clamp(0.0, 1.0)
    }

    fn byte(&self, x: f32) -> u8 {
        (self.share(x) * 255.0).round() as u8
    }
}

fn cell(values: &[f32], shape: &[usize], range: &Range) -> RgbImage {
    match *shape {
        [channels, height, width] if channels > 0 && height > 0 && width > 0 => {
            let at =
                |channel: usize, place: usize| values.get(channel * height * width + place).copied().unwrap_or(0.0);
            let small = RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let place = y as usize * width + x as usize;
                // Three channels are colours; of others the first is shown in grey.
                Rgb([0, 1, 2].map(|c| range.byte(at(if channels == 3 { c } else { 0 }, place))))
            });
            let longer = width.max(height) as u32;
            if longer > MOST_SIDE {
                let length = |side: usize| (side as u32 * MOST_SIDE / longer).max(1);
                return imageops::resize(&small, length(width), length(height), imageops::FilterType::Triangle);
            }
            let factor = LEAST_SIDE.div_ceil(longer);
            let (width, height) = (width as u32 * factor, height as u32 * factor);
            imageops::resize(&small, width, height, imageops::FilterType::Nearest)
        }
        [channels, length] if length > 1 => {
            let mut picture = RgbImage::from_pixel(2 * LEAST_SIDE, LEAST_SIDE, Rgb([255; 3]));
            for channel in 0..channels {
                line(&mut picture, &values[channel * length..][..length], range, INKS[channel % INKS.len()]);
            }
            picture
        }
        _ => {
            let side = 8;
            RgbImage::from_fn(values.len().min(64) as u32 * side, side, |x, _| {
                let x = values.get((x / side) as usize).copied().unwrap_or(0.0);
                Rgb([range.byte(x); 3])
            })
        }
    }
}

/// A line through the values, from left to right.
fn line(picture: &mut RgbImage, values: &[f32], range: &Range, ink: Rgb<u8>) {
    let (width, height) = picture.dimensions();
    let row = |x: u32| {
        let at = f64::from(x) / f64::from(width - 1) * (values.len() - 1) as f64;
        let (left, share) = (at.floor() as usize, at.fract() as f32);
        let (a, b) = (values[left], values[(left + 1).min(values.len() - 1)]);
        ((1.0 - range.share(a + (b - a) * share)) * (height - 1) as f32).round() as u32
    };
    let mut before = row(0);
    for x in 0..width {
        let now = row(x);
        // Without gaps where it is steep.
        (before.min(now)..=before.max(now)).for_each(|y| picture.put_pixel(x, y, ink));
        before = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Labels};

    fn pixels(sheet: &Sheet, set: &Dataset) -> RgbImage {
        image::load_from_memory(&sheet.png(set).unwrap()).unwrap().to_rgb8()
    }

    #[test]
    fn cells_lie_row_by_row_in_one_range() {
        // Five grey pictures of one pixel: 0, 1, 2, 3 and 4.
        let set = Dataset::new((0..5).map(|x| x as f32).collect(), vec![1, 1, 1], Labels::None).unwrap();
        let sheet = Sheet::samples(5, 5);
        assert_eq!((sheet.cells.len(), sheet.columns), (5, 3));
        let page = pixels(&sheet, &set);
        assert_eq!(page.dimensions(), (3 * 100 + 4, 2 * 100 + 4));
        let at = |column: u32, row: u32| page.get_pixel(column * 100 + 50, row * 100 + 50).0[0];
        assert_eq!([at(0, 0), at(1, 0), at(2, 0), at(0, 1), at(1, 1)], [0, 64, 128, 191, 255]);
        assert_eq!(at(2, 1), 245, "no sixth cell");
        assert_eq!(Sheet::epochs(5, 1, 2).cells, [(0, None), (0, Some(1)), (0, Some(2))]);
    }

    #[test]
    fn series_are_lines_and_rows_are_squares() {
        let set = Dataset::new(vec![0.0, 1.0, 1.0, 0.0], vec![2, 2], Labels::None).unwrap();
        let page = pixels(&Sheet::samples(1, 1), &set);
        // One channel rises and one falls: they cross in the middle of the cell.
        assert_eq!(page.get_pixel(4, 99).0, INKS[0].0);
        assert_eq!(page.get_pixel(4, 4).0, INKS[1].0);
        assert_eq!(page.get_pixel(195, 4).0, INKS[0].0);
        let set = Dataset::new(vec![0.0, 1.0], vec![2], Labels::None).unwrap();
        assert_eq!(pixels(&Sheet::samples(1, 9), &set).dimensions(), (16 + 8, 8 + 8));
        let none = Dataset::new(vec![], vec![2], Labels::None).unwrap();
        assert!(Sheet { cells: Vec::new(), columns: 1 }.png(&none).is_err());
    }
}
