//! One picture: PNG or JPEG, to a fixed size, as numbers.

use super::error::DataError;
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageError, ImageReader, Limits, RgbImage};
use std::io::Cursor;

/// How a picture of any size becomes one of the model's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resize {
    /// Scaled so that it just covers, and the middle cut out.
    #[default]
    Crop,
    /// Scaled each way by itself: nothing is lost, and proportions change.
    Stretch,
    /// Scaled so that it just fits, in the middle of black.
    Pad,
    /// Scaled to a shorter side of so many pixels, and the middle cut out: torchvision's `Resize` then `CenterCrop`.
    Shorter(u32),
}

/// The size and colours that a model takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// 1 for grey (ITU-R 601 luma), 3 for red, green and blue.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// On the way there.
    pub resize: Resize,
}

/// More pixels a side than any photograph has; damaged headers promise more.
const MOST_PIXELS: u32 = 1 << 15;
/// Bytes that decoding one picture may take.
const MOST_BYTES: u64 = 1 << 30;

impl Format {
    /// Numbers of a picture.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Decodes a file's bytes to `[channels, height, width]`, 0 to 255; what lies under transparency is blended with
    /// black. The kind is told by the bytes, not by the name. `file` is for errors.
    ///
    /// # Errors
    /// [`DataError::Format`] for anything that isn't a whole picture.
    pub fn decode(&self, file: &str, bytes: &[u8]) -> Result<Vec<u8>, DataError> {
        let failed = |found: String| DataError::Format {
            file: file.into(),
            at: 0,
            expected: "a whole PNG or JPEG picture",
            found,
            help: "the file is damaged or cut off: mend it, or leave out such files with unreadable = \"skip\"",
        };
        let mut reader =
            ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| failed(error.to_string()))?;
        let mut limits = Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(MOST_PIXELS), Some(MOST_PIXELS));
        limits.max_alloc = Some(MOST_BYTES);
        reader.limits(limits);
        let picture = reader.decode().map_err(|error| match error {
            ImageError::Limits(_) => DataError::Format {
                file: file.into(),
                at: 0,
                expected: "a picture of at most 32768 pixels a side and 1 GiB once decoded",
                found: size(bytes).map_or("a larger one".into(), |(width, height)| format!("{width}x{height} pixels")),
                help: "make it smaller, or leave out such files with unreadable = \"skip\"",
            },
            error => failed(error.to_string()),
        })?;
        if picture.width() == 0 || picture.height() == 0 {
            return Err(failed("no pixels".into()));
        }
        Ok(self.planes(&self.fit(opaque(&picture))))
    }

    /// To the model's size.
    fn fit(&self, picture: RgbImage) -> RgbImage {
        let (width, height) = (self.width as u32, self.height as u32);
        let (w, h) = picture.dimensions();
        if (w, h) == (width, height) {
            return picture;
        }
        // The factor that makes both sides at least, or at most, as long as wanted.
        let (across, down) = (f64::from(width) / f64::from(w), f64::from(height) / f64::from(h));
        let scale = match self.resize {
            Resize::Stretch => return resized(&picture, width, height),
            Resize::Crop => across.max(down),
            Resize::Pad => across.min(down),
            Resize::Shorter(side) => f64::from(side) / f64::from(w.min(h)),
        };
        let length = |from: u32| ((f64::from(from) * scale).round() as u32).clamp(1, MOST_PIXELS);
        let (w, h) = (length(w), length(h));
        let scaled = resized(&picture, w, h);
        let mut out = RgbImage::new(width, height);
        // The middle of one over the middle of the other; what sticks out is cut, what is missing is black.
        let middle = |outer: u32, inner: u32| (i64::from(outer) - i64::from(inner)).div_euclid(2);
        imageops::replace(&mut out, &scaled, middle(width, w), middle(height, h));
        out
    }

    /// Channel by channel.
    fn planes(&self, picture: &RgbImage) -> Vec<u8> {
        let size = self.height * self.width;
        let mut out = vec![0; self.len()];
        for (place, pixel) in picture.pixels().enumerate().take(size) {
            match self.channels {
                1 => out[place] = luma(pixel.0),
                _ => pixel.0.iter().take(self.channels).enumerate().for_each(|(c, &v)| out[c * size + place] = v),
            }
        }
        out
    }
}

/// Width and height, as the header has them.
fn size(bytes: &[u8]) -> Option<(u32, u32)> {
    ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?.into_dimensions().ok()
}

/// ITU-R 601 in whole numbers, as Pillow rounds it: (19595 R + 38470 G + 7471 B + 2^15) / 2^16.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    ((19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue) + 0x8000) >> 16) as u8
}

fn resized(picture: &RgbImage, width: u32, height: u32) -> RgbImage {
    if picture.dimensions() == (width, height) {
        return picture.clone();
    }
    // Linear with a support that grows when shrinking, as Pillow's and torchvision's bilinear with antialias.
    imageops::resize(picture, width, height, FilterType::Triangle)
}

fn opaque(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let picture = picture.to_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        let over = |value: u8| ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8;
        image::Rgb([over(red), over(green), over(blue)])
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use image::ImageFormat;

    /// A picture of that size whose pixel at (x, y) is (x, y, 200).
    pub fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 200]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn format(channels: usize, height: usize, width: usize, resize: Resize) -> Format {
        Format { channels, height, width, resize }
    }

    #[test]
    fn pixels_are_planes() {
        let png = picture(3, 2, ImageFormat::Png);
        let planes = format(3, 2, 3, Resize::Crop).decode("x", &png).unwrap();
        assert_eq!(planes, [0, 1, 2, 0, 1, 2, 0, 0, 0, 1, 1, 1, 200, 200, 200, 200, 200, 200]);
        // (19595 * 2 + 38470 + 7471 * 200 + 32768) / 65536 = 24.48.
        assert_eq!(format(1, 2, 3, Resize::Crop).decode("x", &png).unwrap()[5], 24);
        let jpeg = picture(16, 16, ImageFormat::Jpeg);
        let planes = format(3, 16, 16, Resize::Crop).decode("x", &jpeg).unwrap();
        assert!(planes[512..].iter().all(|&blue| blue.abs_diff(200) < 12), "lossy, but blue");
    }

    #[test]
    fn sizes_are_met_each_way() {
        // 8 wide and 4 high; red is the column, green the row.
        let png = picture(8, 4, ImageFormat::Png);
        let decode = |resize, height, width| format(3, height, width, resize).decode("x", &png).unwrap();
        let crop = decode(Resize::Crop, 4, 4);
        assert_eq!(crop[..4], [2, 3, 4, 5], "the middle");
        let pad = decode(Resize::Pad, 8, 8);
        assert_eq!(
            (&pad[..8], &pad[16..24]),
            (&[0; 8][..], &[0, 1, 2, 3, 4, 5, 6, 7][..]),
            "two black rows, then rows"
        );
        assert_eq!(decode(Resize::Shorter(4), 2, 2)[..4], [3, 4, 3, 4]);
        let stretched = decode(Resize::Stretch, 4, 4);
        assert!(stretched[0] < 2 && stretched[3] > 5, "the whole width: {:?}", &stretched[..4]);
        assert_eq!(decode(Resize::Crop, 16, 16).len(), 3 * 256);
    }

    /// Written by tests/reference/make_pictures.py with Pillow, which rounds to whole levels after each of its two passes;
    /// ours rounds once or twice elsewhere, so a level or two may differ.
    #[test]
    fn sizes_and_grey_are_pillows() {
        let bytes = include_bytes!("../../../tests/reference/vectors/pictures.safetensors");
        let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
        let png = file.tensor("png").unwrap().data().to_vec();
        for (name, resize) in [
            ("stretch/8x5", Resize::Stretch),
            ("stretch/40x30", Resize::Stretch),
            ("crop/10x12", Resize::Crop),
            ("pad/10x12", Resize::Pad),
            ("shorter14/9x9", Resize::Shorter(14)),
            ("grey/23x17", Resize::Crop),
        ] {
            let expected = file.tensor(name).unwrap();
            let [channels, height, width] = expected.shape().try_into().unwrap();
            let ours = format(channels, height, width, resize).decode(name, &png).unwrap();
            let apart = ours.iter().zip(expected.data()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(apart <= Some(2), "{name}: {apart:?} levels");
        }
    }

    #[test]
    fn transparency_is_black() {
        let mut bytes = Cursor::new(Vec::new());
        let pixels = image::RgbaImage::from_pixel(1, 1, image::Rgba([200, 100, 50, 51]));
        pixels.write_to(&mut bytes, ImageFormat::Png).unwrap();
        // 51 / 255 is a fifth.
        assert_eq!(format(3, 1, 1, Resize::Crop).decode("x", &bytes.into_inner()).unwrap(), [40, 20, 10]);
    }

    #[test]
    fn damage_is_named() {
        let png = picture(9, 9, ImageFormat::Png);
        let text = |bytes: &[u8]| format(3, 9, 9, Resize::Crop).decode("cat/1.png", bytes).unwrap_err().to_string();
        let cut = text(&png[..png.len() / 2]);
        assert!(cut.starts_with("cat/1.png: byte 0: expected a whole PNG or JPEG picture, found"), "{cut}");
        assert!(text(b"hello").contains("unreadable = \"skip\"") && text(&[]).contains("expected a whole"));
    }
}
