//! Pictures in folders, decoded when they are drawn.
//!
//! Only paths and classes are in memory; a batch is decoded side by side on all processors. With `cache` the bytes of
//! decoded pictures are kept (a quarter of their numbers in f32), so that the second epoch decodes nothing.

use super::bytes;
use super::dataset::Labels;
use super::error::DataError;
use super::folder::{self, Listing};
use super::picture::Format;
use super::records::beyond;
use super::source::{Draw, Source};
use rayon::prelude::*;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;

/// Extensions of pictures.
pub const PICTURES: [&str; 3] = ["png", "jpg", "jpeg"];

/// What happens to a file that can't be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreadable {
    /// It is an error that names the file.
    #[default]
    Refuse,
    /// It is left out, and counted; every file is decoded once to know.
    Skip,
}

/// Samples `[channels, height, width]`, 0 to 255 times a scale, from files of pictures.
#[derive(Debug)]
pub struct Images {
    listing: Listing,
    labels: Labels,
    shape: Vec<usize>,
    format: Format,
    scale: f32,
    /// `[files]`, filled as pictures are drawn; empty without a cache.
    cache: Vec<OnceLock<Vec<u8>>>,
    /// Files that were left out.
    pub skipped: usize,
}

impl Images {
    /// The pictures of a listing.
    ///
    /// # Errors
    /// [`DataError`] for a class whose pictures are all unreadable; with [`Unreadable::Refuse`] nothing is read yet.
    pub fn new(
        mut listing: Listing,
        format: Format,
        scale: f32,
        cache: bool,
        unreadable: Unreadable,
    ) -> Result<Self, DataError> {
        let mut skipped = 0;
        if unreadable == Unreadable::Skip {
            let good: Vec<bool> = listing.files.par_iter().map(|path| decode(path, &format).is_ok()).collect();
            skipped = good.iter().filter(|good| !**good).count();
            listing.retain(&good);
            if let Some(class) = (0..listing.names.len() as u32).find(|class| !listing.ids.contains(class)) {
                return Err(DataError::Mismatch {
                    what: format!("{}: class {}", listing.folder.display(), listing.names[class as usize]),
                    expected: "at least one readable picture".into(),
                    found: "none".into(),
                    help: "mend its files, or remove its folder",
                });
            }
        }
        let cache = if cache { (0..listing.files.len()).map(|_| OnceLock::new()).collect() } else { Vec::new() };
        let shape = vec![format.channels, format.height, format.width];
        Ok(Self { labels: listing.labels(), listing, shape, format, scale, cache, skipped })
    }

    /// The pictures of one folder with a sub-folder a class; see [`folder::list`] for parts.
    ///
    /// # Errors
    /// As [`folder::one`] and [`Images::new`].
    pub fn open(path: &Path, format: Format) -> Result<Self, DataError> {
        Self::new(folder::one(path, &PICTURES, &[])?, format, 1.0, false, Unreadable::Refuse)
    }

    /// The file of a sample.
    pub fn file(&self, index: usize) -> Option<&Path> {
        self.listing.files.get(index).map(|path| path.as_path())
    }

    fn pixels(&self, index: usize, out: &mut [f32]) -> Result<(), DataError> {
        let path = self.listing.files.get(index).ok_or_else(|| beyond(self.listing.files.len()))?;
        let write = |pixels: &[u8], out: &mut [f32]| {
            out.iter_mut().zip(pixels).for_each(|(out, &pixel)| *out = f32::from(pixel) * self.scale);
        };
        match self.cache.get(index) {
            None => write(&decode(path, &self.format)?, out),
            Some(kept) => match kept.get() {
                Some(pixels) => write(pixels, out),
                None => {
                    let pixels = decode(path, &self.format)?;
                    write(&pixels, out);
                    // Another thread may have been faster, with the same pixels.
                    let _ = kept.set(pixels);
                }
            },
        }
        Ok(())
    }
}

fn decode(path: &Path, format: &Format) -> Result<Vec<u8>, DataError> {
    let name = bytes::name(path);
    let mut bytes = Vec::new();
    let read = bytes::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(|source| DataError::Read { file: name.clone(), source })?;
    format.decode(&name, &bytes)
}

impl Source for Images {
    fn len(&self) -> usize {
        self.listing.files.len()
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn place(&self, index: usize) -> Option<String> {
        self.listing.files.get(index).map(|path| bytes::name(path))
    }

    fn read(&self, draw: Draw<'_>, out: &mut [f32]) -> Result<(), DataError> {
        let size = self.format.len().max(1);
        // Of several unreadable files always the first of the batch is named.
        let read: Vec<Result<(), DataError>> =
            draw.indices.par_iter().zip(out.par_chunks_exact_mut(size)).map(|(&i, out)| self.pixels(i, out)).collect();
        read.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::picture::tests::picture;
    use super::*;
    use crate::data::picture::Resize;
    use image::ImageFormat;
    use std::fs;

    #[test]
    fn folders_are_classes_and_damage_is_refused_or_skipped() {
        let root = std::env::temp_dir().join(format!("emberlite-images-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (path, width) in [("a/1.png", 4), ("a/2.png", 6), ("b/1.png", 8)] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), picture(width, 4, ImageFormat::Png)).unwrap();
        }
        let format = Format { channels: 3, height: 4, width: 4, resize: Resize::Crop };
        let set = Images::open(&root, format).unwrap();
        assert_eq!((set.len(), set.shape()), (3, &[3, 4, 4][..]));
        let mut out = vec![0.0; 96];
        let draw = Draw { indices: &[2, 0], epoch: None };
        set.read(draw, &mut out).unwrap();
        assert_eq!((&out[..4], &out[48..52]), (&[2.0, 3.0, 4.0, 5.0][..], &[0.0, 1.0, 2.0, 3.0][..]));

        let listing = folder::one(&root, &PICTURES, &[]).unwrap();
        let cached = Images::new(listing.clone(), format, 0.5, true, Unreadable::Refuse).unwrap();
        let mut twice = [vec![0.0; 96], vec![0.0; 96]];
        twice.iter_mut().for_each(|out| cached.read(draw, out).unwrap());
        assert_eq!(twice[0], twice[1]);
        assert_eq!(twice[0], out.iter().map(|x| x * 0.5).collect::<Vec<_>>());

        fs::write(root.join("a/2.png"), &picture(9, 9, ImageFormat::Png)[..60]).unwrap();
        let text = set.read(Draw { indices: &[0, 1], epoch: None }, &mut out).unwrap_err().to_string();
        assert!(text.contains("a/2.png: byte 0: expected a whole PNG or JPEG picture"), "{text}");
        let skipping = |listing| Images::new(listing, format, 1.0, false, Unreadable::Skip);
        let set = skipping(listing.clone()).unwrap();
        assert_eq!((set.len(), set.skipped), (2, 1));
        fs::write(root.join("b/1.png"), "").unwrap();
        let text = skipping(listing).unwrap_err().to_string();
        assert!(text.contains("class b: expected at least one readable picture"), "{text}");
        fs::remove_dir_all(&root).unwrap();
    }
}
