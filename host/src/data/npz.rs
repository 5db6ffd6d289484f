//! NPZ: several named arrays, as `numpy.savez` and `numpy.savez_compressed` write them.

use super::array::{Array, Names, Target};
use super::dataset::Dataset;
use super::error::DataError;
use super::spec::Label;
use super::{bytes, npy, zip};
use std::path::Path;

/// Reads a set: the array `features [samples, …]`, and the array that `label` names, `[samples]`.
///
/// # Errors
/// [`DataError::Unknown`] for an array that isn't there; else as [`npy::read`] and [`Array::into_dataset`].
pub fn read(path: impl AsRef<Path>, features: &str, label: &Label) -> Result<Dataset, DataError> {
    let path = path.as_ref();
    parse(&bytes::name(path), &bytes::read(path)?, features, label)
}

/// The same for the bytes of a file; `file` is its name in errors.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &str, bytes: &[u8], features: &str, label: &Label) -> Result<Dataset, DataError> {
    let target = match label {
        Label::None => Target::None,
        Label::Class(name) => Target::Class(array(file, bytes, name)?),
        Label::Value(name) => Target::Value(array(file, bytes, name)?),
    };
    let names = [features, label.name().unwrap_or_default()].map(|array| format!("{file}:{array}"));
    array(file, bytes, features)?.into_dataset_of(target, Names { features: &names[0], labels: &names[1] })
}

/// One array of the bytes of a file.
///
/// # Errors
/// As [`read`].
pub fn array(file: &str, bytes: &[u8], name: &str) -> Result<Array, DataError> {
    let entries = zip::entries(file, bytes)?;
    let plain = |entry: &zip::Entry| entry.name.strip_suffix(".npy").unwrap_or(&entry.name).to_string();
    match entries.iter().find(|entry| plain(entry) == name) {
        Some(entry) => npy::parse(&format!("{file}:{}", entry.name), &zip::content(file, bytes, entry)?),
        None => Err(DataError::Unknown {
            file: file.into(),
            name: name.into(),
            known: entries.iter().map(plain).collect::<Vec<_>>().join(", "),
        }),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::Labels;

    // Written by NumPy; tests/reference/make_data.py makes them again.
    pub const STORED: &[u8] = include_bytes!("fixtures/stored.npz");
    pub const DEFLATED: &[u8] = include_bytes!("fixtures/deflated.npz");

    #[test]
    fn stored_and_deflated_hold_the_same() {
        let label = Label::Class("y".into());
        let set = parse("stored.npz", STORED, "x", &label).unwrap();
        assert_eq!(set, parse("deflated.npz", DEFLATED, "x", &label).unwrap());
        // x = arange(12).reshape(2, 2, 3) / 2, y = [1, 0] as int64.
        assert_eq!(set.features, (0..12).map(|x| x as f32 / 2.0).collect::<Vec<_>>());
        assert_eq!(set.shape, [2, 3]);
        assert_eq!(set.labels, Labels::Class { ids: vec![1, 0], names: vec!["0".into(), "1".into()] });
    }

    #[test]
    fn column_major_and_big_endian_give_the_same_numbers() {
        let plain = array("x", STORED, "x").unwrap();
        assert_eq!(array("x", STORED, "fortran").unwrap(), plain);
        assert_eq!(array("x", DEFLATED, "big").unwrap(), plain);
        assert_eq!(array("x", DEFLATED, "mask").unwrap().values, [1.0, 0.0, 1.0]);
    }

    #[test]
    fn missing_arrays_and_damage_are_named() {
        let text = |bytes: &[u8], name| array("a.npz", bytes, name).unwrap_err().to_string();
        assert_eq!(text(STORED, "z"), "a.npz: no column or array `z`; there are: x, y, fortran, big, mask");
        // One bit of the first array's numbers: the header stays readable, the checksum tells.
        let mut damaged = STORED.to_vec();
        damaged[200] ^= 1;
        assert!(text(&damaged, "x").contains("expected content with the checksum"));
        assert!(text(&STORED[..STORED.len() - 1], "x").contains("the directory at the end of a ZIP file, found none"));
    }
}
