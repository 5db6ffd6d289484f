//! IDX: the format of MNIST and its likes, one array a file.

use super::array::{Array, Names, Target, elements};
use super::bytes::{self, Cursor};
use super::dataset::Dataset;
use super::element::{Element, Kind};
use super::error::DataError;
use std::path::Path;

/// Reads images `[samples, height, width]` and their class numbers `[samples]` into samples of shape
/// `[1, height, width]`. Pixels keep their numbers (0 to 255).
///
/// # Errors
/// As [`read`], or [`DataError::Mismatch`] if the two don't fit together.
pub fn read_images(images: impl AsRef<Path>, labels: impl AsRef<Path>) -> Result<Dataset, DataError> {
    let (images, labels) = (images.as_ref(), labels.as_ref());
    let names = [images, labels].map(bytes::name);
    let names = Names { features: &names[0], labels: &names[1] };
    let set = read(images)?.into_dataset_of(Target::Class(read(labels)?), names)?;
    match set.shape[..] {
        [height, width] => set.reshape(&[1, height, width]),
        _ => Ok(set),
    }
}

/// Reads one array, also gzipped.
///
/// # Errors
/// [`DataError::Format`] with the byte.
pub fn read(path: impl AsRef<Path>) -> Result<Array, DataError> {
    let path = path.as_ref();
    parse(&bytes::name(path), &bytes::read(path)?)
}

/// The same for the bytes of a file; `file` is its name in errors. Gzip is unpacked.
///
/// # Errors
/// As [`read`].
pub fn parse(file: &str, bytes: &[u8]) -> Result<Array, DataError> {
    let bytes = &bytes::unpack(file, bytes.to_vec())?[..];
    let mut cursor = Cursor::new(file, bytes, 0);
    let (element_type, shape) = header(&mut cursor)?;
    let size = element_type.size;
    let left = bytes.len() - cursor.at;
    let Some(count) = elements(&shape).filter(|count| count.checked_mul(size) == Some(left)) else {
        let found = format!("{left} bytes for the shape {shape:?}");
        return Err(cursor.error("as many bytes as the shape needs", found, "the file is cut off, fetch it again"));
    };
    let start = cursor.at;
    let mut values = Vec::with_capacity(count);
    for element in cursor.take(left, "the elements")?.chunks_exact(size) {
        let value = element_type.number(element);
        if !value.is_finite() {
            cursor.at = start + values.len() * size;
            return Err(cursor.error("finite numbers", element_type.refused(element), "mend or remove the sample"));
        }
        values.push(value);
    }
    Ok(Array { shape, values })
}

/// The type of the elements and the shape; leaves the cursor at the first element.
pub(super) fn header(cursor: &mut Cursor<'_>) -> Result<(Element, Vec<usize>), DataError> {
    let (kind, size, axes) = match cursor.array("the magic number of an IDX file")? {
        [0, 0, 0x08, axes] => (Kind::Unsigned, 1, axes),
        [0, 0, 0x09, axes] => (Kind::Signed, 1, axes),
        [0, 0, 0x0b, axes] => (Kind::Signed, 2, axes),
        [0, 0, 0x0c, axes] => (Kind::Signed, 4, axes),
        [0, 0, 0x0d, axes] => (Kind::Float, 4, axes),
        [0, 0, 0x0e, axes] => (Kind::Float, 8, axes),
        other => {
            cursor.at = 0;
            let expected = "0, 0, a type of 8, 9 or 11 to 14, then the number of axes";
            return Err(cursor.error(expected, format!("{other:?}"), "check that this is an IDX file"));
        }
    };
    let mut shape = Vec::with_capacity(usize::from(axes));
    for _ in 0..axes {
        shape.push(u32::from_be_bytes(cursor.array("the length of an axis")?) as usize);
    }
    Ok((Element { kind, size, big_endian: true }, shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read() {
        let one = |kind, element: &[u8]| {
            parse("x", &[&[0, 0, kind, 1, 0, 0, 0, 1], element].concat()).map(|array| array.values[0])
        };
        assert_eq!(one(0x08, &[200]).unwrap(), 200.0);
        assert_eq!(one(0x09, &[200]).unwrap(), -56.0);
        assert_eq!(one(0x0b, &(-300i16).to_be_bytes()).unwrap(), -300.0);
        assert_eq!(one(0x0c, &70000i32.to_be_bytes()).unwrap(), 70000.0);
        assert_eq!(one(0x0d, &1.5f32.to_be_bytes()).unwrap(), 1.5);
        assert_eq!(one(0x0e, &2.5f64.to_be_bytes()).unwrap(), 2.5);
        assert!(one(0x0d, &f32::NAN.to_be_bytes()).unwrap_err().to_string().starts_with("x: byte 8: expected finite"));
        assert!(one(0x0a, &[0]).is_err() && one(0x08, &[]).is_err() && one(0x08, &[0, 0]).is_err());
    }

    #[test]
    fn gzipped_images_and_labels_make_a_set() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/data/fixtures");
        let set =
            read_images(format!("{folder}/images-idx3-ubyte.gz"), format!("{folder}/labels-idx1-ubyte.gz")).unwrap();
        assert_eq!((set.len(), &set.shape[..], set.class_counts()), (2, &[1, 2, 3][..], vec![0, 1, 0, 1]));
        assert_eq!(set.sample(1), [6.0, 7.0, 8.0, 9.0, 10.0, 255.0]);
        let error = read_images(format!("{folder}/images-idx3-ubyte.gz"), format!("{folder}/absent")).unwrap_err();
        assert!(error.to_string().contains("absent: ") && error.to_string().contains("check the path"), "{error}");
    }

    #[test]
    fn sizes_beyond_memory_are_refused() {
        let huge = [&[0, 0, 0x0e, 3][..], &[0xff; 12]].concat();
        assert!(parse("x", &huge).unwrap_err().to_string().contains("as many bytes as the shape needs"));
    }
}
