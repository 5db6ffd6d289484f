//! CIFAR-10 and CIFAR-100 in their binary form: a label byte (two for CIFAR-100: coarse, then fine) and 3072 bytes of
//! pixels a record, red, then green, then blue, each `[32, 32]` row-major (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use super::bytes;
use super::dataset::Labels;
use super::element::Element;
use super::error::DataError;
use super::records::{Layout, RandomFile, RecordFile, Records};
use std::path::{Path, PathBuf};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cifar {
    /// Ten classes, `data_batch_1.bin` to `data_batch_5.bin` and `test_batch.bin`.
    Ten,
    /// A hundred classes (the fine labels), `train.bin` and `test.bin`.
    Hundred,
}

const PIXELS: usize = 3 * 32 * 32;
const NAMES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

impl Cifar {
    /// The bytes of a record before its pixels; the last of them is the label.
    const fn labels(self) -> usize {
        match self {
            Cifar::Ten => 1,
            Cifar::Hundred => 2,
        }
    }

    /// The files of a folder: those to train with, and that to test with, if it is there.
    ///
    /// # Errors
    /// [`DataError::Mismatch`] if a file to train with is missing.
    pub fn files(self, folder: &Path) -> Result<(Vec<PathBuf>, Option<PathBuf>), DataError> {
        let (train, test): (Vec<String>, _) = match self {
            Cifar::Ten => ((1..=5).map(|batch| format!("data_batch_{batch}.bin")).collect(), "test_batch.bin"),
            Cifar::Hundred => (vec!["train.bin".into()], "test.bin"),
        };
        let found: Vec<PathBuf> = train.iter().map(|name| folder.join(name)).filter(|path| path.is_file()).collect();
        if found.len() < train.len() {
            let missing: Vec<&str> =
                train.iter().map(String::as_str).filter(|name| !folder.join(name).is_file()).collect();
            return Err(DataError::Mismatch {
                what: bytes::name(folder),
                expected: format!("the files {}", train.join(", ")),
                found: format!("no {}", missing.join(", ")),
                help: "unpack the binary version of the set, and name its folder",
            });
        }
        Ok((found, Some(folder.join(test)).filter(|path| path.is_file())))
    }

    /// Opens files one after the other; samples `[3, 32, 32]`, 0 to 255 times `scale`. Reads the labels, 1 byte in 3073.
    ///
    /// # Errors
    /// [`DataError::Format`] for a length that isn't whole records, or a label beyond the classes.
    pub fn open(self, paths: &[PathBuf], scale: f32) -> Result<Records, DataError> {
        let stride = self.labels() + PIXELS;
        let names: Vec<String> = match self {
            Cifar::Ten => NAMES.map(String::from).to_vec(),
            Cifar::Hundred => (0..100).map(|class: u32| class.to_string()).collect(),
        };
        let (mut files, mut ids) = (Vec::new(), Vec::new());
        for path in paths {
            let file = RandomFile::open(path)?;
            if file.len == 0 || !file.len.is_multiple_of(stride as u64) {
                return Err(DataError::Format {
                    at: file.len - file.len % stride as u64,
                    found: format!("{} bytes", file.len),
                    file: file.name,
                    expected: "whole records of a label and 32 by 32 pixels in three colours",
                    help: "the file is cut off or not the binary version, fetch it again",
                });
            }
            let count = (file.len / stride as u64) as usize;
            // Whole pieces: a seek a label would read as much and take longer.
            let mut piece = vec![0; stride * 512];
            for first in (0..count).step_by(512) {
                let records = (count - first).min(512);
                let at = (first * stride) as u64;
                let part = &mut piece[..records * stride];
                file.read(at, part)?;
                for (record, bytes) in part.chunks_exact(stride).enumerate() {
                    let id = bytes[self.labels() - 1];
                    if usize::from(id) >= names.len() {
                        return Err(DataError::Format {
                            file: file.name,
                            at: at + (record * stride + self.labels() - 1) as u64,
                            expected: "a label below the number of classes",
                            found: id.to_string(),
                            help: "check that this is the binary version, and of the right set",
                        });
                    }
                    ids.push(u32::from(id));
                }
            }
            files.push(RecordFile { file, start: 0, count });
        }
        let layout = Layout { stride, skip: self.labels(), element: Element::BYTE, scale, checked: false };
        Ok(Records::new(files, layout, vec![3, 32, 32], Labels::Class { ids, names }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Draw, Source};

    /// Record `n`: label `n % 10`, pixel `p` is `n + p / 1024`.
    fn records(labels: usize, count: usize) -> Vec<u8> {
        let record = |n: usize| {
            let head = (0..labels).map(move |place| if place + 1 == labels { (n % 10) as u8 } else { 99 });
            head.chain((0..PIXELS).map(move |p| (n + p / 1024) as u8))
        };
        (0..count).flat_map(record).collect()
    }

    #[test]
    fn records_are_read_across_files() {
        let folder = std::env::temp_dir().join(format!("emberlite-cifar-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(Cifar::Ten.files(&folder).unwrap_err().to_string().contains("data_batch_1.bin"));
        std::fs::write(folder.join("data_batch_1.bin"), records(1, 3)).unwrap();
        std::fs::write(folder.join("data_batch_2.bin"), records(1, 2)).unwrap();
        // A set with a part missing is no CIFAR-10.
        let missing = Cifar::Ten.files(&folder).unwrap_err().to_string();
        assert!(missing.contains("found no data_batch_3.bin, data_batch_4.bin, data_batch_5.bin"), "{missing}");
        (3..=5)
            .for_each(|batch| std::fs::write(folder.join(format!("data_batch_{batch}.bin")), records(1, 1)).unwrap());
        std::fs::write(folder.join("test_batch.bin"), records(2, 2)).unwrap();
        let (train, test) = Cifar::Ten.files(&folder).unwrap();
        let set = Cifar::Ten.open(&train, 0.5).unwrap();
        assert_eq!((set.len(), set.shape()), (8, &[3, 32, 32][..]));
        let Labels::Class { ids, names } = set.labels() else { panic!() };
        assert_eq!((&ids[..], names[9].as_str()), (&[0, 1, 2, 0, 1, 0, 0, 0][..], "truck"));
        let mut out = vec![0.0; 2 * PIXELS];
        set.read(Draw { indices: &[4, 2], epoch: None }, &mut out).unwrap();
        assert_eq!([out[0], out[1024], out[3071], out[3072], out[6143]], [0.5, 1.0, 1.5, 1.0, 2.0]);
        assert!(set.read(Draw { indices: &[8], epoch: None }, &mut out).is_err());
        // Two label bytes: the second counts.
        let hundred = Cifar::Hundred.open(&[test.clone().unwrap()], 1.0).unwrap();
        hundred.read(Draw { indices: &[1], epoch: None }, &mut out).unwrap();
        let Labels::Class { ids, names } = hundred.labels() else { panic!() };
        assert_eq!((out[0], &ids[..], names.len()), (1.0, &[0, 1][..], 100));
        let text = Cifar::Ten.open(&[test.unwrap()], 1.0).unwrap_err().to_string();
        assert!(text.contains("byte 6146: expected whole records") && text.contains("found 6148 bytes"), "{text}");
        let mut wrong = records(1, 1);
        wrong[0] = 10;
        std::fs::write(folder.join("data_batch_1.bin"), wrong).unwrap();
        let text = Cifar::Ten.open(&train, 1.0).unwrap_err().to_string();
        assert!(text.contains("byte 0: expected a label below the number of classes, found 10"), "{text}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
