//! IDX, NPY and NPZ read where they lie: the header now, each sample when it is drawn.
//!
//! Labels are read whole, four bytes a sample. A compressed entry of an NPZ file can't be read at an offset and is
//! refused by name; so is column-major order, where a sample isn't in one piece.

use super::array::{Array, Names, Target, elements};
use super::bytes::{self, Cursor};
use super::element::Element;
use super::error::DataError;
use super::records::{Layout, RandomFile, RecordFile, Records};
use super::spec::Label;
use super::{idx, npy, zip};
use std::path::Path;

/// Longer headers aren't written by anyone.
const HEADER: u64 = 1 << 16;

/// The place, shape and type of an array.
struct Place {
    start: u64,
    shape: Vec<usize>,
    element: Element,
}

/// Images and class numbers of two IDX files; samples `[1, height, width]`, times `scale`.
///
/// # Errors
/// As [`idx::read_images`], and for packed files.
pub fn idx_images(images: &Path, labels: &Path, scale: f32) -> Result<Records, DataError> {
    let file = RandomFile::open(images)?;
    let head = file.head(HEADER)?;
    let mut cursor = Cursor::new(&file.name, &head, 0);
    let (element, shape) = idx::header(&mut cursor)?;
    let place = Place { start: cursor.at as u64, shape, element };
    let names = [images, labels].map(bytes::name);
    let names = Names { features: &names[0], labels: &names[1] };
    let set = records(file, place, Target::Class(idx::read(labels)?), names, scale)?;
    match *set.source_shape() {
        [height, width] => set.reshape(&[1, height, width]),
        _ => Ok(set),
    }
}

/// An NPY file of samples, and another of what is to be learnt, if anything.
///
/// # Errors
/// As [`npy::read`], and for packed files and column-major order.
pub fn npy(features: &Path, target: Target, scale: f32) -> Result<Records, DataError> {
    let file = RandomFile::open(features)?;
    let head = file.head(HEADER)?;
    let place = npy_place(&mut Cursor::new(&file.name, &head, 0), 0)?;
    let name = bytes::name(features);
    records(file, place, target, Names { features: &name, labels: "labels" }, scale)
}

/// The arrays of an NPZ file that isn't compressed (`numpy.savez`).
///
/// # Errors
/// As [`npz::read`](super::npz::read), and for compressed entries.
pub fn npz(path: &Path, features: &str, label: &Label, scale: f32) -> Result<Records, DataError> {
    let file = RandomFile::open(path)?;
    file.head(4)?;
    let array = |name: &str| -> Result<(u64, Vec<u8>, u64), DataError> {
        let (at, len) = zip::stored(&file, name)?;
        let mut head = vec![0; len.min(HEADER) as usize];
        file.read(at, &mut head)?;
        Ok((at, head, len))
    };
    let whole = |name: &str| -> Result<Array, DataError> {
        let (at, _, len) = array(name)?;
        let mut bytes = vec![0; len as usize];
        file.read(at, &mut bytes)?;
        npy::parse(&format!("{}:{name}", file.name), &bytes)
    };
    let target = match label {
        Label::None => Target::None,
        Label::Class(name) => Target::Class(whole(name)?),
        Label::Value(name) => Target::Value(whole(name)?),
    };
    let (at, head, _) = array(features)?;
    let place = npy_place(&mut Cursor::new(&file.name, &head, 0), at)?;
    let names = [features, label.name().unwrap_or_default()].map(|array| format!("{}:{array}", file.name));
    records(file, place, target, Names { features: &names[0], labels: &names[1] }, scale)
}

fn npy_place(cursor: &mut Cursor<'_>, at: u64) -> Result<Place, DataError> {
    let (element, fortran, shape) = npy::header(cursor)?;
    if fortran && shape.len() > 1 {
        return Err(cursor.error(
            "an array in C order, to read it at offsets",
            "Fortran order".into(),
            "save it with numpy.ascontiguousarray, or leave out stream = true",
        ));
    }
    Ok(Place { start: at + cursor.at as u64, shape, element })
}

/// The records of one array with labels.
fn records(file: RandomFile, place: Place, target: Target, names: Names<'_>, scale: f32) -> Result<Records, DataError> {
    let Place { start, shape, element } = place;
    let needed = elements(&shape).and_then(|count| count.checked_mul(element.size));
    let left = file.len.saturating_sub(start);
    let what = names.features.to_string();
    let mismatch = |expected: String, found: String| DataError::Mismatch {
        what,
        expected,
        found,
        help: "check that the right files and arrays are named, and that they are whole",
    };
    if needed.is_none_or(|needed| needed as u64 > left) {
        let found = format!("{left} bytes");
        return Err(mismatch(format!("as many bytes as the shape {shape:?} needs"), found));
    }
    let (count, shape) = match shape[..] {
        [] => return Err(mismatch("an array of samples".into(), "a single number".into())),
        [count] => (count, vec![1]),
        [count, ref rest @ ..] => (count, rest.to_vec()),
    };
    let size: usize = shape.iter().product();
    if count == 0 || size == 0 {
        return Err(mismatch("at least one sample".into(), format!("{count} of shape {shape:?}")));
    }
    let labels = target.labels(count, names)?;
    let layout = Layout { stride: size * element.size, skip: 0, element, scale, checked: false };
    Ok(Records::new(vec![RecordFile { file, start, count }], layout, shape, labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Source, collect, npz};
    use std::fs;

    fn same(streamed: &Records, read: &Dataset) {
        let collected = collect(streamed, u64::MAX).unwrap();
        assert_eq!((&collected.features, &collected.shape), (&read.features, &read.shape));
        assert_eq!(collected.labels, read.labels);
    }

    #[test]
    fn what_is_streamed_is_what_is_read() {
        let folder = std::env::temp_dir().join(format!("emberlite-disk-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (images, labels) = (folder.join("images"), folder.join("labels"));
        let pixels: Vec<u8> = (0..3 * 2 * 2).collect();
        fs::write(&images, [&[0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2][..], &pixels].concat()).unwrap();
        fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1]).unwrap();
        let set = idx_images(&images, &labels, 1.0).unwrap();
        assert_eq!(set.shape(), [1, 2, 2]);
        same(&set, &idx::read_images(&images, &labels).unwrap());
        fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 2, 2, 0]).unwrap();
        let text = idx_images(&images, &labels, 1.0).unwrap_err().to_string();
        assert!(text.contains("labels: expected one number for each of the 3 samples of ") && text.contains("found 2"));

        let path = folder.join("x.npz");
        fs::write(&path, npz::tests::STORED).unwrap();
        let label = Label::Class("y".into());
        same(&super::npz(&path, "x", &label, 1.0).unwrap(), &npz::read(&path, "x", &label).unwrap());
        let text = super::npz(&path, "fortran", &label, 1.0).unwrap_err().to_string();
        assert!(text.contains("found Fortran order"), "{text}");
        let text = super::npz(&path, "z", &label, 1.0).unwrap_err().to_string();
        assert!(text.contains("no column or array `z`"), "{text}");
        fs::write(&path, npz::tests::DEFLATED).unwrap();
        let text = super::npz(&path, "x", &label, 1.0).unwrap_err().to_string();
        assert!(text.contains("numpy.savez") && text.contains("compressed"), "{text}");

        let path = folder.join("x.npy");
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
        let numbers: Vec<u8> = (0..6).flat_map(|x| (x as f32).to_le_bytes()).collect();
        let bytes = npy::tests::file(header, &numbers);
        fs::write(&path, &bytes).unwrap();
        let set = super::npy(&path, Target::None, 2.0).unwrap();
        assert_eq!(collect(&set, u64::MAX).unwrap().features, [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let text = super::npy(&path, Target::None, 1.0).unwrap_err().to_string();
        assert!(text.contains("as many bytes as the shape [2, 3] needs, found 23 bytes"), "{text}");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        std::io::Write::write_all(&mut packed, &bytes).unwrap();
        fs::write(&path, packed.finish().unwrap()).unwrap();
        assert!(super::npy(&path, Target::None, 1.0).unwrap_err().to_string().contains("gunzip"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
